"""The tables of ``mx bench`` in the terminal, and what is to be said below them."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mx_agents.bench import Bench, MethodSummary
from mx_agents.bench.summary import MOST_REPEATS, notes, why_invalid
from mx_agents.statistics import Interval
from mx_agents.terminal import visible

NOTES = (
    "Success, invalid and abstained in per cent; [95 % interval over tasks]. To the best: difference in success, paired "
    "by task; ~ where it may be chance (p above 0.05). Invalid: the design did not parse, crashed or hit a limit. Abstained: "
    "nothing handed in. Tampered: caught interfering with its grading. Bounded: neither proven nor refuted, no success. "
    "Tokens in/out per episode, a quarter of the bytes."
)
SIGNIFICANT = 0.05
NAME = 26
"""Characters of a method's name; of a longer one, the end tells most."""


def show(screen: Console, bench: Bench) -> None:
    """Print the tables of the episodes so far, what explains them, and where the report is; nothing of no episodes."""
    if not bench.outcomes:
        return
    tables = bench.tables()
    for table in tables:
        if len(tables) > 1:
            screen.print(Text(f"{table.tasks} · executor {table.executor}", style="bold"))
        screen.print(_fitting(screen, table.rows, priced=bool(bench.config.prices)))
        about = getattr(bench.task_sets[table.tasks], "about_scores", "")
        if about:
            screen.print(Text(about))
    if len(tables) > 1:
        screen.print(Text("all of them together", style="bold"))
        screen.print(_fitting(screen, bench.summary(), priced=bool(bench.config.prices)))
    screen.print(Text(NOTES, style="dim"))
    for remark in _remarks(bench):
        screen.print(remark)
    screen.print(Text(str(bench.folder / "report.html")), soft_wrap=True)


def _remarks(bench: Bench) -> Iterator[Text]:
    """What is to be said of the run beside its figures."""
    if not any(outcome.success for outcome in bench.outcomes):
        yield Text("No episode succeeded, so no method is the best.", style="yellow")
    for line in why_invalid(bench.outcomes):
        yield Text(visible(line), style="yellow")
    for line in notes(bench.outcomes, bench.config.methods):
        yield Text(visible(line), style="yellow")
    if any(one.failed and one.repeats < MOST_REPEATS for one in bench.outcomes):
        yield Text("--resume plays those without a verdict once more", style="yellow")
    for name, executor in bench.shared_executors.items():
        usage = getattr(executor, "usage_as_dict", None)
        if usage is not None:
            counts = ", ".join(f"{count:,} {what.replace('_', ' ')}" for what, count in usage().items())
            yield Text(f"executor {name}: {counts}", style="dim")


def _fitting(screen: Console, rows: list[MethodSummary], *, priced: bool) -> Table:
    """The table with every interval where the terminal has room for it, else without those of the scores."""
    wide = _table(rows, narrow=False, priced=priced)
    roomy = screen.options.update(max_width=1000)
    if screen.measure(wide, options=roomy).maximum <= screen.width:
        return wide
    return _table(rows, narrow=True, priced=priced)


def _table(rows: list[MethodSummary], *, narrow: bool, priced: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0 if narrow else 1))
    names = ["Method", "Success", "To the best", "Score", "Calls", "Tokens", "Inv.", "Abst.", "Tamp."]
    proofs = any(row.bounded is not None for row in rows)
    for name in [*names, *(["Bounded"] if proofs else []), *(["Money"] if priced else [])]:
        about = name == "Method"
        table.add_column(
            name,
            justify="left" if about else "right",
            no_wrap=not (narrow and about),
            overflow="fold" if about else "ellipsis",
        )
    for row in rows:
        price = [Text("-" if row.money is None else f"{row.money:.5f}")] if priced else []
        undecided = [Text(row.told_bounded)] if proofs else []
        table.add_row(*_cells(row, narrow=narrow), *undecided, *price)
    return table


def _cells(row: MethodSummary, *, narrow: bool) -> list[Text]:
    difference = Text("best", style="green") if row.best else Text("-", style="dim")
    if row.behind is not None:
        difference = _interval(row.behind, 100, "+.1f", "+.0f")
        if row.p is None or row.p > SIGNIFICANT:
            difference.append(" ~", style="dim")
    return [
        Text(row.method if len(row.method) <= NAME else f"…{row.method[1 - NAME :]}", style="bold"),
        _interval(row.success, 100, ".1f", ".0f"),
        difference,
        Text(f"{row.score.mean:.2f}") if narrow else _interval(row.score, 1, ".3f", ".2f"),
        Text(f"{row.calls.mean:.1f}"),
        Text(f"{row.tokens_in:.0f}/{row.tokens_out:.0f}"),
        Text(f"{row.invalid.mean * 100:.0f}", style="" if row.invalid.mean else "dim"),
        Text(f"{row.abstained.mean * 100:.0f}", style="" if row.abstained.mean else "dim"),
        Text(str(row.tampered), style="red" if row.tampered else "dim"),
    ]


def _interval(interval: Interval, factor: float, form: str, ends: str) -> Text:
    text = Text(format(interval.mean * factor, form))
    if interval.low is not None and interval.high is not None:
        text.append(f" [{interval.low * factor:{ends}}, {interval.high * factor:{ends}}]", style="dim")
    return text
