"""Control groups for jails: the kernel's own limit, the verdict that comes of it, and what is removed when."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mx_sandboxes import How, Limits, Reason, capabilities, open_sandbox
from mx_sandboxes.backends.bubblewrap.jail import open_bubblewrap
from mx_sandboxes.limits import cgroups
from mx_sandboxes.slots.pooled import PooledSandbox

SMALL = Limits(memory_bytes=64 << 20, workspace_bytes=4 << 20, wall_s=20)
BURST = """
import mmap, os, sys, time
pids = []
for number in range(12):
    pid = os.fork()
    if pid == 0:
        open("/proc/self/oom_score_adj", "w").write(sys.argv[1])
        block = mmap.mmap(-1, 48 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        for place in range(0, 48 << 20, 4096): block[place] = 1
        time.sleep(3)
        os._exit(0)
    pids.append(pid)
for pid in pids: os.waitpid(pid, 0)
"""
ECHO = """
import os, socket
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
while data := sock.recv(65536): sock.sendall(data)
"""
FILL = """
import os, socket
kept = []
while True:
    for one in socket.socketpair():
        kept.append(one)
        one.setblocking(False)
        try:
            while True: one.send(bytes(32768))
        except BlockingIOError: pass
"""


@pytest.fixture(scope="module")
def place() -> cgroups.Place:
    """Where this process may make control groups."""
    found = cgroups.find()
    if found is None:
        if "cgroups" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail("MX_REQUIRE lists cgroups")
        pytest.skip("this process cannot make control groups here")
    return found


@pytest.fixture
def jails(place: cgroups.Place, bubblewrap_or_skip: object) -> Iterator[PooledSandbox]:
    """A sandbox whose jails have control groups."""
    with open_bubblewrap(slots=2, limits=SMALL) as sandbox:
        yield sandbox


def groups_of(pid: int) -> list[Path]:
    """The folders of groups of a process."""
    found = (Path(folder) for folder, _, _ in os.walk("/sys/fs/cgroup"))
    return [folder for folder in found if folder.name.startswith("mx-envs.") and f".{pid}." in folder.name]


def test_a_slot_has_the_kernel_s_own_limit(place: cgroups.Place, jails: PooledSandbox) -> None:
    assert jails.capabilities["memory"].how is How.KERNEL
    assert f"version {place.version}" in jails.capabilities["memory"].detail
    with jails.session(["python", "-c", ECHO]) as session:
        session.send(1)
        assert session.receive() == 1
        mine = [path for folder in groups_of(os.getpid()) for path in folder.glob("slot-*")]
        name = "memory.limit_in_bytes" if place.version == 1 else "memory.max"
        limits = [int((path / name).read_text()) for path in mine if (path / name).exists()]
        assert cgroups.room_bytes(SMALL) in limits
        members = [len((path / "cgroup.procs").read_text().split()) for path in mine]
        assert 5 in members  # keeper, two forkers, the first of the namespace, the program


@pytest.mark.parametrize("wish", ["1000", "0"])
def test_a_job_that_is_over_it_ends_with_memory(jails: PooledSandbox, wish: str) -> None:
    """Even if it would rather have its keeper killed."""
    for _ in range(2):
        done = jails.run(["python", "-c", BURST, wish])
        assert done.reason is Reason.MEMORY, done
        assert done.exit_code is None
        assert Reason.MEMORY in done.limits_hit
        assert done.attempts == 1
    assert jails.run(["python", "-c", "print(1)"]).stdout == b"1\n"


def test_what_the_kernel_keeps_for_a_job_counts(jails: PooledSandbox) -> None:
    many = Limits(memory_bytes=16 << 20, workspace_bytes=1 << 20, open_files=4000, wall_s=20)
    done = jails.run(["python", "-c", FILL], limits=many)
    assert done.reason is Reason.MEMORY, done


def test_a_session_that_is_over_it_ends_with_memory(jails: PooledSandbox) -> None:
    with jails.session(["python", "-c", BURST, "0"]) as session:
        assert session.close().reason in (Reason.MEMORY, Reason.CLOSED)
    with jails.session(["python", "-c", BURST + "\nimport time; time.sleep(9)", "1000"]) as session:
        from mx_sandboxes import SessionEndedError

        with pytest.raises(SessionEndedError) as caught:
            session.receive()
        assert caught.value.completed.reason is Reason.MEMORY
        assert session.close().reason is Reason.MEMORY


def test_limits_may_go_up_and_down_from_job_to_job(jails: PooledSandbox) -> None:
    for megabytes in (64, 512, 48, 300, 48):
        limits = Limits(memory_bytes=megabytes << 20, workspace_bytes=4 << 20)
        done = jails.run(["python", "-c", "x = bytearray(30 << 20)"], limits=limits)
        assert (done.ok, done.attempts) == (True, 1), done


def test_a_job_does_not_see_where_it_is(jails: PooledSandbox) -> None:
    for _ in range(2):
        done = jails.run(["cat", "/proc/self/cgroup"])
        assert done.ok
        assert b"mx-envs" not in done.stdout
        assert str(os.getpid()).encode() not in done.stdout


def test_groups_go_with_their_slots(place: cgroups.Place, bubblewrap_or_skip: object) -> None:
    code = (
        "import os, sys\nfrom mx_sandboxes import Limits, open_sandbox\nsandbox = open_sandbox('bubblewrap', slots=2)\n"
        "sandbox.warm()\nfor _ in range(4): sandbox.run(['sleep', '9'], limits=Limits(wall_s=0.1))\n"
        "print('up', flush=True)\nsys.stdin.read()\nsandbox.close()\nprint('closed', flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as host:
        assert host.stdout is not None
        assert host.stdin is not None
        assert host.stdout.readline() == b"up\n"
        assert groups_of(host.pid)
        slots = [path for folder in groups_of(host.pid) for path in folder.glob("slot-*")]
        assert (
            1 <= len(slots) <= 3 * 2
        )  # two slots, one that is being replaced, and two hierarchies with version 1
        host.stdin.close()
        assert host.stdout.readline() == b"closed\n"
        assert groups_of(host.pid) == []


def test_groups_of_the_dead_are_removed_and_those_of_the_living_are_not(place: cgroups.Place) -> None:
    living = cgroups.Group(place)
    with subprocess.Popen(["sleep", "60"]) as other:
        space = cgroups.owner().split(".")[1]
        names = {
            f"mx-envs.{space}.{other.pid}.{cgroups.started(other.pid)}": True,
            f"mx-envs.{space}.{other.pid}.1": False,  # the number has been given to another process since
            "mx-envs.1.1.1": True,  # of another process namespace: who knows
            "mx-envs.odd": True,
        }
        for name in names:
            (place.memory / name).mkdir()
            (place.memory / name / "slot-0").mkdir()
        left = subprocess.Popen(["sleep", "60"])
        (place.memory / f"mx-envs.{space}.{other.pid}.1" / "slot-0" / "cgroup.procs").write_text(
            str(left.pid)
        )
        try:
            removed = {Path(name).name for name in cgroups.remove_leftovers()}
            assert removed & set(names) == {f"mx-envs.{space}.{other.pid}.1"}
            assert {name: (place.memory / name).exists() for name in names} == names
            assert left.wait(5) == -9
            assert any(folder.name == cgroups.owner() for folder in groups_of(os.getpid()))
        finally:
            left.kill()
            left.wait()
            other.kill()
            for name in names:
                if (place.memory / name).exists():
                    (place.memory / name / "slot-0").rmdir()
                    (place.memory / name).rmdir()
    living.remove()


def test_where_there_are_none_the_metering_is_what_there_is(
    monkeypatch: pytest.MonkeyPatch, bubblewrap_or_skip: object
) -> None:
    monkeypatch.setattr(cgroups, "find", lambda: None)
    found = capabilities("bubblewrap")["memory"]
    assert found.how is How.KEEPER
    assert found.fix
    with open_sandbox("bubblewrap", slots=1, limits=SMALL) as sandbox:
        assert sandbox.capabilities["memory"] == found
        done = sandbox.run(["python", "-c", "x = b'x' * (90 << 20); import time; time.sleep(3)"])
        assert done.reason is Reason.MEMORY
