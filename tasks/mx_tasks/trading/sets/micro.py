"""Micro trading tasks: mean reversion with costs as short texts, learnable by a model of half a million parameters.

A part is a path of deviations and a cost; the answer says for each bar whether to be long (B), flat (F) or short (S), each decided
on the bars up to it. The optimum, by backward induction, trades only where a deviation is worth its costs and otherwise holds
what it has, so the answer depends on all that came before. A part's public check knows the first targets. Several parts make
splitting worth while, and a price per call keeps the largest team from being the best.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from functools import lru_cache

from mx_sandboxes import Sandbox
from mx_tasks.sets import DrawnTasks, graded_lines, lines_of
from mx_tasks.task import Budget, Grade, Part, Split, Submission, Task
from mx_tasks.trading.market.optimum import solve
from mx_tasks.trading.market.worlds import mean_reversion

COSTS = {1: 0.0005, 2: 0.003, 3: 0.008}
"""The half spread that each cost's number means."""
TARGETS = {"S": -1.0, "F": 0.0, "B": 1.0}
HORIZON = 40
WIDEST = 4
PUBLIC = 2
"""How many targets a part's public check knows."""
VERSION = 1
INSTRUCTION = "Trade each path of deviations: B, F or S for each bar."
SPLIT_BUCKETS: dict[Split, frozenset[int]] = {
    "train": frozenset(range(3, 10)),
    "validation": frozenset({2}),
    "test": frozenset({0, 1}),
}
"""Which of ten buckets of paths belong to each split: a path is in one split only, whatever its cost."""

Path = tuple[int, ...]


class MicroTasks(DrawnTasks):
    """The task set ``trading:micro``. ``seed`` chooses the tasks, ``parts`` and ``bars`` bound (inclusive) their size."""

    def __init__(
        self, seed: int = 0, parts: tuple[int, int] = (2, 3), bars: tuple[int, int] = (4, 6)
    ) -> None:
        self.seed = seed
        self.parts = parts
        self.bars = bars

    @property
    def name(self) -> str:
        """``trading:micro``."""
        return "trading:micro"

    @property
    def prefix(self) -> str:
        """``trade``."""
        return "trade"

    def marks(self) -> object:
        """The generator's version and arguments, of a sample of its tasks and of the optimum."""
        sample = [
            part.prompt
            for split in SPLIT_BUCKETS
            for index in range(3)
            for part in self.task(split, index).parts
        ]
        best = [optimal(cost, tuple(range(-WIDEST, WIDEST + 1))) for cost in COSTS]
        return (VERSION, self.seed, self.parts, self.bars, sample, best)

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        buckets = SPLIT_BUCKETS[split]
        rng = random.Random(
            f"mx-trading-micro/{VERSION}/{self.seed}/{self.parts}/{self.bars}/{split}/{index}"
        )
        count = rng.randint(*self.parts)
        parts = tuple(_part(number, *self._draw(rng, buckets)) for number in range(1, count + 1))
        return Task(
            id=self.id_of(split, index),
            domain="trading",
            prompt="\n".join([INSTRUCTION, *(part.prompt for part in parts)]),
            parts=parts,
            budget=Budget(calls=24, wall_s=10.0),
            difficulty=sum(len(part.prompt.split()) - 3 for part in parts),
            split=split,
            source="mx-envs generator",
            licence="Apache-2.0",
        )

    def gold(self, task: Task) -> Submission:
        """The optimum's targets, for validation."""
        return Submission("\n".join(" ".join(optimal(*read_part(part.prompt))) for part in task.parts))

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:  # noqa: ARG002  # nothing is run
        """Half the score for the parts' mean, half for all of them being optimal."""
        lines = lines_of(task, submission)
        scores = [part_score(part, answer) for part, answer in zip(task.parts, lines.answers, strict=True)]
        wanted = self.gold(task).answer.splitlines()
        said = [f"{score:.3f} of the optimum, {best}" for score, best in zip(scores, wanted, strict=True)]
        return graded_lines(task, lines, scores, said)

    def grade_parts(
        self,
        task: Task,
        answers: Sequence[tuple[str, str]],
        sandbox: Sandbox,  # noqa: ARG002  # nothing is run
    ) -> Sequence[float | None]:
        """Each answer's value as a share of the optimum's."""
        parts = {part.name: part for part in task.parts}
        return [part_score(parts[name], answer) for name, answer in answers]

    def _draw(self, rng: random.Random, buckets: frozenset[int]) -> tuple[int, Path]:
        while True:
            deviations = [rng.choice([-3, -2, -1, 0, 1, 2, 3])]
            for _ in range(rng.randint(*self.bars) - 1):
                step = rng.choice([-2, -1, -1, 0, 1, 1, 2])
                deviations.append(max(-WIDEST, min(WIDEST, deviations[-1] + step)))
            path = tuple(deviations)
            cost = rng.choice(list(COSTS))
            if _bucket(path) in buckets and len(set(optimal(cost, path))) > 1:
                return cost, path


