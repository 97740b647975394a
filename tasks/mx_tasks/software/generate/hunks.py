"""Take a change apart: its hunks, grouped where one needs another, and trees with one group reverted."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mx_tasks.software.generate.archives import Tree
from mx_tasks.software.generate.trees import same_code

MOST_GROUPS = 40


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines of one file that differ: ``old`` stood where ``new`` stands now, at line ``start`` (from 0) of the new file."""

    file: str
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


def hunks_between(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[Hunk]:
    """The hunks of the files that both trees have."""
    found = []
    for name in sorted(old.keys() & new.keys()):
        before, after = (tree[name].decode(errors="replace").splitlines(keepends=True) for tree in (old, new))
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        found += [
            Hunk(name, j1, tuple(before[i1:i2]), tuple(after[j1:j2]))
            for tag, i1, i2, j1, j2 in matcher.get_opcodes()
            if tag != "equal"
        ]
    return found


def revert(tree: Mapping[str, bytes], hunks: Sequence[Hunk]) -> Tree:
    """The files in which those hunks are undone."""
    changed: Tree = {}
    for name in {hunk.file for hunk in hunks}:
        lines = tree[name].decode(errors="replace").splitlines(keepends=True)
        for hunk in sorted((hunk for hunk in hunks if hunk.file == name), key=lambda hunk: -hunk.start):
            lines[hunk.start : hunk.start + len(hunk.new)] = hunk.old
        changed[name] = "".join(lines).encode()
    return changed


def groups(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> list[list[Hunk]]:
    """Hunks that can be reverted alone, or together with those that share a name which only the new code has.

    Groups whose reversal changes no code, or leaves none that compiles, are left out.
    """
    hunks = hunks_between(old, new)
    known = set().union(*(_words(data.decode(errors="replace")) for data in old.values())) if old else set()
    parent = list(range(len(hunks)))

    def find(place: int) -> int:
        while parent[place] != place:
            place = parent[place]
        return place

    first: dict[str, int] = {}
    for place, hunk in enumerate(hunks):
        for word in _words("".join(hunk.new)) - known:
            parent[find(place)] = find(first.setdefault(word, place))
    together: dict[int, list[Hunk]] = {}
    for place, hunk in enumerate(hunks):
        together.setdefault(find(place), []).append(hunk)
    whole = [group for group in together.values() if _worth_reverting(new, group)]
    return _joined_where_broken(new, list(together.values()), whole)[:MOST_GROUPS]


def _joined_where_broken(
    new: Mapping[str, bytes], every: list[list[Hunk]], whole: list[list[Hunk]]
) -> list[list[Hunk]]:
    """Add, for each file of which some group does not compile when reverted alone, all that file's hunks as one group."""
    found = list(whole)
    broken = {hunk.file for group in every for hunk in group if not _compiles(revert(new, group))}
    for name in sorted(broken):
        group = [hunk for one in every for hunk in one if hunk.file == name]
        if _worth_reverting(new, group) and group not in found:
            found.append(group)
    return found


def _worth_reverting(new: Mapping[str, bytes], group: Sequence[Hunk]) -> bool:
    reverted = revert(new, group)
    return _compiles(reverted) and any(not same_code(data, new[name]) for name, data in reverted.items())


def _compiles(files: Mapping[str, bytes]) -> bool:
    for data in files.values():
        try:
            ast.parse(data)
        except (SyntaxError, ValueError):
            return False
    return True


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_][A-Za-z0-9_]{2,}", text))
