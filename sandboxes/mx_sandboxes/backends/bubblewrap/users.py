"""Who a slot is to the kernel: a user id that nobody else has, as long as there are enough.

The kernel counts some things by user, such as the memory of pipes. Where this process is root, slots take turns with ids of which
no other process has one, and no two living slots have the same while there are at most 16.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from pathlib import Path

IDS = 16
_lock = threading.Lock()
_taken: Counter[int] = Counter()
_last = -1


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


def take_user() -> int | None:
    """The user id for one more slot, one of the least taken, in turn; None where slots are this user's."""
    global _last
    found = users()
    if not found:
        return None
    with _lock:
        turn = [found[(_last + step) % len(found)] for step in range(1, len(found) + 1)]
        user = min(turn, key=lambda one: _taken[one])
        _last = found.index(user)
        _taken[user] += 1
        return user


def give_back(user: int | None) -> None:
    """The slot that had this user id is over."""
    if user is not None:
        with _lock:
            _taken[user] -= 1
