"""What a numeric policy sees of bars: numbers that know the bars up to theirs and nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.market.bars import Array, Bars
from mx_tasks.trading.market.simulator import Market

LOOKBACKS = (1, 5, 20)
WARMUP = 20


def price_features(bars: Bars) -> NDArray[np.float32]:
    """For each bar and asset the log returns over 1, 5 and 20 bars, in units of what 20 bars' volatility makes usual.

    Shape (bars, 3 x assets). In raw prices a split looks like a fall: see :func:`market_features`. Gaps
    after a delisting are 0.
    """
    close: Array = np.log(np.where(np.isfinite(bars.close), bars.close, 1.0))
    moves = np.zeros_like(close)
    moves[1:] = np.diff(close, axis=0)
    usual = np.sqrt(_trailing_sum(moves**2, WARMUP) / WARMUP) + 1e-4
    columns = [_trailing_sum(moves, bars_back) / (usual * bars_back**0.5) for bars_back in LOOKBACKS]
    seen: NDArray[np.float32] = np.clip(np.concatenate(columns, axis=1), -10, 10).astype(np.float32)
    return seen


def market_features(market: Market) -> NDArray[np.float32]:
    """The same of a market, in which splits, dividends and delistings are no moves of the price."""
    if market.table is None:
        return price_features(market.bars)
    grown = market.grown(slice(0, market.bars.count))
    worth = np.cumprod(np.where(grown > 0, grown, 1.0).astype(np.float64), axis=0, dtype=np.float64)
    return price_features(replace(market.bars, close=worth))


def _trailing_sum(values: Array, bars: int) -> Array:
    """Sums of the last so many rows, added up in the same order whatever comes after."""
    total = values.copy()
    for back in range(1, bars):
        total[back:] += values[:-back]
    return total
