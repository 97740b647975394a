"""Runs a benchmark, writes its folder, and goes on with one that was cut short."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mx_agents.bench.budget import BudgetedTasks
from mx_agents.bench.config import BenchConfig, Cell, seed_of
from mx_agents.bench.summary import MethodSummary, Outcome, outcome_of, read_outcomes, summarise
from mx_agents.episodes import Job, Played, play
from mx_agents.errors import UsageError
from mx_agents.methods import Method, MethodPolicy, load_method
from mx_agents.policies import is_shared, load_policy
from mx_agents.policy import Policy
from mx_agents.runs import (
    Appender,
    existing_run_folder,
    new_run_folder,
    read_config,
    read_lines,
    write_config,
    write_text,
)
from mx_sandboxes import Sandbox, Sandboxes
from mx_tasks import TaskSet, check_split, load_task_set
from mx_tasks import tasks as tasks_of


@dataclass(slots=True)
class Bench:
    """A benchmark that is ready to run: everything that can be wrong with its configuration has been found by now."""

    config: BenchConfig
    folder: Path
    task_set: TaskSet
    task_ids: list[str]
    methods: dict[str, Method | Policy]
    shared_executor: Policy | None
    outcomes: list[Outcome]
    resumed: bool = False

    @property
    def total(self) -> int:
        """Number of episodes in all."""
        return len(self.methods) * len(self.task_ids) * self.config.seeds

    @property
    def images(self) -> list[str]:
        """The images that the tasks need."""
        return sorted({self.task_set.find(task_id).image for task_id in self.task_ids})

    def begin(self) -> None:
        """Make the folder of a new run with its configuration and tasks. Raises UsageError when it cannot be made."""
        if self.resumed:
            return
        prompts = [{"id": task_id, "prompt": self.task_set.find(task_id).prompt} for task_id in self.task_ids]
        write_config(new_run_folder(self.folder), self.config.as_dict())
        write_text(
            self.folder / "tasks.jsonl",
            "".join(json.dumps(row) + "\n" for row in prompts),
        )

    def run(self, sandbox: Sandbox | Sandboxes, in_flight: int) -> Iterator[Outcome]:
        """Play what is missing and yield each outcome once it is on disk. May be broken off at any time and run again."""
        from mx_envs import domain_of

        def make_env() -> Any:
            return domain_of(self.task_set).raw_env(
                tasks=self.task_set, split=check_split(self.config.split), sandbox=sandbox
            )

        appender = Appender(self.folder / "episodes.jsonl")
        played = play(self._jobs(), make_env, in_flight)
        try:
            for episode in played:
                row = _row(episode)
                appender.add(json.dumps(row, sort_keys=True))  # ASCII: models write lone surrogates too
                outcome = outcome_of(row)
                self.outcomes.append(outcome)
                yield outcome
        finally:
            played.close()  # type: ignore[attr-defined]
            appender.close()

    def summary(self) -> list[MethodSummary]:
        """The table as it stands."""
        return summarise(self.outcomes, self.config.methods)

    def finish(self) -> list[MethodSummary]:
        """Write results.jsonl and report.html from the episodes so far; the table."""
        from mx_agents.report import write_report

        rows = self.summary()
        write_text(
            self.folder / "results.jsonl",
            "".join(json.dumps(row.as_dict()) + "\n" for row in rows),
        )
        write_report(self.folder)
        return rows

    def _jobs(self) -> Iterator[Job[Cell]]:
        done = {Cell(found.method, found.task, found.repetition) for found in self.outcomes}
        for cell in self.config.cells(self.task_ids):
            if cell not in done:
                yield self._job(cell)

    def _job(self, cell: Cell) -> Job[Cell]:
        """The episode of a cell. Its seeds depend on task and repetition, not on the method: methods meet the same luck."""
        seed = seed_of(cell.task, cell.repetition)
        method = self.methods[cell.method]
        designer: Policy
        if isinstance(method, Method):
            designer = MethodPolicy(method, self.task_set.find(cell.task), random.Random(f"method/{seed}"))
        elif is_shared(cell.method):
            designer = method
        else:
            designer = load_policy(cell.method, role="designer", seed=seed)
        executor = self.shared_executor or load_policy(self.config.executor, seed=seed)
        return Job(cell, cell.task, seed, designer, executor)


def open_bench(
    config: BenchConfig | None, folder: Path, *, resume: bool = False, expected: dict[str, Any] | None = None
) -> Bench:
    """Check a configuration, load what it names; with ``resume`` read what the run in ``folder`` has so far.

    With ``resume`` the folder's own configuration counts; one that differs from ``config`` or from the values in ``expected``
    raises UsageError, as does everything else that is wrong. Nothing is written before :meth:`Bench.begin`.
    """
    kept = None
    if resume:
        path = existing_run_folder(folder) / "config.yaml"
        kept = BenchConfig.from_dict(read_config(folder), str(path))
        _check_same(kept, (config.as_dict() if config else {}) | (expected or {}), str(path))
    asked = kept or config
    if asked is None:
        raise UsageError("a new benchmark needs a configuration")
    task_set = load_task_set(asked.tasks)
    split = check_split(asked.split)
    if kept is not None and kept.fingerprint != task_set.fingerprint:
        raise UsageError(
            f"the tasks of {asked.tasks} have changed since the run {str(folder)!r} began; start a new run"
        )
    asked = replace(asked, fingerprint=task_set.fingerprint)
    if asked.budget is not None:
        task_set = BudgetedTasks(task_set, asked.budget)
    methods = {name: load_method(name, seed=0) for name in asked.methods}
    executor = load_policy(asked.executor, seed=0)
    task_ids = [task.id for task in tasks_of(task_set, split, asked.episodes)]
    if not task_ids:
        raise UsageError(f"the split {asked.split!r} of {asked.tasks} has no tasks")
    played = read_outcomes(read_lines(folder / "episodes.jsonl")) if resume else []
    outcomes = [
        outcome for outcome in played if not outcome.failed
    ]  # what the sandbox failed is played again
    shared = executor if is_shared(asked.executor) else None
    return Bench(asked, folder, task_set, task_ids, methods, shared, outcomes, resume)


def _check_same(kept: BenchConfig, expected: dict[str, Any], where: str) -> None:
    before = kept.as_dict()
    for name, now in expected.items():
        if name != "fingerprint" and before[name] != (list(now) if isinstance(now, tuple) else now):
            raise UsageError(
                f"{where} has {name} {before[name]!r}, not {now!r}; resume without it, or start a new run"
            )


def _row(played: Played[Cell]) -> dict[str, Any]:
    return {
        "method": played.key.method,
        "repetition": played.key.repetition,
        "seconds": round(played.seconds, 4),
        "episode": played.record.as_dict(),
    }
