"""More files of bars: those that were read as something else without a word, and neighbours that are to be read as they are.

``bar_files.py`` writes them beside its own.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from bar_files import DAY, ISO, OHLCV, BarFile, Truth, at, lines, none, truth
from bar_files import _by as by

HEAD = "Date,Open,High,Low,Close,Volume"
COUNTED = {
    "days since 1970": (DAY, 0, 1, "days since 1970"),
    "days since 1904, as old Macs count": (DAY, 24_107, 1, "counted from another day"),
    "modified Julian days": (DAY, 40_587, 1, "is no date"),
    "MATLAB's days": (DAY, 719_529, 1, "is no date"),
    "Julian days": (DAY, 2_440_588, 1, "is no date"),
    "seconds since 1900": (1, 2_208_988_800, 1, "is no date"),
    "seconds since 1980": (1, -315_964_800, 1, "counted from another day"),
    "seconds since 2001": (1, -978_307_200, 1, "counted from another day"),
    "NET's ticks": (1, 62_135_596_800, 10**7, "since the year 1"),
    "Windows' file times": (1, 11_644_473_600, 10**7, "since 1601"),
    "microseconds since 1601": (1, 11_644_473_600, 10**6, "is no date"),
    "minutes since 1970": (60, 0, 1, "is no date"),
}
"""Times by how many seconds are one, what is added, what it is multiplied by, and what is said of them."""
LANGUAGES = {
    "Chinese": "date,开盘,最高,最低,收盘,成交量",
    "German": "Date,Eröffnung,Hoch,Tief,Schluss,Umsatz",
    "Spanish": "date,apertura,maximo,minimo,cierre,volumen",
    "French": "date,ouverture,plus haut,plus bas,cloture,echanges",
    "Russian": "date,откр,макс,мин,закр,объем",
    "Italian": "date,apertura,massimo,minimo,chiusura,volume",
    "codes": "date,p1,p2,p3,p4,p5",
}


def mistaken() -> Iterator[BarFile]:
    """All of them."""
    for made in (other_counts, east_of_utc, unknown_names, no_closes, assets_in_blocks, layouts):
        yield from made()


def stamped(known: Truth, name: str, stamps: list[str], refused: str = "", **options: str) -> BarFile:
    """Bars under those stamps."""
    rows = [[stamp, *known.row(bar).values()] for bar, stamp in enumerate(stamps)]
    intraday = bool((known.seconds % DAY).any())
    return BarFile(name, lines(HEAD, rows), known, options=options, refused=refused, intraday=intraday)


def other_counts() -> Iterator[BarFile]:
    """Times counted from elsewhere, or by another clock, than those that are read."""
    known, hours = truth(), truth("hours", 120)
    for name, (unit, added, times, said) in COUNTED.items():
        stamps = [str((int(second) // unit + added) * times) for second in known.seconds]
        yield stamped(known, name, stamps, said)
    midnight = [str(int(second % DAY) * 1000) for second in truth("minutes", 300).seconds]
    yield stamped(truth("minutes", 300), "milliseconds since midnight", midnight, "is no date")
    digits = [at(int(second)).strftime("%Y%m%d%H") for second in hours.seconds]
    yield stamped(hours, "digits down to the hour", digits)
    spaced = [at(int(second)).strftime("%Y%m%d  %H:%M:%S") for second in hours.seconds]
    yield stamped(hours, "Interactive Brokers' two spaces", spaced)
    years = Truth(np.linspace(-19 * 365, 50 * 365, 70).astype(int) * DAY, ("A",), truth(count=70).values, 1.0)
    yield stamped(
        years, "Excel's days of seventy years", [str(int(second) // DAY + 25_569) for second in years.seconds]
    )
    always = truth("all days", 120)
    yield stamped(
        always, "Excel's days, weekends too", [str(int(second) // DAY + 25_569) for second in always.seconds]
    )


def east_of_utc() -> Iterator[BarFile]:
    """Days that begin east of UTC, told in UTC: the day before."""
    known, minutes = truth(), truth("minutes", 300)
    for place, ahead in (("Europe/Berlin", 1), ("Asia/Tokyo", 9)):
        epochs = [str(int(second) - ahead * 3600) for second in known.seconds]
        texts = [at(int(second) - ahead * 3600).strftime("%Y-%m-%dT%H:%M:%SZ") for second in known.seconds]
        for what, stamps in (("epochs", epochs), ("Z", texts)):
            yield stamped(known, f"midnights of {place}, {what}", stamps, "say timezone=")
            yield stamped(known, f"midnights of {place}, {what}, as told", stamps, timezone=place)
    sundays = Truth(known.seconds - DAY, known.symbols, known.values, known.year)
    yield stamped(
        sundays, "Sunday to Thursday, as told", [str(int(s)) for s in sundays.seconds], timezone="UTC"
    )
    yield stamped(sundays, "Sunday to Thursday, written", [ISO(at(int(s))) for s in sundays.seconds])
    epochs = [str(int(second)) for second in minutes.seconds]
    yield stamped(
        minutes, "epochs by the minute, of a place", epochs, "has no use here", timezone="America/New_York"
    )


def unknown_names() -> Iterator[BarFile]:
    """Bars under names that are not known: fields that were taken for assets."""
    known = truth()
    rows = by(known, OHLCV, none, ISO)
    for name, head in LANGUAGES.items():
        yield BarFile(f"names in {name}", lines(head, rows), known, refused="price='COLUMN'")
    three = [[row[0], row[2], row[3], row[4]] for row in rows]
    yield BarFile(
        "three unknown names", lines("date,maks,mn,zam", three), known, refused="highs, lows and closes"
    )
    closes = ("close",)
    yield BarFile(
        "an unknown name, as told", lines("date,maks,mn,zam", three), known, closes, options={"price": "zam"}
    )
    both = [[row[0], row[4], row[5]] for row in rows]
    for head in ("date,kurs,umsatz", "date,AAPL,AAPL_volume", "date,AAPL,aapl vol"):
        yield BarFile(f"volumes as {head[5:]}", lines(head, both), known, refused="moves like a volume")
    twice = [[*row, f"{float(row[4]) / 2:.2f}"] for row in rows]
    yield BarFile(
        "two closes of one name", lines(HEAD + ",close", twice), known, refused="are each a column of closes"
    )


def no_closes() -> Iterator[BarFile]:
    """Wide tables with columns that are no asset's, and such that only look so."""
    known = truth(assets=3)
    rows = [
        [ISO(at(int(s))), *(f"{each:.2f}" for each in known.values["close"][bar])]
        for bar, s in enumerate(known.seconds)
    ]
    head, names, closes = "date,AAPL,MSFT,XOM", ("AAPL", "MSFT", "XOM"), ("close",)
    counted = [[str(bar + 1), *row] for bar, row in enumerate(rows)]
    yield BarFile("rows counted from one", lines("," + head, counted), known, closes, names)
    yield BarFile("rows counted under a name", lines("id," + head, counted), known, refused="counts the rows")
    days = [[*row, str(bar % 5 + 1)] for bar, row in enumerate(rows)]
    yield BarFile("days of the week", lines(head + ",dow", days), known, refused="moves like a volume")
    whole = Truth(known.seconds, known.symbols, {"close": np.round(known.values["close"] * 50)}, known.year)
    cells = [
        [row[0], *(str(int(each)) for each in whole.values["close"][bar])] for bar, row in enumerate(rows)
    ]
    yield BarFile("closes in whole numbers", lines(head, cells), whole, closes, names)
    wild = np.round(np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.25, (60, 3)), axis=0)) * 100, 2)
    coins = Truth(known.seconds, known.symbols, {"close": wild}, known.year)
    cells = [[row[0], *(f"{each:.2f}" for each in wild[bar])] for bar, row in enumerate(rows)]
    yield BarFile("wild assets", lines(head, cells), coins, closes, names)
    near = np.round(100 + np.random.default_rng(4).normal(0, 0.4, (60, 3)), 2)
    pegs = Truth(known.seconds, known.symbols, {"close": near}, known.year)
    cells = [[row[0], *(f"{each:.2f}" for each in near[bar])] for bar, row in enumerate(rows)]
    yield BarFile("assets near each other", lines(head, cells), pegs, closes, names)


