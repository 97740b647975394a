"""Runs inside the grading sandbox: a circuit of single gates and registers, and what it does in one step.

Gates stand in an order in which each reads what is there. A loop of gates is cut: it holds its settled value of the
step before (which is what a latch written as ``assign q = en ? d : q`` does) and is gone through until it settles.
"""

import json
import re
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

from .aig import Aig
from .rails import ONE, ZERO, Bit, both, choose, differ, either, invert

Port = Tuple[str, str, int]
Wires = Dict[object, List[Tuple[str, int, int]]]
Gate = Callable[[Aig, List[Bit]], Bit]
LARGEST_GATES = 120_000
MOST_CUTS = 24


def _same(_: Aig, pins: List[Bit]) -> Bit:
    return pins[0]


def _inverse(_: Aig, pins: List[Bit]) -> Bit:
    return invert(pins[0])


GATES: Dict[str, Tuple[str, Gate]] = {
    "$_BUF_": ("A", _same),
    "$_NOT_": ("A", _inverse),
    "$_AND_": ("AB", lambda graph, pins: both(graph, *pins)),
    "$_NAND_": ("AB", lambda graph, pins: invert(both(graph, *pins))),
    "$_OR_": ("AB", lambda graph, pins: either(graph, *pins)),
    "$_NOR_": ("AB", lambda graph, pins: invert(either(graph, *pins))),
    "$_XOR_": ("AB", lambda graph, pins: differ(graph, *pins)),
    "$_XNOR_": ("AB", lambda graph, pins: invert(differ(graph, *pins))),
    "$_ANDNOT_": ("AB", lambda graph, pins: both(graph, pins[0], invert(pins[1]))),
    "$_ORNOT_": ("AB", lambda graph, pins: either(graph, pins[0], invert(pins[1]))),
    "$_MUX_": ("SAB", lambda graph, pins: choose(graph, *pins)),
    "$_NMUX_": ("SAB", lambda graph, pins: invert(choose(graph, *pins))),
}
REGISTERS = ("$_DFF_P_", "$_DFF_N_", "$_FF_")
RESET_REGISTER = re.compile(r"\$_DFF_[PN]([PN])([01])_")


class TooLargeError(Exception):
    """The circuit has more gates than are looked at."""


class UnknownGateError(Exception):
    """A cell that is no gate; the message is its kind."""


class Register(NamedTuple):
    """A register's bit: its net, what it takes over, its start (``0``, ``1`` or ``x``), what it is called.

    ``control``: it is no register of the circuit's; it remembers a clock or a set for the next step. ``sampled``: it
    holds what ``taken`` was in the step before. ``reset``: the net at whose level it is a constant, whatever the clock does.
    """

    held: int
    taken: object
    start: str
    name: str
    control: bool
    sampled: bool
    reset: Optional[Tuple[object, bool, Bit]]


class Place(NamedTuple):
    """Where a held bit is in the netlist: (wire, bit, width), the author's names first; ``loop``: it is a loop that is cut."""

    names: List[Tuple[str, int, int]]
    loop: bool


class Gates(NamedTuple):
    """A circuit: ports with their nets, registers, gates in order, nets whose loops are cut, nets that nothing drives.

    ``held_names`` has the places of registers, then of cut loops.
    """

    ports: Dict[str, List[object]]
    registers: List[Register]
    order: List[Tuple[Gate, List[object], int]]
    cuts: List[int]
    undriven: List[int]
    held_names: List[Place]

    @property
    def state_bits(self) -> int:
        """Bits that are held from step to step."""
        return len(self.registers) + len(self.cuts)


class Step(NamedTuple):
    """What one step gives: every net, what the registers and cut loops hold next, whether a loop has not settled.

    ``stays`` is what they hold next where the step ends without an edge of the clock.
    """

    nets: Dict[object, Bit]
    nexts: List[Bit]
    stays: List[Bit]
    unsettled: int


def read_gates(path: str, module: str) -> Gates:
    """The circuit in Yosys' JSON. Raises TooLargeError, UnknownGateError."""
    with open(path) as stream:
        found: Dict[str, Any] = json.load(stream)["modules"][module]
    if len(found["cells"]) > LARGEST_GATES:
        raise TooLargeError(f"{len(found['cells'])} gates")
    starts, wires = _named(found["netnames"])
    registers: List[Register] = []
    drivers: Dict[object, Tuple[Gate, List[object]]] = {}
    for cell in found["cells"].values():
        kind, pins = str(cell["type"]), cell["connections"]
        resets = RESET_REGISTER.fullmatch(kind)
        if kind in REGISTERS or resets is not None:
            register = _register(kind == "$_FF_", pins["Q"][0], pins["D"][0], starts, wires)
            if resets is not None:
                at_once = ONE if resets.group(2) == "1" else ZERO
                register = register._replace(reset=(pins["R"][0], resets.group(1) == "P", at_once))
            registers.append(register)
        elif kind in GATES:
            order, gate = GATES[kind]
            drivers[pins["Y"][0]] = (gate, [pins[pin][0] for pin in order])
        else:
            raise UnknownGateError(kind)
    ports = {name: list(at["bits"]) for name, at in found["ports"].items()}
    given = {
        bit for name, at in found["ports"].items() if at["direction"] == "input" for bit in at["bits"]
    } | {register.held for register in registers}
    wanted = [bit for name, at in found["ports"].items() if at["direction"] == "output" for bit in at["bits"]]
    wanted += [register.taken for register in registers]
    order_, cuts, undriven = _ordered(drivers, given, wanted)
    constant = {net: starts[net] for net in undriven if starts.get(net, "x") in ("0", "1")}
    for (
        net,
        value,
    ) in constant.items():  # a variable that is never assigned keeps the value that it began with
        order_.insert(0, (_same, [value], net))
    held = [(register.taken if register.sampled else register.held) for register in registers]
    places = [Place([] if each.control else wires.get(net, []), False) for each, net in zip(registers, held)]
    places += [Place(wires.get(net, []), True) for net in cuts]
    return Gates(ports, registers, order_, cuts, [net for net in undriven if net not in constant], places)


