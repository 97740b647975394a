"""Control groups for jails: the kernel's own limit on a slot's memory and processes, where this process may make groups.

A slot's group lies below this process's own, or as near above it as the kernel allows, so that what limits this process limits its
slots too. Both versions of control groups serve, side by side too. Groups of programs that were killed are told by their names, and
removed at the next start.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mx_sandboxes.limits.room import ROOM_BYTES
from mx_sandboxes.sandbox import Limits

logger = logging.getLogger(__name__)

NAME = "mx-envs"
OWN_BYTES = 96 << 20
"""Room for the job server, a job's keeper, and what the kernel keeps on their behalf."""
JOBS_OWN_BYTES = 64 << 20
"""Of it, what the processes that begin jobs and the kernel take in the jobs' own group. The rest is out of the reach of jobs."""
OWN_PROCESSES = 16
WRITABLE_FOLDERS = 3
GONE_S = 5.0
"""How long the processes of a group may take to be over once they are killed."""
TRIES = 5
INNER = ("jobs", "server")
"""The groups below a slot's."""
_numbers = itertools.count()


def room_bytes(limits: Limits) -> int:
    """The most memory of a slot with a job of these limits: the job's, its writable folders, kept trees and the server."""
    return limits.memory_bytes + WRITABLE_FOLDERS * limits.workspace_bytes + OWN_BYTES + 2 * ROOM_BYTES


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """A mounted hierarchy of control groups, and this process's own group in it."""

    version: int
    controllers: frozenset[str]
    mount: Path
    own: Path

    @property
    def places(self) -> list[Path]:
        """This process's own group and those above it, up to the top."""
        above = [self.own, *self.own.parents]
        return above[: above.index(self.mount) + 1]


def jobs_bytes(limits: Limits) -> int:
    """The most memory of what runs in a slot, short of its server."""
    return room_bytes(limits) - OWN_BYTES - 2 * ROOM_BYTES + JOBS_OWN_BYTES


@dataclass(frozen=True, slots=True)
class Place:
    """Below which groups this process can make its own, for memory and, where that works too, for processes and processor time.

    ``cpu`` is for version 1 only: every group of version 2 counts processor time.
    """

    version: int
    memory: Path
    pids: Path | None
    cpu: Path | None = None


def find() -> Place | None:
    """Where this process can make groups that limit memory; None where it cannot."""
    return _find(os.getpid(), os.geteuid())


@functools.lru_cache(maxsize=1)
def _find(_pid: int, _user: int) -> Place | None:
    found = {name: hierarchy for hierarchy in hierarchies() for name in hierarchy.controllers}
    if "memory" not in found:
        return None
    memory, pids = found["memory"], found.get("pids")
    for path in memory.places:
        if not _works(path, memory.version, "memory"):
            continue
        if pids is None or pids.version == memory.version == 2:
            shared = pids is not None and _works(path, 2, "pids")
            return Place(memory.version, path, path if shared else None)
        works = (one for one in pids.places if _works(one, pids.version, "pids"))
        return Place(memory.version, path, next(works, None) if pids.version == 1 else None, _cpu(found))
    return None


def _cpu(found: Mapping[str, Hierarchy]) -> Path | None:
    """Where groups of version 1 can be made that count processor time."""
    cpu = found.get("cpuacct")
    if cpu is None or cpu.version == 2:
        return None
    return next((one for one in cpu.places if _works(one, 1, "cpuacct")), None)


def hierarchies(process: str = "self") -> Iterator[Hierarchy]:
    """Those that are mounted: version 2, or one for some of the controllers of version 1, or both. Raises OSError.

    The groups are those of a process of this machine, this one's own for a start.
    """
    own: dict[frozenset[str], str] = {}
    for line in Path(f"/proc/{process}/cgroup").read_text().splitlines():
        _, listed, path = line.split(":", 2)
        own[frozenset(listed.split(",")) - {""}] = path
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        kind, _, options = after.split()[:3]
        names: frozenset[str] = frozenset()
        if kind == "cgroup":
            names = next((key for key in own if key and key <= set(options.split(","))), names)
        if kind not in ("cgroup", "cgroup2") or names not in own:
            continue
        top, path = Path(mount), own[names]
        inner = os.path.relpath(path, root)
        group = top if inner.startswith("..") else top / inner
        if kind == "cgroup2":
            names = frozenset(_read(top / "cgroup.controllers").split())
        yield Hierarchy(1 if kind == "cgroup" else 2, names, top, group)


