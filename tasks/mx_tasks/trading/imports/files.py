"""Bars from files of yours: what they hold is told apart by their columns and values, printed in a few lines, or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.imports.cells import decimal_of, numbers
from mx_tasks.trading.imports.columns import PRICES, Plan, plan_of
from mx_tasks.trading.imports.doubts import doubts
from mx_tasks.trading.imports.frequency import DAILY, Frequency, frequency_of
from mx_tasks.trading.imports.panels import Panel, Series, panel_of
from mx_tasks.trading.imports.tables import Name, Table, is_blank, read_table
from mx_tasks.trading.imports.timestamps import Times, read_times
from mx_tasks.trading.market.bars import FIELDS, Array, Bars, check_bars, close_only
from mx_tasks.trading.market.corporate import Action, Kind, action_table
from mx_tasks.trading.market.errors import DataError
from mx_tasks.trading.market.rules import Fill

ADJUSTED = ("raw", "adjusted", "both")
SPLIT_JUMP = 1.3
DIVIDEND_JUMP = 1.0005
SECONDS_A_YEAR = 365.2425 * 86_400


@dataclass(frozen=True)
class History:
    """Bars with their corporate actions, how they can be filled, and how many of them a year has.

    ``said`` tells how a file was read, in five lines at most; ``warnings`` what may be wrong with it.
    """

    bars: Bars
    actions: tuple[Action, ...] = ()
    fill: Fill = "next_open"
    frequency: Frequency = DAILY
    said: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file cannot tell by itself; each is asked for by an error where it is needed.

    ``layout``: ``long`` (a row for each time and asset) or ``wide`` (a column of closes for each asset). ``dates``:
    ``day-first`` or ``month-first``. ``timezone``: where clocks without one stood, such as ``America/New_York``. ``price``:
    the column of closes. ``symbol``: the column that names assets. ``prices``: ``raw`` (as they are), ``adjusted`` (all
    scaled to the adjusted close), or ``both`` (raw, with splits and dividends found in how the adjusted close jumps against
    the raw one). ``gaps``: ``drop`` leaves out rows that lack an asset, however many. ``decimal``: the decimal sign.
    """

    layout: str | None = None
    dates: str | None = None
    timezone: str | None = None
    price: str | None = None
    symbol: str | None = None
    prices: str | None = None
    gaps: str | None = None
    decimal: str | None = None


READING_OPTIONS = tuple(each.name for each in fields(Reading))


def read_file(
    path: str | Path, actions: str | Path | None = None, reading: Reading | None = None, **options: str | None
) -> History:
    """Bars from a CSV (may be gzipped) or Parquet file of yours.

    Read are rows for each time and symbol, a column of closes for each asset, and columns by field and asset, in the forms of Yahoo
    and yfinance, Stooq, Binance, Alpaca, Polygon, Alpha Vantage, Quandl's WIKI, Tiingo, Dukascopy, MetaTrader, CCXT, Kraken,
    Nasdaq and Investing.com, and others with such columns. ``actions`` is a file of splits, dividends and delistings (see
    :func:`read_actions`). ``options`` are those of :class:`Reading`.

    Raises DataError, with the row named, or the option that settles what cannot be told.
    """
    chosen = replace(reading or Reading(), **options)
    table = read_table(Path(path))
    return history_of(table, read_actions(actions) if actions is not None else (), chosen)


def history_of(
    table: Table, actions: Sequence[Action] = (), reading: Reading | None = None, only: Sequence[str] = ()
) -> History:
    """The bars of a table; ``only`` are the symbols wanted, all if none is named. Raises DataError."""
    reading = reading or Reading()
    if reading.prices not in (None, *ADJUSTED):
        raise DataError(f"prices are {', '.join(ADJUSTED)}, not {reading.prices!r}")
    plan = plan_of(table, reading.layout, reading.price, reading.symbol)
    times = read_times(_time_cells(table, plan), table.where, reading.dates, reading.timezone)
    kept, told = _series(table, plan, times, reading, actions)
    if only:
        kept = {symbol: each for symbol, each in kept.items() if symbol in only}
    _known(actions, kept)
    own, doubted = _own_actions(plan, kept, reading)
    panel = panel_of(_priced(kept, reading), table.where, reading.gaps, keep_order=plan.kind != "long")
    return _history(
        table, plan, panel, (*actions, *_on_bars(own, panel)), (times.said, told, *doubted), reading
    )


