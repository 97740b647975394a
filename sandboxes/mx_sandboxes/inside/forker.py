"""The forker: begins every job, is told nothing about any, and so stays as it was born.

Jobs are forks of it: what it had ever read, they could find in their memory. So it gets one letter for each job; the job itself
takes its request from a socket that nobody else reads. Jobs that run pytest are forks of a second one, which has it loaded: each
fork copies the page tables of all that is loaded, and a job that began with pytest's would take a quarter longer.
"""

from __future__ import annotations

import gc
import marshal
import mmap
import os
import socket
import struct
import time
import traceback
from typing import Any, NoReturn

from mx_sandboxes.inside import job, kernel, network, preload, reaper

JOB, PYTEST, NETWORK = b"J", b"T", b"N"
"""The orders: begin a job, begin one that runs pytest, enter a new network namespace. The last is also the word that it is done."""
RECORD = struct.Struct("=idq")
"""How a job ended: its first process's wait status, CPU seconds and peak bytes of all that was waited for."""
FIRST = struct.Struct("=iii")
"""The job's first process, process 1 of its own namespace, and the second forker."""
JOB_PIDS = struct.Struct("=ii")
"""The first two of them, which each job sets anew."""
NUMBER = struct.Struct("=i")


class ForkerGoneError(EOFError):
    """What begins jobs has ended under one."""


