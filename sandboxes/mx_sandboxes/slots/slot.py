"""A slot as the host sees it: one jail with a job server at the other end of a byte stream."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import time
from dataclasses import replace
from typing import Protocol

from mx_sandboxes.sandbox import Completed, Limits, Reason, SandboxError
from mx_sandboxes.slots.frames import MessageReader, ProtocolError, message
from mx_sandboxes.slots.jobs import Request, read_ended
from mx_sandboxes.slots.trees import Kept

logger = logging.getLogger(__name__)

BIRTH_S = 30.0
GRACE_S = 10.0
"""Seconds that a server has for what is its own work once a job has ended in time: collecting, cleaning."""
SERVER_NICE = -10
"""The priority of job servers where this process may raise it: they have little to do, and in time."""
OVERDUE_S = 0.3
"""Seconds beyond a job's wall time after which a server that has not said that the job ended is not waited for."""
LAST_WORDS_S = 0.1
"""Seconds more that it has for telling of a job that a limit ended, once nothing of the job lives."""
BYTES_PER_S = 50e6
"""How fast a server takes in files at least; its clock starts when it has them."""
MAXIMAL_JOBS = 2000
SURE_ENDS = frozenset(
    {
        Reason.EXITED,
        Reason.SIGNALLED,
        Reason.CLOSED,
        Reason.DISK,
        Reason.INODES,
        Reason.FILE_SIZE,
        Reason.OPEN_FILES,
    }
)
"""After any other end the slot is not trusted again."""


class SlotDiedError(SandboxError):
    """The jail or its server is gone, silent beyond its time, or not making sense; ``wall_s`` seconds after its job began."""

    def __init__(self, said: str, wall_s: float = 0.0) -> None:
        super().__init__(said)
        self.wall_s = wall_s


def starved(death: SlotDiedError) -> Completed:
    """The end of a job that made the kernel kill what begins jobs, or its keeper, too."""
    return Completed(Reason.MEMORY, None, wall_s=death.wall_s, limits_hit=(Reason.MEMORY,))


class OverdueError(SandboxError):
    """The job's wall time is over, and its server has not ended it."""


class Transport(Protocol):
    """The byte stream to a jail, and the jail's life."""

    def send(self, data: bytes) -> None:
        """Send all of it. Raises OSError when the jail is gone."""

    def receive(self, timeout: float | None) -> bytes:
        """Some bytes; empty at the end. Raises TimeoutError, or OSError when the jail is gone."""

    def close(self) -> None:
        """Kill the jail and free what it holds on the host; may be called again, from any thread."""

    def last_words(self) -> str:
        """What the jail wrote to its standard error, for people."""

    def prepare(self, limits: Limits) -> None:
        """Set from outside what a job may use, where that is possible. Raises OSError."""

    def out_of_memory(self) -> bool:
        """Whether the kernel has ever killed in this jail for want of memory, as far as is seen from outside."""

    def killed_from_outside(self) -> str:
        """What shows, beyond the reach of any job, that somebody else ended this jail; empty where nothing does."""

    def kill(self) -> None:
        """Kill everything in the jail now, where that takes no asking and no waiting."""


def hang_up(stream: socket.socket) -> None:
    """Shut a stream both ways, which wakes a thread that still waits at it; the other end may be gone before."""
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)


