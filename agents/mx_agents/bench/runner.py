"""Runs a benchmark, writes its folder, and goes on with one that was cut short."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mx_agents.approval import load_approver
from mx_agents.bench.budget import BudgetedTasks
from mx_agents.bench.config import BenchConfig, Cell, seed_of
from mx_agents.bench.rows import SEATS, facts_of, row_of, where
from mx_agents.bench.served import ServedSearch
from mx_agents.bench.summary import (
    MOST_REPEATS,
    MethodSummary,
    Outcome,
    Table,
    cell_of,
    last_rows,
    outcome_of,
    pairs,
    read_outcomes,
    summarise,
    tables,
)
from mx_agents.bench.tables import as_csv, as_json, as_latex, as_markdown
from mx_agents.bench.trial import MOST_TASKS, BenchTrial, Candidate, Script
from mx_agents.episodes import Job, play
from mx_agents.errors import UsageError
from mx_agents.methods import Method, MethodPolicy, Optimiser, Searching, load_method
from mx_agents.models.saved import guide_for, guide_notice
from mx_agents.policies import is_shared, load_policy
from mx_agents.policies.routed import Routed
from mx_agents.policy import Policy
from mx_agents.programs import ProgramMethod, Programs
from mx_agents.runs.folder import (
    Appender,
    existing_run_folder,
    locked,
    new_run_folder,
    read_config,
    read_lines,
    versions,
    write_config,
    write_text,
)
from mx_envs.episode.approval import Approver
from mx_envs.inside.endpoint.sampling import Terms
from mx_sandboxes import Sandbox, Sandboxes
from mx_tasks import SPLITS, Split, Task, TaskSet, check_split, load_task_set
from mx_tasks import tasks as tasks_of

AnyMethod = Method | Policy | Searching | Optimiser


@dataclass(slots=True)
class Bench:
    """A benchmark that is ready to run: everything that can be wrong with its configuration has been found by now."""

    config: BenchConfig
    folder: Path
    task_sets: dict[str, TaskSet]
    task_ids: dict[str, list[str]]
    methods: dict[str, AnyMethod]
    shared_executors: dict[str, Policy]
    honours: dict[str, frozenset[str]]
    """The parameters of a program's requests that each executor honours."""
    outcomes: list[Outcome]
    played_before: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    """How often each episode that is to be played has been played, and sandbox or grader have failed it."""
    seen: int = 0
    """Bytes of ``episodes.jsonl`` as they were when its rows were read."""
    resumed: bool = False
    approver: Approver | None = None
    """Judges the tool calls of every episode."""
    programs: Programs | None = None
    """The endpoint, where a method needs one; made by :meth:`run` when the caller made none."""
    designer: Policy | None = None
    """Who answers the own questions of searches from outside; None: the executor."""
    on_trial: Callable[[str], None] | None = None
    """Hears a line of each trial of a search from outside."""
    found: dict[tuple[str, str, str], Method] = field(default_factory=dict)
    """What the searching methods found, by method, task set and executor."""
    _routed: dict[str, Routed] = field(default_factory=dict)
    _makers: dict[tuple[str, str, str], Callable[[], Any]] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Number of episodes in all."""
        config = self.config
        tasks = sum(len(ids) for ids in self.task_ids.values())
        return len(self.methods) * tasks * config.seeds * len(config.executors)

    @property
    def images(self) -> list[str]:
        """The images that the tasks need."""
        return sorted(
            {self.task_sets[name].find(task).image for name, ids in self.task_ids.items() for task in ids}
        )

    @property
    def searching(self) -> list[tuple[str, str, str]]:
        """The searches that have to be made before the episodes that are missing: method, task set, executor."""
        wanted = dict.fromkeys((cell.method, cell.tasks, cell.executor) for cell in self._missing())
        return [
            key
            for key in wanted
            if isinstance(self.methods[key[0]], Searching | Optimiser) and key not in self.found
        ]

    @property
    def notices(self) -> list[str]:
        """What to tell of the designers' guides before they are played."""
        told = (guide_notice(name, method, self.config.guide) for name, method in self.methods.items())
        return [notice for notice in told if notice is not None]

    def begin(self) -> None:
        """Make the folder of a new run with its configuration and tasks. Raises UsageError when it cannot be made."""
        if self.resumed:
            return
        prompts = [
            {"tasks": name, "id": task_id, "prompt": self.task_sets[name].find(task_id).prompt}
            for name, ids in self.task_ids.items()
            for task_id in ids
        ]
        write_config(new_run_folder(self.folder), self.config.as_dict())
        write_text(
            self.folder / "tasks.jsonl",
            "".join(json.dumps(row) + "\n" for row in prompts),
        )

    def search(self, key: tuple[str, str, str], sandbox: Sandbox | Sandboxes, in_flight: int) -> Method:
        """Let a searching method look for its design on the validation split."""
        method, tasks, executor = key
        searching = self.methods[method]
        outside = isinstance(searching, Optimiser)
        before = self.choice(key) if outside else None
        if before is not None:
            kept = (
                Candidate.of(before["design"]) if before["named"] else Candidate.of_script(before["design"])
            )
            self.found[key] = kept.method
            return kept.method
        trial = self.trial(key, sandbox, in_flight, charge_known=outside)
        if isinstance(searching, Optimiser):
            own = Programs(sandbox) if self.programs is None else None
            try:
                search = ServedSearch(
                    trial, *self._designer(executor), self.folder / "designer.jsonl", self.on_trial
                )
                self.found[key] = search.run(self.programs or own, searching)  # type: ignore[arg-type]
            finally:
                if own is not None:
                    own.close()
            self.note_choice(key, Candidate("chosen", self.found[key]))
        else:
            assert isinstance(searching, Searching)  # noqa: S101  # `searching` lists no others
            self.found[key] = searching.search(trial, random.Random(f"search/{tasks}/{executor}"))
        return self.found[key]

    def trial(
        self, key: tuple[str, str, str], sandbox: Sandbox | Sandboxes, in_flight: int, *, charge_known: bool
    ) -> BenchTrial:
        """The validation split for a search. Raises UsageError where it has no tasks."""
        method, tasks, executor = key
        task_set = self.task_sets[tasks]
        validation = list(tasks_of(task_set, "validation", MOST_TASKS))
        if not validation:
            raise UsageError(f"{method!r} searches on the validation split, and that of {tasks} has no tasks")
        return BenchTrial(
            validation,
            self.config.search_calls,
            lambda calls, design: self._make_env(
                tasks, "validation", sandbox, design, executor=executor, calls=calls
            ),
            lambda seed, task: self._executor(executor, seed, (task_set, task)),
            in_flight,
            self.folder / "trials.jsonl",
            key,
            charge_known,
            self.programs.end_episodes if self.programs is not None else None,
        )

    def note_choice(self, key: tuple[str, str, str], chosen: Candidate) -> None:
        """Write down what a search from outside has chosen: it is over, also for whoever goes on with the run."""
        appender = Appender(self.folder / "choices.jsonl")
        named = not isinstance(chosen.method, Script)
        appender.add(json.dumps({"where": list(key), "design": chosen.kept, "named": named}))
        appender.close()

    def choice(self, key: tuple[str, str, str]) -> dict[str, Any] | None:
        """What such a search has chosen, if it has: ``design``, a script, or the name of a method where it is ``named``."""
        rows = [row for row in read_lines(self.folder / "choices.jsonl") if tuple(row["where"]) == key]
        return rows[-1] if rows else None

    def _designer(self, executor: str) -> tuple[Policy, Terms]:
        """Who answers a search's own questions, and what may be asked of the answers."""
        policy = self.designer or self._executor(executor, 0)
        return policy, Terms(getattr(policy, "honours", ()), self.config.pins)

    def run(self, sandbox: Sandbox | Sandboxes, in_flight: int) -> Iterator[Outcome]:
        """Play what is missing and yield each outcome once it is on disk. May be broken off at any time and run again.

        Raises UsageError while another process writes the run, or where one has written it since this bench was opened.
        """
        with locked(self.folder):
            if self._size() != self.seen:
                raise UsageError(
                    f"another process has written the run {str(self.folder)!r} meanwhile; start again with --resume"
                )
            try:
                yield from self.run_locked(sandbox, in_flight)
            finally:
                self.seen = self._size()

    def _size(self) -> int:
        path = self.folder / "episodes.jsonl"
        return path.stat().st_size if path.is_file() else 0

    def run_locked(self, sandbox: Sandbox | Sandboxes, in_flight: int) -> Iterator[Outcome]:
        """The same, for whoever holds the run's lock."""
        for key in self.searching:
            self.search(key, sandbox, in_flight)
        outside = any(isinstance(method, ProgramMethod) for method in self.methods.values())
        own = Programs(sandbox) if outside and self.programs is None else None
        self.programs = self.programs or own
        appender = Appender(self.folder / "episodes.jsonl")
        unblock = self.programs.end_episodes if self.programs is not None else None
        played = play(self._jobs(sandbox), _no_env, in_flight, unblock=unblock)
        try:
            for episode in played:
                task = self.task_sets[episode.key.tasks].find(episode.record.task)
                row = row_of(episode, task, self.config, *where(sandbox, task.image))
                appender.add(json.dumps(row, sort_keys=True))  # ASCII: models write lone surrogates too
                outcome = replace(outcome_of(row), repeats=self.played_before[cell_of(row)])
                self.outcomes.append(outcome)
                yield outcome
        finally:
            played.close()  # type: ignore[attr-defined]
            appender.close()
            if own is not None:
                own.close()
                self.programs = None
            self._makers.clear()

    def summary(self) -> list[MethodSummary]:
        """The methods over all task sets and executors, as they stand."""
        return summarise(self.outcomes, self.config.methods)

    def tables(self) -> list[Table]:
        """A table for each task set and executor."""
        return tables(self.outcomes, self.config.methods)

    def finish(self) -> list[MethodSummary]:
        """Write the results and the tables from the episodes so far; the overall table. ``mx_agents.report`` writes the page."""
        used = versions()
        rows = last_rows(read_lines(self.folder / "episodes.jsonl"))
        facts = (json.dumps(facts_of(row, used), sort_keys=True) + "\n" for row in rows)
        write_text(self.folder / "results.jsonl", "".join(facts))
        made = self.tables()
        texts = {"md": as_markdown(made), "csv": as_csv(made), "tex": as_latex(made)}
        texts["json"] = as_json(made, pairs(self.outcomes, self.config.methods))
        for ending, text in texts.items():
            write_text(self.folder / f"summary.{ending}", text)
        return self.summary()

    def _missing(self) -> Iterator[Cell]:
        done = {
            Cell(found.method, found.task, found.repetition, found.tasks, found.executor)
            for found in self.outcomes
        }
        return (cell for cell in self.config.cells(self.task_ids) if cell not in done)

    def _jobs(self, sandbox: Sandbox | Sandboxes) -> Iterator[Job[Cell]]:
        return (self._job(cell, sandbox) for cell in self._missing())

    def _job(self, cell: Cell, sandbox: Sandbox | Sandboxes) -> Job[Cell]:
        """The episode of a cell. Its seeds depend on task and repetition, not on the method: methods meet the same luck."""
        seed = seed_of(cell.task, cell.repetition)
        method = self.found.get((cell.method, cell.tasks, cell.executor)) or self.methods[cell.method]
        designer: Policy
        if isinstance(method, Method):
            task = self.task_sets[cell.tasks].find(cell.task)
            designer = MethodPolicy(method, task, random.Random(f"method/{seed}"))
        elif is_shared(cell.method):
            assert not isinstance(method, Searching | Optimiser)  # noqa: S101  # searched by now
            designer = method
        else:
            designer = load_policy(cell.method, role="designer", seed=seed)
        make_env = self._make_env(cell.tasks, check_split(self.config.split), sandbox, method, cell.executor)
        task_set = self.task_sets[cell.tasks]
        executor = self._executor(cell.executor, seed, (task_set, task_set.find(cell.task)))
        return Job(cell, cell.task, seed, designer, executor, make_env)

    def _executor(self, spec: str, seed: int, about: tuple[TaskSet, Task] | None = None) -> Policy:
        if not self.config.models:
            return self.shared_executors.get(spec) or load_policy(spec, seed=seed, about=about)
        specs = {spec, *self.config.models.values()}
        parts = {
            each: self.shared_executors.get(each) or load_policy(each, seed=seed, about=about)
            for each in specs
        }
        routes = tuple((pattern, each, parts[each]) for pattern, each in self.config.models.items())
        made = Routed((spec, parts[spec]), routes)
        return self._routed.setdefault(spec, made) if all(map(is_shared, specs)) else made

    def _make_env(
        self,
        tasks: str,
        split: Split,
        sandbox: Sandbox | Sandboxes,
        method: object = None,
        executor: str = "",
        calls: int | None = None,
    ) -> Callable[[], Any]:
        """The one maker of environments for these tasks, so that environments are made once and used again.

        ``calls`` is what their episodes may make, None for the tasks' own budgets.
        """
        program = method.program if isinstance(method, ProgramMethod) else None
        outside = isinstance(method, ProgramMethod)
        guide = guide_for(method, self.config.guide)
        key = (tasks, split, f"{outside} {program.name if program else ''} {guide} {executor} {calls}")
        models = self.config.models
        routes = [(pattern, self.honours.get(spec, ())) for pattern, spec in models.items()]
        terms = Terms(self.honours.get(executor, ()), self.config.pins, routes)

        def make_env() -> Any:
            from mx_envs import domain_of

            own = self.task_sets[tasks]
            task_set: Any = own if calls is None else BudgetedTasks(own, calls)
            play_in: Any = self.programs.sandbox_of(program) if outside and self.programs else sandbox
            return domain_of(own).raw_env(
                tasks=task_set,
                split=split,
                sandbox=play_in,
                grading_sandbox=sandbox,
                approver=self.approver,
                guide=guide,
                terms=terms,
                executors=SEATS,
            )

        return self._makers.setdefault(key, make_env)


