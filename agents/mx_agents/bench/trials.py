"""Trials in Python: candidates scored on the validation split within a budget kept on disk, then one on the test split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mx_agents.bench.config import BenchConfig
from mx_agents.bench.runner import Bench, open_bench
from mx_agents.bench.summary import MethodSummary
from mx_agents.bench.trial import BenchTrial, Candidate, TrialResult
from mx_agents.errors import UsageError
from mx_agents.programs import Programs
from mx_agents.runs.folder import locked
from mx_sandboxes import Sandbox, Sandboxes
from mx_tasks import Task

SEARCH = "optimiser"
DEFAULTS: dict[str, Any] = {
    "tasks": "software:micro",
    "split": "test",
    "episodes": 50,
    "seeds": 1,
    "executor": "scripted",
    "budget": None,
    "sandbox": "auto",
}
"""What a search is about where nothing else is said."""


class Trials:
    """A search that the caller makes; see :func:`open_trials`."""

    def __init__(self, bench: Bench, sandbox: Sandbox | Sandboxes, in_flight: int) -> None:
        self._bench, self._sandbox, self._in_flight = bench, sandbox, in_flight
        config = bench.config
        self._key = (SEARCH, config.tasks, config.executor)
        self._trial: BenchTrial = bench.trial(self._key, sandbox, in_flight, charge_known=True)

    @property
    def tasks(self) -> Sequence[Task]:
        """The tasks of the validation split."""
        return self._trial.tasks

    @property
    def calls_left(self) -> int:
        """Executor calls that the search may still make."""
        return self._trial.calls_left

    @property
    def over(self) -> bool:
        """Whether a candidate has been chosen: then nothing more is tried."""
        return self._bench.choice(self._key) is not None

    def trial(
        self, candidate: object, *, tasks: Sequence[Task] | None = None, repeats: int = 1
    ) -> TrialResult:
        """Score a candidate ``repeats`` times on each task of the validation split, or on some of :attr:`tasks`.

        A candidate is a design script (its file as a Path), a method's name (``vote``, ``FILE.py:NAME``, ``program:COMMAND``), a
        method, or a function of task and random numbers. What was played before, in this folder, is not played or charged again; a
        script is known by its text, a program by its command. Raises UsageError, also once a candidate has been chosen.
        """
        if self.over:
            raise UsageError("the search is over: its choice has been made; start another run")
        mine = {task.id for task in self.tasks}
        strange = [task.id for task in tasks or () if task.id not in mine]
        if strange:
            raise UsageError(f"a trial plays tasks of the validation split, not {strange[0]!r}")
        return self._trial.try_out(Candidate.of(candidate), tasks, repeats)

    def choose(self, candidate: object) -> MethodSummary:
        """End the search, play the candidate on the split that the run is about, and write its tables; its row.

        Raises UsageError where another one has been chosen before.
        """
        made, bench = Candidate.of(candidate), self._bench
        before = bench.choice(self._key)
        if before is None:
            bench.note_choice(self._key, made)
        elif before["design"] != made.kept:
            raise UsageError(
                f"the search in {str(bench.folder)!r} has chosen another candidate; start another run"
            )
        bench.found[self._key] = made.method
        for _ in bench.run_locked(self._sandbox, self._in_flight):
            pass
        return bench.finish()[0]


@contextmanager
def open_trials(
    tasks: str = "software:micro",
    *,
    run: str | Path,
    executor: str = "scripted",
    calls: int = 200,
    split: str = "test",
    episodes: int = 50,
    seeds: int = 1,
    budget: int | None = None,
    tokens: int | None = None,
    sandbox: str = "auto",
    in_flight: int = 8,
) -> Iterator[Trials]:
    """A search within ``calls`` executor calls on the validation split of a task set, recorded in the folder ``run``.

    A folder that holds one is gone on with, with its options: what it has spent is spent. ``split``, ``episodes`` and ``seeds``
    say what the chosen candidate is measured on in the end; ``budget`` and ``tokens`` are an episode's. Raises UsageError, also
    where the folder was begun with others than those named, or another process is searching in it.
    """
    folder = Path(run)
    config = BenchConfig(
        methods=(SEARCH,),
        tasks=tasks,
        split=split,
        episodes=episodes,
        seeds=seeds,
        executor=executor,
        budget=budget,
        sandbox=sandbox,
        tokens=tokens,
        search_calls=calls,
    )
    if len(config.task_sets) != 1 or len(config.executors) != 1:
        raise UsageError("a search is on one task set with one executor; name one of each")
    plain = BenchConfig(methods=(SEARCH,), **DEFAULTS).as_dict()
    given = {name: value for name, value in config.as_dict().items() if value != plain[name]}
    resume = (folder / "config.yaml").is_file()
    bench = open_bench(None if resume else config, folder, resume=resume, expected=given if resume else None)
    bench.begin()
    with locked(folder), Sandboxes(sandbox, slots=in_flight + 1) as sandboxes:
        bench.programs = Programs(sandboxes)
        try:
            yield Trials(bench, sandboxes, in_flight)
        finally:
            bench.programs.close()


def trial(candidate: object, *, repeats: int = 1, **options: Any) -> TrialResult:
    """Score one candidate in a search's folder; ``options`` are :func:`open_trials`'s. For several, open the search once."""
    with open_trials(**options) as trials:
        return trials.trial(candidate, repeats=repeats)
