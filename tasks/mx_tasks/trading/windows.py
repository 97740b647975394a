"""Splits of a history by date, with nothing that is learnt from one showing in another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mx_tasks.task import Split
from mx_tasks.trading.errors import WindowError

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


def walk_forward(count: int, train: int, test: int, purge: int) -> Iterator[tuple[Span, Span]]:
    """Train on so many bars, leave out ``purge``, test on the next; again and again, one test behind the other.

    Raises WindowError when not even one fits.
    """
    if min(train, test) < 1 or purge < 0:
        raise WindowError(f"train and test are 1 bar or more, purge 0 or more, not {train}, {test}, {purge}")
    if train + purge + test > count:
        raise WindowError(
            f"{count} bars are too few to train on {train}, leave out {purge} and test on {test}"
        )
    start = 0
    while start + train + purge + test <= count:
        begin = start + train + purge
        yield Span(start, start + train), Span(begin, begin + test)
        start += test
