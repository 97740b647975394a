"""``/v1/chat/completions``: requests read, answers written."""

from __future__ import annotations

import json

from .asking import ROLES, Answer, Asking, call_block, prompt_usage, text_of, tool_of
from .sampling import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .asking import Said

PIECE = 400
"""Characters of a streamed piece."""
OF_THE_ENDPOINT = ("model", "models", "route", "provider", "n", "stream", "stream_options")
"""Fields of a request that stay here when the others are handed to an executor's server: above all, who answers."""


def read(body: dict[str, Any]) -> Asking:
    """What a request asks for. Raises BadRequest."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise BadRequest("messages is a list", "messages")
    asking = Asking(str(body.get("model") or "executor"), [_message(message) for message in messages], body)
    functions = body.get("functions")
    asking.tools = _tools(body.get("tools"), functions)
    asking.legacy_functions = bool(functions) and not body.get("tools")
    asking.tool_choice = _choice(body.get("tool_choice", body.get("function_call")))
    wanted = body.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_object":
        asking.schema = True
    elif isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        form = wanted.get("json_schema")
        asking.schema = (form.get("schema") if isinstance(form, dict) else None) or True
    asking.native = {name: value for name, value in body.items() if name not in OF_THE_ENDPOINT}
    return asking


def whole(asking: Asking, said: list[Said], number: str, created: int) -> dict[str, Any]:
    """The completion."""
    answers = [Answer(asking, each) for each in said]
    choices = [
        {
            "index": index,
            "message": _reply(asking, answer, number, index),
            "logprobs": _logprobs(answer),
            "finish_reason": _finish(asking, answer),
        }
        for index, answer in enumerate(answers)
    ]
    return {
        **_head(asking, number, created, "chat.completion"),
        "choices": choices,
        "usage": usage(asking, said, answers),
    }


def pieces(
    asking: Asking, said: list[Said], number: str, created: int, body: dict[str, Any]
) -> Iterator[str]:
    """The completion as server-sent events, the ``[DONE]`` at the end included."""
    answers = [Answer(asking, each) for each in said]
    head = _head(asking, number, created, "chat.completion.chunk")

    def event(index: int, delta: dict[str, Any], finish: str | None = None, logprobs: Any = None) -> str:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return f"data: {json.dumps({**head, 'choices': [choice]})}\n\n"

    for index, answer in enumerate(answers):
        yield event(index, {"role": "assistant", "content": ""})
        for start in range(0, len(answer.text), PIECE):
            known = _logprobs(answer) if start == 0 else None
            yield event(index, {"content": answer.text[start : start + PIECE]}, logprobs=known)
        reply = _reply(asking, answer, number, index)
        for place, call in enumerate(reply.get("tool_calls") or ()):
            yield event(index, {"tool_calls": [{"index": place, **call}]})
        if reply.get("function_call"):
            yield event(index, {"function_call": reply["function_call"]})
        yield event(index, {}, _finish(asking, answer))
    options = body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield f"data: {json.dumps({**head, 'choices': [], 'usage': usage(asking, said, answers)})}\n\n"
    yield "data: [DONE]\n\n"


def usage(asking: Asking, said: list[Said], answers: list[Answer]) -> dict[str, int]:
    """Tokens in and out: as the executor's server counted them, else as :func:`endpoint.asking.tokens` does."""
    before, after = prompt_usage(asking, said), sum(answer.tokens for answer in answers)
    return {"prompt_tokens": before, "completion_tokens": after, "total_tokens": before + after}


def _head(asking: Asking, number: str, created: int, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-mx{number}",
        "object": kind,
        "created": created,
        "model": asking.model,
        "system_fingerprint": "mx",
    }


def _logprobs(answer: Answer) -> dict[str, Any] | None:
    return None if answer.logprobs is None else {"content": answer.logprobs, "refusal": None}


def _finish(asking: Asking, answer: Answer) -> str:
    return "function_call" if asking.legacy_functions and answer.calls else answer.finish


def _reply(asking: Asking, answer: Answer, number: str, index: int) -> dict[str, Any]:
    reply: dict[str, Any] = {"role": "assistant", "content": answer.text, "refusal": None}
    if not answer.calls:
        return reply
    reply["content"] = answer.text or None
    if asking.legacy_functions:
        reply["function_call"] = answer.calls[0]
        return reply
    reply["tool_calls"] = [
        {"id": f"call_mx{number}_{index}_{place}", "type": "function", "function": call}
        for place, call in enumerate(answer.calls)
    ]
    return reply


def _message(message: Any) -> dict[str, str]:
    role = message.get("role") if isinstance(message, dict) else message
    if not isinstance(message, dict) or not isinstance(role, str) or role not in ROLES:
        raise BadRequest(f"a message's role is one of {', '.join(ROLES)}, not {role!r}", "messages")
    role = ROLES[role]
    text = text_of(message.get("content"))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise BadRequest("tool_calls is a list", "messages")
    blocks = [_called(call) for call in calls]
    if message.get("function_call"):
        blocks.append(_called({"function": message["function_call"]}))
    name = message.get("name")
    if isinstance(name, str) and name and role != "tool":
        text = f"{name}: {text}"  # who speaks, among several that share a role
    return {"role": role, "content": "\n".join([text, *blocks] if text else blocks)}


def _called(call: Any) -> str:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(function, dict):
        raise BadRequest("a tool call has a function", "messages")
    return call_block(function.get("name"), function.get("arguments"))


def _tools(tools: Any, functions: Any) -> list[dict[str, Any]]:
    if tools is not None and not isinstance(tools, list):
        raise BadRequest("tools is a list", "tools")
    given = [tool.get("function") if isinstance(tool, dict) else None for tool in tools or ()]
    given += functions if isinstance(functions, list) else []
    if not all(isinstance(function, dict) for function in given):
        raise BadRequest("a tool is of type function", "tools")
    return [
        tool_of(each.get("name"), each.get("description"), each.get("parameters"))
        for each in given
        if each is not None
    ]


def _choice(choice: Any) -> Any:
    if isinstance(choice, dict):
        function = choice.get("function")
        return (function if isinstance(function, dict) else choice).get("name")
    return choice
