"""Which hidden tests a statement gives away: whoever reads it can have those by heart."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Sequence
from typing import Any

SHORTEST = 2
"""Words of an input that are looked for anywhere in a statement; a shorter one must be a line of its own."""


def input_shown(given: str, wanted: str, statement: str) -> bool:
    """Whether a statement has a program's input, with what is printed for it somewhere."""
    return _said(given, statement) and _said(wanted, statement)


def _said(text: str, statement: str) -> bool:
    words = text.split()
    if len(words) >= SHORTEST:
        return f" {' '.join(words)} " in f" {' '.join(statement.split())} "
    lines = {
        re.sub(r"^\W*(?:(?:in|out)puts?\W+)?|\W*$", "", line, flags=re.IGNORECASE)
        for line in statement.splitlines()
    }
    return not words or words[0] in lines or words[0].strip("\"'") in lines


def calls_shown(tests: str, names: Collection[str], text: str) -> list[str]:
    """The tests (functions of a module's text) whose every call of one of those names stands in a text, spaces and quotes aside."""
    bare = _bare(text)
    found = []
    for node in ast.parse(tests).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            calls = [call for call in ast.walk(node) if _called(call) in names]
            if calls and all(_call_said(call, bare) for call in calls if isinstance(call, ast.Call)):
                found.append(node.name)
    return found


def _called(node: ast.AST) -> str:
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def call_shown(name: str, arguments: Sequence[Any], text: str) -> bool:
    """Whether a text has a call with those values, or, as LeetCode has it, each after ``=``; spaces and quotes do not count."""
    return _said_as(name, [_bare(repr(each)) for each in arguments], _bare(text))


def _call_said(call: ast.Call, bare: str) -> bool:
    given = call.args
    if len(given) == 1 and isinstance(given[0], ast.Starred) and isinstance(given[0].value, ast.List):
        given = given[0].value.elts
    return _said_as(_called(call), [_bare(ast.unparse(each)) for each in given], bare)


def _said_as(name: str, arguments: Sequence[str], bare: str) -> bool:
    return f"{name}({','.join(arguments)})" in bare or (
        bool(arguments) and all(re.search(f"={re.escape(each)}(?![0-9A-Za-z.])", bare) for each in arguments)
    )


def _bare(text: str) -> str:
    small = {"true": "True", "false": "False", "null": "None"}
    text = re.sub(r"\b(true|false|null)\b", lambda found: small[found.group()], text)
    return re.sub(r"[\s\"'`*]", "", text)
