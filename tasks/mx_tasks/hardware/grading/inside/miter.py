"""Runs inside the grading sandbox: one circuit whose only output says that the answer contradicts the reference.

What starts mean is one rule. A register of the reference starts unknown (unless the task names power-up values), and
its outputs count wherever they are known in spite of that; ``x`` of the reference allows anything. The answer may
start in any state that it does not name itself, and its ``x`` may be anything at any time: it must be right whatever
they are. With a reset, a run begins with one full cycle of the clock in reset.

A step is a cycle where both circuits listen to one edge of one port only. Where some registers are reset whatever the
clock does and others wait for it, such a step may also end without an edge: a pulse of the reset between two edges.
Else a step is any change of the inputs, clocks among them, and registers take over what stood there before the edge.

A second, narrower question, ``tied``: whether for every start of the answer the reference has one from which both are
the same for ever. Registers that drive the same outputs, or have the same names, start alike. A proof of it is a
proof of the first; it is how circuits that nothing brings to a known state are compared.
"""

from typing import Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from .aig import FALSE, TRUE, Aig
from .gates import Gates, Port, Step, step
from .rails import UNKNOWN, Bit, choose, contradicts, known

Clock = Tuple[str, bool]


class Compared(NamedTuple):
    """Two circuits with the same ports; ``clocks`` (port, positive edge); ``reset`` (port, active level), port "" for none.

    ``by_cycles``: a step is a cycle; ``pulses``: or ends without an edge. ``power_up``: the reference's start values are the
    task's.
    """

    reference: Gates
    answer: Gates
    ports: Sequence[Port]
    clocks: Sequence[Clock]
    reset: Tuple[str, bool]
    by_cycles: bool
    pulses: bool
    power_up: bool


class Problem(NamedTuple):
    """The circuit, its output, and what its inputs mean.

    ``preamble`` and ``inputs`` are the literals of the ports' bits in the steps before the first and in each;
    ``starts`` those of the answer's registers; ``counts`` says of each output's bit of the reference whether it is
    known. ``open`` says that something of the reference may be unknown because of its start; ``edge`` whether a step ends with
    an edge of the clock.
    """

    graph: Aig
    bad: int
    preamble: List[Dict[str, List[int]]]
    inputs: Dict[str, List[int]]
    starts: List[int]
    counts: List[int]
    open: bool
    edge: int


def pose(asked: Compared, *, tied: bool = False, gated: bool = False, begin: Optional[int] = None) -> Problem:
    """The problem. ``gated``: the answer's own start values count, and a run may go on before its first reset.

    ``begin``: all that is open of the answer's start is 0, or 1.
    """
    always = set(range(asked.reference.state_bits))
    while True:
        posed, lost = _posed(asked, (tied, gated, begin), always)
        if not lost:
            return posed
        always -= lost


def _posed(
    asked: Compared, how: Tuple[bool, bool, Optional[int]], always: Set[int]
) -> Tuple[Problem, Set[int]]:
    """The problem if those registers of the reference are always known; and those that are not."""
    tied, gated, begin = how
    graph = Aig()
    inputs = _inputs(graph, asked, {})
    edge = known(graph.input() if asked.pulses else TRUE)
    forced = [] if gated else _preamble(graph, asked)
    starts = [known(literal) for literal in _answer_starts(graph, asked, bool(forced), begin)]
    held = _reference_starts(asked, starts if tied else [])
    other = starts
    for given in forced:
        held = step(asked.reference, graph, given, held, lambda: UNKNOWN).nexts
        other = step(asked.answer, graph, given, other, lambda: known(graph.input())).nexts
    first = graph.latch() ^ 1
    graph.set_next(first ^ 1, TRUE)
    is_open = any(not bit.known for bit in held)
    ours = [_Held(graph, first, bit, place in always and bit.known) for place, bit in enumerate(held)]
    theirs = [_Held(graph, first, bit, True) for bit in other]
    reference = step(asked.reference, graph, inputs, [each.bit for each in ours], lambda: UNKNOWN)
    answer = step(asked.answer, graph, inputs, [each.bit for each in theirs], lambda: known(graph.input()))
    lost = {
        place for place, (each, bit) in enumerate(zip(ours, reference.nexts)) if each.single and not bit.known
    } | {place for place in always if place < len(held) and not held[place].known}
    for held_bits, ended in ((ours, reference), (theirs, answer)):
        for each, stays, bit in zip(held_bits, ended.stays, ended.nexts):
            each.goes_to(choose(graph, edge, stays, bit))
    seen = _seen(graph, asked, inputs, edge.one) if gated else TRUE
    counts, bad = _contradiction(graph, asked, reference, answer)
    return Problem(
        graph,
        graph.land(seen, bad),
        [{name: [bit.one for bit in bits] for name, bits in given.items()} for given in forced],
        {name: [bit.one for bit in bits] for name, bits in inputs.items()},
        [bit.one for bit in starts],
        counts,
        is_open,
        edge.one,
    ), lost & always


class _Held:
    """What is held from step to step: one latch where it is always known, else two. ``start`` counts in the first step."""

    def __init__(self, graph: Aig, first: int, start: Bit, single: bool) -> None:
        self.single = single
        self._graph = graph
        self._rails = [_Rail(graph, first, literal) for literal in (start[:1] if single else start)]
        one = self._rails[0].value
        self.bit = known(one) if single else Bit(one, self._rails[1].value)

    def goes_to(self, bit: Bit) -> None:
        """What is held next."""
        for rail, literal in zip(self._rails, bit):
            rail.goes_to(literal)


