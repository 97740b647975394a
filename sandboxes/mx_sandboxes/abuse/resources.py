"""Programs that take more than they may have: memory, disk, output, descriptors, and what the kernel has only once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mx_sandboxes.abuse.case import LONG, QUICK, Bare, Case, Judge, Staged, must_end, printed, source
from mx_sandboxes.backends.bubblewrap.jail import open_bubblewrap
from mx_sandboxes.limits import cgroups
from mx_sandboxes.sandbox import Completed, How, Reason


def at_most(size: int) -> Judge:
    """No more output than this comes back."""

    def judge(done: Completed) -> str | None:
        got = len(done.stdout) + len(done.stderr)
        return f"{got} bytes of output came back" if got > size else None

    return judge


def flooded(done: Completed) -> str | None:
    """The flood was cut off at the limit, and the caller is told so."""
    found = at_most(QUICK.output_bytes)(done)
    if found is None and done.reason is not Reason.OUTPUT:
        return f"a flood ended with: {done.reason.value}"
    return found


def exactly(expected: bytes) -> Judge:
    """These bytes and no others come back."""

    def judge(done: Completed) -> str | None:
        return printed(done) or (
            None
            if done.stdout == expected and done.stderr == b""
            else f"the output came back as {done.stdout[:60]!r}"
        )

    return judge


BUFFERS = """
import mmap, os, socket, time
shared, block = mmap.mmap(-1, 4096), bytes(32768)
children = []
for number in range(28):
    pid = os.fork()
    if pid == 0:
        kept, size = [], 0
        try:
            while True:
                for one in socket.socketpair():
                    kept.append(one)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
                    one.setblocking(False)
                    try:
                        while size < 250 << 20:
                            size += one.send(block)
                            shared[number] = size >> 20
                    except BlockingIOError: pass
        except OSError: pass
        time.sleep(6)
        os._exit(0)
    children.append(pid)
def there(pid):
    try:
        with open(f"/proc/{pid}/statm") as file: return not file.read().startswith("0 ")
    except OSError: return False
end = time.monotonic() + 6
while time.monotonic() < end:
    time.sleep(0.02)
    sizes = list(shared[:28])
    held = sum(size for size, pid in zip(sizes, children) if there(pid))
    if held > stage["most"]:
        through(f"the kernel keeps {held} MB for this job")
        break
"""
METERED = "no control group can be made here, and only that counts what the kernel keeps on behalf of a job"


@contextmanager
def buffer_size() -> Iterator[Staged]:
    """What the kernel may keep at most: the slot's own limit."""
    yield Staged({"most": cgroups.room_bytes(LONG) >> 20})


def metered_only(staged: Staged) -> str | None:
    """The same in a jail without a control group."""
    with open_bubblewrap(slots=1, limits=LONG, control_groups=False) as sandbox:
        return printed(sandbox.run(["python", "-c", source(BUFFERS, staged)], limits=LONG))


NOISE = bytes(range(256)) * 4 + b"\x1b[2J\x1b]0;title\x07\xff\xfe\x00\r\n"

