"""What a track on real bars shows beyond luck: the score of desks and strategy programs wherever no optimum is known.

A Sharpe ratio over equal weight pays for bets without a forecast: it has no scale, so that a hundred-millionth of the money may be
doubled after each loss and stopped after a win. What is measured here has the scale of the money:

1. All windows are pooled, bar by bar: what the track earned after costs, less what equal weight did, in units of equal weight's
   volatility in the bars before the window. The scale is known beforehand and no deed changes it.
2. The evidence is a bet against the hypothesis that the mean of that excess is at most m: the product of 1 + k (excess - m),
   averaged over a few k (Shafer 2021; Waudby-Smith and Ramdas 2023). If it is true, the product reaches 1 / a with a chance of at
   most a (Ville 1939), whatever the rule does with its sizes, stops and memory. The largest m that is refuted is the lower bound.
3. All strategies that are ever tried on the same bars share the 5 %: each of the first eight gets a sixteenth of it, the n-th
   after them 20 % / (n (n - 1)), so that with a chance of 95 % not one of them passes by luck. That is what White's reality check
   (2000), Hansen's test (2005) and the deflated Sharpe ratio (Bailey and Lopez de Prado 2014) ask for, here of trials that come
   one after another.
4. It is asked three times, and the least counts: of the track as it is; at the one exposure over all windows at which neither its
   volatility, its drawdown nor its tail is above equal weight's (never above 1); and against equal weight held at the
   track's own mean exposure, so that a falling market makes nobody skilful who only stays out of it.

The score is that lower bound a year: 1 says that at least one volatility of equal weight more than equal weight is certain, 0 that
nothing is shown. A track is passed if its score is above 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.metrics import STILL, drawdown, volatility

ALPHA = 0.05
EQUAL = 8
"""Trials that are held to one hurdle, so that their order says nothing; later ones face higher ones."""
BETS = (0.03, 0.06, 0.12, 0.25, 0.5)
"""Shares staked, in units of what an excess of one volatility multiplies."""
LEAST_EXPOSURE = 0.2
"""Mean size of all weights below which nothing is scored: who is hardly in the market shows nothing about it."""
TAIL = 0.05
_DEAD = 1e-12
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Track:
    """A window's returns after costs, those of equal weight, and what was known before: equal weight's volatility a bar.

    ``exposure`` is the mean of the sum of the sizes of the weights held.
    """

    returns: Array
    benchmark: Array
    risk: float
    exposure: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """``score`` is in [0, 1]; ``certain`` the lower bound it is made of, ``excess`` the estimate, both a year in volatilities.

    ``chance`` is at least the chance that a track without skill looks like this, with the trials counted; ``scale`` the exposure at
    which its risk is equal weight's.
    """

    score: float
    excess: float
    certain: float
    chance: float
    scale: float
    exposure: float

    @property
    def passed(self) -> bool:
        """Whether the score is above 0."""
        return self.score > 0

    def as_dict(self) -> dict[str, float]:
        """Figures for a grade's parts."""
        return {
            "excess": self.excess,
            "certain": self.certain,
            "chance": self.chance,
            "scale": self.scale,
        }


def weigh(tracks: Sequence[Track], year: float, trial: int = 1) -> Evidence:
    """The evidence in a strategy's windows; ``trial`` says the how many-th it is on these bars, ``year`` the bars a year."""
    own = np.concatenate([each.returns for each in tracks])
    benchmark = np.concatenate([each.benchmark for each in tracks])
    unit = np.concatenate([np.full(len(each.returns), each.risk) for each in tracks])
    exposure = sum(each.exposure * len(each.returns) for each in tracks) / len(own)
    scale = fair_scale(own, benchmark)
    excesses = [
        _units(excess, unit)
        for excess in (own - benchmark, scale * own - benchmark, own - exposure * benchmark)
    ]
    chances = [chance(each, trial) for each in excesses]
    bounds = [lower_bound(each, trial) for each in excesses]
    certain = min(bounds) * math.sqrt(year)
    enough = exposure >= LEAST_EXPOSURE
    return Evidence(
        score=round(min(1.0, max(0.0, certain)), 6) if enough else 0.0,
        excess=float(min(each.mean() for each in excesses)) * math.sqrt(year),
        certain=certain,
        chance=max(chances),
        scale=scale,
        exposure=exposure,
    )


def fair_scale(own: Array, benchmark: Array) -> float:
    """The exposure, at most 1, at which volatility, drawdown and tail of a track are at most the benchmark's."""
    pairs = (
        (volatility(own), volatility(benchmark)),
        (-drawdown(own), -drawdown(benchmark)),
        (_tail(own), _tail(benchmark)),
    )
    return min([1.0, *(other / mine for mine, other in pairs if mine > STILL)])


def share(trial: int) -> float:
    """The part of the 5 % that is the n-th trial's; all parts together are 1."""
    return 0.5 / EQUAL if trial <= EQUAL else 0.5 * EQUAL / (trial * (trial - 1))


def chance(excess: Array, trial: int = 1) -> float:
    """An upper bound of the chance of such evidence without skill, times the trials; at most 1."""
    return math.exp(min(0.0, -math.log(share(trial)) - log_evidence(excess, 0.0)))


def lower_bound(excess: Array, trial: int = 1) -> float:
    """The largest mean a bar that is refuted; 0 where not even 0 is."""
    wanted = -math.log(ALPHA * share(trial))
    if not len(excess) or log_evidence(excess, 0.0) < wanted:
        return 0.0
    low, high = 0.0, float(excess.mean())
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if log_evidence(excess, middle) >= wanted else (low, middle)
    return low


def log_evidence(excess: Array, mean: float) -> float:
    """The logarithm of what bets against a mean of at most ``mean`` have multiplied by."""
    grown = [float(np.log(np.maximum(1 + bet * (excess - mean), _DEAD)).sum()) for bet in BETS]
    best = max(grown)
    return best + math.log(sum(math.exp(each - best) for each in grown) / len(grown))


def _units(excess: Array, unit: Array) -> Array:
    """In units of a volatility; nothing where there was none."""
    found: Array = np.divide(excess, unit, out=np.zeros_like(excess), where=unit > STILL)
    return found


def _tail(returns: Array) -> float:
    """The mean loss of the worst twentieth of the bars."""
    count = max(1, int(len(returns) * TAIL))
    return -float(np.sort(returns)[:count].mean())