class _Rail:
    def __init__(self, graph: Aig, first: int, start: int) -> None:
        self._graph = graph
        self._latch = graph.latch()
        self._inverted = int(start == TRUE)
        value = self._latch ^ self._inverted
        self.value = value if start in (FALSE, TRUE) else graph.mux(first, value, start)

    def goes_to(self, literal: int) -> None:
        self._graph.set_next(self._latch, literal ^ self._inverted)


def _inputs(graph: Aig, asked: Compared, forced: Dict[str, int]) -> Dict[str, List[Bit]]:
    """Each input port's bits, least significant first."""
    return {
        name: [known(forced[name] if name in forced else graph.input()) for _ in range(width)]
        for name, direction, width in asked.ports
        if direction == "input"
    }


def _preamble(graph: Aig, asked: Compared) -> List[Dict[str, List[Bit]]]:
    """The steps of a full clock cycle in reset; none without a reset."""
    port, level = asked.reset
    if not port or not asked.clocks:
        return []
    active = {port: TRUE if level else FALSE}
    if asked.by_cycles:
        return [_inputs(graph, asked, active)]
    rest = {clock: FALSE if positive else TRUE for clock, positive in asked.clocks}
    edge = {clock: TRUE if positive else FALSE for clock, positive in asked.clocks}
    return [_inputs(graph, asked, {**active, **levels}) for levels in (rest, edge, rest)]


def _answer_starts(graph: Aig, asked: Compared, free: bool, begin: Optional[int]) -> List[int]:
    """What the answer's registers and cut loops hold at first: what they name, else an input (or ``begin``)."""

    def opened() -> int:
        return graph.input() if begin is None else begin

    starts = [
        opened() if register.start == "x" or (free and not register.control) else int(register.start)
        for register in asked.answer.registers
    ]
    return starts + [opened() for _ in asked.answer.cuts]


def _reference_starts(asked: Compared, tied_to: Sequence[Bit]) -> List[Bit]:
    registers = asked.reference.registers
    starts = [UNKNOWN if each.start == "x" else known(int(each.start)) for each in registers]
    starts += [UNKNOWN] * len(asked.reference.cuts)
    if tied_to:
        for place, other in _partners(asked).items():
            if not starts[place].known:
                starts[place] = tied_to[other]
    return starts


def _partners(asked: Compared) -> Dict[int, int]:
    """Registers of the reference, and those of the answer that drive the same output or have the same name."""
    found: Dict[int, int] = {}
    taken: Set[int] = set()
    driving = _driving(asked, asked.reference), _driving(asked, asked.answer)
    pairs = [(place, driving[1].get(key)) for key, place in driving[0].items()]
    called = _called(asked.reference), _called(asked.answer)
    pairs += [(place, called[1].get(name)) for name, place in called[0].items()]
    for place, other in pairs:
        if other is not None and other not in taken and place not in found:
            found[place] = other
            taken.add(other)
    return found


def _driving(asked: Compared, gates: Gates) -> Dict[Tuple[str, int], int]:
    """Registers (and cut loops) by the output's bit that they drive as they are."""
    holders: Dict[object, int] = {}
    for place, register in enumerate(gates.registers):
        holders.setdefault(register.held if asked.by_cycles else register.taken, place)
    holders.update({net: len(gates.registers) + place for place, net in enumerate(gates.cuts)})
    return {
        (name, bit): holders[net]
        for name, direction, _ in asked.ports
        if direction == "output"
        for bit, net in enumerate(gates.ports[name])
        if net in holders
    }


def _called(gates: Gates) -> Dict[str, int]:
    return {
        each.name: place for place, each in enumerate(gates.registers) if each.name and "$" not in each.name
    }


def _seen(graph: Aig, asked: Compared, inputs: Dict[str, List[Bit]], edge: int) -> int:
    """Whether a clock's edge in reset has been."""
    port, level = asked.reset
    if not port or not asked.clocks:
        return TRUE
    before = graph.latch()
    active = inputs[port][0].one ^ int(not level)
    seen = graph.latch()
    if asked.by_cycles:
        graph.set_next(seen, graph.lor(seen, graph.land(active, edge)))
        return seen
    graph.set_next(before, active)
    edges: List[int] = []
    for clock, positive in asked.clocks:
        now = inputs[clock][0].one ^ int(not positive)
        last = graph.latch()  # inverted: it starts as after an edge
        graph.set_next(last, now ^ 1)
        edges.append(graph.land(now, last))
    now_seen = graph.lor(seen, graph.land(graph.any(edges), before))
    graph.set_next(seen, now_seen)
    return now_seen


def _contradiction(graph: Aig, asked: Compared, reference: Step, answer: Step) -> Tuple[List[int], int]:
    """Where each output's bit of the reference is known; whether one is contradicted, or the answer does not settle."""
    counts: List[int] = []
    wrong: List[int] = [graph.land(answer.unsettled, reference.unsettled ^ 1)]
    for name, direction, width in asked.ports:
        if direction != "output":
            continue
        for bit in range(width):
            want = reference.nets.get(asked.reference.ports[name][bit], UNKNOWN)
            have = answer.nets.get(asked.answer.ports[name][bit])
            counts.append(graph.land(want.one, want.zero) ^ 1)
            if have is None:  # an x of the answer: wrong wherever something is wanted
                wrong.append(counts[-1])
            else:
                wrong.append(contradicts(graph, want, have.one))
    return counts, graph.any(wrong)
