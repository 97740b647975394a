"""Thousands of hostile jobs, made at random: does any of them end without a verdict, late, or twice? Does the host stay as it was?

Run: python benchmarks/verdicts.py [--jobs 10000] [--load 50] [--slots 4] [--seed 0] [--backends bubblewrap,docker]
Each job is a few random moves: system calls with random arguments, clones with random flags, signals to all numbers, storms of
processes and threads, memory in small and large pieces, messages on every descriptor; or one of the known ways to end a slot. Load
is so many busy processes beside. Ends with code 1 when a job had an infrastructure's verdict, or ran twice, or had its verdict more
than 0.5 s late, or when the host's settings, programs, clock, locks or kernel log showed anything of it.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from host import holding
from watch import Watch

from mx_sandboxes import Completed, Limits, Reason, SandboxUnavailableError, open_sandbox
from mx_sandboxes.abuse.verdicts import ENDINGS
from mx_sandboxes.slots.slot import Slot

LATE_S = 0.5
LIMITS = Limits(
    wall_s=1.0, cpu_s=5.0, memory_bytes=96 << 20, pids=32, workspace_bytes=8 << 20, inodes=2048, open_files=64
)
HEAD = """
import ctypes, mmap, os, random, resource, signal, socket, struct, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
rng = random.Random(SEED)
room = ctypes.create_string_buffer(1 << 16)
path = ctypes.create_string_buffer(b"/work/x")
fds = [0, 1, 2]
for each in ("/usr/bin/env", "/dev/null", "/dev/zero", "/proc/self/maps", "/work", "/proc/self/mem", "/usr/lib"):
    try: fds.append(os.open(each, os.O_RDONLY))
    except OSError: pass
for each in (socket.socketpair(), os.pipe()): fds += [one if isinstance(one, int) else one.detach() for one in each]
numbers = [0, 1, 2, 3, 4, 7, 64, 4096, 1 << 20, 1 << 31, (1 << 63) - 1, -1, -100, os.getpid(), os.getppid()]
def word():
    kind = rng.randrange(4)
    if kind == 0: return ctypes.addressof(room) + 8 * rng.randrange(64)
    if kind == 1: return ctypes.addressof(path)
    return rng.choice(numbers) if kind == 2 else rng.getrandbits(rng.choice((4, 8, 16, 32, 63)))
def brief(work, seconds=0.3):
    try: pid = os.fork()
    except OSError: return
    if pid: return
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.005, 0.005)
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end: work()
    except BaseException: pass
    os._exit(0)
def first(): return rng.choice(fds) if rng.random() < 0.5 else word()
def calls():
    libc.syscall(*(ctypes.c_long(each) for each in (rng.randrange(500), first(), word(), word(), word(), word(), word())))
def clones():
    flags = rng.getrandbits(32) & ~0x100 | rng.choice((0, 17))
    if libc.syscall(ctypes.c_long(56), ctypes.c_ulong(flags), 0, 0, 0, 0) == 0: os._exit(0)
def signals():
    number = rng.choice((0, 9, 15, 17, 19, 10, 12, rng.randrange(1, 65)))
    os.kill(rng.choice((-1, 0, 1, os.getppid(), rng.randrange(1, 400))), number)
def memory():
    kept.append(bytearray(rng.choice((1 << 12, 1 << 16, 1 << 20, 8 << 20))))
def maps():
    kept.append(mmap.mmap(-1, 4096 * rng.randrange(1, 64)))
def messages():
    data = struct.pack(">I", rng.choice((0, 5, 1 << 30))) + rng.choice((b"D", b"X", b"A", b"C", b"E"))
    data += os.urandom(rng.randrange(64))
    try: os.write(rng.randrange(256), data)
    except OSError: pass
def files():
    try: os.close(os.open("/work/" + "d" * rng.randrange(1, 200) + str(rng.random()), os.O_CREAT | os.O_WRONLY))
    except OSError: pass
def sockets():
    kept.extend(socket.socketpair())
def threads():
    threading.Thread(target=time.sleep, args=(5,)).start()
def forks():
    if os.fork() == 0: time.sleep(rng.choice((0, 0.01, 5))); os._exit(0)
def limits():
    resource.setrlimit(rng.randrange(16), (rng.getrandbits(20),) * 2)