class Slot:
    """One jail, one job at a time. Not thread-safe: whoever holds it owns it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._reader = MessageReader()
        self._jobs = 0
        self._began = time.monotonic()
        self._clean = True
        self._trees = Kept()
        self.trusted = True
        kind, _ = self.receive(BIRTH_S)
        if kind != b"H":
            raise self.died(f"it began with {kind!r}")

    @property
    def used(self) -> bool:
        """Whether it has ever been given a job."""
        return self._jobs > 0

    def died(self, why: object) -> SlotDiedError:
        """The error to raise; the slot is not used again."""
        self.trusted = False
        words = self._transport.last_words().strip()
        error = SlotDiedError(
            f"a sandbox slot died: {why}" + (f"; it said: {words[-2000:]}" if words else ""),
            time.monotonic() - self._began if self.used else 0.0,
        )
        logger.info("%s", error)
        return error

    def close(self) -> None:
        """Kill the jail."""
        self.trusted = False
        self._transport.close()

    def send(self, data: bytes) -> None:
        """Send bytes. Raises SlotDiedError."""
        try:
            self._transport.send(data)
        except OSError as error:
            raise self.died(error) from error

    def receive(self, timeout: float | None) -> tuple[bytes, bytes]:
        """The server's next message. Raises TimeoutError, SlotDiedError."""
        end = None if timeout is None else time.monotonic() + timeout
        try:
            while (found := self._reader.next()) is None:
                left = None if end is None else max(0.0, end - time.monotonic())
                data = self._transport.receive(left)
                if not data:
                    raise self.died("its stream ended")
                self._reader.feed(data)
        except TimeoutError:
            raise
        except (OSError, ProtocolError) as error:
            raise self.died(error) from error
        if found[0] == b"X":
            raise self.died(found[1].decode("utf-8", "replace"))
        return found

    def expect(self, kinds: bytes, timeout: float) -> tuple[bytes, bytes]:
        """Like receive, but silence or any other kind than these is a death too."""
        try:
            kind, payload = self.receive(timeout)
        except TimeoutError as error:
            raise self.died(f"it was silent for {timeout:.0f} s") from error
        if kind not in kinds:
            raise self.died(f"it sent {kind!r} out of turn")
        return kind, payload

    def ready(self) -> bool:
        """Whether the next job may be sent: the last one is cleaned away and the server is there."""
        if not self.trusted:
            return False
        try:
            if not self._clean:
                self.expect(b"C", GRACE_S)
                self._clean = True
            self.receive(0.0)
        except TimeoutError:
            return True
        except SlotDiedError:
            return False
        return False

    def begin(self, request: Request) -> None:
        """Send a job. Raises SlotDiedError."""
        self._jobs += 1
        self._began = time.monotonic()
        self._clean = False
        try:
            self._transport.prepare(request.limits)
        except OSError as error:
            raise self.died(error) from error
        tree = self._trees.bring(request.tree) if request.tree is not None else b""
        self.send(tree + request.encode())

    def run(self, request: Request) -> Completed:
        """Send a job and wait for its end. Raises SlotDiedError."""
        started = time.monotonic()
        try:
            self.begin(request)
            return self.finished(self._end(request))
        except OverdueError:
            return self.overdue(time.monotonic() - started)
        except SlotDiedError as death:
            if self.starved:
                return starved(death)
            raise

    def _end(self, request: Request) -> bytes:
        """The server's verdict on a job. Raises SlotDiedError; OverdueError when the job ought to be over and is not."""
        end = time.monotonic() + request.limits.wall_s + request.size / BYTES_PER_S
        kind, payload = self.in_time(b"AD", end - time.monotonic())
        if kind == b"D":
            return payload
        if payload:  # a limit ended it: what it has left is not worth being late
            return self.in_time(b"D", end + LAST_WORDS_S - time.monotonic())[1]
        return self.expect(b"D", GRACE_S)[1]  # it ended in time; what is left is the server's own work

    def in_time(self, kinds: bytes, seconds: float) -> tuple[bytes, bytes]:
        """Like expect, for what a server says once a job's time is over. Raises SlotDiedError, OverdueError."""
        try:
            kind, payload = self.receive(max(0.0, seconds + OVERDUE_S))
        except TimeoutError as error:
            raise OverdueError from error
        if kind not in kinds:
            raise self.died(f"it sent {kind!r} out of turn")
        return kind, payload

    def overdue(self, seconds: float) -> Completed:
        """End a job whose time is over and whose server does not do it, and the slot with it."""
        self.trusted = False
        self._transport.kill()
        over = Completed(Reason.WALL_TIME, None, wall_s=seconds, limits_hit=(Reason.WALL_TIME,))
        return self.judged(over)

    def killed_from_outside(self) -> str:
        """What shows that somebody else ended this jail; empty where nothing does. To be asked before `close`."""
        return self._transport.killed_from_outside()

    def kill(self, reason: Reason) -> None:
        """Tell the server to end the session's program."""
        self.send(message(b"K", reason.value.encode()))

    def collect(self, names: tuple[str, ...]) -> None:
        """Tell the server which files to send when the program is over, and to clean up."""
        self.send(message(b"Q", json.dumps(names).encode()))

    @property
    def starved(self) -> bool:
        """Whether the kernel killed the job, or the server with it, for want of memory."""
        return self._transport.out_of_memory()

    def judged(self, completed: Completed) -> Completed:
        """The server's verdict, or the kernel's where that is out of the server's sight: a job's memory was over its limit."""
        if not self.starved:
            return completed
        hit = tuple(dict.fromkeys((*completed.limits_hit, Reason.MEMORY)))
        if completed.reason not in (Reason.EXITED, Reason.SIGNALLED):
            return replace(completed, limits_hit=hit)
        return replace(completed, reason=Reason.MEMORY, exit_code=None, limits_hit=hit)

    def finished(self, payload: bytes) -> Completed:
        """The verdict on the job; decides whether the slot may serve another. Raises SlotDiedError."""
        try:
            completed = read_ended(payload)
        except ProtocolError as error:
            raise self.died(error) from error
        completed = self.judged(completed)
        self.trusted = self.trusted and completed.reason in SURE_ENDS and self._jobs < MAXIMAL_JOBS
        return completed
