"""What the columns of a table are: fields of bars by all the names that vendors give them, or one column of closes for each asset.

Where two readings are possible none is taken: the error names the option that settles it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mx_tasks.trading.imports.column_values import blocks, counts, no_asset
from mx_tasks.trading.imports.tables import Name, Table, is_blank, is_number
from mx_tasks.trading.market.errors import DataError

LAYOUTS = ("long", "wide")
PRICES = ("open", "high", "low", "close")
_FIELDS: Mapping[str, tuple[str, ...]] = {
    "open": ("open", "openprice", "pxopen", "opn", "startprice"),
    "high": ("high", "highprice", "pxhigh"),
    "low": ("low", "lowprice", "pxlow"),
    "close": ("close", "closelast", "closeprice", "closingprice", "pxlast", "last", "lastprice", "price", "settle", "settlement"),
    "volume": ("volume", "vol", "pxvolume", "tickvol", "tickvolume", "totalvolume", "sharevolume", "basevolume"),
    "adj_close": ("adjclose", "adjustedclose", "adjcloseprice"),
    "dividend": ("dividendamount", "exdividend", "divcash"),
    "split": ("splitratio", "splitcoefficient", "splitfactor"),
}  # fmt: skip
_SHORT = {"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}
_TIME = (
    "date", "datetime", "timestamp", "time", "opentime", "windowstart", "localtime", "gmttime", "tradedate", "tradingday",
    "caldt", "exchangedate", "tradingdate", "pricedate", "asofdate", "observationdate", "datetimeutc", "timestamputc", "dateutc",
    "periodstart", "beginsat", "unix", "unixtime", "epoch", "dt", "ts", "index",
)  # fmt: skip
_SYMBOL = (
    "symbol",
    "ticker",
    "tic",
    "sym",
    "instrument",
    "asset",
    "pair",
    "code",
    "security",
    "name",
    "act symbol",
    "actsymbol",
)
_PASSED_OVER = (
    "year", "month", "day", "week", "weekday", "dayofweek", "quarter", "hour", "minute", "dayofyear", "weekofyear",
    "closetime", "quotevolume", "quoteassetvolume", "quoteasset", "count", "trades", "tradecount", "tradescount", "tradenum",
    "numberoftrades", "transactions", "takerbuyvolume", "takerbuyquotevolume", "takerbuybaseassetvolume", "takerbuybasevolume",
    "takerbuyquoteassetvolume", "ignore", "vwap", "openint", "openinterest", "spread", "per", "exchange", "currency", "change",
    "chg", "changepct", "pctchange", "prevclose", "previousclose", "capitalgains", "dividends", "stocksplits", "adjopen", "adjhigh",
    "adjlow", "adjvolume", "turnover", "marketcap", "amount", "return", "returns", "otc", "isin", "cusip", "permno",
    "bidopen", "bidhigh", "bidlow", "bidclose", "askopen", "askhigh", "asklow", "askclose", "bid", "ask", "mid",
)  # fmt: skip
_CALENDAR = ("year", "month", "monthname", "day", "week", "quarter", "weekofyear", "currency")
"""Columns that name no asset although their values come in blocks."""
_KEY = re.compile(r"(id|no|key|code|cusip|isin)$")
_HEADERLESS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    6: ("time, open, high, low, close, volume, as CCXT gives them", ("time", *PRICES, "volume")),
    7: ("MetaTrader's", ("date", "time", *PRICES, "volume")),
    12: (
        "Binance's klines",
        (
            "opentime",
            *PRICES,
            "volume",
            "closetime",
            "quotevolume",
            "count",
            "takerbuyvolume",
            "takerbuyquotevolume",
            "ignore",
        ),
    ),
}
_BY_ASSET = "each column is named by a field and an asset, and read as that; leave it out"
_WORDS = {name: what for what, names in _FIELDS.items() for name in names}
_BEST = {name: place for names in _FIELDS.values() for place, name in enumerate(names)}


@dataclass
class Plan:
    """How a table is read. ``fields`` are those of a long one; ``assets`` a field's column by asset, of a wide one."""

    kind: str
    time: tuple[Name, ...]
    symbol: Name | None = None
    fields: dict[str, Name] = field(default_factory=dict)
    assets: dict[str, dict[str, Name]] = field(default_factory=dict)
    ignored: list[str] = field(default_factory=list)
    vendor: str = ""


