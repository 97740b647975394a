"""A drawn design: its Python model, its register-transfer table, a second Verilog text of another structure, and its description."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mx_tasks.hardware.rtl.circuit import Port

State = tuple[int, ...]
Values = Mapping[str, int]
Next = Callable[[State, Values], State]
Outputs = Callable[[State, Values], dict[str, int]]


@dataclass(frozen=True, slots=True)
class Reset:
    """The reset: its port, its active level, and whether it waits for a clock edge."""

    name: str
    level: int
    asynchronous: bool


@dataclass(frozen=True, slots=True)
class Spec:
    """A design.

    The model (``start``, ``next_state``, ``outputs``) is the truth. ``registers`` (name, width), ``updates`` and ``drives`` (Verilog
    expressions over inputs, registers and ``wires``) are the same as a table, from which the first golden design is made;
    ``second`` is the body of another one. ``prose`` and ``terse`` say the same in words.
    """

    family: str
    level: int
    title: str
    top: str
    inputs: tuple[tuple[str, int], ...]
    outs: tuple[tuple[str, int], ...]
    outputs: Outputs
    drives: Mapping[str, str]
    second: str
    prose: tuple[str, ...]
    terse: str
    clock: str = ""
    reset: Reset | None = None
    start: State = ()
    next_state: Next = lambda state, _: state
    registers: tuple[tuple[str, int], ...] = ()
    updates: Mapping[str, str] = field(default_factory=dict)
    wires: tuple[tuple[str, int, str], ...] = ()
    helpers: str = ""
    latency: str = ""
    biases: Mapping[str, float] = field(default_factory=dict)
    """How often a one-bit input is 1 in the vectors, where not half of the time."""

    @property
    def ports(self) -> tuple[Port, ...]:
        """All ports: clock, reset, inputs, outputs."""
        first: list[Port] = [(self.clock, "input", 1)] if self.clock else []
        if self.reset is not None:
            first.append((self.reset.name, "input", 1))
        return (
            *first,
            *((name, "input", width) for name, width in self.inputs),
            *((name, "output", width) for name, width in self.outs),
        )


def width_text(width: int) -> str:
    """``[7:0] `` for 8 bits, nothing for one."""
    return f"[{width - 1}:0] " if width > 1 else ""


def header(spec: Spec, registers: Sequence[str] = ()) -> str:
    """The module's head; outputs named in ``registers`` are declared as registers."""
    kinds = {name: "output reg" if name in registers else direction for name, direction, _ in spec.ports}
    ports = ",\n".join(f"  {kinds[name]} {width_text(width)}{name}" for name, _, width in spec.ports)
    return f"module {spec.top} (\n{ports}\n);\n"


def sensitivity(spec: Spec) -> str:
    """``posedge clk`` with the asynchronous reset's edge."""
    reset = spec.reset
    if reset is None or not reset.asynchronous:
        return f"posedge {spec.clock}"
    return f"posedge {spec.clock} or {'posedge' if reset.level else 'negedge'} {reset.name}"


def reset_test(reset: Reset) -> str:
    """The expression that is true while the reset is active."""
    return reset.name if reset.level else f"!{reset.name}"


def table_design(spec: Spec) -> str:
    """The golden design that the table describes, register by register."""
    lines = [header(spec).rstrip("\n")]
    lines += [f"  reg {width_text(width)}{name};" for name, width in spec.registers]
    lines += [f"  wire {width_text(width)}{name} = {value};" for name, width, value in spec.wires]
    if spec.registers:
        lines.append(f"  always @({sensitivity(spec)})")
        if spec.reset is not None:
            lines.append(f"    if ({reset_test(spec.reset)}) begin")
            starts = zip(spec.registers, spec.start, strict=True)
            lines += [f"      {name} <= {width}'d{value};" for (name, width), value in starts]
            lines.append("    end else begin")
        else:
            lines.append("    begin")
        lines += [f"      {name} <= {spec.updates[name]};" for name, _ in spec.registers]
        lines.append("    end")
    lines += [f"  assign {name} = {spec.drives[name]};" for name, _ in spec.outs]
    return "\n".join([*lines, "endmodule", ""])


def second_design(spec: Spec) -> str:
    """The other golden design, with its helper modules."""
    return spec.second + spec.helpers


def described(spec: Spec, second: str, prose: tuple[str, ...], terse: str) -> Spec:
    """The design with its second golden text and its description in words."""
    return replace(spec, second=second, prose=prose, terse=terse)


TOPS = (
    "unit",
    "core",
    "block",
    "engine",
    "stage",
    "cell_top",
    "logic_unit",
    "dut",
    "module_a",
    "ctl",
    "datapath",
    "node",
)
CLOCKS = ("clk", "clock", "ck", "clk_i")
RESETS = ("rst", "reset", "clear", "init_i")
SIGNALS = ("a", "b", "c", "d", "p", "q_in", "r0", "s1", "u", "v", "w", "x", "y_in", "k", "m", "n")
RESULTS = ("y", "z", "f", "res", "out", "o", "val", "result", "g", "h")


@dataclass(slots=True)
class Names:
    """Hands out names, none twice."""

    rng: random.Random
    used: set[str] = field(default_factory=set)

    def pick(self, *choices: str) -> str:
        """One of the choices that is still free."""
        free = [name for name in choices if name not in self.used]
        name = self.rng.choice(free) if free else f"{self.rng.choice(choices)}_{len(self.used)}"
        self.used.add(name)
        return name

    def several(self, count: int, choices: Sequence[str] = SIGNALS) -> list[str]:
        """Different names."""
        return [self.pick(*choices) for _ in range(count)]

    def top(self) -> str:
        """A module's name."""
        return f"{self.pick(*TOPS)}_{self.rng.randrange(100)}"

    def clocking(self) -> tuple[str, Reset]:
        """A clock and a reset, active high or low, synchronous or not."""
        clock, level = self.pick(*CLOCKS), self.rng.randrange(2)
        name = self.pick(*RESETS) + ("" if level else "_n")
        self.used.add(name)
        return clock, Reset(name, level, self.rng.random() < 0.4)


def mask(width: int) -> int:
    """All ones."""
    return (1 << width) - 1
