"""How long a process has slept: a clock that stands still while it runs, and while it only waits for a processor.

A limit on it ends what waits for something that never comes, however busy the machine is, and nothing that would be done if it had
a processor of its own: that a limit of processor time ends. Stands beside what asks, and is put before tests that it must not be
seen in.
"""

import os
import time
from typing import Dict

LOOK_S = 0.05
"""How often another process is looked at."""


class Asleep:
    """The time that this process (its first thread) has slept, for who asks from inside; bound before submitted code is loaded."""

    def __init__(self) -> None:
        self._now, self._cpu, self._read = time.monotonic, time.process_time, os.pread
        try:
            self._fd = os.open("/proc/self/schedstat", os.O_RDONLY)
        except OSError:
            self._fd = -1

    def seconds(self) -> float:
        """Since some moment. Where the kernel does not say how long processes waited, only the time that it ran is left out."""
        now = self._now()
        try:
            return now - max(self._cpu(), taken(self._read(self._fd, 100, 0)))
        except (OSError, ValueError, IndexError):
            return now - self._cpu()


def taken(text: bytes) -> float:
    """Seconds that a thread ran or waited for a processor, from its ``schedstat`` in ``/proc``."""
    ran, waited = text.split()[:2]
    return (int(ran) + int(waited)) / 1e9


class AsleepOf:
    """The time that all threads of another process have slept at once, for who looks again and again.

    Between two looks no more than ``LOOK_S`` counts: who was kept from looking saw nothing, and of a thread that has ended there is
    nothing left to be seen. Nothing counts where a thread is running or could run: how long it waited is only told when it runs.
    """

    def __init__(self, pid: int) -> None:
        self._folder, self._seconds = "/proc/%d/task" % pid, 0.0
        self._ready = False
        self._at, self._taken = time.monotonic(), self._each()

    def look(self) -> float:
        """Seconds asleep since the first look. Where the kernel tells nothing of its processes, those that it lived."""
        at, taken_now = time.monotonic(), self._each()
        known = self._taken
        busy = sum(max(0.0, taken_now[name] - known.get(name, 0.0)) for name in taken_now)
        if not self._ready:
            self._seconds = max(0.0, self._seconds + min(LOOK_S, at - self._at - busy))
        self._at, self._taken = at, taken_now
        return self._seconds

    def _each(self) -> Dict[str, float]:
        found = {}
        self._ready = False
        try:
            for name in os.listdir(self._folder):
                with open(os.path.join(self._folder, name, "schedstat"), "rb") as stream:
                    found[name] = taken(stream.read())
                with open(os.path.join(self._folder, name, "stat"), "rb") as stream:
                    self._ready |= stream.read().rpartition(b")")[2].split()[0] == b"R"
        except (OSError, ValueError, IndexError):
            pass  # it ended while we looked
        return found
