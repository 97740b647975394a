"""Work on several things at a time that ends when it is told to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(do: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """What ``do`` gives for each item, in their order, ``at_once`` of them at a time.

    Whoever stops asking, or is stopped by a signal, waits for what is being done and starts nothing more; an executor left by
    itself would first do all that waits. Raises what ``do`` raises.
    """
    pool = ThreadPoolExecutor(at_once)
    try:
        waiting = [pool.submit(do, item) for item in items]
        for future in waiting:
            yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)