def read_part(prompt: str) -> tuple[int, Path]:
    """The cost and the path in a part's prompt, such as ``1. cost 2: -1 0 3``. Raises ValueError when it is none."""
    head, colon, path = prompt.partition(":")
    words = head.split()
    if (
        not colon
        or len(words) != 3
        or words[1] != "cost"
        or not words[2].isdecimal()
        or int(words[2]) not in COSTS
    ):
        raise ValueError(f"{prompt!r} is no path of deviations")
    return int(words[2]), tuple(int(word) for word in path.split())


@lru_cache(maxsize=65_536)
def optimal(cost: int, path: Path) -> tuple[str, ...]:
    """The best targets, bar by bar, starting flat."""
    chosen: list[str] = []
    shortfalls = _shortfalls(cost)
    for deviation in path:
        held = chosen[-1] if chosen else "F"
        order = [held, *(name for name in TARGETS if name != held)]
        chosen.append(min(order, key=lambda name: round(shortfalls[deviation, held, name], 12)))
    return tuple(chosen)


def part_score(part: Part, answer: str) -> float:
    """What the targets in an answer can be expected to earn, as a share of the optimum's, in [0, 1]; 1 for the optimum alone."""
    cost, path = read_part(part.prompt)
    targets = answer.split()
    if len(targets) != len(path) or any(target not in TARGETS for target in targets):
        return 0.0
    if tuple(targets) == optimal(cost, path):
        return 1.0
    short, idle = _short(cost, path, targets), _short(cost, path, ["F"] * len(path))
    return round(max(0.0, min(0.95, 1 - short / idle)), 6) if idle > 0 else 0.0


def _short(cost: int, path: Path, targets: Sequence[str]) -> float:
    shortfalls = _shortfalls(cost)
    return sum(
        shortfalls[deviation, held, target]
        for deviation, held, target in zip(path, ["F", *targets[:-1]], targets, strict=True)
    )


@lru_cache(maxsize=8)
def _shortfalls(cost: int) -> dict[tuple[int, str, str], float]:
    """How much each target falls short of the best one, by deviation and what is held."""
    optimum = solve(mean_reversion(COSTS[cost]), HORIZON, weights=3)
    table = {}
    for deviation in range(-WIDEST, WIDEST + 1):
        for held, weight in TARGETS.items():
            worth = optimum.worth(0, deviation, weight, list(TARGETS.values()))
            for target, each in zip(TARGETS, worth, strict=True):
                table[deviation, held, target] = float(worth.max() - each)
    return table


def _part(number: int, cost: int, path: Path) -> Part:
    prompt = f"{number}. cost {cost}: {' '.join(map(str, path))}"
    first = list(optimal(cost, path)[:PUBLIC])
    check = (
        f"targets = answer.split()\nassert len(targets) == {len(path)}, 'one target a bar'\n"
        f"assert targets[:{PUBLIC}] == {first}, 'not worth its costs'"
    )
    return Part(str(number), prompt, check)


def _bucket(path: Path) -> int:
    return hashlib.sha256(repr(path).encode()).digest()[0] % 10
