"""The workspace's tools, as programs at the endpoint get them; they run where ``mas`` runs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LONGEST_RESULT = 4000


def _tool(name: str, description: str, /, **texts: str) -> dict[str, Any]:
    properties = {field: {"type": "string", "description": about} for field, about in texts.items()}
    parameters = {"type": "object", "properties": properties, "required": list(texts)}
    return {"name": name, "description": description, "parameters": parameters}


TOOLS = [
    _tool(
        "run", "Run a shell command in the workspace; gives its exit code and output.", command="the command"
    ),
    _tool("read_file", "Read a file of the workspace.", name="the file's name"),
    _tool("write_file", "Write a file of the workspace.", name="the file's name", text="its whole new text"),
]


def use(name: str, arguments: dict[str, Any]) -> str:
    """Use a tool here. Never raises: what goes wrong is the result."""
    import mas

    try:
        return str(mas._use_tool(name, arguments))[:LONGEST_RESULT]
    except Exception as error:
        return f"error: {type(error).__name__}: {error}"[:LONGEST_RESULT]


def serve() -> None:
    """Use tools for a program outside the sandbox: ``{"tool": ..., "arguments": ...}`` in, ``{"result": ...}`` out, for ever."""
    import mas

    while True:
        call = mas._receive()
        mas._send({"result": use(call["tool"], call["arguments"])})
