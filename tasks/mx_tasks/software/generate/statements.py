"""Say what is wrong with a library without showing its tests: calls with what they give and should give, and its change log."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import Tree
from mx_tasks.software.generate.suites import Suite, run_suite
from mx_tasks.software.generate.trees import DEPS

MOST_EXAMPLES = 4
TESTS_ASKED = 12
LONGEST_NOTES = 2_000
_LOG_FILE = re.compile(r"(^|/)(change|changes|changelog|history|news|release|whatsnew)[^/]*$", re.IGNORECASE)
_HEADING = re.compile(r"^[#=\s*\-`_v\[(]*(?:version|release)?\s*[\[(`v]*\d+\.\d+(?:\.\d+)*\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Example:
    """One call with what it gives now and what it should give, in Python's notation."""

    call: str
    seen: str
    expected: str


def find_examples(
    sandbox: Sandbox, broken: Tree, mended: Tree, suite: Suite, tests: Sequence[str], files: Mapping[str, str]
) -> list[Example]:
    """Calls that failing tests make from outside, whose outcome differs between two trees."""
    asked = sorted(tests, key=len)[:TESTS_ASKED]
    paths = sorted({files[test] for test in asked if test in files})
    try:
        before, after = (
            run_suite(sandbox, tree, suite, only=asked, paths=paths, record="calls")
            for tree in (broken, mended)
        )
    except SourceError:
        return []
    found: dict[str, Example] = {}
    for test in asked:
        example = _first_difference(before.calls.get(test, []), after.calls.get(test, []))
        if example is not None:
            found.setdefault(example.call, example)
    return sorted(found.values(), key=lambda example: len(example.call) + len(example.expected))[
        :MOST_EXAMPLES
    ]


def _first_difference(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> Example | None:
    for place, (one, other) in enumerate(zip(before, after, strict=False)):
        if (one["function"], one["arguments"]) != (other["function"], other["arguments"]):
            return None
        seen, expected = _outcome(one), _outcome(other)
        if seen and expected and seen != expected:
            return Example(_with_object(before[:place], one), seen, expected)
    return None


def _with_object(earlier: Sequence[dict[str, Any]], call: Mapping[str, Any]) -> str:
    """The call, after the one that made its object where that was seen."""
    owner, _, method = str(call["function"]).rpartition(".")
    is_method = call["arguments"] and call["arguments"][0][0] == "self" and method != "__init__"
    makers = [one for one in earlier if one["function"] == f"{owner}.__init__"] if is_method else []
    text = _call(call)
    return f"{_call(makers[-1])}.{text.removeprefix(owner + '.')}" if makers else text


def _outcome(call: Mapping[str, Any]) -> str | None:
    if "raised" in call:
        return f"raises {call['raised']}"
    return f"gives {call['gave']}" if call.get("gave") is not None else None


def _call(call: Mapping[str, Any]) -> str:
    function = str(call["function"])
    arguments = [(name, value) for name, value in call["arguments"]]
    if arguments and arguments[0][0] in ("self", "cls"):
        function = function.replace(".__init__", "")
        arguments = arguments[1:]
    shown = ", ".join(f"{name}={value if value is not None else '...'}" for name, value in arguments)
    return f"{function}({shown})"


def symptoms(messages: Iterable[str]) -> list[str]:
    """The first lines of failure messages, where they speak in values; for bugs that no single call shows."""
    lines = []
    for message in messages:
        line = message.strip().partition("\n")[0].strip()
        if line and len(line) < 300 and line not in lines and " at 0x" not in line:
            lines.append(line)
    return lines[:3]


def change_notes(tree: Tree, version: str) -> str:
    """What the release's own change log says of a version; empty when it says nothing."""
    names = sorted(
        (name for name in tree if _LOG_FILE.search(name)), key=lambda name: (name.count("/"), name)
    )
    names += [name for name in tree if re.fullmatch(r"readme\.\w+", name, re.IGNORECASE)]
    for name in names:
        notes = _section(tree[name].decode(errors="replace").splitlines(), version)
        if notes:
            return notes[:LONGEST_NOTES]
    return ""


def _section(lines: Sequence[str], version: str) -> str:
    start = re.compile(rf"(?<![\d.]){re.escape(version)}(?![\d.]*\d)")
    for place, line in enumerate(lines):
        if start.search(line) and _HEADING.match(line):
            inline = line[start.search(line).end() :].strip(" :-=#]")  # type: ignore[union-attr]
            taken = [inline] if re.search(r"[A-Za-z]{4}", inline) and not re.search(r"\d{4}", inline) else []
            for following in lines[place + 1 : place + 60]:
                if _HEADING.match(following) and not following.startswith((" ", "\t")):
                    break
                if not re.fullmatch(r"[\s=\-~^*#]*", following):
                    taken.append(following.rstrip())
            return "\n".join(taken).strip()
    return ""


def new_names(before: Tree, after: Tree) -> list[str]:
    """Functions, methods, classes and parameters that only the later code has, as signatures."""
    old = {name for data in before.values() for name in _signatures(data)}
    found = {name: None for data in after.values() for name in _signatures(data) if name not in old}
    known = {name.partition("(")[0] for name in old}
    listed = [name for name in found if not name.rpartition(".")[2].startswith("_")]
    return [f"{name}  (changed signature)" if name.partition("(")[0] in known else name for name in listed][
        :20
    ]


def _signatures(source: bytes) -> list[str]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    found: list[str] = []

    def visit(nodes: Sequence[ast.stmt], prefix: str) -> None:
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append(f"{prefix}{node.name}({ast.unparse(node.args)})")
            elif isinstance(node, ast.ClassDef):
                found.append(f"{prefix}{node.name}")
                visit(node.body, f"{prefix}{node.name}.")

    visit(tree.body, "")
    return found


def write_statement(
    library: str,
    places: Sequence[str],
    *,
    examples: Sequence[Example],
    seen: Sequence[str] = (),
    notes: str = "",
    interface: Sequence[str] = (),
    one_bug: bool = True,
) -> str:
    """The text of a task about a library's bug."""
    what = "One thing is wrong with it." if one_bug else "Some things about it are wrong or missing."
    parts = [
        f"# Mend `{library}`",
        f"The workspace holds the source of the Python library `{library}`, without its tests. {what}",
    ]
    if examples:
        lines = [f"- `{e.call}`\n  {e.seen[:400]};\n  right: {e.expected[:400]}." for e in examples]
        parts.append("## What happens\n\n" + "\n".join(lines))
    elif seen:
        parts.append("## What happens\n\n" + "\n".join(f"- {line}" for line in seen))
    if interface:
        parts.append("## Names that the change brings\n\n" + "\n".join(f"- `{line}`" for line in interface))
    if notes:
        parts.append(
            "## From the notes of the release that mends it\n\n"
            + "\n".join(f"> {line}" for line in notes.splitlines())
        )
    listed = ", ".join(f"`{place}`" for place in places)
    parts.append(
        f"Change the library's source ({listed}) so that it does the right thing; all else must go on working. Hidden tests judge "
        f"the source files alone: tests, settings and other files are not taken over. `{DEPS}/` holds what it depends on."
    )
    return "\n\n".join(parts) + "\n"
