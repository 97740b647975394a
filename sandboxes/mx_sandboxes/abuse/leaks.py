"""What one job leaves for the next, takes from its host, or sends to another job at the same time."""

from __future__ import annotations

import os
import platform
import re

from mx_sandboxes.abuse import stages
from mx_sandboxes.abuse.case import LONG, QUICK, Bare, Case, Staged, printed, source
from mx_sandboxes.abuse.pairs import pair
from mx_sandboxes.opening import open_sandbox
from mx_sandboxes.sandbox import Sandbox
from mx_sandboxes.slots.trees import Tree

OLD_KERNEL = tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2]) < (5, 11)
SAME_FILES = "before Linux 5.11 slots of this backend see the host's files themselves, and the kernel has one lock for each"
SAME_DEVICES = (
    "slots of this backend see the machine's own null and random devices, and the kernel has one lock for each: "
    "two jobs that agreed on it beforehand can signal each other"
)
SAME_USER = "without root, every slot is this user to the kernel, and shares this user's quota of pipes"
SAME_CONTAINER = "jobs in one container share its loopback, whose counters tell how much the job before sent"


def born_later(sandbox: Sandbox, program: str, staged: Staged) -> str | None:
    """Ask a job in a slot that was made while the decoys stood."""
    with open_sandbox(sandbox.backend, slots=1, limits=QUICK) as later:
        return printed(later.run(["python", "-c", source(program, staged)]))


ENVIRONMENT = """
import os
if stage["word"] in repr(dict(os.environ)): through("inherited an environment variable")
for name in os.listdir("/proc"):
    try:
        if name.isdigit() and stage["word"].encode() in open(f"/proc/{name}/environ", "rb").read():
            through("read an environment variable of process", name)
    except OSError: pass
"""
DESCRIPTORS = """
import os
for name in range(3, 256):
    try: status = os.fstat(name)
    except OSError: continue
    through("inherited descriptor", name, os.readlink(f"/proc/self/fd/{name}"))
"""
POISON = """
import builtins, json, os, random, sys, threading, time
builtins.mx_left = sys.mx_left = 1
builtins.open = lambda *a, **k: None
json.dumps = lambda *a, **k: "{}"
os.listdir = time.sleep = lambda *a: []
sys.modules["pytest"] = sys.modules["left"] = builtins
sys.path.insert(0, "/tmp")
sys.meta_path.insert(0, sys.meta_path[0])
sys.excepthook = lambda *a: None
sys.setrecursionlimit(50000)
threading.excepthook = print
os.umask(0)
os.environ["MX_LEFT"] = "1"
os.chdir("/")
"""

SPOIL = """
import mmap, os
for top in (".", "/mx/trees"):
    for folder, folders, names in os.walk(top):
        for name in names:
            path = os.path.join(folder, name)
            if top != ".": through("found the place where trees are kept:", path)
            try:
                with open(path, "r+b") as file:
                    with mmap.mmap(file.fileno(), 0) as shared: shared[0:1] = b"!"
                    file.write(b"spoilt")
                os.chmod(path, 0o777)
                os.setxattr(path, "user.overlay.redirect", b"/")
            except OSError: pass
try:
    os.unlink("kept/a.txt")
    os.rename("kept/b.txt", "c.txt")
    os.symlink("/etc/passwd", "kept/a.txt")
except OSError: pass
if os.path.exists("other.txt"): through("sees the tree of another job")
"""
KEPT = {"kept/a.txt": b"as it was\n", "kept/b.txt": b"as it was\n"}


def spoilt_tree(sandbox: Sandbox, staged: Staged) -> str | None:
    """The tree that jobs of one slot share is the same after a job that changed all of it, and no job sees another's."""
    tree = Tree(KEPT)
    sandbox.run(["python", "-c", "pass"], files=Tree({"other.txt": b"of another job"}), limits=LONG)
    found = printed(sandbox.run(["python", "-c", source(SPOIL, staged)], files=tree, limits=LONG))
    show = "import os; [print(open(os.path.join(p, n)).read(), end='') for p, _, f in os.walk('.') for n in sorted(f)]"
    seen = sandbox.run(["python", "-c", show], files=tree, limits=LONG).stdout
    return found or (None if seen == b"".join(KEPT.values()) else f"the next job's tree is {seen[:60]!r}")


