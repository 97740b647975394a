"""Slots that die, hosts that crowd, sandboxes that close: nothing hangs, nothing stays behind."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import docker.errors
import pytest

from mx_sandboxes import (
    Completed,
    Job,
    Limits,
    Reason,
    Sandbox,
    SandboxError,
    SandboxUnavailableError,
    SessionEndedError,
    open_sandbox,
)
from mx_sandboxes.backends.bubblewrap.jail import Bubble

ECHO = """
import os, socket
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
while data := sock.recv(65536): sock.sendall(data)
"""


def slots(backend: str, host: int) -> set[int]:
    """The process ids of the jails that a host process has."""
    if backend == "docker":
        client = docker.from_env()
        try:
            found = client.containers.list(filters={"label": "mx-envs.owner"}, ignore_removed=True)
            mine = [one for one in found if one.labels["mx-envs.owner"].split("/")[2] == str(host)]
            pids = set()
            for one in mine:
                with contextlib.suppress(docker.errors.NotFound):  # it is being replaced
                    pids.add(client.api.inspect_container(str(one.id))["State"]["Pid"])
            return pids - {0}  # made, not yet started
        finally:
            client.close()
    children: dict[int, set[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, set()).add(int(entry.name))
    wrappers = {pid for pid in children.get(host, set()) if b"bwrap" in command(pid)}
    return {pid for wrapper in wrappers for pid in children.get(wrapper, set())}


def command(pid: int) -> bytes:
    """A process's command line; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def gone(pids: set[int]) -> bool:
    """Whether all those jails end soon."""
    end = time.monotonic() + 10
    while any(b"mx_sandboxes.inside.server" in command(pid) for pid in pids):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def single(backend: str) -> Iterator[Sandbox]:
    """A sandbox of one slot of its own."""
    with open_sandbox(backend, slots=1) as opened:
        yield opened


def kill(pids: set[int]) -> None:
    """Kill them, as an administrator or a lack of memory would."""
    assert pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # one that is being replaced
            os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill the engine's processes")
def test_a_slot_killed_in_the_middle_of_a_job(backend: str) -> None:
    before = slots(backend, os.getpid())
    with open_sandbox(backend, slots=1) as single, ThreadPoolExecutor(1) as thread:
        for deaths in (1, 2):
            # long enough for a loaded engine to tell of its slots, short where the job runs to its end
            seconds = "40" if deaths == 2 else "10" if backend == "docker" else "4"
            future = thread.submit(single.run, ["sleep", seconds], limits=Limits(wall_s=50))
            killed: set[int] = set()
            for _ in range(deaths):
                time.sleep(0.4)
                alive = wait_for_slots(backend, before | killed)
                kill(alive)
                killed |= alive
            done = future.result(30)
            assert done.attempts == 2, "a job whose slot died runs once more and says so"
            assert done.reason is (Reason.EXITED if deaths == 1 else Reason.SANDBOX_DIED)
            assert single.run(["python", "-c", "pass"]).ok


def wait_for_slots(backend: str, others: set[int]) -> set[int]:
    """The jails of this process but for the others, as soon as there are any and none of them comes or goes."""
    end, last = time.monotonic() + 20, None
    while not (found := slots(backend, os.getpid()) - others) or found != last:
        assert time.monotonic() < end
        last = found
        time.sleep(0.3)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill the engine's processes")
def test_a_slot_killed_in_the_middle_of_a_session_and_between_jobs(backend: str) -> None:
    before = slots(backend, os.getpid())
    with open_sandbox(backend, slots=1) as single:
        with single.session(["python", "-c", ECHO]) as session:
            session.send(1)
            assert session.receive() == 1
            kill(slots(backend, os.getpid()) - before)
            with pytest.raises(SessionEndedError) as caught:
                session.receive()
            assert caught.value.completed.reason is Reason.SANDBOX_DIED
            assert session.close().reason is Reason.SANDBOX_DIED
        assert single.run(["python", "-c", "pass"]).ok
        kill(slots(backend, os.getpid()) - before)
        time.sleep(0.1)
        assert single.run(["python", "-c", "pass"]).ok


