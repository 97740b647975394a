"""What runs in a slot for `mx sandbox shell`: a shell, on a terminal of its own where the slot has terminals, else on pipes.

Asked by one frame ``{"in": text, "eof": bool}``, it answers by one frame ``{"out": text, "end": exit code or None}``; bytes travel
as Latin-1. Standard library only: it is handed to the slot's interpreter as a string.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import socket
import struct
import sys
import termios
from typing import Any

PATIENCE_MS = 30
MOST_BYTES = 1 << 16


def start(interactive: bool) -> tuple[int, int, int, bool]:
    """Start the shell; returns its pid, where to write, where to read, and whether that is a terminal."""
    shell = "/bin/bash" if os.access("/bin/bash", os.X_OK) else "/bin/sh"
    if interactive:
        try:
            pid, terminal = pty.fork()
        except OSError:  # no terminals in here
            pass
        else:
            if pid == 0:
                run([shell, *(["--norc"] if shell.endswith("bash") else []), "-i"])
            return pid, terminal, terminal, True
    (theirs_in, ours_in), (ours_out, theirs_out) = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        for target, source in ((0, theirs_in), (1, theirs_out), (2, theirs_out)):
            os.dup2(source, target)
        run(["/bin/sh", "-i", "+m"] if interactive else ["/bin/sh"])
    os.close(theirs_in)
    os.close(theirs_out)
    return pid, ours_in, ours_out, False


def run(command: list[str]) -> None:
    """Become the shell."""
    os.closerange(3, 256)
    os.environ.pop("MX_CHANNEL", None)
    os.environ.update(TERM="xterm", PS1=r"sandbox:\w\$ " if "bash" in command[0] else "sandbox$ ")
    try:
        os.execv(command[0], command)  # noqa: S606  a shell is what is wanted
    finally:
        os._exit(127)


def read_exactly(channel: socket.socket, size: int) -> bytes:
    """So many bytes of the channel; ends this process when the host is gone."""
    data = b""
    while len(data) < size:
        part = channel.recv(size - len(data))
        if not part:
            sys.exit(0)
        data += part
    return data


def receive(channel: socket.socket) -> Any:
    """The host's next frame."""
    return json.loads(read_exactly(channel, int.from_bytes(read_exactly(channel, 4), "big")))


def send(channel: socket.socket, frame: Any) -> None:
    """Answer."""
    data = json.dumps(frame).encode()
    channel.sendall(struct.pack(">I", len(data)) + data)


def take(source: int) -> bytes | None:
    """What the shell has written within a moment; None at its end."""
    watch = select.poll()
    watch.register(source, select.POLLIN)
    found = b""
    while len(found) < MOST_BYTES and watch.poll(0 if found else PATIENCE_MS):
        try:
            part = os.read(source, 4096)
        except OSError:  # how a terminal says that nobody holds its other end
            part = b""
        if not part:
            return found or None
        found += part
    return found


def main() -> None:
    """Serve the host's frames until the shell ends."""
    channel = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
    first = receive(channel)
    pid, sink, source, terminal = start(first["interactive"])
    if terminal:
        fcntl.ioctl(sink, termios.TIOCSWINSZ, struct.pack("HHHH", *first["size"], 0, 0))
    send(channel, {"terminal": terminal})
    serve(channel, pid, sink, source, terminal)


def serve(channel: socket.socket, pid: int, sink: int, source: int, terminal: bool) -> None:
    """Answer the host's frames. Nothing waits for a shell that reads nothing: what it has not read yet is kept."""
    os.set_blocking(sink, False)
    waiting, ended = b"", False
    while True:
        asked = receive(channel)
        waiting += asked["in"].encode("latin-1")
        if asked["eof"]:
            ended = not terminal
            waiting += b"\x04" if terminal else b""
        try:
            while waiting:
                waiting = waiting[os.write(sink, waiting) :]
        except BlockingIOError:
            pass
        except OSError:  # the shell has closed its input: its end follows
            waiting = b""
        if ended and not waiting:
            os.close(sink)
            ended = False
        found = take(source)
        end = None if found is not None else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        send(channel, {"out": (found or b"").decode("latin-1"), "end": end})
        if end is not None:
            return


if __name__ == "__main__":
    main()
