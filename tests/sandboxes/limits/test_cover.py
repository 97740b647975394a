"""A jail's folders are the host's to read, and its own to lock: what a job does to a file of the system stays in its slot."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from mx_sandboxes import Sandbox, Session, open_sandbox

pytestmark = pytest.mark.bubblewrap
HELD = """
import fcntl, os, socket, struct
kept = []
for path in PATHS:
    for way in ("flock", "whole", "owned"):
        file = open(path, "rb")
        kept.append(file)
        if way == "flock": fcntl.flock(file, fcntl.LOCK_EX)
        elif way == "whole": fcntl.lockf(file, fcntl.LOCK_SH)
        else: fcntl.fcntl(file, 37, struct.pack("hhqqi", fcntl.F_RDLCK, 0, 0, 0, 0))
channel = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
channel.sendall((1).to_bytes(4, "big") + b"1")
channel.recv(1)
"""


def old_kernel() -> bool:
    """Whether this kernel lets no jail lay an overlay over a folder."""
    return tuple(int(part) for part in re.findall(r"\d+", platform.release())[:2]) < (5, 11)


@pytest.fixture
def paths() -> list[str]:
    """Files of the host's that jails see."""
    wanted = ("/usr/bin/env", "/usr/bin/python3", "/etc/ld.so.cache", "/usr/share/doc")
    found = [str(Path(path).resolve()) for path in wanted if Path(path).is_file()]
    assert found
    return found


@pytest.fixture
def holder(bubblewrap_or_skip: Sandbox, paths: list[str]) -> Iterator[Session]:
    """A job that holds locks on all of them, while the test lasts."""
    if old_kernel():
        pytest.skip("before Linux 5.11 a jail cannot cover its folders")
    code = HELD.replace("PATHS", repr(paths))
    with bubblewrap_or_skip.session(["python", "-c", code]) as session:
        assert session.receive() == 1
        yield session


def test_the_hosts_own_locks_are_not_held_up(holder: Session, paths: list[str]) -> None:
    for path in paths:
        with Path(path).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(file, fcntl.LOCK_UN)
        if os.access(path, os.W_OK) and not os.access(
            path, os.X_OK
        ):  # a program that runs cannot be opened so
            with Path(path).open("ab") as file:  # nothing is written
                try:
                    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                finally:
                    fcntl.lockf(file, fcntl.LOCK_UN)


def test_other_slots_do_not_see_them(holder: Session, paths: list[str]) -> None:
    code = f"""
import fcntl
for path in {paths!r}: fcntl.flock(open(path, "rb"), fcntl.LOCK_EX | fcntl.LOCK_NB)
print("free")
"""
    with open_sandbox("bubblewrap", slots=1) as other:
        assert other.run(["python", "-c", code]).stdout == b"free\n"


def test_reading_is_as_it_was(bubblewrap_or_skip: Sandbox, paths: list[str]) -> None:
    code = (
        f"import hashlib\nfor path in {paths!r}: print(hashlib.sha256(open(path, 'rb').read()).hexdigest())"
    )
    said = bubblewrap_or_skip.run(["python", "-c", code]).stdout.decode().split()
    assert said == [hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths]
    listed = bubblewrap_or_skip.run(["ls", "-a", "/usr/bin"]).stdout.decode().split()
    assert {*(path.name for path in Path("/usr/bin").iterdir()), ".", ".."} == set(listed)


def test_nothing_can_be_written_or_uncovered(bubblewrap_or_skip: Sandbox) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None)
for place in ("/usr/bin", "/usr/lib", "/mx/empty"):
    try: open(os.path.join(place, "x"), "w"); print("wrote", place)
    except OSError: pass
    if libc.umount2(place.encode(), 2) == 0: print("uncovered", place)
print("done")
"""
    assert bubblewrap_or_skip.run(["python", "-c", code]).stdout == b"done\n"
