"""The validation split as a searching method gets it, with every evaluation on disk so that a search can be gone on with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mx_agents.bench.config import seed_of
from mx_agents.bench.cost import tokens_by_agent
from mx_agents.episodes import Job, Played, play
from mx_agents.policies import ScriptedPolicy
from mx_agents.policy import Policy
from mx_agents.runs.folder import Appender, read_lines
from mx_tasks import Task

MOST_TASKS = 64


@dataclass(slots=True)
class BenchTrial:
    """Plays candidate designs within ``calls_left`` executor calls, never beyond; rows of ``trials.jsonl`` are not played again.

    Designs are played side by side while all of them may use their task's whole budget, then one by one. An episode that ran out
    of the search's calls before its own costs what it used and has no score. ``make_env`` gets the calls that an episode may make,
    None for its task's own. ``where`` names the method, the task set and the executor that the rows belong to.
    """

    tasks: Sequence[Task]
    calls_left: int
    make_env: Callable[[int | None], Callable[[], Any]]
    executor_of: Callable[[int], Policy]
    in_flight: int
    path: Path
    where: tuple[str, str, str]
    _known: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in read_lines(self.path):
            if (row["method"], row["tasks"], row["executor"]) == self.where:
                self._known[row["design_hash"], row["task"]] = row

    def scores(self, designs: Sequence[str], tasks: Sequence[Task]) -> list[list[float]]:
        """Play every design on every task; for each design its scores, fewer than tasks where the calls were used up."""
        found: list[list[float]] = [[] for _ in designs]
        for task in tasks:
            wanted = [
                place
                for place in range(len(designs))
                if self.calls_left > 0 or self._row(designs[place], task)
            ]
            missing = [place for place in wanted if not self._row(designs[place], task)]
            self._play({designs[place] for place in missing}, task)
            for place in wanted:
                row = self._row(designs[place], task)
                if row is not None:
                    found[place] += [row["score"]] if not row.get("cut") else []
                    self._count(row)
        return found

    def _count(self, row: dict[str, Any]) -> None:
        """Take a row's calls off what is left, once."""
        self.calls_left -= row["calls"] if not row.get("counted") else 0
        row["counted"] = True

    def _row(self, design: str, task: Task) -> dict[str, Any] | None:
        return self._known.get((_hash(design), task.id))

    def _play(self, designs: set[str], task: Task) -> None:
        jobs = [
            Job(design, task.id, seed, ScriptedPolicy([design]), self.executor_of(seed))
            for design in sorted(designs)
            for seed in [seed_of("trial", task.id)]
        ]
        whole = task.budget.calls
        appender = Appender(self.path)
        try:
            while jobs and self.calls_left > 0:
                together = max(1, min(len(jobs), self.calls_left // whole))
                batch, jobs = jobs[:together], jobs[together:]
                bound = self.calls_left if self.calls_left < whole else None
                for played in play(iter(batch), self.make_env(bound), max(1, min(self.in_flight, together))):
                    row = self._row_of(played, task, bound)
                    appender.add(json.dumps(row))
                    self._count(row)
                    self._known[row["design_hash"], task.id] = row
        finally:
            appender.close()

    def _row_of(self, played: Played[str], task: Task, bound: int | None) -> dict[str, Any]:
        record = played.record
        spent = tokens_by_agent(record.as_dict()["turns"]).values()
        return {
            **dict(zip(("method", "tasks", "executor"), self.where, strict=True)),
            "design_hash": _hash(played.key),
            "design": played.key,
            "task": task.id,
            "score": record.grade.score,
            "passed": record.grade.passed,
            "calls": max(1, record.calls),
            "tokens": sum(inward + outward for _, inward, outward in spent),
            **({"cut": True} if bound is not None and record.calls >= bound else {}),
        }


def _hash(design: str) -> str:
    return hashlib.sha256(design.encode("utf-8", "replace")).hexdigest()[:16]
