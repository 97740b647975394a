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
from mx_agents.episodes import Job, play
from mx_agents.policies import ScriptedPolicy
from mx_agents.policy import Policy
from mx_agents.runs.folder import Appender, read_lines
from mx_tasks import Task

MOST_TASKS = 64


@dataclass(slots=True)
class BenchTrial:
    """Plays candidate designs within ``calls_left`` executor calls; rows of ``trials.jsonl`` are not played again.

    ``where`` names the method, the task set and the executor that the rows belong to.
    """

    tasks: Sequence[Task]
    calls_left: int
    make_env: Callable[[], Any]
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
                    found[place].append(row["score"])
                    self.calls_left -= row["calls"] if not row.get("counted") else 0
                    row["counted"] = True
        return found

    def _row(self, design: str, task: Task) -> dict[str, Any] | None:
        return self._known.get((_hash(design), task.id))

    def _play(self, designs: set[str], task: Task) -> None:
        jobs = [
            Job(design, task.id, seed, ScriptedPolicy([design]), self.executor_of(seed))
            for design in sorted(designs)
            for seed in [seed_of("trial", task.id)]
        ]
        appender = Appender(self.path)
        try:
            for played in play(iter(jobs), self.make_env, max(1, min(self.in_flight, len(jobs)))):
                record = played.record
                spent = tokens_by_agent(record.as_dict()["turns"]).values()
                row: dict[str, Any] = {
                    **dict(zip(("method", "tasks", "executor"), self.where, strict=True)),
                    "design_hash": _hash(played.key),
                    "design": played.key,
                    "task": task.id,
                    "score": record.grade.score,
                    "passed": record.grade.passed,
                    "calls": max(1, record.calls),
                    "tokens": sum(inward + outward for _, inward, outward in spent),
                }
                appender.add(json.dumps(row))
                self._known[row["design_hash"], task.id] = row
        finally:
            appender.close()


def _hash(design: str) -> str:
    return hashlib.sha256(design.encode("utf-8", "replace")).hexdigest()[:16]
