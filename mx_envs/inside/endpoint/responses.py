"""``/v1/responses``: requests read, answers written."""

from __future__ import annotations

import json

from .asking import ROLES, Answer, Asking, BadRequest, call_block, prompt_tokens, text_of, tool_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Message = dict[str, str]


def read(body: dict[str, Any], before: list[Message]) -> Asking:
    """What a request asks for; ``before`` is the conversation that ``previous_response_id`` names. Raises BadRequest."""
    given = body.get("input")
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    if not isinstance(items, list):
        raise BadRequest("input is a text or a list of items", "input")
    messages = list(before)
    if isinstance(body.get("instructions"), str) and body["instructions"]:
        messages = [message for message in messages if message["role"] != "system"]
        messages.insert(0, {"role": "system", "content": body["instructions"]})
    for item in items:
        _add(messages, item)
    asking = Asking(str(body.get("model") or "executor"), messages, {**body, "n": None, "stop": None})
    tools = [
        tool for tool in body.get("tools") or () if isinstance(tool, dict) and tool.get("type") == "function"
    ]
    asking.tools = [
        tool_of(tool.get("name"), tool.get("description"), tool.get("parameters")) for tool in tools
    ]
    choice = body.get("tool_choice")
    asking.tool_choice = choice.get("name") if isinstance(choice, dict) else choice
    text = body.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema"):
        asking.schema = wanted.get("schema") or True
    return asking


def whole(asking: Asking, said: list[str], number: int, created: int, body: dict[str, Any]) -> dict[str, Any]:
    """The response."""
    answer = Answer(asking, said[0])
    return _response(
        asking, body, number, created, "completed", _items(answer, number), _usage(asking, answer)
    )


def pieces(asking: Asking, said: list[str], number: int, created: int, body: dict[str, Any]) -> Iterator[str]:
    """The response as server-sent events."""
    answer = Answer(asking, said[0])
    items = _items(answer, number)
    begun = _response(asking, body, number, created, "in_progress", [], None)
    done = _response(asking, body, number, created, "completed", items, _usage(asking, answer))
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for place, item in enumerate(items):
        events += _message_events(place, item) if item["type"] == "message" else _call_events(place, item)
    events.append({"type": "response.completed", "response": done})
    for sequence, event in enumerate(events):
        yield f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': sequence})}\n\n"


def conversation(asking: Asking, said: list[str]) -> list[Message]:
    """What a later request that names this response goes on from."""
    return [*asking.prompt, {"role": "assistant", "content": said[0]}]


def response_id(number: int) -> str:
    """The id of a response."""
    return f"resp_mx{number}"


def _add(messages: list[Message], item: Any) -> None:
    """Read one item of the input into the conversation."""
    if not isinstance(item, dict):
        raise BadRequest("an item of the input is an object", "input")
    kind = item.get("type", "message")
    if kind == "message" and item.get("role") in ROLES:
        messages.append({"role": ROLES[item["role"]], "content": text_of(item.get("content"), "input")})
    elif kind == "function_call":
        block = call_block(item.get("name"), item.get("arguments"))
        if messages and messages[-1]["role"] == "assistant":
            text = messages[-1]["content"]
            messages[-1] = {"role": "assistant", "content": f"{text}\n{block}" if text else block}
        else:
            messages.append({"role": "assistant", "content": block})
    elif kind == "function_call_output":
        messages.append({"role": "tool", "content": text_of(item.get("output"), "input")})
    elif kind not in ("reasoning", "item_reference"):
        raise BadRequest(f"an item of type {kind!r} (role {item.get('role')!r}) is not known here", "input")


def _items(answer: Answer, number: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.text or not answer.calls:
        content = [{"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}]
        items.append(
            {
                "id": f"msg_mx{number}",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": content,
            }
        )
    for place, call in enumerate(answer.calls):
        called = {"id": f"fc_mx{number}_{place}", "type": "function_call", "status": "completed", **call}
        items.append({**called, "call_id": f"call_mx{number}_{place}"})
    return items


def _usage(asking: Asking, answer: Answer) -> dict[str, Any]:
    before = prompt_tokens(asking.messages)
    return {
        "input_tokens": before,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": before + answer.tokens,
    }


def _response(
    asking: Asking, body: dict[str, Any], number: int, created: int, status: str, items: list[Any], usage: Any
) -> dict[str, Any]:
    return {
        "id": response_id(number),
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "model": asking.model,
        "output": items,
        "parallel_tool_calls": not asking.one_call,
        "previous_response_id": body.get("previous_response_id"),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": usage,
    }


def _message_events(place: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    part = item["content"][0]
    at = {"item_id": item["id"], "output_index": place, "content_index": 0}
    added = {"type": "response.output_item.added", "output_index": place}
    return [
        {**added, "item": {**item, "status": "in_progress", "content": []}},
        {"type": "response.content_part.added", **at, "part": {**part, "text": ""}},
        {"type": "response.output_text.delta", **at, "delta": part["text"], "logprobs": []},
        {"type": "response.output_text.done", **at, "text": part["text"], "logprobs": []},
        {"type": "response.content_part.done", **at, "part": part},
        {"type": "response.output_item.done", "output_index": place, "item": item},
    ]


def _call_events(place: int, item: dict[str, Any]) -> list[dict[str, Any]]:
    at = {"item_id": item["id"], "output_index": place}
    added = {"type": "response.output_item.added", "output_index": place}
    return [
        {**added, "item": {**item, "status": "in_progress", "arguments": ""}},
        {"type": "response.function_call_arguments.delta", **at, "delta": item["arguments"]},
        {
            "type": "response.function_call_arguments.done",
            **at,
            "arguments": item["arguments"],
            "name": item["name"],
        },
        {"type": "response.output_item.done", "output_index": place, "item": item},
    ]
