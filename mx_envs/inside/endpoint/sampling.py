"""How a request wants its answer made: each parameter honoured, pinned, or refused by name; none is dropped in silence."""

from __future__ import annotations

from fnmatch import fnmatchcase

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Optional

EVERYTHING = "*"
"""In ``honours``: whatever a request holds; the executor forwards it to a server, which says itself what it refuses."""
ENDPOINTS_OWN = ("stop", "max_tokens")
"""Parameters that hold with every executor: the answer is cut where a server would have ended it."""
BYTES_PER_TOKEN = 4

SPELLINGS = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "max_tokens": "max_tokens",
}
"""Parameters that have several names, and the one that they have here."""
_READ_ELSEWHERE = frozenset(
    (
        "messages", "prompt", "input", "model", "n", "stream", "stream_options", "tools", "tool_choice", "functions",
        "function_call", "parallel_tool_calls", "response_format", "text", "echo", "instructions", "previous_response_id",
    )
)  # fmt: skip
_ABOUT_THE_CALLER = frozenset(
    (
        "user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
    )
)  # fmt: skip
_NEUTRAL: dict[str, Any] = {
    "temperature": 1,
    "top_p": 1,
    "frequency_penalty": 0,
    "presence_penalty": 0,
    "logprobs": False,
    "top_logprobs": 0,
    "logit_bias": {},
    "best_of": 1,
    "truncation": "disabled",
    "include": [],
    "background": False,
    "modalities": ["text"],
    "suffix": "",
}
"""Values that ask for nothing beyond what any executor does."""
_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "frequency_penalty": (-2.0, 2.0),
    "presence_penalty": (-2.0, 2.0),
}
_WHOLE = {"max_tokens": (1, 1 << 31), "seed": (-(1 << 63), 1 << 63), "top_logprobs": (0, 20)}
_LARGEST_STOPS = 16


class BadRequest(Exception):  # noqa: N818  # named as HTTP names it
    """The request cannot be understood, or nobody here honours it: ``param`` is the field, ``code`` what clients look at."""

    def __init__(self, message: str, param: Optional[str] = None, code: str = "invalid_request") -> None:
        super().__init__(message)
        self.param, self.code = param, code


class Terms:
    """What an executor honours, and what the run pins. ``honours`` None: whoever answers is shown everything.

    ``pins`` maps a parameter to the value that is used whatever a request asks for; None: the executor's own.
    """

    def __init__(
        self,
        honours: Optional[Iterable[str]] = None,
        pins: Optional[Mapping[str, Any]] = None,
        routes: Iterable[tuple[str, Iterable[str]]] = (),
    ) -> None:
        self.honours: Optional[frozenset[str]] = None if honours is None else frozenset(honours)
        self.pins: dict[str, Any] = dict(pins or {})
        self.routes: list[tuple[str, frozenset[str]]] = [
            (pattern, frozenset(theirs)) for pattern, theirs in routes
        ]
        """Patterns of models' names, and what the executors behind them honour; the first that fits counts."""

    def of(self, model: str) -> Terms:
        """The terms of whoever answers for a model's name."""
        for pattern, honours in self.routes:
            if fnmatchcase(model, pattern):
                return Terms(honours, self.pins)
        return self

    @property
    def forwards(self) -> bool:
        """Whether the executor takes requests as they are."""
        return self.honours is not None and EVERYTHING in self.honours

    def settled(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What an answer is to be made with. Raises BadRequest for what nobody honours."""
        used = {name: value for name, value in self.pins.items() if value is not None}
        for name, value in asked.items():
            if name in self.pins:
                continue
            if self._honoured(name):
                used[name] = value
            elif not _asks_nothing(name, value):
                raise BadRequest(
                    f"this executor does not honour {name!r}; leave it out, or let the run decide about it: --pin {name}"
                    f" (the executor's own) or --pin {name}=VALUE",
                    name,
                    "unsupported_parameter",
                )
        return used

    def _honoured(self, name: str) -> bool:
        return name in ENDPOINTS_OWN or self.honours is None or self.forwards or name in self.honours

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for the frame that carries them into a sandbox."""
        plain = {"honours": None if self.honours is None else sorted(self.honours), "pins": self.pins}
        routes = [[pattern, sorted(honours)] for pattern, honours in self.routes]
        return {**plain, **({"routes": routes} if routes else {})}

    @classmethod
    def from_dict(cls, plain: Optional[Mapping[str, Any]]) -> Terms:
        """Read what :meth:`as_dict` wrote; nothing is everything, unpinned."""
        return cls() if plain is None else cls(plain["honours"], plain["pins"], plain.get("routes") or ())


def read_sampling(body: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a request under one name each, checked; what says nothing (null) is left out. Raises BadRequest."""
    found: dict[str, Any] = {}
    for name, value in body.items():
        if value is None or name in _READ_ELSEWHERE or name in _ABOUT_THE_CALLER:
            continue
        known = SPELLINGS.get(name, name)
        found[known] = _stops(value) if known == "stop" else _checked(known, value, name)
    if not found.get("stop", True):
        del found["stop"]
    return found


def limited(
    text: str, used: Mapping[str, Any], *, counted: bool = False, room: Optional[int] = None
) -> tuple[str, str]:
    """An answer as far as a server would have made it, and its ``finish_reason``: ``stop`` or ``length``.

    ``counted``: the executor has counted its own tokens against ``max_tokens``. ``room`` is what a budget of tokens has left.
    """
    limits = [limit for limit in (None if counted else used.get("max_tokens"), room) if limit is not None]
    cut = _first_tokens(text, min(limits)) if limits else text
    ends = [place for place in (cut.find(stop) for stop in used.get("stop") or ()) if place >= 0]
    if ends:
        return cut[: min(ends)], "stop"
    return cut, "length" if len(cut) < len(text) else "stop"


def _first_tokens(text: str, most: int) -> str:
    """The beginning of a text that has so many tokens at most; no character is cut in two."""
    data = text.encode("utf-8", "replace")
    if len(data) <= most * BYTES_PER_TOKEN:
        return text
    return data[: most * BYTES_PER_TOKEN].decode("utf-8", "ignore")


def _asks_nothing(name: str, value: Any) -> bool:
    return name in _NEUTRAL and bool(value == _NEUTRAL[name])


def _checked(name: str, value: Any, given: str) -> Any:
    if name in _RANGES:
        low, high = _RANGES[name]
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            raise BadRequest(f"{given} is a number from {low:g} to {high:g}, not {_short(value)}", given)
    elif name in _WHOLE:
        least, most = _WHOLE[name]
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise BadRequest(f"{given} is a whole number from {least} to {most}, not {_short(value)}", given)
    elif name == "logit_bias" and not isinstance(value, dict):
        raise BadRequest(f"logit_bias maps tokens to biases; it is not {_short(value)}", given)
    return value


def _stops(value: Any) -> list[str]:
    stops = [value] if isinstance(value, str) else value
    if (
        not isinstance(stops, list)
        or len(stops) > _LARGEST_STOPS
        or not all(isinstance(s, str) for s in stops)
    ):
        raise BadRequest(f"stop is a text or a list of up to {_LARGEST_STOPS} texts", "stop")
    return [stop for stop in stops if stop]


def _short(value: Any) -> str:
    return repr(value)[:60]
