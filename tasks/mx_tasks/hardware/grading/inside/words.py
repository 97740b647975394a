"""Runs inside the grading sandbox: circuits without registers compared word by word, by an SMT solver.

Where sums are taken in another order, a prover of single gates gives up and one that knows what a sum is does not.
"""

import re
from typing import Dict, List

from .engines import Decided
from .miter import Problem
from .netlist import Netlist
from .pinned import PACKAGES, PYTHON
from .tools import LimitError, run
from .toolset import yosys

PREPARE_S, SOLVE_S = 4.0, 6.0
SOLVE = f"""
import sys
sys.path.insert(0, {PACKAGES!r})
import bitwuzla
options = bitwuzla.Options()
options.set(bitwuzla.Option.PRODUCE_MODELS, True)
bitwuzla.Parser(bitwuzla.TermManager(), options).parse("words.smt2")
"""
SCRIPT = """read_rtlil {reference}.il
read_rtlil {answer}.il
read_verilog words.v
hierarchy -top mx_words
flatten
delete */t:$scopeinfo
opt_expr
opt_clean
write_smt2 words.part
"""


def are_words_compared(reference: Netlist, answer: Netlist) -> bool:
    """Whether both are functions of their inputs, all of whose values are known."""
    return not any(
        each.registers or each.unknowns or each.loops or each.floating for each in (reference, answer)
    )


def by_words(reference: Netlist, answer: Netlist, problem: Problem) -> Decided:
    """Whether two such circuits are the same; for a difference its inputs, by the problem's literals. Raises LimitError."""
    inputs = [(name, width) for name, direction, width in reference.ports if direction == "input"]
    with open("words.v", "w") as stream:
        stream.write(_module(reference, answer))
    done = yosys("words", SCRIPT.format(reference=reference.name, answer=answer.name), PREPARE_S)
    if done.code != 0:
        return Decided("bounded", "words", [], 0)
    with open("words.part") as stream:
        text = stream.read()
    values = " ".join(f"(|mx_words_n {name}| s)" for name, _ in inputs)
    with open("words.smt2", "w") as stream:
        stream.write(
            f"(set-logic QF_UFBV)\n{text}\n(declare-fun s () |mx_words_s|)\n(assert (|mx_words_n mx_bad| s))\n(check-sat)\n"
        )
        stream.write(f"(get-value ({values}))\n" if values else "")
    try:
        said = run("words", [PYTHON, "-E", "-s", "-S", "-B", "-c", SOLVE], SOLVE_S).output
    except LimitError:
        return Decided("bounded", "words", [], 0)
    if said.startswith("unsat"):
        return Decided("proven", "SMT over words", [], 0)
    if said.startswith("sat"):
        return Decided("refuted", "SMT over words", [_frame(said, problem)], 1)
    return Decided("bounded", "words", [], 0)


def _module(reference: Netlist, answer: Netlist) -> str:
    ports = [
        f"input [{width - 1}:0] {name}" for name, direction, width in reference.ports if direction == "input"
    ]
    outputs = [(name, width) for name, direction, width in reference.ports if direction == "output"]
    lines = [f"module mx_words({', '.join([*ports, 'output mx_bad'])});"]
    for place, each in enumerate((reference, answer)):
        lines += [f"  wire [{width - 1}:0] {name}_mx{place};" for name, width in outputs]
        pins = [
            f".{name}({name})" if d == "input" else f".{name}({name}_mx{place})"
            for name, d, _ in reference.ports
        ]
        lines.append(f"  {each.name} mx_u{place} ({', '.join(pins)});")
    differs = " || ".join(f"{name}_mx0 != {name}_mx1" for name, _ in outputs)
    return "\n".join([*lines, f"  assign mx_bad = {differs};", "endmodule", ""])


def _frame(said: str, problem: Problem) -> Dict[int, int]:
    frame: Dict[int, int] = {}
    for name, literals in problem.inputs.items():
        found = re.search(rf"\(\|mx_words_n {re.escape(name)}\| s\)\s+(#b[01]+|#x[0-9a-f]+|true|false)", said)
        if found is not None:
            frame.update(zip(literals, _bits(found.group(1), len(literals))))
    return frame


def _bits(value: str, width: int) -> List[int]:
    """The bits of a value as the solver writes it, least significant first."""
    if value in ("true", "false"):
        return [int(value == "true")]
    number = int(value[2:], 2 if value[1] == "b" else 16)
    return [number >> bit & 1 for bit in range(width)]