def test_many_threads_share_few_slots(sandbox: Sandbox) -> None:
    def job(number: int) -> Completed:
        if number % 3:
            return sandbox.run(["python", "-c", f"print({number})"])
        with sandbox.session(["python", "-c", ECHO]) as session:
            session.send(number)
            assert session.receive() == number
            return session.close()

    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(job, range(60)))
    for number, done in enumerate(results):
        if number % 3:
            assert (done.ok, done.stdout) == (True, b"%d\n" % number)
        else:
            assert done.reason is Reason.CLOSED


def test_a_batch_yields_every_end_in_order(sandbox: Sandbox) -> None:
    taken = []

    def jobs() -> Iterator[Job]:
        for number in range(60):
            taken.append(number)
            yield Job(["python", "-c", f"print({number}, flush=True)\nif {number} == 7: raise SystemExit(3)"])

    batch = sandbox.run_batch(jobs())
    first = next(batch)
    assert len(taken) < 30, "jobs are taken as they are needed"
    results = [first, *batch]
    assert [done.stdout for done in results] == [b"%d\n" % number for number in range(60)]
    assert [number for number, done in enumerate(results) if not done.ok] == [7]


def test_a_batch_may_be_left_and_a_wrong_job_is_an_error(sandbox: Sandbox) -> None:
    batch = sandbox.run_batch(Job(["sleep", "0.05"]) for _ in range(1000))
    assert next(batch).ok
    started = time.monotonic()
    batch.close()  # type: ignore[attr-defined]
    assert time.monotonic() - started < 10
    with pytest.raises(ValueError, match="/etc/passwd"):
        list(sandbox.run_batch([Job(["true"]), Job(["true"], files={"/etc/passwd": b""})]))


def test_a_batch_as_completed_yields_every_end_with_its_place(sandbox: Sandbox) -> None:
    jobs = [
        Job(["python", "-c", f"print({number})\nif {number} == 7: raise SystemExit(3)"])
        for number in range(60)
    ]
    ends = dict(sandbox.run_as_completed(jobs))
    assert sorted(ends) == list(range(60))
    assert all(done.stdout == b"%d\n" % number for number, done in ends.items())
    assert [number for number, done in ends.items() if not done.ok] == [7]
    assert list(sandbox.run_as_completed([])) == []


def test_a_slow_job_holds_up_no_end_of_a_batch_as_completed(backend: str) -> None:
    with open_sandbox(backend, slots=2) as pool:
        pool.warm()
        slow, quick = Job(["sleep", "3"]), Job(["true"])
        order = [number for number, _ in pool.run_as_completed([slow, *[quick] * 10])]
    assert sorted(order) == list(range(11))
    assert order[-1] == 0


def test_a_batch_as_completed_takes_no_more_jobs_than_it_needs(backend: str) -> None:
    taken: list[int] = []

    def jobs() -> Iterator[Job]:
        for number in range(1000):
            taken.append(number)
            yield Job(["true"])

    with open_sandbox(backend, slots=2) as pool:
        batch = pool.run_as_completed(jobs())
        for asked in range(1, 6):
            assert next(batch)[1].ok
            time.sleep(0.1)  # whoever is slow to ask is not overrun
            assert len(taken) <= asked + 3
        batch.close()  # type: ignore[attr-defined]
        with pytest.raises(ValueError, match="/etc/passwd"):
            list(pool.run_as_completed([Job(["true"]), Job(["true"], files={"/etc/passwd": b""})]))
        assert pool.run(["true"]).ok


def test_a_batch_lets_others_have_their_turn(backend: str) -> None:
    """Who asks first is served first: a long batch puts off one job by the jobs that were asked for before it, no more."""
    with open_sandbox(backend, slots=2) as pool, ThreadPoolExecutor(1) as thread:
        batch = pool.run_as_completed(Job(["sleep", "0.2"]) for _ in range(60))
        ends = [next(batch)[0]]
        other = thread.submit(pool.run, ["true"])
        while not other.done():
            ends.append(next(batch)[0])
        assert other.result().ok
        assert len(ends) < 20
        batch.close()  # type: ignore[attr-defined]


