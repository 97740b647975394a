"""What a design may say to the host, checked: the other end is untrusted code. ``inside/mas.py`` documents the frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from mx_envs.episode.observation import Message
from mx_envs.inside.endpoint.plain import DEEPEST, is_deeper
from mx_envs.inside.endpoint.sampling import BadRequest, read_sampling

LARGEST_BATCH = 1000
LONGEST_CONVERSATION = 4096
LONGEST_NAME = 64
LONGEST_MODEL = 200
MOST_PARAMETERS = 64
ROLES = frozenset({"system", "user", "assistant", "tool"})


class WireError(ValueError):
    """A frame is not one of those that the wire knows; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One question to one executor: ``slot`` is the executor's number, ``agent`` its name in the script.

    ``graded`` says whether it asks for an answer to the task, ``tools`` whether the answer may be a call of a tool.
    ``sampling`` is how the answer is to be made, ``asked`` how a program asked for it where that is something else, ``request`` a
    program's request as it came (see :mod:`mx_envs.episode.asked`), ``call`` what questions belong together: they are admitted all
    or none. ``room`` is how many tokens the answer may have where the episode's are bounded.
    """

    slot: int
    agent: str
    graded: bool
    messages: tuple[Message, ...]
    tools: bool = False
    sampling: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)
    request: Mapping[str, Any] | None = None
    call: int | None = None
    room: int | None = None
    model: str = ""
    """The model that a program asks for; what comes of it, the run decides."""
    seat: int = 0
    """The executor's number as it was asked for: beyond the last executor, seats are shared."""

    @property
    def wanted(self) -> dict[str, Any]:
        """How the answer is to be made, within what the budget has left."""
        if self.room is None:
            return dict(self.sampling)
        return {**self.sampling, "max_tokens": min(self.room, self.sampling.get("max_tokens", self.room))}

    @property
    def last_user_message(self) -> str:
        """The text of the newest message that the user, here the script, wrote; empty when there is none."""
        return next(
            (message["content"] for message in reversed(self.messages) if message["role"] == "user"), ""
        )


@dataclass(frozen=True, slots=True)
class ServiceCall:
    """A call of the task's service on the host."""

    service: str
    method: str
    arguments: dict[str, Any]


def unicode_text(text: str) -> str:
    """The text with what UTF-8 cannot carry (lone surrogates) replaced by question marks."""
    if text.isascii():
        return text
    return text.encode("utf-8", "replace").decode("utf-8")


def read_frame(frame: Any, executors: int) -> list[Question] | ServiceCall | str:
    """The batch of questions in a frame, the call of a service, or the answer that it submits. Raises WireError otherwise."""
    if not isinstance(frame, dict):
        raise WireError("a frame is an object")
    match frame.get("op"):
        case "ask":
            return _questions(frame.get("questions"), executors)
        case "call":
            return _service_call(frame)
        case "submit":
            return _text(frame.get("answer"), "a submission's answer")
    raise WireError("a frame's op is ask, call or submit")


def _service_call(frame: dict[str, Any]) -> ServiceCall:
    arguments = frame.get("arguments", {})
    if not isinstance(arguments, dict):
        raise WireError("a call's arguments are an object")
    service, method = (
        _text(frame.get(name), f"a call's {name}")[:LONGEST_NAME] for name in ("service", "method")
    )
    return ServiceCall(service, method, arguments)


def _questions(batch: Any, executors: int) -> list[Question]:
    if not isinstance(batch, list) or not 1 <= len(batch) <= LARGEST_BATCH:
        raise WireError(f"a batch is a list of 1 to {LARGEST_BATCH} questions")
    return [_question(question, executors) for question in batch]


def _question(question: Any, executors: int) -> Question:
    if not isinstance(question, dict):
        raise WireError("a question is an object")
    slot, messages = question.get("slot"), question.get("messages")
    if type(slot) is not int or not 0 <= slot < 1 << 31:
        raise WireError("a question's slot is a small number")
    if not isinstance(messages, list) or not 1 <= len(messages) <= LONGEST_CONVERSATION:
        raise WireError(f"a conversation has 1 to {LONGEST_CONVERSATION} messages")
    return Question(
        slot % executors,
        _text(question.get("agent"), "an agent's name")[:LONGEST_NAME],
        question.get("graded") is not False,
        tuple([_message(message) for message in messages]),
        question.get("tools") is True,
        _sampling(question.get("sampling")),
        request=_request(question.get("request")),
        model=_text(question.get("model", ""), "a model's name")[:LONGEST_MODEL],
        seat=slot,
        call=question.get("call") if type(question.get("call")) is int else None,
    )


def _sampling(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > MOST_PARAMETERS:
        raise WireError(f"how an answer is made is an object of up to {MOST_PARAMETERS} parameters")
    try:
        return read_sampling(_plain(given))
    except BadRequest as error:
        raise WireError(str(error)) from None


def _request(given: Any) -> dict[str, Any] | None:
    if given is None:
        return None
    if not isinstance(given, dict):
        raise WireError("a request is an object")
    return _plain(given)


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """The object with texts that UTF-8 can carry. Raises WireError for one that is too deep for whoever sends it on."""
    if is_deeper(given, DEEPEST):
        raise WireError(f"what is said of an answer is not deeper than {DEEPEST} levels")
    return cast(dict[str, Any], _carried(given))


def _carried(value: Any) -> Any:
    if isinstance(value, str):
        return unicode_text(value)
    if isinstance(value, list):
        return [_carried(each) for each in value]
    if isinstance(value, dict):
        return {unicode_text(name): _carried(each) for name, each in value.items()}
    return value


def _message(message: Any) -> Message:
    if not isinstance(message, dict) or message.get("role") not in ROLES:
        raise WireError(f"a message has one of the roles {', '.join(sorted(ROLES))}")
    return cast(
        Message, {"role": message["role"], "content": _text(message.get("content"), "a message's content")}
    )


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise WireError(f"{what} is a text")
    return unicode_text(value)
