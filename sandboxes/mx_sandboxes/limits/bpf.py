"""Classic BPF, as far as filters of system calls need it: pieces of code that load something and always return an answer."""

from __future__ import annotations

import struct
from collections.abc import Sequence

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x50000
EPERM, EINVAL, ENOTTY, ENOSYS, EPROTONOSUPPORT, EOPNOTSUPP, EAFNOSUPPORT = (
    ERRNO | number for number in (1, 22, 25, 38, 93, 95, 97)
)
PRETEND = ERRNO
"""Nothing is done, and the program is told that it was."""
LOAD, JUMP, JEQ, JGE, JSET, RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x06
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
"""Where in what a filter sees: the call's number, the architecture, the arguments."""
SIZE = 8
"""Bytes of an instruction."""
MOST = 255
"""Instructions that a test can jump over."""


def instruction(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    """One instruction; the jumps are counted from the next."""
    return struct.pack("HBBI", code, if_true, if_false, k)


def argument(number: int, *, high: bool = False) -> bytes:
    """Load half of an argument, the low one for a start."""
    return instruction(LOAD, ARGUMENTS + 8 * number + 4 * high)


def give(answer: int) -> bytes:
    """Return this answer."""
    return instruction(RETURN, answer)


def when(test: int, value: int, then: bytes) -> bytes:
    """Run ``then`` (which returns) when what is loaded passes the test."""
    length = len(then) // SIZE
    if length <= MOST:
        return instruction(test, value, 0, length) + then
    return instruction(test, value, 0, 1) + instruction(JUMP, 1) + instruction(JUMP, length) + then


def one_of(values: Sequence[int], yes: int, no: int) -> bytes:
    """Return one answer when what is loaded is among the values, the other when it is not."""
    tests = [instruction(JEQ, value, len(values) - place) for place, value in enumerate(values)]
    return b"".join(tests) + give(no) + give(yes)


def choose(places: Sequence[tuple[int, bytes]]) -> bytes:
    """Run the piece of the last place that is not above what is loaded, found by halving; the first place is 0."""
    if len(places) == 1:
        return places[0][1]
    middle = len(places) // 2
    low, high = choose(places[:middle]), choose(places[middle:])
    # a test's own jumps are short
    return instruction(JGE, places[middle][0], 0, 1) + instruction(JUMP, len(low) // SIZE) + low + high
