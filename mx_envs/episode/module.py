"""What a sandbox gets beside a design: the designer's module, and the endpoint for programs that call an OpenAI client.

Both are compiled by that sandbox's own Python: compiling them anew for every episode would take longer than the rest of a start.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from mx_envs.episode.design import parsed
from mx_sandboxes import Sandbox
from mx_sandboxes.compiled import compiled

INSIDE = Path(__file__).parents[1] / "inside"
PACKAGE = ".mx/endpoint"
PROGRAM = ".mx/program.py"

_CLIENT = ("openai", "anthropic", "MX_URL")
"""Names in a text that speak for a program at the endpoint; case does not matter."""


def module_files(sandbox: Sandbox) -> Mapping[str, bytes]:
    """The files that make ``import mas`` work in a workspace of this sandbox.

    The first call for a sandbox runs a job in it. A sandbox that cannot compile gets the source. Raises SandboxError.
    """
    return compiled(sandbox, _module())


def endpoint_files(sandbox: Sandbox) -> Mapping[str, bytes]:
    """The files of the endpoint within the sandbox, likewise."""
    return {**compiled(sandbox, _endpoint()), PROGRAM: (INSIDE / "program.py").read_bytes()}


@cache
def _module() -> Mapping[str, bytes]:
    return {name: (INSIDE / name).read_bytes() for name in ("mas.py", "mas_tools.py")}


@cache
def _endpoint() -> Mapping[str, bytes]:
    return {
        f"{PACKAGE}/{path.name}": path.read_bytes() for path in sorted((INSIDE / "endpoint").glob("*.py"))
    }


@lru_cache(maxsize=512)
def needs_endpoint(design: str) -> bool:
    """Whether a design is a program of its own kind, which finds its executors through a client of OpenAI's or Anthropic's API.

    It is when it names one, or imports what is neither in the standard library nor :mod:`mas`.
    """
    tree = parsed(design)
    if tree is None:
        return False
    lower = design.lower()
    return any(word.lower() in lower for word in _CLIENT) or any(
        name not in sys.stdlib_module_names and name != "mas" for name in _imported(tree)
    )


def _imported(tree: ast.Module) -> set[str]:
    """Top-level names of the modules that a script imports."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names
