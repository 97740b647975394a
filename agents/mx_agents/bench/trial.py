"""The validation split as a searching method gets it, with every evaluation on disk so that a search can be gone on with."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mx_agents.bench.config import seed_of
from mx_agents.bench.cost import tokens_by_agent
from mx_agents.episodes import Job, Played, play
from mx_agents.errors import UsageError
from mx_agents.methods import FIXED_METHODS, Method, as_method, load_method
from mx_agents.policies import ScriptedPolicy
from mx_agents.policy import Policy
from mx_agents.programs import ProgramMethod
from mx_agents.runs.folder import Appender, read_lines
from mx_agents.statistics import Interval, group_by_task, mean_interval
from mx_tasks import Task

MOST_TASKS = 64
MOST_REPEATS = 100
LONGEST_LOG = 2000
"""Characters of what a design printed that are kept of a trial."""


@dataclass(frozen=True, slots=True)
class Script:
    """One script for every task."""

    text: str

    def design(self, task: Task, rng: random.Random) -> str:  # noqa: ARG002  # the same for all
        """The script."""
        return self.text


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is tried. ``name`` is what it is called: of a script its hash, of anything else what it was named by."""

    name: str
    method: Method

    @classmethod
    def of(cls, given: object) -> Candidate:
        """A design script, or its file as a Path; a method's name (``vote``, ``FILE.py:NAME``, ``program:COMMAND``); a method
        itself, or a function of task and random numbers. Raises UsageError for anything else.
        """
        if isinstance(given, Path):
            try:
                given = given.read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise UsageError(f"the candidate {str(given)!r} cannot be read: {error}") from None
            return cls.of_script(given)
        if isinstance(given, str) and not _is_name(given):
            return cls.of_script(given)
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            return cls.named(given)
        return cls._checked(type(given).__name__, as_method(given, type(given).__name__))

    @classmethod
    def named(cls, spec: str) -> Candidate:
        """A method by its name. Raises UsageError."""
        return cls._checked(spec, load_method(spec))

    @classmethod
    def _checked(cls, name: str, method: object) -> Candidate:
        if not isinstance(method, Method):
            raise UsageError(
                f"a candidate is a design script, or a method with design(task, rng), not {name!r}"
            )
        return cls(name, method)

    @classmethod
    def of_script(cls, text: str) -> Candidate:
        """A design script, whatever stands in it."""
        return cls(hash_of(text), Script(text))

    @property
    def kept(self) -> str:
        """What it is written down as where it is chosen: a script whole, anything else by its name."""
        return self.method.text if isinstance(self.method, Script) else self.name

    def design(self, task: Task, seed: int) -> str:
        """What it plays this task with, by which it is known in the record."""
        return self.method.design(task, random.Random(f"trial/{seed}"))


