"""How likely it is that the best of several tracks was only the luckiest (Bailey, Borwein, Lopez de Prado and Zhu 2015)."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.metrics import STILL

BLOCKS = 12


def overfitting(returns: Array, blocks: int = BLOCKS) -> float:
    """The probability of backtest overfitting of choosing the highest Sharpe ratio, by CSCV.

    ``returns`` has a column for each track. The bars are cut into ``blocks`` blocks; of each half of them the best column
    is looked at in the other half: the share of halves in which it is not above the median there. About 0.5 where all
    are luck, 0 where the best one is always it.

    Raises TradingError for fewer than 2 tracks, fewer than 2 bars a block, or an odd number of blocks.
    """
    bars, tracks = returns.shape
    if tracks < 2 or blocks < 2 or blocks % 2 or bars < 2 * blocks:
        raise TradingError(
            f"{tracks} tracks of {bars} bars are too few, or {blocks} is no even number of blocks"
        )
    parts = np.array_split(returns, blocks)
    sums, squares = (np.array([(part**power).sum(axis=0) for part in parts]) for power in (1, 2))
    counts = np.array([len(part) for part in parts])
    halves = list(combinations(range(blocks), blocks // 2))
    chosen = np.zeros((len(halves), blocks))
    for place, half in enumerate(halves):
        chosen[place, list(half)] = 1.0
    before, after = (_ratios(mask, sums, squares, counts) for mask in (chosen, 1 - chosen))
    best = before.argmax(axis=1)
    found = np.take_along_axis(after, best[:, None], axis=1)
    worse = (after < found - STILL).sum(axis=1) + 0.5 * ((np.abs(after - found) <= STILL).sum(axis=1) - 1)
    return float(np.mean(worse / (tracks - 1) <= 0.5))


def _ratios(mask: Array, sums: Array, squares: Array, counts: Array) -> Array:
    """The Sharpe ratio a bar of each track in the blocks of each mask; 0 for a track that never moves."""
    number = (mask @ counts)[:, None]
    mean = mask @ sums / number
    deviation = np.sqrt(np.maximum(mask @ squares / number - mean**2, 0.0))
    ratios: Array = np.divide(mean, deviation, out=np.zeros_like(mean), where=deviation > STILL)
    return ratios
