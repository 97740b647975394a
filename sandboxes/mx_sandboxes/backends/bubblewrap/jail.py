"""The embedded sandbox: slots made by bubblewrap, for machines without a container engine.

A slot sees an allow-list of the host's read-only folders and nothing else: programs and libraries of the
distribution, no home, no site-packages, no sockets. Started by root, it runs as a throw-away user id that owns
nothing.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import logging
import os
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO

from mx_sandboxes.backends.bubblewrap.packages import PLACE, archive, check_tools
from mx_sandboxes.backends.bubblewrap.pinned import pinned_binds
from mx_sandboxes.backends.bubblewrap.users import of_this_process
from mx_sandboxes.limits import cgroups, seccomp
from mx_sandboxes.limits.capabilities import of_bubblewrap
from mx_sandboxes.sandbox import Limits, SandboxUnavailableError
from mx_sandboxes.slots.deaths import kernel_kills
from mx_sandboxes.slots.pooled import PooledSandbox
from mx_sandboxes.slots.slot import SERVER_NICE, Slot, SlotDiedError, hang_up
from mx_sandboxes.slots.spawn import spawn

logger = logging.getLogger(__name__)

SERVER = Path(__file__).parents[2] / "inside"
SERVER_ENV = {
    "PYTHONPATH": "/mx/lib",
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
INSTALL = "install bubblewrap (apt-get install bubblewrap) and allow unprivileged user namespaces, or start a Docker engine"
FOLDERS = (
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/libx32",
    "/usr/libexec",
    "/usr/share",
)
FILES = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d")
COPIED = ("/etc/ld.so.cache", "/etc/ld.so.conf")
"""Files of the host's that a jail gets copies of: nothing can be laid over a file."""
TOP_LINKS = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
DEVICES = ("null", "zero", "full", "random", "urandom")
CAPABILITIES = ("--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_NET_ADMIN", "--cap-add", "CAP_DAC_OVERRIDE")
"""The job server's, in the jail's own user namespace: to mount, to start a loopback, to lay a workspace over a tree.

A job has none."""
OWN = ("/work", "/tmp", "/mx/bin", "/mx/trees", "/mx/empty")  # noqa: S108  inside the jail
OWN_FOLDERS = tuple(word for place in OWN for word in ("--dir", place))
PLACES = ("app", "workspace", "testbed", "tests", "logs", "solution")
"""Top folders that are links into the workspace: tasks find what they bring where they expect it (see :data:`images.PLAIN`)."""
INSIDE_UID = 1000
TRIES = 5
KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""How bubblewrap ends when it is killed, and when its child is."""
OVER_S = 1.0
"""How long after its stream a jail's process may take to be over."""
WRITTEN = {
    "/etc/passwd": b"root:x:0:0:root:/:/bin/false\nmx:x:1000:1000:mx:/work:/bin/sh\n",
    "/etc/group": b"root:x:0:\nmx:x:1000:\n",
    "/etc/hosts": b"127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": b"passwd: files\ngroup: files\nhosts: files\n",
}


