"""Pipes straight to the job server of a container, past the engine, which wakes four of its own threads for each message.

The server makes them, and says how they are called; a process that may look into the server's descriptors (root, on the same
machine) opens the other ends. Wherever that is not so, the attached stream stays the only way.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import json
import os
import stat

from mx_sandboxes.slots.frames import ProtocolError

SIZE = 1 << 18


class Pipes:
    """The host's ends, both non-blocking. Raises OSError when they cannot be opened or are not those that the server made."""

    def __init__(self, pid: int, payload: bytes) -> None:
        """Open what the server, the process ``pid`` of this machine, names: the descriptor and inode of either pipe."""
        try:
            (to_server, first), (from_server, second) = json.loads(payload)
        except (ValueError, TypeError) as error:
            raise ProtocolError(f"these are no names of pipes: {payload[:100]!r}") from error
        self._out = _open(pid, to_server, first, os.O_WRONLY)
        try:
            self._in = _open(pid, from_server, second, os.O_RDONLY)
        except BaseException:
            self._out.close()
            raise
        self.incoming, self.outgoing = self._in.fileno(), self._out.fileno()
        """The descriptors to poll before `read`, and when `write` has taken nothing."""

    def read(self) -> bytes | None:
        """What there is; nothing at the end, None when there is nothing yet. Raises OSError."""
        try:
            return self._in.read(SIZE)
        except ValueError as error:
            raise OSError(str(error)) from error

    def write(self, data: memoryview) -> int:
        """How many of the bytes were taken. Raises OSError."""
        try:
            return self._out.write(data) or 0
        except ValueError as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        """Close both; may be called again."""
        self._out.close()
        self._in.close()


def _open(pid: int, fd: int, inode: int, mode: int) -> io.FileIO:
    """One end of a pipe of another process. Raises OSError."""
    own = os.open(f"/proc/{int(pid)}/fd/{int(fd)}", mode | os.O_NONBLOCK | os.O_CLOEXEC)
    file = io.FileIO(own, "wb" if mode == os.O_WRONLY else "rb")
    status = os.fstat(own)
    if not stat.S_ISFIFO(status.st_mode) or status.st_ino != inode:
        file.close()
        raise OSError(f"descriptor {fd} of process {pid} is not pipe {inode}: the container is elsewhere")
    with contextlib.suppress(PermissionError):  # too many pipes: a small one does
        fcntl.fcntl(own, fcntl.F_SETPIPE_SZ, SIZE)
    return file
