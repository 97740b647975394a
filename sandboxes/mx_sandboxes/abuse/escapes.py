"""Ways out of the jail: the network, the engine, the host's files and devices, and the kernel's doors."""

from __future__ import annotations

import os
from pathlib import Path

from mx_sandboxes.abuse import kernel_doors, stages
from mx_sandboxes.abuse.case import LONG, Bare, Case

ENGINE_OOM = (
    "the engine itself lacks the capability (CAP_SYS_RESOURCE) to set a floor that a program cannot go below"
)
OOM = (
    "the kernel lets a program take back its own wish to die first; only a container's start can set a floor"
)


def weak_root() -> bool:
    """Whether this is root without the capability to protect processes from the kernel's killer, as in some virtual machines."""
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return os.geteuid() == 0 and not int(fields["CapEff"], 16) >> 24 & 1


CASES = (
    Case(
        "network",
        "connect to the host and to the world",
        """
import socket
for target in stage["targets"] + [["1.1.1.1", 53], ["172.17.0.1", 22], ["10.0.2.2", 22], ["192.168.0.1", 80]]:
    try:
        with socket.create_connection(tuple(target), 0.3): through("connected to", target[0])
    except OSError: pass
for _, name in socket.if_nameindex():
    if name != "lo": through("there is a network interface:", name)
""",
        stage=stages.listener,
        limits=LONG,
        bare=Bare(jail=False),
    ),
    Case(
        "metadata-address",
        "ask the cloud's metadata service for credentials",
        """
import socket
for family, address in ((2, "169.254.169.254"), (2, "169.254.170.2"), (2, "100.100.100.200"), (10, "fd00:ec2::254")):
    try:
        with socket.socket(family) as asking:
            asking.settimeout(0.3)
            asking.connect((address, 80))
            through("connected to", address)
    except OSError: pass
""",
        limits=LONG,
        prepare="""
import fcntl, os, socket, struct, time
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    address = struct.pack("16sHH4s8x", b"lo:1", socket.AF_INET, 0, socket.inet_aton("169.254.169.254"))
    fcntl.ioctl(control, 0x8916, address)
server = socket.create_server(("169.254.169.254", 80))
if os.fork() == 0:
    os.setsid()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3): os.dup2(null, fd)
    time.sleep(4)
os._exit(0)
""",
        bare=Bare(capabilities=True),
    ),
    Case(
        "engine-socket",
        "reach the container engine, or any other service of the host, by a socket in its file system",
        """
import socket
places = [stage["path"], "\\0" + stage["name"], "/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock",
          "/run/containerd/containerd.sock", "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/systemd/journal/stdout",
          "/tmp/.X11-unix/X0", "\\0/tmp/.X11-unix/X0", "/dev/log"]
for place in places:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        try:
            with socket.socket(socket.AF_UNIX, kind) as asking:
                asking.connect(place)
                through("connected to", ascii(place))
        except OSError: pass
""",
        stage=stages.engine_sockets,
        bare=Bare(jail=False),
    ),
    Case(
        "host-files",
        "read a secret of the user and write into the user's folders",
        """
import os
try:
    if open(stage["path"]).read() == stage["word"]: through("read a file of the host")
except OSError: pass
try: open(os.path.join(stage["drop"], "dropped"), "w").close()
except OSError: pass
for place in ("/root", "/home", "/etc/shadow", "/etc/ssh", "/var/lib/docker", "/boot", "/mnt", "/media", "/opt",
              "/srv", "/run/secrets", "/var/run/secrets", "/lost+found"):
    try:
        if os.listdir(place) if os.path.isdir(place) else open(place).read(1): through("sees", place)
    except OSError: pass
""",
        stage=stages.secret,
        bare=Bare(jail=False),
    ),
    Case(
        "program-s-own-files",
        "read the program that opened the sandbox: its packages, hidden tests, and run folder",
        """
import os
found = [name for name in ("mx_sandboxes", "mx_tasks", "mx_envs", "mx_agents") if __import__("importlib.util").util.find_spec(name)]
if found: through("imports", *found)
for name in os.listdir("/proc"):
    for link in ("cwd", "root", "exe"):
        try:
            target = os.readlink(f"/proc/{name}/{link}")
            if target not in ("/", "/work") and link != "exe": through(f"/proc/{name}/{link} is", target)
        except OSError: pass
if os.path.exists(stage["path"]): through("sees the host's temporary folder")
""",
        stage=stages.secret,
        bare=Bare(jail=False),
    ),
    Case(
        "root-file-system",
        "change the system: programs, libraries, settings",
        """
import os
for top, folders, names in os.walk("/"):
    skipped = ("/proc", "/sys", "/work", "/tmp", "/dev/shm", "/dev/mqueue", "/dev/pts")
    if top in skipped or top.count("/") > 4: folders.clear(); continue
    place = os.path.join(top, "mx-probe")
    try:
        open(place, "x").close()
        os.unlink(place)
        through("wrote into", top)
    except OSError: pass
for name in ("/etc/passwd", "/etc/hosts", "/usr/bin/env", "/etc/ld.so.cache", os.__file__, "/mx/lib/mx_sandboxes/inside/server.py"):
    for change in (lambda: open(name, "r+b").close(), lambda: os.chmod(name, 0o777), lambda: os.utime(name)):
        try:
            if os.access(name, os.W_OK): through("may change", name)
            change() if not name.startswith("/usr") or os.statvfs(name).f_flag & 1 else None
        except OSError: pass
""",
        limits=LONG,
    ),
    Case(
        "strange-sockets",
        "reach the host by sockets that know no network namespace, or make the kernel load rare protocols",
        """
import socket
families = ((40, 1), (38, 5), (17, 3), (17, 2), (21, 5), (30, 1), (31, 3), (29, 3), (44, 3), (5, 2), (4, 2), (9, 5))
for family, kind in families:
    try:
        socket.socket(family, kind).close()
        through("made a socket of family", family)
    except OSError: pass
for protocol in range(1, 23):
    try:
        socket.socket(16, 3, protocol).close()
        through("made a netlink socket of protocol", protocol)
    except OSError: pass
for family in (2, 10):
    for kind, protocol in ((1, 132), (1, 262), (5, 132), (6, 33), (2, 136), (3, 1), (3, 255), (2, 115)):
        try:
            socket.socket(family, kind, protocol).close()
            through("made a socket of protocol", protocol)
        except OSError: pass
try:
    socket.socketpair(30, 1)
    through("made a pair of sockets of a rare family")
except OSError: pass
""",
        bare=Bare(jail=False),
    ),
    Case(
        "out-of-band-data",
        "reach a rarely used corner of the kernel, out-of-band data on sockets, by which jobs have become root",
        """
import socket
for kind in (socket.AF_UNIX, socket.AF_INET):
    if kind == socket.AF_UNIX: one, other = socket.socketpair()
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        one = socket.create_connection(listener.getsockname())
        other = listener.accept()[0]
    sends = {"sendto": lambda: one.send(b"x", socket.MSG_OOB), "sendmsg": lambda: one.sendmsg([b"x"], [], socket.MSG_OOB)}
    for name in sends:
        try:
            sends[name]()
            through(name, "takes out-of-band data")
        except OSError: pass
    reads = {"recvfrom": lambda: other.recv(1, socket.MSG_OOB), "recvmsg": lambda: other.recvmsg(1, 0, socket.MSG_OOB)}
    for name in reads:
        try: reads[name]()
        except OSError as error:
            if error.errno != 95: through(name, "looks for out-of-band data:", error)
""",
    ),
    Case(
        "terminals",
        "use up the terminals that the whole machine has",
        """
import os
made = 0
try:
    while made < 20:
        os.openpty()
        made += 1
except OSError: pass
if made: through(f"opened {made} terminals")
""",
    ),
    Case(
        "other-call-tables",
        "reach the kernel by the system calls of another architecture, which a filter may have forgotten",
        """
import ctypes, mmap, os, platform
if platform.machine() == "x86_64":
    if os.fork() == 0:
        code = mmap.mmap(-1, 4096, prot=7)
        code.write(bytes.fromhex("53b814000000cd805bc3"))  # getpid by the 32-bit call gate
        gate = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
        if gate() == os.getpid(): through("made a 32-bit system call")
        os._exit(0)
    os.wait()
    if os.fork() == 0:
        if ctypes.CDLL(None).syscall(0x40000000 + 39) == os.getpid(): through("made an x32 system call")
        os._exit(0)
    os.wait()
""",
        bare=Bare(needs="32-bit system calls"),
    ),
    Case(
        "kernel-settings",
        "change settings of the kernel, of the job's own limits and of the host",
        """
import os
places = ["/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sys/vm/drop_caches", "/proc/sys/kernel/hostname",
          "/proc/sys/net/ipv4/ip_forward", "/proc/sys/fs/binfmt_misc/register", "/proc/sys/user/max_user_namespaces",
          "/proc/sysrq-trigger", "/proc/1/oom_score_adj", "/proc/irq/default_smp_affinity", "/sys/kernel/uevent_helper",
          "/sys/kernel/mm/ksm/run", "/sys/power/state", "/sys/kernel/debug/tracing/trace"]
for place in places:
    try:
        os.close(os.open(place, os.O_WRONLY))
        through("opened for writing:", place)
    except OSError: pass
""",
        bare=Bare(needs="settings that root may write", jail=False, root=True),
    ),
    Case(
        "control-groups",
        "leave one's control group, or make others",
        """
import os
for top, folders, names in os.walk("/sys/fs/cgroup"):
    if top.count("/") > 7: folders.clear()
    for name in ("cgroup.procs", "tasks", "release_agent", "memory.limit_in_bytes", "memory.max", "pids.max", "devices.allow"):
        try:
            os.close(os.open(os.path.join(top, name), os.O_WRONLY))
            through("may write", os.path.join(top, name))
        except OSError: pass
    if os.access(top, os.W_OK) and not os.statvfs(top).f_flag & 1: through("may make groups in", top)
""",
        limits=LONG,
        bare=Bare(needs="control groups that root may write", jail=False, root=True),
    ),
    Case(
        "device-nodes",
        "make or open devices of the host",
        """
import os, stat
for kind, number in ((stat.S_IFCHR, (1, 1)), (stat.S_IFBLK, (8, 0)), (stat.S_IFBLK, (254, 0)), (stat.S_IFCHR, (10, 200))):
    try:
        os.mknod("node", kind | 0o666, os.makedev(*number))
        through("made a device node", number)
        os.unlink("node")
    except OSError: pass
allowed = "null zero full random urandom tty ptmx pts stdin stdout stderr fd shm mqueue core".split()
for name in os.listdir("/dev"):
    if name not in allowed: through("there is /dev/" + name)
for name in ("mem", "kmsg", "kvm", "fuse", "sda", "vda", "loop-control", "net/tun", "vhost-net", "uinput"):
    try:
        os.close(os.open("/dev/" + name, os.O_RDONLY | os.O_NONBLOCK))
        through("opened /dev/" + name)
    except OSError: pass
""",
        bare=Bare(jail=False),
    ),
    Case(
        "host-processes",
        "see what runs on the host, and where its kernel's functions are",
        """
import os
def line(pid): return open(f"/proc/{pid}/cmdline").read()
others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid(), os.getppid())]
others = [name for name in others if line(name) != line(1)]  # the job server's own, in a container
if others: through("sees processes", *others)
try:
    if any(int(line.split()[0], 16) for line in open("/proc/kallsyms").read(4000).splitlines()): through("reads kernel addresses")
except (OSError, ValueError): pass
for name in ("kcore", "kmsg", "timer_list", "sched_debug", "slabinfo", "vmallocinfo", "kpagecount", "keys"):
    try:
        if open("/proc/" + name, "rb").read(1): through("reads /proc/" + name)
    except OSError: pass
""",
        bare=Bare(jail=False),
    ),
    Case(
        "out-of-memory-killer",
        "be spared when the host runs out of memory, so that others die",
        """
import os
for value in (-1000, -500, 0):
    try:
        os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), str(value).encode())
        break
    except OSError: pass
value = int(open("/proc/self/oom_score_adj").read())
if value < 500: through("is as dear to the kernel as the host's programs:", value)
""",
        unenforced={"bubblewrap": OOM} | ({"docker": ENGINE_OOM} if weak_root() else {}),
    ),
    *kernel_doors.CASES,
)