class Forker:
    """The forker as the keeper sees it. ``isolated``: each job has namespaces of its own."""

    def __init__(self, program: bytes, *, isolated: bool, secret: tuple[int, ...]) -> None:
        """Start it without these descriptors."""
        self.isolated = isolated
        self.orders, orders = socket.socketpair()
        self.hand, hand = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.first = mmap.mmap(-1, mmap.PAGESIZE)
        self.pid = os.fork()
        if self.pid == 0:
            try:
                for fd in (*secret, self.orders.detach(), self.hand.detach()):
                    os.close(fd)
                serve(program, isolated, orders, hand, self.first)
            finally:
                os._exit(1)
        orders.close()
        hand.close()
        self.hand.setblocking(False)
        self._await_network()
        self.pids = frozenset((self.pid, FIRST.unpack_from(self.first)[2]))

    def begin(self, request: dict[str, Any], blobs: tuple[bytes | memoryview, ...], fds: list[int]) -> None:
        """Begin a job that reads this request and the bytes of its files, and owns these descriptors."""
        self.first[: JOB_PIDS.size] = JOB_PIDS.pack(0, 0)
        text = marshal.dumps(request)
        with open(os.memfd_create("request"), "wb", buffering=0) as file:
            for data in (text, *blobs):
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
            rights = struct.pack(f"={1 + len(fds)}i", file.fileno(), *fds)
            self.hand.sendmsg([NUMBER.pack(len(text))], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        self.orders.send(PYTEST if job.is_pytest(request["argv"]) else JOB)

    def leader(self) -> int:
        """Process 1 of the job's own namespace; 0 where there is none, or none yet."""
        leader: int = FIRST.unpack_from(self.first)[1]
        return leader

    def job(self) -> int:
        """The job's first process; waits until it is there."""
        while not (pid := FIRST.unpack_from(self.first)[0]):
            time.sleep(0.0002)
        return int(pid)

    def answer(self) -> tuple[bool, list[int]]:
        """Whether the job is about to begin its program, and the folders that it has handed over.

        Raises RuntimeError for what kept it from that.
        """
        try:
            said, rights, _, _ = self.hand.recvmsg(65536, socket.CMSG_SPACE(64))
        except BlockingIOError:
            return False, []
        if said[:1] != b"R":
            raise RuntimeError(said[1:].decode("utf-8", "replace"))
        return True, [fd for _, _, data in rights for (fd,) in NUMBER.iter_unpack(data)]

    def record(self) -> tuple[int, float, int]:
        """The record of the job, once there is one. Raises ForkerGoneError."""
        data = self.orders.recv(RECORD.size, socket.MSG_WAITALL)
        if len(data) < RECORD.size:
            raise ForkerGoneError
        status, cpu, peak = RECORD.unpack(data)
        return status, cpu, peak

    def renew_network(self) -> None:
        """Give the jobs to come a network that no job has used. Raises EOFError when the forker is gone."""
        self.orders.send(NETWORK)
        self._await_network()

    def _await_network(self) -> None:
        if not self.orders.recv(1):
            raise EOFError


def serve(
    program: bytes, isolated: bool, orders: socket.socket, hand: socket.socket, first: mmap.mmap
) -> None:
    """The forker's whole life."""
    tests, orders_for_tests = socket.socketpair()
    if isolated:
        network.renew()  # in the first one, jobs would see the server's sockets
    preload.prepare()
    jobs = Jobs(hand, job.Filter(program), isolated, first)
    gc.collect()
    gc.disable()
    gc.freeze()
    pid = os.fork()
    if pid == 0:
        orders.close()
        tests.close()
        serve_tests(orders_for_tests, jobs)
        os._exit(1)
    orders_for_tests.close()
    first[: FIRST.size] = FIRST.pack(0, 0, pid)
    jobs.settle()
    orders.send(NETWORK)
    while order := orders.recv(1):
        if order == NETWORK:
            network.renew()
            network.share(tests)
            orders.send(NETWORK)
        elif order == PYTEST:
            tests.send(JOB)
            record = tests.recv(RECORD.size, socket.MSG_WAITALL)
            if not record:
                return
            orders.send(record)
        else:
            orders.send(jobs.run())


def serve_tests(orders: socket.socket, jobs: Jobs) -> None:
    """The second forker's whole life: it begins the jobs that run pytest, in the network of the first."""
    jobs.settle()
    while order := network.join_shared(orders):
        if order == JOB:
            preload.pytest()
            orders.send(jobs.run())


class Jobs:
    """Begins jobs, one after the other, and buries them."""

    def __init__(self, hand: socket.socket, program: job.Filter, isolated: bool, first: mmap.mmap) -> None:
        self.hand, self.program, self.isolated, self.first = hand, program, isolated, first
        self.own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.reapers: reaper.Reapers | None = None
        self.more = kernel.CLONE_NEWCGROUP
        """By the first job, the host has put this process where none should see itself."""

    def settle(self) -> None:
        """Make what is this process's own, and no other forker's."""
        self.first.madvise(kernel.MADV_DONTFORK)
        if self.isolated:
            self.reapers = reaper.Reapers()

    def run(self) -> bytes:
        """Begin a job and wait for its end; returns the record of it."""
        leader = 0
        if self.reapers is not None:  # the next child begins a process namespace of its own
            kernel.call("setns", self.own, kernel.CLONE_NEWPID)
            kernel.call("unshare", kernel.CLONE_NEWPID | self.more)
            self.more = 0
            leader = self.reapers.begin()
        pid = os.fork()
        if pid == 0:
            live(self.hand, self.program, self.isolated)
        self.first[: JOB_PIDS.size] = JOB_PIDS.pack(pid, leader)
        _, status, used = os.wait4(pid, 0)
        cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss
        if self.reapers is not None:
            used = self.reapers.end(leader)
            cpu, peak = cpu + used.ru_utime + used.ru_stime, max(peak, used.ru_maxrss)
        return RECORD.pack(status, cpu, peak * 1024)


def live(hand: socket.socket, program: job.Filter, isolated: bool) -> NoReturn:
    """The job's whole life."""
    try:
        request, fds = job.prepare(hand, isolated)
    except BaseException:
        hand.send(b"X" + traceback.format_exc().encode()[-60000:])
        os._exit(125)
    try:
        job.become(request, program, fds)
    except BaseException as error:
        os.write(2, f"the job could not be started: {error}\n".encode())
    finally:
        os._exit(125)
