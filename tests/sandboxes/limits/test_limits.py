"""Every limit holds, and says that it was the one."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from mx_sandboxes import Completed, Limits, Reason, Sandbox

QUICK = Limits(wall_s=1.0)


def run(sandbox: Sandbox, code: str, limits: Limits) -> Completed:
    start = time.monotonic()
    done = sandbox.run(["python", "-c", code], limits=limits)
    assert time.monotonic() - start < limits.wall_s + 5
    return done


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(60)",
        "import signal, time\nfor n in signal.valid_signals() - {9, 19}: signal.signal(n, signal.SIG_IGN)\ntime.sleep(60)",
        "import os, time\nos.fork() or (os.setsid(), os.fork() or time.sleep(60))\ntime.sleep(60)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "import sys; sys.stdin.read(); import threading; threading.Event().wait()",
    ],
)
def test_wall_time(sandbox: Sandbox, code: str) -> None:
    done = run(sandbox, code, replace(QUICK, wall_s=0.5))
    assert (done.reason, done.exit_code) == (Reason.WALL_TIME, None)
    assert 0.5 <= done.wall_s < 2


def test_a_program_s_output_before_its_end_is_kept(sandbox: Sandbox) -> None:
    done = run(
        sandbox, "import time; print('so far', flush=True); time.sleep(60)", replace(QUICK, wall_s=0.5)
    )
    assert done.stdout == b"so far\n"


def test_what_a_program_leaves_running_dies_with_it(sandbox: Sandbox) -> None:
    """A daemon that holds the output open neither delays the verdict nor survives it."""
    code = "import os, time\nif os.fork() == 0:\n    os.setsid()\n    os.fork()\n    time.sleep(60)\nprint('done')"
    start = time.monotonic()
    done = sandbox.run(["python", "-c", code])
    assert (done.ok, done.stdout) == (True, b"done\n")
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass",
        "import os\nfor _ in range(3): os.fork()\nwhile True: pass",
    ],
)
def test_cpu_time(sandbox: Sandbox, code: str) -> None:
    done = run(sandbox, code, Limits(wall_s=9, cpu_s=0.4))
    assert done.reason is Reason.CPU_TIME
    assert 0.3 < done.cpu_s < 3


@pytest.mark.parametrize(
    "code",
    [
        "x = bytearray(1 << 40)",
        "x = []\nwhile True: x.append(bytearray(b'x' * (1 << 20)))",
        "import os, time\nos.fork(); os.fork()\nx = bytearray(b'x' * (40 << 20)); time.sleep(5)",
    ],
)
def test_memory(sandbox: Sandbox, code: str) -> None:
    assert run(sandbox, code, Limits(memory_bytes=100 << 20)).reason is Reason.MEMORY


def test_memory_that_is_handled_is_no_matter(sandbox: Sandbox) -> None:
    code = "try: bytearray(1 << 40)\nexcept MemoryError: print('handled')"
    assert run(sandbox, code, Limits()).stdout == b"handled\n"


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_output(sandbox: Sandbox, stream: str) -> None:
    code = f"import sys\nwhile True: sys.{stream}.write('x' * 1000)"
    done = run(sandbox, code, Limits(output_bytes=10_000))
    assert done.reason is Reason.OUTPUT
    assert len(done.stdout) + len(done.stderr) == 10_000


def test_output_up_to_the_limit_is_all_there(sandbox: Sandbox) -> None:
    done = run(sandbox, "print('x' * 9999)", Limits(output_bytes=10_000))
    assert (done.reason, len(done.stdout)) == (Reason.EXITED, 10_000)
    assert run(sandbox, "print('x' * 10000)", Limits(output_bytes=10_000)).reason is Reason.OUTPUT


def test_file_size(sandbox: Sandbox) -> None:
    code = "import errno\ntry: open('a', 'wb').write(bytes(2 << 20))\nexcept OSError as e: print(errno.errorcode[e.errno])"
    assert run(sandbox, code, Limits(file_bytes=1 << 20)).stdout == b"EFBIG\n"


@pytest.mark.parametrize("place", ["/work", "/tmp", "/dev/shm"])
def test_workspace_size(sandbox: Sandbox, place: str) -> None:
    code = (
        f"import errno\ntry:\n  for n in range(100): open('{place}/%d' % n, 'wb').write(bytes(1 << 20))\n"
        "except OSError as e: print(n, errno.errorcode[e.errno])"
    )
    assert run(sandbox, code, Limits(workspace_bytes=8 << 20)).stdout in (b"7 ENOSPC\n", b"8 ENOSPC\n")


def test_number_of_files(sandbox: Sandbox) -> None:
    code = (
        "import errno\ntry:\n  for n in range(10**6): open(str(n), 'w').close()\n"
        "except OSError as e: print(errno.errorcode[e.errno])"
    )
    assert run(sandbox, code, Limits(workspace_bytes=8 << 20)).stdout == b"ENOSPC\n"


def test_open_files(sandbox: Sandbox) -> None:
    code = (
        "import errno\nx = []\ntry:\n  while True: x.append(open('/dev/null'))\n"
        "except OSError as e: print(len(x), errno.errorcode[e.errno])"
    )
    assert run(sandbox, code, Limits(open_files=32)).stdout == b"29 EMFILE\n"


def test_processes(sandbox: Sandbox) -> None:
    code = (
        "import os, time\nn = 1\ntry:\n  while True:\n    if os.fork() == 0: time.sleep(60)\n    n += 1\n"
        "except BlockingIOError: print(n)"
    )
    assert run(sandbox, code, Limits(pids=10)).stdout == b"10\n"


def test_a_fork_bomb_ends_and_the_next_job_runs(sandbox: Sandbox) -> None:
    done = run(
        sandbox, "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", Limits(wall_s=1, pids=32)
    )
    assert done.reason in (Reason.WALL_TIME, Reason.CPU_TIME, Reason.MEMORY)
    assert sandbox.run(["python", "-c", "pass"]).ok


def test_no_core_dumps(sandbox: Sandbox) -> None:
    done = run(sandbox, "import os; os.abort()", Limits())
    assert done.exit_code == -6
    assert sandbox.run(["sh", "-c", "ulimit -c"]).stdout == b"0\n"


def test_a_job_that_hit_a_limit_still_hands_out_files(sandbox: Sandbox) -> None:
    done = sandbox.run(
        ["python", "-c", "open('a', 'w').write('x')\nwhile True: pass"],
        collect=["a"],
        limits=replace(QUICK, wall_s=0.5),
    )
    assert (done.reason, done.files) == (Reason.WALL_TIME, {"a": b"x"})


FILL = "n = 0\nwhile True:\n    open(f'{n}', 'wb').write(bytes(1 << 20))\n    n += 1"
MANY = "n = 0\nwhile True:\n    open(f'{n}', 'w').close()\n    n += 1"
DESCRIPTORS = "x = []\nwhile True: x.append(open('/dev/null'))"
FORKS = "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)"
THREADS = (
    "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(3,), daemon=True).start()"
)
SMALL = Limits(
    workspace_bytes=8 << 20, inodes=200, file_bytes=2 << 20, open_files=32, pids=10, memory_bytes=128 << 20
)


@pytest.mark.parametrize(
    ("code", "reason", "word"),
    [
        (FILL, Reason.DISK, b"ENOSPC|No space"),
        (MANY, Reason.INODES, b"No space"),
        ("open('a', 'wb').write(bytes(3 << 20))", Reason.FILE_SIZE, b"too large"),
        (DESCRIPTORS, Reason.OPEN_FILES, b"Too many open files"),
        (FORKS, Reason.PROCESSES, b"BlockingIOError"),
        (THREADS, Reason.PROCESSES, b"can't start new thread"),
    ],
)
def test_dying_of_what_a_limit_refused_has_its_reason(
    sandbox: Sandbox, code: str, reason: Reason, word: bytes
) -> None:
    done = run(sandbox, code, SMALL)
    assert (done.reason, done.exit_code) == (reason, None), done
    assert reason in done.limits_hit
    assert any(each in done.stderr for each in word.split(b"|")), "the traceback is there"
    assert done.peak_memory_bytes > 1 << 20
    assert done.cpu_s > 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (f"try:\n  exec({FILL!r})\nexcept OSError: pass", Reason.DISK),
        (f"try:\n  exec({MANY!r})\nexcept OSError: pass", Reason.INODES),
        (f"try:\n  exec({FORKS!r})\nexcept OSError: time.sleep(1)", Reason.PROCESSES),
    ],
)
def test_a_limit_that_was_reached_and_handled_is_told_all_the_same(
    sandbox: Sandbox, code: str, reason: Reason
) -> None:
    done = run(sandbox, "import time\n" + code, SMALL)
    assert (done.reason, done.exit_code, done.limits_hit) == (Reason.EXITED, 0, (reason,))


def test_a_program_killed_for_a_file_s_size_says_so(sandbox: Sandbox) -> None:
    done = sandbox.run(["sh", "-c", "exec head -c 3000000 /dev/zero > big"], limits=SMALL)
    assert (done.reason, done.exit_code) == (Reason.FILE_SIZE, None)


def test_the_limits_that_kill_are_among_those_that_were_hit(sandbox: Sandbox) -> None:
    assert run(sandbox, "while True: pass", Limits(cpu_s=0.3)).limits_hit == (Reason.CPU_TIME,)
    assert run(sandbox, "import time; time.sleep(9)", Limits(wall_s=0.2)).limits_hit == (Reason.WALL_TIME,)
    assert run(sandbox, "while True: print(1)", Limits(output_bytes=99)).limits_hit == (Reason.OUTPUT,)
    assert run(sandbox, "pass", Limits()).limits_hit == ()


def test_an_error_that_only_looks_like_a_limit_is_the_program_s_own(sandbox: Sandbox) -> None:
    done = run(sandbox, "raise BlockingIOError(11, 'a socket that has nothing yet')", Limits())
    assert (done.reason, done.exit_code) == (Reason.EXITED, 1)
