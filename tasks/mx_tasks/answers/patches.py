"""Unified diffs: written of two trees, found in answers, applied where their context stands."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence

from mx_tasks.answers.fences import Block, blocks, plain
from mx_tasks.answers.programs import SHELLS, file_program

_RANGE = re.compile(r"@@ -(\d+)(?:,\d+)? \+\d+(?:,\d+)? @@")
_DIFF = re.compile(r"^--- \S.*\n\+\+\+ \S.*\n@@ -\d", re.MULTILINE)
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

    A block names its file after the language, or the line before it ends with the name; the last one of a name counts. A diff may
    stand in a block or as it is. Diffs that do not fit are left out, and so are commands that speak of a file.
    """
    found: dict[str, bytes | None] = {}
    text = plain(answer)
    drafts = blocks(text)
    for diff in [block.text for block in drafts if _is_diff(block)] or _bare_diffs(text, drafts):
        try:
            found |= apply_diff(
                {**tree, **{name: data for name, data in found.items() if data is not None}}, diff
            )
        except PatchError:
            continue
    named = {
        name: block.text
        for block in drafts
        if not _is_diff(block)
        and (name := _name_of(block.info, block.before, tree))
        and not (name.endswith(".py") and block.language in SHELLS)
    }
    found |= {name: body.encode(errors="replace") for name, body in named.items()}
    code = [
        name
        for name in tree
        if name.endswith(".py") and any(name == s or name.startswith(s) for s in sources)
    ]
    if len(code) == 1 and code[0] not in found:
        body = file_program(answer, tree[code[0]].decode(errors="replace"))
        if body is not None and body not in named.values():
            found[code[0]] = body.encode(errors="replace")
    return found


def _is_diff(block: Block) -> bool:
    return block.language in ("diff", "patch") or bool(
        block.language in ("", "text") and _DIFF.search(block.text)
    )


def _bare_diffs(text: str, drafts: Sequence[Block]) -> list[str]:
    """The diff that a text is or ends with, where it has no fence."""
    match = _DIFF.search(text)
    return [text[match.start() :]] if match and not drafts else []


def apply_diff(tree: Mapping[str, bytes], diff: str) -> dict[str, bytes | None]:
    """The files that a unified diff changes, as it leaves them; None for those it removes. Raises PatchError."""
    found: dict[str, bytes | None] = {}
    sections = re.split(r"^--- (?=\S.*\r?\n\+\+\+ )", diff, flags=re.MULTILINE)[1:]
    if diff.strip() and not sections:
        raise PatchError("no '---' line with a '+++' line after it")
    for section in sections:
        lines = _split(section)
        old, new = (_path(line) for line in (lines[0], lines[1][4:]))
        name = new or old
        if name is None:
            raise PatchError("a diff that names no file")
        if old is not None and old not in tree:
            raise PatchError(f"there is no file {old}")
        text = _patched(_lines(tree[old]) if old else [], lines[2:], name)
        found[name] = None if new is None else "".join(text).encode(errors="surrogateescape")
    return found


def _split(text: str) -> list[str]:
    """Lines as a diff has them: only line feeds end one."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _patched(lines: list[str], body: Sequence[str], name: str) -> list[str]:
    """The file's lines as the hunks leave them; what line ends a diff has does not matter, the file's own are kept."""
    result = list(lines)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    shift = 0
    for start, before, after in _hunks(body):
        place = _find(result, before, max(0, start - 1 + shift))
        if place is None:
            raise PatchError(f"{name}: the lines around line {start} are not those of the diff")
        there = result[place : place + len(before)]
        result[place : place + len(before)] = [
            there[kept] if kept is not None else text.rstrip("\r\n") + (end if text.endswith("\n") else "")
            for kept, text in after
        ]
        shift += len(after) - len(before)
    return [line if line.endswith("\n") else line + end for line in result[:-1]] + result[-1:]


def _hunks(body: Sequence[str]) -> list[tuple[int, list[str], list[tuple[int | None, str]]]]:
    """Where each hunk begins, the lines that it expects there, and those that it leaves: one of these by number, or a new one.

    A line without a line feed is one that the file is to end with so.
    """
    hunks: list[tuple[int, list[str], list[tuple[int | None, str]]]] = []
    for line in body:
        match = _RANGE.match(line)
        if match:
            hunks.append((int(match[1]), [], []))
        elif hunks and line.startswith("\\"):
            _, _, after = hunks[-1]
            if after and after[-1][0] is None:
                after[-1] = (None, after[-1][1].removesuffix("\n").removesuffix("\r"))
        elif hunks and (line[:1] in (" ", "-", "+") or line in ("\n", "\r\n")):
            _, before, after = hunks[-1]
            text = line if line in ("\n", "\r\n") else line[1:]
            text = text if text.endswith("\n") else text + "\n"
            if line[:1] == "+":
                after.append((None, text))
                continue
            if line[:1] != "-":
                after.append((len(before), text))
            before.append(text)
    return hunks


def _find(lines: Sequence[str], wanted: Sequence[str], near: int) -> int | None:
    """Where the wanted lines stand, as near to a line as they do."""
    bare, looked_for = ([line.rstrip("\r\n") for line in some] for some in (lines, wanted))
    last = len(bare) - len(looked_for)
    for place in sorted(range(last + 1), key=lambda place: abs(place - near)):
        if bare[place : place + len(looked_for)] == looked_for:
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
    return _split(data.decode(errors="surrogateescape"))