class Bubble:
    """The stream to a bubblewrap jail."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        stream: socket.socket,
        errors: IO[bytes],
        group: cgroups.Group | None,
        user: int | None,
    ) -> None:
        self._process = process
        self._user = user
        self._group = group
        self._stream = stream
        stream.setblocking(False)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(stream, select.POLLIN)
        self._writable.register(stream, select.POLLOUT)
        self._errors = errors
        self._lock = threading.Lock()
        self._closed = self._starved = False
        self._kernel_kills = kernel_kills()

    def enter_group(self) -> None:
        """Bring what is in the jail, nothing but its server yet, into the control group. Raises OSError."""
        servers = _children(self._process.pid, deep=False)
        for pid in servers:
            with contextlib.suppress(PermissionError):  # root's alone
                os.setpriority(os.PRIO_PROCESS, pid, SERVER_NICE)
        if self._group is not None:
            inside: set[int] = set()
            while more := set(_children(self._process.pid)) - inside:
                self._group.join(set(servers) & more, more - set(servers))
                inside |= more

    def prepare(self, limits: Limits) -> None:
        """See `mx_sandboxes.slots.slot.Transport`."""
        if self._group is not None:
            self._group.limit(limits)

    def out_of_memory(self) -> bool:
        """See `mx_sandboxes.slots.slot.Transport`."""
        with self._lock:
            if self._group is None or self._closed:
                return self._starved
            return self._group.kills() > 0

    def killed_from_outside(self) -> str:
        """See `mx_sandboxes.slots.slot.Transport`: to a job, bubblewrap and the server are not there."""
        try:
            code = self._process.wait(OVER_S)
        except subprocess.TimeoutExpired:
            return ""
        if code not in KILLED or self.out_of_memory() or kernel_kills() > self._kernel_kills:
            return ""
        return "somebody outside killed the jail (SIGKILL, and not for want of memory)"

    def kill(self) -> None:
        """See `mx_sandboxes.slots.slot.Transport`."""
        self._process.kill()  # what is inside dies with it

    def send(self, data: bytes) -> None:
        """See `mx_sandboxes.slots.slot.Transport`."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._stream.send(view) :]
            except BlockingIOError:
                self._writable.poll()

    def receive(self, timeout: float | None) -> bytes:
        """See `mx_sandboxes.slots.slot.Transport`."""
        if not self._readable.poll(None if timeout is None else timeout * 1000):
            raise TimeoutError
        return self._stream.recv(1 << 18)

    def close(self) -> None:
        """See `mx_sandboxes.slots.slot.Transport`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.kill()
            hang_up(self._stream)
            self._process.wait()
            of_this_process().give_back(self._user)
            self._stream.close()
            self._errors.close()
            if self._group is not None:
                self._starved = self._group.kills() > 0
                self._group.remove()

    def last_words(self) -> str:
        """See `mx_sandboxes.slots.slot.Transport`."""
        if self._errors.closed:
            return ""
        return os.pread(self._errors.fileno(), 8192, 0).decode("utf-8", "replace")


def _children(pid: int, *, deep: bool = True) -> list[int]:
    """All processes below a process, or only the next ones. Raises OSError when it is over."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [each for child in found for each in (child, *_children(child))] if deep else found


def _python() -> str:
    """The interpreter inside. Raises SandboxUnavailableError."""
    path = Path("/usr/bin/python3")
    if path.exists():
        return str(path)
    raise SandboxUnavailableError(
        f"the bubblewrap sandbox needs the distribution's /usr/bin/python3: apt-get install python3-minimal python3; {INSTALL}"
    )


def command(data_fds: dict[str, int], config: str, tools: tuple[str, ...] = ()) -> list[str]:
    """The bubblewrap command line of a slot; ``tools`` are arguments that show it pinned tools."""
    bwrap = shutil.which("bwrap")
    if bwrap is None:
        raise SandboxUnavailableError(f"there is no bwrap on this machine: {INSTALL}")
    line = [bwrap, "--unshare-all", "--as-pid-1", "--die-with-parent", "--new-session"]
    line += ["--uid", str(INSIDE_UID), "--gid", str(INSIDE_UID), "--hostname", "mx"]
    line += ["--cap-drop", "ALL", *CAPABILITIES]
    for place in (*FOLDERS, *(place for place in FILES if place not in COPIED)):
        line += ["--ro-bind-try", place, place]
    for place in TOP_LINKS:
        path = Path(place)
        if path.is_symlink():
            line += ["--symlink", str(path.readlink()), place]
        elif path.is_dir():
            line += ["--ro-bind", place, place]
    for place, fd in data_fds.items():
        line += ["--ro-bind-data", str(fd), place]
    line += ["--proc", "/proc", "--dir", "/dev", "--dir", "/dev/shm"]  # noqa: S108  inside the jail
    for name in DEVICES:
        line += ["--dev-bind", f"/dev/{name}", f"/dev/{name}"]
    for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")):
        line += ["--symlink", target, f"/dev/{name}"]
    python = _python()
    line += [*OWN_FOLDERS, "--symlink", python, "/mx/bin/python"]
    for name in PLACES:
        line += ["--symlink", f"/work/{name}", f"/{name}"]
    line += [*tools, "--remount-ro", "/"]
    return [*line, python, "-s", "-m", "mx_sandboxes.inside.server", config]


@functools.cache
def _contents() -> dict[str, bytes]:
    """The files that a jail gets from us, by their names in it."""
    server = {f"/mx/lib/mx_sandboxes/inside/{path.name}": path.read_bytes() for path in SERVER.glob("*.py")}
    return WRITTEN | server


SYSCTLS = Path("/proc/sys")
SWITCHES = {
    "kernel/unprivileged_userns_clone": ("0", "1"),
    "user/max_user_namespaces": ("0", "15000"),
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
}
"""Where a machine forbids user namespaces, with what it says then, and what it should say."""