def plan_of(
    table: Table, layout: str | None = None, price: str | None = None, symbol: str | None = None
) -> Plan:
    """What the table's columns are.

    Raises DataError where that cannot be told, with the option that says it, and for options that the columns leave no use for.
    """
    if layout not in (None, *LAYOUTS):
        raise DataError(f"a layout is {' or '.join(LAYOUTS)}, not {layout!r}")
    told = {"layout": layout, "price": price, "symbol": symbol}
    if not table.header:
        _refuse(table, told, "long", "its columns have no names; put names above them, or leave it out")
        return _headerless(table)
    pairs = [name for name in table.names if isinstance(name, tuple)]
    if pairs:
        single = [name for name in table.names if isinstance(name, str)]
        _refuse(table, told, "wide", _BY_ASSET)
        return _of_pairs(table, {name: name for name in pairs}, *_time(table, single))
    names = [name for name in table.names if isinstance(name, str)]
    time = _time(table, names)
    rest = [name for name in names if name not in time]
    flat = _flat_pairs(rest)
    if flat and layout != "wide":
        _refuse(table, told, "wide", _BY_ASSET)
        return _of_pairs(table, flat, *time)
    rest = [name for name in rest if not _is_counter(table, name)]
    fields = _fields(table, rest)
    named = symbol in rest and not is_number(_first(table, symbol or ""))
    if layout == "wide" or (layout is None and not fields and price is None and not named):
        _refuse(
            table,
            told,
            "wide",
            "each column is read as the closes of an asset; leave it out, or say layout='long' and price='COLUMN' where one column "
            "names the assets (--layout, --price)",
        )
        return _wide(table, time, rest, told=layout == "wide")
    return _long(table, time, rest, fields, layout, price, symbol)


def _refuse(table: Table, told: Mapping[str, str | None], fits: str, why: str) -> None:
    """Raises DataError for an option that would be passed over; ``fits`` is the layout that says what is done anyway."""
    for name, value in told.items():
        if value is not None and not (name == "layout" and value == fits):
            raise DataError(f"{table.where}: {name}={value!r} (--{name}) has no use here: {why}")


