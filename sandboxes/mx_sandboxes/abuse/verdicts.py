"""Jobs that would rather have no verdict than a bad one: they try to end, hang or starve their slot, or to lie about it.

`ENDINGS` are whole programs, for whoever wants to see what becomes of one who plays them.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from mx_sandboxes.abuse.bare import BarePlace
from mx_sandboxes.abuse.case import PRELUDE, QUICK, SIZES, Bare, Case, Judge, Staged, must_end, printed
from mx_sandboxes.sandbox import Capabilities, Completed, How, Limits, Reason

LATE_S = 1.0
"""Seconds beyond its wall time by which a job must have its verdict, on a machine that runs tests."""
SHORT = Limits(wall_s=2.0, cpu_s=20.0, **SIZES)
CALLS = """
import ctypes, os, platform, resource, signal, socket, sys, time
libc = ctypes.CDLL(None, use_errno=True)
intel = platform.machine() == "x86_64"
def call(pair, *words):
    done = libc.syscall(pair[not intel], *words)
    return done if done >= 0 else -ctypes.get_errno()
def made_with(flags):
    pid = call((56, 220), ctypes.c_ulong(flags | 17), 0, 0, 0, 0)
    if pid == 0:
        time.sleep(STAY)
        os._exit(0)
    return pid
def unshielded():
    for wish in ("-1000", "0", "500"):
        try:
            with open("/proc/self/oom_score_adj", "w") as file: file.write(wish)
            return
        except OSError: pass
"""
SIBLING = (
    CALLS.replace("STAY", "60")
    + """
if made_with(0x8000) > 0: through("made a process that whoever started this one has to bury")
"""
)
DEAD_SIBLING = (
    CALLS.replace("STAY", "0")
    + """
if made_with(0x8000) > 0: through("left a dead process to whoever started this one")
time.sleep(0.1)
"""
)
BY_NUMBER = """
import os, signal
for pid in range(1, 3000):
    for number in range(1, 65):
        if pid == os.getpid() or number in (18, 28, 32, 33): continue
        try: os.kill(pid, number)
        except OSError: pass
"""
STOP_ALL = """
import os, signal, time
for _ in range(10):
    if os.fork() == 0:
        while True: time.sleep(1)
for pid in (-1, os.getppid(), os.getpid()):
    try: os.kill(pid, signal.SIGSTOP)
    except OSError: pass
time.sleep(60)
"""
FIRST_THREAD = """
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(60,)).start()
ctypes.CDLL(None).pthread_exit(None)
"""
BLOCKED_PARENT = (
    CALLS.replace("STAY", "60")
    + """
if os.fork() == 0:
    call((58, 220), 0x4111, 0, 0, 0, 0) if not intel else libc.syscall(58)
    time.sleep(60)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
libc.syscall(58) if intel else None
time.sleep(60)
"""
)
ORPHANS = """
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
end = time.monotonic() + 60
while time.monotonic() < end:
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0: time.sleep(0.001)
            os._exit(0)
    except OSError: pass
"""
LOTTERY = (
    CALLS.replace("STAY", "0")
    + """
unshielded()
for _ in range(40):
    try:
        if os.fork() == 0:
            kept = []
            try:
                while True: kept.append(bytearray(os.urandom(1) * (1 << 20)))
            except MemoryError: time.sleep(60)
    except OSError: break
time.sleep(60)
"""
)
BUFFERS = (
    CALLS.replace("STAY", "0")
    + """
unshielded()
for _ in range(28):
    try:
        if os.fork(): continue
    except OSError: break
    kept = []
    for _ in range(20):
        try:
            one, other = socket.socketpair()
            kept += [one, other]
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            while True: one.send(bytes(65536))
        except OSError: pass
    time.sleep(60)
time.sleep(60)
"""
)
MAPPINGS = (
    CALLS.replace("STAY", "0")
    + """
libc.mmap.restype = ctypes.c_void_p
for _ in range(28):
    try:
        if os.fork(): continue
    except OSError: break
    for number in range(25600):
        libc.mmap(None, ctypes.c_size_t(4096), 1 + 2 * (number % 2), 0x22, -1, ctypes.c_long(0))
    while True: time.sleep(1)
time.sleep(60)
"""
)
SIGNALS_AT_ONE = """
import os, signal, time
for _ in range(8):
    if os.fork() == 0:
        while True:
            for number in (10, 12, 17, 34, 64):
                try: os.kill(1, number); os.kill(os.getppid(), 0)
                except OSError: pass
