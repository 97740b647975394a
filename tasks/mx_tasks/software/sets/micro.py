"""Micro software tasks: generated without end, learnable by a model of half a million parameters, graded by running.

A task has a few parts; each is a formula in prefix notation that is to be written as a Python expression. The answer holds one
expression per line. Hidden tests evaluate each line in the grading sandbox on hidden input vectors; the expected values never
leave the host. A part's public check holds two vectors. Python's own precedence makes careless drafts wrong in a way that running
them shows, several parts make splitting worth while, and a price per call keeps the largest team from being the best.
"""

from __future__ import annotations

import json
import random
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from importlib import resources

from mx_sandboxes import Limits, Sandbox
from mx_tasks.errors import check_split
from mx_tasks.formula import (
    NAMES,
    SPLIT_BUCKETS,
    Formula,
    evaluate,
    parse_prefix,
    prefix,
    python,
    random_formula,
    skeleton_bucket,
)
from mx_tasks.kept import Guard
from mx_tasks.sets import DrawnTasks, graded_lines, lines_of, right_or_wrong
from mx_tasks.software.cheats.micro import CHEATS
from mx_tasks.software.grading.patience import PATIENCE
from mx_tasks.task import Budget, Grade, Part, Split, Submission, Task

PUBLIC_VECTORS = 2
HIDDEN_VECTORS = 8
LARGEST_VALUE = 30
LARGEST_ANSWER = 400
VERSION = 1

INSTRUCTION = "Write each prefix formula as one line of Python."


class MicroTasks(DrawnTasks):
    """The task set ``software:micro``.

    ``seed`` chooses the tasks, ``parts`` and ``operators`` bound (inclusive) their size. The same arguments give the same tasks on
    every machine.
    """

    def __init__(
        self, seed: int = 0, parts: tuple[int, int] = (2, 3), operators: tuple[int, int] = (2, 3)
    ) -> None:
        self.seed = seed
        self.parts = parts
        self.operators = operators
        self._scores = _ScoreMemory()

    @property
    def name(self) -> str:
        """``software:micro``."""
        return "software:micro"

    @property
    def prefix(self) -> str:
        """``micro``."""
        return "micro"

    def marks(self) -> object:
        """The generator's version and arguments, and of a sample of its tasks and hidden vectors."""
        sample = [
            part for split in SPLIT_BUCKETS for index in range(3) for part in self.task(split, index).parts
        ]
        hidden = [(part.prompt, part.check, _hidden_vectors(_formula_of(part))) for part in sample]
        return (VERSION, self.seed, self.parts, self.operators, hidden)

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        rng = random.Random(f"mx-micro/{VERSION}/{self.seed}/{self.parts}/{self.operators}/{split}/{index}")
        count = rng.randint(*self.parts)
        formulas = [self._formula(rng, split) for _ in range(count)]
        parts = tuple(_part(number, formula) for number, formula in enumerate(formulas, 1))
        return Task(
            id=self.id_of(split, index),
            domain="software",
            prompt="\n".join([INSTRUCTION, *(part.prompt for part in parts)]),
            parts=parts,
            budget=Budget(calls=24, wall_s=10.0),
            difficulty=sum(part.prompt.count(" ") for part in parts) // 2,
            split=split,
            source="mx-envs generator",
            licence="Apache-2.0",
        )

    def gold(self, task: Task) -> Submission:
        """A right submission, for validation."""
        return Submission("\n".join(python(_formula_of(part)) for part in task.parts))

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Answers that attack the grader; each must score 0."""
        made = {name: Submission("\n".join([line] * len(task.parts))) for name, line in CHEATS.items()}
        return made | {"public values by heart": Submission("\n".join(_by_heart(p) for p in task.parts))}

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Half the score for the share of right lines, half for all of them."""
        lines = lines_of(task, submission)
        scores = self._part_scores(list(zip(task.parts, lines.answers, strict=True)), sandbox)
        return graded_lines(task, lines, scores, right_or_wrong(scores))

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """1.0 for each answer that is right on all of its part's hidden vectors, 0.0 for the others."""
        parts = {part.name: part for part in task.parts}
        return self._part_scores([(parts[name], answer) for name, answer in answers], sandbox)

    def _formula(self, rng: random.Random, split: Split) -> Formula:
        buckets = _buckets(split)
        while True:
            formula = random_formula(rng, rng.randint(*self.operators))
            if skeleton_bucket(formula) in buckets and _worth_asking(formula):
                return formula

    def _part_scores(self, asked: list[tuple[Part, str]], sandbox: Sandbox) -> list[float]:
        questions = [(_formula_of(part), answer.strip()[:LARGEST_ANSWER]) for part, answer in asked]
        scores = [self._scores.get(question) for question in questions]
        missing = (question for question, score in zip(questions, scores, strict=True) if score is None)
        new = list(dict.fromkeys(missing))
        if new:
            verdicts = dict(zip(new, _evaluate(new, sandbox), strict=True))
            self._scores.add(verdicts)
            scores = [
                verdicts.get(question, score) for question, score in zip(questions, scores, strict=True)
            ]
        return [score or 0.0 for score in scores]


