"""A control group for what runs jobs, below a container's own: the kernel takes memory back from it, never from the job server.

Made from outside, where this process may: a job that fills its part makes the kernel kill there, and there only, whatever it did
to be killed last. What the kernel has killed there is counted where no job reaches.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mx_sandboxes.limits.cgroups import (
    JOBS_OWN_BYTES,
    OWN_BYTES,
    Hierarchy,
    hand_down,
    hierarchies,
    limit_memory,
)
from mx_sandboxes.limits.room import ROOM_BYTES

JOBS, SERVER = "jobs", "server"
COUNTERS = {1: "memory.oom_control", 2: "memory.events"}


class ContainerGroup:
    """The group for jobs in the container of a process; ``size`` is all the memory that the container may have, in bytes.

    Everything in the container but its first process runs jobs. Raises OSError where this process may not, or has no way to it.
    """

    def __init__(self, pid: int, size: int) -> None:
        found = {name: one for one in hierarchies(str(pid)) for name in one.controllers}
        memory = _own(found, "memory", pid)
        jobs = memory / JOBS
        jobs.mkdir()
        room = size - OWN_BYTES - 2 * ROOM_BYTES + JOBS_OWN_BYTES
        others = [one for one in (memory / "cgroup.procs").read_text().split() if int(one) != pid]
        version = found["memory"].version
        if version == 2:  # a group with groups below has no processes itself
            (memory / SERVER).mkdir()
            _move(str(pid), memory / SERVER)
            _move_all(others, jobs)
            hand_down(memory, 2, ["memory"])
            with contextlib.suppress(
                OSError
            ):  # nothing is lost where the number of processes is the container's
                hand_down(memory, 2, ["pids"])
            limit_memory(jobs, 2, room, grows=False)
        else:
            counted = _own(found, "cpuacct", pid) / JOBS
            counted.mkdir()
            limit_memory(jobs, 1, room, grows=False)
            _move_all(others, counted)
            _move_all(others, jobs)
        groups = (memory, jobs) if version == 1 else (memory,)  # version 2 counts with those below
        self._events = [os.open(one / COUNTERS[version], os.O_RDONLY | os.O_CLOEXEC) for one in groups]

    def kills(self) -> int:
        """How many processes of the container the kernel has killed because there was no memory left. Raises OSError."""
        said = "".join(os.pread(file, 4096, 0).decode() for file in self._events)
        return sum(int(line.split()[1]) for line in said.splitlines() if line.startswith("oom_kill "))

    def close(self) -> None:
        """Count no more; the engine removes the groups with the container."""
        while self._events:
            os.close(self._events.pop())


def _own(found: dict[str, Hierarchy], controller: str, pid: int) -> Path:
    """A process's own group for that. Raises OSError where it is not one below the top that this process sees."""
    hierarchy = found.get(controller)
    if hierarchy is None or hierarchy.own == hierarchy.mount:
        raise OSError(f"process {pid} has no control group for {controller} that can be seen from here")
    if str(pid) not in (hierarchy.own / "cgroup.procs").read_text().split():
        raise OSError(f"{hierarchy.own} is not the control group of process {pid}")
    return hierarchy.own


def _move_all(pids: list[str], group: Path) -> None:
    for pid in pids:
        _move(pid, group)


def _move(pid: str, group: Path) -> None:
    (group / "cgroup.procs").write_text(pid)
