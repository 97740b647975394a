"""Corporate actions: splits, dividends and delistings beside raw prices.

Adjusted histories leak: AAPL's close of 2000-03-01 reads 4.19 in one that knows the splits to come, and 130.31 in what people saw.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mx_tasks.trading.market.bars import Array, Bars
from mx_tasks.trading.market.errors import DataError

Kind = Literal["split", "dividend", "delisting"]
KINDS = ("split", "dividend", "delisting")


@dataclass(frozen=True, slots=True)
class Action:
    """What happens to one asset before the open of ``date``.

    ``value``: new shares for one old share (split), money for each share held at the close before (dividend), money for each share
    at which holdings end (delisting; 0 for worthless).
    """

    date: str
    symbol: str
    kind: Kind
    value: float


@dataclass(frozen=True, slots=True)
class ActionTable:
    """The actions as arrays of shape (bars, assets); ``delisted`` is each asset's row of delisting, None for never."""

    split: Array
    dividend: Array
    recovery: Array
    delisted: tuple[int | None, ...]

    @property
    def plain(self) -> bool:
        """Whether nothing ever happens."""
        return bool(
            (self.split == 1).all() and not self.dividend.any() and all(row is None for row in self.delisted)
        )


def action_table(bars: Bars, actions: Iterable[Action] = ()) -> ActionTable:
    """Lay the actions on the bars. Raises DataError for an unknown symbol or kind, a date without a bar, an impossible value."""
    shape = (bars.count, len(bars.symbols))
    split, dividend, recovery = np.ones(shape), np.zeros(shape), np.zeros(shape)
    delisted: list[int | None] = [None] * len(bars.symbols)
    rows = {str(date): row for row, date in enumerate(bars.dates)}
    for row in range(bars.count - 1, -1, -1):  # a day's actions come before its first bar
        rows[str(bars.dates[row])[:10]] = row
    for action in actions:
        row, asset = _place(action, bars, rows)
        if action.kind == "split":
            split[row, asset] *= action.value
        elif action.kind == "dividend":
            dividend[row, asset] += action.value
        else:
            recovery[row, asset] = action.value
            delisted[asset] = row
    return ActionTable(split, dividend, recovery, tuple(delisted))


def _place(action: Action, bars: Bars, rows: dict[str, int]) -> tuple[int, int]:
    if action.symbol not in bars.symbols:
        raise DataError(f"{action}: there is no asset {action.symbol!r}; there are {', '.join(bars.symbols)}")
    if action.kind not in KINDS:
        raise DataError(f"{action}: {action.kind!r} is none of {', '.join(KINDS)}")
    row = rows.get(action.date) or rows.get(str(np.datetime64(action.date, "D")), 0)
    if not row:
        raise DataError(f"{action}: there is no bar of that date after the first one")
    good = np.isfinite(action.value) and (action.value > 0 if action.kind == "split" else action.value >= 0)
    if not good:
        raise DataError(f"{action}: {action.value} is no value for a {action.kind}")
    return row, bars.symbols.index(action.symbol)