def _way_to_namespaces() -> str:
    """The command that lets this user make user namespaces."""
    for name, (off, on) in SWITCHES.items():
        path = SYSCTLS / name
        if path.exists() and path.read_text().strip() == off:
            return f"sudo sysctl -w {name.replace('/', '.')}={on}, or start a Docker engine"
    return INSTALL


def _memory_file(data: bytes) -> int:
    fd = os.memfd_create("mx", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd


def birth(
    packages: bytes | None = None, groups: cgroups.Place | None = None, tools: tuple[str, ...] = ()
) -> Slot:
    """Start a slot with an archive of packages and pinned tools, its control group in that place.

    Raises SandboxUnavailableError when this machine does not let us.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return _birth(packages, groups, tools)
        except SlotDiedError as error:  # somebody may have killed it
            if attempt == TRIES:
                raise SandboxUnavailableError(
                    f"bubblewrap cannot start a jail here ({error}): {_way_to_namespaces()}"
                ) from error
            logger.info("a jail died at its birth, trying again: %s", error)
        except PermissionError as error:
            if error.errno != errno.EPERM:
                raise
            raise SandboxUnavailableError(  # root in a namespace of few users
                "root may not become another user here, and bubblewrap is no sandbox for root: "
                "run it as an ordinary user, or start a Docker engine"
            ) from error
    raise AssertionError("unreachable")


def _birth(packages: bytes | None, groups: cgroups.Place | None, tools: tuple[str, ...]) -> Slot:
    files = {**_contents(), **{place: Path(place).read_bytes() for place in COPIED if Path(place).is_file()}}
    if packages is not None:
        files[PLACE] = packages
    contents = {place: _memory_file(data) for place, data in files.items()}
    fds = tuple(contents.values())
    ours, theirs = socket.socketpair()
    errors = tempfile.TemporaryFile()  # noqa: SIM115  closed with the jail
    group: cgroups.Group | None = None
    figures: list[int] = []
    uid = of_this_process().take()
    try:
        group = None if groups is None else cgroups.Group(groups)
        figures = [] if group is None else group.figures()
        config = {"uids": None, "seccomp": seccomp.program().hex(), "figures": figures}
        line = command(contents, json.dumps(config), tools)

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                line,
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=errors,
                pass_fds=(*fds, *figures),
                env=SERVER_ENV,
                cwd="/",
                user=uid,
                group=uid,
                extra_groups=None if uid is None else (),
            )

        bubble = Bubble(spawn(start), ours, errors, group, uid)
    except BaseException:
        of_this_process().give_back(uid)
        ours.close()
        errors.close()
        if group is not None:
            group.remove()
        raise
    finally:
        theirs.close()
        for fd in (*fds, *figures):
            os.close(fd)
    try:
        slot = Slot(bubble)
        bubble.enter_group()
        return slot
    except OSError as error:  # over already, or somebody removed its group
        bubble.close()
        raise SlotDiedError(f"the jail did not get into its control group: {error}") from error
    except BaseException:
        bubble.close()
        raise


def check_bubblewrap() -> None:
    """Start a jail and end it. Raises SandboxUnavailableError when this machine does not let us."""
    birth(groups=cgroups.find()).close()


def open_bubblewrap(
    *,
    slots: int,
    limits: Limits,
    image: str = "python",
    packages: tuple[str, ...] = (),
    control_groups: bool = True,
) -> PooledSandbox:
    """A sandbox whose slots are bubblewrap jails; without ``control_groups`` their memory is metered only, as where there are none.

    Raises SandboxUnavailableError when no jail can be started here, or this machine lacks a tool of the image or a package.
    """
    check_tools(image)
    cgroups.remove_leftovers()
    bundle = archive(packages, _python()) if packages else None
    groups = cgroups.find() if control_groups else None
    tools = tuple(pinned_binds(image, FOLDERS))
    first = birth(bundle, groups, tools)  # names what is missing before the first job
    try:
        return PooledSandbox(
            "bubblewrap",
            lambda _: birth(bundle, groups, tools),  # any limits: a jail gets them with each job
            slots=slots,
            limits=limits,
            finish=lambda: None,
            kind=lambda _: None,
            capabilities=of_bubblewrap(image, groups),
            first=first,
        )
    except BaseException:
        first.close()
        raise
