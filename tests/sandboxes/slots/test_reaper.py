"""A host program that is killed at work leaves nothing behind on the host, at the latest when the next one starts."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from mx_sandboxes import open_sandbox
from mx_sandboxes.backends.docker.connection import OWNER_LABEL, connect, remove_leftovers
from mx_sandboxes.backends.docker.tags import image_tag
from mx_sandboxes.limits import cgroups

AT_WORK = """
import sys, threading, time
from mx_sandboxes import Limits, open_sandbox
sandbox = open_sandbox(sys.argv[1], slots=3)
limits = Limits(wall_s=600, cpu_s=600)
daemon = "import os, time\\nif not os.fork():\\n os.setsid()\\n if not os.fork():\\n  time.sleep(600)\\ntime.sleep(600)"
threading.Thread(target=lambda: sandbox.run(["python", "-c", daemon], limits=limits), daemon=True).start()
session = sandbox.session(["sh", "-c", "head -c 1000000 /dev/zero > file; sleep 600"], limits=limits)
sandbox.run(["true"])
time.sleep(0.5)
print("ready", flush=True)
time.sleep(600)
"""

Process = tuple[int, str]


def stat_of(pid: int) -> tuple[int, str] | None:
    """A process's parent and when it began; None when it is over."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else (int(fields[1]), fields[19])


def tree(*tops: int) -> set[Process]:
    """These processes and all that descend from them."""
    stats = {
        int(path.name): stat_of(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()
    }
    found = set(tops)
    while more := {pid for pid, stat in stats.items() if stat and stat[0] in found} - found:
        found |= more
    return {(pid, stat[1]) for pid in found if (stat := stats.get(pid))}


def alive(processes: set[Process]) -> set[Process]:
    """Those that are still there."""
    return {(pid, start) for pid, start in processes if (stat := stat_of(pid)) and stat[1] == start}


def gone(left: Callable[[], object], within: float = 20.0) -> object:
    """What is left in the end; it has a while to go."""
    end = time.monotonic() + within
    while (found := left()) and time.monotonic() < end:
        time.sleep(0.05)
    return found


def traces(words: set[str]) -> list[str]:
    """Mounts, cgroups, network interfaces and temporary files that have one of these words in their names."""
    names = Path("/proc/self/mountinfo").read_text().splitlines()
    names += [folder for folder, _, _ in os.walk("/sys/fs/cgroup")]
    names += [str(path) for path in Path("/sys/class/net").iterdir()]
    for folder in {tempfile.gettempdir(), "/dev/shm", "/run", "/var/tmp"}:
        names += [str(path) for path in Path(folder).iterdir()]
    return [name for name in names if any(word in name for word in words)]


class Victim:
    """A host program at work, killed without a warning."""

    def __init__(self, backend: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", AT_WORK, backend], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"ready\n"
        self.containers = containers_of(self.process.pid) if backend == "docker" else []
        tops = [container.attrs["State"]["Pid"] for container in self.containers]
        self.everything = tree(self.process.pid, *tops)

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory is short."""
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def containers_of(pid: int) -> list[Any]:
    """The containers that a process owns, with their details."""
    with contextlib.closing(connect()) as client:
        found = client.containers.list(all=True, filters={"label": OWNER_LABEL}, ignore_removed=True)
        mine = [one for one in found if f"/{pid}/" in one.labels[OWNER_LABEL]]
        for one in list(mine):
            try:
                one.reload()
            except docker.errors.NotFound:  # it goes while we look
                mine.remove(one)
        return mine


@pytest.fixture
def victim(backend: str) -> Iterator[Victim]:
    """One at work on this backend."""
    made = Victim(backend)
    yield made
    if made.process.poll() is None:
        made.kill()


def test_nothing_is_left_of_a_killed_program(backend: str, victim: Victim) -> None:
    words = {container.id for container in victim.containers} | {f"mx-{victim.process.pid}"}
    words |= {cgroups.owner().replace(f".{os.getpid()}.", f".{victim.process.pid}.").rpartition(".")[0]}
    words |= {
        Path(container.attrs["GraphDriver"]["Data"]["MergedDir"]).parent.name
        for container in victim.containers
        if "MergedDir" in (container.attrs["GraphDriver"]["Data"] or {})
    }
    assert len(victim.everything) >= 6  # itself, slots, keepers, jobs, a daemon
    assert len(victim.containers) == (3 if backend == "docker" else 0)
    if victim.containers or cgroups.find():
        assert traces(words)  # so that finding none of them means something
    victim.kill()
    with open_sandbox(backend, slots=1) as sandbox:  # the next start
        assert sandbox.run(["true"]).ok
    assert not gone(lambda: alive(victim.everything))
    assert not gone(lambda: containers_of(victim.process.pid) if backend == "docker" else [])
    assert not gone(lambda: traces(words))


def test_containers_that_cannot_end_by_themselves_are_removed_and_those_of_the_living_are_not(
    backend: str, victim: Victim
) -> None:
    if backend != "docker":
        pytest.skip("only containers outlive who made them")
    with contextlib.closing(connect()) as client:
        labels = victim.containers[0].labels
        client.containers.create(image_tag("python"), ["never started"], labels=labels)
        remove_leftovers(client)
        assert len(containers_of(victim.process.pid)) == 4
        for container in victim.containers:
            container.client = client
            container.pause()
        victim.kill()
        assert len(containers_of(victim.process.pid)) == 4
        open_sandbox("docker", slots=1).close()
        assert not containers_of(victim.process.pid)
    assert not gone(lambda: alive(victim.everything))