@dataclass(frozen=True, slots=True)
class TrialResult:
    """What a candidate did: ``score`` and ``success`` over tasks, None where no episode has a verdict.

    ``rows`` are its episodes; ``complete`` says that all that were asked for have one. ``calls_left`` is what the search has left.
    """

    candidate: str
    score: Interval | None
    success: Interval | None
    complete: bool
    calls: int
    calls_left: int
    rows: list[dict[str, Any]]

    @property
    def said(self) -> str:
        """One line for people: the score, what it cost and what is left."""
        score = "no score" if self.score is None else f"score {self.score.mean:.3f}"
        held = ""
        if self.score is not None and self.score.low is not None and self.score.high is not None:
            held = f" [{self.score.low:.2f}, {self.score.high:.2f}]"
        short = "" if self.complete else ", cut short"
        return (
            f"{score}{held} of {len(self.rows)} episodes{short}  calls {self.calls}, {self.calls_left} left"
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as ``POST /mx/trials`` answers."""
        shown = [
            "task", "repetition", "score", "passed", "calls", "tokens", "stop", "error", "log", "cut", "failed",
        ]  # fmt: skip
        rows = [{name: row[name] for name in shown if name in row} for row in self.rows]
        return {
            "candidate": self.candidate,
            "score": None if self.score is None else self.score.mean,
            "success": None if self.success is None else self.success.mean,
            "interval": None if self.score is None else asdict(self.score),
            "complete": self.complete,
            "calls": self.calls,
            "calls_left": self.calls_left,
            "results": rows,
        }


@dataclass(frozen=True, slots=True)
class _Cell:
    """One episode of a trial; ``place`` is its candidate's."""

    place: int
    method: Method
    name: str
    design: str
    task: Task
    repetition: int
    seed: int

    @property
    def key(self) -> tuple[str, str, int]:
        """What it is known by in the record."""
        return hash_of(self.design), self.task.id, self.repetition


@dataclass(slots=True)
class BenchTrial:
    """Plays candidate designs within ``calls_left`` executor calls, never beyond; rows of ``trials.jsonl`` are not played again.

    Designs are played side by side while all of them may use their task's whole budget, then one by one. An episode that ran out
    of the search's calls before its own costs what it used and has no score, nor has one that sandbox or grader failed.
    ``make_env`` gets the calls that an episode may make, None for its task's own, and the method that plays it. ``where`` names the
    method, the task set and the executor that the rows belong to. With ``charge_known`` what the record holds is charged at once,
    else where it is asked for again, as a search that goes on does.
    """

    tasks: Sequence[Task]
    calls_left: int
    make_env: Callable[[int | None, Method], Callable[[], Any]]
    executor_of: Callable[[int, Task], Policy]
    in_flight: int
    path: Path
    where: tuple[str, str, str]
    charge_known: bool = False
    unblock: Callable[[], None] | None = None
    """Ends the episodes of programs outside, where there are any and a trial is broken off."""
    _known: dict[tuple[str, str, int], dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for row in read_lines(self.path):
            if (row["method"], row["tasks"], row["executor"]) == self.where:
                if not row.get("failed"):  # the next one to ask plays it again
                    self._known[row["design_hash"], row["task"], row.get("repetition", 0)] = row
                if self.charge_known:
                    self._count(row)

    def scores(self, designs: Sequence[str], tasks: Sequence[Task]) -> list[list[float]]:
        """Play every design on every task; for each design its scores, fewer than tasks where the calls were used up."""
        found = self.rows([Candidate.of_script(design) for design in designs], tasks)
        return [[row["score"] for row in rows if has_verdict(row)] for rows in found]

    def try_out(
        self, candidate: Candidate, tasks: Sequence[Task] | None = None, repeats: int = 1
    ) -> TrialResult:
        """Play one candidate ``repeats`` times on every task, all of the split without ``tasks``. Raises UsageError."""
        if not 1 <= repeats <= MOST_REPEATS:
            raise UsageError(f"a trial is repeated 1 to {MOST_REPEATS} times, not {repeats}")
        wanted = self.tasks if tasks is None else tasks
        before = self.calls_left
        (rows,) = self.rows([candidate], wanted, repeats)
        graded = [row for row in rows if has_verdict(row)]
        score, success = (
            _mean(graded, name, bounded=name == "passed" or all(row["score"] >= 0 for row in graded))
            for name in ("score", "passed")
        )
        complete = len(graded) == len(wanted) * repeats
        return TrialResult(
            candidate.name, score, success, complete, before - self.calls_left, self.calls_left, rows
        )

    def rows(
        self, candidates: Sequence[Candidate], tasks: Sequence[Task], repeats: int = 1
    ) -> list[list[dict[str, Any]]]:
        """Play every candidate on every task; for each its rows, fewer where the calls were used up."""
        self._known = {key: row for key, row in self._known.items() if not row.get("failed")}
        cells = [
            _Cell(place, each.method, each.name, each.design(task, seed), task, repetition, seed)
            for repetition in range(repeats)
            for task in tasks
            for seed in [seed_of("trial", task.id, *([repetition] if repetition else []))]
            for place, each in enumerate(candidates)
        ]
        for cell in cells:
            if cell.key in self._known:
                self._count(self._known[cell.key])
        self._play(list({cell.key: cell for cell in cells if cell.key not in self._known}.values()))
        found: list[list[dict[str, Any]]] = [[] for _ in candidates]
        for cell in cells:
            if cell.key in self._known:
                found[cell.place].append(self._known[cell.key])
        return found

    def _count(self, row: dict[str, Any]) -> None:
        """Take a row's calls off what is left, once."""
        self.calls_left -= row["calls"] if not row.get("counted") else 0
        row["counted"] = True

    def _play(self, waiting: list[_Cell]) -> None:
        appender = Appender(self.path)
        try:
            while waiting and self.calls_left > 0:
                together = self._together(waiting)
                batch, waiting = waiting[:together], waiting[together:]
                whole = batch[0].task.budget.calls
                bound = self.calls_left if self.calls_left < whole else None
                jobs = (self._job(cell, bound) for cell in batch)
                outside = any(isinstance(cell.method, ProgramMethod) for cell in batch)
                unblock = self.unblock if outside else None
                for played in play(jobs, _no_env, min(self.in_flight, together), unblock=unblock):
                    row = self._row_of(played, bound)
                    appender.add(json.dumps(row))
                    self._count(row)
                    self._known[played.key.key] = row
        finally:
            appender.close()

    def _together(self, waiting: list[_Cell]) -> int:
        """How many may be played side by side, each to the end of its task's own budget; one at least, within what is left."""
        room = self.calls_left
        for place, cell in enumerate(waiting):
            room -= cell.task.budget.calls
            if room < 0:
                return max(1, place)
        return len(waiting)

    def _job(self, cell: _Cell, bound: int | None) -> Job[_Cell]:
        executor, make_env = self.executor_of(cell.seed, cell.task), self.make_env(bound, cell.method)
        return Job(cell, cell.task.id, cell.seed, ScriptedPolicy([cell.design]), executor, make_env)

    def _row_of(self, played: Played[_Cell], bound: int | None) -> dict[str, Any]:
        record, cell = played.record, played.key
        spent = tokens_by_agent(record.as_dict()["turns"]).values()
        cut = bound is not None and record.calls >= bound
        return {
            **dict(zip(("method", "tasks", "executor"), self.where, strict=True)),
            "candidate": cell.name,
            "design_hash": cell.key[0],
            "design": cell.design,
            "task": cell.task.id,
            "repetition": cell.repetition,
            "score": record.grade.score,
            "passed": record.grade.passed,
            "calls": max(1, record.calls),
            "tokens": sum(inward + outward for _, inward, outward in spent),
            "stop": record.stop.value,
            "error": record.error,
            "log": record.log[-LONGEST_LOG:],
            **({"failed": True} if record.failed else {}),
            **({"cut": True} if cut else {}),
        }


def hash_of(text: str) -> str:
    """What a design is found by in the record."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def has_verdict(row: dict[str, Any]) -> bool:
    """Whether an episode of a trial has a score: neither cut off by the search's budget, nor failed by sandbox or grader."""
    return not row.get("cut") and not row.get("failed")


def _mean(rows: Sequence[dict[str, Any]], name: str, *, bounded: bool) -> Interval | None:
    if not rows:
        return None
    by_task = group_by_task((row["task"], float(row[name])) for row in rows)
    return mean_interval(by_task, bounds=(0.0, 1.0) if bounded else None)


def _is_name(text: str) -> bool:
    """Whether a text is a method's name and no script."""
    named = (
        text in FIXED_METHODS or text.startswith("program:") or ".py:" in text or text.strip().endswith(".py")
    )
    return named and "\n" not in text


def _no_env() -> Any:
    raise RuntimeError("every job of a trial brings its own environment")
