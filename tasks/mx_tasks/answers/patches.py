"""Unified diffs: written of two trees, found in answers, applied where their context stands."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

_BLOCK = re.compile(r"^[ \t]*```[ \t]*([^\n`]*)\n(.*?)(?:^[ \t]*```[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_RANGE = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")
_NAMED = re.compile(r"(?:^|[\s`*#:=\"'(])([\w.+-]+(?:/[\w.+-]+)*\.\w+)`?\W*$")


class PatchError(ValueError):
    """A diff that does not fit the files that it is for."""


def diff_of(before: Mapping[str, bytes], after: Mapping[str, bytes | None]) -> str:
    """A unified diff from ``before`` to ``after``; names that ``after`` lacks stay as they are, None removes."""
    pieces = []
    for name in sorted(after):
        new = after[name]
        old_lines, new_lines = (_lines(data or b"") for data in (before.get(name), new))
        source = f"a/{name}" if name in before else "/dev/null"
        target = f"b/{name}" if new is not None else "/dev/null"
        for line in difflib.unified_diff(old_lines, new_lines, source, target):
            pieces.append(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n")
    return "".join(pieces)


def files_in_answer(
    answer: str, tree: Mapping[str, bytes], sources: Sequence[str]
) -> dict[str, bytes | None]:
    """The files that an answer hands in: its diffs applied to ``tree``, and its fenced blocks that name a file or are the only one.

    A block names its file after the language, or the line before it ends with the name. Diffs that do not fit are left out.
    """
    found: dict[str, bytes | None] = {}
    blocks = [
        (match[1].strip(), match[2], answer[: match.start()])
        for match in _BLOCK.finditer(answer.replace("\r\n", "\n"))
    ]
    for info, body, _ in blocks:
        if info.split(" ")[0] in ("diff", "patch"):
            try:
                found |= apply_diff(
                    {**tree, **{name: data for name, data in found.items() if data is not None}}, body
                )
            except PatchError:
                continue
    named = {name: body for info, body, before in blocks if (name := _name_of(info, before, tree))}
    found |= {name: body.encode() for name, body in named.items()}
    code = [
        name
        for name in tree
        if name.endswith(".py") and any(name == s or name.startswith(s) for s in sources)
    ]
    plain = [body for info, body, _ in blocks if info.lower() in ("python", "py")]
    if not found and plain and len(code) == 1:
        found[code[0]] = plain[-1].encode()
    return found


def apply_diff(tree: Mapping[str, bytes], diff: str) -> dict[str, bytes | None]:
    """The files that a unified diff changes, as it leaves them; None for those it removes. Raises PatchError."""
    found: dict[str, bytes | None] = {}
    sections = re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]
    for section in sections:
        lines = section.splitlines(keepends=True)
        if len(lines) < 2 or not lines[1].startswith("+++ "):
            raise PatchError("a '---' line without a '+++' line after it")
        old, new = (_path(line) for line in (lines[0], lines[1][4:]))
        name = new or old
        if name is None:
            raise PatchError("a diff that names no file")
        if old is not None and old not in tree:
            raise PatchError(f"there is no file {old}")
        text = _patched(_lines(tree[old]) if old else [], lines[2:], name)
        found[name] = None if new is None else "".join(text).encode()
    return found


def _patched(lines: list[str], body: Sequence[str], name: str) -> list[str]:
    result = list(lines)
    shift = 0
    for start, before, after in _hunks(body):
        place = _find(result, before, max(0, start - 1 + shift))
        if place is None:
            raise PatchError(f"{name}: the lines around line {start} are not those of the diff")
        result[place : place + len(before)] = after
        shift += len(after) - len(before)
    return result


def _hunks(body: Sequence[str]) -> list[tuple[int, list[str], list[str]]]:
    hunks: list[tuple[int, list[str], list[str]]] = []
    last = ""
    for line in body:
        match = _RANGE.match(line)
        if match:
            hunks.append((int(match[1]), [], []))
        elif hunks and line.startswith("\\"):
            for side in hunks[-1][1:]:
                if side and side[-1] == last:
                    side[-1] = side[-1].removesuffix("\n")
        elif hunks and line[:1] in (" ", "-", "+", "\n"):
            last = line if line == "\n" else line[1:]
            if line[:1] != "+":
                hunks[-1][1].append(last)
            if line[:1] != "-":
                hunks[-1][2].append(last)
    return hunks


def _find(lines: Sequence[str], wanted: Sequence[str], near: int) -> int | None:
    last = len(lines) - len(wanted)
    for place in sorted(range(last + 1), key=lambda place: abs(place - near)):
        if list(lines[place : place + len(wanted)]) == list(wanted):
            return place
    return None


def _path(line: str) -> str | None:
    path = line.strip().partition("\t")[0]
    if path == "/dev/null":
        return None
    return re.sub(r"^[ab]/", "", path)


def _name_of(info: str, before: str, tree: Mapping[str, bytes]) -> str | None:
    """The file of the tree that a block is for."""
    line = next((text for text in reversed(before.splitlines()[-2:]) if text.strip()), "")
    for text in (info, line):
        match = _NAMED.search(text.strip())
        if match and match[1] in tree:
            return match[1]
    return None


def _lines(data: bytes) -> list[str]:
    return data.decode(errors="surrogateescape").splitlines(keepends=True)
