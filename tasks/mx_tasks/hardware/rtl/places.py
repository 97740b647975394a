"""Ids of generated tasks: kind, seed, split and place, such as ``fsm-0-train-0``."""

from __future__ import annotations

from mx_tasks.errors import check_split
from mx_tasks.task import Split, TaskNotFoundError


def id_of(kind: str, seed: int, split: Split, index: int) -> str:
    """The id of a task."""
    return f"{kind}-{seed}-{split}-{index}"


def place_of(kind: str, seed: int, wanted: str) -> tuple[Split, int]:
    """The split and the place that an id names. Raises TaskNotFoundError."""
    match wanted.removeprefix(f"{kind}-").split("-") if wanted.startswith(f"{kind}-") else []:
        case [found, "train" | "validation" | "test" as split, index] if (
            found == str(seed) and index.isdecimal() and index.isascii()
        ):
            return split, int(index)
    raise TaskNotFoundError(
        f"no task {wanted!r} in hardware:{kind} with seed {seed}; ids look like '{kind}-{seed}-train-0'"
    )


def check_place(split: str, index: int) -> None:
    """Raises UnknownSplitError, or IndexError for a negative place."""
    check_split(split)
    if index < 0:
        raise IndexError(f"a task's place in a split is 0 or more, not {index}")
