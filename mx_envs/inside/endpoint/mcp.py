"""The workspace's tools as an MCP server (streamable HTTP, answers in JSON, no session)."""

from __future__ import annotations

from .desk import Closed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Optional

    from .desk import Desk

VERSIONS = ("2025-06-18", "2025-03-26", "2024-11-05")
TASK = {
    "name": "task",
    "description": "The task's text.",
    "inputSchema": {"type": "object", "properties": {}},
}
SUBMIT = {
    "name": "submit",
    "description": "Hand in the answer, which ends the episode.",
    "inputSchema": {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]},
}


def answer(desk: Desk, message: Any) -> Any:
    """The answer to a message or a batch of them; None when none is expected."""
    if isinstance(message, list):
        answers = [each for each in (answer(desk, one) for one in message) if each is not None]
        return answers or None
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        return _error(None, -32600, "a message is an object with a method")
    if "id" not in message:
        return None
    params = message.get("params")
    return _answer(desk, message["id"], message["method"], params if isinstance(params, dict) else {})


def _answer(desk: Desk, number: Any, method: str, params: dict[str, Any]) -> dict[str, Any]:
    if method == "initialize":
        asked = params.get("protocolVersion")
        return _result(
            number,
            {
                "protocolVersion": asked if asked in VERSIONS else VERSIONS[0],
                "capabilities": {"tools": {"listChanged": False}},
                "serverInfo": {"name": "mx-envs", "version": "1"},
            },
        )
    if method == "ping":
        return _result(number, {})
    if method == "tools/list":
        tools = [
            {"name": t["name"], "description": t["description"], "inputSchema": t["parameters"]}
            for t in desk.tools
        ]
        return _result(number, {"tools": [*tools, TASK, SUBMIT]})
    if method == "tools/call":
        text, failed = _call(desk, params.get("name"), params.get("arguments") or {})
        return _result(number, {"content": [{"type": "text", "text": text}], "isError": failed})
    return _error(number, -32601, f"no method {method!r}")


def _call(desk: Desk, name: Any, arguments: Any) -> tuple[str, bool]:
    """The text of a tool's result, and whether it is an error."""
    if not isinstance(arguments, dict):
        return "error: arguments is an object", True
    try:
        if name == "task":
            return str(desk.task.get("prompt", "")), False
        if name == "submit":
            desk.submit(str(arguments.get("answer", "")))
            return "submitted", False
        text = desk.use(str(name), arguments)
    except Closed as closed:
        return f"error: the episode is over: {closed}", True
    return text, text.startswith("error:")


def _result(number: Any, result: dict[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: Optional[Any], code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": text}}
