"""Jobs that would mislead whoever tells how they ended: by signals, process groups, tracers, names, limits and descriptors."""

from __future__ import annotations

from dataclasses import replace

from mx_sandboxes.abuse.case import Bare, Case, Judge, must_end
from mx_sandboxes.abuse.verdicts import CALLS, SHORT, in_time
from mx_sandboxes.sandbox import Completed, Reason

TIMED = in_time(must_end(Reason.WALL_TIME))
BUSY = in_time(must_end(Reason.WALL_TIME, Reason.CPU_TIME))
HANGS = Bare(seconds=2.5, fatal=True)
COUNTED = replace(SHORT, cpu_s=1.0, wall_s=8.0)
MANY = CALLS.replace("STAY", "60")


def exits_with(code: int) -> Judge:
    """The job's own exit code must be told, and nothing else."""

    def judge(done: Completed) -> str | None:
        if done.reason is Reason.EXITED and done.exit_code == code:
            return None
        return f"exit code {code} was told as {done.reason.value}, {done.exit_code}"

    return in_time(judge)


CASES = (
    Case(
        "groups-and-sessions",
        "scatter over sessions and process groups, and stop them all",
        """
import os, signal, time
for number in range(12):
    if os.fork() == 0:
        os.setsid() if number % 2 else os.setpgid(0, 0)
        if os.fork() == 0: os.setpgid(0, 0)
        os.kill(0, signal.SIGSTOP)
        while True: time.sleep(1)
time.sleep(0.2)
os.kill(os.getpid(), signal.SIGSTOP)
time.sleep(60)
""",
        judge=TIMED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "stop-and-go",
        "be stopped and continued faster than whoever waits can look",
        """
import os, signal, time
parent = os.getpid()
for number in (signal.SIGSTOP, signal.SIGCONT):
    if os.fork() == 0:
        while True:
            for pid in (parent, os.getppid()):
                try: os.kill(pid, number)
                except OSError: pass
while True: time.sleep(0.001)
""",
        judge=BUSY,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "handles-of-processes",
        "kill others by handles instead of numbers",
        """
import os, signal
for pid in range(1, 3000):
    if pid == os.getpid(): continue
    try: handle = os.pidfd_open(pid)
    except OSError: continue
    for number in (signal.SIGSTOP, signal.SIGKILL):
        try: signal.pidfd_send_signal(handle, number)
        except OSError: pass
    os.close(handle)
""",
        judge=in_time(),
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "traced-by-its-starter",
        "make whoever started the job its tracer, who is told of stops in place of the end",
        MANY + 'if call((101, 117), 0, 0, 0, 0) == 0: through("the parent is a tracer now")\n',
    ),
    Case(
        "adopted-orphans",
        "adopt one's orphans, so that they do not come to whoever buries them",
        MANY
        + """
if os.fork() == 0:
    libc.prctl(36, 1, 0, 0, 0)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3): os.dup2(null, fd)
    for _ in range(10):
        if os.fork() == 0:
            os.setsid()
            os.fork()
            time.sleep(8)
            os._exit(0)
    time.sleep(8)
    os._exit(0)
time.sleep(0.2)
""",
        judge=exits_with(0),
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "unreadable-processes",
        "hide memory in processes whose entries in /proc belong to root",
        MANY
        + """
for _ in range(8):
    if os.fork() == 0:
        libc.prctl(4, 0, 0, 0, 0)
        kept = bytearray(os.urandom(1) * (40 << 20))
        time.sleep(4)
        os._exit(0)
time.sleep(4)
through("320 MiB at once where 128 are allowed")
""",
        judge=must_end(Reason.MEMORY),
        limits=replace(SHORT, wall_s=8.0),
    ),
    Case(
        "misleading-names",
        "have a name that reads like the figures beside it, and compute",
        MANY
        + """
for _ in range(3):
    os.fork()
    libc.prctl(15, b") Z 0 0 0 0 (", 0, 0, 0)
end = time.monotonic() + 6
while time.monotonic() < end: pass
""",
        judge=must_end(Reason.CPU_TIME),
        limits=COUNTED,
    ),
    Case(
        "no-descriptors",
        "close everything and sleep, so that whoever reads to the end takes it for the end",
        "import os, time\nos.closerange(0, 4096)\ntime.sleep(60)\n",
        judge=TIMED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "packets-for-output",
        "make whoever reads the output do it byte by byte",
        """
import fcntl, os
fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL) | os.O_DIRECT)
for _ in range(3): os.fork()
while True: os.write(1, b"x")
""",
        judge=in_time(must_end(Reason.WALL_TIME, Reason.CPU_TIME, Reason.OUTPUT)),
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "output-of-orphans",
        "end, and leave the writing to others",
        """
import os
for _ in range(6):
    if os.fork() == 0:
        os.setsid()
        try:
            while True: os.write(1, b"all tests passed\\n" * 4)
        except OSError: os._exit(0)
os._exit(7)
""",
        judge=in_time(lambda done: None if not done.ok else "an exit code of 7 was told as success"),
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "limits-of-others",
        "take processor time, memory and descriptors away from whoever watches",
        MANY
        + """
import struct
pair = struct.pack("QQ", 1, 1)
for pid in {1, os.getppid(), *range(2, 200)} - {os.getpid(), 0}:
    for kind in (0, 1, 6, 7, 9, 11):
        if call((302, 261), pid, kind, pair, None) == 0: through("set limit", kind, "of process", pid)
""",
        bare=Bare(seconds=2.5, fatal=True),
    ),
    Case(
        "limits-of-its-own",
        "take everything away from oneself but the time",
        """
import resource, time
for kind in range(16):
    try: resource.setrlimit(kind, (0, 0))
    except (OSError, ValueError): pass
try:
    while True: time.sleep(1)
except BaseException: pass
""",
        judge=BUSY,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "priorities-of-others",
        "send whoever watches to the end of every queue, or to a processor of the job's choice",
        MANY
        + """
for pid in {1, os.getppid(), *range(2, 200)} - {os.getpid(), 0}:
    try: os.setpriority(os.PRIO_PROCESS, pid, 19); through("took priority from process", pid)
    except OSError: pass
    try: os.sched_setaffinity(pid, {min(os.sched_getaffinity(0))}); through("bound process", pid)
    except OSError: pass
    try: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)); through("made idle: process", pid)
    except OSError: pass
""",
        bare=Bare(seconds=4.0, fatal=True),
    ),
    Case(
        "endless-renewal",
        "become another program over and over, so that no look finds the same one twice",
        """
import os
os.execv("/bin/sh", ["sh", "-c", "x=$0; exec sh -c \\"$x\\" \\"$x\\"", "x=$0; exec sh -c \\"$x\\" \\"$x\\""])
""",
        judge=BUSY,
        limits=SHORT,
        bare=HANGS,
    ),
)