def assets_in_blocks() -> Iterator[BarFile]:
    """Assets one behind the other, named by a column that is not known: they were one asset."""
    known = truth()
    rows = by(known, OHLCV, none, ISO)
    for column, first, second in (
        ("stock_id", "AAPL", "MSFT"),
        ("Company", "Apple", "Exxon"),
        ("contract", "ESH9", "ESM9"),
        ("gvkey", "1690", "12141"),
        ("permno", "14593", "10107"),
        ("RIC", "AAPL.O", "MSFT.O"),
    ):
        blocks = [[*row, first if bar < 30 else second] for bar, row in enumerate(rows)]
        yield BarFile(
            f"blocks by {column}", lines(f"{HEAD},{column}", blocks), known, refused=f"say symbol={column!r}"
        )
        one = [[*row, first] for row in rows]
        yield BarFile(f"one {column}", lines(f"{HEAD},{column}", one), known)
    shares = [[*row, "18000000" if bar < 30 else "17000000"] for bar, row in enumerate(rows)]
    yield BarFile("shares outstanding", lines(HEAD + ",Shares Outstanding", shares), known)
    months = [[*row, at(int(known.seconds[bar])).strftime("%B")] for bar, row in enumerate(rows)]
    yield BarFile("names of months", lines(HEAD + ",Month", months), known)


