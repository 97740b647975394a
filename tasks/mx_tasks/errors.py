"""What can be wrong with what is asked of task sets by name, and the nearest name that does exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import get_args

from mx_tasks.task import Split

SPLITS: tuple[Split, ...] = get_args(Split)


class TaskSetError(ValueError):
    """What was asked of the task sets by name does not exist; the message names what does."""


class UnknownTaskSetError(TaskSetError):
    """No task set has that name."""


class UnknownSplitError(TaskSetError):
    """There is no such split."""


class UnknownOptionError(TaskSetError):
    """The task set takes no such option."""


def check_split(split: str) -> Split:
    """Return ``split`` if it is one; raise UnknownSplitError otherwise."""
    if split not in SPLITS:
        raise UnknownSplitError(
            f"there is no split {split!r}{did_you_mean(split, SPLITS)}; there are: {', '.join(SPLITS)}"
        )
    return split


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The nearest known word in parentheses, or nothing where none is near; short names match full ones."""
    choices = {name: name for name in known}
    choices |= {name.rpartition(":")[2]: name for name in choices}
    near = difflib.get_close_matches(word, choices, n=1) or difflib.get_close_matches(
        word.rpartition(":")[2], choices, n=1
    )
    return f" (did you mean {choices[near[0]]!r}?)" if near else ""
