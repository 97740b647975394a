"""Runs inside the grading sandbox: whether an answer is the same circuit as the reference, for all inputs and all time.

Both netlists go into one module with a single output, ``bad``; ABC proves that it is never 1 or shows how it becomes 1. Where all
registers of both listen to the same edge of the same port, a step is a cycle; any difference in clock or edge, a latch,
or a clock that
is also data makes the clock an ordinary input (clk2fflogic), because the fast way would not see it. Registers without a start value
start at 0 in both; with a reset, outputs count from the first clock edge on at which it was active. Unknowns (x) of the
reference allow anything: two copies of it read them as 0 and as 1, and a bit counts where both agree. Unknowns of the
answer must not matter: both copies of it must agree with the reference.
"""

import re
import shutil
from typing import Dict, List, NamedTuple, Tuple

from .netlist import Netlist
from .tools import LimitError, run

IDENTICAL = "identical netlists"
LARGEST_MEMORY = 8192
PREPARE_S = 6.0
PROVE_S = 12.0


class Verdict(NamedTuple):
    """``proven``, ``refuted`` or ``unproven``; how; and for refuted the inputs of each step on the way to the difference."""

    verdict: str
    method: str
    steps: List[str]


class Question(NamedTuple):
    """What is compared: ports, clocks as (port, positive edge), the reset as (port, active level), port "" for none."""

    reference: Netlist
    answer: Netlist
    reset: Tuple[str, bool]


def compare(question: Question) -> Verdict:
    """Try to prove or to refute that both circuits are the same. Raises LimitError."""
    reference, answer = question.reference, question.answer
    if _same_text(reference, answer):
        return Verdict("proven", IDENTICAL, [])
    if reference.floating or answer.floating:
        return Verdict("unproven", "high impedance", [])
    if reference.memory_bits > LARGEST_MEMORY or answer.memory_bits > LARGEST_MEMORY:
        return Verdict("unproven", "a large memory", [])
    simple = one_clock(reference, answer)
    with open("miter.v", "w") as stream:
        stream.write(_miter(question, simple))
    verdict = _attempt(question, simple, "zero")
    if verdict.verdict == "refuted" and not question.reset[0] and answer.registers:
        # without a reset any start is as good as another: an answer that keeps its state inverted is right too
        second = _attempt(question, simple, "one")
        return second if second.verdict == "proven" else verdict
    return verdict


def _attempt(question: Question, simple: bool, start: str) -> Verdict:
    """One proof, with the answer's registers that have no start value starting at 0 or at 1."""
    ran = run("miter", ["yosys", "-q", "-"], PREPARE_S, text=_script(question, simple, start))
    if ran.code != 0:
        return Verdict("unproven", "no AIG: " + (ran.errors.strip().splitlines() or ["?"])[-1][:200], [])
    return _prove(question, simple)


def one_clock(reference: Netlist, answer: Netlist) -> bool:
    """Whether a step may be a cycle."""
    both = (reference, answer)
    clocks = reference.clocks | answer.clocks
    return (
        len(clocks) <= 1
        and None not in clocks
        and reference.resets == answer.resets
        and None not in reference.resets
        and all(each.plain_clock and not each.latches for each in both)
    )


def _same_text(reference: Netlist, answer: Netlist) -> bool:
    texts = []
    for each in (reference, answer):
        with open(f"{each.name}.v") as stream:
            texts.append(stream.read().replace(each.name, "mx_circuit"))
    return texts[0] == texts[1]


def _clock(question: Question) -> Tuple[str, bool]:
    clocks = [clock for each in question[:2] for clock in each.clocks if clock is not None]
    return min(clocks) if clocks else ("", True)


def _clock_ports(question: Question) -> List[str]:
    return sorted({clock[0] for each in question[:2] for clock in each.clocks if clock is not None})


def _copies(netlist: Netlist) -> List[str]:
    return [netlist.name, f"{netlist.name}_1"] if netlist.unknowns else [netlist.name]


def _miter(question: Question, simple: bool) -> str:
    """The module with the output ``bad``."""
    ports = question.reference.ports
    inputs = [(name, width) for name, direction, width in ports if direction == "input"]
    outputs = [(name, width) for name, direction, width in ports if direction == "output"]
    lines = [
        f"module mx_miter({', '.join(f'input [{width - 1}:0] {name}' for name, width in inputs)}, output mx_bad);"
    ]
    clocks, gate = _clock_ports(question), ""
    if not simple:  # a first step without an edge, so that what edges sample is settled
        lines += ["  wire mx_started;", "  \\$ff #(.WIDTH(1)) mx_start (.D(1'b1), .Q(mx_started));"]
        gate = " & mx_started"
    for copy in [*_copies(question.reference), *_copies(question.answer)]:
        lines += [f"  wire [{width - 1}:0] {copy}__{name};" for name, width in outputs]
        pins = [f".{name}({name}{gate if name in clocks else ''})" for name, _ in inputs] + [
            f".{name}({copy}__{name})" for name, _ in outputs
        ]
        lines.append(f"  {copy} u_{copy}({', '.join(pins)});")
    gold, dut = _copies(question.reference), _copies(question.answer)

    def outs(copy: str) -> str:
        return "{" + ", ".join(f"{copy}__{name}" for name, _ in outputs) + "}"

    differs = " | ".join(f"({outs(gold[0])} ^ {outs(each)})" for each in dut)
    counts = f" & ~({outs(gold[0])} ^ {outs(gold[1])})" if len(gold) == 2 else ""
    seen = "1'b1"
    port, level = question.reset
    clock, positive = _clock(question)
    if port and clock:
        lines += [
            "  reg mx_seen = 0;",
            f"  wire mx_clock = {clock}{gate};",
            f"  always @({'posedge' if positive else 'negedge'} mx_clock) if ({port} == 1'b{int(level)}) mx_seen <= 1;",
        ]
        seen = "mx_seen"
    lines += [f"  assign mx_bad = {seen} & (|(({differs}){counts}));", "endmodule"]
    return "\n".join(lines) + "\n"