def stops():
    os.kill(os.getpid(), signal.SIGSTOP)
kept = []
moves = [calls] * 6 + [clones, signals, memory, maps, messages, files, sockets, threads, forks, limits, stops]
def through(*_): pass
"""
TAIL = """
for _ in range(rng.randrange(1, 8)): brief(rng.choice(moves), rng.choice((0.05, 0.3, 3)))
end = time.monotonic() + rng.choice((0, 0.05, 0.3, 3))
while time.monotonic() < end:
    try: rng.choice(moves)() if rng.random() < 0.05 else time.sleep(0.005)
    except Exception: pass
"""


@dataclass
class Tally:
    """What became of the jobs of one backend."""

    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    latest: float = 0.0
    """Seconds beyond its wall time of the job that was latest."""

    def take(self, number: int, done: Completed, seconds: float) -> None:
        """Count one job, which had its verdict after so many seconds in its slot."""
        late = seconds - LIMITS.wall_s
        self.latest = max(self.latest, late)
        self.ends[done.reason.value] += 1
        if done.reason is Reason.SANDBOX_DIED:
            self.faults.append(f"job {number} had no verdict: {done.cause}")
        if done.attempts > 1:
            self.faults.append(f"job {number} ran {done.attempts} times")
        if late > LATE_S:
            self.faults.append(
                f"job {number} had its verdict {late:.2f} s after its time ({done.reason.value})"
            )


def program(seed: int) -> str:
    """One hostile job."""
    rng = random.Random(seed)
    if rng.random() < 0.2:
        return f"def through(*_): pass\n{rng.choice(list(ENDINGS.values()))}"
    return HEAD.replace("SEED", str(seed)) + TAIL


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that compute beside."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


@contextmanager
def timed() -> Iterator[threading.local]:
    """While it lasts, each thread knows how long its last job was in its slot, without the waiting for a slot."""
    took = threading.local()
    run = Slot.run

    def measured(self: Slot, request: Any) -> Completed:
        began = time.monotonic()
        try:
            return run(self, request)
        finally:
            took.seconds = time.monotonic() - began

    with mock.patch.object(Slot, "run", measured):
        yield took


def attack(backend: str, jobs: int, slots: int, seed: int) -> Tally:
    """Run the jobs. Raises SandboxUnavailableError."""
    tally, lock = Tally(), threading.Lock()
    with open_sandbox(backend, slots=slots, limits=LIMITS) as sandbox, timed() as took:
        sandbox.run(["python", "-c", "pass"])

        def one(number: int) -> None:
            done = sandbox.run(["python", "-c", program(seed + number)])
            with lock:
                tally.take(number, done, took.seconds if done.attempts == 1 else 0.0)

        with ThreadPoolExecutor(slots) as threads:
            list(threads.map(one, range(jobs)))
        if not sandbox.run(["python", "-c", "pass"]).ok:
            tally.faults.append("a harmless job after all of them did not end well")
    return tally


def main(words: Sequence[str] | None = None) -> int:
    """Run the jobs on each backend that works here, and tell what became of them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--load", type=int, default=0)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backends", default="bubblewrap,docker")
    asked = parser.parse_args(words)
    faults = 0
    for backend in asked.backends.split(","):
        before, began = holding(), time.monotonic()
        try:
            with busy(asked.load), Watch() as watch:
                tally = attack(backend, asked.jobs, asked.slots, asked.seed)
        except SandboxUnavailableError as error:
            print(f"{backend}: not here: {error}")
            continue
        tally.faults += [f"host: {fault}" for fault in dict.fromkeys(watch.faults)]
        after = holding()
        ends = ", ".join(f"{count} {name}" for name, count in tally.ends.most_common())
        print(
            f"{backend}: {asked.jobs} jobs at load {asked.load} in {time.monotonic() - began:.0f} s: {ends}"
        )
        print(
            f"  latest verdict {max(0.0, tally.latest):.2f} s after its time; host before {before}, after {after}"
        )
        for fault in tally.faults[:20]:
            print(f"  FAULT {fault}")
        print(f"  {len(tally.faults)} faults")
        faults += len(tally.faults)
    return min(1, faults)


if __name__ == "__main__":
    sys.exit(main())
