"""Runs inside the grading sandbox: whether an answer does what the reference asks, whatever the inputs and the start.

Both netlists become gates, the gates one circuit with one output (``miter.py``, which has the rule of start values),
and several engines try to prove that it is never 1 or show how it becomes 1 (``engines.py``). A difference that is
found is not believed before an independent simulator shows it too (``replay.py``).
"""

import random
from typing import Dict, List, NamedTuple, Optional, Tuple

from .engines import Decided, decide
from .gates import TooLargeError, UnknownGateError, read_gates
from .miter import Compared, Problem, pose
from .netlist import FORGET, Netlist
from .tools import LimitError
from .toolset import yosys
from .words import are_words_compared, by_words

IDENTICAL = "identical netlists"
LARGEST_MEMORY = 8192
PREPARE_S = 8.0
FLAT = """design -reset
read_rtlil {name}.il
memory_map
opt_clean
rename -enumerate -pattern mx_n%
{strip}
"""
WRITTEN = """write_verilog -noattr {name}_flat.v
design -push-copy
setundef -undriven -zero
write_verilog -noattr {name}_zero.v
design -pop
setundef -undriven -one
write_verilog -noattr {name}_one.v
"""
TO_GATES = """{clocking}
opt_clean
techmap
dffunmap
simplemap
opt_clean
write_json {name}_gates.json
"""


class Verdict(NamedTuple):
    """``proven``, ``refuted`` or ``bounded``; how; for refuted the way to the difference; for bounded the steps known to be right.

    ``steps`` are the inputs of each step in the order of the ports (two a cycle where a step is a cycle), of which the first
    ``before`` bring about the start; ``starts`` what the answer's registers and cut loops hold at first.
    """

    verdict: str
    method: str
    steps: List[str]
    before: int = 0
    depth: int = 0
    starts: Tuple[int, ...] = ()
    asked: Optional[Compared] = None


class Question(NamedTuple):
    """What is compared: netlists; the reset as (port, active level), port "" for none; ``starts`` as a circuit has it."""

    reference: Netlist
    answer: Netlist
    reset: Tuple[str, bool]
    starts: str


def compare(question: Question) -> Verdict:
    """Try to prove or to refute that the answer does what the reference asks. Raises LimitError."""
    reference, answer = question.reference, question.answer
    if _same_text(reference, answer):
        return Verdict("proven", IDENTICAL, [])
    if reference.floating or answer.floating:
        return Verdict("bounded", "high impedance", [])
    if reference.memory_bits > LARGEST_MEMORY or answer.memory_bits > LARGEST_MEMORY:
        return Verdict("bounded", "a large memory", [])
    simple = one_clock(reference, answer)
    try:
        asked = _asked(question, simple)
    except (TooLargeError, UnknownGateError) as error:
        return Verdict("bounded", f"too much for a proof: {error}", [])
    if question.starts == "own" and any(each.start == "x" for each in asked.answer.registers):
        verdicts = [from_start(asked, begin) for begin in (0, 1)]
        return next((each for each in verdicts if each.verdict == "proven"), verdicts[0])
    problem = pose(asked)
    if are_words_compared(reference, answer):
        decided = decide(problem, hurry=True)
        if decided.verdict == "bounded":
            decided = by_words(reference, answer, problem)
        if decided.verdict == "proven":
            return Verdict("proven", decided.method, [])
        if decided.verdict == "refuted":
            return _refuted(asked, problem, decided)
    return _settled(asked, problem)


def _settled(asked: Compared, problem: Problem) -> Verdict:
    """The verdict on both circuits."""
    if problem.open and asked.answer.state_bits:
        try:
            tied = decide(pose(asked, tied=True), hurry=True)
        except LimitError:
            tied = Decided("bounded", "", [], 0)
        if tied.verdict == "proven":
            return Verdict("proven", f"{tied.method}, from every start", [])
    decided = decide(problem)
    if decided.verdict == "proven" and problem.open and not _asks(problem):
        return Verdict("bounded", "the reference is never known from an unknown start", [])
    if decided.verdict != "refuted":
        return Verdict(decided.verdict, decided.method, [], 0, decided.depth)
    if problem.preamble and any(each.start != "x" and not each.control for each in asked.answer.registers):
        problem = pose(asked, gated=True)  # the answer's own start values may exclude that start
        decided = decide(problem)
        if decided.verdict != "refuted":
            return Verdict(decided.verdict, decided.method, [], 0, decided.depth)
    return _refuted(asked, problem, decided)


