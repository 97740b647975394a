"""Series of several assets side by side: who is listed when, who ends, and which rows lack a bar of one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import DataError

MOST_DROPPED = 0.1
"""The share of rows that may be left out for gaps without being told to."""


@dataclass(frozen=True, slots=True)
class Series:
    """One asset's rows in the order of time: times, and a column of numbers for each field."""

    times: NDArray[np.datetime64]
    fields: Mapping[str, Array]


@dataclass(frozen=True, slots=True)
class Panel:
    """Arrays (bars, assets) by field, NaN where an asset has no bar; what was left out, in words."""

    times: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    fields: Mapping[str, Array]
    said: str
    late: tuple[tuple[str, str], ...]
    """Assets that begin after the first bar, and when."""
    ended: tuple[tuple[str, str, float], ...]
    """Assets that end before the last bar: their first bar without a quote, and their last close."""


def panel_of(
    series: Mapping[str, Series], where: str, gaps: str | None = None, keep_order: bool = False
) -> Panel:
    """The panel. An asset is not there before its first and after its last bar; a row inside that lacks one is left out.

    Raises DataError where that would leave out more than a tenth of the rows and ``gaps`` is not ``drop``.
    """
    if gaps not in (None, "drop"):
        raise DataError(f"gaps is 'drop', or not given, not {gaps!r}")
    symbols = tuple(series) if keep_order else tuple(sorted(series))
    times = np.unique(np.concatenate([each.times for each in series.values()]))
    there = np.zeros((len(times), len(symbols)), dtype=bool)
    for place, symbol in enumerate(symbols):
        there[np.searchsorted(times, series[symbol].times), place] = True
    first, last = there.argmax(axis=0), len(times) - 1 - there[::-1].argmax(axis=0)
    rows = np.arange(len(times))[:, None]
    lacking = (rows >= first) & (rows <= last) & ~there
    whole = ~lacking.any(axis=1) & there.any(axis=1)
    said = _dropped(whole, lacking, times, symbols)
    if (~whole).mean() > MOST_DROPPED and gaps is None:
        raise DataError(f"{where}: {said}; say gaps='drop' to go on without those rows (--gaps drop)")
    kept = times[whole]
    if len(kept) < 2:
        raise DataError(f"{where}: the symbols {', '.join(symbols)} share {len(kept)} dates; 2 are needed")
    fields = {}
    for name in next(iter(series.values())).fields:
        column = np.full(there.shape, np.nan)
        for place, symbol in enumerate(symbols):
            column[np.searchsorted(times, series[symbol].times), place] = series[symbol].fields[name]
        fields[name] = column[whole]
    return _bounded(kept, symbols, fields, said, where)


def _dropped(
    whole: NDArray[np.bool_],
    lacking: NDArray[np.bool_],
    times: NDArray[np.datetime64],
    symbols: Sequence[str],
) -> str:
    """Which rows are left out and why."""
    count = int((~whole).sum())
    if not count:
        return "no row is left out"
    row, asset = (int(place) for place in np.argwhere(lacking)[0])
    counts = lacking.sum(axis=0)
    worst = int(counts.argmax())
    return (
        f"{count} of {len(times)} rows are left out because an asset that is listed has no bar there: most often {symbols[worst]} "
        f"({int(counts[worst])} times), first {symbols[asset]} on {times[row]}"
    )


def _bounded(
    times: NDArray[np.datetime64],
    symbols: tuple[str, ...],
    fields: Mapping[str, Array],
    said: str,
    where: str,
) -> Panel:
    """The panel with who begins late and who ends early. Raises DataError for an asset with less than two bars."""
    close = fields["close"]
    known = np.isfinite(close)
    late: list[tuple[str, str]] = []
    ended: list[tuple[str, str, float]] = []
    for place, symbol in enumerate(symbols):
        rows = np.flatnonzero(known[:, place])
        if len(rows) < 2:
            raise DataError(
                f"{where}: {symbol} has {len(rows)} bars among the rows that are left; it needs 2: leave it out"
            )
        if rows[0]:
            late.append((symbol, str(times[rows[0]])))
        if rows[-1] < len(times) - 1:
            ended.append((symbol, str(times[rows[-1] + 1]), float(close[rows[-1], place])))
    return Panel(times, symbols, fields, said, tuple(late), tuple(ended))