def plain(name: str) -> str:
    """A column's name without what vendors put around it: ``<CLOSE>``, ``4. close`` and ``Adj. Close`` are close and adjclose."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^\d+[a-z]?\. ", "", name.strip().lower().strip("<>")))


def _time(table: Table, names: Sequence[str]) -> tuple[Name, ...]:
    """The column of times, or a date's and a clock's. Raises DataError where there is none."""
    known = {plain(name): name for name in reversed(names)}
    words = [word for word in _TIME if word in known]
    if not words and "t" in known and {"o", "h", "l", "c"} <= set(known):
        return (known["t"],)
    if not words and names[0] in ("", "Unnamed: 0") and not _is_counter(table, names[0]):
        return (names[0],)
    if not words:
        raise DataError(f"{table.where} has no column date; it has {', '.join(names)}")
    first = known[words[0]]
    clock = known.get("time")
    if (
        words[0] in ("date", "tradedate", "tradingday")
        and clock is not None
        and _only_clocks(table.column(clock))
    ):
        return (first, clock)
    return (first,)


def _only_clocks(cells: Sequence[str]) -> bool:
    """Whether cells are times of day, such as 09:30 or 093000."""
    return all(re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?(\.\d+)?|\d{4}|\d{6}|0", cell) for cell in cells[:200])


def _is_counter(table: Table, name: str) -> bool:
    """Whether a column without a name only numbers the rows, from wherever."""
    if name not in ("", "Unnamed: 0", "index"):
        return False
    return counts(table.column(name))


def _fields(table: Table, names: Sequence[str]) -> dict[str, str]:
    """Columns by field; of two for one field the better known. Raises DataError where that is a guess."""
    words = {name: plain(name) for name in names}
    short = {"o", "h", "l", "c"} <= set(words.values())
    found: dict[str, list[str]] = {}
    for name, word in words.items():
        what = _WORDS.get(word) or (_SHORT.get(word) if short else None)
        what = what or ("volume" if re.fullmatch(r"volume[a-z]{3,5}", word) else None)
        if what:
            found.setdefault(what, []).append(name)
    for what, each in found.items():
        double = [name for name in each if [words[other] for other in each].count(words[name]) > 1]
        if double and what in PRICES:
            raise DataError(
                f"{table.where}: {' and '.join(double)} are each a column of {what}s; leave one out"
            )
    chosen = {what: min(each, key=lambda name: _BEST.get(words[name], 50)) for what, each in found.items()}
    closes = found.get("close", [])
    if len(closes) > 1 and words[chosen["close"]] not in ("close", "c", "closelast"):
        raise DataError(
            f"{table.where}: {' and '.join(closes)} may each be the close; say price={closes[0]!r} (--price)"
        )
    volumes = found.get("volume", [])
    if len(volumes) > 1:
        chosen["volume"] = _volume(table, volumes, chosen["volume"])
    return chosen


def _volume(table: Table, names: Sequence[str], first: str) -> str:
    """Of several volumes the first that is of the asset, not of the money, and is not 0 throughout."""
    own = [name for name in names if not re.search(r"(usd|usdt|busd|eur|quote)$", plain(name))] or list(names)
    order = [first, *own] if first in own else own
    for name in order:
        if any(cell.strip("0.") for cell in table.column(name)):
            return name
    return order[0]


def _long(
    table: Table,
    time: tuple[Name, ...],
    names: Sequence[str],
    fields: dict[str, str],
    layout: str | None,
    price: str | None,
    symbol: str | None,
) -> Plan:
    """A row for each time and asset."""
    who = _symbol(table, names, symbol)
    if price is not None:
        if price not in names:
            raise DataError(f"{table.where} has no column {price!r}; it has {', '.join(names)}")
        fields["close"] = price
    if "close" not in fields and "adj_close" in fields:
        fields["close"] = fields["adj_close"]
    rest = [name for name in names if name not in fields.values() and name != who]
    if "close" not in fields:
        has = ", ".join([*(str(each) for each in time), *names])
        raise DataError(
            f"{table.where} has no column of closes; it has {has}; say price='COLUMN' (--price), or layout='wide' where each "
            "column is an asset (--layout)"
        )
    strange = [name for name in rest if plain(name) not in _PASSED_OVER and is_number(_first(table, name))]
    if who is None:
        _refuse_blocks(table, rest)
    prices = set(fields) & {"open", "high", "low"}
    if strange and layout is None and price is None and not prices:
        raise DataError(
            f"{table.where}: {fields['close']} is a field, {strange[0]} may be an asset; say layout='long' to read one "
            "asset's closes, layout='wide' to read each column as an asset (--layout)"
        )
    return Plan("long", time, who, dict(fields), ignored=list(rest), vendor=_vendor(names))


def _refuse_blocks(table: Table, names: Sequence[str]) -> None:
    """Raises DataError where a column that is not read seems to name assets whose rows stand one behind the other."""
    for name in names:
        word = plain(name)
        if word in _CALENDAR or (is_number(_first(table, name)) and not _KEY.search(word)):
            continue
        if found := blocks(table.column(name)):
            raise DataError(
                f"{table.where}: {name} is {found[0]!r} first and {found[1]!r} then: other assets? say symbol={name!r} where it "
                "names them (--symbol), or leave the column out"
            )


def _symbol(table: Table, names: Sequence[str], symbol: str | None) -> Name | None:
    """The column that names assets, if there is one. Raises DataError where one is needed and cannot be told."""
    if symbol is not None:
        if symbol not in names:
            raise DataError(f"{table.where} has no column {symbol!r}; it has {', '.join(names)}")
        return symbol
    known = {plain(name): name for name in reversed(names)}
    return next((known[word] for word in _SYMBOL if word in known), None)


def _wide(table: Table, time: tuple[Name, ...], names: Sequence[str], *, told: bool) -> Plan:
    """A column of closes for each asset."""
    if not names:
        raise DataError(f"{table.where} has no column of closes beside {', '.join(map(str, time))}")
    if not told:
        strange = [name for name in names if plain(name) in (*_PASSED_OVER, *_SYMBOL, *_TIME)]
        if strange:
            raise DataError(
                f"{table.where}: {strange[0]} is no asset; say price='COLUMN' for the closes (--price), or layout='wide' "
                "where each column is an asset (--layout)"
            )
    texts = [
        name for name in names if not is_number(_first(table, name)) and not is_blank(_first(table, name))
    ]
    if texts:
        raise DataError(
            f"{table.where}: the column {texts[0]!r} holds {_first(table, texts[0])!r}, not closes"
        )
    if not told and (why := no_asset([(name, table.column(name)) for name in names])):
        raise DataError(
            f"{table.where}: {why}; say price='COLUMN' for the closes (--price), or layout='wide' where each column is an asset "
            "(--layout)"
        )
    return Plan("wide", time, assets={name: {"close": name} for name in names})


def _first(table: Table, name: Name) -> str:
    """The first cell of a column that is not blank; a blank one where all are."""
    return next((cell for cell in table.column(name) if not is_blank(cell)), "")


def _flat_pairs(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Names such as ``AAPL_close`` and ``Close AAPL`` as pairs of field and asset; nothing unless all are such."""
    found: dict[str, tuple[str, str]] = {}
    if any(plain(name) in _WORDS for name in names):
        return found
    for name in names:
        parts = [part for part in re.split(r"[\s_.:|/-]+", name) if part]
        pairs = [
            (word, asset)
            for word, asset in (
                ("".join(parts[:1]), "_".join(parts[1:])),
                ("".join(parts[:2]), "_".join(parts[2:])),
                ("".join(parts[-1:]), "_".join(parts[:-1])),
                ("".join(parts[-2:]), "_".join(parts[:-2])),
            )
            if asset
            and plain(word) in _WORDS
            and plain(asset) not in (*_WORDS, "adj", "adjusted", *_PASSED_OVER)
        ]
        if not pairs:
            return {}
        found[name] = pairs[-1] if plain(pairs[-1][0]) == "adjclose" else pairs[0]
    return found


