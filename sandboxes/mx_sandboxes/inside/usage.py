"""What a job uses, however it hides it: the totals over all its processes, sampled by its keeper."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Sequence

from mx_sandboxes.inside.workspace import WRITABLE, acting_as

TICK = os.sysconf("SC_CLK_TCK")
PAGE = resource.getpagesize()
SUSPICIOUS_SHARE = 4
"""From this part of the memory limit on, mappings that are neither program nor private data are looked at one by one."""


CONTAINER = (
    (
        "/sys/fs/cgroup/cpu.stat",
        "/sys/fs/cgroup/cpuacct/cpuacct.usage",
        "/sys/fs/cgroup/cpu,cpuacct/cpuacct.usage",
    ),
    ("/sys/fs/cgroup/memory.stat", "/sys/fs/cgroup/memory/memory.stat"),
    ("/sys/fs/cgroup/pids.current", "/sys/fs/cgroup/pids/pids.current"),
)
"""Where a container finds what its own control group uses: processor time, memory, processes."""


PLACES = WRITABLE[:3]


class Figures:
    """What a control group uses, as the kernel counts it: exact, and read in no time, whatever is in it.

    ``mixed``: this process is in the group, too. ``folders``: jobs write to this process's own folders.
    """

    def __init__(self, files: list[int], *, mixed: bool, folders: bool = False) -> None:
        self.files, self.mixed, self.folders = files, mixed, folders

    def close(self) -> None:
        """Read them no more."""
        for fd in self.files:
            os.close(fd)

    def cpu(self) -> float:
        """Seconds of processor time so far, but for this process's own."""
        said = os.pread(self.files[0], 4096, 0)
        used = int(said.split()[1]) / 1e6 if said.startswith(b"usage_usec") else int(said) / 1e9
        return used - time.process_time() if self.mixed else used

    def memory(self) -> int:
        """Bytes of memory that no file on a disk backs, but for this process's own."""
        found = dict(line.split() for line in os.pread(self.files[1], 16384, 0).splitlines())
        own = found.get(b"anon", found.get(b"rss", b"0"))
        total = int(own) + int(found.get(b"shmem", b"0"))
        return total - own_bytes() if self.mixed else total

    def threads(self) -> int:
        """Processes and threads; 0 where nobody counts them."""
        return int(os.pread(self.files[2], 64, 0)) if len(self.files) > 2 else 0


def of_container(group: str = "") -> Figures | None:
    """The figures of the container that this process is the first one of, or of its jobs' group; None where there are none."""
    files = []
    for paths in CONTAINER:
        inner = [os.path.join(os.path.dirname(path), group, os.path.basename(path)) for path in paths]
        if group and paths is CONTAINER[-1]:  # in version 1 there is no such group for these
            inner += paths
        path = next((path for path in inner if os.path.exists(path)), None)
        if path is None:
            break
        files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    figures = Figures(files, mixed=not group, folders=True)
    try:
        figures.cpu(), figures.memory(), figures.threads()
    except (OSError, ValueError, IndexError):  # no such figures, or none that this server knows how to read
        figures.close()
        return None
    return figures


class GroupMeter:
    """Tells what one job uses, from the figures of the control group that it runs in.

    ``ours``: bytes that this process keeps in memory for the job, and processes that it needs for it.
    """

    changed = False
    """Whether there are processes that only one who looks often sees. The kernel sees all."""

    def __init__(self, figures: Figures, ours: tuple[int, int]) -> None:
        self.figures = figures
        self.cpu_before, self.threads_before = figures.cpu(), figures.threads() + ours[1]
        self.memory_before = figures.memory() + (ours[0] if figures.mixed else 0)
        self.files_before = in_folders(PLACES) if figures.folders else 0
        self.threads = 0

    def read(self, leader: int, places: Sequence[int | str]) -> tuple[float, int]:
        """CPU seconds and bytes of memory; what lies in these folders, each limited by itself, is not the job's memory."""
        del leader
        self.threads = self.figures.threads() - self.threads_before
        files = in_folders(places)
        memory = self.figures.memory()
        files = max(files, in_folders(places))  # files come and go meanwhile
        return self.cpu(), max(0, memory - self.memory_before - files + self.files_before)

    def cpu(self) -> float:
        """CPU seconds of the job."""
        return self.figures.cpu() - self.cpu_before

    def total(self, waited_for: float) -> float:
        """CPU seconds of the job, of which it and those that it has waited for have used so much."""
        return max(waited_for, self.cpu())


def in_folders(places: Sequence[int | str]) -> int:
    """Bytes of the files in the file systems of these folders."""
    used: dict[int, int] = {}
    for place in places:
        try:
            state = os.statvfs(place)
            used[os.stat(place).st_dev] = (state.f_blocks - state.f_bfree) * state.f_frsize
        except OSError:  # not there, in this image
            continue
    return sum(used.values())


def own_bytes() -> int:
    """Bytes of this process's own memory."""
    pages = _read("/proc/self/statm").split()
    return PAGE * (int(pages[1]) - int(pages[2]))


