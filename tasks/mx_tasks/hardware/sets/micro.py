"""Micro hardware tasks: formulas over four-bit words to be written as Verilog expressions, learnable by a very small model.

A task has a few parts; each is a formula in prefix notation, its answer one line: the right-hand side of ``assign y =
...``. All words
have four bits and wrap. An answer in the plain subset of Verilog that the formulas need (names, parentheses, ``* + - & ^ |``) is
evaluated by its own parser on the host, with Verilog's precedence: nothing is executed, and a batch takes microseconds. Any other
answer is elaborated and simulated as every hardware task is.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from itertools import pairwise

from mx_sandboxes import Sandbox
from mx_tasks.errors import SPLITS
from mx_tasks.formula import (
    NAMES,
    OPERATORS,
    SPLIT_BUCKETS,
    Formula,
    evaluate,
    parse_prefix,
    prefix,
    python,
    random_formula,
    skeleton_bucket,
)
from mx_tasks.hardware.grading.judge import grade_answer
from mx_tasks.hardware.rtl.answers import verilog_in
from mx_tasks.hardware.rtl.circuit import Circuit
from mx_tasks.sets import DrawnTasks, graded_lines, lines_of, right_or_wrong
from mx_tasks.task import Budget, Grade, Part, Split, Submission, Task

VERSION = 1
WIDTH = 4
MASK = (1 << WIDTH) - 1
HIDDEN_VECTORS = 48
PUBLIC_VECTORS = 2
LARGEST_ANSWER = 300
INSTRUCTION = "Write each prefix formula over four-bit words as one line of Verilog."
_SYMBOLS = re.compile(r"\s*(?:([abcd])(?!\w)|([-*+&^|()]))")
_PLAIN = re.compile(r"[\s\w()*+&^|~?:{},'<>=!-]*")


class MicroHardware(DrawnTasks):
    """The task set ``hardware:micro``; ``seed`` chooses the tasks, ``parts`` and ``operators`` bound (inclusive) their size."""

    def __init__(
        self, seed: int = 0, parts: tuple[int, int] = (2, 3), operators: tuple[int, int] = (2, 3)
    ) -> None:
        self.seed = seed
        self.parts = parts
        self.operators = operators

    @property
    def name(self) -> str:
        """``hardware:micro``."""
        return "hardware:micro"

    @property
    def prefix(self) -> str:
        """``micro``."""
        return "micro"

    def marks(self) -> object:
        """The generator's version and arguments, and of a sample of its tasks and hidden vectors."""
        sample = [part for split in SPLITS for index in range(3) for part in self.task(split, index).parts]
        hidden = [(part.prompt, part.check, _vectors(_formula_of(part), "hidden", 3)) for part in sample]
        return (VERSION, self.seed, self.parts, self.operators, hidden)

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        rng = random.Random(
            f"mx-micro-hdl/{VERSION}/{self.seed}/{self.parts}/{self.operators}/{split}/{index}"
        )
        formulas = [self._formula(rng, split) for _ in range(rng.randint(*self.parts))]
        parts = tuple(_part(number, formula) for number, formula in enumerate(formulas, 1))
        return Task(
            id=self.id_of(split, index),
            domain="hardware",
            prompt="\n".join([INSTRUCTION, *(part.prompt for part in parts)]),
            parts=parts,
            image="hdl",
            budget=Budget(calls=24, wall_s=10.0),
            difficulty=0,
            split=split,
            source="mx-envs generator",
            licence="Apache-2.0",
        )

    def gold(self, task: Task) -> Submission:
        """A right submission, for validation."""
        return Submission("\n".join(python(_formula_of(part)) for part in task.parts))

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Half the score for the share of right lines, half for all of them."""
        lines = lines_of(task, submission)
        scores = [
            _score(_formula_of(part), answer, sandbox)
            for part, answer in zip(task.parts, lines.answers, strict=True)
        ]
        return graded_lines(task, lines, scores, right_or_wrong(scores))

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """1.0 for each answer that is right on all of its part's hidden vectors, 0.0 for the others."""
        parts = {part.name: _formula_of(part) for part in task.parts}
        return [_score(parts[name], answer, sandbox) for name, answer in answers]

    def _formula(self, rng: random.Random, split: Split) -> Formula:
        while True:
            formula = random_formula(rng, rng.randint(*self.operators))
            if skeleton_bucket(formula) in SPLIT_BUCKETS[split] and _worth_asking(formula):
                return formula


def value(text: str, values: Sequence[int]) -> int:
    """The four-bit value of a plain Verilog expression over ``a b c d``. Raises ValueError when it is none.

    The operators' precedence is Verilog's: ``*``, then ``+ -``, ``&``, ``^``, ``|``; all group from the left.
    """
    symbols = _symbols(text)
    result, place = _climb(symbols, 0, 0, values, 0)
    if place != len(symbols):
        raise ValueError(f"symbols left over in {text!r}")
    return result


