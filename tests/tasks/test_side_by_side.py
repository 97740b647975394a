"""Work on several things at a time: in order, and nothing more is begun once somebody stopped."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from mx_tasks.side_by_side import in_order


def test_results_come_in_the_order_of_the_items_and_so_do_errors() -> None:
    assert list(in_order(lambda n: (time.sleep(0.02 / n), n)[1], range(1, 20), 4)) == list(range(1, 20))
    found = in_order(lambda n: 6 // n, [3, 0, 2], 2)
    assert next(found) == 2
    with pytest.raises(ZeroDivisionError):
        next(found)


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background of a shell, which then has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
@pytest.mark.parametrize("way", ["a signal", "enough"])
def test_who_stops_begins_nothing_more(way: str) -> None:
    begun: list[int] = []

    def do(n: int) -> int:
        begun.append(n)
        time.sleep(0.05)
        if n == 3 and way == "a signal":
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        return n

    found = in_order(do, range(1000), 2)
    if way == "enough":
        assert next(found) == 0
        found.close()  # type: ignore[attr-defined]
    else:
        with pytest.raises(KeyboardInterrupt):
            list(found)
    time.sleep(0.2)
    assert len(begun) < 20
