"""What a policy sees: a chat."""

from __future__ import annotations

from typing import Literal, TypedDict


class Message(TypedDict):
    """One message of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str


class Observation(TypedDict):
    """An agent's observation: the chat so far, which the agent's action, a text, answers."""

    messages: tuple[Message, ...]
