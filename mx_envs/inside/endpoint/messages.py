"""Anthropic's ``/v1/messages``: requests read, answers written."""

from __future__ import annotations

import json

from .asking import Answer, Asking, call_block, prompt_usage, text_of, tool_of
from .chat import PIECE
from .sampling import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .asking import Said

    Message = dict[str, str]

CHOICES = {"auto": "auto", "any": "required", "none": "none"}
FINISHES = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
ERRORS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
}
_ELSEWHERE = ("system", "stop_sequences", "thinking", "n", "stop")
"""Fields that are read apart, or that mean something in OpenAI's API alone."""
_THOUGHTS = ("thinking", "redacted_thinking")
_TOO_HOT = 1.0


def read(body: dict[str, Any]) -> Asking:
    """What a request asks for. Raises BadRequest."""
    given = body.get("messages")
    if not isinstance(given, list):
        raise BadRequest("messages is a list", "messages")
    if body.get("max_tokens") is None:
        raise BadRequest("max_tokens is a whole number from 1 on", "max_tokens")
    system = text_of(body.get("system"), "system")
    messages = [{"role": "system", "content": system}] if system else []
    for message in given:
        messages += _read(message)
    asking = Asking(str(body.get("model") or "executor"), messages, _generation(body))
    asking.tools = [_tool(tool) for tool in body.get("tools") or ()]
    choice = body.get("tool_choice") or {}
    if not isinstance(choice, dict):
        raise BadRequest("tool_choice is an object with a type", "tool_choice")
    kind = choice.get("type")
    asking.tool_choice = choice.get("name") if kind == "tool" else CHOICES.get(str(kind))
    asking.one_call = choice.get("disable_parallel_tool_use") is True
    return asking


def whole(asking: Asking, said: list[Said], number: str, created: int) -> dict[str, Any]:  # noqa: ARG001
    """The message."""
    answer = Answer(asking, said[0])
    usage = {"input_tokens": prompt_usage(asking, said), "output_tokens": answer.tokens}
    return {
        **_head(asking, number),
        "content": _blocks(answer, number),
        "stop_reason": _finish(answer),
        "usage": usage,
    }


def pieces(
    asking: Asking,
    said: list[Said],
    number: str,
    created: int,  # noqa: ARG001
    body: dict[str, Any],  # noqa: ARG001
) -> Iterator[str]:
    """The message as server-sent events."""
    answer = Answer(asking, said[0])
    usage = {"input_tokens": prompt_usage(asking, said), "output_tokens": 0}
    begun = {**_head(asking, number), "content": [], "stop_reason": None, "usage": usage}
    yield _event({"type": "message_start", "message": begun})
    for index, block in enumerate(_blocks(answer, number)):
        yield from _block_events(index, block)
    ended = {"stop_reason": _finish(answer), "stop_sequence": None}
    yield _event({"type": "message_delta", "delta": ended, "usage": {"output_tokens": answer.tokens}})
    yield _event({"type": "message_stop"})


def error(status: int, message: str, code: str = "") -> dict[str, Any]:
    """A refusal as Anthropic's clients read it."""
    kind = ERRORS.get(status, "invalid_request_error" if status < 500 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": message, **({"code": code} if code else {})}}


def _generation(body: dict[str, Any]) -> dict[str, Any]:
    """How the answer is to be made, in the names of chats."""
    given = {name: value for name, value in body.items() if name not in _ELSEWHERE}
    given["stop"] = body.get("stop_sequences")
    heat = body.get("temperature")
    if isinstance(heat, (int, float)) and heat > _TOO_HOT:
        raise BadRequest("temperature is a number from 0 to 1", "temperature")
    thinking = body.get("thinking")
    if not (isinstance(thinking, dict) and thinking.get("type") == "disabled"):
        given["thinking"] = thinking
    return given


def _read(message: Any) -> list[Message]:
    """One message of the conversation: results of tools stand for themselves, calls are blocks of text."""
    role = message.get("role") if isinstance(message, dict) else None
    if role not in ("user", "assistant", "system"):
        raise BadRequest(f"a message's role is user or assistant, not {role!r}", "messages")
    content = message.get("content")
    if not isinstance(content, list):
        return [{"role": role, "content": text_of(content)}]
    found: list[Message] = []
    texts: list[str] = []
    for block in content:
        kind = block.get("type") if isinstance(block, dict) else None
        if kind == "tool_result":
            found.append({"role": "tool", "content": text_of(block.get("content"))})
        elif kind == "tool_use":
            texts.append(call_block(block.get("name"), block.get("input")))
        elif kind not in _THOUGHTS:
            texts.append(text_of([block]))
    if texts or not found:
        found.append({"role": role, "content": "\n".join(texts)})
    return found


def _tool(tool: Any) -> dict[str, Any]:
    """A tool that the program offers. Raises BadRequest for those that run on Anthropic's own servers, or that its clients know."""
    if not isinstance(tool, dict) or tool.get("type", "custom") != "custom":
        kind = tool.get("type") if isinstance(tool, dict) else type(tool).__name__
        raise BadRequest(
            f"a tool of type {kind!r} is Anthropic's own; offer tools with a name and an input_schema",
            "tools",
            "unsupported_parameter",
        )
    return tool_of(tool.get("name"), tool.get("description"), tool.get("input_schema"))


def _head(asking: Asking, number: str) -> dict[str, Any]:
    return {
        "id": f"msg_mx{number}",
        "type": "message",
        "role": "assistant",
        "model": asking.model,
        "stop_sequence": None,
    }


def _finish(answer: Answer) -> str:
    return FINISHES.get(answer.finish, "end_turn")


def _blocks(answer: Answer, number: str) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if answer.text or not answer.calls:
        blocks.append({"type": "text", "text": answer.text})
    for place, call in enumerate(answer.calls):
        about = {
            "id": f"toolu_mx{number}_{place}",
            "name": call["name"],
            "input": _arguments(call["arguments"]),
        }
        blocks.append({"type": "tool_use", **about})
    return blocks


def _arguments(written: str) -> dict[str, Any]:
    """What a call is made with; an executor that wrote no object is heard in a field of its own."""
    try:
        found = json.loads(written or "{}")
    except (ValueError, RecursionError):
        found = None
    return found if isinstance(found, dict) else {"input": written}


def _block_events(index: int, block: dict[str, Any]) -> Iterator[str]:
    deltas: list[dict[str, Any]]
    if block["type"] == "text":
        text = block["text"]
        begun = {**block, "text": ""}
        deltas = [
            {"type": "text_delta", "text": text[start : start + PIECE]}
            for start in range(0, len(text), PIECE)
        ]
    else:
        begun = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    yield _event({"type": "content_block_start", "index": index, "content_block": begun})
    for delta in deltas:
        yield _event({"type": "content_block_delta", "index": index, "delta": delta})
    yield _event({"type": "content_block_stop", "index": index})


def _event(value: dict[str, Any]) -> str:
    return f"event: {value['type']}\ndata: {json.dumps(value)}\n\n"
