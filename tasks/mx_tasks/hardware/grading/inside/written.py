"""Runs inside the grading sandbox: whether a proven answer's text, simulated as it is written, does what its netlist does.

A synthesiser reads ``always @(s) y = s ? a : b`` as if the list were whole, and knows no order of processes; a
simulator does as the language says. What differs there is no right answer, however its netlist was proven.
"""

from typing import List, NamedTuple, Optional, Sequence

from .netlist import Netlist
from .record import renamed
from .simulate import simulate
from .source import circuit
from .tools import LimitError

CPU_S = 3.0
MOST_STEPS = 2000


class Contradicted(NamedTuple):
    """The steps to a difference, the last of them with it; what is wanted and what the text gives in each."""

    steps: List[str]
    wanted: List[str]
    given: List[str]


class Text(NamedTuple):
    """A design as it is written, and its top module."""

    text: str
    top: str


def contradicted(
    answer: Netlist, said: Text, meant: Text, clocks: Sequence[str], steps: Sequence[str], nonce: str
) -> Optional[Contradicted]:
    """Where the answer's text is at odds with its own netlist, and with the reference's text, too.

    Only known values count. Nothing is compared where the simulator does not take the text or does not end, or where a
    latch or a clock that is no port makes values a matter of order.
    """
    if answer.latches or answer.loops or None in answer.clocks:
        return None
    steps = steps[:MOST_STEPS]

    def simulated(names: List[str]) -> List[List[str]]:
        return simulate(names, answer.ports, clocks, steps, nonce, "as written", unit="1us", cpu_s=CPU_S)

    try:
        netlist, text = simulated([answer.name, _written(said, "mx_said_")])
    except (RuntimeError, LimitError):
        return None
    at = _first(netlist, text)
    if at < 0:
        return None
    try:
        wanted = simulated([_written(meant, "mx_meant_")])[0]
    except (RuntimeError, LimitError):
        wanted = netlist
    at = _first([_agreed(*rows) for rows in zip(netlist, wanted)], text)
    return None if at < 0 else Contradicted(list(steps[: at + 1]), wanted[: at + 1], text[: at + 1])


def _written(design: Text, prefix: str) -> str:
    """Write the text under names of its own; its top module. Delays in it are short against a step."""
    name = prefix + design.top
    with open(f"{name}.v", "w") as stream:
        stream.write("`timescale 1ns/1ps\n" + renamed(circuit(design.text, design.top), prefix))
    return name


def _agreed(a: str, b: str) -> str:
    return "".join(x if x == y else "x" for x, y in zip(a, b))


def _first(wanted: Sequence[str], given: Sequence[str]) -> int:
    """The first step at which a known bit is another known bit, or -1."""
    for place, rows in enumerate(zip(wanted, given)):
        if any(a != b and a in "01" and b in "01" for a, b in zip(*rows)):
            return place
    return -1