def test_a_job_that_kills_its_slot_is_one_verdict_of_a_batch(single: Sandbox) -> None:
    jobs = [Job(["true"]), Job(["sleep", "9"], limits=Limits(wall_s=0.2)), Job(["true"])]
    assert [done.reason for done in single.run_batch(jobs)] == [
        Reason.EXITED,
        Reason.WALL_TIME,
        Reason.EXITED,
    ]


def test_a_fresh_job_has_a_slot_that_nobody_had(backend: str) -> None:
    before = slots(backend, os.getpid())
    with open_sandbox(backend, slots=2) as pool:
        assert pool.run(["true"]).ok
        first = slots(backend, os.getpid()) - before
        assert pool.run(["true"]).ok
        assert slots(backend, os.getpid()) - before == first
        seen = set(first)
        for _ in range(3):
            assert pool.run(["true"], fresh=True).ok
            now = slots(backend, os.getpid()) - before
            assert now - seen, "a new jail"
            seen |= now
            assert len(now) <= 3  # one that is replaced may not be gone yet


def test_the_job_after_a_time_out_finds_a_slot_that_is_ready(backend: str) -> None:
    before = slots(backend, os.getpid())
    with open_sandbox(backend, slots=1) as pool:
        assert pool.run(["sleep", "9"], limits=Limits(wall_s=0.1)).reason is Reason.WALL_TIME
        ready = wait_for_slots(backend, before)
        assert pool.run(["true"]).ok
        assert slots(backend, os.getpid()) - before == ready


