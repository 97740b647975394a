"""System calls that lead out of the jail, or to what kernels were broken through."""

from __future__ import annotations

from mx_sandboxes.abuse.case import Bare, Case

SYSTEM = """
import ctypes, errno, os, platform, struct
libc = ctypes.CDLL(None, use_errno=True)
column = {"x86_64": 0, "aarch64": 1}.get(platform.machine(), 0)
def call(numbers, *arguments):
    number = numbers[column]
    if number is None: return -1, errno.EPERM
    result = libc.syscall(number, *arguments)
    return result, ctypes.get_errno() if result == -1 else 0
def refused(number): return number in (errno.EPERM, errno.ENOSYS, errno.EACCES)
"""

CASES = (
    Case(
        "new-namespaces",
        "become root in a user namespace of one's own, or enter another process's namespaces",
        SYSTEM
        + """
for flag in (0x10000000, 0x20000, 0x2000000, 0x4000000, 0x8000000, 0x20000000, 0x40000000, 0x80):
    if call((272, 97), flag)[0] == 0: through("made a new namespace", hex(flag))
    if flag != 0x80:
        result = call((56, 220), flag | 17, 0, 0, 0, 0)[0]
        if result == 0: os._exit(0)
        if result > 0: through("started a process in a new namespace", hex(flag))
arguments = struct.pack("11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0)
result = call((435, 435), ctypes.create_string_buffer(arguments, 88), 88)[0]
if result == 0: os._exit(0)
if result > 0: through("started a process in a new namespace by clone3")
for pid in {os.getppid() or 1, 1}:
    for name in ("user", "mnt", "net", "pid"):
        try: fd = os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY)
        except OSError: continue
        if call((308, 268), fd, 0)[0] == 0: through("entered the", name, "namespace of process", pid)
    try:
        if call((308, 268), os.pidfd_open(pid), 0x20000)[0] == 0: through("entered the namespaces of process", pid)
    except (OSError, AttributeError): pass
""",
        bare=Bare(capabilities=True),
    ),
    Case(
        "mounts",
        "mount, unmount, and change the root",
        SYSTEM
        + """
os.makedirs("m", exist_ok=True)
for kind in (b"tmpfs", b"proc", b"sysfs", b"cgroup2", b"overlay", b"devpts"):
    if libc.mount(kind, b"m", kind, 0, None) == 0: through("mounted", kind.decode())
if libc.mount(b"/", b"m", None, 4096, None) == 0: through("bound the root elsewhere")
if libc.mount(None, b"/", None, 32 | 4096, None) == 0: through("made the root writable")
for place in (b"/proc", b"/usr/lib", b"/etc/passwd", b"/work"):
    if libc.umount2(place, 2) == 0: through("unmounted", place.decode())
if libc.chroot(b"m") == 0: through("changed the root")
for name, numbers in (("fsopen", (430, 430)), ("open_tree", (428, 428))):
    result = call(numbers, b"tmpfs" if name == "fsopen" else -100, 0 if name == "fsopen" else b"/", 1)[0]
    if result >= 0: through("used", name)
""",
        bare=Bare(capabilities=True),
    ),
    Case(
        "kernel-programs",
        "load programs into the kernel, or have it report on others",
        SYSTEM
        + """
attribute = ctypes.create_string_buffer(struct.pack("IIII", 2, 4, 4, 1) + bytes(112))
if call((321, 280), 0, attribute, 72)[0] >= 0: through("made a bpf map")
event = ctypes.create_string_buffer(struct.pack("IIQ", 1, 128, 0) + bytes(112))
if call((298, 241), event, 0, -1, -1, 0)[0] >= 0: through("opened a performance counter")
if call((323, 282), 0)[0] >= 0: through("handles page faults of the kernel")
""",
        bare=Bare(needs="bpf", jail=False, root=True),
    ),
    Case(
        "io-uring",
        "get a ring into the kernel that no filter of system calls sees",
        SYSTEM
        + 'if call((425, 425), 4, ctypes.create_string_buffer(120))[0] >= 0: through("set up io_uring")\n',
        bare=Bare(needs="io_uring"),
    ),
    Case(
        "asynchronous-io",
        "use up the few asynchronous requests that the whole machine has",
        SYSTEM
        + """
context = ctypes.c_ulong(0)
if call((206, 0), 1000, ctypes.byref(context))[0] == 0: through("reserved 1000 of the machine's asynchronous requests")
""",
        bare=Bare(needs="asynchronous requests"),
    ),
    Case(
        "watching-the-host",
        "watch which of the host's files are opened, and when",
        SYSTEM
        + """
import fcntl
fd = call((294, 26), 0)[0] if column == 0 else call((None, 26), 0)[0]
if fd >= 0 and libc.inotify_add_watch(fd, b"/usr/bin", 0xFFF) >= 0: through("watches the host's programs")
if call((300, 262), 0, 0)[0] >= 0: through("listens to all file events")
folder = os.open("/usr/bin", os.O_RDONLY)
try:
    fcntl.fcntl(folder, fcntl.F_NOTIFY, fcntl.DN_ACCESS)
    through("is told about reads in the host's folder")
except OSError: pass
if call((451, 451), folder, ctypes.create_string_buffer(16), ctypes.create_string_buffer(40), 0)[0] == 0:
    through("sees which parts of the host's files are in memory")
""",
    ),
    Case(
        "file-handles",
        "open files of the host by number, past every folder",
        SYSTEM
        + """
handle = ctypes.create_string_buffer(struct.pack("II", 128, 0) + bytes(128))
mount = ctypes.create_string_buffer(8)
if call((303, 264), -100, b"/usr/bin/env", handle, mount, 0)[0] == 0: through("has a handle of a host's file")
if not refused(call((304, 265), -100, handle, 0)[1]): through("may open files by handle")
""",
        bare=Bare(needs="handles of files"),
    ),
    Case(
        "memory-of-others",
        "read other processes' memory and descriptors by calls that need no file",
        SYSTEM
        + """
buffer = ctypes.create_string_buffer(64)
mine = struct.pack("QQ", ctypes.addressof(buffer), 8)
for pid in {os.getppid() or 1, 1}:
    for numbers in ((310, 270), (311, 271)):
        vector = ctypes.create_string_buffer(mine, 16)
        if not refused(call(numbers, pid, vector, 1, vector, 1, 0)[1]): through("reaches the memory of process", pid)
    try: fd = os.pidfd_open(pid)
    except (OSError, AttributeError): continue
    if call((438, 438), fd, 0, 0)[0] >= 0: through("took a descriptor of process", pid)
    if not refused(call((440, 440), fd, vector, 1, 4, 0)[1]): through("may advise on the memory of process", pid)
""",
        bare=Bare(capabilities=True),
    ),
    Case(
        "privileges",
        "gain rights by setuid programs, capabilities, or another user id",
        SYSTEM
        + """
status = dict(line.split(":", 1) for line in open("/proc/self/status").read().splitlines())
if status["NoNewPrivs"].strip() != "1": through("programs with the setuid bit give new rights")
for name in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
    if int(status[name], 16): through("has capabilities", name, status[name].strip())
for name in ("Uid", "Gid"):
    if "0" in status[name].split(): through("is root by", name)
for change in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0]), lambda: os.setresuid(-1, 0, -1)):
    try:
        change()
        through("changed its user")
    except OSError: pass
copy = os.path.abspath("copy")
open(copy, "wb").write(open("/usr/bin/env", "rb").read())
os.chmod(copy, 0o6755)
if not os.statvfs(copy).f_flag & 2: through("a setuid program made here works")
header, data = struct.pack("Ii", 0x20080522, 0), struct.pack("6I", 1 << 21, 1 << 21, 0, 0, 0, 0)
if libc.capset(header, data) == 0: through("gave itself capabilities")
libc.prctl(47, 4, 0, 0, 0)
""",
        bare=Bare(jail=False),
    ),
    Case(
        "kernel-control",
        "load modules, set the clock, read the kernel's log, shut down swap",
        SYSTEM
        + """
for name, numbers, arguments in (
    ("delete_module", (176, 106), (b"mx-no-such-module", 0)),
    ("init_module", (175, 105), (None, 0, b"")),
    ("swapoff", (168, 225), (b"/mx-no-such-file",)),
    ("syslog", (103, 116), (10, None, 0)),
    ("quotactl", (179, 60), (0x80000700, None, 0, None)),
    ("clock_adjtime", (305, 266), (0, ctypes.create_string_buffer(struct.pack("I", 0x100) + bytes(204), 208))),
    ("sethostname", (170, 161), (os.uname().nodename.encode(), len(os.uname().nodename))),
):
    if not refused(call(numbers, *arguments)[1]): through("the kernel listens to", name)
""",
        bare=Bare(needs="a root with all capabilities", jail=False, root=True),
    ),
    Case(
        "pages-by-reference",
        "get pages of the system's files into pipes of one's own, where a write once reached the files",
        SYSTEM
        + """
path = next(each for each in ("/bin/sh", "/usr/bin/env") if os.path.exists(each))
fd = os.open(path, os.O_RDONLY)
reading, writing = os.pipe()
if call((275, 76), fd, None, writing, None, 1, 0)[0] > 0: through("has a page of", path, "in a pipe")
if call((276, 77), reading, os.pipe()[1], 1, 0)[0] > 0: through("has it in two")
""",
    ),
    Case(
        "filters-in-the-kernel",
        "have the kernel run programs of one's own: on a socket's packets, or on one's own calls",
        SYSTEM
        + """
import socket
code = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7FFF0000), 8)
head = struct.pack("HxxxxxxP", 1, ctypes.addressof(code))
one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for option in (26, 51):
    try:
        one.setsockopt(socket.SOL_SOCKET, option, head)
        through("the kernel runs a program on packets", option)
    except OSError: pass
if libc.prctl(38, 1, 0, 0, 0) == 0:
    kept = ctypes.create_string_buffer(head)
    if call((317, 277), 1, 0, kept)[0] == 0: through("the kernel runs a program on calls")
    if libc.prctl(22, 2, kept, 0, 0) == 0: through("the kernel runs a program on calls, by prctl")
""",
    ),
    Case(
        "unknown-system-calls",
        "use system calls that were added after the filter was written",
        SYSTEM
        + """
for number in (*range(451, 480), 500, 1000):
    for argument in (0, -1):
        result, error = call((number, number), argument, argument, argument, argument, argument, argument)
        if error != errno.ENOSYS: through("the kernel knows call", number)
""",
        bare=Bare(needs="calls newer than Linux 6.4"),
    ),
)