def _symbols(text: str) -> list[str]:
    found, place, text = [], 0, text.rstrip()
    while place < len(text):
        match = _SYMBOLS.match(text, place)
        if match is None:
            raise ValueError(f"not a plain expression: {text!r}")
        found.append(match.group(1) or match.group(2))
        place = match.end()
    return found


def _climb(
    symbols: Sequence[str], place: int, least: int, values: Sequence[int], depth: int
) -> tuple[int, int]:
    """The value of the expression that begins at a place, of operators that bind at least so tightly, and where it ends."""
    if place >= len(symbols) or depth > 40:
        raise ValueError("an operand is missing, or too many parentheses")
    if symbols[place] == "(":
        left, place = _climb(symbols, place + 1, 0, values, depth + 1)
        if place >= len(symbols) or symbols[place] != ")":
            raise ValueError("a parenthesis is not closed")
    elif symbols[place] in NAMES:
        left = values[NAMES.index(symbols[place])]
    else:
        raise ValueError(f"no operand: {symbols[place]!r}")
    place += 1
    while place < len(symbols) and OPERATORS.get(symbols[place], -1) >= least:
        operator = symbols[place]
        right, place = _climb(symbols, place + 1, OPERATORS[operator] + 1, values, depth + 1)
        left = evaluate(Formula(operator, Formula("a"), Formula("b")), (left, right, 0, 0)) & MASK
    return left & MASK, place


def _score(formula: Formula, answer: str, sandbox: Sandbox) -> float:
    text = answer.strip()
    if not text or len(text) > LARGEST_ANSWER:
        return 0.0
    vectors = _vectors(formula, "hidden", HIDDEN_VECTORS)
    wanted = [evaluate(formula, vector) & MASK for vector in vectors]
    try:
        return float([value(text, vector) for vector in vectors] == wanted)
    except ValueError:
        return 0.0 if _broken(text) else _elaborated_score(formula, text, sandbox)


def _broken(text: str) -> bool:
    """Whether a look at its symbols shows that it is no expression: a learner writes many of these, a simulator is slow."""
    try:
        symbols = _symbols(text)
    except ValueError:  # symbols beyond the plain subset
        return False
    ends = {*NAMES, ")"}
    touching = any(left in ends and right in {*NAMES, "("} for left, right in pairwise(symbols))
    return touching or symbols[-1] not in ends or symbols.count("(") != symbols.count(")")


def _elaborated_score(formula: Formula, text: str, sandbox: Sandbox) -> float:
    """The score of a line beyond the plain subset; one that is no expression is worth nothing and not looked at."""
    if not _PLAIN.fullmatch(text) or not re.search(r"[abcd]", text):
        return 0.0
    ports = (*((name, "input", WIDTH) for name in NAMES), ("y", "output", WIDTH))
    head = f"module micro(input [{WIDTH - 1}:0] a, b, c, d, output [{WIDTH - 1}:0] y);\nassign y = "
    vectors = _vectors(formula, "hidden", HIDDEN_VECTORS)
    circuit = Circuit(
        top="micro",
        ports=ports,
        clocks=(),
        reset=("", 1),
        steps=tuple("".join(f"{number:0{WIDTH}b}" for number in vector) for vector in vectors),
        expected=tuple(f"{evaluate(formula, vector) & MASK:0{WIDTH}b}" for vector in vectors),
        scenario=1,
        reference=f"{head}{python(formula)};\nendmodule\n",
        reference_top="micro",
    )
    verdict = grade_answer(circuit, verilog_in(f"{head}{text};\nendmodule\n", "micro"), sandbox)
    return float(verdict.share == 1.0)


def _vectors(formula: Formula, kind: str, count: int) -> list[tuple[int, ...]]:
    rng = random.Random(f"mx-micro-hdl/{VERSION}/{kind}/{prefix(formula)}")
    return [tuple(rng.randint(0, MASK) for _ in NAMES) for _ in range(count)]


def _worth_asking(formula: Formula) -> bool:
    """Whether a draft without parentheses is wrong, and the formula is no constant and no single variable in disguise."""
    vectors = _vectors(formula, "hidden", HIDDEN_VECTORS)
    results = [evaluate(formula, vector) & MASK for vector in vectors]
    flat = python(formula).replace("(", "").replace(")", "")
    trivial = any(results == [vector[place] for vector in vectors] for place in range(len(NAMES)))
    return len(set(results)) > 3 and not trivial and [value(flat, vector) for vector in vectors] != results


def _part(number: int, formula: Formula) -> Part:
    checks = [
        f"assert f({', '.join(map(str, vector))}) & {MASK} == {evaluate(formula, vector) & MASK}"
        for vector in _vectors(formula, "public", PUBLIC_VECTORS)
    ]
    source = "\n".join([f"f = eval('lambda {', '.join(NAMES)}: (' + answer + ')')", *checks])
    return Part(name=str(number), prompt=f"{number}. {prefix(formula)}", check=source)


def _formula_of(part: Part) -> Formula:
    return parse_prefix(part.prompt.partition(". ")[2])