def layouts() -> Iterator[BarFile]:
    """Headers as spreadsheets merge their cells; a comma that may be of thousands; the line that tells the separator."""
    known, one = truth(assets=3), truth()
    symbols, closes = ("AAPL", "MSFT", "XOM"), ("close",)
    rows = [
        [ISO(at(int(s))), *(f"{each:.2f}" for each in known.values["close"][bar])]
        for bar, s in enumerate(known.seconds)
    ]
    yield BarFile("a merged header", lines(",Close,,\nDate,AAPL,MSFT,XOM", rows), known, closes, symbols)
    yield BarFile(
        "a merged header of three rows",
        lines("Price,Close,,\nTicker,AAPL,MSFT,XOM\nDate,,,", rows),
        known,
        closes,
        symbols,
    )
    many = [
        [row[0], *(cell for asset in range(3) for cell in known.row(bar, asset).values())]
        for bar, row in enumerate(rows)
    ]
    head = ",".join(["", *(cell for name in symbols for cell in (name, "", "", "", ""))])
    below = ",".join(["Dates", *["PX_OPEN,PX_HIGH,PX_LOW,PX_LAST,PX_VOLUME"] * 3])
    yield BarFile("Bloomberg's merged header", lines(f"{head}\n{below}", many), known, symbols=symbols)
    plain = by(one, OHLCV, none, ISO)
    yield BarFile("the separator told", "sep=;\n" + lines(HEAD.replace(",", ";"), plain, ";"), one)
    yield BarFile(
        "the separator told, Windows' lines", ("sep=,\n" + lines(HEAD, plain)).replace("\n", "\r\n"), one
    )
    small = [[row[0], "1" if bar % 17 == 0 else f"1,{100 + bar}"] for bar, row in enumerate(plain)]
    yield BarFile("commas and a whole number", lines("Date;Close", small, ";"), one, refused="say decimal=")
    large = np.round(1000 + 20 * np.sin(np.arange(60.0)))[:, None]
    round_ = Truth(one.seconds, one.symbols, {"close": large}, one.year)
    cells = [[row[0], f'"{int(large[bar, 0]):,}"'] for bar, row in enumerate(plain)]
    yield BarFile("thousands from time to time", lines("Date,Close", cells), round_, closes)
