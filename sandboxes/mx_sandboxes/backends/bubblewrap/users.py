"""Who a slot is to the kernel: a user id that nobody else has, as long as there are enough.

The kernel counts some things by user, such as the memory of pipes. Where this process is root, slots take turns with ids of which
no other process has one, and no two living slots have the same while there are at most 32.
"""

from __future__ import annotations

import functools
import os
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

IDS = 32


def users() -> range:
    """The user ids of this process's slots when it is root, none otherwise (bubblewrap maps this user's own)."""
    if os.geteuid() != 0:
        return range(0)
    rows = [list(map(int, line.split())) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    end = max(inside + count for inside, _, count in rows)
    mine = os.getpid() % 4_000_000 * IDS
    first = 1_900_000_000 + mine
    if first + IDS > end:
        first = max(1, end - 10_000 + mine % 9_000)
    return range(first, first + IDS)


class Users:
    """Who has which of some user ids."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids = ids
        self._lock = threading.Lock()
        self._taken: Counter[int] = Counter()
        self._next = 0

    def take(self) -> int | None:
        """The user id for one more slot, one of the least taken, in turn; None where slots are this user's."""
        with self._lock:
            turn = [*self._ids[self._next :], *self._ids[: self._next]]
            if not turn:
                return None
            user = min(turn, key=lambda one: self._taken[one])
            self._next = (self._ids.index(user) + 1) % len(self._ids)
            self._taken[user] += 1
            return user

    def give_back(self, user: int | None) -> None:
        """The slot that had this user id is over."""
        if user is not None:
            with self._lock:
                self._taken[user] -= 1


def of_this_process() -> Users:
    """The users of this process's slots; what it forks has others."""
    return _of(os.getpid())


@functools.cache
def _of(_: int) -> Users:
    return Users(users())
