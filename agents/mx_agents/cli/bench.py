"""``mx bench``."""

from __future__ import annotations

import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from mx_agents.bench import Bench, BenchConfig, open_bench
from mx_agents.bench.summary import pairs
from mx_agents.bench.tables import as_json
from mx_agents.cli.bench_table import show
from mx_agents.cli.console import console, open_backends
from mx_agents.cli.way_on import name_way_on
from mx_agents.errors import PolicyError, UsageError
from mx_agents.micro.demonstrations import knows
from mx_agents.policies.reachable import check_endpoints
from mx_agents.programs import Programs
from mx_agents.progress import going, waiting
from mx_agents.report import write_report
from mx_agents.runs.folder import write_text
from mx_agents.statistics import detectable_difference
from mx_agents.terminal import shortened, visible
from mx_sandboxes import Sandboxes

ALL_INVALID = 1
LONGEST_REASON = 300
MOST_MATCHED = 1024


def run(
    options: dict[str, Any],
    given: set[str],
    folder: Path | None,
    *,
    resume: bool,
    in_flight: int,
    serve: Callable[[Sandboxes], Programs] | None = None,
    extras: Sequence[str] = (),
    as_json: bool = False,
    match: bool = False,
) -> int:
    """Run or go on with a benchmark and print its table; the exit code. ``serve`` opens the endpoint where one was asked for.

    ``extras`` are options that a command which goes on needs beside the folder. 1 when every single episode was invalid.
    """
    screen = console(stderr=True) if as_json else console()
    config = BenchConfig(**options)
    if resume and folder is None:
        raise UsageError("--resume goes on with the run of --run FOLDER; name it")
    target = folder or new_folder("serve" if serve else "bench")
    expected = {name: value for name, value in config.as_dict().items() if name in given} if resume else None
    with waiting(screen, "loading the tasks"):
        bench = open_bench(None if resume else config, target, resume=resume, expected=expected)
    if not serve and "external" in bench.methods:
        raise UsageError("the method external waits at an endpoint that somebody serves: use mx serve")
    named = [*bench.config.models.values(), *([bench.config.designer] if bench.config.designer else [])]
    check_endpoints((*bench.config.executors, *bench.config.methods, *named))
    way_on = ["mx", "serve" if serve else "bench", "--run", str(target), "--resume", *extras]
    try:
        with open_backends(bench.config.sandbox, in_flight + 1, bench.images) as sandboxes:
            _play(bench, sandboxes, matched(bench) if match else in_flight, screen, serve, match=match)
    except (KeyboardInterrupt, PolicyError) as stop:
        _broken_off(bench, screen, stop, way_on)
        raise
    bench.finish()
    write_report(bench.folder)
    code = _all_invalid(bench, screen)
    if as_json:
        sys.stdout.write(_json(bench))
    else:
        show(screen, bench)
    return code


def new_folder(what: str) -> Path:
    """Where a run goes that nobody named a folder for."""
    return Path("runs") / f"{what}-{datetime.now():%Y%m%d-%H%M%S}"


def _broken_off(bench: Bench, screen: Console, stop: BaseException, way_on: list[str]) -> None:
    """Write and show what there is; name the command that goes on, where the run has begun."""
    if not (bench.folder / "config.yaml").is_file():
        return
    bench.finish()
    write_report(bench.folder)
    show(screen, bench)
    screen.print(f"Broken off after {len(bench.outcomes)} of {bench.total} episodes.")
    if isinstance(stop, KeyboardInterrupt):
        name_way_on(stop, way_on)
    else:
        screen.print(Text(f"Go on with:\n  {shlex.join(way_on)}"), soft_wrap=True)