def _works(path: Path, version: int, controller: str) -> bool:
    """Whether groups can be made there, processes moved to them, and the controller's limit set."""
    if not os.access(path / "cgroup.procs", os.W_OK):
        return False
    try:
        group = _make(path, version, [controller])
    except OSError as error:
        logger.debug("no control groups below %s: %s", path, error)
        return False
    try:
        return (group / _LIMIT[controller, version]).exists()
    finally:
        _remove(group)


_LIMIT = {
    ("memory", 1): "memory.limit_in_bytes",
    ("memory", 2): "memory.max",
    ("pids", 1): "pids.max",
    ("pids", 2): "pids.max",
    ("cpuacct", 1): "cpuacct.usage",
}


def _make(path: Path, version: int, controllers: Iterable[str]) -> Path:
    """A new group in this process's own folder there. Raises OSError."""
    folder = path / owner()
    for attempt in range(1, TRIES + 1):
        try:
            hand_down(path, version, controllers)
            folder.mkdir(exist_ok=True)
            hand_down(folder, version, controllers)
            group = folder / f"slot-{next(_numbers)}"
            group.mkdir()
        except FileNotFoundError:  # whoever removed the last group removed the folder, too
            if attempt == TRIES:
                raise
        else:
            return group
    raise AssertionError("unreachable")


def hand_down(group: Path, version: int, controllers: Iterable[str]) -> None:
    """Give the controllers to the groups below: version 2 asks for that, and refuses it where a group has processes itself.

    Raises OSError.
    """
    if version == 1:
        return
    switches = group / "cgroup.subtree_control"
    have = switches.read_text().split()
    for name in controllers:
        if name not in have:
            switches.write_text(f"+{name}")


class Group:
    """The control groups of one slot. Raises OSError when they cannot be made.

    What runs jobs has a group of its own below the slot's, with less memory: when that is used up, the kernel takes none but those
    processes, and the slot's server has the rest.
    """

    def __init__(self, place: Place) -> None:
        self._version = place.version
        shared = place.pids == place.memory
        names = ["memory", "pids"] if shared else ["memory"]
        self._memory = _make(place.memory, place.version, names)
        self._all = [self._memory]
        self._jobs, self._server = self._memory / "jobs", self._memory
        self._pids: Path | None = self._memory if shared else None
        self._cpu: Path | None = None
        self._limits: Limits | None = None
        self._events: list[int] = []
        try:
            if self._version == 2:  # a group with groups below has no processes itself
                hand_down(self._memory, 2, names)
                self._server = self._memory / "server"
                self._server.mkdir()
            self._jobs.mkdir()
            if place.pids is not None and not shared:
                self._pids = _make(place.pids, 1, ["pids"])
                self._all.append(self._pids)
            if place.cpu is not None:
                self._cpu = _make(place.cpu, 1, ["cpuacct"])
                self._all.append(self._cpu)
            name = "memory.oom_control" if self._version == 1 else "memory.events"
            # version 1 counts each group by itself, version 2 with those below
            for group in (self._memory, self._jobs) if self._version == 1 else (self._memory,):
                self._events.append(os.open(group / name, os.O_RDONLY | os.O_CLOEXEC))
        except BaseException:
            self.remove()
            raise

    def join(self, servers: Iterable[int], others: Iterable[int]) -> None:
        """Take processes in, the slot's servers and those that run jobs; what they start is in, too. Raises OSError."""
        for pid in servers:
            self._move(pid, self._server, self._pids)
        for pid in others:
            self._move(pid, self._jobs, self._pids, self._cpu)

    def _move(self, pid: int, *groups: Path | None) -> None:
        for group in groups:
            if group is None or (self._version == 2 and group == self._memory):
                continue
            with contextlib.suppress(ProcessLookupError):  # over by now
                (group / "cgroup.procs").write_text(str(pid))

    def figures(self) -> list[int]:
        """Open files with what jobs use: processor time, memory, processes; the last is left out where nobody counts them."""
        cpu, pids = self._cpu, self._pids
        if self._version == 2:
            paths = [self._jobs / "cpu.stat", self._jobs / "memory.stat"]
            paths += [self._jobs / "pids.current"] if pids is not None else []
        elif cpu is None:
            return []
        else:
            paths = [cpu / "cpuacct.usage", self._jobs / "memory.stat"]
            paths += [pids / "pids.current"] if pids is not None else []
        return [os.open(path, os.O_RDONLY | os.O_CLOEXEC) for path in paths]

    def limit(self, limits: Limits) -> None:
        """Set the limits for a job. Raises OSError."""
        before = self._limits
        if limits == before:
            return
        grows = before is not None and room_bytes(limits) > room_bytes(before)
        for group, size in ((self._memory, room_bytes(limits)), (self._jobs, jobs_bytes(limits))):
            limit_memory(group, self._version, size, grows=grows)
        if self._pids is not None:
            (self._pids / "pids.max").write_text(str(limits.pids + OWN_PROCESSES))
        self._limits = limits

    def kills(self) -> int:
        """How many processes the kernel has killed here because there was no memory left."""
        said = "".join(os.pread(file, 4096, 0).decode() for file in self._events)
        return sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("oom_kill "))

    def remove(self) -> None:
        """End what is left in it, and remove it."""
        while self._events:
            os.close(self._events.pop())
        for group in self._all:
            _remove(group)


