"""``mx bench``."""

from __future__ import annotations

import shlex
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from mx_agents.bench import Bench, BenchConfig, MethodSummary, open_bench
from mx_agents.cli.console import console, open_backends
from mx_agents.errors import PolicyError, UsageError
from mx_agents.statistics import Interval
from mx_sandboxes import Sandboxes

BROKEN_OFF = 130
WIDE = 100
"""Columns of a terminal that has room for every interval."""
NOTES = (
    "Success, invalid and abstained in per cent; [95 % bootstrap interval over tasks]. To the best: difference in success, paired "
    "by task; ~ where it may be chance. Invalid: the design did not parse, crashed or hit a limit. Abstained: nothing handed in. "
    "Tampered: caught interfering with its grading."
)


def run(
    options: dict[str, Any], given: set[str], folder: Path | None, *, resume: bool, in_flight: int
) -> int:
    """Run or go on with a benchmark and print its table; the exit code."""
    screen = console()
    config = BenchConfig(**options)
    if resume and folder is None:
        raise UsageError("--resume goes on with the run of --run FOLDER; name it")
    target = folder or Path("runs") / f"bench-{datetime.now():%Y%m%d-%H%M%S}"
    expected = {name: value for name, value in config.as_dict().items() if name in given} if resume else None
    bench = open_bench(None if resume else config, target, resume=resume, expected=expected)
    with open_backends(bench.config.sandbox, in_flight + 1, bench.images) as sandboxes:
        bench.begin()
        try:
            _play(bench, sandboxes, in_flight, screen)
        except (KeyboardInterrupt, PolicyError) as stop:
            bench.finish()
            _print(screen, bench)
            screen.print(f"Broken off after {len(bench.outcomes)} of {bench.total} episodes. Go on with:")
            screen.print(Text(f"  mx bench --run {shlex.quote(str(target))} --resume"), soft_wrap=True)
            if isinstance(stop, PolicyError):
                raise
            return BROKEN_OFF
    bench.finish()
    _print(screen, bench)
    return 0


def _play(bench: Bench, sandboxes: Sandboxes, in_flight: int, screen: Console) -> None:
    config, backend = bench.config, sandboxes(bench.images[0]).backend
    screen.print(
        f"[bold]{len(bench.methods)} methods[/] on {len(bench.task_ids)} tasks of {config.tasks} ({config.split}), "
        f"{config.seeds} time{'s' if config.seeds > 1 else ''} each · executor {escape(config.executor)} · {backend}"
    )
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True) as progress:
        bar = progress.add_task("episodes", total=bench.total, completed=len(bench.outcomes))
        for outcome in bench.run(sandboxes, in_flight):
            progress.update(bar, advance=1, description=escape(f"episodes ({outcome.method})"))


def _print(screen: Console, bench: Bench) -> None:
    rows = bench.summary()
    narrow = screen.width < WIDE
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if narrow else 1))
    for name in ("Method", "Success", "To the best", "Score", "Calls", "Inv.", "Abst.", "Tamp."):
        table.add_column(name, justify="left" if name == "Method" else "right", no_wrap=name != "Method")
    for row in rows:
        table.add_row(*_cells(row, narrow=narrow))
    screen.print(table)
    screen.print(Text(NOTES, style="dim"))
    failed = sum(outcome.failed for outcome in bench.outcomes)
    if failed:
        screen.print(
            f"[yellow]{failed} episodes failed because of sandbox or grader; they are not counted, --resume repeats them[/]"
        )
    usage = getattr(bench.shared_executor, "usage_as_dict", None)
    if usage is not None:
        counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in usage().items())
        screen.print(Text(f"executor: {counts}", style="dim"))
    screen.print(Text(str(bench.folder / "report.html")), soft_wrap=True)


def _cells(row: MethodSummary, *, narrow: bool) -> list[Text]:
    difference = (
        Text("best", style="green") if row.behind is None else _interval(row.behind, 100, "+.1f", "+.0f")
    )
    if row.behind is not None and not row.behind.excludes(0.0):
        difference.append(" ~", style="dim")
    return [
        Text(row.method, style="bold"),
        _interval(row.success, 100, ".1f", ".0f"),
        difference,
        Text(f"{row.score.mean:.2f}") if narrow else _interval(row.score, 1, ".3f", ".2f"),
        Text(f"{row.calls.mean:.1f}"),
        Text(f"{row.invalid.mean * 100:.0f}", style="" if row.invalid.mean else "dim"),
        Text(f"{row.abstained.mean * 100:.0f}", style="" if row.abstained.mean else "dim"),
        Text(str(row.tampered), style="red" if row.tampered else "dim"),
    ]


def _interval(interval: Interval, factor: float, form: str, ends: str) -> Text:
    text = Text(format(interval.mean * factor, form))
    if interval.low is not None and interval.high is not None:
        text.append(f" [{interval.low * factor:{ends}}, {interval.high * factor:{ends}}]", style="dim")
    return text
