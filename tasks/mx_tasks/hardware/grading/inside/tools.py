"""Runs inside the grading sandbox: one tool run under its own limits of processor time and memory."""

import contextlib
import os
import resource
import signal
import subprocess
import time
from typing import Dict, List, NamedTuple

MEMORY = 900 << 20
FILE = 96 << 20
LARGEST_OUTPUT = 24 << 20


class LimitError(Exception):
    """A tool used up its processor time or memory; the message says which tool."""


class Ran(NamedTuple):
    """How a tool ended."""

    code: int
    output: str
    errors: str


spent: Dict[str, float] = {}
"""Processor seconds by step."""

deadline = [30.0]
"""Processor seconds that all tools together may use."""


def left() -> float:
    """Processor seconds that are left: of those for the tools and for what drives them."""
    return deadline[0] - sum(spent.values()) - time.process_time()


def run(step: str, argv: List[str], cpu_s: float, *, folder: str = ".", text: str = "") -> Ran:
    """Run a tool to its end; at most ``cpu_s`` seconds of processor time. Raises LimitError."""
    cpu = max(1, int(min(cpu_s, left()) + 0.999))
    if left() <= 0:
        raise LimitError(f"{step}: no processor time left")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_FSIZE, (FILE, FILE))

    with open("mx_in", "wb") as script:
        script.write(text.encode())
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with open("mx_in", "rb") as given, open("mx_out", "wb") as out, open("mx_err", "wb") as err:
        started = subprocess.Popen(
            argv, cwd=folder, stdin=given, stdout=out, stderr=err, preexec_fn=limit, start_new_session=True
        )
        code = _ended(started, 20.0 * cpu + 20.0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    spent[step] = spent.get(step, 0.0) + used
    with open("mx_out", "rb") as stream:
        output = stream.read(LARGEST_OUTPUT).decode("ascii", "replace")
    with open("mx_err", "rb") as stream:
        errors = stream.read(1 << 20).decode("ascii", "replace")
    if code in (-signal.SIGXCPU, -signal.SIGKILL) or used >= cpu:
        raise LimitError(f"{step}: over {cpu} s of processor time")
    if (
        code == -signal.SIGXFSZ
        or code == -signal.SIGABRT
        or "bad_alloc" in errors
        or "Cannot allocate" in errors
    ):
        raise LimitError(f"{step}: over its memory")
    return Ran(code, output, errors)


def _ended(started: "subprocess.Popen[bytes]", wall_s: float) -> int:
    """Wait for a tool's end; one that takes so long, asleep and not at work, is killed.

    With a signal, since ``Popen.wait`` with a time-out looks only every now and then.
    """

    def kill(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.killpg(started.pid, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    signal.setitimer(signal.ITIMER_REAL, wall_s)
    try:
        return started.wait()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