@pytest.mark.bubblewrap
@pytest.mark.timeout(60)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_slot_that_cannot_be_buried_holds_up_nobody(
    bubblewrap_or_skip: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    buried = threading.Event()
    bury = Bubble.close

    def fail(self: Bubble) -> None:
        bury(self)
        if not buried.is_set():
            buried.set()
            raise OSError("the engine is gone")

    with open_sandbox("bubblewrap", slots=1) as sandbox:
        monkeypatch.setattr(Bubble, "close", fail)
        assert sandbox.run(["sleep", "9"], limits=Limits(wall_s=0.05)).reason is Reason.WALL_TIME
        for _ in range(3):
            assert sandbox.run(["echo", "next"]).ok
        assert buried.is_set()


def test_a_pool_is_warmed_ahead(backend: str) -> None:
    before = slots(backend, os.getpid())
    with open_sandbox(backend, slots=3) as pool:
        pool.warm()
        ready = slots(backend, os.getpid()) - before
        assert len(ready) == 3
        with ThreadPoolExecutor(3) as threads:
            assert all(done.ok for done in threads.map(lambda _: pool.run(["sleep", "0.2"]), range(3)))
        assert slots(backend, os.getpid()) - before == ready


def test_waiters_are_served_in_the_order_of_asking(single: Sandbox) -> None:
    order: list[int] = []
    threads = []
    session = single.session(["python", "-c", ECHO])
    for number in range(5):
        threads.append(
            threading.Thread(target=lambda n=number: order.append(n) if single.run(["true"]).ok else None)
        )
        threads[-1].start()
        time.sleep(0.05)
    session.close()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_closing_ends_what_runs_and_what_waits(backend: str) -> None:
    before = slots(backend, os.getpid())
    single = open_sandbox(backend, slots=1)
    single.run(["true"])
    with ThreadPoolExecutor(2) as threads:
        running = threads.submit(single.run, ["sleep", "60"], limits=Limits(wall_s=20))
        time.sleep(0.2)
        born = slots(backend, os.getpid()) - before
        assert len(born) == 1
        waiting = threads.submit(single.run, ["true"])
        time.sleep(0.1)
        single.close()
        assert running.result(5).reason is Reason.SANDBOX_DIED
        with pytest.raises(SandboxError, match="closed"):
            waiting.result(5)
    with pytest.raises(SandboxError, match="closed"):
        single.run(["true"])
    single.close()
    assert gone(born)


def test_a_session_outlives_its_sandbox_only_as_a_verdict(backend: str) -> None:
    single = open_sandbox(backend, slots=1)
    session = single.session(["python", "-c", ECHO])
    single.close()
    with pytest.raises(SessionEndedError):
        session.receive()
    assert session.close().reason is Reason.SANDBOX_DIED


def test_a_forgotten_sandbox_leaves_no_process(backend: str) -> None:
    before = slots(backend, os.getpid())
    single = open_sandbox(backend, slots=1)
    assert single.run(["true"]).ok
    born = slots(backend, os.getpid()) - before
    assert len(born) == 1
    del single
    gc.collect()
    assert gone(born)


@pytest.mark.parametrize("death", ["os._exit(1)", "os.kill(os.getpid(), 9)", "sys.exit()", "1 / 0"])
def test_a_host_that_dies_leaves_no_process(backend: str, death: str) -> None:
    code = (
        f"import os, sys\nfrom mx_sandboxes import open_sandbox\nsandbox = open_sandbox({backend!r}, slots=2)\n"
        f"session = sandbox.session(['sleep', '60'])\nsandbox.run(['true'])\nprint('up', flush=True)\n"
        f"sys.stdin.read()\n{death}"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as host:
        assert host.stdout is not None
        assert host.stdin is not None
        assert host.stdout.readline() == b"up\n"
        born = slots(backend, host.pid)
        assert len(born) == 2
        host.stdin.close()
        host.wait(20)
    assert gone(born)


def test_no_descriptor_is_left_open(single: Sandbox) -> None:
    """The count is flat from round to round; in the first, an engine's client opens the connections that it keeps."""
    counts = []
    for _ in range(3):
        for _ in range(3):
            single.run(["true"])
            single.run(["sleep", "60"], limits=Limits(wall_s=0.01))  # every time a new slot
            single.session(["python", "-c", ECHO]).close()
        assert single.run(["true"]).ok  # by now the last spare is born
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[2] <= counts[1], counts


def test_a_thread_that_ends_does_not_take_its_slot_along(single: Sandbox) -> None:
    sessions = []
    thread = threading.Thread(target=lambda: sessions.append(single.session(["python", "-c", ECHO])))
    thread.start()
    thread.join()
    time.sleep(0.2)
    sessions[0].send(1)
    assert sessions[0].receive() == 1
    sessions[0].close()


def test_a_thread_that_would_wait_for_itself_is_told_so(backend: str) -> None:
    with open_sandbox(backend, slots=2) as pool:
        sessions = [pool.session(["python", "-c", ECHO]) for _ in range(2)]
        for ask in (lambda: pool.run(["true"]), lambda: pool.session(["true"])):
            with pytest.raises(SandboxError, match="slots=3 or more"):
                ask()
        with ThreadPoolExecutor(1) as thread:  # another thread may well wait
            future = thread.submit(pool.run, ["true"])
            sessions.pop().close()
            assert future.result(30).ok
        assert pool.run(["true"]).ok
        sessions.pop().close()


def test_a_runtime_that_the_engine_lacks_is_named() -> None:
    from mx_sandboxes.backends.docker.engine import check_runtime

    with pytest.raises(SandboxUnavailableError, match=r"no runtime 'runsc'.*it has: runc"):
        check_runtime({"Runtimes": {"runc": {}}}, "runsc")
    check_runtime({"Runtimes": {"runc": {}, "runsc": {}}}, "runsc")
    check_runtime({}, "kata")


def test_a_wrong_name_has_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean 'bubblewrap'"):
        open_sandbox("bublewrap")
    with pytest.raises(ValueError, match="did you mean 'python'"):
        open_sandbox("auto", image="pyton")
    with pytest.raises(ValueError, match="at least one slot"):
        open_sandbox("bubblewrap", slots=0)


def test_a_missing_engine_is_one_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(SandboxUnavailableError, match="no Docker engine answers"):
        open_sandbox("docker")


def test_without_any_backend_auto_names_the_two_ways_to_fix_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SandboxUnavailableError, match=r"start a Docker engine.*install bubblewrap"):
        open_sandbox("auto")


def test_the_docker_sdk_is_imported_only_for_docker() -> None:
    code = (
        "import sys, mx_sandboxes\nwith mx_sandboxes.open_sandbox('bubblewrap', slots=1) as s: s.run(['true'])\n"
        "print('docker' in sys.modules, 'requests' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    if b"SandboxUnavailableError" in done.stderr:
        pytest.skip("bubblewrap does not work here")
    assert done.stdout == b"False False\n", done.stderr