def _history(
    table: Table,
    plan: Plan,
    panel: Panel,
    actions: tuple[Action, ...],
    notes: Sequence[str],
    reading: Reading,
) -> History:
    gone = {action.symbol for action in actions if action.kind == "delisting"}
    ends = tuple(
        Action(when, symbol, "delisting", last) for symbol, when, last in panel.ended if symbol not in gone
    )
    actions += ends
    bars, fill = _bars(panel)
    delisted = action_table(bars, actions).delisted  # refuses what cannot be
    check_bars(bars, delisted, table.where)
    often = frequency_of(panel.times)
    years = float((panel.times[-1] - panel.times[0]) / np.timedelta64(1, "s")) / SECONDS_A_YEAR
    said = _said(table, plan, panel, ends, often, notes[:2])
    warned = [note for note in notes[2:] if note] + doubts(bars, actions, years)
    if plan.fields.get("close") is not None and plan.fields.get("close") == plan.fields.get("adj_close"):
        warned.append("adjusted closes alone: they know the splits and dividends to come")
    elif fill == "next_close" and reading.prices is None and not any(a.kind == "split" for a in actions):
        warned.append(
            "closes alone: raw or adjusted cannot be told; adjusted ones know the splits and dividends to come"
        )
    return History(bars, actions, fill, often, said, tuple(warned))


def _said(
    table: Table, plan: Plan, panel: Panel, ends: Sequence[Action], often: Frequency, notes: Sequence[str]
) -> tuple[str, ...]:
    """What was read, in five lines."""
    unused = set() if {"open", "high", "low"} <= set(panel.fields) else {"open", "high", "low"}
    if plan.kind == "long":
        what = ", ".join(f"{each} from {name!r}" for each, name in plan.fields.items() if each not in unused)
    else:
        sample = next(iter(plan.assets.values()))
        what = f"{len(plan.assets)} assets with {', '.join(sample)} each"
    ignored = f"; not read: {', '.join(map(str, plan.ignored))}" if plan.ignored else ""
    form = f", {plan.vendor} form" if plan.vendor else ""
    late = "".join(f"; {symbol} from {when}" for symbol, when in panel.late)
    ended = "".join(
        f"; {end.symbol} ends before {end.date}, sold at its last close {end.value:g}" for end in ends
    )
    turned = f"; {notes[1]}" if notes[1] else ""
    return (
        f"{table.where}: read as {plan.kind}{form}: {what}{ignored}",
        f"times: {notes[0]}{turned}",
        f"{often.name}, {often.bars_per_year:g} bars a year: {len(panel.times)} bars, {panel.times[0]} to {panel.times[-1]}",
        f"{len(panel.symbols)} assets: {', '.join(panel.symbols[:8])}{' ...' if len(panel.symbols) > 8 else ''}{late}{ended}",
        panel.said,
    )


def _time_cells(table: Table, plan: Plan) -> list[str]:
    columns = [table.column(name) for name in plan.time]
    if len(columns) == 1:
        return columns[0]
    clocks = [f"{cell:0>6}" if cell.isdigit() and len(cell) in (1, 6) else cell for cell in columns[1]]
    clocks = [
        f"{cell[:2]}:{cell[2:4]}" + (f":{cell[4:]}" if len(cell) > 4 else "") if cell.isdigit() else cell
        for cell in clocks
    ]
    return [f"{day} {clock}" for day, clock in zip(columns[0], clocks, strict=True)]


def _series(
    table: Table, plan: Plan, times: Times, reading: Reading, actions: Sequence[Action]
) -> tuple[dict[str, Series], str]:
    """Each asset's rows, oldest first, without what comes after a delisting that was told; and whether they were turned."""
    ends = {action.symbol: np.datetime64(action.date) for action in actions if action.kind == "delisting"}
    found: dict[str, Series] = {}
    turned, after = False, 0
    read = {name for _, columns, _ in _assets(table, plan) for name in columns.values()}
    decimal = reading.decimal or decimal_of(table.column(name) for name in read)
    for symbol, columns, own in _assets(table, plan):
        rows, when = own, times.values[own]
        backwards = len(when) > 2 and bool((np.diff(when).astype(np.int64) < 0).all())
        if backwards:
            rows, when, turned = rows[::-1], when[::-1], True
        where = f"{table.where}, {symbol}" if plan.symbol is not None else table.where
        _ascending(when, rows, where)
        alive = when < ends[symbol] if symbol in ends else np.ones(len(when), dtype=bool)
        cells = {what: table.column(name) for what, name in columns.items()}
        values = {
            what: numbers([column[row] for row in rows[alive]], what, where, decimal)
            for what, column in cells.items()
        }
        there = _there(plan, values)
        _check_cells(values, there, cells, rows[alive], when[alive], where, symbol)
        found[symbol] = Series(when[alive][there], {what: column[there] for what, column in values.items()})
        after += int((~alive).sum())
    notes = ["the newest row came first, turned round"] if turned else []
    used = len(np.unique(np.concatenate([each.times for each in found.values()])))
    if plan.assets and not after and used < len(table.rows):
        notes.append(
            f"{len(table.rows) - used} of {len(table.rows)} rows hold no price at all and are left out"
        )
    if after:
        notes.append(f"{after} rows are after their asset's delisting and are left out")
    return found, "; ".join(notes)


