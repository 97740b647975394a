"""The keeper: has one job begun, watches over it, tells the host, and takes everything down."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import time
from typing import Any

from mx_sandboxes.inside import job, kernel, usage
from mx_sandboxes.inside.forker import Forker, ForkerGoneError
from mx_sandboxes.inside.orphans import Orphans
from mx_sandboxes.inside.trees import Tree
from mx_sandboxes.inside.workspace import (
    WORK,
    WRITABLE,
    acting_as,
    allow_terminals,
    full,
    left,
    read_files,
    wipe,
)

HIGH_WATER = 1 << 20
PENDING_LIMIT = 64 << 20
FIRST_LOOK_S, BRIEF_S, OFTEN_S, SELDOM_S = 0.05, 0.02, 0.1, 0.4
LAST_WORDS_S = 1.0
PRESSED_S = 0.5
"""From this long before a job's wall time is over, the host hears that nothing of it lives, then of its end, then of the wipe."""
LIMITS = {
    "wall time",
    "cpu time",
    "memory",
    "output",
    "processes",
    "disk",
    "inodes",
    "file size",
    "open files",
}


TERMINAL = "MX_TERMINAL"
"""In the environment that the host chooses for a job: it may open terminals. A shell for people may."""


class Keeper:
    """Watches over one job: begin, keep, close."""

    def __init__(
        self,
        link: kernel.Link,
        forker: Forker,
        request: dict[str, Any],
        uid: int | None,
        orphans: Orphans | None,
        figures: usage.Figures | None,
        stdin: int,
    ) -> None:
        self.link, self.forker, self.request, self.uid, self.orphans = link, forker, request, uid, orphans
        self.limits: dict[str, Any] = request["limits"]
        self.started = time.monotonic()
        self.deadline = None if request["session"] else self.started + self.limits["wall_s"]
        self.overdue = "wall time"
        self.ended: tuple[int, float, int] | None = None
        self.reason: str | None = None
        self.begun = False
        self.places: list[int] = []
        self.hit: set[str] = set()
        self.captured: dict[int, bytearray] = {}  # stdout's descriptor first
        self.kept = 0
        self.channel: socket.socket | None = None
        self.to_job, self.to_host, self.incoming = bytearray(), bytearray(), bytearray()
        self.sample_at, self.interval = self.started + FIRST_LOOK_S, FIRST_LOOK_S
        self.last_cpu, self.peak, self.ooms = 0.0, 0, usage.oom_kills()
        mine = frozenset(map(str, (os.getpid(), *forker.pids)))
        self.meter: usage.Meter | usage.GroupMeter
        if figures is None:
            self.meter = usage.Meter(mine, uid, self.limits["memory_bytes"])
        else:
            self.meter = usage.GroupMeter(figures, (stdin, int(uid is None)))
        self.names: list[str] | None = None if request["session"] else request["collect"]
        self.poll = select.poll()
        self.masks: dict[int, int] = {}

    # --- birth

    def begin(self, tree: Tree, blob: memoryview, layers: bool) -> None:
        """Begin the job with the files of this tree and those that came along, then its stdin."""
        request = self.request
        if self.uid is not None:
            allow_terminals(TERMINAL in request["env"])
        size = sum(size for _, size in request["files"])
        source = stdin_file(blob[size:])
        (out, out_end), (err, err_end) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
        theirs = [source, out_end, err_end]
        for fd in (out, err):
            os.set_blocking(fd, False)
            self.captured[fd] = bytearray()
        if request["session"]:
            self.channel, other = socket.socketpair()
            self.channel.setblocking(False)
            theirs.append(other.detach())
        told = {
            "argv": request["argv"],
            "env": request["env"],
            "limits": self.limits,
            "files": tree.files + request["files"],
            "lower": tree.lower,
            "layers": layers,
            "uid": self.uid,
        }
        self.forker.begin(told, (tree.blob, blob[:size]), theirs)
        for fd in theirs:
            os.close(fd)
        for fd in (self.forker.orders.fileno(), self.link.incoming, out, err):
            self.listen(fd, select.POLLIN)
        if self.orphans is not None:
            self.orphans.peak = 0
            self.listen(self.orphans.wakeup, select.POLLIN)

    def listen(self, fd: int, mask: int) -> None:
        """Poll a descriptor for these events from now on; not at all when there are none."""
        if self.masks.get(fd, 0) != mask:
            self.masks[fd] = mask
            if mask:
                self.poll.register(fd, mask)
            else:
                self.poll.unregister(fd)

    # --- life

    def keep(self) -> tuple[bytes, bool]:
        """Watch over the job until nothing is left of it; returns what the host is to be told, and whether another may follow."""
        try:
            while self.ended is None and self.reason is None:
                self.turn()
            self.kill_all()
        except ForkerGoneError:
            if usage.oom_kills() == self.ooms:
                raise
            return self.starved(), False
        if self.pressed():
            self.link.write(b"A", (self.reason or "").encode())
        self.read_rest()
        ended = self.verdict()
        if self.request["session"]:
            self.drain()
            self.link.write(b"E", *kernel.pack(ended))
            while self.names is None:
                kernel.wait_for(self.link.incoming, select.POLLIN)
                self.read_host()
        told = self.told(ended)
        if self.uid is None:
            return told, self.begun
        if self.pressed():
            self.link.send(told)
            told = b""
        try:
            with acting_as(self.uid):
                wipe()
        except OSError:
            self.link.send(told)  # it has ended all the same
            raise
        return told, self.begun and not left()

    def pressed(self) -> bool:
        """Whether the host is about to give the job up for lost: it waits for a one-shot job little longer than its wall time."""
        end = self.started + self.limits["wall_s"] - PRESSED_S
        return not self.request["session"] and time.monotonic() > end

    def close(self) -> None:
        """Let go of what the job had."""
        for fd in (*self.captured, *self.places):
            os.close(fd)
        if self.channel is not None:
            self.channel.close()

    def turn(self) -> None:
        """Wait for something to happen, and deal with it."""
        self.flush()
        self.listen(self.link.outgoing, select.POLLOUT if self.to_host else 0)
        if self.channel is not None:
            reading = select.POLLIN if len(self.to_host) < HIGH_WATER else 0
            self.listen(self.channel.fileno(), reading | (select.POLLOUT if self.to_job else 0))
        moment = self.sample_at if self.deadline is None else min(self.sample_at, self.deadline)
        for fd, events in self.poll.poll(max(0, int((moment - time.monotonic()) * 1000) + 1)):
            self.serve(fd, events)
        self.check_time()

    def serve(self, fd: int, events: int) -> None:
        """Deal with one ready descriptor."""
        if fd in self.captured:
            if not self.capture(fd):
                self.listen(fd, 0)
        elif fd == self.link.incoming:
            self.read_host()
        elif fd == self.forker.orders.fileno():
            self.ended = self.forker.record()
        elif self.orphans is not None and fd == self.orphans.wakeup:
            self.orphans.heard()
        elif events & ~select.POLLOUT and self.channel is not None and not self.read_channel():
            self.listen(fd, 0)
            self.channel.close()
            self.channel = None
            # a session without its channel is over: the program has a moment to end by itself
            self.deadline, self.overdue = time.monotonic() + LAST_WORDS_S, "protocol"

    def flush(self) -> None:
        """Pass on what waits for the host or the job, as far as they take it."""
        try:
            while self.to_host:
                del self.to_host[: os.write(self.link.outgoing, self.to_host)]
        except BlockingIOError:
            pass
        if self.channel is None:
            self.to_job.clear()
        try:
            while self.to_job and self.channel is not None:
                del self.to_job[: self.channel.send(self.to_job)]
        except BlockingIOError:
            pass
        except OSError:  # the job has closed its end; reading from ours will tell
            self.to_job.clear()

    def capture(self, fd: int) -> bool:
        """Take in some of the job's output; False at its end, and when there is more than is allowed."""
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return True
        room = self.limits["output_bytes"] - self.kept
        if len(data) > room:
            self.end("output")
        self.captured[fd] += data[:room]
        self.kept += min(len(data), room)
        return bool(data) and len(data) <= room

    def read_channel(self) -> bool:
        """Pass the job's bytes on to the host, wrapped; False at the channel's end."""
        assert self.channel is not None
        try:
            data = self.channel.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if data:
            self.to_host += struct.pack(">I", len(data)) + b"F" + data
        return bool(data)

    def read_host(self) -> None:
        """Take in and obey what the host says. Raises EOFError when it is gone."""
        try:
            data = os.read(self.link.incoming, 262144)
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        self.incoming += data
        while len(self.incoming) >= 5:
            size = 5 + int.from_bytes(self.incoming[:4], "big")
            if len(self.incoming) < size:
                break
            kind, payload = bytes(self.incoming[4:5]), bytes(self.incoming[5:size])
            del self.incoming[:size]
            self.obey(kind, payload)

    def obey(self, kind: bytes, payload: bytes) -> None:
        """Do what one message says."""
        if kind == b"F":
            self.to_job += payload
            if len(self.to_job) > PENDING_LIMIT:
                self.end("protocol")
            self.sample_at = min(self.sample_at, time.monotonic() + OFTEN_S)
        elif kind == b"K":
            self.end(payload.decode())
        elif kind == b"Q":
            self.names = json.loads(payload)
        else:
            raise ValueError(f"a message of kind {kind!r} in the middle of a job")

    def look(self) -> None:
        """Learn whether the job has begun, and how full its folders are."""
        if not self.begun:
            self.begun, self.places = self.forker.answer()
        if self.begun:
            self.hit |= full(self.places or WRITABLE[:3])

    def check_time(self) -> None:
        """Enforce what depends on time: the deadline, and the totals over the whole job."""
        now = time.monotonic()
        if self.deadline is not None and now >= self.deadline:
            self.end(self.overdue)
        elif now >= self.sample_at:
            self.look()
            cpu, memory = self.meter.read(self.forker.leader(), self.places or WRITABLE[:3])
            quiet = cpu <= self.last_cpu
            self.interval = min(SELDOM_S, self.interval * 2) if quiet else OFTEN_S
            if (
                self.meter.changed
            ):  # short-lived processes are seen only by looking often, for 5 % of the time at most
                self.interval = min(self.interval, max(BRIEF_S, 20 * (time.monotonic() - now)))
            self.last_cpu, self.peak = cpu, max(self.peak, memory if self.begun else 0)
            if self.meter.threads >= self.limits["pids"]:
                self.hit.add("processes")
            if cpu > self.limits["cpu_s"]:
                self.end("cpu time")
            elif self.begun and memory > self.limits["memory_bytes"]:  # before, it takes in its files
                self.end("memory")
            self.sample_at = time.monotonic() + self.interval

    def end(self, reason: str) -> None:
        """Let the job end for this reason, unless there was one before."""
        if self.reason is None:
            self.reason = reason

    # --- death

    def kill_all(self) -> None:
        """Kill and bury everything that the job started; nothing that it did can prevent it."""
        pid = self.forker.job()  # before it is there, it could not be killed
        if self.uid is not None and self.orphans is not None:
            self.orphans.kill(self.uid)
        elif self.ended is None:  # everything in its namespace goes with it
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if self.ended is None:
            self.ended = self.forker.record()

    def read_rest(self) -> None:
        """Take in what the job had written before it ended."""
        for fd in self.captured:
            before = -1
            while self.kept > before:
                before = self.kept
                if not self.capture(fd):
                    break
        while self.reason is None and self.channel is not None and self.read_channel():
            if len(self.to_host) > HIGH_WATER:
                self.drain()

    def drain(self) -> None:
        """Send everything that waits for the host."""
        while self.to_host:
            self.flush()
            if self.to_host:
                kernel.wait_for(self.link.outgoing, select.POLLOUT)

    def verdict(self) -> dict[str, Any]:
        """How the job ended, as the host is told."""
        assert self.ended is not None
        cpu = self.meter.total(self.ended[1])
        self.peak = max(self.peak, self.ended[2], self.orphans.peak if self.orphans is not None else 0)
        self.look()
        if not self.begun and self.reason is None:
            raise RuntimeError("the job ended before it began")
        reason, code = (self.reason, None) if self.reason is not None else self.own_end(cpu)
        return self.as_told(reason, code, cpu)

    def as_told(self, reason: str, code: int | None, cpu: float) -> dict[str, Any]:
        """An end for this reason, as the host is told."""
        self.hit.add(reason)
        return {
            "reason": reason,
            "exit_code": code,
            "wall_s": time.monotonic() - self.started,
            "cpu_s": cpu,
            "peak_memory_bytes": self.peak,
            "limits_hit": sorted(self.hit & LIMITS),
        }

    def own_end(self, cpu: float) -> tuple[str, int | None]:
        """Reason and exit code of a job that was not ended from here."""
        assert self.ended is not None
        status = self.ended[0]
        killer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        starved = killer == signal.SIGKILL and usage.oom_kills() > self.ooms
        if killer == job.OUT_OF_MEMORY or starved or self.peak > self.limits["memory_bytes"]:
            return "memory", None
        if killer == signal.SIGXCPU or (killer == signal.SIGKILL and cpu >= self.limits["cpu_s"]):
            return "cpu time", None
        if killer == signal.SIGXFSZ:
            return "file size", None
        if killer in job.REFUSED:
            name = job.REFUSED[killer]
            return "inodes" if name == "disk" and "inodes" in self.hit else name, None
        if killer is not None:
            return "signalled", -killer
        return "exited", os.WEXITSTATUS(status)

    def starved(self) -> bytes:
        """What the host is told of a job that made the kernel kill what begins jobs; the slot ends with it."""
        ended = self.as_told("memory", None, self.meter.total(0.0))
        kind = b"E" if self.request["session"] else b"D"
        blobs = [] if self.request["session"] else [bytes(data) for data in self.captured.values()]
        ended["output"] = [len(data) for data in blobs]
        return bytes(self.to_host) + kernel.message(kind, *kernel.pack(ended, *blobs))

    def told(self, ended: dict[str, Any]) -> bytes:
        """The message of the verdict with the output and the files that were asked for."""
        assert self.names is not None
        top = f"/proc/self/fd/{self.places[0]}" if self.places else WORK
        with acting_as(self.uid):
            files = read_files(
                top,
                self.names if self.begun else [],
                self.limits["file_bytes"],
                self.limits["workspace_bytes"],
            )
        blobs = [*(bytes(data) for data in self.captured.values()), *(data for _, data in files)]
        ended["output"] = [len(data) for data in self.captured.values()]
        ended["files"] = [(name, len(data)) for name, data in files]
        return kernel.message(b"D", *kernel.pack(ended, *blobs))


def stdin_file(data: memoryview) -> int:
    """A descriptor from which the job reads that."""
    if not data:
        return os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
    fd = os.memfd_create("stdin")
    with open(os.dup(fd), "wb") as file:
        file.write(data)
    os.lseek(fd, 0, os.SEEK_SET)
    return fd