def from_start(asked: Compared, begin: int) -> Verdict:
    """The verdict where all of the answer's start that is open is 0, or 1. Raises LimitError."""
    problem = pose(asked, begin=begin)
    decided = decide(problem, hurry=True)
    if decided.verdict == "refuted":
        return _refuted(asked, problem, decided)
    return Verdict(decided.verdict, decided.method, [], 0, decided.depth)


def one_clock(reference: Netlist, answer: Netlist) -> bool:
    """Whether a step may be a cycle."""
    both = (reference, answer)
    clocks = reference.clocks | answer.clocks
    return (
        len(clocks) <= 1
        and None not in clocks
        and reference.resets == answer.resets
        and None not in reference.resets
        and all(each.plain_clock and not each.latches and not each.loops and not each.loads for each in both)
    )


def _same_text(reference: Netlist, answer: Netlist) -> bool:
    texts = []
    for each in (reference, answer):
        with open(f"{each.name}.v") as stream:
            texts.append(stream.read().replace(each.name, "mx_circuit"))
    return texts[0] == texts[1]


def write_for_replay(question: Question) -> None:
    """Write NAME_flat.v of both circuits, whose registers have the names that the gates have, and NAME_zero.v and NAME_one.v.

    In these, what nothing drives is 0 or 1. Raises LimitError.
    """
    script = ""
    for netlist, keeps in ((question.reference, question.starts != "open"), (question.answer, True)):
        script += FLAT.format(name=netlist.name, strip="" if keeps else FORGET) + WRITTEN.format(
            name=netlist.name
        )
    yosys("variants", script, PREPARE_S)


def _asked(question: Question, simple: bool) -> Compared:
    clocking = "" if simple else "clk2fflogic"
    script = ""
    for netlist, keeps in ((question.reference, question.starts != "open"), (question.answer, True)):
        script += FLAT.format(name=netlist.name, strip="" if keeps else FORGET)
        script += TO_GATES.format(name=netlist.name, clocking=clocking)
    ran = yosys("gates", script, PREPARE_S)
    if ran.code != 0:
        raise UnknownGateError((ran.errors.strip().splitlines() or ["?"])[-1][:200])
    gates = [read_gates(f"{each.name}_gates.json", each.name) for each in question[:2]]
    clocks = sorted({clock for each in question[:2] for clock in each.clocks if clock is not None})
    return Compared(
        gates[0],
        gates[1],
        question.reference.ports,
        clocks,
        question.reset,
        simple,
        simple and any(each.waits_for_clock for each in question[:2]),
        question.starts != "open",
    )


def _asks(problem: Problem) -> bool:
    """Whether every output's bit of the reference is known at some time, in many random runs."""
    graph = problem.graph
    rng = random.Random("mx/known")
    lanes = 64
    ones = (1 << lanes) - 1
    go = graph.compiled([*problem.counts, *graph.nexts])
    held = [0] * len(graph.latches)
    waiting = set(range(len(problem.counts)))
    for _ in range(512):
        words = go([rng.getrandbits(lanes) for _ in graph.inputs], held, ones)
        waiting -= {place for place in waiting if words[place]}
        held = words[len(problem.counts) :]
        if not waiting:
            return True
    return False


def _refuted(asked: Compared, problem: Problem, decided: Decided) -> Verdict:
    frames = decided.frames
    rows = [{name: _levels(bits, frames[0]) for name, bits in given.items()} for given in problem.preamble]
    before = len(rows)
    rows += [{name: _levels(bits, frame) for name, bits in problem.inputs.items()} for frame in frames]
    steps: List[str] = []
    for place, row in enumerate(rows):
        ends = place < before or _level(problem.edge, frames[place - before]) == 1
        for levels in _halves(asked, ends):
            values = {**row, **levels}
            steps.append("".join(values[name] for name, direction, _ in asked.ports if direction == "input"))
    starts = tuple(_level(literal, frames[0]) for literal in problem.starts)
    return Verdict(
        "refuted", decided.method, steps, before * len(_halves(asked, True)), decided.depth, starts, asked
    )


def _halves(asked: Compared, ends: bool) -> List[Dict[str, str]]:
    """The clock before and at its edge, if the step ends with one, where a step is a cycle."""
    if not asked.by_cycles or not asked.clocks:
        return [{}]
    name, positive = asked.clocks[0]
    return [{name: str(int(not positive))}, {name: str(int(positive == ends))}]


def _levels(bits: List[int], frame: Dict[int, int]) -> str:
    return "".join(str(_level(bit, frame)) for bit in reversed(bits))


def _level(literal: int, frame: Dict[int, int]) -> int:
    return (frame.get(literal & ~1, 0) ^ (literal & 1)) if literal > 1 else literal
