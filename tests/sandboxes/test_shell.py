"""A look inside a slot: what the shell sees is what a job sees, on a terminal and from a pipe."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mx_sandboxes import Limits, Sandbox
from mx_sandboxes.shell.shell import run_shell

MX = [sys.executable, "-m", "mx_agents.cli", "sandbox", "shell"]


@contextmanager
def piped(text: bytes) -> Iterator[int]:
    """A descriptor from which that can be read."""
    out, into = os.pipe()
    writer = threading.Thread(target=lambda: (os.write(into, text), os.close(into)), daemon=True)
    writer.start()
    try:
        yield out
    finally:
        writer.join(10)
        os.close(out)


def said(
    sandbox: Sandbox, commands: bytes, place: Path, limits: Limits | None = None
) -> tuple[int | str, bytes]:
    """What a shell that is fed from a pipe ends with, and what it writes."""
    with piped(commands) as source, (place / "out").open("wb", buffering=0) as sink:
        end = run_shell(sandbox, source, sink.fileno(), limits=limits)
    return end, (place / "out").read_bytes()


def test_commands_from_a_pipe_see_what_a_job_sees(sandbox: Sandbox, tmp_path: Path) -> None:
    look = b"pwd; ls / | tr '\\n' ' '; hostname; echo $HOME; grep -E '^(NoNewPrivs|CapEff|Seccomp):' /proc/self/status"
    end, out = said(sandbox, look + b"\necho oops >&2; exit 7\n", tmp_path)
    assert end == 7
    assert out.endswith(b"oops\n")
    assert out[: -len(b"oops\n")] == sandbox.run(["sh", "-c", look.decode()]).stdout


def test_input_that_the_shell_does_not_read_stops_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    lines = b"true # " + b"x" * 80 + b"\n"
    end, out = said(
        sandbox, b"head -c 300000 /dev/zero; sleep 0.3\n" + lines * 3000 + b"echo; echo end\n", tmp_path
    )
    assert end == 0
    assert out[:300000] == bytes(300000)
    assert out.endswith(b"end\n")


def test_the_shell_has_a_jobs_limits_and_says_which_one_ended_it(sandbox: Sandbox, tmp_path: Path) -> None:
    hog = b"python -c 'x = bytearray(90 << 20); import time; time.sleep(60)'"
    end, _ = said(sandbox, hog + b" & " + hog + b"\n", tmp_path, Limits(memory_bytes=128 << 20))
    assert end == "memory" or (
        isinstance(end, int) and end != 0
    )  # the kernel may take the hog before the shell


def test_on_a_terminal_it_is_interactive_and_leaves_the_terminal_as_it_was(sandbox: Sandbox) -> None:
    ours, theirs = pty.openpty()
    out, into = os.pipe()

    def type_slowly() -> None:
        time.sleep(0.7)
        os.write(ours, b"echo $((6*7))\n")
        time.sleep(0.3)
        os.write(ours, b"exit 3\n")

    typist = threading.Thread(target=type_slowly, daemon=True)
    typist.start()
    assert run_shell(sandbox, theirs, into) == 3
    typist.join()
    os.write(ours, b"cooked\n")  # a line comes through with echo, as on any terminal that is not raw
    assert os.read(theirs, 100) == b"cooked\n"
    os.close(into)
    assert b"42" in b"".join(iter(lambda: os.read(out, 4096), b""))
    for fd in (ours, theirs, out):
        os.close(fd)


def test_the_command_ends_as_its_shell_does(backend: str) -> None:
    done = subprocess.run(
        [*MX, "--sandbox", backend], input=b"echo here; exit 5\n", capture_output=True, check=False
    )
    assert done.returncode == 5, done.stderr
    assert done.stdout == b"here\n"
    assert b"A job's view of " + backend.encode() in done.stderr
