"""What nothing that runs in a sandbox may change on its host, looked at from outside before, while, and after it runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import resource
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

SETTINGS = (
    "kernel/core_pattern",
    "kernel/hostname",
    "kernel/domainname",
    "kernel/pid_max",
    "kernel/randomize_va_space",
    "vm/overcommit_memory",
    "net/ipv4/ip_forward",
)
PROGRAMS = ("/usr/bin/env", "/bin/sh", "/usr/bin/python3")
TROUBLE = re.compile(
    r"BUG:|WARNING:|Oops|general protection fault[,:]|soft lockup|hard LOCKUP|hung_task|blocked for more than"
)
"""What a kernel says of its own faults; programs that crash are none."""
STEP_S = 0.5
LOOK_S = 0.2


def fingerprint() -> dict[str, str]:
    """The host's state, by names."""
    found = {f"setting {name}": _read(Path("/proc/sys", name)) for name in SETTINGS}
    for name in PROGRAMS:
        path = Path(name).resolve()
        if path.exists():
            found[f"program {name}"] = (
                f"{hashlib.sha256(path.read_bytes()).hexdigest()} {path.stat().st_mode:o}"
            )
    found["host name"] = socket.gethostname()
    found["swap"] = _read(Path("/proc/swaps"))
    found["limits"] = str([resource.getrlimit(kind) for kind in range(16)])
    found["priority"] = str(os.getpriority(os.PRIO_PROCESS, 0))
    found["modules"] = str(sorted(line.split()[0] for line in _read(Path("/proc/modules")).splitlines()))
    return found


def trouble() -> list[str]:
    """What the kernel's log says of its own faults, where this process may read it."""
    try:
        log = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    lines = []
    try:
        while True:
            try:
                lines.append(os.read(log, 8192).decode("utf-8", "replace"))
            except BrokenPipeError:  # the oldest line was written over
                continue
            except OSError:
                break
    finally:
        os.close(log)
    return [line.strip() for line in lines if TROUBLE.search(line)]


def held_by_the_host(inode: int) -> bool:
    """Whether a lock on that file is held by a process that sees the files that this one sees: no sandbox is between them."""
    lines = [line.split() for line in _read(Path("/proc/locks")).splitlines()]
    holders = [words[4] for words in lines if words[1] == "FLOCK" and words[5].endswith(f":{inode}")]
    return any(_files_of(pid) == _files_of("self") for pid in holders)


def _files_of(pid: str) -> str:
    """The mount namespace of a process; nothing when it is over."""
    try:
        return str(Path(f"/proc/{pid}/ns/mnt").readlink())
    except OSError:
        return ""


class Watch:
    """Watches the host while it is entered; ``faults`` says what was seen."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._before, self._trouble = fingerprint(), trouble()
        self._offset = time.time() - time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        after = fingerprint()
        self.faults += [f"{name} changed" for name, was in self._before.items() if after.get(name) != was]
        self.faults += [f"the kernel says: {line}" for line in trouble() if line not in self._trouble]

    def _look(self) -> None:
        """Are the host's own locks and clock as they should be, all the time?"""
        while not self._over.wait(LOOK_S):
            with Path(PROGRAMS[0]).open("rb") as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    if not held_by_the_host(os.fstat(file.fileno()).st_ino):
                        self.faults.append(f"somebody holds a lock on {PROGRAMS[0]}")
            if abs(time.time() - time.monotonic() - self._offset) > STEP_S:
                self.faults.append("the clock was set")
                self._offset = time.time() - time.monotonic()


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