time.sleep(60)
"""
FORGED = """
import os, struct, time
lie = b'{"reason": "exited", "exit_code": 0, "wall_s": 0.1, "cpu_s": 0.1, "peak_memory_bytes": 1, "limits_hit": []}'
for fd in range(1024):
    for kind in (b"X", b"D", b"C", b"A"):
        body = struct.pack(">I", len(lie)) + lie
        try:
            os.set_blocking(fd, False)
            os.write(fd, struct.pack(">I", len(body)) + kind + body)
        except OSError: pass
os._exit(9)
"""
FULL = """
import os, time
for place in ("/work", "/tmp", "/dev/shm", "/var/tmp", "/run"):
    try:
        os.chdir(place)
        for number in range(20000): os.close(os.open("x" * 200 + str(number), os.O_CREAT | os.O_WRONLY))
    except OSError: pass
    try:
        with open(os.path.join(place, "x"), "wb") as file:
            while True: file.write(bytes(1 << 20))
    except OSError: pass
while True: time.sleep(1)
"""
THREADS = """
import os, threading, time
def grow():
    while True:
        try: threading.Thread(target=grow).start()
        except RuntimeError: time.sleep(0.001)
for _ in range(4):
    try: os.fork()
    except OSError: pass
grow()
"""
ENDINGS = {
    "a sibling": SIBLING,
    "a dead sibling": DEAD_SIBLING,
    "every signal to every number": BY_NUMBER,
    "everything stopped": STOP_ALL,
    "the first thread leaves": FIRST_THREAD,
    "a parent that waits for its borrower": BLOCKED_PARENT,
    "a storm of orphans": ORPHANS,
    "a lottery of memory": LOTTERY,
    "the kernel's buffers": BUFFERS,
    "a million mappings": MAPPINGS,
    "signals at process 1": SIGNALS_AT_ONE,
    "forged messages": FORGED,
    "full disks": FULL,
    "a storm of threads": THREADS,
}
"""Programs by what they try."""


def in_time(judge: Judge = printed) -> Judge:
    """The verdict must come in time, whatever it is, and the other judge agree."""

    def judged(done: Completed) -> str | None:
        if done.reason in (Reason.BROKE_SANDBOX, Reason.SANDBOX_DIED):
            return f"its slot died: {done.cause}"
        if done.wall_s > SHORT.wall_s + LATE_S:
            return f"the verdict took {done.wall_s:.1f} s where {SHORT.wall_s} s were allowed"
        return judge(done)

    return judged


def truthful(done: Completed) -> str | None:
    """The processor time of children whom nobody waits for is told."""
    return None if done.cpu_s > 0.6 else f"a second of computing was told as {done.cpu_s:.2f} s"


def looked_up(_: Staged) -> str | None:
    """How long one who reads /proc is held up by mappings."""
    count = "import os, time\nbegan = time.monotonic()\n" + "\n".join(
        [
            "for name in os.listdir('/proc'):",
            "    if name.isdigit() and name != '1':",
            "        try: open(f'/proc/{name}/maps').read()",
            "        except OSError: pass",
            "took = time.monotonic() - began",
            "if took > 0.02: through(f'whoever reads what each process has mapped needs {took:.2f} s')",
        ]
    )
    few = MAPPINGS.replace("range(28)", "range(8)").rpartition("time.sleep(60)")[0]
    few = few.replace("while True: time.sleep(1)", "time.sleep(5); os._exit(0)")
    with BarePlace(Bare()) as place:
        return printed(place.run([sys.executable, "-c", f"{PRELUDE}{few}\ntime.sleep(1.5)\n{count}"]))


def own_children(_: Staged) -> str | None:
    """What the kernel tells a parent of children whom it has not waited for."""
    program = UNWAITED + "\nused = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime\n"
    program += "if used < 0.6: through(f'a second of computing was told as {used:.2f} s')"
    with BarePlace(Bare()) as place:
        return printed(place.run([sys.executable, "-c", f"{PRELUDE}{program}"]))


UNWAITED = """
import os, resource, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
end = time.monotonic() + 20
for _ in range(50):
    if os.fork() == 0:
        stop = time.process_time() + 0.02
        while time.process_time() < stop and time.monotonic() < end: pass
        os._exit(0)
    try: os.wait()
    except ChildProcessError: pass
"""
CACHE = (
    CALLS.replace("STAY", "0")
    + """
class Piece(ctypes.Structure): _fields_ = [("at", ctypes.c_void_p), ("size", ctypes.c_size_t)]
def found():
    tops = ("/usr/share/perl", "/usr/share/doc", "/usr/share", "/usr/lib")
    return (os.path.join(top, name) for first in tops for top, _, names in os.walk(first) for name in names)
def a_file():
    for path in found():
        if os.path.isfile(path) and not os.path.islink(path) and 8192 < os.path.getsize(path) < 1 << 18: return path
