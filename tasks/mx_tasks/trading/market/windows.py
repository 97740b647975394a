"""Splits of a history by date, with nothing that is learnt from one showing in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mx_tasks.task import Split
from mx_tasks.trading.market.errors import WindowError

SHARES: dict[Split, tuple[float, float]] = {
    "train": (0.0, 0.6),
    "validation": (0.6, 0.75),
    "test": (0.75, 1.0),
}


@dataclass(frozen=True, slots=True)
class Span:
    """Rows from ``start`` up to but not including ``stop``."""

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


def split_span(count: int, split: Split, embargo: int) -> Span:
    """The rows of a split of so many bars; ``embargo`` bars are left out between one split and the next.

    Raises WindowError when nothing is left.
    """
    if embargo < 0:
        raise WindowError(f"an embargo is 0 bars or more, not {embargo}")
    low, high = SHARES[split]
    span = Span(int(count * low) + (embargo if low else 0), int(count * high))
    if span.stop - span.start < 2:
        raise WindowError(f"{count} bars leave no bar to the split {split!r} behind an embargo of {embargo}")
    return span


def walk_forward(
    count: int, train: int, test: int, purge: int, step: int | None = None
) -> Iterator[tuple[Span, Span]]:
    """Train on so many bars, leave out ``purge``, test on the next; again and again, one test behind the other.

    ``step`` is how far each goes on from the one before; a test's length unless it is given.

    Raises WindowError when not even one fits.
    """
    if min(train, test) < 1 or purge < 0 or (step is not None and step < 1):
        raise WindowError(
            f"train, test and step are 1 bar or more, purge 0 or more, not {train}, {test}, {step}, {purge}"
        )
    if train + purge + test > count:
        raise WindowError(
            f"{count} bars are too few to train on {train}, leave out {purge} and test on {test}"
        )
    start = 0
    while start + train + purge + test <= count:
        begin = start + train + purge
        yield Span(start, start + train), Span(begin, begin + test)
        start += step or test


def draw_folds(
    span: Span, count: int, train: int, test: int, purge: int, rng: np.random.Generator, *, apart: bool
) -> list[tuple[Span, Span]]:
    """So many folds of a walk forward through a split, in the order of time, the first one begun at a bar by chance.

    Tests do not overlap where there is room; ``apart`` insists on it. Raises WindowError where too little is left.
    """
    room = len(span) - train - purge - test
    step = test if room >= (count - 1) * test else room // max(1, count - 1)
    if room < 0 or step < 1 or (apart and step < test):
        raise WindowError(
            f"{len(span)} bars of the split are too few for {count} windows of {test} behind {train} bars to train on and {purge} "
            "left out; give more bars, or fewer or shorter windows"
        )
    begin = span.start + int(rng.integers(0, min(step, room - (count - 1) * step) + 1))
    folds = [
        (Span(begin + a.start, begin + a.stop), Span(begin + b.start, begin + b.stop))
        for a, b in walk_forward(span.stop - begin, train, test, purge, step)
    ]
    chosen = np.sort(rng.choice(len(folds), count, replace=False))
    return [folds[place] for place in chosen]
