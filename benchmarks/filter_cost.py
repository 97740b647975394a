"""What the filter of system calls costs: nanoseconds for a call with and without it, in turns on this machine.

Run: python benchmarks/filter_cost.py [--rounds 40]
`getppid` stands for calls that are allowed whatever their arguments are, `fcntl`, `ioctl` and `madvise` for those whose arguments
are looked at, `splice` for one that does not exist for jobs. Processor time, the least of many short turns.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import struct
import sys
import time
from collections.abc import Sequence

from mx_sandboxes.limits import seccomp

CALLS = {"getppid": 20_000, "fcntl": 20_000, "ioctl": 20_000, "madvise": 20_000, "splice": 20_000}
WORDS = {"fcntl": (0, 1, 0), "ioctl": (-1, 0x5401, 0), "madvise": (0, 0, 0), "splice": (-1, 0, -1, 0, 0, 0)}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP = 38, 22


def install(program: bytes) -> None:
    """Put this process under a filter, for good."""
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(program, len(program))
    head = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, 2, head, 0, 0):
        raise OSError(ctypes.get_errno(), "the filter was not taken")


def measured(program: bytes | None) -> dict[str, float]:
    """Nanoseconds for each call, in a process of its own."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        if program is not None:
            install(program)
        libc = ctypes.CDLL(None)
        took = [
            _nanoseconds(getattr(libc, name), WORDS.get(name, ()), count) for name, count in CALLS.items()
        ]
        os.write(writing, struct.pack(f"{len(took)}d", *took))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        found = struct.unpack(f"{len(CALLS)}d", file.read())
    os.waitpid(pid, 0)
    return dict(zip(CALLS, found, strict=True))


def _nanoseconds(function: ctypes._NamedFuncPointer, words: Sequence[int], count: int) -> float:
    ready = [ctypes.c_long(word) for word in words]
    began = time.thread_time_ns()
    for _ in range(count):
        function(*ready)
    return (time.thread_time_ns() - began) / count


def main(words: Sequence[str] | None = None) -> int:
    """Measure, and print a line for each call."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=40)
    asked = parser.parse_args(words)
    program = seccomp.program()
    least: dict[tuple[str, bool], float] = {}
    for _ in range(asked.rounds):
        for filtered in (False, True):
            for name, took in measured(program if filtered else None).items():
                least[name, filtered] = min(took, least.get((name, filtered), took))
    print(f"{len(program) // 8} instructions; nanoseconds a call, with ctypes's own")
    for name in CALLS:
        bare = least[name, False]
        print(f"{name:8} {bare:6.0f} without, {least[name, True] - bare:+6.0f} with")
    return 0


if __name__ == "__main__":
    sys.exit(main())
