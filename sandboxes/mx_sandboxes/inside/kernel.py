"""The few calls of the C library that Python does not offer, and the stream to the host."""

from __future__ import annotations

import ctypes
import json
import os
import select
import struct
from typing import Any

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = (
    0x20000,
    0x4000000,
    0x8000000,
    0x20000000,
    0x40000000,
)
CLONE_NEWCGROUP = 0x2000000
MNT_DETACH = 2
MADV_DONTFORK = 10
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = (
    4,
    22,
    36,
    38,
    47,
)

_libc = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: Any) -> int:
    """What a C function returns that returns -1 on failure; raises OSError then."""
    result: int = getattr(_libc, name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def wait_for(fd: int, events: int) -> None:
    """Block until the descriptor is ready."""
    poll = select.poll()
    poll.register(fd, events)
    poll.poll()


class Link:
    """The two file descriptors to the host; both are non-blocking."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self.incoming, self.outgoing = incoming, outgoing
        os.set_blocking(incoming, False)
        os.set_blocking(outgoing, False)

    def read_exactly(self, size: int) -> bytes:
        """Return that many bytes. Raises EOFError when the host is gone."""
        parts = []
        while size:
            try:
                part = os.read(self.incoming, size)
            except BlockingIOError:
                wait_for(self.incoming, select.POLLIN)
                continue
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def read_message(self) -> tuple[bytes, bytes]:
        """The host's next message as (kind, payload)."""
        header = self.read_exactly(5)
        return header[4:], self.read_exactly(int.from_bytes(header[:4], "big"))

    def write(self, kind: bytes, *parts: bytes) -> None:
        """Send one message, however long the host takes."""
        self.send(message(kind, *parts))

    def send(self, messages: bytes) -> None:
        """Send whole messages, however long the host takes."""
        data = memoryview(messages)
        while data:
            try:
                data = data[os.write(self.outgoing, data) :]
            except BlockingIOError:
                wait_for(self.outgoing, select.POLLOUT)


def message(kind: bytes, *parts: bytes) -> bytes:
    """One message to the host."""
    return b"".join((struct.pack(">I", sum(map(len, parts))), kind, *parts))


def pack(header: Any, *blobs: bytes) -> tuple[bytes, ...]:
    """The payload of a message that carries a JSON header and byte strings."""
    text = json.dumps(header).encode()
    return (struct.pack(">I", len(text)), text, *blobs)


def unpack(payload: bytes) -> tuple[Any, memoryview]:
    """The header and the rest of such a payload."""
    size = int.from_bytes(payload[:4], "big")
    return json.loads(payload[4 : 4 + size]), memoryview(payload)[4 + size :]
