"""What a request asks for, as a chat: the part that ``/v1/chat/completions`` and ``/v1/responses`` have in common."""

from __future__ import annotations

import json

from .sampling import BadRequest, read_sampling

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Optional

    Message = dict[str, str]

ROLES = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
}
MOST_MESSAGES = 4096
MOST_CHOICES = 64
TOOL_MARK = "```tool"
HERMES = ("<tool_call>", "</tool_call>")
TOOL_FORMS = ((TOOL_MARK, "```"), HERMES)
"""How a call begins and ends in an answer: as it was asked for, and as many models are trained to write it."""

TOOL_GUIDE = """To call a tool, answer with one block like this for each call and wait for the results:
```tool
{"name": "...", "arguments": {...}}
```
The tools, with the JSON schema of their arguments:
"""


class Asking:
    """A request, read: the chat to answer, how many answers, and what shape they get.

    ``prompt`` is the conversation as the program sent it, ``messages`` the same with what a policy has to be told in words: the
    tools and the form of the answer.
    """

    def __init__(self, model: str, prompt: list[Message], body: dict[str, Any]) -> None:
        if not prompt:
            raise BadRequest("a conversation has at least one message", "messages")
        if len(prompt) > MOST_MESSAGES:
            raise BadRequest(
                f"a conversation has at most {MOST_MESSAGES} messages, not {len(prompt)}", "messages"
            )
        self.model, self.prompt = model, prompt
        self.n = _count(body.get("n"))
        self.sampling = read_sampling(body)
        """How the answer is to be made, as it was asked for."""
        self.native: Optional[dict[str, Any]] = None
        """The request's own fields, where an executor may be handed them as they are."""
        self.stream = body.get("stream") is True
        self.tools: list[dict[str, Any]] = []
        self.tool_choice: Any = None
        self.one_call = body.get("parallel_tool_calls") is False
        self.legacy_functions = False
        self.echo = ""
        """What an older client wants to read again before its completion."""
        self.schema: Any = None
        """None: any text. True: any JSON. Else the JSON schema of the answer."""

    @property
    def system(self) -> str:
        """What the program tells the model to be: the first system prompt, before any answer. Later ones are remarks."""
        for message in self.prompt:
            if message["role"] == "system" and message["content"].strip():
                return message["content"]
            if message["role"] in ("assistant", "tool"):
                break
        return ""

    @property
    def messages(self) -> list[Message]:
        """The chat that a policy sees."""
        said = [text for text in (self._tool_guide(), self._form_guide()) if text]
        if not said:
            return self.prompt
        first = self.prompt[0]
        if first["role"] == "system":
            return [{"role": "system", "content": "\n\n".join([first["content"], *said])}, *self.prompt[1:]]
        return [{"role": "system", "content": "\n\n".join(said)}, *self.prompt]

    def _tool_guide(self) -> str:
        if not self.tools or self.tool_choice == "none":
            return ""
        lines = [
            f"{tool['name']}: {tool['description']} {json.dumps(tool['parameters'])}" for tool in self.tools
        ]
        wanted = ""
        if self.tool_choice == "required":
            wanted = "\nCall at least one of them now."
        elif isinstance(self.tool_choice, str) and self.tool_choice != "auto":
            wanted = f"\nCall {self.tool_choice} now."
        return TOOL_GUIDE + "\n".join(lines) + wanted

    def _form_guide(self) -> str:
        if self.schema is None:
            return ""
        which = "" if self.schema is True else f" that fits this JSON schema: {json.dumps(self.schema)}"
        return f"Answer with one JSON object and nothing else{which}"


class Said:
    """What an executor said: the text as it was recorded, and what is known of how it was made."""

    def __init__(self, text: str, about: Optional[Mapping[str, Any]] = None) -> None:
        about = about or {}
        self.text = text
        self.finish: str = about.get("finish_reason") or "stop"
        self.usage: Optional[tuple[int, int]] = about.get("usage")
        """Tokens in and out as the executor's server counted them; None: it did not say."""
        self.logprobs: Optional[list[Any]] = about.get("logprobs")
        self.error: Optional[dict[str, Any]] = about.get("error")
        """``status`` and ``body`` of the server's refusal of just this request."""


class Answer:
    """What was said as a program gets it: ``text``, calls of tools, and why it ended."""

    def __init__(self, asking: Asking, said: Said) -> None:
        offered = {tool["name"] for tool in asking.tools} if asking.tool_choice != "none" else set()
        text, self.calls = (said.text, []) if not offered else _calls(said.text, offered)
        if offered and not self.calls and asking.tool_choice not in (None, "auto", "none"):
            self.calls = _demanded(asking, text)
            text = "" if self.calls else text
        if asking.one_call:
            self.calls = self.calls[:1]
        self.text = _bare_json(text) if asking.schema is not None and not self.calls else text
        self.finish = "tool_calls" if self.calls else said.finish
        self.tokens = said.usage[1] if said.usage is not None else tokens(said.text)
        self.logprobs = said.logprobs


