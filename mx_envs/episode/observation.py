"""What a policy sees: a chat."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict


class Message(TypedDict):
    """One message of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Observation(TypedDict):
    """An agent's observation: the chat so far, which the agent's action, a text, answers."""

    messages: tuple[Message, ...]
    sampling: NotRequired[dict[str, Any]]
    """How the answer is to be made (``temperature``, ``seed``, ...), where a harness passes on ``info["sampling"]``."""
    model: NotRequired[str]
    """The model that a program names (``info["model"]``)."""
    request: NotRequired[dict[str, Any]]
    """A program's own request, for policies that forward it whole (``info["request"]``)."""
