"""What a track record says: return, risk, and how much of it may be luck.

``returns`` are simple returns per bar. A track that never moves has Sharpe, Sortino and Calmar ratio 0, not infinity: nothing was
risked and nothing shown. The definitions are those of empyrical; the tests hold them to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from mx_tasks.trading.market.bars import Array

STILL = 1e-12
_NORMAL = NormalDist()
_EULER = 0.5772156649015329


@dataclass(frozen=True, slots=True)
class Record:
    """Yearly figures of a track; drawdown is 0 or below, ``total`` the return over all bars."""

    total: float
    annual_return: float
    volatility: float
    sharpe: float
    sortino: float
    drawdown: float
    calmar: float

    def as_dict(self) -> dict[str, float]:
        """Plain values."""
        return asdict(self)


def record(returns: Array, year: float = 252.0) -> Record:
    """All figures of a track."""
    return Record(
        total=float(np.prod(1 + returns) - 1),
        annual_return=annual_return(returns, year),
        volatility=volatility(returns, year),
        sharpe=sharpe(returns, year),
        sortino=sortino(returns, year),
        drawdown=drawdown(returns),
        calmar=calmar(returns, year),
    )


def annual_return(returns: Array, year: float = 252.0) -> float:
    """Compound growth a year; -1 after ruin."""
    end = float(np.prod(1 + returns))
    return end ** (year / len(returns)) - 1 if end > 0 else -1.0


def volatility(returns: Array, year: float = 252.0) -> float:
    """Standard deviation a year; 0 for fewer than two bars."""
    return float(np.std(returns, ddof=1)) * math.sqrt(year) if len(returns) > 1 else 0.0


def sharpe(returns: Array, year: float = 252.0, risk: float | None = None) -> float:
    """Mean over standard deviation, a year; or over another ``risk`` a year."""
    risk = volatility(returns, year) if risk is None else risk
    return float(np.mean(returns)) * year / risk if risk > STILL else 0.0


def sortino(returns: Array, year: float = 252.0) -> float:
    """Mean over the root mean square of the losses, a year."""
    risk = math.sqrt(float(np.mean(np.minimum(returns, 0.0) ** 2)) * year)
    return float(np.mean(returns)) * year / risk if risk > STILL else 0.0


def drawdowns(returns: Array) -> Array:
    """At each bar, how far below its highest value so far the track is; the start counts."""
    value = np.concatenate([[1.0], np.cumprod(1 + returns)])
    below: Array = (value / np.maximum.accumulate(value) - 1)[1:]
    return below


def drawdown(returns: Array) -> float:
    """The deepest drawdown."""
    return float(min(0.0, drawdowns(returns).min()))


def calmar(returns: Array, year: float = 252.0) -> float:
    """Yearly return over the deepest drawdown."""
    deepest = drawdown(returns)
    return annual_return(returns, year) / -deepest if deepest < -STILL else 0.0


def turnover(state: Mapping[str, Any]) -> float:
    """The sizes of all trades of a desk's log, as shares of the value before each; both buying and selling count."""
    return float(np.abs(np.array(state["edited"]) - np.array(state["held"])).sum())


def cost_drag(state: Mapping[str, Any]) -> float:
    """What trading cost, selling at the end included, as shares of the value before each bar."""
    values, costs = np.array(state["values"], dtype=float), np.array(state["costs"], dtype=float)
    costs[-1] += state["liquidation"]
    return float((costs / np.maximum(values[:-1], 1e-12)).sum())


def exposure(state: Mapping[str, Any]) -> float:
    """The mean sum of the sizes of the weights held at the closes."""
    return float(np.abs(np.array(state["filled"])).sum(axis=1).mean())


def bootstrap_interval(
    values: Array, *, draws: int = 2000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """The percentile bootstrap interval of the median of independent values."""
    rng = np.random.default_rng(seed)
    medians = np.median(rng.choice(values, (draws, len(values))), axis=1)
    low, high = np.quantile(medians, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def deflated_sharpe(returns: Array, trials: int, spread: float) -> float:
    """The chance that the true Sharpe ratio is above what the best of so many trials without skill would show.

    Bailey and López de Prado (2014). ``spread`` is the standard deviation of the trials' Sharpe ratios per bar.
    """
    count = len(returns)
    deviation = float(np.std(returns, ddof=1)) if count > 1 else 0.0
    if deviation <= STILL:
        return 0.0
    ratio = float(np.mean(returns)) / deviation
    centred = (returns - np.mean(returns)) / np.std(returns)
    skew, kurtosis = float(np.mean(centred**3)), float(np.mean(centred**4))
    hurdle = 0.0
    if trials > 1:
        hurdle = spread * (
            (1 - _EULER) * _NORMAL.inv_cdf(1 - 1 / trials)
            + _EULER * _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
        )
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    return _NORMAL.cdf((ratio - hurdle) * math.sqrt(count - 1) / math.sqrt(max(variance, STILL)))
