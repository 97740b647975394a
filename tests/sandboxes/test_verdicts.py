"""Whoever fails, fails: a job that ends or hangs its slot has an end of its own; only what a harmless job suffers too has none."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest

from mx_sandboxes import (
    Completed,
    Job,
    Limits,
    Reason,
    SandboxError,
    SessionEndedError,
    open_sandbox,
)
from mx_sandboxes.abuse.verdicts import ENDINGS
from mx_sandboxes.limits import arguments
from mx_sandboxes.slots.pooled import PooledSandbox

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill the engine's processes")
SHORT = Limits(wall_s=2.0, cpu_s=20.0, memory_bytes=128 << 20, pids=32)
LATE_S = 1.0


ECHO = """
import os, socket
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
while data := sock.recv(65536): sock.sendall(data)
"""


def children(pid: int) -> set[int]:
    """The processes that a process of this machine has begun, in any of its threads."""
    found: set[int] = set()
    with contextlib.suppress(OSError):  # it is over
        for task in Path(f"/proc/{pid}/task").iterdir():
            found |= {int(word) for word in (task / "children").read_text().split()}
    return found


def servers(backend: str) -> set[int]:
    """The job servers of this process's slots, by their numbers on this machine."""
    if backend == "docker":
        client = docker.from_env()
        try:
            found = client.containers.list(filters={"label": "mx-envs.owner", "status": "running"})
            mine = [one for one in found if one.labels["mx-envs.owner"].split("/")[2] == str(os.getpid())]
            return {client.api.inspect_container(str(one.id))["State"]["Pid"] for one in mine}
        finally:
            client.close()
    jails = {pid for pid in children(os.getpid()) if b"bwrap" in Path(f"/proc/{pid}/cmdline").read_bytes()}
    return set().union(*map(children, jails))


def kill(pids: set[int]) -> None:
    """Kill them as somebody outside would."""
    assert pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # it went with another
            os.kill(pid, signal.SIGKILL)


def kill_within(backend: str, others: set[int]) -> None:
    """Kill the processes that begin the jobs of slots, not the servers: so a slot ends that a job ends."""
    end = time.monotonic() + 20
    below: set[int] = set()
    while len(below) < 3:  # two that begin jobs, and the job
        assert time.monotonic() < end
        time.sleep(0.1)
        below = set().union(*map(children, servers(backend) - others))
        while more := set().union(*map(children, below)) - below:
            below |= more
    kill(below)


@needs_root
def test_a_slot_that_ends_from_within_is_its_jobs_doing(backend: str) -> None:
    before = servers(backend)
    with open_sandbox(backend, slots=1) as single, ThreadPoolExecutor(1) as thread:
        future = thread.submit(single.run, ["sleep", "20"], limits=Limits(wall_s=30))
        time.sleep(0.5)
        kill_within(backend, before)
        done = future.result(30)
        assert (done.reason, done.attempts, done.ok) == (Reason.BROKE_SANDBOX, 1, False)
        assert "stream ended" in done.cause
        assert single.run(["python", "-c", "pass"]).ok


@needs_root
def test_so_it_is_in_a_session(backend: str) -> None:
    before = servers(backend)
    with open_sandbox(backend, slots=1) as single:
        with single.session(["python", "-c", ECHO]) as session:
            session.send(1)
            assert session.receive() == 1
            kill_within(backend, before)
            with pytest.raises(SessionEndedError, match="broke its sandbox"):
                session.receive()
            assert session.close().reason is Reason.BROKE_SANDBOX
        assert single.run(["python", "-c", "pass"]).ok


@needs_root
def test_what_a_harmless_job_suffers_too_is_nobodys_doing(backend: str) -> None:
    before = servers(backend)
    with open_sandbox(backend, slots=1) as single, ThreadPoolExecutor(1) as thread:
        assert isinstance(single, PooledSandbox)
        future = thread.submit(single.run, ["sleep", "20"], limits=Limits(wall_s=30))
        time.sleep(0.5)

        def no_more(_: Limits) -> None:
            raise SandboxError("the machine is on fire")

        single._birth = no_more  # type: ignore[assignment]  # from now on, no slot can be made
        kill_within(backend, before)
        done = future.result(30)
        assert (done.reason, done.attempts) == (Reason.SANDBOX_DIED, 1)
        assert "on fire" in done.cause


@needs_root
def test_who_kills_a_slot_from_outside_is_named(backend: str) -> None:
    before = servers(backend)
    with open_sandbox(backend, slots=1) as single, single.session(["python", "-c", ECHO]) as session:
        session.send(1)
        assert session.receive() == 1
        kill(servers(backend) - before)
        with pytest.raises(SessionEndedError, match="sandbox died") as caught:
            session.receive()
        assert "somebody outside killed" in caught.value.completed.cause


def judged(name: str, done: Completed) -> None:
    """The job has an end of its own, once, in time."""
    assert done.reason is not Reason.SANDBOX_DIED, f"{name}: {done.cause}"
    assert done.attempts == 1, name
    assert done.wall_s < SHORT.wall_s + LATE_S, f"{name}: {done.wall_s}"
    if name not in ("a sibling", "a dead sibling", "every signal to every number"):
        assert not done.ok, name


def test_no_way_to_end_a_slot_ends_without_a_verdict(backend: str) -> None:
    with open_sandbox(backend, slots=2, limits=SHORT) as sandbox:
        jobs = [Job(["python", "-c", f"def through(*_): pass\n{program}"]) for program in ENDINGS.values()]
        for name, done in zip(ENDINGS, sandbox.run_batch(jobs), strict=True):
            judged(name, done)
        assert sandbox.run(["python", "-c", "pass"]).ok


@pytest.mark.parametrize("name", ["a sibling", "a dead sibling"])
def test_a_slot_that_hangs_is_ended_from_outside_in_time(
    backend: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the filter's rule of clone off, one call is enough to hang the job server for good."""
    monkeypatch.setattr(arguments, "CLONE_FLAGS", 0xFFFFFFFF)
    with open_sandbox(backend, slots=1, limits=SHORT) as sandbox:
        sandbox.warm()
        began = time.monotonic()
        done = sandbox.run(["python", "-c", f"def through(*_): pass\n{ENDINGS[name]}"])
        assert time.monotonic() - began < SHORT.wall_s + LATE_S
        assert (done.reason, done.attempts) == (Reason.WALL_TIME, 1)
        with sandbox.session(["python", "-c", f"def through(*_): pass\n{ENDINGS[name]}"]) as session:
            began = time.monotonic()
            with pytest.raises(SessionEndedError, match="wall time"):
                session.receive()
            assert time.monotonic() - began < SHORT.wall_s + LATE_S
        assert sandbox.run(["python", "-c", "pass"]).ok
