"""The index of a folder of runs, and two runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

from mx_agents.bench import Comparison, compare_runs, settings_of
from mx_agents.report.charts import Whisker, whisker
from mx_agents.report.folder import Result, RunEntry, runs_in
from mx_agents.report.page import page, section, table
from mx_agents.runs.folder import read_config

SIGNIFICANT = 0.05
SHOWN = 20
"""Tasks named that went another way."""


def index_page(
    folder: Path,
    entries: Sequence[RunEntry],
    *,
    run_link: Callable[[RunEntry], str],
    pair_link: Callable[[RunEntry, RunEntry], str | None],
    live: bool = False,
) -> str:
    """The page of a folder of runs. The links lead to a run's report, and to two runs side by side where there is such a page."""
    head = ["Run", "Began", "Kind", "What ran", "Result", "State", "Beside the one before"]
    rows = []
    for place, entry in enumerate(entries):
        before = _before(entry, entries[place + 1 :])
        link = pair_link(before, entry) if before is not None else None
        beside = f'<a href="{escape(link, quote=True)}">{escape(before.name)}</a>' if before and link else ""
        name = escape(entry.name)
        shown = (
            name
            if entry.kind == "unreadable"
            else f'<a href="{escape(run_link(entry), quote=True)}">{name}</a>'
        )
        rows.append(
            [
                shown,
                entry.date,
                escape(entry.kind),
                *map(escape, (entry.what, entry.result, entry.state)),
                beside,
            ]
        )
    body = [section("Runs", table(head, rows, kind="index plain"), lead=_lead(entries), wide=True)]
    if live and len(entries) > 1:
        body.append(section("Two side by side", _form(entries)))
    return page("Runs", str(folder), body, {"live": live}, live=live)


def _lead(entries: Sequence[RunEntry]) -> str:
    over = sum(entry.state == "complete" for entry in entries)
    return f"{len(entries)} runs, the newest first; {over} complete. A run's name leads to its report."


def _before(entry: RunEntry, older: Sequence[RunEntry]) -> RunEntry | None:
    """The newest older run that it can be held against: of the same kind, with a method or an arm in common."""
    names = {row.name for row in entry.rows}
    alike = (each for each in older if each.kind == entry.kind and names & {row.name for row in each.rows})
    return next(alike, None)


def _form(entries: Sequence[RunEntry]) -> str:
    def choice(name: str, chosen: int) -> str:
        options = "".join(
            f"<option{' selected' if place == chosen else ''}>{escape(entry.name)}</option>"
            for place, entry in enumerate(entries)
        )
        return f'<label>{name} <select name="{name}">{options}</select></label> '

    chosen = choice("first", 1) + choice("second", 0)
    return f'<form class="controls" action="side" method="get">{chosen}<button>Compare</button></form>'


def side_page(root: Path, first: str, second: str) -> str:
    """Two runs below a folder side by side. Raises UsageError for one that is not there."""
    found = {entry.name: entry for entry in runs_in(root)}
    return pair_page(found[first], found[second])


def pair_page(first: RunEntry, second: RunEntry) -> str:
    """Two runs side by side: what differs in how they ran, and what came of each."""
    both = (first, second)
    facts = [
        ["Began", *(entry.date for entry in both)],
        ["What ran", *(escape(entry.what) for entry in both)],
        ["State", *(escape(entry.state) for entry in both)],
    ]
    names = [escape(entry.name) for entry in both]
    body = [section("The two", table(["", *names], facts, kind="plain"))]
    if first.kind == second.kind == "bench":
        found = compare_runs(first.folder, second.folder)
        body.append(_paired(found, names))
        settings = found.settings
    else:
        settings = settings_of(*(read_config(entry.folder) for entry in both))
    body.append(_results(first, second, names))
    rows = [
        [escape(name), *(f"<code>{escape(_plain(value))}</code>" for value in pair)]
        for name, *pair in settings
    ]
    lead = "Configuration and versions." if rows else "Nothing: same configuration, tasks and versions."
    body.append(section("What differs", table(["", *names], rows, kind="plain") if rows else "", lead=lead))
    return page("Two runs side by side", f"{first.name} · {second.name}", body, {"live": False})


def _paired(found: Comparison, names: list[str]) -> str:
    """What changed from the first to the second, on the tasks that both met."""
    rows = []
    for row in found.methods:
        low, high = row.change.low, row.change.high
        between = (
            f" <small>{low * 100:+.0f} to {high * 100:+.0f}</small>"
            if low is not None and high is not None
            else ""
        )
        chance = "" if row.p <= SIGNIFICANT else " <small>may be chance</small>"
        change = f"<b>{row.change.mean * 100:+.1f}</b>{between}{chance}"
        tasks = [_tasks(row.gained), _tasks(row.lost)]
        rows.append(
            [
                escape(row.method),
                str(row.tasks),
                f"{row.first:.1%}",
                f"{row.second:.1%}",
                change,
                f"{row.p:.3f}",
                *tasks,
            ]
        )
    head = ["Method", "Tasks of both", *names, "Change in points", "p", "Gained", "Lost"]
    lead = "Success on the tasks that both runs met, paired by task; 95 % intervals, p from a paired permutation test."
    if not rows:
        return section("Change", lead="The two have no method and task in common.")
    return section("Change", table(head, rows, kind="results"), lead=lead, wide=True)


def _tasks(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
    return f'<span title="{escape(shown, quote=True)}">{len(names)}</span>'


def _results(first: RunEntry, second: RunEntry, names: list[str]) -> str:
    """All methods or arms of either, one line each."""
    found: dict[str, list[Result | None]] = {}
    for place, entry in enumerate((first, second)):
        for row in entry.rows:
            found.setdefault(row.name, [None, None])[place] = row
    rows = [
        [escape(name), *(_result(row, place) for row in pair)]
        for place, (name, pair) in enumerate(found.items())
    ]
    if not rows:
        return section("Results", lead="Neither has a result yet.")
    lead = "Success with its 95 % interval, from 0 to 100 %."
    return section("Results", table(["", *names], rows, kind="results"), lead=lead)


def _result(row: Result | None, place: int) -> str:
    if row is None:
        return ""
    between = (
        "" if row.low is None or row.high is None else f" <small>{row.low:.0%} to {row.high:.0%}</small>"
    )
    of = f" <small>of {row.count:,}</small>" if row.count else ""
    drawn = whisker(Whisker(row.name, place, row.success, row.low, row.high))
    return f"{drawn}<b>{row.success:.1%}</b>{between}{of}"


def _plain(value: object) -> str:
    return "-" if value is None else str(value)
