"""A design, read without running it: the script in an action, and the kind of workflow that it is."""

from __future__ import annotations

import ast
import re
import warnings
from functools import lru_cache

LONGEST_DESIGN = 65_536
"""Characters; a longer action is an invalid design."""
EXTERNAL = "# external program: "
"""How the designer's action begins that stands for a program outside the sandbox; its name follows."""

_FENCED = re.compile(r"^```(?:python|py)?[ \t]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PIECES = ("route", "chain", "split", "parallel", "debate", "vote", "best_of", "reflect")
_COUNTED = {"vote": 2, "best_of": 2}
"""Pieces whose label shows a number, and the place of that number among the arguments."""


def script_of(action: str) -> str:
    """The script in a designer's action: the action itself, or its first fenced block when only that can be Python."""
    fenced = _FENCED.search(action) if "```" in action and len(action) <= LONGEST_DESIGN else None
    if fenced is None or parsed(action) is not None:
        return action
    return fenced.group(1)


@lru_cache(maxsize=512)
def workflow_label(design: str) -> str:
    """What kind of workflow a design is, for reports, from its text alone.

    The pieces of ``mas`` that it calls, such as ``split·best_of(3)``; else ``single`` for one agent asked once, ``custom`` for a
    control flow of its own, ``none`` without agents, ``external`` for a program outside, and ``invalid`` when it is not Python.
    """
    if design.startswith(EXTERNAL):
        return "external"
    tree = parsed(design)
    if tree is None:
        return "invalid"
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    pieces = {_called(call): call for call in reversed(calls) if _called(call) in _PIECES}
    if pieces:
        return "·".join(_with_count(name, pieces[name]) for name in _PIECES if name in pieces)
    agents = _agent_names(tree)
    asked = [call for call in calls if _called(call) in agents or _called(call.func) == "Agent"]
    if not asked:
        return "custom" if agents else "none"
    loops = any(
        isinstance(node, ast.For | ast.While | ast.comprehension | ast.FunctionDef) for node in ast.walk(tree)
    )
    return "single" if len(asked) == 1 and not loops else "custom"


def parsed(text: str) -> ast.Module | None:
    """A script's syntax tree, or None. Parsing runs nothing; what is too long or nested too deeply for the parser is no Python."""
    if len(text) > LONGEST_DESIGN:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # a design's odd escape sequences are none of the caller's business
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _called(node: ast.AST) -> str:
    """The name of what a call calls, however it is reached; empty when it has none."""
    target = node.func if isinstance(node, ast.Call) else None
    if isinstance(target, ast.Name):
        return target.id
    return target.attr if isinstance(target, ast.Attribute) else ""


def _agent_names(tree: ast.Module) -> set[str]:
    return {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _called(node.value) in {"Agent", "fresh"}
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _with_count(name: str, call: ast.Call) -> str:
    if name not in _COUNTED:
        return name
    place = _COUNTED[name]
    values = [word.value for word in call.keywords if word.arg == "n"]
    values += call.args[place : place + 1]
    count = values[0] if values else None
    return (
        f"{name}({count.value})" if isinstance(count, ast.Constant) and isinstance(count.value, int) else name
    )