CASES = (
    Case(
        "memory-bomb",
        "take four times the memory",
        """
kept = []
for _ in range(32): kept.append(b"x" * (16 << 20))
through("holds 512 MB")
""",
        judge=must_end(Reason.MEMORY),
        limits=LONG,
    ),
    Case(
        "shared-memory",
        "take memory in many processes at once, each within its own limit",
        """
import os, time
for _ in range(6):
    if os.fork() == 0:
        block = b"x" * (64 << 20)
        time.sleep(1.5)
        os._exit(0)
time.sleep(1.2)
through("six processes hold 384 MB")
""",
        judge=must_end(Reason.MEMORY),
        limits=LONG,
    ),
    Case(
        "socket-buffers",
        "keep data in the kernel's buffers, which count as no process's memory",
        BUFFERS,
        limits=LONG,
        stage=buffer_size,
        control=metered_only,
        unenforced={"bubblewrap": lambda found: "" if found["memory"].how is How.KERNEL else METERED},
    ),
    Case(
        "anonymous-shared-memory",
        "take shared memory that no process has mapped in",
        """
import mmap, time
kept = []
for _ in range(24):
    block = mmap.mmap(-1, 16 << 20)
    for place in range(0, 16 << 20, 4096): block[place] = 1
    block.madvise(mmap.MADV_DONTNEED)
    kept.append(block)
time.sleep(1)
through("holds 384 MB of shared memory")
""",
        judge=must_end(Reason.MEMORY),
        limits=LONG,
    ),
    Case(
        "hidden-shared-memory",
        "take shared memory, and hide one's mappings from whoever counts it",
        """
import ctypes, mmap, time
ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
kept = []
for _ in range(24):
    block = mmap.mmap(-1, 16 << 20)
    for place in range(0, 16 << 20, 4096): block[place] = 1
    block.madvise(mmap.MADV_DONTNEED)
    kept.append(block)
time.sleep(1)
through("holds 384 MB of shared memory")
""",
        judge=must_end(Reason.MEMORY),
        limits=LONG,
    ),
    Case(
        "memory-files",
        "keep data in files that have no name and no disk",
        """
import os, time
made = 0
try:
    while made < 50:
        fd = os.memfd_create("bomb")
        os.write(fd, bytes(8 << 20))
        made += 1
    time.sleep(1)
except OSError: pass
if made == 50: through("keeps 400 MB in files without a name")
""",
        judge=must_end(Reason.MEMORY, Reason.EXITED),
        limits=LONG,
    ),
    Case(
        "disk-bomb",
        "fill the disk",
        """
import os
for place in (".", "/tmp", "/dev/shm", "/var/tmp", "/run", "/dev/mqueue"):
    total = 0
    try:
        for number in range(6):
            with open(os.path.join(place, f"bomb-{number}"), "wb", buffering=0) as file: total += file.write(bytes(7 << 20))
    except OSError: pass
    if total > 24 << 20: through("wrote", total >> 20, "MB to", place)
""",
        limits=LONG,
    ),
    Case(
        "inode-bomb",
        "use up the inodes",
        """
import os, time
start = time.monotonic()
made = 0
os.mkdir("bomb")
try:
    while made < 8000 and time.monotonic() < start + 5:
        os.close(os.open(f"bomb/{made}", os.O_CREAT | os.O_WRONLY))
        made += 1
except OSError: pass
if made == 8000: through("made 8000 files where 4096 are allowed")
""",
        limits=LONG,
        unenforced={"docker": lambda found: "" if found["inodes"].enforced else found["inodes"].detail},
    ),
    Case(
        "large-file",
        "write a file that is larger than a file may be",
        """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
try:
    with open("large", "wb") as file: file.write(bytes(12 << 20))
    through("wrote a file of 12 MB")
except OSError: pass
""",
    ),
    Case(
        "sparse-bomb",
        "make a file of a terabyte that takes no room, for whoever copies it out",
        """
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for name in ("a", "b"):
    try:
        fd = os.open(name, os.O_CREAT | os.O_WRONLY)
        os.ftruncate(fd, 32 << 20)
        through("made a sparse file")
    except OSError: pass
""",
        collect=("a", "b"),
        judge=lambda done: (
            printed(done) or ("a sparse file came out" if any(map(len, done.files.values())) else None)
        ),
    ),
    Case(
        "many-sparse-files",
        "let the collector read more than the workspace can hold, out of files that take no room",
        """
import os
for number in range(6): os.truncate(os.open(f"out-{number}", os.O_CREAT | os.O_WRONLY), 8 << 20)
""",
        collect=tuple(f"out-{number}" for number in range(6)),
        judge=lambda done: (
            f"{sum(map(len, done.files.values())) >> 20} MB came out of a workspace of 16 MB"
            if sum(map(len, done.files.values())) > 16 << 20
            else None
        ),
    ),
    Case(
        "fallocate-bomb",
        "reserve room without writing anything",
        """
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
total = 0
for number in range(6):
    try:
        os.posix_fallocate(os.open(f"reserved-{number}", os.O_CREAT | os.O_WRONLY), 0, 7 << 20)
        total += 7
    except OSError: pass
if total > 24: through("reserved", total, "MB")
""",
    ),
    Case(
        "output-flood",
        "flood standard output",
        "import os\nfor _ in range(2000): os.write(1, b'x' * 4096)\n",
        judge=flooded,
    ),
    Case(
        "error-flood",
        "flood standard error from a child",
        "import os\nif os.fork() == 0:\n    for _ in range(2000): os.write(2, b'x' * 4096)\nelse:\n    os.wait()\n",
        judge=flooded,
    ),
    Case(
        "endless-line",
        "write one line without an end",
        "import os\nfor _ in range(500000): os.write(1, b'y' * 16)\n",
        judge=flooded,
        limits=LONG,
    ),
    Case(
        "both-pipes",
        "fill one pipe while the reader waits on the other, and the standard input is never read",
        "import os\nfor _ in range(50):\n    os.write(2, b'e' * 4096)\nfor _ in range(50):\n    os.write(1, b'o' * 4096)\n",
        judge=lambda done: (
            None if done.ok and len(done.stdout) == len(done.stderr) == 50 * 4096 else "output was lost"
        ),
        limits=replace(QUICK, output_bytes=1 << 20),
        bare=Bare(runner="one pipe after the other", seconds=2.5, fatal=True),
    ),
    Case(
        "control-characters",
        "send NUL, invalid UTF-8 and terminal control sequences to whoever reads the output as text",
        f"import os\nos.write(1, {NOISE!r})\n",
        judge=exactly(NOISE),
        bare=Bare(runner="text", fatal=True),
    ),
    Case(
        "descriptors",
        "open more files than are allowed",
        """
import os
made = 0
try:
    while made < 400:
        os.open("/dev/null", os.O_RDONLY)
        made += 1
except OSError: pass
if made == 400: through("has 400 files open where 64 are allowed")
""",
    ),
    Case(
        "deep-folders",
        "make a tree that is deeper than any path, for whoever removes it",
        """
import os
for place in (".", "/tmp"):
    os.chdir(place)
    for _ in range(600):
        os.mkdir("d" * 100)
        os.chdir("d" * 100)
    open("bottom", "w").close()
    os.chdir("/")
""",
        limits=LONG,
    ),
    Case(
        "core-dump",
        "have the kernel hand a dump of a crashed program to the host",
        """
import os, resource
try: resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
except (OSError, ValueError): pass
soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
# 0 forbids files only: a host whose core_pattern is a program gets the dump all the same; 1 forbids both
if soft != 1 or hard not in (0, 1): through("its dump goes to the host's crash handler")
try: resource.setrlimit(resource.RLIMIT_CORE, (1 << 20, 1 << 20))
except (OSError, ValueError): pass
if resource.getrlimit(resource.RLIMIT_CORE)[0] > 1: through("may write dumps")
if os.fork() == 0: os.abort()
if os.WCOREDUMP(os.wait()[1]): through("a dump was made")
""",
    ),
)