Question = tuple[Formula, str]
"""A formula and the text that claims to compute it."""


class _ScoreMemory:
    """Verdicts already reached: grading is deterministic, and a training batch asks the same thing many times. Thread-safe."""

    def __init__(self, size: int = 100_000) -> None:
        self._size = size
        self._scores: OrderedDict[Question, float] = OrderedDict()
        self._lock = Guard()

    def get(self, question: Question) -> float | None:
        with self._lock:
            return self._scores.get(question)

    def add(self, verdicts: Mapping[Question, float | None]) -> None:
        with self._lock:
            self._scores.update(
                {question: score for question, score in verdicts.items() if score is not None}
            )
            while len(self._scores) > self._size:
                self._scores.popitem(last=False)


def _buckets(split: Split) -> frozenset[int]:
    return SPLIT_BUCKETS[check_split(split)]


def _vectors(formula: Formula, kind: str, count: int) -> list[tuple[int, ...]]:
    rng = random.Random(f"mx-micro/{VERSION}/{kind}/{prefix(formula)}")
    return [tuple(rng.randint(0, LARGEST_VALUE) for _ in NAMES) for _ in range(count)]


def _hidden_vectors(formula: Formula) -> list[tuple[int, ...]]:
    return _vectors(formula, "hidden", HIDDEN_VECTORS)


def _worth_asking(formula: Formula) -> bool:
    """Whether a draft without parentheses is wrong, and the formula is no constant and no single variable in disguise."""
    vectors = _hidden_vectors(formula)
    results = [evaluate(formula, vector) for vector in vectors]
    constant = len(set(results)) < len(vectors) // 2
    trivial = any(results == [vector[place] for vector in vectors] for place in range(len(NAMES)))
    return not constant and not trivial and _without_parentheses(formula, vectors) != results


def _without_parentheses(formula: Formula, vectors: Sequence[tuple[int, ...]]) -> list[int]:
    flat = compile(python(formula).translate({ord("("): None, ord(")"): None}), "<formula>", "eval")
    return [eval(flat, dict(zip(NAMES, vector, strict=True))) for vector in vectors]  # noqa: S307  # our own text


def _part(number: int, formula: Formula) -> Part:
    checks = [
        f"assert f({', '.join(map(str, vector))}) == {evaluate(formula, vector)}"
        for vector in _vectors(formula, "public", PUBLIC_VECTORS)
    ]
    source = "\n".join([f"f = eval('lambda {', '.join(NAMES)}: (' + answer + ')')", *checks])
    return Part(name=str(number), prompt=f"{number}. {prefix(formula)}", check=source)


def _by_heart(part: Part) -> str:
    """An expression that gives the right values on the public vectors, and nothing on others."""
    formula = _formula_of(part)
    known = {v: evaluate(formula, v) for v in _vectors(formula, "public", PUBLIC_VECTORS)}
    return f"{known}.get(({', '.join(NAMES)}))"


def _formula_of(part: Part) -> Formula:
    return parse_prefix(part.prompt.partition(". ")[2])


def _evaluate(questions: Sequence[Question], sandbox: Sandbox) -> list[float | None]:
    """Score each answer by running it; None where the job ended before it could say anything about that answer."""
    vectors = [_hidden_vectors(formula) for formula, _ in questions]
    requests = [
        json.dumps({"answer": answer, "inputs": inputs, "names": NAMES}).encode()
        for (_, answer), inputs in zip(questions, vectors, strict=True)
    ]
    completed = sandbox.run(
        ["python", "evaluate_expressions.py"],
        stdin=b"".join(b"%08d" % len(request) + request for request in requests),
        files={"evaluate_expressions.py": _EVALUATOR},
        limits=Limits(wall_s=PATIENCE * (5.0 + len(questions)), cpu_s=5.0 + len(questions), pids=16),
    )
    lines = completed.stdout.decode(errors="replace").splitlines()
    scores: list[float | None] = []
    for place, (formula, _) in enumerate(questions):
        if place >= len(lines):
            scores.append(None)
            continue
        expected = [evaluate(formula, vector) for vector in vectors[place]]
        scores.append(1.0 if _parse(lines[place]) == expected else 0.0)
    return scores


def _parse(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None


_EVALUATOR = (
    resources.files("mx_tasks.software.grading").joinpath("inside", "evaluate_expressions.py").read_bytes()
)