def _assets(table: Table, plan: Plan) -> list[tuple[str, Mapping[str, Name], NDArray[np.intp]]]:
    """Each asset with its columns and its rows."""
    everything = np.arange(len(table.rows))
    if plan.assets:
        return [(symbol, columns, everything) for symbol, columns in plan.assets.items()]
    if plan.symbol is None:
        return [("A", plan.fields, everything)]
    who = np.array(table.column(plan.symbol))
    blank = np.flatnonzero(who == "")
    if len(blank):
        raise DataError(f"{table.where}, row {blank[0]}: {plan.symbol} is blank")
    return [
        (str(symbol), plan.fields, np.flatnonzero(who == symbol)) for symbol in dict.fromkeys(who.tolist())
    ]


def _there(plan: Plan, values: Mapping[str, Array]) -> NDArray[np.bool_]:
    """Which rows hold a bar: in a wide table those with any price, in a long one all."""
    if not plan.assets:
        return np.ones(len(values["close"]), dtype=bool)
    there: NDArray[np.bool_] = np.logical_or.reduce(
        [np.isfinite(values[name]) for name in PRICES if name in values]
    )
    return there


def _ascending(when: NDArray[np.datetime64], rows: NDArray[np.intp], where: str) -> None:
    wrong = np.flatnonzero(np.diff(when).astype(np.int64) <= 0)
    if len(wrong):
        place = int(wrong[0]) + 1
        seen = when[place] in when[:place]
        said = (
            "repeats an earlier row's; drop one" if seen else f"comes after {when[place - 1]}; sort the rows"
        )
        more = ", or name the column of assets with symbol= (--symbol)" if seen else ""
        raise DataError(f"{where}, row {rows[place]}: the date {when[place]} {said}{more}")


def _check_cells(
    values: Mapping[str, Array],
    there: NDArray[np.bool_],
    cells: Mapping[str, Sequence[str]],
    rows: NDArray[np.intp],
    when: NDArray[np.datetime64],
    where: str,
    symbol: str,
) -> None:
    """Raises DataError for the first cell of a bar that is no price, or no volume."""
    for what, column in values.items():
        least = column >= 0 if what in ("volume", "dividend") else column > 0
        bad = ~(np.isfinite(column) & least)
        text = {int(place): cells[what][rows[place]] for place in np.flatnonzero(bad)}
        wrong = [place for place in text if there[place] or not is_blank(text[place])]
        if what in ("volume", "dividend", "split"):  # what is not told did not happen
            wrong = [place for place in wrong if not is_blank(text[place])]
            column[[place for place in text if is_blank(text[place])]] = 1.0 if what == "split" else 0.0
        if wrong:
            place = wrong[0]
            at = f"{where}, row {rows[place]} ({when[place]}, {symbol})"
            if not np.isfinite(column[place]) and not np.isinf(column[place]):
                raise DataError(f"{at}: {what} is {text[place]!r}, not a number")
            wanted = "0 or more" if what in ("volume", "dividend") else "above 0"
            raise DataError(
                f"{at}: {what} is {column[place]}, not a finite number {wanted}; drop the row, or say with a delisting that the "
                "asset ends there"
            )


def _known(actions: Sequence[Action], symbols: Mapping[str, Any]) -> None:
    """Raises DataError for actions of a symbol that is not there."""
    unknown = next((action for action in actions if action.symbol not in symbols), None)
    if unknown is not None:
        raise DataError(
            f"{unknown}: there is no asset {unknown.symbol!r}; there are {', '.join(sorted(symbols))}"
        )