CASES = (
    Case(
        "files-everywhere",
        "leave files for the next job wherever something can be written",
        """
import os
for top, folders, names in os.walk("/"):
    if top in ("/proc", "/sys"): folders.clear(); continue
    for name in ("left-behind", ".left-behind", "b\\xff\\n", "x" * 255):
        try: open(os.path.join(top, name), "w").close()
        except OSError: break
""",
        limits=LONG,
    ),
    Case(
        "undeletable-trees",
        "leave trees that resist removal: no permissions, odd names, attributes, a folder in use",
        """
import array, fcntl, os, subprocess, sys
for top in (".", "/tmp", "/dev/shm"):
    base = os.path.join(top, "keep")
    os.makedirs(os.path.join(base, "a/b/c"))
    for name in (b"\\xff\\xfe", b"-rf", b"new\\nline", b"y" * 255):
        open(os.path.join(base.encode(), b"a/b", name), "w").close()
    os.symlink("/", os.path.join(base, "a/root"))
    os.mkfifo(os.path.join(base, "a/pipe"))
    fd = os.open(base, os.O_RDONLY)
    for flags in (0x10, 0x20):  # immutable, append only
        try: fcntl.ioctl(fd, 0x40086602, array.array("l", [flags]))
        except OSError: pass
    for path in ("a/b/c", "a/b", "a", "."): os.chmod(os.path.join(base, path), 0)
os.chdir("/tmp")
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"], start_new_session=True, cwd="/dev/shm",
                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
""",
        limits=LONG,
    ),
    Case(
        "unlinked-files",
        "keep disk space in files that are open and have no name any more",
        """
import os, time
for place in (".", "/tmp", "/dev/shm"):
    fd = os.open(os.path.join(place, "hidden"), os.O_CREAT | os.O_RDWR)
    os.write(fd, bytes(4 << 20))
    os.unlink(os.path.join(place, "hidden"))
if os.fork() == 0:
    os.setsid()
    for fd in range(3): os.close(fd)
    time.sleep(3)
""",
    ),
    Case(
        "folder-attributes",
        "leave a message in modes, times and extended attributes of the folders themselves",
        """
import os
for place in (".", "/tmp", "/dev/shm", "/dev/mqueue", "/"):
    for change in (lambda: os.chmod(place, 0o711), lambda: os.setxattr(place, "user.left", b"x"), lambda: os.utime(place, (1, 1))):
        try: change()
        except OSError: pass
""",
    ),
    Case(
        "startup-files",
        "have the next job's interpreter and shell run files that were left for them",
        """
import os, site, sys
folder = site.getusersitepackages()
homes = (os.path.expanduser("~"), ".", "/tmp")
try:
    os.makedirs(folder)
    open(os.path.join(folder, "usercustomize.py"), "w").write("import builtins; builtins.mx_left = 1")
    open(os.path.join(folder, "left.pth"), "w").write("import builtins; builtins.mx_left = 1")
except OSError: pass
for home in homes:
    for name in ("sitecustomize.py", ".bashrc", ".profile", "json.py", "conftest.py"):
        try: open(os.path.join(home, name), "w").write("import builtins; builtins.mx_left = 1")
        except OSError: pass
""",
        after="""
import builtins, sys
if hasattr(builtins, "mx_left") or "usercustomize" in sys.modules: through("what the last job left was run")
""",
    ),
    Case(
        "system-v-objects",
        "leave System V shared memory, semaphores and messages",
        """
import ctypes
libc = ctypes.CDLL(None)
libc.shmget(0x4D58, 4096, 0o1666)
libc.semget(0x4D58, 1, 0o1666)
queue = libc.msgget(0x4D58, 0o1666)
libc.msgsnd(queue, ctypes.create_string_buffer(b"\\1\\0\\0\\0\\0\\0\\0\\0left"), 4, 0o4000)
""",
        after="""
import ctypes
libc = ctypes.CDLL(None)
if libc.shmget(0x4D58, 0, 0) >= 0 or libc.semget(0x4D58, 0, 0) >= 0 or libc.msgget(0x4D58, 0) >= 0:
    through("found an object of the last job")
""",
    ),
    Case(
        "posix-objects",
        "leave POSIX shared memory, semaphores and message queues",
        """
import ctypes, os
from multiprocessing import shared_memory
libc = ctypes.CDLL(None)
try: shared_memory.SharedMemory("mx-left", create=True, size=4096)._name = None
except Exception: pass
libc.sem_open(b"/mx-left", os.O_CREAT, 0o666, 1)
for opened in ("libc.so.6", "librt.so.1"):
    try: ctypes.CDLL(opened).mq_open(b"/mx-left", os.O_CREAT | os.O_RDWR, 0o666, None)
    except (OSError, AttributeError): pass
try: open("/dev/mqueue/mx-left", "w").close()
except OSError: pass
os._exit(0)
""",
    ),
    Case(
        "keyrings",
        "leave a key in one of the kernel's keyrings, or use up the quota of them",
        """
import ctypes, sys
libc = ctypes.CDLL(None)
add, control = {"x86_64": (248, 250)}.get(__import__("platform").machine(), (217, 219))
for ring in (-4, -5, -3):  # the user's, the user's session's, the session's
    key = libc.syscall(add, b"user", b"mx-left", b"left", 4, ring)
    if key > 0:
        libc.syscall(control, 15, key, 4)  # gone after four seconds
        through("left a key in keyring", ring)
""",
        bare=Bare(needs="keyrings"),
    ),
    Case(
        "listening-sockets",
        "leave sockets behind that the next job meets",
        """
import os, socket, time
a = socket.socket(socket.AF_UNIX); a.bind("\\0mx-left"); a.listen()
b = socket.create_server(("127.0.0.1", 4999))
c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.bind(("127.0.0.1", 4999))
if os.fork() == 0:
    os.setsid()
    for fd in range(3): os.close(fd)
    time.sleep(3)
os._exit(0)
""",
    ),
    Case(
        "closed-connections",
        "leave a list of numbers in connections that linger after their end",
        """
import socket
server = socket.create_server(("127.0.0.1", 0))
for port in (41001, 41003, 41007):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    client.bind(("127.0.0.1", port))
    client.connect(server.getsockname())
    other = server.accept()[0]
    client.close(); other.recv(1); other.close()
""",
    ),
    Case(
        "loopback-counters",
        "leave a message in how much went over the loopback",
        """
import socket
a, b = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
b.bind(("127.0.0.1", 0))
for _ in range(200): a.sendto(bytes(60000), b.getsockname())
""",
        after="""
for line in open("/proc/self/net/dev").read().splitlines():
    name, _, numbers = line.partition(":")
    if name.strip() == "lo" and int(numbers.split()[0]) > 1 << 20: through(numbers.split()[0], "bytes were sent here before")
""",
        unenforced={"docker": SAME_CONTAINER},
    ),
    Case(
        "interpreter-state",
        "poison the interpreter that the next job is forked from",
        POISON,
        bare=Bare(runner="in process"),
    ),
    Case(
        "preloaded-pytest",
        "poison the test runner that is loaded once for many jobs",
        POISON,
        files={"conftest.py": POISON.encode(), "test_it.py": b"import sys\nsys.left = 1\ndef test(): pass\n"},
        play=lambda sandbox, staged: (
            sandbox.run(
                ["python", "-m", "pytest", "-q"],
                files={
                    "conftest.py": POISON.encode(),
                    "test_it.py": b"import sys\nsys.left = 1\ndef test(): pass\n",
                },
                limits=LONG,
            )
            and None
        ),
        bare=Bare(runner="in process"),
    ),
    Case(
        "kept-trees",
        "spoil the tree of files that the next job starts from, or read another's",
        SPOIL,
        files=KEPT,
        play=spoilt_tree,
    ),
    Case(
        "random-numbers",
        "choose the random numbers of the next job",
        "import random\nrandom.seed(1234)\n",
        after="""
import random
expected = random.Random(1234)
if random.random() in [expected.random() for _ in range(3)]: through("knew the random numbers of the next job")
""",
        bare=Bare(runner="in process"),
    ),
    Case(
        "inherited-environment",
        "read what is in the environment of the program that opened the sandbox",
        ENVIRONMENT,
        stage=stages.secret,
        play=lambda sandbox, staged: born_later(sandbox, ENVIRONMENT, staged),
        bare=Bare(jail=False, inherit=True),
    ),
    Case(
        "inherited-descriptors",
        "use what the program that opened the sandbox has open",
        DESCRIPTORS,
        stage=stages.secret,
        play=lambda sandbox, staged: born_later(sandbox, DESCRIPTORS, staged),
        bare=Bare(jail=False, inherit=True),
    ),
    pair(
        "files-of-another-job",
        "read and change the files of a job that runs at the same time",
        """
for place in (".", "/tmp", "/dev/shm"):
    open(os.path.join(place, "mx-mine"), "w").write("mine")
ready()
""",
        """
import os
for place in (".", "/tmp", "/dev/shm", *(f"/proc/{name}/cwd" for name in os.listdir("/proc") if name.isdigit())):
    if os.path.exists(os.path.join(place, "mx-mine")): through("reached", place, "of the other job")
""",
    ),
    pair(
        "signals-to-another-job",
        "see, stop and kill a job that runs at the same time",
        'open("/tmp/mx-pid", "w").write(str(os.getpid()))\nready()\n',
        """
import os, signal
mine = {os.getpid(), os.getppid(), 1}
for pid in range(2, 4000):
    if pid in mine: continue
    try:
        os.kill(pid, 0)
        if b"mx-pid" in open(f"/proc/{pid}/cmdline", "rb").read(): through("may signal process", pid, "of the other job")
        os.kill(pid, signal.SIGKILL)
    except OSError: pass
""",
    ),
    pair(
        "sockets-of-another-job",
        "talk to a job that runs at the same time",
        """
kept = []
for address in ("\\0mx-meet", "/tmp/mx-meet", "/dev/shm/mx-meet"):
    kept.append(socket.socket(socket.AF_UNIX)); kept[-1].bind(address); kept[-1].listen()
kept.append(socket.create_server(("127.0.0.1", 4998)))
try: kept.append(socket.create_server(("::1", 4998), family=socket.AF_INET6))
except OSError: pass  # no such address
ready()
""",
        """
import socket
places = [(1, "\\0mx-meet"), (1, "/tmp/mx-meet"), (1, "/dev/shm/mx-meet"), (2, ("127.0.0.1", 4998)), (10, ("::1", 4998))]
for family, address in places:
    try:
        socket.socket(family).connect(address)
        through("connected to", ascii(address), "of the other job")
    except OSError: pass
""",
    ),
    pair(
        "kernel-objects-of-another-job",
        "meet a job that runs at the same time in objects of the kernel",
        """
import ctypes
libc = ctypes.CDLL(None)
libc.shmget(0x4D59, 4096, 0o1666)
libc.sem_open(b"/mx-meet", os.O_CREAT, 0o666, 1)
ready()
""",
        """
import ctypes, os
libc = ctypes.CDLL(None)
libc.sem_open.restype = ctypes.c_void_p
if libc.shmget(0x4D59, 0, 0) >= 0: through("found shared memory of the other job")
if os.path.exists("/dev/shm/sem.mx-meet"): through("found a semaphore of the other job")
""",
    ),
    pair(
        "locks-as-signals",
        "send bits to a job that runs at the same time by locks on files of the system that both may read",
        """
import fcntl
kept = [open(name, "rb") for name in ("/usr/bin/env", "/etc/ld.so.cache", "/etc/passwd") if os.path.exists(name)]
for file in kept: fcntl.flock(file, fcntl.LOCK_EX)
ready()
""",
        """
import fcntl, os
for name in ("/usr/bin/env", "/etc/ld.so.cache", "/etc/passwd"):
    try: fcntl.flock(open(name, "rb"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError: through("saw the other job's lock on", name)
    except OSError: pass
""",
        unenforced={"bubblewrap": SAME_FILES if OLD_KERNEL else ""},
    ),
    pair(
        "locks-on-devices",
        "send bits to a job that runs at the same time by locks on a device that both may open",
        """
import fcntl
kept = [open(name, "rb") for name in ("/dev/null", "/dev/urandom") if os.path.exists(name)]
for file in kept: fcntl.flock(file, fcntl.LOCK_EX)
ready()
""",
        """
import fcntl, os
for name in ("/dev/null", "/dev/urandom"):
    try: fcntl.flock(open(name, "rb"), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError: through("saw the other job's lock on", name)
    except OSError: pass
""",
        unenforced={"bubblewrap": SAME_DEVICES},
    ),
    pair(
        "pipes-of-the-user",
        "use up the user's quota of pipe memory, so that other jobs get small pipes",
        """
import fcntl
for _ in range(8):
    if os.fork() == 0:
        os.closerange(0, 16)
        kept = [os.pipe() for _ in range(20)]
        for pipe in kept:
            try: fcntl.fcntl(pipe[0], 1031, 1 << 20)
            except OSError: pass
        time.sleep(4)
        os._exit(0)
time.sleep(0.5)
ready()
""",
        """
import fcntl, os
sizes = [fcntl.fcntl(os.pipe()[0], 1032) for _ in range(3)]
if min(sizes) < 65536: through("left the other job pipes of", min(sizes), "bytes")
""",
        bare=Bare(needs="a quota of pipe memory", unprivileged=True),
        unenforced={"bubblewrap": SAME_USER} if os.geteuid() != 0 else {},
    ),
)
