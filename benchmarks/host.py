"""What a host program and its sandboxes hold on the host: memory, descriptors, threads, processes, mounts, containers, files."""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mx_sandboxes.limits import cgroups


@dataclass(frozen=True, slots=True)
class Holding:
    """Counts at one moment.

    ``own_kb`` is this process's private resident memory, ``started_kb`` that of a process that it started, on average, containers
    too (slots come and go, so their sum does as well); ``files`` are those in its folder for temporary files.
    """

    own_kb: int
    started_kb: int
    descriptors: int
    threads: int
    processes: int
    mounts: int
    cgroups: int
    containers: int
    files: int


def holding() -> Holding:
    """What this process holds now."""
    containers = own_containers()
    pids = descendants(os.getpid(), *(one.attrs["State"]["Pid"] for one in containers)) - {os.getpid()}
    words = [word for one in containers for word in traces_of(one)]
    return Holding(
        own_kb=resident_kb(os.getpid()),
        started_kb=sum(map(resident_kb, pids)) // max(1, len(pids)),
        descriptors=_count("/proc/self/fd"),
        threads=_count("/proc/self/task"),
        processes=len(pids),
        mounts=_named(Path("/proc/self/mountinfo").read_text().splitlines(), words),
        cgroups=_named((folder for folder, _, _ in os.walk("/sys/fs/cgroup")), [*words, cgroups.owner()]),
        containers=len(containers),
        files=_count(tempfile.gettempdir()),
    )


def own_containers() -> list[Any]:
    """The containers of this process, with their details; none where no engine is used."""
    import sys

    if "mx_sandboxes.backends.docker.engine" not in sys.modules:
        return []
    import docker.errors

    from mx_sandboxes.backends.docker.connection import OWNER_LABEL, connect

    mine = []
    with closing(connect()) as client:
        for one in client.containers.list(all=True, filters={"label": OWNER_LABEL}, ignore_removed=True):
            if f"/{os.getpid()}/" in one.labels[OWNER_LABEL]:
                try:
                    one.reload()
                except docker.errors.NotFound:  # it goes while we look
                    continue
                mine.append(one)
    return mine


def traces_of(container: Any) -> list[str]:
    """Words that are in the names of what the engine makes for a container: its id, and its file system's where there is one."""
    merged = (container.attrs.get("GraphDriver", {}).get("Data") or {}).get("MergedDir")
    return [container.id, *([Path(merged).parent.name] if merged else [])]


def descendants(*tops: int) -> set[int]:
    """These processes and all that descend from them."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                parents[int(path.name)] = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = {top for top in tops if top in parents}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def resident_kb(pid: int) -> int:
    """A process's private resident memory in KiB; 0 when it is over."""
    try:
        size = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return (int(size[1]) - int(size[2])) * (os.sysconf("SC_PAGE_SIZE") >> 10)


def _count(folder: str) -> int:
    return sum(1 for _ in Path(folder).iterdir())


def _named(names: Any, words: list[str]) -> int:
    return sum(any(word in name for word in words) for name in names)