def _register(sampled: bool, held: int, taken: object, starts: Dict[object, str], wires: Wires) -> Register:
    control = sampled and any("sample_control" in name for name, _, _ in wires.get(held, []))
    # behind clk2fflogic the register's own name is that of what it samples
    names = wires.get(taken if sampled else held, [])
    name = f"{names[0][0]}[{names[0][1]}]" if names else ""
    return Register(held, taken, starts.get(held, "x"), name, control, sampled, None)


def _named(netnames: Dict[str, Any]) -> Tuple[Dict[object, str], Wires]:
    """Start values of nets, and where they are; a name of the author's goes before one that Yosys made."""
    starts: Dict[object, str] = {}
    names: Wires = {}
    for name, at in sorted(netnames.items(), key=lambda item: ("$" in item[0], item[0])):
        init = str(at.get("attributes", {}).get("init", ""))[::-1]
        for place, bit in enumerate(at["bits"]):
            names.setdefault(bit, []).append((name, place, len(at["bits"])))
            if init[place : place + 1] in ("0", "1"):
                starts[bit] = init[place]
    return starts, names


def _ordered(
    drivers: Dict[object, Tuple[Gate, List[object]]], given: Set[object], wanted: Sequence[object]
) -> Tuple[List[Tuple[Gate, List[object], int]], List[int], List[int]]:
    """Gates in order, nets at which a loop is cut, nets without a driver."""
    order: List[Tuple[Gate, List[object], int]] = []
    done: Set[object] = set(given)
    busy: Set[object] = set()
    cuts: Dict[int, None] = {}
    undriven: Dict[int, None] = {}
    for root in wanted:
        stack: List[Tuple[object, bool]] = [(root, False)]
        while stack:
            net, leaving = stack.pop()
            if leaving:
                busy.discard(net)
                done.add(net)
                gate, pins = drivers[net]
                order.append((gate, pins, int(str(net))))
            elif net in done or isinstance(net, str):
                continue
            elif net in busy:
                cuts[int(str(net))] = None
            elif net not in drivers:
                undriven[int(str(net))] = None
                done.add(net)
            else:
                busy.add(net)
                stack.append((net, True))
                stack += [(pin, False) for pin in drivers[net][1] if pin not in done]
    return order, list(cuts), list(undriven)


def step(
    gates: Gates, graph: Aig, inputs: Dict[str, List[Bit]], held: Sequence[Bit], unknown: Callable[[], Bit]
) -> Step:
    """One step from what registers and then cut loops hold; ``unknown`` makes the value of an ``x``."""
    base: Dict[object, Bit] = {"0": ZERO, "1": ONE}
    for name, bits in inputs.items():
        base.update(zip(gates.ports[name], bits))
    shown = [_shown(graph, register, bit, base) for register, bit in zip(gates.registers, held)]
    base.update({register.held: bit for register, bit in zip(gates.registers, shown)})
    base.update({net: unknown() for net in gates.undriven})
    loops = list(held[len(gates.registers) :])
    nets: Dict[object, Bit] = {}
    unsettled: List[int] = []
    for _ in range(len(gates.cuts) + 2 if gates.cuts else 1):
        nets = dict(base)
        nets.update(zip(gates.cuts, loops))
        for gate, pins, net in gates.order:
            nets[net] = gate(graph, [nets[pin] if pin in nets else unknown() for pin in pins])
        settled = [nets[net] for net in gates.cuts]
        unsettled = [graph.xor(a.one, b.one) for a, b in zip(loops, settled)]
        loops = settled
    taken = [
        _shown(graph, register, nets[register.taken] if register.taken in nets else unknown(), base)
        for register in gates.registers
    ]
    return Step(nets, [*taken, *loops], [*shown, *loops], graph.any(unsettled))


def _shown(graph: Aig, register: Register, bit: Bit, inputs: Dict[object, Bit]) -> Bit:
    """The bit, or what the register's reset, which is an input, makes it."""
    if register.reset is None:
        return bit
    net, level, value = register.reset
    active = inputs[net] if level else invert(inputs[net])
    return choose(graph, active, bit, value)
