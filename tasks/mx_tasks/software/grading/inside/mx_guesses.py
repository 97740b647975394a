"""What somebody answers who has not read the question: fixed values, what the tests themselves expect, and an argument given back.

The judge tries every guess on every test before anything was submitted. A test that a guess passes says nothing of a submission
where the guess passes another one, too, or where nobody needs to have seen the test to make it.
"""

import ast
from typing import Any, Callable, Dict, List

LONGEST = 4_000
"""Letters of a value as it is written; longer ones count where they are expected twice."""
MOST_VALUES = 300
Guess = Callable[[Any], Any]


def _constant(value: Any) -> Guess:
    return lambda _: value


def _argument(place: int) -> Guess:
    return lambda args: args[place] if args else None


def _of_text(part: "Callable[[str], List[str]]", place: int) -> Guess:
    """A line or a word of the first argument, where that is a text."""

    def guess(args: Any) -> Any:
        found = part(args[0]) if args and isinstance(args[0], str) else []
        return found[place] if found else None

    return guess


def _of_argument(part: "Callable[[Any], Any]") -> Guess:
    """Something of the first argument's shape; nothing where it has none."""

    def guess(args: Any) -> Any:
        try:
            return part(args[0])
        except Exception:
            return None

    return guess


BLIND: "List[Guess]" = [
    *map(_constant, (None, True, False, "", (), *range(-1, 11), *map(str, range(-1, 11)))),
    *map(_constant, ("YES", "NO", "Yes", "No", "yes", "no", "True", "False")),
    lambda _: [],
    lambda _: {},
    _argument(0),
    _argument(-1),
    *map(_of_argument, (len, lambda value: value[0], lambda value: value[-1], lambda value: value[::-1])),
    *(_of_text(part, place) for part in (str.split, str.splitlines) for place in (0, -1)),
]
"""Guesses for which nobody needs to have seen a test."""


def expected(source: str) -> "List[Any]":
    """The values that a test file writes out, the parts of tables included, each once: whatever a constant answer may be."""
    found: Dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.UnaryOp, ast.BinOp)):
            text = ast.unparse(node)
            found[text] = found.get(text, 0) + 1
    values = []
    for text, count in sorted(found.items(), key=lambda item: (-item[1], len(item[0]))):
        if len(text) > LONGEST and count < 2:
            continue
        try:
            values.append(ast.literal_eval(text))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            continue
    return values[:MOST_VALUES]


def _distinct(values: "List[Any]") -> "List[Any]":
    """Each value once, those that stand there most often first; long ones only where they do twice."""
    kept: Dict[str, Any] = {}
    counts: Dict[str, int] = {}
    for value in values:
        try:
            text = repr(value)
        except (
            Exception
        ):  # numbers of many thousand digits, and whatever a test's own class does: each is a guess
            text = f"{type(value).__name__} {id(value)}"
        kept[text] = value
        counts[text] = counts.get(text, 0) + 1
    ranked = sorted(kept, key=lambda text: (-counts[text], len(text)))
    return [kept[text] for text in ranked if len(text) <= LONGEST or counts[text] > 1][:MOST_VALUES]


def guesses(source: str, compared: "List[Any]") -> "List[Guess]":
    """All guesses, the blind ones first. ``compared`` are values that the tests held answers against while they ran."""
    return [*BLIND, *map(_constant, [*expected(source), *_distinct(compared)])]
