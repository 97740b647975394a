"""The system call filter of jobs: a classic BPF program that lets through what is on a list, and nothing else.

One program serves x86_64 and aarch64; any other architecture, and the x32 calls, kill the process. It stands on top of
whatever filter the container engine has. What may be called is in `mx_sandboxes.limits.calls`, with which arguments in
`mx_sandboxes.limits.arguments`.

The kernel remembers which numbers are let through whatever their arguments are (since Linux 5.11), and does not run the program for
them; for the others the number is found by halving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mx_sandboxes.limits.arguments import RULES
from mx_sandboxes.limits.bpf import (
    ALLOW,
    ARCHITECTURE,
    ENOSYS,
    EPERM,
    JEQ,
    JGE,
    KILL,
    LOAD,
    NUMBER,
    choose,
    give,
    instruction,
    when,
)
from mx_sandboxes.limits.calls import ALLOWED, REFUSED, RULED

X32 = 0x40000000


@dataclass(frozen=True)
class Machine:
    """An architecture as the kernel names it, and its column in the tables of calls."""

    audit: int
    column: int
    x32: bool


MACHINES = (Machine(0xC000003E, 0, x32=True), Machine(0xC00000B7, 1, x32=False))


def pieces(machine: Machine) -> dict[int, bytes]:
    """The code for each call of that machine that is on a list, by its number."""
    listed = {name: (numbers, give(EPERM)) for name, numbers in REFUSED.items()}
    listed |= {name: (numbers, give(ALLOW)) for name, numbers in ALLOWED.items()}
    listed |= {name: (numbers, RULES[name]()) for name, numbers in RULED.items()}
    column = machine.column
    return {number: code for numbers, code in listed.values() if (number := numbers[column]) is not None}


def _places(found: dict[int, bytes]) -> list[tuple[int, bytes]]:
    """Where along the numbers the code changes, from 0 on; neighbours with the same share one."""
    missing = give(ENOSYS)
    places: list[tuple[int, bytes]] = []
    for number in range(max(found) + 2):
        code = found.get(number, missing)
        if not places or places[-1][1] != code:
            places.append((number, code))
    return places


def program(machines: Sequence[Machine] = MACHINES) -> bytes:
    """The whole filter as an array of ``struct sock_filter``."""
    code = instruction(LOAD, ARCHITECTURE)
    for machine in machines:
        section = instruction(LOAD, NUMBER)
        if machine.x32:
            section += when(JGE, X32, give(KILL))
        code += when(JEQ, machine.audit, section + choose(_places(pieces(machine))))
    return code + give(KILL)
