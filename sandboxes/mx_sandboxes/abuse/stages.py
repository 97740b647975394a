"""Decoys that are set up on the host for as long as one attack lasts: what an escaped program would find, and its traces."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mx_sandboxes.abuse.case import Staged

VARIABLE = "MX_ABUSE_SECRET"


class Visitors:
    """Counts who comes to a listening socket."""

    def __init__(self, *listeners: socket.socket) -> None:
        self.count = 0
        self._listeners = listeners
        for listener in listeners:
            listener.settimeout(0.2)
            threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                visitor, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:  # closed
                return
            self.count += 1
            with visitor, contextlib.suppress(OSError):
                visitor.sendall(b"welcome")

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners:
            listener.close()

    def seen(self) -> str | None:
        """The evidence."""
        return f"{self.count} connections reached the host" if self.count else None


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on the host that every user may read."""
    path = Path(tempfile.mkdtemp(prefix="mx-abuse-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def secret() -> Iterator[Staged]:
    """A readable file, an environment variable and an inheritable descriptor of ours that hold a secret, and a place to write."""
    word = secrets.token_hex(16)
    with folder() as path:
        file = path / "secret"
        file.write_text(word)
        (path / "drop").mkdir()
        (path / "drop").chmod(0o777)
        fd = os.open(file, os.O_RDONLY)
        os.set_inheritable(fd, True)
        os.environ[VARIABLE] = word
        try:
            yield Staged(
                {"path": str(file), "drop": str(path / "drop"), "word": word, "variable": VARIABLE},
                lambda: "a file was written on the host" if any((path / "drop").iterdir()) else None,
            )
        finally:
            del os.environ[VARIABLE]
            os.close(fd)


def addresses() -> list[str]:
    """This machine's own addresses, loopback included."""
    found = {"127.0.0.1"}
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing; tells the address that would be used
        found.add(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found.update(
            str(entry[4][0]) for entry in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
        )
    return sorted(found)


@contextmanager
def listener() -> Iterator[Staged]:
    """A TCP listener on all addresses of this machine that are its own."""
    listeners = []
    for address in addresses():
        with contextlib.suppress(OSError):
            listeners.append(socket.create_server((address, 0)))
    visitors = Visitors(*listeners)
    try:
        yield Staged({"targets": [one.getsockname() for one in listeners]}, visitors.seen)
    finally:
        visitors.close()


@contextmanager
def engine_sockets() -> Iterator[Staged]:
    """A decoy of an engine's socket, by a path and by an abstract name."""
    with folder() as path:
        place, name = str(path / "docker.sock"), f"mx-abuse-{secrets.token_hex(8)}"
        by_path, by_name = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        by_path.bind(place)
        Path(place).chmod(0o777)
        by_name.bind(f"\0{name}")
        for one in (by_path, by_name):
            one.listen()
        visitors = Visitors(by_path, by_name)
        try:
            yield Staged({"path": place, "name": name}, visitors.seen)
        finally:
            visitors.close()
