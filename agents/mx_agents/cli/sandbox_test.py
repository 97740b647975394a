"""``mx sandbox test``: the attacks on this machine's sandboxes, one after the other, with their verdicts."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.errors import UsageError
from mx_agents.progress import Going, going
from mx_sandboxes import SandboxUnavailableError
from mx_sandboxes.abuse import FAMILIES, Outcome, Verdict, host, run_suite, select
from mx_sandboxes.opening import BACKENDS

MARKS = {
    Outcome.STOPPED: ("✓", "green"),
    Outcome.NOT_ENFORCEABLE: ("!", "yellow"),
    Outcome.GOT_THROUGH: ("✗", "bold red"),
}
"""From the best to the worst."""


@dataclass
class Result:
    """What came of one backend; ``missing`` says why it does not work here, ``left`` what it has left on the host."""

    backend: str
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: float = 0.0
    missing: str = ""
    left: list[str] = field(default_factory=list)


def run(backend: str | None, families: list[str] | None, image: str, *, details: bool, as_json: bool) -> int:
    """Play the attacks and print the verdicts; 1 when one got through or no backend works, else 0.

    Raises UsageError for an unknown name, SandboxUnavailableError when the one backend that was asked for does not work here.
    """
    results = _play_all(
        [backend] if backend is not None else list(BACKENDS), families, image, required=backend is not None
    )
    if as_json:
        json.dump([as_data(result) for result in results], sys.stdout, indent=2)
        sys.stdout.write("\n")
    else:
        screen = console()
        for result in results:
            show(screen, result, details=details)
    bad = any(
        result.left or any(verdict.outcome is Outcome.GOT_THROUGH for verdict in result.verdicts)
        for result in results
    )
    return int(bad or all(result.missing for result in results))


def _play_all(
    backends: Sequence[str], families: Iterable[str] | None, image: str, *, required: bool
) -> list[Result]:
    for name in backends:
        if name not in BACKENDS:
            raise UsageError(f"unknown sandbox backend {name!r} (there are {', '.join(BACKENDS)})")
    try:
        count = len(select(families))
    except ValueError as error:
        raise UsageError(str(error)) from None
    with going(console(stderr=True)) as told:
        return [_play(told, name, families, image, count, required=required) for name in backends]


def _play(
    told: Going,
    backend: str,
    families: Iterable[str] | None,
    image: str,
    count: int,
    *,
    required: bool,
) -> Result:
    result, start = Result(backend), time.monotonic()
    before = host.snapshot()
    row = told.row(backend, count, unit="attacks")
    try:
        for verdict in run_suite(backend, image, families=families):
            result.verdicts.append(verdict)
            row.advance(about=verdict.case.name)
    except SandboxUnavailableError as error:
        if required:
            raise
        result.missing = str(error)
    except ValueError as error:
        raise UsageError(str(error)) from None
    row.finish()
    result.left = host.left_behind(before)
    result.seconds = time.monotonic() - start
    return result


def show(screen: Console, result: Result, *, details: bool) -> None:
    """Print one backend's verdicts: a line for each family, and one for each attack that was not stopped."""
    if result.missing:
        screen.print(
            Text(f"{result.backend}: not tried, it does not work here ({result.missing})\n", style="yellow")
        )
        return
    table = Table(title=f"Attacks on {result.backend}", title_justify="left")
    for name in ("", "Attack", "Verdict", "Why, or what it was after"):
        table.add_column(name, overflow="fold")
    for family in FAMILIES:
        verdicts = [verdict for verdict in result.verdicts if verdict.family == family]
        if verdicts:
            _add_family(table, family, verdicts, details=details)
    mark = Text("✗", style="red") if result.left else Text("✓", style="green")
    words = "something is left" if result.left else "as it was before"
    table.add_row(mark, Text("the host", style="bold"), words, Text("\n".join(result.left)))
    screen.print(table)
    counts = Counter(verdict.outcome for verdict in result.verdicts)
    words = ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome if counts[outcome])
    bad = counts[Outcome.GOT_THROUGH] > 0 or bool(result.left)
    screen.print(
        Text(
            f"{result.backend}: {words} in {result.seconds:.0f} s\n",
            style="bold red" if bad else "bold green",
        )
    )


def _add_family(table: Table, family: str, verdicts: list[Verdict], *, details: bool) -> None:
    stopped = sum(verdict.outcome is Outcome.STOPPED for verdict in verdicts)
    worst = max((verdict.outcome for verdict in verdicts), key=list(MARKS).index)
    mark = Text(MARKS[worst][0], style=MARKS[worst][1])
    table.add_row(mark, Text(family, style="bold"), f"{stopped} of {len(verdicts)} stopped", "")
    for verdict in verdicts:
        if details or verdict.outcome is not Outcome.STOPPED:
            sign, style = MARKS[verdict.outcome]
            why = verdict.why or verdict.case.aim
            table.add_row(
                Text(sign, style=style),
                f"  {verdict.case.name}",
                Text(verdict.outcome.value, style=style),
                Text(why),
            )
    table.add_section()


def as_data(result: Result) -> dict[str, Any]:
    """One backend's verdicts as plain data."""
    return {
        "backend": result.backend,
        "available": not result.missing,
        "why_not": result.missing,
        "seconds": round(result.seconds, 3),
        "left_on_the_host": result.left,
        "attacks": [
            {
                "family": verdict.family,
                "name": verdict.case.name,
                "aim": verdict.case.aim,
                "verdict": verdict.outcome.value,
                "why": verdict.why,
                "seconds": round(verdict.seconds, 3),
            }
            for verdict in result.verdicts
        ],
    }
