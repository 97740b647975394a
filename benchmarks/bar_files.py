"""Files of bars as vendors and people write them, made from bars that are known: each to be read right, or refused.

    python benchmarks/bar_files.py FOLDER

writes them all there and prints how each is read. The tests hold each to what it was made from.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mx_tasks.trading.imports.files import read_file
from mx_tasks.trading.market.errors import DataError

DAY = 86_400
FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True)
class Truth:
    """Bars of some assets: times as seconds of UTC, and numbers of shape (bars, assets)."""

    seconds: np.ndarray[Any, Any]
    symbols: tuple[str, ...]
    values: dict[str, np.ndarray[Any, Any]]
    year: float

    def row(self, bar: int, asset: int = 0) -> dict[str, str]:
        """One bar of an asset as text."""
        return {name: _text(name, column[bar, asset]) for name, column in self.values.items()}


def _text(name: str, value: float) -> str:
    return str(int(value)) if name == "volume" else f"{value:.2f}"


def truth(kind: str = "daily", count: int = 60, assets: int = 1, seed: int = 0) -> Truth:
    """Bars of that frequency."""
    rng = np.random.default_rng([seed, count, assets])
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0.0, 0.012, (count, assets)), axis=0)), 2)
    opened = np.round(close * np.exp(rng.normal(0, 0.004, close.shape)), 2)
    high = np.round(np.maximum(opened, close) * 1.004 + 0.01, 2)
    low = np.round(np.minimum(opened, close) * 0.996 - 0.01, 2)
    volume = rng.integers(1_000_000, 9_000_000, close.shape).astype(float)
    values = {"open": opened, "high": high, "low": low, "close": close, "volume": volume}
    symbols = ("AAPL", "MSFT", "XOM", "IBM")[:assets]
    return Truth(times(kind, count), symbols, values, YEARS[kind])


YEARS = {
    "daily": 252.0,
    "all days": 365.2425,
    "weekly": 52.1775,
    "monthly": 12.0,
    "hours": 24 * 365.2425,
    "minutes": 390 * 252.0,
}


def times(kind: str, count: int) -> np.ndarray[Any, Any]:
    """Seconds of UTC."""
    start = datetime(2019, 1, 2, tzinfo=UTC)
    if kind == "daily":
        days = [start + timedelta(days=day) for day in range(2 * count)]
        found = [day for day in days if day.weekday() < 5][:count]
    elif kind == "monthly":
        found = [datetime(2000 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in range(count)]
    elif kind == "minutes":
        per = [
            start + timedelta(days=day, hours=14, minutes=30 + minute)
            for day in range(9)
            for minute in range(390)
        ]
        found = [each for each in per if each.weekday() < 5][:count]
    else:
        step = {"all days": timedelta(days=1), "weekly": timedelta(days=7), "hours": timedelta(hours=1)}[kind]
        found = [start + place * step for place in range(count)]
    return np.array([int(each.timestamp()) for each in found])


@dataclass
class BarFile:
    """A file, what it holds, and how it is to be asked for; ``refused`` is said by the error where it cannot be told."""

    name: str
    text: str
    truth: Truth
    fields: tuple[str, ...] = FIELDS
    symbols: tuple[str, ...] = ("A",)
    options: dict[str, str] = field(default_factory=dict)
    refused: str = ""
    intraday: bool = False


def at(seconds: int) -> datetime:
    """The time."""
    return datetime.fromtimestamp(seconds, UTC)


def lines(head: str, rows: list[list[str]], cut: str = ",") -> str:
    """A file's text."""
    return "\n".join([*([head] if head else []), *(cut.join(row) for row in rows)]) + "\n"


