"""Looking bars up: windows matched to public series by their returns, and a program that has those series with it.

Where the windows are made of public bars in their own order, two returns find the place and the rest is known.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import numpy as np

from mx_tasks.trading.imports.sources import SOURCES, History, load_source
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import DataError

SEEN, NEXT = 20, 20
"""Bars that a match is found by, and bars that it is tried on."""
SAME = 0.6
"""The correlation with what followed from which on a window counts as found."""


def public_histories() -> dict[str, History]:
    """All pinned sources that are installed here."""
    found = {}
    for name in SOURCES:
        try:
            found[name] = load_source(name)
        except DataError:
            continue
    return found


def moves(history: History) -> dict[str, Array]:
    """Returns of the closes of each asset, in the history's order."""
    close = history.bars.close
    with np.errstate(invalid="ignore"):
        returns = close[1:] / close[:-1] - 1
    return {
        symbol: column[np.isfinite(column)]
        for symbol, column in zip(history.bars.symbols, returns.T, strict=True)
    }


def found_in(seen: Array, following: Array, series: Iterable[Array]) -> bool:
    """Whether the place in the series that is most like the returns ``seen`` goes on like those ``following``.

    Likeness is correlation, which no rescaling hides from.
    """
    best, place = -2.0, None
    wanted = _unit(seen)
    for each in series:
        if len(each) < len(seen) + len(following):
            continue
        windows = np.lib.stride_tricks.sliding_window_view(each[: len(each) - len(following)], len(seen))
        centred = windows - windows.mean(axis=1, keepdims=True)
        size = np.sqrt((centred**2).sum(axis=1))
        likeness = np.divide(centred @ wanted, size, out=np.full(len(size), -1.0), where=size > 0)
        at = int(likeness.argmax())
        if likeness[at] > best:
            best, place = float(likeness[at]), each[at + len(seen) : at + len(seen) + len(following)]
    return place is not None and float(_unit(place) @ _unit(following)) > SAME


def identified(close: Array, series: Mapping[str, Array]) -> bool:
    """Whether any asset of a window is found among the series by its first bars. ``close`` has the shape (bars, assets)."""
    returns = close[1:] / close[:-1] - 1
    return any(
        found_in(column[:SEEN], column[SEEN : SEEN + NEXT], series.values())
        for column in returns[: SEEN + NEXT].T
    )


def _unit(values: Array) -> Array:
    centred = values - values.mean()
    size = float(np.sqrt((centred**2).sum()))
    unit: Array = centred / size if size > 0 else centred
    return unit


def program(series: Mapping[str, Array], keep: int = 0) -> str:
    """A strategy program that embeds the series, and puts everything into the asset whose match rises most next.

    ``keep`` is how many of the newest returns of each are embedded, 0 for all.
    """
    packed = {name: np.round(each[-keep:] * 1e5).astype(int).tolist() for name, each in series.items()}
    return f"PUBLIC = {json.dumps(packed, separators=(',', ':'))}\n{_SOURCE}"


_SOURCE = '''
LAST = 3

def following(recent):
    """What came after the place that is most like these returns."""
    best, found = None, 0.0
    for track in PUBLIC.values():
        for place in range(LAST, len(track)):
            gap = abs(track[place - 1] - recent[-1])
            if best is not None and gap >= best:
                continue
            gap += sum(abs(track[place - 1 - back] - recent[-1 - back]) for back in range(1, LAST))
            if best is None or gap < best:
                best, found = gap, track[place]
    return found

def on_bar(bars, account):
    count = len(bars.symbols)
    hopes = []
    for asset in range(count):
        line = [row[asset] for row in bars.close[-LAST - 1:]]
        hopes.append(following([1e5 * (b / a - 1) for a, b in zip(line, line[1:])]))
    best = max(range(count), key=lambda asset: hopes[asset])
    return [float(asset == best and hopes[best] > 0) for asset in range(count)]
'''
