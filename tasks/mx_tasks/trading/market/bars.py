"""Bars of several assets, checked: what a market is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.market.errors import DataError

Array = NDArray[np.float64]
PADDED_RUN = 5
"""Closes of a single asset that do not move, without any volume known, are filled in from this many on."""
FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Bars:
    """Raw (unadjusted) bars: arrays of shape (bars, assets), dates in ascending order, one symbol for each asset.

    ``dates`` are days, or seconds of UTC where there are several bars a day. ``extra`` holds further public columns by
    name, of shape (bars,), such as a visible regime. An asset's bars may be NaN before its listing and from its delisting
    on, and only there.
    """

    dates: NDArray[np.datetime64]
    symbols: tuple[str, ...]
    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array
    extra: dict[str, Array] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Number of bars."""
        return len(self.dates)

    def window(self, start: int, stop: int) -> Bars:
        """The bars from ``start`` up to but not including ``stop``, as views."""
        place = slice(start, stop)
        return replace(
            self,
            dates=self.dates[place],
            **{name: getattr(self, name)[place] for name in FIELDS},
            extra={name: column[place] for name, column in self.extra.items()},
        )


def close_only(dates: Sequence[str] | NDArray[np.datetime64], symbols: Sequence[str], close: Array) -> Bars:
    """Bars of data that have closes only: every price is the close, the volume 0 (unknown). Fill them at ``next_close``."""
    close = np.array(close, dtype=float)
    times = np.asarray(dates)
    if times.dtype.kind != "M":
        times = times.astype("datetime64[D]")
    if close.ndim == 1:
        close = close[:, None]
    return Bars(
        times,
        tuple(symbols),
        close,
        close,
        close,
        close,
        np.where(np.isfinite(close), 0.0, np.nan),
    )


def check_bars(bars: Bars, delisted: Sequence[int | None] = (), where: str = "the data") -> Bars:
    """The bars, if they can be right.

    ``delisted`` gives for each asset the row of its delisting, from where on nothing is checked; None for never. Raises DataError
    for shapes that differ, dates that repeat or go back, prices that are missing, infinite or not positive, volumes below 0, rows
    that only repeat the one before, and a high or low that does not contain open and close; the message names row, date, symbol
    and value.
    """
    shape = (bars.count, len(bars.symbols))
    if bars.count < 2 or not bars.symbols:
        raise DataError(f"{where} has {bars.count} bars of {len(bars.symbols)} assets; it needs 2 bars of 1")
    for name in FIELDS:
        if getattr(bars, name).shape != shape:
            raise DataError(f"{where}: {name} has the shape {getattr(bars, name).shape}, not {shape}")
    repeated = [symbol for symbol in bars.symbols if bars.symbols.count(symbol) > 1]
    if repeated:
        raise DataError(f"{where}: the symbol {repeated[0]!r} comes twice; give each asset its own")
    _check_dates(bars, where)
    alive = listed(bars)
    for asset, row in enumerate(delisted):
        if row is not None:
            alive[row:, asset] = False
    for name in ("close", *FIELDS):
        _check_column(bars, name, alive, where)
    _check_padding(bars, alive, where)
    top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    with np.errstate(invalid="ignore"):
        outside = alive & ((bars.high < top * (1 - 1e-9)) | (bars.low > bottom * (1 + 1e-9)))
    if outside.any():
        row, asset = (int(place) for place in np.argwhere(outside)[0])
        raise DataError(
            f"{_place(bars, row, asset, where)}: open {bars.open[row, asset]:g} and close {bars.close[row, asset]:g} are not "
            f"between low {bars.low[row, asset]:g} and high {bars.high[row, asset]:g}"
        )
    return bars


def listed(bars: Bars) -> NDArray[np.bool_]:
    """From which bar on each asset is there: its first close; shape (bars, assets)."""
    known = np.isfinite(bars.close)
    begun: NDArray[np.bool_] = np.maximum.accumulate(known, axis=0)
    begun[:, ~known.any(axis=0)] = True  # an asset without any close is a fault, not one that is to come
    return begun


def _check_dates(bars: Bars, where: str) -> None:
    if np.isnat(bars.dates).any():
        raise DataError(f"{where}, row {int(np.argmax(np.isnat(bars.dates)))}: the date is missing")
    steps = np.diff(bars.dates).astype(np.int64)
    wrong = np.flatnonzero(steps <= 0)
    if len(wrong):
        row = int(wrong[0]) + 1
        said = "repeats the row before" if steps[row - 1] == 0 else f"comes after {bars.dates[row - 1]}"
        raise DataError(f"{where}, row {row}: the date {bars.dates[row]} {said}; sort the rows, drop doubles")


def _check_column(bars: Bars, name: str, alive: NDArray[np.bool_], where: str) -> None:
    column = getattr(bars, name)
    with np.errstate(invalid="ignore"):
        good = np.isfinite(column) & ((column >= 0) if name == "volume" else (column > 0))
    bad = alive & ~good
    if bad.any():
        row, asset = (int(place) for place in np.argwhere(bad)[0])
        wanted = "0 or more" if name == "volume" else "above 0"
        raise DataError(
            f"{_place(bars, row, asset, where)}: {name} is {column[row, asset]}, not a finite number {wanted}; drop the row, or "
            "say with a delisting that the asset ends there"
        )


def _check_padding(bars: Bars, alive: NDArray[np.bool_], where: str) -> None:
    """Refuse rows that were filled in: no volume where there is some otherwise, and all prices those of the close before.

    Where no volume is known: no price of several assets moves, or the only one does not for a week. Within a day a minute
    without a trade is usual.
    """
    if bars.dates.dtype != np.dtype("datetime64[D]"):
        return
    same = np.zeros_like(alive)
    prices = (bars.open, bars.high, bars.low, bars.close)
    same[1:] = alive[1:] & np.logical_and.reduce([price[1:] == bars.close[:-1] for price in prices])
    traded = (bars.volume > 0).any(axis=0)
    padded = same & traded & (bars.volume == 0)
    if not traded.any():
        still: NDArray[Any] = np.all(same | ~alive, axis=1) & np.any(same, axis=1)
        still &= (alive.sum(axis=1) > 1) | (len(bars.symbols) == 1)
        if len(bars.symbols) == 1:
            still = np.convolve(still, np.ones(PADDED_RUN))[: bars.count] >= PADDED_RUN
        padded = same & still[:, None]
    if padded.any():
        row, asset = (int(place) for place in np.argwhere(padded)[0])
        raise DataError(
            f"{_place(bars, row, asset, where)}: the row is padded: it only repeats the close before, "
            f"{bars.close[row, asset]:g}, without a trade; drop it"
        )


def _place(bars: Bars, row: int, asset: int, where: str) -> str:
    return f"{where}, row {row} ({bars.dates[row]}, {bars.symbols[asset]})"