def _own_actions(
    plan: Plan, series: Mapping[str, Series], reading: Reading
) -> tuple[list[Action], tuple[str, ...]]:
    """The splits and dividends that a file brings itself, and what is to be said of them."""
    sample = next(iter(series.values())).fields
    found: list[Action] = []
    notes: list[str] = []
    if reading.prices in ("adjusted", "both") and "adj_close" not in sample:
        raise DataError(f"prices={reading.prices!r} needs a column of adjusted closes")
    if reading.prices == "both":
        for symbol, each in series.items():
            found += jumps(symbol, each)
        notes.append(f"{len(found)} splits and dividends found in the adjusted closes: estimates")
    elif {"split", "dividend"} & set(sample) and reading.prices != "adjusted":
        for symbol, each in series.items():
            found += _listed(symbol, each)
        if found:
            notes.append(f"{len(found)} splits and dividends of the file's own columns are applied")
    elif (
        "adj_close" in sample
        and plan.fields.get("close") != plan.fields.get("adj_close")
        and reading.prices is None
    ):
        notes.append(
            "adjusted closes are there and not used: say prices='adjusted', or 'both' to find splits and dividends (--prices)"
        )
    if any("stock" in str(name).lower() and "split" in str(name).lower() for name in plan.ignored):
        notes.append(
            "Yahoo's prices are adjusted for splits already: its dividends and splits are not applied"
        )
    return found, tuple(notes)


def _listed(symbol: str, series: Series) -> list[Action]:
    """Actions of columns of splits (1 or 0 for none) and dividends, from the second row on."""
    found = []
    for kind, nothing in (("split", (0.0, 1.0)), ("dividend", (0.0,))):
        column = series.fields.get(kind)
        for place in range(1, len(series.times) if column is not None else 0):
            if column is not None and column[place] not in nothing:
                found.append(Action(str(series.times[place]), symbol, cast(Kind, kind), float(column[place])))
    return found


def jumps(symbol: str, series: Series) -> list[Action]:
    """Splits and dividends found in how the adjusted close jumps against the raw one, beyond what rounding to cents makes."""
    raw, share = series.fields["close"], series.fields["adj_close"] / series.fields["close"]
    rough = 1 + 0.012 / series.fields["adj_close"]  # half a cent on each of two bars, and of the raw ones
    found: list[Action] = []
    for place in range(1, len(raw)):
        jump = share[place] / share[place - 1]
        if jump > SPLIT_JUMP:
            ratio = float(round(jump * 2) / 2)
            found.append(Action(str(series.times[place]), symbol, "split", ratio))
        elif jump > max(DIVIDEND_JUMP, rough[place]):
            found.append(
                Action(str(series.times[place]), symbol, "dividend", float(raw[place - 1] * (1 - 1 / jump)))
            )
    return found


def _priced(series: Mapping[str, Series], reading: Reading) -> dict[str, Series]:
    """The series with bars' fields alone, scaled to the adjusted close where that is wanted."""
    found = {}
    for symbol, each in series.items():
        scale = each.fields["adj_close"] / each.fields["close"] if reading.prices == "adjusted" else 1.0
        own = {name: column * scale for name, column in each.fields.items() if name in PRICES}
        if "volume" in each.fields:
            own["volume"] = each.fields["volume"]
        found[symbol] = Series(each.times, own)
    shared = set.intersection(*(set(each.fields) for each in found.values()))
    return {
        symbol: Series(each.times, {name: each.fields[name] for name in FIELDS if name in shared})
        for symbol, each in found.items()
    }


def _on_bars(actions: Sequence[Action], panel: Panel) -> list[Action]:
    """The actions that fall on bars that are left, after the first."""
    days = {str(time) for time in panel.times[1:]}
    return [action for action in actions if action.date in days]


def _bars(panel: Panel) -> tuple[Bars, Fill]:
    columns = dict(panel.fields)
    if not {"open", "high", "low"} <= set(columns):
        bars = close_only(panel.times, panel.symbols, columns["close"])
        return replace(bars, volume=columns.get("volume", bars.volume)), "next_close"
    columns.setdefault("volume", np.where(np.isfinite(columns["close"]), 0.0, np.nan))
    opened, high, low, close, volume = (columns[name] for name in FIELDS)
    return Bars(panel.times, panel.symbols, opened, high, low, close, volume), "next_open"


def read_actions(path: str | Path) -> tuple[Action, ...]:
    """Corporate actions from a CSV or Parquet file of yours: ``date, symbol, kind, value``; see :class:`Action`.

    Raises DataError, with the row named.
    """
    table = read_table(Path(path))
    missing = [name for name in ("date", "symbol", "kind", "value") if name not in table.names]
    if missing:
        raise DataError(f"{path} has no column {missing[0]}; actions are date, symbol, kind, value")
    times = read_times(table.column("date"), table.where)
    columns = (table.column(name) for name in ("symbol", "kind", "value"))
    found = []
    for number, (when, symbol, kind, value) in enumerate(zip(times.values, *columns, strict=True)):
        try:
            found.append(
                Action(str(when), symbol, cast(Kind, kind), float(value))
            )  # action_table() refuses other kinds
        except ValueError:
            raise DataError(
                f"{path}, row {number}: {value!r} is no value of an action such as 2020-01-31,A,split,2"
            ) from None
    return tuple(found)
