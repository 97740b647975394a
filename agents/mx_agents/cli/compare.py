"""``mx compare``."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from mx_agents.bench.compare import Comparison, compare
from mx_agents.cli.console import console
from mx_agents.progress import waiting

SHOWN = 10
SIGNIFICANT = 0.05


def run(first: Path, second: Path, *, as_json: bool = False) -> int:
    """Print where two runs differ; the exit code."""
    screen = console()
    with waiting(screen, "comparing"):
        found = compare(first, second)
    if as_json:
        sys.stdout.write(
            json.dumps({"first": str(first), "second": str(second)} | asdict(found), indent=1) + "\n"
        )
        return 0
    if found.settings:
        screen.print(_settings(found, str(first), str(second)))
    else:
        screen.print("Same configuration, tasks and versions.")
    screen.print(_methods(found))
    for row in found.methods:
        for word, tasks in (("gained", row.gained), ("lost", row.lost)):
            if tasks:
                more = f" and {len(tasks) - SHOWN} more" if len(tasks) > SHOWN else ""
                screen.print(Text(f"{row.method} {word}: {', '.join(tasks[:SHOWN])}{more}", style="dim"))
    for run_name, names in ((first, found.only_first), (second, found.only_second)):
        if names:
            screen.print(Text(f"only in {run_name}: {', '.join(names)}"))
    return 0


def _settings(found: Comparison, first: str, second: str) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("Setting", first, second):
        table.add_column(Text(name), overflow="fold")
    for name, a, b in found.settings:
        table.add_row(Text(name), Text(_plain(a)), Text(_plain(b)))
    return table


def _methods(found: Comparison) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in ("Method", "Tasks", "First", "Second", "Change", "p", "Gained", "Lost"):
        table.add_column(name, justify="left" if name == "Method" else "right")
    for row in found.methods:
        change = f"{row.change.mean * 100:+.1f}"
        if row.change.low is not None and row.change.high is not None:
            change += f" [{row.change.low * 100:+.0f}, {row.change.high * 100:+.0f}]"
        chance = "" if row.p <= SIGNIFICANT else " ~"
        cells = [str(row.tasks), f"{row.first * 100:.1f}", f"{row.second * 100:.1f}", change + chance]
        cells += [f"{row.p:.3f}", str(len(row.gained)), str(len(row.lost))]
        table.add_row(Text(row.method, style="bold"), *(Text(cell) for cell in cells))
    return table


def _plain(value: object) -> str:
    return "-" if value is None else str(value)