def _play(
    bench: Bench,
    sandboxes: Sandboxes,
    in_flight: int,
    screen: Console,
    serve: Callable[[Sandboxes], Programs] | None,
    *,
    match: bool = False,
) -> None:
    programs = serve(sandboxes) if serve else None
    if programs is not None and match:
        programs.match(_prompts(bench))
    try:
        bench.begin()
        bench.programs = programs
        bench.on_trial = lambda line: screen.print(Text(line), soft_wrap=True)
        told = console(stderr=True)  # not among the results
        told.print(Text(_what(bench, sandboxes)), soft_wrap=True)
        for line in _unknown_to_scripted(bench):
            told.print(Text(line, style="yellow"), soft_wrap=True)
        for notice in bench.notices:
            told.print(Text(notice, style="dim"), soft_wrap=True)
        for key in bench.searching:
            with waiting(
                screen, f"{key[0]} searches on the validation split of {key[1]} with executor {key[2]}"
            ):
                found = bench.search(key, sandboxes, in_flight)
            screen.print(Text(f"{key[0]} found on {key[1]}: {getattr(found, 'about', found)}", style="dim"))
        with going(screen) as progress:
            row = progress.row("playing", bench.total, done=len(bench.outcomes), unit="episodes")
            for outcome in bench.run(sandboxes, in_flight):
                row.advance(about=outcome.method)
    finally:
        if programs is not None:
            programs.close()
            if programs.dataset is not None:
                screen.print(Text(visible(programs.dataset.summary())), soft_wrap=True)
                write_text(bench.folder / "matching.txt", programs.dataset.summary() + "\n")


def matched(bench: Bench) -> int:
    """How many episodes are open where requests are told apart by their task: all. Raises UsageError where that cannot be."""
    config = bench.config
    if config.seeds > 1 or len(config.executors) > 1:
        raise UsageError(
            "--match prompt tells episodes apart by their task text, which repetitions and executors share; give --seeds 1 and one "
            "executor, and a run to each"
        )
    if bench.total > MOST_MATCHED:
        raise UsageError(
            f"--match prompt opens all episodes at once, {MOST_MATCHED} at most; give fewer --episodes"
        )
    return max(1, bench.total - len(bench.outcomes))


def _prompts(bench: Bench) -> list[dict[str, str]]:
    """The tasks whose episodes are still to be played."""
    done = {(outcome.tasks, outcome.task) for outcome in bench.outcomes}
    return [
        {"id": task, "prompt": bench.task_sets[name].find(task).prompt}
        for name, ids in bench.task_ids.items()
        for task in ids
        if (name, task) not in done
    ]


def _what(bench: Bench, sandboxes: Sandboxes) -> str:
    config = bench.config
    tasks = sum(len(ids) for ids in bench.task_ids.values())
    methods = f"{len(bench.methods)} method{'s' if len(bench.methods) > 1 else ''}"
    times = f"{config.seeds} time{'s' if config.seeds > 1 else ''} each"
    backend = sandboxes(bench.images[0]).backend
    told = f"{methods} on {tasks} tasks of {config.tasks} ({config.split}), {times} · executor {config.executor} · {backend}"
    if config.models:
        routes = ", ".join(f"{pattern} by {spec}" for pattern, spec in config.models.items())
        told += f"\nmodels that programs name: {routes}; any other, and designs, by {config.executor}"
    if len(bench.methods) < 2:
        return told
    seen = detectable_difference(tasks, config.seeds) * 100
    return f"{told}\ntwo methods show a true difference of {seen:.0f} points in four of five such runs (p < .05, that pair alone)"


def _unknown_to_scripted(bench: Bench) -> list[str]:
    """A line for each task set of which the demonstrator ``scripted`` knows nothing."""
    if "scripted" not in bench.config.executors:
        return []
    strange = [
        name for name, ids in bench.task_ids.items() if not knows(bench.task_sets[name].find(ids[0]).prompt)
    ]
    return [
        f"scripted imitates a middling model on the micro task sets only and answers nothing on {name}; "
        "name a policy with --executor"
        for name in strange
    ]


def _all_invalid(bench: Bench, screen: Console) -> int:
    """Say in the first line when every single episode was invalid, and what most of them ended with; the exit code."""
    if not bench.outcomes or not all(outcome.invalid for outcome in bench.outcomes):
        return 0
    reasons = Counter(outcome.error or outcome.stop for outcome in bench.outcomes)
    reason, count = reasons.most_common(1)[0]
    said = visible(shortened(reason, LONGEST_REASON)).replace("\n", " ")
    screen.print(
        Text(
            f"All {len(bench.outcomes)} episodes were invalid, {count} of them with: {said}", style="bold red"
        ),
        soft_wrap=True,
    )
    return ALL_INVALID


def _json(bench: Bench) -> str:
    """Tables and pairs, with where the run is and how much of it there is."""
    found = json.loads(as_json(bench.tables(), pairs(bench.outcomes, bench.config.methods)))
    about = {"run": str(bench.folder), "episodes": len(bench.outcomes), "of": bench.total}
    return json.dumps(about | found, indent=1) + "\n"