STAMPS: dict[str, tuple[str, Callable[[datetime], str]]] = {
    "iso": ("Date", lambda t: t.strftime("%Y-%m-%d")),
    "slashes": ("date", lambda t: t.strftime("%Y/%m/%d")),
    "dots": ("date", lambda t: t.strftime("%Y.%m.%d")),
    "digits": ("date", lambda t: t.strftime("%Y%m%d")),
    "digits and zero": ("date", lambda t: t.strftime("%Y%m%d") + ".0"),
    "midnight": ("Datetime", lambda t: t.strftime("%Y-%m-%d 00:00:00")),
    "midnight in New York": ("Date", lambda t: t.strftime("%Y-%m-%d 00:00:00-05:00")),
    "midnight, Z": ("timestamp", lambda t: t.strftime("%Y-%m-%dT00:00:00Z")),
    "seconds": ("timestamp", lambda t: str(int(t.timestamp()))),
    "seconds as numbers": ("timestamp", lambda t: f"{t.timestamp():.1f}"),
    "milliseconds": ("timestamp", lambda t: str(int(t.timestamp()) * 10**3)),
    "microseconds": ("timestamp", lambda t: str(int(t.timestamp()) * 10**6)),
    "nanoseconds": ("timestamp", lambda t: str(int(t.timestamp()) * 10**9)),
    "at five o'clock": ("t", lambda t: str((int(t.timestamp()) + 5 * 3600) * 10**3)),
    "serial numbers": ("Date", lambda t: str(int(t.timestamp()) // DAY + 25_569)),
    "American": ("Date", lambda t: t.strftime("%m/%d/%Y")),
    "American, no zeros": ("Date", lambda t: f"{t.month}/{t.day}/{t.year}"),
    "British": ("Date", lambda t: t.strftime("%d/%m/%Y")),
    "German": ("Date", lambda t: t.strftime("%d.%m.%Y")),
    "with names": ("Date", lambda t: t.strftime("%b %d, %Y")),
    "days with names": ("Date", lambda t: t.strftime("%d-%b-%Y")),
}


def stamped() -> Iterator[BarFile]:
    """Daily bars under each way to write a date, newest last and newest first."""
    known = truth()
    for what, (head, write) in STAMPS.items():
        names = ("o", "h", "l", "c", "v") if head == "t" else FIELDS
        rows = []
        for bar in range(60):
            stamp = write(at(int(known.seconds[bar])))
            rows.append([f'"{stamp}"' if "," in stamp else stamp, *known.row(bar).values()])
        yield BarFile(f"daily, {what}", lines(",".join([head, *names]), rows), known)
        yield BarFile(f"newest first, {what}", lines(",".join([head, *names]), rows[::-1]), known)


def frequencies() -> Iterator[BarFile]:
    """Bars of other lengths: times with clocks, zones and epochs."""
    for kind in ("all days", "weekly", "monthly", "hours", "minutes"):
        known = truth(kind, 900 if kind == "minutes" else 120)
        intraday = kind in ("hours", "minutes")
        ways = {
            "iso": lambda t: t.strftime("%Y-%m-%d %H:%M:%S"),
            "milliseconds": lambda t: str(int(t.timestamp()) * 1000),
            "with a zone": lambda t: t.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        }
        for what, write in ways.items():
            rows = [[write(at(int(s))), *known.row(bar).values()] for bar, s in enumerate(known.seconds)]
            yield BarFile(
                f"{kind}, {what}", lines("timestamp," + ",".join(FIELDS), rows), known, intraday=intraday
            )
        if kind == "monthly":
            rows = [
                [at(int(s)).strftime("%m/%d/%Y"), *known.row(bar).values()]
                for bar, s in enumerate(known.seconds)
            ]
            text = lines("date," + ",".join(FIELDS), rows)
            yield BarFile("months that may be days", text, known, refused="may be day-first or month-first")
            yield BarFile("months that are said to be months", text, known, options={"dates": "month-first"})
    known = truth("minutes", 600)
    local = [at(int(s)) - timedelta(hours=5) for s in known.seconds]
    rows = [[t.strftime("%Y-%m-%d %H:%M"), *known.row(bar).values()] for bar, t in enumerate(local)]
    text = lines("datetime," + ",".join(FIELDS), rows)
    yield BarFile("clocks of New York", text, known, options={"timezone": "America/New_York"}, intraday=True)
    rows = [
        [t.strftime("%Y-%m-%d %I:%M %p"), *known.row(bar).values()]
        for bar, t in enumerate(map(at, known.seconds))
    ]
    yield BarFile("AM and PM", lines("datetime," + ",".join(FIELDS), rows), known, intraday=True)


def _by(
    known: Truth,
    order: str,
    extra: Callable[[int], list[str]],
    write: Callable[[datetime], str],
) -> list[list[str]]:
    """Rows with a time, fields in that order, and more."""
    names = order.split()
    return [
        [write(at(int(s))), *(known.row(bar)[name] for name in names), *extra(bar)]
        for bar, s in enumerate(known.seconds)
    ]


ISO = STAMPS["iso"][1]
OHLCV = "open high low close volume"


def none(bar: int) -> list[str]:  # noqa: ARG001  # what comes after a row's fields
    """Nothing more."""
    return []


def ms(time: datetime) -> str:
    """Milliseconds since 1970."""
    return str(int(time.timestamp()) * 1000)


def vendors() -> Iterator[BarFile]:
    """One asset, in the form of each vendor."""
    known = truth()
    hours, minutes = truth("hours", 120), truth("minutes", 600)

    def half(bar):
        return [f"{known.values['close'][bar, 0] * 0.5:.6f}"]

    rows = _by(known, "open high low close", lambda bar: [*half(bar), known.row(bar)["volume"]], ISO)
    yield BarFile("Yahoo", lines("Date,Open,High,Low,Close,Adj Close,Volume", rows), known)
    rows = _by(known, OHLCV, lambda _: ["0.0", "0.0"], lambda t: t.strftime("%Y-%m-%d 00:00:00-05:00"))
    yield BarFile(
        "yfinance history", lines("Date,Open,High,Low,Close,Volume,Dividends,Stock Splits", rows), known
    )
    rows = _by(known, "close high low open volume", none, ISO)
    head = "Price,Close,High,Low,Open,Volume\nTicker,AAPL,AAPL,AAPL,AAPL,AAPL\nDate,,,,,"
    yield BarFile("yfinance, new", lines(head, rows), known, symbols=("AAPL",))
    yield BarFile("Stooq", lines("Date,Open,High,Low,Close,Volume", _by(known, OHLCV, none, ISO)), known)
    rows = [
        ["AAPL.US", "D", at(int(s)).strftime("%Y%m%d"), "000000", *known.row(bar).values(), "0"]
        for bar, s in enumerate(known.seconds)
    ]
    head = "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"
    yield BarFile("Stooq's archive", lines(head, rows), known, symbols=("AAPL.US",))
    rows = [
        [
            "AAPL.US",
            "5",
            at(int(s)).strftime("%Y%m%d"),
            at(int(s)).strftime("%H%M%S"),
            *minutes.row(bar).values(),
            "0",
        ]
        for bar, s in enumerate(minutes.seconds)
    ]
    yield BarFile("Stooq's archive, minutes", lines(head, rows), minutes, symbols=("AAPL.US",), intraday=True)

    def tail(bar):
        return [str(int(hours.seconds[bar] + 3599) * 1000 + 999), "12345.6", "77", "3.3", "4.4", "0"]

    rows = _by(hours, OHLCV, tail, ms)
    yield BarFile("Binance, no header", lines("", rows), hours, intraday=True)
    head = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
    yield BarFile("Binance, header", lines(head, rows), hours, intraday=True)
    micro = _by(
        hours,
        OHLCV,
        lambda bar: [str(int(hours.seconds[bar] + 3599) * 10**6), "1.5", "7", "3.3", "4.4", "0"],
        lambda t: str(int(t.timestamp()) * 10**6),
    )
    yield BarFile("Binance since 2025", lines("", micro), hours, intraday=True)
    rows = _by(minutes, OHLCV, lambda _: ["55", "100.5"], lambda t: t.strftime("%Y-%m-%d %H:%M:%S+00:00"))
    yield BarFile(
        "Alpaca", lines("timestamp,open,high,low,close,volume,trade_count,vwap", rows), minutes, intraday=True
    )
    rows = _by(
        minutes,
        "close high low",
        lambda bar: ["55", minutes.row(bar)["open"]],
        lambda t: t.strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    rows = [[*row, minutes.row(bar)["volume"], "100.5"] for bar, row in enumerate(rows)]
    yield BarFile("Alpaca's letters", lines("t,c,h,l,n,o,v,vw", rows), minutes, intraday=True)
    rows = [
        [
            "AAPL",
            known.row(bar)["volume"],
            *(known.row(bar)[n] for n in ["open", "close", "high", "low"]),
            str(int(s) * 10**9),
            "9",
        ]
        for bar, s in enumerate(known.seconds)
    ]
    yield BarFile(
        "Polygon's files",
        lines("ticker,volume,open,close,high,low,window_start,transactions", rows),
        known,
        symbols=("AAPL",),
    )
    rows = [
        [
            known.row(bar)["volume"],
            "100.1",
            *(known.row(bar)[n] for n in ["open", "close", "high", "low"]),
            str((int(s) + 5 * 3600) * 1000),
            "9",
        ]
        for bar, s in enumerate(known.seconds)
    ]
    yield BarFile("Polygon's aggregates", lines("v,vw,o,c,h,l,t,n", rows), known)
    rows = _by(
        known,
        "open high low close",
        lambda bar: [known.row(bar)["close"], known.row(bar)["volume"], "0.0000", "1.0"],
        ISO,
    )[::-1]
    yield BarFile(
        "Alpha Vantage",
        lines("timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient", rows),
        known,
    )
    yield BarFile(
        "Alpha Vantage's numbers",
        lines("date,1. open,2. high,3. low,4. close,5. volume", _by(known, OHLCV, none, ISO)[::-1]),
        known,
    )
    rows = [
        ["AAPL", *row]
        for row in _by(known, OHLCV, lambda bar: ["0.0", "1.0", *list(known.row(bar).values())[:5]], ISO)
    ]
    yield BarFile(
        "Quandl's WIKI",
        lines(
            "ticker,date,open,high,low,close,volume,ex-dividend,split_ratio,adj_open,adj_high,adj_low,adj_close,adj_volume",
            rows,
        ),
        known,
        symbols=("AAPL",),
    )
    yield BarFile(
        "WIKI, capitals",
        lines(
            "Date,Open,High,Low,Close,Volume,Ex-Dividend,Split Ratio,Adj. Open,Adj. High,Adj. Low,Adj. Close,Adj. Volume",
            [row[1:] for row in rows],
        ),
        known,
    )
    rows = _by(hours, OHLCV, none, lambda t: t.strftime("%d.%m.%Y %H:%M:%S.000"))
    yield BarFile(
        "Dukascopy",
        lines("Gmt time,Open,High,Low,Close,Volume", rows),
        truth("hours", 120),
        options={"dates": "day-first"},
        intraday=True,
    )
    long = truth("hours", 500)
    rows = _by(long, OHLCV, none, lambda t: t.strftime("%d.%m.%Y %H:%M:%S.000 GMT+0000"))
    yield BarFile(
        "Dukascopy, local time", lines("Local time,Open,High,Low,Close,Volume", rows), long, intraday=True
    )
    rows = [
        [
            at(int(s)).strftime("%Y.%m.%d"),
            at(int(s)).strftime("%H:%M:%S"),
            *list(hours.row(bar).values())[:4],
            hours.row(bar)["volume"],
            "0",
            "2",
        ]
        for bar, s in enumerate(hours.seconds)
    ]
    yield BarFile(
        "MetaTrader 5",
        lines("<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>", rows, "\t"),
        hours,
        intraday=True,
    )
    rows = [
        [at(int(s)).strftime("%Y.%m.%d"), at(int(s)).strftime("%H:%M"), *hours.row(bar).values()]
        for bar, s in enumerate(hours.seconds)
    ]
    yield BarFile("MetaTrader 4, no header", lines("", rows), hours, intraday=True)
    yield BarFile(
        "CCXT",
        lines("timestamp,open,high,low,close,volume", _by(hours, OHLCV, none, ms)),
        hours,
        intraday=True,
    )
    yield BarFile("CCXT, no header", lines("", _by(hours, OHLCV, none, ms)), hours, intraday=True)
    yield BarFile(
        "CCXT, pandas' counter",
        lines(
            ",timestamp,open,high,low,close,volume",
            [[str(n), *row] for n, row in enumerate(_by(hours, OHLCV, none, ms))],
        ),
        hours,
        intraday=True,
    )
    rows = _by(
        hours,
        "open high low close",
        lambda bar: ["100.1", hours.row(bar)["volume"], "12"],
        lambda t: str(int(t.timestamp())),
    )
    yield BarFile("Kraken", lines("time,open,high,low,close,vwap,volume,count", rows), hours, intraday=True)
    yield BarFile(
        "Coinbase",
        lines(
            "time,low,high,open,close,volume",
            _by(hours, "low high open close volume", none, lambda t: str(int(t.timestamp())))[::-1],
        ),
        hours,
        intraday=True,
    )
    rows = [
        [str(int(s)), at(int(s)).strftime("%Y-%m-%d %H:%M:%S"), "BTC/USD", *hours.row(bar).values(), "999.5"]
        for bar, s in enumerate(hours.seconds)
    ]
    yield BarFile(
        "CryptoDataDownload",
        lines("unix,date,symbol,open,high,low,close,Volume BTC,Volume USD", rows),
        hours,
        symbols=("BTC/USD",),
        intraday=True,
    )

    def dollars(bar):
        return [
            known.row(bar)["volume"],
            *(f"${known.row(bar)[n]}" for n in ("open", "high", "low")),
        ]

    rows = [
        [at(int(s)).strftime("%m/%d/%Y"), f"${known.row(bar)['close']}", *dollars(bar)]
        for bar, s in enumerate(known.seconds)
    ][::-1]
    yield BarFile("Nasdaq", lines("Date,Close/Last,Volume,Open,High,Low", rows), known)
    rows = [
        [
            f'"{at(int(s)).strftime("%b %d, %Y")}"',
            *(f'"{known.row(bar)[n]}"' for n in ["close", "open", "high", "low"]),
            f'"{known.values["volume"][bar, 0] / 1e6:.6f}M"',
            '"0.31%"',
        ]
        for bar, s in enumerate(known.seconds)
    ][::-1]
    yield BarFile("Investing.com", lines('"Date","Price","Open","High","Low","Vol.","Change %"', rows), known)
    rows = _by(
        known,
        "close high low open volume",
        lambda bar: [*list(known.row(bar).values())[:4], "0.0", "1.0"],
        ISO,
    )
    yield BarFile(
        "Tiingo",
        lines("date,close,high,low,open,volume,adjClose,adjHigh,adjLow,adjOpen,divCash,splitFactor", rows),
        known,
    )
    rows = [
        ["0", at(int(s)).strftime("%Y-%m-%d"), *known.row(bar).values(), "AAPL", "0"]
        for bar, s in enumerate(known.seconds)
    ]
    rows = [[str(n), *row[1:]] for n, row in enumerate(rows)]
    yield BarFile("FinRL", lines(",date,open,high,low,close,volume,tic,day", rows), known, symbols=("AAPL",))
    commas = [
        [f'"{cell[:-6]},{cell[-6:-3]},{cell[-3:]}"' if place == 5 else cell for place, cell in enumerate(row)]
        for row in _by(known, OHLCV, none, ISO)
    ]
    yield BarFile("thousands with commas", lines("Date,Open,High,Low,Close,Volume", commas), known)
    german = [
        [at(int(s)).strftime("%d.%m.%Y"), *(cell.replace(".", ",") for cell in known.row(bar).values())]
        for bar, s in enumerate(known.seconds)
    ]
    yield BarFile(
        "Germany", lines("Datum;Open;High;Low;Close;Volume".replace("Datum", "Date"), german, ";"), known
    )
    rows = _by(known, "open high low close", none, ISO)
    yield BarFile("no volume", lines("Date,PX_OPEN,PX_HIGH,PX_LOW,PX_LAST", rows), known, fields=FIELDS[:4])
    rows = _by(known, "close volume", none, ISO)
    yield BarFile("last and volume", lines("date,last,volume", rows), known, fields=("close", "volume"))
    yield BarFile("last alone", lines("Date,Last", _by(known, "close", none, ISO)), known, fields=("close",))
    yield BarFile(
        "adjusted closes alone",
        lines("Date,Adj Close", _by(known, "close", none, ISO)),
        known,
        fields=("close",),
    )
    yield BarFile(
        "a series of one",
        lines("DATE,SP500", _by(known, "close", none, ISO)),
        known,
        fields=("close",),
        symbols=("SP500",),
    )


def panels() -> Iterator[BarFile]:
    """Several assets, long and wide."""
    known = truth(assets=3)
    names = known.symbols
    bars = range(60)
    day = [at(int(s)).strftime("%Y-%m-%d") for s in known.seconds]
    by_date = [
        [day[bar], name, *known.row(bar, place).values()] for bar in bars for place, name in enumerate(names)
    ]
    by_name = [
        [day[bar], name, *known.row(bar, place).values()] for place, name in enumerate(names) for bar in bars
    ]
    for what, rows in (("date", by_date), ("asset", by_name)):
        for head in ("date,symbol", "Date,Ticker", "datetime,code", "date,Name", "trade_date,instrument"):
            yield BarFile(
                f"long by {what}, {head}",
                lines(f"{head},open,high,low,close,volume", rows),
                known,
                symbols=names,
            )
    reverse = [
        [day[bar], name, *known.row(bar, place).values()]
        for place, name in enumerate(names)
        for bar in reversed(bars)
    ]
    yield BarFile(
        "long, newest first", lines("date,symbol,open,high,low,close,volume", reverse), known, symbols=names
    )
    closes = [[day[bar], *(known.row(bar, place)["close"] for place in range(3))] for bar in bars]
    yield BarFile("wide", lines("Date," + ",".join(names), closes), known, fields=("close",), symbols=names)
    yield BarFile(
        "wide, pandas", lines("," + ",".join(names), closes), known, fields=("close",), symbols=names
    )
    yield BarFile(
        "wide, letters", lines("Date,C,T,V", closes), known, fields=("close",), symbols=("C", "T", "V")
    )
    yield BarFile(
        "wide, semicolons",
        lines("Date;" + ";".join(names), closes, ";"),
        known,
        fields=("close",),
        symbols=names,
    )
    low = lines("Date,AAPL,LOW,XOM", closes)
    yield BarFile("wide with a name that is a field", low, known, refused="layout='wide'")
    yield BarFile(
        "the same, said",
        low,
        known,
        fields=("close",),
        symbols=("AAPL", "LOW", "XOM"),
        options={"layout": "wide"},
    )
    mixed = [[*row, "123456"] for row in closes]
    yield BarFile(
        "wide and a volume",
        lines("Date," + ",".join(names) + ",Volume", mixed),
        known,
        refused="no column of closes",
    )
    yield BarFile(
        "wide and a close", lines("Date," + ",".join(names) + ",Close", mixed), known, refused="layout='long'"
    )
    cells = [
        [day[bar], *(known.row(bar, place)[field] for field in FIELDS for place in range(3))] for bar in bars
    ]
    first = ",".join(["Price", *(field.title() for field in FIELDS for _ in names)])
    second = ",".join(["Ticker", *(name for _ in FIELDS for name in names)])
    yield BarFile(
        "yfinance, several, new", lines(f"{first}\n{second}\nDate{',' * 15}", cells), known, symbols=names
    )
    yield BarFile(
        "yfinance, several, old",
        lines(f"{first[5:]}\n{second[6:]}\nDate{',' * 15}", cells),
        known,
        symbols=names,
    )
    cells = [
        [day[bar], *(known.row(bar, place)[field] for place in range(3) for field in FIELDS)] for bar in bars
    ]
    first = ",".join(["Ticker", *(name for name in names for _ in FIELDS)])
    second = ",".join(["Price", *(field.title() for _ in names for field in FIELDS)])
    yield BarFile(
        "yfinance by ticker", lines(f"{first}\n{second}\nDate{',' * 15}", cells), known, symbols=names
    )
    for what, form in {
        "asset_field": "{name}_{field}",
        "Field asset": "{field} {name}",
        "asset.Field": "{name}.{field}",
    }.items():
        head = ",".join(form.format(name=name, field=field.title()) for name in names for field in FIELDS)
        yield BarFile(f"flat, {what}", lines("Date," + head, cells), known, symbols=names)


def doubtful() -> Iterator[BarFile]:
    """What nobody can read for sure."""
    known = truth()
    rows = _by(known, OHLCV, none, ISO)
    head = "Date,Open,High,Low,Close,Volume"
    yield BarFile(
        "no header, unknown order",
        lines("", [[row[0], row[5], *row[1:5]] for row in rows]),
        known,
        refused="first row is all values",
    )
    yield BarFile(
        "no close",
        lines("Date,Open,High,Low,Volume", [[*row[:4], row[5]] for row in rows]),
        known,
        refused="no column of closes",
    )
    yield BarFile(
        "two closes",
        lines("Date,Open,High,Low,Last,Settle,Volume", [[*row[:5], row[4], row[5]] for row in rows]),
        known,
        refused="say price=",
    )
    yield BarFile(
        "years alone",
        lines("year,close", [[str(1960 + n), row[4]] for n, row in enumerate(rows)]),
        known,
        refused="no column date",
    )
    yield BarFile(
        "years as dates",
        lines("date,close", [[str(1960 + n), row[4]] for n, row in enumerate(rows)]),
        known,
        refused="is no date",
    )
    yield BarFile(
        "row numbers as dates",
        lines("date,close", [[str(n), row[4]] for n, row in enumerate(rows)]),
        known,
        refused="is no date",
    )
    yield BarFile(
        "two-digit years",
        lines("date,close", [["01/02/19", row[4]] for row in rows]),
        known,
        refused="four digits",
    )
    few = [[f"0{1 + n % 9}/0{1 + n // 9}/2019", row[4]] for n, row in enumerate(rows[:50])]
    yield BarFile(
        "days that may be months", lines("date,close", few), known, refused="day-first or month-first"
    )
    both = [["13/01/2019", "1"], ["01/14/2019", "2"], ["01/15/2019", "3"]]
    yield BarFile(
        "days and months mixed", lines("date,close", both), known, refused="some dates have the day first"
    )
    forms = [["2019-01-02", "1"], ["03/01/2019", "2"], ["2019-01-04", "3"]]
    yield BarFile("forms mixed", lines("date,close", forms), known, refused="row 1: '03/01/2019'")
    yield BarFile(
        "a date in two ways of digits",
        lines("date,close", [["20190102", "1"], ["1546473600", "2"]]),
        known,
        refused="is no date",
    )
    yield BarFile("unsorted", lines(head, [rows[1], rows[0], *rows[2:]]), known, refused="sort the rows")
    yield BarFile(
        "a date twice", lines(head, [rows[0], rows[0], *rows[1:]]), known, refused="repeats an earlier row's"
    )
    yield BarFile(
        "text among prices",
        lines(head, [*rows[:5], [*rows[5][:4], "halted", rows[5][5]], *rows[6:]]),
        known,
        refused="'halted', not a number",
    )
    yield BarFile(
        "a column of text",
        lines("Date,A,Sector", [[row[0], row[4], "Energy"] for row in rows]),
        known,
        refused="not closes",
    )
    yield BarFile(
        "commas of either kind",
        lines("Date;Close", [[row[0], f"1,{100 + n}"] for n, row in enumerate(rows)], ";"),
        known,
        refused="say decimal=",
    )
    yield BarFile(
        "bid and ask",
        lines("Date,BidOpen,BidClose,AskOpen,AskClose", [[row[0], *row[1:5]] for row in rows]),
        known,
        refused="price='COLUMN'",
    )
    yield BarFile(
        "returns", lines("Date,Return", [[row[0], "0.01"] for row in rows]), known, refused="price='COLUMN'"
    )
    holes = [[row[0], row[4], row[4] if n % 3 else ""] for n, row in enumerate(rows)]
    yield BarFile("a panel of holes", lines("Date,A,B", holes), known, refused="gaps='drop'")


def oddities() -> Iterator[BarFile]:
    """Habits of spreadsheets and people."""
    known, hours = truth(), truth("hours", 120)
    rows = _by(known, OHLCV, none, ISO)
    head = "Date,Open,High,Low,Close,Volume"
    yield BarFile("a mark of bytes", "\ufeff" + lines(head, rows), known)
    yield BarFile("Windows' lines", lines(head, rows).replace("\n", "\r\n"), known)
    yield BarFile("spaces around names", lines(" Date , Open , High , Low , Close , Volume ", rows), known)
    yield BarFile("a comma at each end", lines(head + ",", [[*row, ""] for row in rows]), known)
    yield BarFile("shouted", lines(head.upper(), rows), known)
    yield BarFile(
        "the date last", lines("Open,High,Low,Close,Volume,Date", [[*row[1:], row[0]] for row in rows]), known
    )
    yield BarFile("tabs", lines(head.replace(",", "\t"), rows, "\t"), known)
    yield BarFile("bars between", lines(head.replace(",", "|"), rows, "|"), known)
    yield BarFile("letters in capitals", lines("Date,O,H,L,C,V", rows), known)
    serials = _by(hours, OHLCV, none, lambda t: f"{t.timestamp() / DAY + 25_569:.8f}")
    yield BarFile("serial numbers with clocks", lines(head, serials), hours, intraday=True)
    apart = [
        [*row[0].split(), *row[1:]] for row in _by(hours, OHLCV, none, lambda t: t.strftime("%Y-%m-%d %H:%M"))
    ]
    yield BarFile(
        "date and clock apart", lines("Date,Time,Open,High,Low,Close,Volume", apart), hours, intraday=True
    )
    compact = _by(hours, OHLCV, none, lambda t: t.strftime("%Y%m%d %H%M%S"))
    yield BarFile("digits with clocks", lines(head, compact), hours, intraday=True)
    joined = _by(hours, OHLCV, none, lambda t: t.strftime("%Y%m%dT%H%M%SZ"))
    yield BarFile("digits, T and Z", lines(head, joined), hours, intraday=True)
    rounded = _by(known, OHLCV, none, lambda t: f"{t.timestamp() * 1000:.5E}")
    yield BarFile(
        "rounded by a spreadsheet", lines(head, rounded), known, refused="a spreadsheet has rounded"
    )
    exact = _by(known, OHLCV, none, lambda t: f"{t.timestamp() * 1000:.12E}")
    yield BarFile("scientific and exact", lines(head, exact), known)
    dots = [
        [*(cell.replace(".", ",") for cell in row[:5]), f"{int(row[5]):,}".replace(",", ".")] for row in rows
    ]
    yield BarFile("thousands with dots", lines(head.replace(",", ";"), dots, ";"), known)
    small = [[*row[:5], "12.345"] for row in dots]
    few = Truth(
        known.seconds, known.symbols, {**known.values, "volume": np.full((60, 1), 12_345.0)}, known.year
    )
    yield BarFile("thousands that look like decimals", lines(head.replace(",", ";"), small, ";"), few)
    volumes = [[row[0], row[5], row[5]] for row in rows]
    yield BarFile(
        "volumes alone", lines("Date,AAPL Volume,MSFT Volume", volumes), known, refused="no column of closes"
    )
    opens = [[row[0], row[1], row[2]] for row in rows]
    yield BarFile(
        "opens alone", lines("Date,AAPL_open,MSFT_open", opens), known, refused="no column of closes"
    )
    texts = [[*row, "NYSE"] for row in rows]
    yield BarFile("a column of texts beside", lines(head + ",Venue", texts), known)
    twice = [[row[0], row[4], who] for row in rows for who in ("Apple", "Exxon")]
    yield BarFile("assets by another name", lines("Date,Close,Company", twice), known, refused="symbol=")
    epochs = [[row[0][2:].replace("-", ""), row[4]] for row in rows]
    yield BarFile("years of two digits, joined", lines("Date,Close", epochs), known, refused="is no date")
    quarters = [[f"2019Q{1 + n % 4}", row[4]] for n, row in enumerate(rows)]
    yield BarFile("quarters", lines("Date,Close", quarters), known, refused="is no date")
    negative = [[row[0], f"{-float(row[4])}"] for row in rows]
    yield BarFile(
        "prices below 0", lines("Date,Close", negative), known, refused="not a finite number above 0"
    )


def bar_files() -> Iterator[BarFile]:
    """All of them."""
    for made in (stamped, frequencies, vendors, panels, doubtful, oddities):
        yield from made()


def main() -> int:
    """Write all files into a folder, and print what is read of each."""
    folder = Path(sys.argv[1]) if len(sys.argv) == 2 else None
    if folder is None:
        print(__doc__)
        return 2
    from bar_files_mistaken import mistaken  # which stands on this file

    folder.mkdir(parents=True, exist_ok=True)
    for number, made in enumerate([*bar_files(), *mistaken()]):
        path = folder / f"{number:03d}-{''.join(c if c.isalnum() else '-' for c in made.name)}.csv"
        path.write_text(made.text)
        options: Any = made.options
        try:
            print("\n  ".join(read_file(path, **options).said))
        except DataError as error:
            print(f"{path.name}: refused: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
