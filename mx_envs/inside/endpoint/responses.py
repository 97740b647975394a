"""``/v1/responses``: requests read, answers written."""

from __future__ import annotations

import json

from .asking import ROLES, Answer, Asking, call_block, prompt_usage, text_of, tool_of
from .sampling import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .asking import Said

    Message = dict[str, str]


INCOMPLETE = "incomplete"
_NOT_OF_THE_ANSWER = ("include", "truncation", "reasoning", "stop", "n", "text")
"""Fields that say nothing of how an answer is made, or that are read apart."""


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
    asking = Asking(str(body.get("model") or "executor"), messages, _generation(body))
    asking.tools = [_tool(tool) for tool in body.get("tools") or ()]
    choice = body.get("tool_choice")
    asking.tool_choice = choice.get("name") if isinstance(choice, dict) else choice
    text = body.get("text")
    wanted = text.get("format") if isinstance(text, dict) else None
    if isinstance(wanted, dict) and wanted.get("type") in ("json_object", "json_schema"):
        asking.schema = wanted.get("schema") or True
    return asking


def whole(
    asking: Asking, said: list[Said], number: str, created: int, body: dict[str, Any]
) -> dict[str, Any]:
    """The response."""
    answer = Answer(asking, said[0])
    items = _items(answer, number)
    return _response(asking, body, number, created, _status(answer), items, _usage(asking, said, answer))


def pieces(
    asking: Asking, said: list[Said], number: str, created: int, body: dict[str, Any]
) -> Iterator[str]:
    """The response as server-sent events."""
    answer = Answer(asking, said[0])
    items = _items(answer, number)
    begun = _response(asking, body, number, created, "in_progress", [], None)
    status = _status(answer)
    done = _response(asking, body, number, created, status, items, _usage(asking, said, answer))
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
    ]
    for place, item in enumerate(items):
        events += _message_events(place, item) if item["type"] == "message" else _call_events(place, item)
    events.append({"type": f"response.{status}", "response": done})
    for sequence, event in enumerate(events):
        yield f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': sequence})}\n\n"


def conversation(asking: Asking, said: list[Said]) -> list[Message]:
    """What a later request that names this response goes on from."""
    return [*asking.prompt, {"role": "assistant", "content": said[0].text}]


def response_id(number: str) -> str:
    """The id of a response."""
    return f"resp_mx{number}"


def _generation(body: dict[str, Any]) -> dict[str, Any]:
    """How the answer is to be made, in the names of chats."""
    given = {name: value for name, value in body.items() if name not in _NOT_OF_THE_ANSWER}
    reasoning, text = body.get("reasoning"), body.get("text")
    given["reasoning_effort"] = reasoning.get("effort") if isinstance(reasoning, dict) else None
    given["verbosity"] = text.get("verbosity") if isinstance(text, dict) else None
    if "message.output_text.logprobs" in (body.get("include") or ()):
        given["logprobs"] = True
    return given


def _tool(tool: Any) -> dict[str, Any]:
    """A function that the program offers. Raises BadRequest for tools that only OpenAI's own servers have."""
    if not isinstance(tool, dict) or tool.get("type") != "function":
        kind = tool.get("type") if isinstance(tool, dict) else type(tool).__name__
        raise BadRequest(
            f"a tool of type {kind!r} runs on OpenAI's own servers; offer functions",
            "tools",
            "unsupported_parameter",
        )
    return tool_of(tool.get("name"), tool.get("description"), tool.get("parameters"))


def _status(answer: Answer) -> str:
    return INCOMPLETE if answer.finish == "length" else "completed"


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


def _items(answer: Answer, number: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if answer.text or not answer.calls:
        content = [
            {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": answer.logprobs or []}
        ]
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


def _usage(asking: Asking, said: list[Said], answer: Answer) -> dict[str, Any]:
    before = prompt_usage(asking, said)
    return {
        "input_tokens": before,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": before + answer.tokens,
    }


def _response(
    asking: Asking, body: dict[str, Any], number: str, created: int, status: str, items: list[Any], usage: Any
) -> dict[str, Any]:
    return {
        "id": response_id(number),
        "object": "response",
        "created_at": created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == INCOMPLETE else None,
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
