"""What a job uses, however it hides it: the totals over all its processes, sampled by its keeper."""

from __future__ import annotations

import os
import resource

TICK = os.sysconf("SC_CLK_TCK")
PAGE = resource.getpagesize()
SUSPICIOUS_SHARE = 4
"""From this part of the memory limit on, mappings that are neither program nor private data are looked at one by one."""


class Meter:
    """Adds up what the processes of one job use. Sees them in /proc, all but those of these names."""

    def __init__(self, mine: tuple[str, ...], memory_bytes: int) -> None:
        self.mine = mine
        self.suspicious = memory_bytes // SUSPICIOUS_SHARE
        self.seen: dict[tuple[str, str], float] = {}
        self.observed = 0.0
        self.changed = False
        self.threads = 0

    def read(self) -> tuple[float, int]:
        """CPU seconds and bytes of memory.

        The kernel counts nowhere what a child used that its parent never waits for, so the larger of two sums is taken: what the
        kernel says of the living and the waited for, and what was seen of each process while it lived.
        """
        seen: dict[tuple[str, str], float] = {}
        living = 0.0
        memory = other = threads = 0
        for name in os.listdir("/proc"):
            if not name.isdigit() or name in self.mine:
                continue
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    fields = file.read().rpartition(b")")[2].split()
                with open(f"/proc/{name}/statm", "rb") as file:
                    pages = list(map(int, file.read().split()))
                own = own_time(name, fields)
            except (OSError, IndexError):  # it has just ended
                continue
            living += sum(map(int, fields[11:15])) / TICK
            key = (name, fields[19].decode())
            seen[key] = own
            threads += int(fields[17])
            self.observed += max(0.0, own - self.seen.get(key, 0.0))
            memory += PAGE * (pages[1] - pages[2])
            other += PAGE * max(0, pages[0] - pages[3] - pages[5])
        self.changed = seen.keys() != self.seen.keys()
        self.seen, self.threads = seen, threads
        if other > self.suspicious:
            memory += shared_bytes([name for name, _ in seen])
        done = resource.getrusage(resource.RUSAGE_CHILDREN)
        return max(done.ru_utime + done.ru_stime + living, self.observed), memory


def own_time(name: str, fields: list[bytes]) -> float:
    """CPU seconds of one process, as fine as the kernel tells."""
    try:
        with open(f"/proc/{name}/schedstat", "rb") as file:
            first = int(file.read().split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        first = 0.0
    return max(first, (int(fields[11]) + int(fields[12])) / TICK)  # the finer one is the first thread's only


def shared_bytes(names: list[str]) -> int:
    """Bytes of anonymous shared memory.

    Its pages count in no process's private memory, and stay when no process has them mapped in: the sizes count.
    """
    sizes: dict[bytes, int] = {}
    for name in names:
        own: dict[bytes, int] = {}
        try:
            with open(f"/proc/{name}/maps", "rb") as file:
                for line in file:
                    if line.endswith(b"/dev/zero (deleted)\n"):
                        places, _, _, _, inode, *_ = line.split()
                        start, _, end = places.partition(b"-")
                        own[inode] = own.get(inode, 0) + int(end, 16) - int(start, 16)
        except OSError:
            continue
        for inode, size in own.items():
            sizes[inode] = max(size, sizes.get(inode, 0))
    return sum(sizes.values())
