"""A job that takes the container's memory takes it from itself: what watches over it lives in another control group."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mx_sandboxes import Limits, Reason, SandboxUnavailableError, open_sandbox
from mx_sandboxes.backends.docker.engine import Container
from mx_sandboxes.limits.cgroups import Hierarchy
from mx_sandboxes.limits.container_groups import ContainerGroup
from mx_sandboxes.slots.pooled import PooledSandbox

pytestmark = pytest.mark.docker
LIMITS = Limits(wall_s=6, cpu_s=20, memory_bytes=64 << 20, workspace_bytes=8 << 20, pids=24)
UNSHIELDED = """
import mmap, os, socket, time
for wish in ("-1000", "0", "500"):
    try:
        with open("/proc/self/oom_score_adj", "w") as file: file.write(wish)
        break
    except OSError: pass
def family():
    for _ in range(16):
        try:
            if os.fork() == 0: return
        except OSError: break
    time.sleep(60)
"""
HUNGER = {
    "buffers of sockets": """
family()
kept = []
while True:
    for one in socket.socketpair():
        kept.append(one)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        one.setblocking(False)
        try:
            while True: one.send(bytes(65536))
        except BlockingIOError: pass
        except OSError: time.sleep(60)
""",
    "memory of its own": """
family()
kept = []
try:
    while True: kept.append(os.urandom(1) * (1 << 20))
except MemoryError: time.sleep(60)
""",
    "memory in common": """
block = mmap.mmap(-1, 160 << 20)
family()
for place in range(0, 160 << 20, 4096): block[place] = 1
time.sleep(60)
""",
    "memory and buffers at once": """
family()
kept = []
while True:
    try:
        kept.append(os.urandom(1) * (1 << 18))
        one, other = socket.socketpair()
        kept += [one, other]
        one.setblocking(False)
        while True: one.send(bytes(65536))
    except BlockingIOError: pass
    except (OSError, MemoryError): time.sleep(60)
""",
}
ECHO = """
import os, socket
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
while data := sock.recv(65536): sock.sendall(data)
"""


@pytest.fixture
def parted(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[PooledSandbox, list[int]]]:
    """A sandbox of one container whose jobs have a group of their own, and the numbers of its first processes."""
    firsts: list[int] = []
    part = Container.part

    def noted(self: Container, pid: int, size: int) -> str:
        said = part(self, pid, size)
        if said:
            firsts.append(pid)
        return said

    monkeypatch.setattr(Container, "part", noted)
    try:
        with open_sandbox("docker", slots=1, limits=LIMITS) as sandbox:
            sandbox.warm()
            if not firsts:
                pytest.skip("this process may not make control groups in a container's")
            assert isinstance(sandbox, PooledSandbox)
            yield sandbox, firsts
    except SandboxUnavailableError as error:
        if "docker" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail(f"MX_REQUIRE lists docker: {error}")
        pytest.skip(str(error))


def memory_group(pid: int) -> str:
    """The control group that a process's memory counts in."""
    lines = [line.split(":", 2) for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines()]
    groups = {names: path for _, names, path in lines}
    return next((path for names, path in groups.items() if "memory" in names.split(",")), groups.get("", ""))