def limit_memory(group: Path, version: int, size: int, *, grows: bool) -> None:
    """Let a group have so many bytes and no swap; ``grows`` says that it had less. Raises OSError."""
    if version == 1:
        both = [group / "memory.limit_in_bytes", group / "memory.memsw.limit_in_bytes"]
        if grows:  # the second is never below the first
            both.reverse()
        for file in both:
            if file.exists():  # not every kernel counts swap
                file.write_text(str(size))
    else:
        (group / "memory.max").write_text(str(size))
        with contextlib.suppress(FileNotFoundError):  # a kernel without swap
            (group / "memory.swap.max").write_text("0")


def _remove(group: Path) -> None:
    """Remove a group once all in it have ended, and the folder of its owner with the last one."""
    end = time.monotonic() + GONE_S
    while True:
        try:
            for inner in INNER:
                with contextlib.suppress(FileNotFoundError):
                    (group / inner).rmdir()
            group.rmdir()
        except FileNotFoundError:
            break
        except OSError as error:
            if time.monotonic() > end:  # the next start tries again
                logger.warning("the control group %s is still in use: %s", group, error)
                return
            _kill(group)
            time.sleep(0.002)
        else:
            break
    with contextlib.suppress(OSError):  # there are other slots
        group.parent.rmdir()


def _kill(group: Path) -> None:
    with contextlib.suppress(OSError):  # before Linux 5.14, and in version 1, there is no such file
        (group / "cgroup.kill").write_text("1")
        return
    for each in (group, *(group / inner for inner in INNER)):
        for pid in _read(each / "cgroup.procs").split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(pid), signal.SIGKILL)


def owner() -> str:
    """The name of this process's folder of groups: another process can tell from it whether this one still lives."""
    space = str(Path("/proc/self/ns/pid").readlink()).strip("pid:[]")
    return f"{NAME}.{space}.{os.getpid()}.{started(os.getpid())}"


def started(pid: int) -> str | None:
    """When a process began, in the kernel's ticks; None when there is none."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else None


def remove_leftovers() -> list[str]:
    """Remove the groups of programs that are dead, as far as this process may; returns their folders."""
    removed = []
    for hierarchy in hierarchies():
        if hierarchy.controllers.isdisjoint({"memory", "pids", "cpuacct"}):
            continue
        for folder in _folders(hierarchy.mount):
            if _is_dead(folder.name) and os.access(folder, os.W_OK):
                for group in folder.glob("slot-*"):
                    _remove(group)
                with contextlib.suppress(OSError):  # went with its last group
                    folder.rmdir()
                removed.append(str(folder))
    return removed


def _folders(top: Path) -> Iterator[Path]:
    """All folders of groups below, whoever made them."""
    for place, names, _ in os.walk(top):
        found = [name for name in names if name.startswith(f"{NAME}.")]
        yield from (Path(place, name) for name in found)
        names[:] = [name for name in names if name not in found]


def _is_dead(name: str) -> bool:
    """Whether the owner of a folder is a process of this namespace that is over."""
    try:
        _, space, pid, start = name.rsplit(".", 3)
    except ValueError:
        return False
    return owner().startswith(f"{NAME}.{space}.") and started(int(pid)) != start


def _read(path: Path) -> str:
    """What a file of the kernel's says; nothing when it is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""