def _no_env() -> Any:
    raise RuntimeError("every job of a benchmark brings its own environment")


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
    task_sets = {name: load_task_set(name) for name in asked.task_sets}
    fingerprint = ",".join(task_set.fingerprint for task_set in task_sets.values())
    if kept is not None and kept.fingerprint != fingerprint:
        raise UsageError(
            f"the tasks of {asked.tasks} have changed since the run {str(folder)!r} began; start a new run"
        )
    asked = replace(asked, fingerprint=fingerprint)
    if asked.budget is not None or asked.tokens is not None:
        task_sets = {
            name: BudgetedTasks(task_set, asked.budget, asked.tokens) for name, task_set in task_sets.items()
        }
    methods = {name: load_method(name, seed=0) for name in asked.methods}
    executors = {name: load_policy(name, seed=0) for name in (*asked.executors, *asked.models.values())}
    path = folder / "episodes.jsonl"
    size = path.stat().st_size if resume and path.is_file() else 0
    rows = read_lines(path) if resume else []
    return Bench(
        asked,
        folder,
        task_sets,
        _task_ids(asked, task_sets),
        methods,
        {name: executor for name, executor in executors.items() if is_shared(name)},
        {name: frozenset(getattr(executor, "honours", ())) for name, executor in executors.items()},
        [one for one in read_outcomes(rows) if not one.failed or one.repeats >= MOST_REPEATS],
        Counter(map(cell_of, rows)),
        size,
        resume,
        load_approver(asked.approve) if asked.approve is not None else None,
        designer=load_policy(asked.designer, role="designer", seed=0) if asked.designer is not None else None,
    )


def _task_ids(config: BenchConfig, task_sets: dict[str, TaskSet]) -> dict[str, list[str]]:
    split = check_split(config.split)
    ids = {
        name: [task.id for task in tasks_of(task_set, split, config.episodes)]
        for name, task_set in task_sets.items()
    }
    for name, found in ids.items():
        if not found:
            others = [f"--split {other}" for other in SPLITS if task_sets[name].size(other) != 0]
            raise UsageError(f"the split {config.split!r} of {name} has no tasks; try {' or '.join(others)}")
    return ids


def _check_same(kept: BenchConfig, expected: dict[str, Any], path: str) -> None:
    before = kept.as_dict()
    for name, now in expected.items():
        if name != "fingerprint" and before[name] != (list(now) if isinstance(now, tuple) else now):
            raise UsageError(
                f"{path} has {name} {before[name]!r}, not {now!r}; resume without it, or start a new run"
            )