path = a_file()
fd = os.open(path, os.O_RDONLY)
room = ctypes.create_string_buffer(4096)
piece = Piece(ctypes.addressof(room), 4096)
def cached():
    return call((327, 286), fd, ctypes.byref(piece), 1, ctypes.c_long(0), ctypes.c_long(0), 8)
"""
)


def unparted(_: Capabilities) -> str:
    """Why a container's own server may be killed for a job."""
    if os.geteuid() == 0:
        return ""
    return "only root may give jobs a control group of their own in a container's"


def uncounted(found: Capabilities) -> str:
    """Why a second of computing may be told as less, where nobody counts but the job's keeper."""
    return (
        ""
        if found["memory"].how is How.KERNEL
        else "without a control group only the living and the waited for are counted"
    )


CASES = (
    Case(
        "sibling-process",
        "make a process that whoever started the job has to bury, and hang it on that",
        SIBLING,
        judge=in_time(),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True),
    ),
    Case(
        "dead-sibling",
        "leave a dead process where nobody buries it",
        DEAD_SIBLING,
        judge=in_time(),
        limits=SHORT,
    ),
    Case(
        "traced-child",
        "make a process that no tracer may follow",
        CALLS.replace("STAY", "0") + 'if made_with(0x800000) > 0: through("made a child untraceable")',
    ),
    Case(
        "shared-disk-queue",
        "make a process that shares its place in the disks' queues",
        CALLS.replace("STAY", "0")
        + 'if made_with(0x80000000) > 0: through("made a child with the same input-output context")',
    ),
    Case(
        "signals-by-number",
        "send every signal to every process number there may be",
        BY_NUMBER,
        judge=in_time(),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True),
    ),
    Case(
        "stopped-family",
        "stop oneself and everybody else, so that none ends",
        STOP_ALL,
        judge=in_time(must_end(Reason.WALL_TIME)),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True),
    ),
    Case(
        "first-thread-leaves",
        "let the first thread end while another lives, so that whoever waits for the process waits on",
        FIRST_THREAD,
        judge=in_time(must_end(Reason.WALL_TIME)),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True),
    ),
    Case(
        "waiting-parent",
        "wait for a child that borrows one's memory, where no signal but one gets through",
        BLOCKED_PARENT,
        judge=in_time(must_end(Reason.WALL_TIME)),
        limits=SHORT,
        bare=Bare(timeout="SIGTERM", seconds=4.0, fatal=True),
    ),
    Case(
        "storm-of-orphans",
        "make orphans faster than they are buried",
        ORPHANS,
        judge=in_time(),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True),
    ),
    Case(
        "signals-at-process-one",
        "keep whoever buries the dead awake by signals",
        SIGNALS_AT_ONE,
        judge=in_time(must_end(Reason.WALL_TIME, Reason.CPU_TIME)),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True),
    ),
    Case(
        "storm-of-threads",
        "take every process number that there is, and go on asking",
        THREADS,
        judge=in_time(),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True, memory=1 << 30),
    ),
    Case(
        "unshielded-buffers",
        "fill the kernel's buffers as the one to be killed last, so that whoever watches is killed first",
        BUFFERS,
        judge=in_time(must_end(Reason.MEMORY, Reason.WALL_TIME)),
        limits=SHORT,
        bare=Bare(seconds=2.5, fatal=True),
        unenforced={"docker": unparted},
    ),
    Case(
        "many-mappings",
        "hold up whoever adds up what each process has mapped",
        MAPPINGS,
        judge=in_time(),
        limits=SHORT,
        control=looked_up,
    ),
    Case(
        "told-processor-time",
        "compute for a second in children of whom nothing is told",
        UNWAITED,
        judge=truthful,
        limits=replace(SHORT, wall_s=20.0),
        control=own_children,
        unenforced={"bubblewrap": uncounted},
    ),
    Case(
        "evicted-pages",
        "make the host read its files anew",
        CACHE
        + """
os.read(fd, 4096)
if cached() > 0:
    call((221, 223), fd, ctypes.c_long(0), ctypes.c_long(0), 4)
    if cached() < 0: through("evicted what the host had cached of", path)
""",
    ),
    Case(
        "cached-or-not",
        "learn which files the host has read lately",
        CACHE
        + """
os.read(fd, 4096)
if cached() > 0: through("was told that this is cached:", path)
""",
    ),
    Case(
        "pages-sent-out",
        "send pages of a mapped file out of memory",
        CACHE
        + """
import mmap
where = mmap.mmap(-1, 4096)
where[0] = 1
at = ctypes.addressof(ctypes.c_char.from_buffer(where))
if call((28, 233), ctypes.c_void_p(at), ctypes.c_long(4096), 21) == 0: through("the kernel sent them out")
""",
    ),
)
assert QUICK.memory_bytes == SHORT.memory_bytes  # noqa: S101  one slot serves all families
