"""What a benchmark compares: everything that is needed to repeat it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from mx_agents.errors import UsageError, unknown
from mx_agents.methods.fixed import FIXED_METHODS
from mx_agents.models.saved import check_guide
from mx_envs.inside.endpoint.sampling import SPELLINGS, BadRequest, read_sampling

FORMAT = 2
SEARCH_CALLS = 200
COMMANDS = ("program:", "optimiser:")
_SPEC = re.compile(
    r"(program|optimiser|search|hf|openai|replay|scripted):.+|[\w./~-]+(\.py|\.py:\w+|:[A-Za-z_]\w*)",
    re.DOTALL,
)
"""What is a method, or a policy, and no part of a command; names alone are known by :data:`FIXED_METHODS`."""
OTHER_METHODS = ("search", "external", "optimiser", "scripted", "random", "human")


class Cell(NamedTuple):
    """One episode of the comparison."""

    method: str
    task: str
    repetition: int
    tasks: str = ""
    executor: str = ""


@dataclass(frozen=True, slots=True)
class BenchConfig:
    """Methods, task sets, executors, budget and seeds.

    ``tasks`` and ``executor`` are one or several, separated by commas: every method plays all task sets with all executors.
    ``episodes`` tasks of each set's split, each played ``seeds`` times; ``budget`` executor calls and ``tokens`` per episode, None
    for each task's own and for no limit; ``search_calls`` is what a searching method may use on the validation split.
    ``prices`` are money per million tokens, in and out, by executor. ``fingerprint`` is the task sets'.
    """

    methods: tuple[str, ...]
    tasks: str
    split: str
    episodes: int
    seeds: int
    executor: str
    budget: int | None
    sandbox: str
    fingerprint: str = ""
    tokens: int | None = None
    search_calls: int = SEARCH_CALLS
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    approve: str | None = None
    """Who approves tool calls (see :mod:`mx_agents.approval`); None: all are made."""
    guide: str | None = None
    """What designers are told of designs (see :mod:`mx_envs.guide`); None: what each was trained under, else ``full``."""

    pins: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of programs' requests that the run decides about: the value that is used, None for the executor's own."""

    designer: str | None = None
    """Who answers the own questions of a search from outside; None: the executor."""

    models: Mapping[str, str] = field(default_factory=dict)
    """Who answers for which model's name: pattern to executor's spec; the executor answers for all others."""

    def __post_init__(self) -> None:
        if self.guide is not None:
            check_guide(self.guide)
        for name in ("episodes", "seeds", "search_calls"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be 1 or more, not {getattr(self, name)}")
        if self.budget is not None and self.budget < 1:
            raise UsageError(f"the budget is a number of executor calls, 1 or more, not {self.budget}")
        if self.tokens is not None and self.tokens < 1:
            raise UsageError(f"the budget of tokens is 1 or more, not {self.tokens}")
        kinds = {"method": self.methods, "task set": self.task_sets, "executor": self.executors}
        for what, names in kinds.items():
            repeated = [name for name in names if names.count(name) > 1]
            if repeated or not names:
                raise UsageError(
                    f"{what} {repeated[0]!r} is named twice" if repeated else f"no {what} is named"
                )
        for name in self.prices:
            if name not in (*self.executors, *self.models.values()):
                raise unknown("executor", name, self.executors, "; prices are given by executor")

    @property
    def task_sets(self) -> tuple[str, ...]:
        """The task sets' names."""
        return words_of(self.tasks)

    @property
    def executors(self) -> tuple[str, ...]:
        """The executors' specs."""
        return words_of(self.executor)

    def cells(self, task_ids: Mapping[str, list[str]]) -> Iterator[Cell]:
        """Every episode, so ordered that a run cut short has met the same tasks with every method."""
        for repetition in range(self.seeds):
            for executor in self.executors:
                for tasks, ids in task_ids.items():
                    for task in ids:
                        for method in self.methods:
                            yield Cell(method, task, repetition, tasks, executor)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for config.yaml."""
        return {
            "kind": "bench",
            "format": FORMAT,
            "methods": list(self.methods),
            "tasks": self.tasks,
            "split": self.split,
            "episodes": self.episodes,
            "seeds": self.seeds,
            "executor": self.executor,
            "budget": self.budget,
            "tokens": self.tokens,
            "search_calls": self.search_calls,
            "prices": {name: list(price) for name, price in self.prices.items()},
            "sandbox": self.sandbox,
            "approve": self.approve,
            "guide": self.guide,
            "pins": dict(self.pins),
            "designer": self.designer,
            "models": dict(self.models),
            "fingerprint": self.fingerprint,
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any], where: str) -> BenchConfig:
        """Read what :meth:`as_dict` wrote. Raises UsageError."""
        if plain.get("kind") != "bench" or plain.get("format") != FORMAT:
            raise UsageError(f"{where} is not the configuration of a benchmark run of this version")
        plain = {"approve": None, "guide": None, "pins": {}, "designer": None, "models": {}, **plain}
        names = [name for name in cls.__dataclass_fields__ if name not in plain]
        if names:
            raise UsageError(f"{where} lacks {', '.join(names)}")
        values = {name: plain[name] for name in cls.__dataclass_fields__}
        prices = {name: (price[0], price[1]) for name, price in values["prices"].items()}
        return cls(**values | {"methods": tuple(values["methods"]), "prices": prices})


def words_of(text: str) -> tuple[str, ...]:
    """The parts of a comma list. A comma within quotes parts nothing, nor does one in a command (``program:``, ``optimiser:``)
    before what is no spec; arguments of a command that look like methods are written in quotes.
    """
    parts: list[str] = []
    for part in _parted(text):
        if parts and parts[-1].startswith(COMMANDS) and not _is_spec(part.strip()):
            parts[-1] += f",{part}"
        else:
            parts.append(part.strip())
    return tuple(part.strip() for part in parts if part.strip())


def _is_spec(part: str) -> bool:
    return part in FIXED_METHODS or part in OTHER_METHODS or bool(_SPEC.fullmatch(part))


def _parted(text: str) -> list[str]:
    """The text between commas that stand in no quotes; a quote that is never closed is a letter like any other."""
    parts, begin, place = [], 0, 0
    while place < len(text):
        sign = text[place]
        if sign in "'\"" and text.find(sign, place + 1) > 0:
            place = text.find(sign, place + 1)
        elif sign == ",":
            parts.append(text[begin:place])
            begin = place + 1
        place += 1
    return [*parts, text[begin:]]


def read_pins(words: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE`` (JSON, or a text) and ``NAME`` alone, for the executor's own. Raises UsageError."""
    pins: dict[str, Any] = {}
    for word in words:
        name, given, value = word.partition("=")
        try:
            pins[name] = json.loads(value) if given else None
        except ValueError:
            pins[name] = value
        if not name.isidentifier():
            raise UsageError(f"--pin takes NAME=VALUE, such as temperature=0, or NAME alone, not {word!r}")
    try:
        checked = read_sampling(pins)
    except BadRequest as error:
        raise UsageError(f"--pin: {error}") from None
    return {SPELLINGS.get(name, name): checked.get(SPELLINGS.get(name, name)) for name in pins}


def read_models(words: Sequence[str]) -> dict[str, str]:
    """``PATTERN=EXECUTOR``, several with commas between them. Raises UsageError."""
    found: dict[str, str] = {}
    for word in (part for each in words for part in re.split(r",(?=[^,=]*=)", each)):
        pattern, given, spec = (part.strip() for part in word.partition("="))
        if not (pattern and given and spec):
            raise UsageError(
                f"--models takes PATTERN=EXECUTOR, such as gpt-4o*=openai:MODEL@URL, not {word!r}"
            )
        if pattern in found:
            raise UsageError(f"--models names {pattern!r} twice")
        found[pattern] = spec
    return found


def read_prices(path: Path) -> dict[str, tuple[float, float]]:
    """A price table: YAML of executor to ``[in, out]``, money per million tokens. Raises UsageError."""
    try:
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        return {str(name): (float(price[0]), float(price[1])) for name, price in table.items()}
    except (OSError, yaml.YAMLError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"{str(path)!r} is no price table (EXECUTOR: [IN, OUT] per million tokens): {error}"
        ) from None


def seed_of(*words: object) -> int:
    """A seed that depends on all the words, the same on every machine."""
    return int.from_bytes(hashlib.sha256(repr(words).encode()).digest()[:4], "big")
