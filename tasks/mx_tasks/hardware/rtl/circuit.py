"""What an answer is graded against, and how outputs on hidden vectors become a number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

Port = tuple[str, str, int]
"""Name, ``input`` or ``output``, width in bits."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """A reference design with hidden vectors.

    ``steps`` are the values of all inputs, bit by bit in the order of the ports, one after the other; ``clocks`` change before the
    others do. ``expected`` are the outputs when each step has settled, ``x`` where anything will do. ``reset`` is the
    reset's port (empty for none) and its active level. ``scenario`` steps make one scenario. ``starts`` says what the
    reference's registers start with: ``open``, anything; ``named``, what it and the task name; ``own``, what it names itself, since
    nothing else would ever make its outputs known.
    """

    top: str
    ports: tuple[Port, ...]
    clocks: tuple[str, ...]
    reset: tuple[str, int]
    steps: tuple[str, ...]
    expected: tuple[str, ...]
    scenario: int
    reference: str
    reference_top: str
    starts: str = "open"

    @property
    def inputs(self) -> tuple[Port, ...]:
        """The input ports."""
        return tuple(port for port in self.ports if port[1] == "input")

    @property
    def outputs(self) -> tuple[Port, ...]:
        """The output ports."""
        return tuple(port for port in self.ports if port[1] == "output")


def agrees(have: str, want: str) -> bool:
    """Whether outputs are those wanted, bit by bit; an ``x`` in ``want`` allows anything, one in ``have`` is wrong."""
    return have == want or (
        len(have) == len(want) and all(w in ("x", h) for h, w in zip(have, want, strict=True))
    )


def share_right(circuit: Circuit, outputs: Sequence[str]) -> float:
    """The share of scenarios in which every step's outputs are right; scenarios that allow anything do not count."""
    right, counted = scenarios_right(circuit, outputs)
    return right / counted if counted else float(len(outputs) == len(circuit.steps))


def scenarios_right(circuit: Circuit, outputs: Sequence[str]) -> tuple[int, int]:
    """How many scenarios are right at every step, and how many count."""
    right = counted = 0
    for place in range(0, len(circuit.steps), circuit.scenario):
        wanted = circuit.expected[place : place + circuit.scenario]
        if all(set(want) <= {"x"} for want in wanted):
            continue
        counted += 1
        given = outputs[place : place + circuit.scenario]
        right += len(given) == len(wanted) and all(map(agrees, given, wanted))
    return right, counted


def rescaled(share: float, trivial: float) -> float:
    """0 for the share that a trivial answer gets and below, 1 for all right."""
    return max(0.0, (share - trivial) / (1.0 - trivial)) if trivial < 1.0 else float(share == 1.0)


def trivial_share(circuit: Circuit) -> float:
    """The largest share that an answer without logic gets: constants, inputs passed on, the right outputs late."""
    choices = [_best_source(circuit, port) for port in circuit.outputs]
    answers = [
        ["".join(parts) for parts in zip(*columns, strict=True)]
        for columns in (
            [column[0] for column in choices],
            [column[1] for column in choices],
            [column[2] for column in choices],
        )
    ]
    answers += _poor(circuit)
    return max(share_right(circuit, answer) for answer in answers)


def _poor(circuit: Circuit) -> list[list[str]]:
    """All inputs side by side, cut to the outputs' width; and, with a clock, the right outputs a cycle late."""
    wide = len(circuit.expected[0])
    poor = [[(step * wide)[-wide:] for step in circuit.steps]]
    if circuit.clocks and len(circuit.steps) > 2:
        poor.append(["0" * wide] * 2 + list(circuit.expected[:-2]))
    return poor


def _best_source(circuit: Circuit, port: Port) -> tuple[list[str], list[str], list[str]]:
    """For an output, what all-0, all-1 and its best trivial source give at each step."""
    wanted = list(_column(circuit.expected, circuit.outputs, port[0]))
    zeros, ones = ["0" * port[2]] * len(wanted), ["1" * port[2]] * len(wanted)
    majority = "".join("01"[_ones(wanted, bit)] for bit in range(port[2]))
    sources = [zeros, ones, [majority] * len(wanted)]
    sources += [
        list(_column(circuit.steps, circuit.inputs, name))
        for name, _, width in circuit.inputs
        if width == port[2]
    ]
    best = max(sources, key=lambda source: sum(map(agrees, source, wanted)))
    return zeros, ones, best


def _ones(wanted: Sequence[str], bit: int) -> bool:
    return 2 * sum(row[bit] == "1" for row in wanted) > sum(row[bit] in "01" for row in wanted)


def _column(rows: Sequence[str], ports: Sequence[Port], name: str) -> Iterator[str]:
    place = 0
    for port, _, width in ports:
        if port == name:
            return (row[place : place + width] for row in rows)
        place += width
    raise KeyError(name)
