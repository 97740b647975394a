"""A job's network: a namespace with nothing but a loopback, which no job has used before it.

Making one takes longer than all other namespaces together, and most jobs do not use it. Whatever a job could leave behind in one
(connections that linger, counters) begins with a packet, and every packet is counted: one without any serves the next job too.
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct

from mx_sandboxes.inside import kernel

COUNTERS = "/proc/self/net/dev"


def renew() -> None:
    """Enter a fresh network namespace; its loopback is down at first."""
    kernel.call("unshare", kernel.CLONE_NEWNET)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, kernel.SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", kernel.IFF_UP))


class Watch:
    """Tells whether anything was sent since it began. Made before /proc is put out of sight."""

    def __init__(self) -> None:
        self.counters = os.open(COUNTERS, os.O_RDONLY | os.O_CLOEXEC)
        self.before = self._read()

    def used(self) -> bool:
        """Whether any packet was counted."""
        return self._read() != self.before

    def _read(self) -> bytes:
        os.lseek(self.counters, 0, os.SEEK_SET)
        return os.read(self.counters, 4096)
