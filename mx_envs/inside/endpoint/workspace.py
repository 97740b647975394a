"""The workspace's tools, as programs at the endpoint get them; they run where ``mas`` runs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

LONGEST_RESULT = 4000
OWN = ("submit",)
"""Tools of scripts that the endpoint has a way of its own for."""
NUMBERS = ("line", "seconds")


def tools_of(known: Mapping[str, Any], task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tools as functions with JSON schemas: those of :mod:`mas_tools` (``known``) and those that the task brings."""
    tools = [_ours(name, tool) for name, tool in known.items() if name not in OWN]
    for brought in task.get("tools", ()):
        if brought["name"] not in known:
            arguments = brought["arguments"]
            required = [name for name, about in arguments.items() if "default" not in about]
            tools.append(_function(brought["name"], brought["description"], dict(arguments), required))
    return tools


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


def _ours(name: str, tool: Any) -> dict[str, Any]:
    properties = {
        field: {"type": "integer" if about.startswith(NUMBERS) else "string", "description": about}
        for field, about in tool.arguments.items()
    }
    required = [field for field, about in tool.arguments.items() if "optional" not in about]
    return _function(name, tool.description, properties, required)


def _function(name: str, description: str, properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": name, "description": description, "parameters": parameters}
