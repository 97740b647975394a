"""The fixed multi-agent workflows that everything else is measured against.

Each is one constant script over :mod:`mas`, and works on tasks of one or of many parts: a task without parts has one part, itself.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mx_tasks import Task

HEAD = """from mas import *
coder = Agent("coder", "Write Python.")
"""
DESK = """from mas import *
trader = Agent("trader", "You trade. Answer with the target weights and nothing else.")
"""


@dataclass(frozen=True, slots=True)
class FixedMethod:
    """The same script for every task: ``script`` where an answer is handed in, ``desk`` where a market is traded bar by bar."""

    name: str
    about: str
    script: str
    desk: str = f"{DESK}market.trade(trader)"

    def design(self, task: Task, rng: random.Random) -> str:  # noqa: ARG002  # fixed means fixed
        """The script."""
        return self.desk if "market" in task.services else self.script


_ALL = (
    FixedMethod("single", "one agent answers once", f"{HEAD}submit(coder(task))"),
    FixedMethod(
        "vote",
        "five drafts, the most frequent wins",
        f"{HEAD}submit(vote(coder, task, 5))",
        f"{DESK}market.trade(lambda question: vote(trader, question, 5))",
    ),
    FixedMethod(
        "reflect",
        "a critic reviews, the coder revises, twice at most",
        f'{HEAD}critic = Agent("critic", "Find the mistake, or say LGTM.")\nsubmit(reflect(coder, critic, task, 2))',
        f'{DESK}risk = Agent("risk", "You control risk. Say what is wrong with these weights, or LGTM.")\n'
        "market.trade(lambda question: reflect(trader.fresh(), risk.fresh(), question))",
    ),
    FixedMethod(
        "debate",
        "three agents answer, see each other's answers, answer again; the most frequent wins",
        f"{HEAD}submit(debate([coder, coder.fresh(), coder.fresh()], task, 1))",
        f"{DESK}market.trade(lambda question: debate([trader.fresh() for _ in range(3)], question))",
    ),
    FixedMethod("split", "one agent for each part of the task", f"{HEAD}submit(split(coder))"),
    FixedMethod(
        "best_of",
        "for each part three drafts, the first that passes the public tests wins",
        f"{HEAD}submit(split(lambda part: best_of(coder, part, 3)))",
    ),
)

FIXED_METHODS = {method.name: method for method in _ALL}
"""The built-in methods by name."""
