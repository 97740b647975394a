"""An action that carries how it was made: a text like any other, with what its policy knows of it beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

PASSED_ON = ("finish_reason", "usage", "logprobs", "error")
"""What a program at the endpoint hears of its answers."""


class Spoken(str):
    """A text; ``about`` may hold ``finish_reason``, ``usage`` (tokens in and out, as a server counted them), ``logprobs`` (OpenAI's
    entries, one a token) and ``error`` (``status`` and ``body`` of a server's refusal of just this request).
    """

    __slots__ = ("about",)
    about: Mapping[str, Any]

    def __new__(cls, text: str, known: Mapping[str, Any]) -> Self:
        """A text, and what is known of it."""
        made = super().__new__(cls, text)
        made.about = known
        return made


def about(text: str) -> dict[str, Any]:
    """What is known of an action; nothing of a plain text."""
    known: Mapping[str, Any] = getattr(text, "about", {})
    return {name: known[name] for name in PASSED_ON if known.get(name) is not None}
