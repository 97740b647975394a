"""What may be wrong with bars that can be right: told, never mended."""

from __future__ import annotations

import numpy as np

from mx_tasks.trading.market.bars import Array, Bars
from mx_tasks.trading.market.corporate import Action

SPIKE = np.log(1.8)
BACK = 0.6
"""The share of a spike that the next bar takes back."""
RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0, 100.0)
NEAR = 0.06
SURVIVORS = 5
MANY_YEARS = 3.0
MOST = 3
"""Places named for each kind."""


def doubts(bars: Bars, actions: tuple[Action, ...], years: float) -> list[str]:
    """Spikes of one bar, splits that were not adjusted for, and panels of survivors alone, in words."""
    close = bars.close
    with np.errstate(invalid="ignore"):
        moved: Array = np.diff(np.log(close), axis=0)
    split = {(action.symbol, action.date[:10]) for action in actions if action.kind == "split"}
    spikes, splits = [], []
    for row, asset in np.argwhere(np.abs(np.nan_to_num(moved)) > np.log(1.42)).tolist():
        where = f"{bars.symbols[asset]} on {bars.dates[row + 1]}"
        move = float(moved[row, asset])
        after = moved[row + 1, asset] if row + 1 < len(moved) else np.nan
        if abs(move) > SPIKE and np.isfinite(after) and after * move < 0 and abs(after) > BACK * abs(move):
            spikes.append(f"{where} ({np.exp(move):.3g} times, and back)")
        elif row and moved[row - 1, asset] * move < 0 and abs(moved[row - 1, asset]) > BACK * abs(move):
            continue  # the way back of a spike
        elif (bars.symbols[asset], str(bars.dates[row + 1])[:10]) not in split and _is_ratio(move):
            splits.append(f"{where} ({np.exp(move):.3g} times)")
    found = []
    if spikes:
        found.append(f"a spike of one bar: {_some(spikes)}; a wrong price?")
    if splits:
        found.append(
            f"a jump like a split's: {_some(splits)}; give the splits with actions=, or adjusted prices"
        )
    ends = any(action.kind == "delisting" for action in actions)
    if len(bars.symbols) >= SURVIVORS and years >= MANY_YEARS and not ends:
        found.append(
            f"none of the {len(bars.symbols)} assets ends in {years:.0f} years: survivors alone, "
            "which earns more than anybody could"
        )
    return found


def _is_ratio(move: float) -> bool:
    return any(abs(abs(move) - float(np.log(ratio))) < NEAR for ratio in RATIOS)


def _some(places: list[str]) -> str:
    more = len(places) - MOST
    return ", ".join(places[:MOST]) + (f" and {more} more" if more > 0 else "")