def test_what_runs_jobs_is_in_another_group_than_what_watches(
    parted: tuple[PooledSandbox, list[int]],
) -> None:
    sandbox, firsts = parted
    with sandbox.session(["python", "-c", ECHO]) as session:
        session.send(1)
        assert session.receive() == 1
        first = firsts[-1]
        below = [int(each) for each in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
        assert below
        assert {memory_group(pid).rpartition("/")[2] for pid in below} == {"jobs"}
        assert memory_group(first).rpartition("/")[2] != "jobs"


@pytest.mark.parametrize("name", HUNGER)
def test_hunger_is_the_jobs_own_end(name: str, parted: tuple[PooledSandbox, list[int]]) -> None:
    sandbox, _ = parted
    done = sandbox.run(["python", "-c", UNSHIELDED + HUNGER[name]])
    assert done.reason in (Reason.MEMORY, Reason.WALL_TIME), (done.reason, done.cause)
    assert 0 < done.wall_s < LIMITS.wall_s + 1
    assert done.attempts == 1
    assert sandbox.run(["python", "-c", "print(1)"]).stdout == b"1\n"


def test_a_session_that_hungers_ends_for_its_memory(parted: tuple[PooledSandbox, list[int]]) -> None:
    sandbox, _ = parted
    session = sandbox.session(["python", "-c", UNSHIELDED + HUNGER["buffers of sockets"]])
    try:
        with pytest.raises(Exception, match=r"memory|wall time"):
            session.receive()
    finally:
        done = session.close()
    assert done.reason in (Reason.MEMORY, Reason.WALL_TIME)
    assert done.wall_s > 0


def test_what_jobs_used_is_counted_in_their_group(parted: tuple[PooledSandbox, list[int]]) -> None:
    sandbox, _ = parted
    busy = "import time\nkept = bytearray(b'x' * (20 << 20))\nwhile time.process_time() < 0.3: pass"
    done = sandbox.run(["python", "-c", busy])
    assert done.ok
    assert 0.25 < done.cpu_s < 3
    assert 15 << 20 < done.peak_memory_bytes < 64 << 20
    idle = sandbox.run(["python", "-c", "import time; time.sleep(0.3)"])
    assert idle.cpu_s < 0.25


def test_a_job_whose_container_has_no_such_group_is_still_judged_with_its_time(
    monkeypatch: pytest.MonkeyPatch, parted: tuple[PooledSandbox, list[int]]
) -> None:
    monkeypatch.setattr(Container, "part", lambda *_: "")
    with open_sandbox("docker", slots=1, limits=LIMITS) as sandbox:
        for name in ("buffers of sockets", "memory of its own"):
            done = sandbox.run(["python", "-c", UNSHIELDED + HUNGER[name]])
            assert done.reason in (Reason.MEMORY, Reason.BROKE_SANDBOX, Reason.WALL_TIME), (name, done.cause)
            assert done.wall_s > 0, name
        assert sandbox.run(["python", "-c", "print(1)"]).stdout == b"1\n"


def laid(top: Path, version: int) -> dict[str, Path]:
    """A container's control groups, as files that keep what is written to them."""
    folders = {"memory": top / "memory" / "box", "cpuacct": top / "cpuacct" / "box"}
    if version == 2:
        folders = {"memory": top / "unified" / "box"}
    for folder in folders.values():
        folder.mkdir(parents=True)
        (folder / "cgroup.procs").write_text("10\n11\n12\n")
        (folder / "cgroup.subtree_control").write_text("")
        (folder / "memory.oom_control").write_text("oom_kill 0\n")
        (folder / "memory.events").write_text("low 0\noom_kill 3\n")
    return folders


def test_version_2_moves_everybody_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written where, in the order that version 2 asks for: no process may stay where controllers are handed down."""
    box = laid(tmp_path, 2)["memory"]
    written: list[tuple[str, str]] = []
    write_text = Path.write_text

    def noted(self: Path, data: str, *rest: Any) -> int:
        written.append((str(self.relative_to(box)), data))
        return write_text(self, data, *rest)

    top = tmp_path / "unified"
    monkeypatch.setattr(
        "mx_sandboxes.limits.container_groups.hierarchies",
        lambda _: [Hierarchy(2, frozenset({"memory", "pids"}), top, box)],
    )
    monkeypatch.setattr(Path, "write_text", noted)
    group = ContainerGroup(10, 300 << 20)
    try:
        assert group.kills() == 3
    finally:
        group.close()
    moves = [(place, said) for place, said in written if place.endswith("cgroup.procs")]
    assert moves == [("server/cgroup.procs", "10"), ("jobs/cgroup.procs", "11"), ("jobs/cgroup.procs", "12")]
    handed = [place for place, _ in written].index("cgroup.subtree_control")
    assert all(place.endswith("cgroup.procs") for place, _ in written[:handed])
    (most,) = [int(said) for place, said in written if place == "jobs/memory.max"]
    assert 100 << 20 < most < 300 << 20


def test_nothing_is_done_to_a_group_that_is_not_the_containers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = laid(tmp_path, 2)["memory"]
    for hierarchy in (
        Hierarchy(2, frozenset({"memory"}), box, box),  # the top, for all that can be seen
        Hierarchy(2, frozenset({"memory"}), tmp_path, box),  # another process's
    ):
        monkeypatch.setattr(
            "mx_sandboxes.limits.container_groups.hierarchies", lambda _, found=hierarchy: [found]
        )
        with pytest.raises(OSError, match="control group"):
            ContainerGroup(99, 300 << 20)
    assert not (box / "jobs").exists()