def prompt_usage(asking: Asking, said: list[Said]) -> int:
    """Tokens of the prompt, once: as the executor's server counted them, else as budgets count."""
    counted = said[0].usage
    return counted[0] if counted is not None else prompt_tokens(asking.messages)


def tokens(text: str) -> int:
    """Tokens of a text as usage counts them everywhere here: a quarter of its UTF-8 bytes, rounded up; no tokenizer is assumed."""
    return -(-len(text.encode("utf-8", "replace")) // 4)


def prompt_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """Tokens of a conversation: its texts and 4 a message."""
    return sum(4 + tokens(message["content"]) for message in messages)


def text_of(content: Any, where: str = "messages") -> str:
    """The text of a message's content, which may be a list of parts. Raises BadRequest for what is no text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise BadRequest("a message's content is a text or a list of parts", where)
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict) and isinstance(part.get("text", part.get("refusal")), str):
            texts.append(part["text"] if "text" in part else part["refusal"])
        else:
            kind = part.get("type") if isinstance(part, dict) else type(part).__name__
            raise BadRequest(f"executors read text only; a part of type {kind!r} cannot be shown", where)
    return "\n".join(texts)


def call_block(name: Any, arguments: Any) -> str:
    """A tool call as text, in the one form that executors know."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            pass  # shown as it was: the model wrote it so
    return f"{TOOL_MARK}\n{json.dumps({'name': name, 'arguments': arguments})}\n```"


def tool_of(name: Any, description: Any, parameters: Any) -> dict[str, Any]:
    """A tool that the program offers. Raises BadRequest for one without a name."""
    if not isinstance(name, str) or not name:
        raise BadRequest("a tool is a function with a name", "tools")
    return {
        "name": name,
        "description": str(description or ""),
        "parameters": parameters or {"type": "object"},
    }


def _calls(said: str, known: set[str]) -> tuple[str, list[dict[str, Any]]]:
    """The text around the calls of an answer, and the calls; a block that is no call of a known tool stays text."""
    rest, calls = "", []
    while True:
        places = [(said.find(begin), begin, end) for begin, end in TOOL_FORMS if begin in said]
        if not places:
            break
        place, begin, end = min(places)
        before, after = said[:place], said[place + len(begin) :]
        call = _call(after, end, known)
        if call is None:
            rest, said = rest + before + begin, after
        else:
            calls.append(call[0])
            rest, said = rest + before, call[1]
    rest += said
    return (rest.strip() if calls else rest), calls


def _call(after: str, end: str, known: set[str]) -> Optional[tuple[dict[str, Any], str]]:
    """The call behind the beginning of a block, and what follows the block; None where it is none."""
    body = after.lstrip()
    try:
        call, size = json.JSONDecoder().raw_decode(body)
        name, arguments = call["name"], call.get("arguments", call.get("parameters"))
        closed = body[size:].lstrip()
        if name not in known or not (closed.startswith(end) or (not closed and end == HERMES[1])):
            return None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return {"name": name, "arguments": written}, closed[len(end) :]


def _demanded(asking: Asking, text: str) -> list[dict[str, Any]]:
    """The call that an answer stands for where one has to be made and it has the form of none.

    JSON is the call, or the arguments of the one tool that can be meant; any other text is its argument where it takes one text.
    """
    named = asking.tool_choice not in ("required", "any")
    tools = [tool for tool in asking.tools if not named or tool["name"] == asking.tool_choice]
    try:
        value = json.loads(_bare_json(text))
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and value.get("name") in [tool["name"] for tool in tools]:
        arguments = value.get("arguments", value.get("parameters"))
        written = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
        return [{"name": value["name"], "arguments": written}]
    if len(tools) != 1:
        return []
    if isinstance(value, dict):
        return [{"name": tools[0]["name"], "arguments": json.dumps(value)}]
    schema = tools[0]["parameters"]
    fields = schema.get("properties") if isinstance(schema, dict) else None
    if isinstance(fields, dict) and len(fields) == 1 and text.strip():
        ((field, about),) = fields.items()
        if isinstance(about, dict) and about.get("type") == "string":
            return [{"name": tools[0]["name"], "arguments": json.dumps({field: text.strip()})}]
    return []


def _bare_json(text: str) -> str:
    """The JSON in an answer, without the fence and the words around it; the text itself when there is none."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        start = min((text.find(sign) for sign in "{[" if sign in text), default=-1)
        if start < 0:
            return text
        try:
            _, end = json.JSONDecoder().raw_decode(text[start:])
        except (ValueError, RecursionError):
            return text
        return text[start : start + end]
    return text


def _count(n: Any) -> int:
    if n is None:
        return 1
    if type(n) is not int or not 1 <= n <= MOST_CHOICES:
        raise BadRequest(f"n is a number from 1 to {MOST_CHOICES}, not {n!r}", "n")
    return n