class Meter:
    """Adds up what the processes of one job use. Sees them in /proc, all but those of these names."""

    def __init__(self, mine: frozenset[str], uid: int | None, memory_bytes: int) -> None:
        self.mine, self.uid, self.limit = mine, uid, memory_bytes
        self.before = children_time()
        self.seen: dict[tuple[str, str], float] = {}
        self.observed = 0.0
        self.changed = False
        self.threads = 0

    def buried(self) -> float:
        """CPU seconds of those that this process has waited for since the meter began."""
        return children_time() - self.before

    def total(self, waited_for: float) -> float:
        """CPU seconds of the job, of which it and those that it has waited for have used so much."""
        return max(waited_for + self.buried(), self.observed)

    def read(self, leader: int, places: Sequence[int | str]) -> tuple[float, int]:
        """CPU seconds and bytes of memory. ``leader`` is process 1 of the job's own namespace, which only buries.

        The kernel counts nowhere what a child used that its parent never waits for, so the larger of two sums is taken: what the
        kernel says of the living and the waited for, and what was seen of each process while it lived.
        """
        del places  # what is in files is in no process's memory
        seen: dict[tuple[str, str], float] = {}
        private: dict[str, int] = {}
        other: dict[str, int] = {}
        living = self.buried()
        threads = 0
        first = str(leader)
        for name in os.listdir("/proc"):
            if not name.isdigit() or name in self.mine:
                continue
            try:
                fields = _read(f"/proc/{name}/stat").rpartition(b")")[2].split()
                pages = list(map(int, _read(f"/proc/{name}/statm").split()))
                own = own_time(name, fields)
            except (OSError, IndexError):  # it has just ended
                continue
            if name == first:
                living += sum(map(int, fields[13:15])) / TICK
                continue
            living += sum(map(int, fields[11:15])) / TICK
            key = (name, fields[19].decode())
            seen[key] = own
            threads += int(fields[17])
            self.observed += max(0.0, own - self.seen.get(key, 0.0))
            private[name] = PAGE * (pages[1] - pages[2])
            other[name] = PAGE * max(0, pages[0] - pages[3] - pages[5])
        self.changed = seen.keys() != self.seen.keys()
        self.seen, self.threads = seen, threads
        return max(living, self.observed), self.memory(private, other)

    def memory(self, private: dict[str, int], other: dict[str, int]) -> int:
        """Bytes in use: a quick sum, which is too high where processes share pages, and a slow one when it matters."""
        quick = sum(private.values())
        shared = 0
        with acting_as(self.uid):
            if sum(other.values()) > self.limit // SUSPICIOUS_SHARE:
                shared = shared_bytes(other)
            if quick + shared > self.limit:
                quick = sum(fair_bytes(name, size) for name, size in private.items())
        return quick + shared


def _read(path: str) -> bytes:
    """A short file of the kernel's; without a file object, in a third of the time."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 4096)
    finally:
        os.close(fd)


def children_time() -> float:
    """CPU seconds of all that this process has waited for."""
    done = resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.ru_utime + done.ru_stime


def own_time(name: str, fields: list[bytes]) -> float:
    """CPU seconds of one process, as fine as the kernel tells."""
    try:
        first = int(_read(f"/proc/{name}/schedstat").split()[0]) / 1e9
    except (OSError, ValueError, IndexError):
        first = 0.0
    return max(first, (int(fields[11]) + int(fields[12])) / TICK)  # the finer one is the first thread's only


def fair_bytes(name: str, private: int) -> int:
    """Bytes of one process's own memory, with its share of the pages that a fork has left it in common with others."""
    sizes: dict[bytes, int] = {}
    try:
        with open(f"/proc/{name}/smaps_rollup", "rb") as file:
            for line in file:
                key, _, value = line.partition(b":")
                if value.endswith(b"kB\n"):
                    sizes[key] = 1024 * int(value.split()[0])
    except OSError:  # it has ended, or hides it
        return private
    return sizes.get(b"Pss_Anon", sizes.get(b"Pss", private)) + sizes.get(b"SwapPss", 0)


def shared_bytes(candidates: dict[str, int]) -> int:
    """Bytes of anonymous shared memory in these processes.

    Its pages count in no process's private memory, and stay when no process has them mapped in: the sizes count. A process that
    hides its mappings is taken to have nothing but such memory.
    """
    sizes: dict[bytes, int] = {}
    for name, most in candidates.items():
        own: dict[bytes, int] = {}
        try:
            with open(f"/proc/{name}/maps", "rb") as file:
                for line in file:
                    if line.endswith(b"/dev/zero (deleted)\n"):
                        places, _, _, _, inode, *_ = line.split()
                        start, _, end = places.partition(b"-")
                        own[inode] = own.get(inode, 0) + int(end, 16) - int(start, 16)
        except PermissionError:
            own = {name.encode() + b" hidden": most}
        except OSError:  # it has ended
            continue
        for inode, size in own.items():
            sizes[inode] = max(size, sizes.get(inode, 0))
    return sum(sizes.values())


COUNTERS = (
    ("/sys/fs/cgroup/memory.events",),
    ("/sys/fs/cgroup/memory/memory.oom_control", "/sys/fs/cgroup/memory/jobs/memory.oom_control"),
)
"""Where a container reads how often the kernel killed in it: version 1 counts each group by itself."""


def oom_kills() -> int:
    """How often the kernel killed for memory in this container; 0 where that cannot be read."""
    return next((found for found in map(_kills, COUNTERS) if found is not None), 0)


def _kills(paths: Sequence[str]) -> int | None:
    found = None
    for path in paths:
        try:
            said = _read(path)
        except OSError:
            continue
        lines = said.splitlines()
        found = (found or 0) + sum(int(line.split()[1]) for line in lines if line.startswith(b"oom_kill "))
    return found
