"""``/v1/completions``, the older form without a chat: requests read, answers written."""

from __future__ import annotations

import json

from .asking import Answer, Asking
from .chat import PIECE, usage
from .sampling import BadRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from .asking import Said


def read(body: dict[str, Any]) -> Asking:
    """What a request asks for: its prompt is a user's message. Raises BadRequest."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise BadRequest("prompt is one text; ask once for each of several", "prompt")
    if body.get("logprobs") is not None:
        raise BadRequest("logprobs come with /v1/chat/completions only", "logprobs", "unsupported_parameter")
    asking = Asking(str(body.get("model") or "executor"), [{"role": "user", "content": prompt}], body)
    asking.echo = prompt if body.get("echo") is True else ""
    return asking


def whole(asking: Asking, said: list[Said], number: str, created: int) -> dict[str, Any]:
    """The completion."""
    answers = [Answer(asking, each) for each in said]
    choices = [
        _choice(index, asking.echo + answer.text, answer.finish) for index, answer in enumerate(answers)
    ]
    return {**_head(asking, number, created), "choices": choices, "usage": usage(asking, said, answers)}


def pieces(
    asking: Asking, said: list[Said], number: str, created: int, body: dict[str, Any]
) -> Iterator[str]:
    """The completion as server-sent events, the ``[DONE]`` at the end included."""
    answers = [Answer(asking, each) for each in said]
    head = _head(asking, number, created)
    for index, answer in enumerate(answers):
        text = asking.echo + answer.text
        for start in range(0, len(text), PIECE):
            yield _event({**head, "choices": [_choice(index, text[start : start + PIECE], None)]})
        yield _event({**head, "choices": [_choice(index, "", answer.finish)]})
    options = body.get("stream_options")
    if isinstance(options, dict) and options.get("include_usage"):
        yield _event({**head, "choices": [], "usage": usage(asking, said, answers)})
    yield "data: [DONE]\n\n"


def _head(asking: Asking, number: str, created: int) -> dict[str, Any]:
    return {
        "id": f"cmpl-mx{number}",
        "object": "text_completion",
        "created": created,
        "model": asking.model,
    }


def _choice(index: int, text: str, finish: str | None) -> dict[str, Any]:
    return {"index": index, "text": text, "logprobs": None, "finish_reason": finish}


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"
