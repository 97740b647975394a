"""Jobs that would starve whoever watches, hold up their own death, or use up what the next job needs."""

from __future__ import annotations

from mx_sandboxes.abuse.case import Bare, Case, must_end
from mx_sandboxes.abuse.verdicts import CALLS, FULL, SHORT, in_time
from mx_sandboxes.sandbox import Reason

HANGS = Bare(seconds=2.5, fatal=True)
ENDED = in_time(must_end(Reason.WALL_TIME, Reason.CPU_TIME, Reason.MEMORY, Reason.PROCESSES, Reason.OUTPUT))
"""A limit ends each, whichever comes first."""
MANY = CALLS.replace("STAY", "60")
FAMILY = """
for _ in range(24):
    try:
        if os.fork() == 0: break
    except OSError: pass
"""

CASES = (
    Case(
        "full-disks",
        "fill every writable place with names and bytes, and stay",
        FULL,
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "pipes-of-pipes",
        "fill pipes, as large as they may be, in many processes",
        MANY
        + "import fcntl\n"
        + FAMILY
        + """
kept = []
try:
    while True:
        one, other = os.pipe()
        kept += [one, other]
        try: fcntl.fcntl(other, 1031, 1 << 20)
        except OSError: pass
        os.set_blocking(other, False)
        try:
            while True: os.write(other, bytes(65536))
        except BlockingIOError: pass
except OSError: pass
time.sleep(60)
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "descriptors-in-flight",
        "send descriptors in circles, where only the kernel's collector finds them",
        MANY
        + FAMILY
        + """
for _ in range(200):
    one, other = socket.socketpair()
    try: socket.send_fds(one, [b"x"], [one.fileno(), other.fileno()] * 100)
    except OSError: pass
    one.close()
    other.close()
time.sleep(60)
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "storm-of-timers",
        "have timers ring as often as the kernel lets them",
        MANY
        + FAMILY
        + """
for number in range(1, 32):
    if number not in (9, 19): signal.signal(number, lambda *_: None)
made = ctypes.c_int()
for number in range(200):
    event = ctypes.create_string_buffer(bytes(8) + (10).to_bytes(4, "little") + bytes(52), 64)
    call((222, 107), 1, event, ctypes.byref(made))
    call((223, 110), made.value, 0, ctypes.create_string_buffer(((0).to_bytes(8, "little") + (1).to_bytes(8, "little")) * 2, 32), 0)
signal.setitimer(signal.ITIMER_REAL, 0.000001, 0.000001)
while True:
    try: time.sleep(1)
    except OSError: pass
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "waiting-signals",
        "let as many signals wait as the user may have, so that nobody else of it gets any",
        MANY
        + FAMILY
        + """
signal.pthread_sigmask(signal.SIG_BLOCK, range(34, 65))
word = (34).to_bytes(4, "little") + bytes(4) + b"\\xff" * 4
room = ctypes.create_string_buffer(word + bytes(116), 128)
while True:
    if call((129, 138), os.getpid(), 34, room) < 0: time.sleep(0.01)
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "locks-without-number",
        "lock every other byte of a file, so that the kernel has long to take them back",
        MANY
        + FAMILY
        + """
import fcntl
fd = os.open("locked" + str(os.getpid()), os.O_RDWR | os.O_CREAT)
try:
    for place in range(0, 1 << 30, 2): fcntl.lockf(fd, fcntl.LOCK_EX, 1, place)
except OSError: pass
time.sleep(60)
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "barriers-of-memory",
        "wait in the kernel for all processors, where no signal gets through",
        MANY + FAMILY + "while True: call((324, 283), 1, 0, 0)\n",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "flushed-disks",
        "have the host write out all that it has, and wait for that where no signal gets through",
        MANY
        + FAMILY
        + """
path = next(each for each in ("/bin/sh", "/usr/bin/env") if os.path.exists(each))
fd = os.open(path, os.O_RDONLY)
while True:
    call((162, 81))
    for pair in ((306, 267), (74, 82), (75, 83)): call(pair, fd)
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "attributes-of-files",
        "hide bytes in the attributes of files",
        MANY
        + """
try:
    for number in range(3000):
        name = "a" + str(number)
        open(name, "w").close()
        for place in range(64): os.setxattr(name, "user." + str(place) * 60, bytes(60000))
except OSError: pass
while True: time.sleep(1)
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "long-arguments",
        "start programs with as many words as the kernel takes, all at once",
        MANY
        + FAMILY
        + """
words = ["x" * 100000] * 15
while True:
    try: os.execv("/bin/sh", ["sh", "-c", "sleep 60", *words])
    except OSError: words = words[1:]
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
    Case(
        "the-unburied",
        "fill the table of processes with dead ones",
        """
import os, time
while True:
    try:
        if os.fork() == 0: os._exit(0)
    except OSError: time.sleep(0.01)
""",
        judge=ENDED,
        limits=SHORT,
        bare=Bare(seconds=1.0, fatal=True),
    ),
    Case(
        "crowded-listeners",
        "knock at listening sockets that never answer, by name and by port",
        MANY
        + FAMILY
        + """
kept = []
def knock(family, address):
    server = socket.socket(family)
    server.bind(address)
    server.listen(4096)
    kept.append(server)
    while True:
        one = socket.socket(family)
        one.setblocking(False)
        try: one.connect(server.getsockname())
        except BlockingIOError: pass
        one.close()
for family, address in ((socket.AF_UNIX, chr(0) + str(os.getpid())), (socket.AF_INET, ("127.0.0.1", 0))):
    if os.fork() == 0:
        try: knock(family, address)
        except OSError: pass
time.sleep(60)
""",
        judge=ENDED,
        limits=SHORT,
        bare=HANGS,
    ),
)
