"""Chats as a tokenizer's template spells them, with a stated way out for what a template cannot spell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from jinja2 import TemplateError

from mx_envs import Message

PLAIN_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
"""For base models, whose tokenizers have no chat template."""

FALLBACKS = {
    "system": "the template has no system role: the system message stands at the head of the first user message",
    "tool": "the template has no tool role: results of tools are user messages",
    "order": "the template wants user and assistant by turns: neighbours of one role are one message",
}
_PROBE = "mx probe"
_USER: Message = {"role": "user", "content": "mx user"}
_ANSWER: Message = {"role": "assistant", "content": "mx answer"}


@dataclass(slots=True)
class ChatTemplate:
    """A tokenizer's chat template. ``options`` are passed on to it, such as ``{"enable_thinking": False}``."""

    tokenizer: Any
    options: dict[str, Any]
    fallbacks: tuple[str, ...] = field(init=False, default=())
    """Which of FALLBACKS are in force."""

    def __post_init__(self) -> None:
        system: Message = {"role": "system", "content": _PROBE}
        tool: Message = {"role": "tool", "content": _PROBE}
        probes: dict[str, Sequence[Message]] = {
            "system": (system, _USER),
            "tool": (_USER, _ANSWER, tool),
            "order": (_USER, {"role": "user", "content": _PROBE}),
        }
        self.fallbacks = tuple(name for name, chat in probes.items() if not self._spells(chat))

    def render(self, messages: Sequence[Message]) -> str:
        """The chat as text, up to where the answer begins."""
        chat = list(messages)
        for name in self.fallbacks:
            chat = _FOLDS[name](chat)
        return self._text(chat)

    def end_of_turn(self) -> str:
        """What the template puts after an answer, up to the next line; empty where that is nothing."""
        try:
            text = self._text([_USER, _ANSWER], prompting=False)
        except TemplateError:
            return ""
        _, found, rest = text.rpartition(_ANSWER["content"])
        return rest.strip().splitlines()[0] if found and rest.strip() else ""

    def _spells(self, chat: Sequence[Message]) -> bool:
        """Whether the template takes such a chat and leaves nothing of it out."""
        try:
            return _PROBE in self._text(list(chat))
        except (TemplateError, TypeError, ValueError):
            return False

    def _text(self, chat: list[Message], *, prompting: bool = True) -> str:
        template = self.tokenizer.chat_template or PLAIN_TEMPLATE
        text: str = self.tokenizer.apply_chat_template(
            chat, chat_template=template, add_generation_prompt=prompting, tokenize=False, **self.options
        )
        return text


def _fold_system(chat: list[Message]) -> list[Message]:
    system = "\n\n".join(message["content"] for message in chat if message["role"] == "system")
    rest = [message.copy() for message in chat if message["role"] != "system"]
    if not system:
        return rest
    if not rest or rest[0]["role"] != "user":
        return [{"role": "user", "content": system}, *rest]
    return [{"role": "user", "content": f"{system}\n\n{rest[0]['content']}"}, *rest[1:]]


def _fold_tool(chat: list[Message]) -> list[Message]:
    return [
        {"role": "user", "content": f"Result of the tool:\n{message['content']}"}
        if message["role"] == "tool"
        else message
        for message in chat
    ]


def _fold_order(chat: list[Message]) -> list[Message]:
    folded: list[Message] = []
    for message in chat:
        if folded and folded[-1]["role"] == message["role"]:
            joined = f"{folded[-1]['content']}\n\n{message['content']}"
            folded[-1] = {"role": message["role"], "content": joined}
        else:
            folded.append(message)
    return folded


_FOLDS: dict[str, Callable[[list[Message]], list[Message]]] = {
    "system": _fold_system,
    "tool": _fold_tool,
    "order": _fold_order,
}
