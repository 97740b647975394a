"""The run behind ``mx train``: arms x seeds as jobs, progress on screen, a table and a report at the end."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mx_agents.errors import UsageError
from mx_agents.models.packaged import check_base
from mx_agents.progress import Row, going
from mx_agents.report import write_report
from mx_agents.runs.folder import existing_run_folder, new_run_folder, read_config, read_lines, write_config
from mx_agents.terminal import console
from mx_agents.trainer.asking import asked
from mx_agents.trainer.config import ARMS, Arm, TrainConfig, load_config, overridden, parse_config
from mx_agents.trainer.ending import say_ending
from mx_agents.trainer.monitor import SuspicionError
from mx_agents.trainer.results import arm_folder, collect
from mx_agents.trainer.workers import WorkerJob, run_jobs
from mx_sandboxes import open_sandbox
from mx_tasks import load_task_set


def train(
    *,
    preset: str | None,
    config: Path | None,
    overrides: Sequence[str],
    seeds: int,
    ablate: bool,
    run: Path | None,
    resume: bool,
    sandbox: str,
    workers: int | None = None,
    about: str = "",
) -> int:
    """Train, test, compare, report; the exit code (1: no episode handed anything in). ``about`` is said once the run has begun.

    Raises UsageError for what cannot be done as asked."""
    if resume:
        if run is None or preset is not None or config is not None:
            raise UsageError(
                "--resume goes on with the run of --run as it was configured; give it nothing else but steps=N to make it longer, "
                "or on_suspicion=log to go on whatever looks unearned"
            )
        plan = _planned(existing_run_folder(run), overrides)
    else:
        plan = _plan(
            load_config(preset, config, overrides), preset or "run", seeds, run, sandbox, ablate=ablate
        )
    screen = console()
    try:
        if about:
            screen.print(Text(about), soft_wrap=True)
        screen.print(Text(f"The run is in {plan.run}"), soft_wrap=True)
        from mx_agents.trainer.placing import place_in_words  # loads torch: not before all else is in order

        screen.print(Text(place_in_words(plan.config)), soft_wrap=True)
        return _run(plan, screen, workers)
    except KeyboardInterrupt as stop:
        stop.add_note(shlex.join(["mx", "train", "--run", str(plan.run), "--resume"]))
        raise


def _cold_start(*arguments: Any) -> None:
    """The work of a worker; what it needs is imported there, for the parent has no use for it."""
    from mx_agents.trainer.arm import cold_start

    cold_start(*arguments)


def _train_arm(*arguments: Any) -> None:
    from mx_agents.trainer.arm import train_arm

    train_arm(*arguments)


class _Plan:
    """A run: its folder, its arms and seeds, and the configuration of each seed."""

    def __init__(self, run: Path, config: TrainConfig, arms: Sequence[Arm], seeds: int, sandbox: str) -> None:
        self.run = run
        self.config = config
        self.arms = list(arms)
        self.seeds = [config.seed + number for number in range(seeds)]
        self.sandbox = sandbox

    def jobs(self) -> list[WorkerJob]:
        """The work that is left: a cold start for each seed, then the arms from it."""
        jobs = []
        for seed in self.seeds:
            config = self.config.model_copy(update={"seed": seed})
            cold = self.run / f"seed-{seed}" / "cold-start"
            cold_name = f"seed {seed} cold start"
            needs: tuple[str, ...] = ()
            if not any(cold.glob("step-*")):
                jobs.append(WorkerJob(cold_name, _cold_start, (config, cold)))
                needs = (cold_name,)
            for arm in self.arms:
                folder = arm_folder(self.run, arm, seed)
                if not (folder / "test.jsonl").is_file():
                    jobs.append(
                        WorkerJob(
                            f"seed {seed} {arm}", _train_arm, (config, arm, folder, cold, self.sandbox), needs
                        )
                    )
        return jobs


def _plan(
    config: TrainConfig, name: str, seeds: int, run: Path | None, sandbox: str, *, ablate: bool
) -> _Plan:
    task_set = load_task_set(config.tasks)
    try:
        with open_sandbox(sandbox, slots=1) as probe:
            backend = probe.backend  # an engine that is missing is told before anything is written
    except ValueError as error:
        raise UsageError(str(error)) from None
    check_base(config.model.base)
    folder = new_run_folder(run or Path("runs") / name)
    arms = ARMS if ablate else config.arms
    about = {
        "kind": "train",
        "arms": list(arms),
        "seeds": seeds,
        "sandbox": backend,
        "task_set": {"name": task_set.name, "fingerprint": task_set.fingerprint},
        "train": config.model_dump(mode="json"),
    }
    write_config(folder, about)
    return _Plan(folder, config, arms, seeds, backend)


def _planned(folder: Path, overrides: Sequence[str]) -> _Plan:
    about = read_config(folder)
    try:
        config = parse_config(about["train"])
        if overrides:
            config = _longer(folder, about, config, overrides)
        fingerprint = load_task_set(config.tasks).fingerprint
        if fingerprint != about["task_set"]["fingerprint"]:
            raise UsageError(
                f"the tasks {config.tasks!r} have changed since {str(folder)!r} was begun; begin a new run"
            )
        return _Plan(folder, config, about["arms"], about["seeds"], about["sandbox"])
    except KeyError as error:
        raise UsageError(f"{str(folder)!r} is not a training run: its config.yaml has no {error}") from None


def _longer(
    folder: Path, about: dict[str, Any], config: TrainConfig, overrides: Sequence[str]
) -> TrainConfig:
    """The run's configuration with more steps, written down; tests of shorter training are kept under another name.

    Steps that are done stay as they were; the learning rate of those to come falls to the new end.
    """
    longer = parse_config(overridden(about["train"], overrides))
    may_change = {"steps": config.steps, "on_suspicion": config.on_suspicion}
    if longer.model_copy(update=may_change) != config:
        raise UsageError(
            "a run that is resumed may get more steps (steps=N) and another on_suspicion; anything else is a new run"
        )
    if longer.steps < config.steps:
        raise UsageError(
            f"{str(folder)!r} was begun with {config.steps} steps and cannot be shortened to {longer.steps}"
        )
    if longer.steps > config.steps:
        for test in folder.glob("seed-*/*/test.jsonl"):
            test.rename(test.with_name(f"test-after-{config.steps}.jsonl"))
    if longer != config:
        write_config(folder, about | {"train": longer.model_dump(mode="json")})
    return longer


def _run(plan: _Plan, screen: Console, workers: int | None) -> int:
    """Do what is left and say what came of it; the exit code."""
    while True:
        try:
            _work_off(plan, screen, workers)
            break
        except SuspicionError as stop:
            asks = plan.config.on_suspicion == "ask"
            answer = asked(str(stop), screen) if asks else "stop"
            if answer == "stop":
                raise UsageError(f"{stop}. {_way_on(plan)}") from None
            if answer == "never ask again":
                plan.config = plan.config.model_copy(update={"on_suspicion": "log"})
    results = collect(plan.run, plan.arms, plan.seeds)
    screen.print(results_table(results))
    records = [*read_lines(plan.run / "metrics.jsonl"), *read_lines(plan.run / "evaluation.jsonl")]
    code = say_ending(screen, records, results)
    screen.print(Text(f"Report: {write_report(plan.run)}"), soft_wrap=True)
    return code


def _work_off(plan: _Plan, screen: Console, workers: int | None) -> None:
    jobs = plan.jobs()
    with going(screen) as told:
        rows: dict[str, Row] = {job.name: told.row(job.name, 1.0, waits=True) for job in jobs}

        def heard(name: str, event: dict[str, Any]) -> None:
            if event["stage"] == "over":
                rows[name].finish()
            else:
                rows[name].set(event["done"], _figures(event))

        run_jobs(jobs, heard, workers)


def _way_on(plan: _Plan) -> str:
    """How to go on with a run that was stopped as suspicious."""
    resume = shlex.join(["mx", "train", "--run", str(plan.run), "--resume"])
    return (
        f"Look at its designs and answers (mx view {shlex.quote(str(plan.run))}); all that was learnt until then is kept: "
        f"{resume} goes on until there is the next suspicion, {resume} on_suspicion=log to the end"
    )


def results_table(results: dict[str, Any]) -> Table:
    """The arms, a row each, as a table for the terminal."""
    over = results["rows"][0]["interval_over"] if results["rows"] else "seeds and tasks"
    table = Table(title=f"Success on held-out tasks, 95 % intervals over {over}")
    for heading in (
        "arm",
        "success",
        "interval",
        "by seed",
        "likeliest design",
        "score",
        "calls",
        "episodes",
    ):
        table.add_column(heading, justify="left" if heading == "arm" else "right")
    for row in results["rows"]:
        table.add_row(
            row["arm"],
            f"{row['success']:.3f}",
            f"{row['low']:.3f} to {row['high']:.3f}",
            " ".join(f"{mean:.2f}" for mean in row["by_seed"]),
            f"{row['greedy_success']:.3f}",
            f"{row['score']:.3f}",
            f"{row['calls']:.1f}",
            str(row["tasks"] * row["seeds"]),
        )
    return table


def _figures(event: dict[str, Any]) -> str:
    if event["stage"] == "training":
        gap = max((value for key, value in event.items() if key.endswith("_gap")), default=0.0)
        return f"success {event['success']:.2f}, {event['calls']:.1f} calls, gap {gap:.1g}"
    return "on held-out tasks" if event["stage"] == "testing" else ""