def _of_pairs(table: Table, names: Mapping[Any, tuple[str, str]], *time: Name) -> Plan:
    """Columns named by field and asset, whichever stands first."""
    firsts = {plain(pair[0]) for pair in names.values()}
    turned = not any(word in _WORDS for word in firsts)
    assets: dict[str, dict[str, Name]] = {}
    ignored = []
    for name, pair in names.items():
        word, asset = (pair[1], pair[0]) if turned else pair
        what = _WORDS.get(plain(word))
        if what is None:
            ignored.append(" ".join(pair))
        else:
            assets.setdefault(asset or "A", {})[what] = name
    for asset, fields in assets.items():
        if "close" not in fields and "adj_close" in fields:
            fields["close"] = fields["adj_close"]
        if "close" not in fields:
            raise DataError(f"{table.where}: {asset} has no column of closes; it has {', '.join(fields)}")
    if not assets:
        raise DataError(f"{table.where}: the two header rows name no close; they are to be field and asset")
    return Plan("fields by asset", tuple(time), assets=assets, ignored=ignored)


def _headerless(table: Table) -> Plan:
    """Columns without names, known by their number and by highs and lows that contain the rest."""
    known = _HEADERLESS.get(len(table.names))
    if known is None or not _is_ohlc(table, known[1]):
        raise DataError(
            f"{table.where}: the first row is all values, and they are no bars of Binance, CCXT or MetaTrader; put the "
            "columns' names above it"
        )
    vendor, words = known
    named = dict(zip(words, table.names, strict=True))
    time = tuple(named[word] for word in ("opentime", "date", "time") if word in named)
    fields = {word: named[word] for word in (*PRICES, "volume")}
    rest = [word for word in words if word not in (*PRICES, "volume", "opentime", "date", "time")]
    return Plan("long", time, None, fields, ignored=rest, vendor=f"{vendor}, without names")


def _is_ohlc(table: Table, words: Sequence[str]) -> bool:
    for row in table.rows:
        cells = dict(zip(words, row, strict=True))
        try:
            one, high, low, two = (float(cells[word]) for word in PRICES)
        except ValueError:
            return False
        if not low <= min(one, two) <= max(one, two) <= high:
            return False
    return True


def _vendor(names: Sequence[str]) -> str:
    """Whose form the columns have, for the report."""
    words = {plain(name) for name in names}
    for vendor, needed in _VENDORS.items():
        if needed <= words:
            return vendor
    return ""


_VENDORS: Mapping[str, frozenset[str]] = {
    "Quandl's WIKI": frozenset(("exdividend", "splitratio", "adjclose")),
    "Alpha Vantage's": frozenset(("adjustedclose", "dividendamount", "splitcoefficient")),
    "Tiingo's": frozenset(("divcash", "splitfactor")),
    "Yahoo's": frozenset(("open", "high", "low", "close", "adjclose", "volume")),
    "yfinance's history": frozenset(("dividends", "stocksplits")),
    "Binance's klines": frozenset(("closetime", "takerbuyvolume")),
    "Polygon's": frozenset(("windowstart", "transactions")),
    "Alpaca's": frozenset(("tradecount", "vwap")),
    "MetaTrader's": frozenset(("tickvol", "spread")),
    "Stooq's": frozenset(("per", "openint")),
    "Nasdaq's": frozenset(("closelast",)),
    "Investing.com's": frozenset(("price", "vol", "change")),
    "Kraken's": frozenset(("vwap", "count")),
}