def _script(question: Question, simple: bool, start: str) -> str:
    lines = [
        f"read_rtlil {question.reference.name}.il",
        f"read_rtlil {question.answer.name}.il",
        "memory_map",
        "read_verilog -icells miter.v",
        "proc",
        "async2sync" if simple else "clk2fflogic",
        "opt_clean",
        "techmap",
        "dffunmap",
        "opt_clean",
    ]
    for netlist, begin in ((question.reference, "zero"), (question.answer, start)):
        copies = _copies(netlist)
        lines += [f"copy {copies[0]} {second}" for second in copies[1:]]
        for copy, unknown in zip(copies, ("zero", "one")):
            lines += [f"setundef -undriven -{unknown} {copy}", f"setundef -init -{begin} {copy}"]
    lines += [
        "hierarchy -top mx_miter",
        "flatten",
        "delete */t:$scopeinfo",
        "setundef -init -zero",
        "opt -full" if not simple else "opt_clean",
        "techmap",
        "aigmap",
        "opt_clean",
        "write_aiger -zinit -map miter.map miter.aig",
    ]
    return "\n".join(lines) + "\n"


def abc() -> str:
    """The name of ABC's program."""
    return next((name for name in ("yosys-abc", "berkeley-abc", "abc") if shutil.which(name)), "yosys-abc")


def _prove(question: Question, simple: bool) -> Verdict:
    registers = question.reference.registers or question.answer.registers
    seconds = PROVE_S
    commands = "read_aiger miter.aig; strash; "
    if registers:
        commands += f"dc2; scorr; dc2; write_aiger reduced.aig; pdr -T {int(seconds)}; print_status; write_cex -a miter.cex"
    else:
        commands += "dc2; dc2; ifraig; iprove; print_status; write_cex -a miter.cex"
    try:
        ran = run("prove", [abc(), "-q", commands], seconds)
    except LimitError:
        return Verdict("unproven", "time", [])
    method = "ABC scorr and pdr" if registers else "ABC SAT"
    if registers and _is_zero(
        "reduced.aig"
    ):  # some versions of pdr have no answer to what scorr has solved already
        return Verdict("proven", method, [])
    return _read(ran.output, method, question, simple)


def _is_zero(path: str) -> bool:
    """Whether an AIG is nothing but the constant 0."""
    try:
        with open(path, "rb") as stream:
            head, output = stream.readline().split(), stream.readline().strip()
    except OSError:
        return False
    return head[:1] == [b"aig"] and head[3:] == [b"0", b"1", b"0"] and output == b"0"


def _read(output: str, method: str, question: Question, simple: bool) -> Verdict:
    status = re.findall(r"Status = +(-?\d)", output)
    if status[-1:] == ["1"]:
        return Verdict("proven", method, [])
    if status[-1:] == ["0"]:
        last = re.findall(r"Frame = +(\d+)", output)
        return Verdict("refuted", method, _steps(question, simple, int(last[-1]) + 1 if last else 1))
    return Verdict("unproven", "time", [])


def _steps(question: Question, simple: bool, frames_shown: int) -> List[str]:
    """The inputs on the way to the difference, in the order of the ports; two steps a cycle where the clock was taken out."""
    with open("miter.cex") as stream:
        lines = [line.partition("#")[0].strip() for line in stream]
    frames = [line for line in lines if re.fullmatch("[01x]+", line)][-frames_shown:]
    with open("miter.map") as stream:
        rows = [line.split() for line in stream if line.startswith("input ")]
    places = {(row[3], int(row[2])): int(row[1]) for row in rows}
    inputs = [(name, width) for name, direction, width in question.reference.ports if direction == "input"]
    clock, positive = _clock(question)
    steps: List[str] = []
    for frame in frames:
        values = {
            name: "".join(_bit(frame, places, name, bit) for bit in reversed(range(width)))
            for name, width in inputs
        }
        if not simple and not steps:
            values.update(dict.fromkeys(_clock_ports(question), "0"))
        for level in ("0" if positive else "1", "1" if positive else "0") if simple and clock else ("",):
            if level:
                values[clock] = level
            steps.append("".join(values[name] for name, _ in inputs))
    return steps


def _bit(frame: str, places: Dict[Tuple[str, int], int], name: str, bit: int) -> str:
    place = places.get((name, bit), len(frame))
    return frame[place] if place < len(frame) and frame[place] != "x" else "0"
