"""Real bars that cannot be looked up: the statistics of a history, in an order and in numbers that never were.

What is kept of a history: its drift, its volatilities and how they cluster, its correlations, its fat tails, its gaps, ranges and
volumes. What is not: which day followed which. Each bar is new: the shocks of the history, made uncorrelated and freed of their
volatility, are drawn one by one, each component from a day of its own (filtered historical simulation, Barone-Adesi, Giannopoulos
and Vosper 1999, with independent draws), mixed by the correlations again and put on a volatility that follows the simulated path.
So no day's returns are in it to be matched, and whoever knows the whole history by heart knows nothing of the next bar that the
bars so far do not tell. All assets have one drift: which of them did well is no secret of the public's either.

An effect is planted (``edge`` in volatilities a bar; 0 for none): the strength of each asset against the others over
some bars goes on (momentum) or turns round (reversal). Which, and over how many bars, is drawn for each task and can be
learnt from the bars before a window, and only there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import FIELDS, Array, Bars
from mx_tasks.trading.market.corporate import action_table
from mx_tasks.trading.market.errors import DataError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import make_market
from mx_tasks.trading.market.windows import Span

DECAY = 0.94
"""Of the volatility's memory a bar (RiskMetrics 1996)."""
BACK = 0.2
"""What draws a volatility to its long-run level, against what has just happened."""
LEAST_BARS = 120
HORIZONS = (1, 2, 3)
LIMIT = 2.0
SETTLE = 60
"""Bars drawn and thrown away, so that no window begins at the history's own volatility."""
NEAR = 0.02
LARGEST = 0.6
BOUNDS = (0.1, 12.0)
"""Of a variance, in long-run ones."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What is planted: ``edge`` volatilities a bar for an asset whose strength over ``horizon`` bars is one; ``sign`` -1 turns it.

    Strength is that of the shocks, without what was expected, so that an effect does not feed itself.
    """

    edge: float
    horizon: int
    sign: int

    def drift(self, past: Array) -> Array:
        """Expected returns of the next bar from the shocks of past bars (newest last), all in volatilities.

        ``past`` has the shape (bars, paths, assets).
        """
        if not self.edge or len(past) < self.horizon:
            return np.zeros(past.shape[1:])
        strength = past[-self.horizon :].sum(axis=0) / np.sqrt(self.horizon)
        several = past.shape[2] > 1
        if several:
            strength = strength - strength.mean(axis=1, keepdims=True)
        drift: Array = self.sign * self.edge * np.clip(strength, -LIMIT, LIMIT)
        return drift - drift.mean(axis=1, keepdims=True) if several else drift


def drawn_effect(edge: float, rng: np.random.Generator) -> Effect:
    """An effect of that size, its horizon and sign by chance."""
    return Effect(edge, int(rng.choice(HORIZONS)), int(rng.choice([-1, 1])))


class Resampler:
    """Draws bars with the statistics of some rows of a history. Raises DataError for too few."""

    def __init__(self, history: History, span: Span) -> None:
        market = make_market(
            history.bars,
            Costs(half_spread=0.0),
            Rules(fill=history.fill),
            action_table(history.bars, history.actions),
        )
        rows = slice(span.start, span.stop)
        alive = np.asarray(np.isfinite(history.bars.close[rows]).all(axis=0))
        if len(span) < LEAST_BARS or not alive.any():
            raise DataError(
                f"{len(span)} bars of {int(alive.sum())} assets that last are too few to resample; give {LEAST_BARS} or more"
            )
        self.history = history
        self.span = span
        grown = market.grown(slice(span.start + 1, span.stop))[:, alive]
        self.returns: Array = np.log(np.maximum(grown, 1e-6))
        self._shapes = _shapes(history.bars, alive, rows, self.returns, market.before[rows][1:][:, alive])

    @property
    def assets(self) -> int:
        """Number of assets."""
        return int(self.returns.shape[1])

    @cached_property
    def volatility(self) -> Array:
        """Each asset's long-run volatility a bar."""
        found: Array = self.returns.std(axis=0)
        return np.maximum(found, 1e-9)

    @cached_property
    def drift(self) -> float:
        """The mean return a bar of all assets together, the same for each."""
        return float(np.expm1(self.returns).mean())

    @cached_property
    def _parts(self) -> tuple[Array, Array]:
        """The shocks, uncorrelated, of variance 1; and what mixes them again."""
        moves = self.returns - self.returns.mean(axis=0)
        filtered = moves / np.sqrt(_filtered(moves**2, self.volatility**2))
        correlation = np.atleast_2d(np.corrcoef(filtered, rowvar=False))
        values, vectors = np.linalg.eigh(correlation)
        root = vectors * np.sqrt(np.maximum(values, 1e-6)) @ vectors.T
        scale = filtered.std(axis=0)
        parts = (filtered / scale) @ np.linalg.inv(root)
        return (parts - parts.mean(axis=0)) / parts.std(axis=0), root

    def draw(self, bars: int, effect: Effect, rng: np.random.Generator) -> tuple[Bars, Array]:
        """So many bars, and the return expected of each by what came before (of the closes' shape). The first closes are 100."""
        drawn = self.draw_many(bars, effect, rng, 1)
        symbols = tuple(f"S{place:02d}" for place in range(self.assets))
        dates = _dates(self.history.bars.dates, bars, rng)
        columns = [drawn[name][0] for name in FIELDS]
        return Bars(dates, symbols, *columns), drawn["expected"][0]

    def draw_many(self, bars: int, effect: Effect, rng: np.random.Generator, paths: int) -> dict[str, Array]:
        """The same of several paths at once: the fields of bars, and ``expected``, of shape (paths, bars, assets)."""
        parts, root = self._parts
        count, shape = bars + SETTLE, (paths, self.assets)
        places = rng.integers(len(parts), size=(count, *shape))
        shocks = parts[places, np.arange(self.assets)] @ root.T
        level = self.volatility**2
        variance = np.broadcast_to(level, shape)
        news, moves, expected, risks = (np.zeros((count, *shape)) for _ in range(4))
        for bar in range(count):
            risks[bar] = risk = np.sqrt(variance)
            expected[bar] = effect.drift(news[max(0, bar - effect.horizon) : bar]) * risk
            news[bar] = shocks[bar]
            moved = np.clip(risk * shocks[bar], -LARGEST, LARGEST)
            moves[bar] = moved + expected[bar]
            surprise = moved**2 / level
            # a turbulent day is one for all: volatilities share a part of their path
            shared = 0.5 * surprise + 0.5 * surprise.mean(axis=1, keepdims=True)
            grown = DECAY * variance / level + (1 - DECAY) * (BACK + (1 - BACK) * shared)
            variance = level * np.clip(grown, *BOUNDS)
        gross = np.exp(moves - 0.5 * risks**2 + np.log1p(self.drift))[SETTLE:]
        found = self._columns(gross, (moves - expected)[SETTLE:], rng) | {"expected": expected[SETTLE:]}
        return {name: np.moveaxis(column, 0, 1) for name, column in found.items()}

    def _columns(self, gross: Array, shocks: Array, rng: np.random.Generator) -> dict[str, Array]:
        """Bars around the closes: gaps, ranges and volumes of days of the history that moved alike."""
        gross = gross.copy()
        gross[0] = 1.0
        close = np.asarray(100 * np.cumprod(gross, axis=0), dtype=np.float64)
        if self._shapes is None:
            return dict.fromkeys(FIELDS[:4], close) | {"volume": np.zeros_like(close)}
        order = np.argsort(self.returns, axis=0)
        like = np.empty(close.shape, dtype=np.intp)
        spread = max(1, int(NEAR * len(order)))
        for asset in range(self.assets):
            place = np.searchsorted(self.returns[order[:, asset], asset], shocks[..., asset])
            place = np.clip(place + rng.integers(-spread, spread + 1, place.shape), 0, len(order) - 1)
            like[..., asset] = order[place, asset]
        gap, above, below, volume = (shape[like, np.arange(self.assets)] for shape in self._shapes)
        before = np.concatenate([close[:1], close[:-1]])
        opened = np.asarray(before * np.exp(gap), dtype=np.float64)
        return {
            "open": opened,
            "high": np.maximum(opened, close) * np.exp(above),
            "low": np.minimum(opened, close) * np.exp(-below),
            "close": close,
            "volume": volume,
        }


def _filtered(squares: Array, first: Array) -> Array:
    """The variance expected of each bar by those before it."""
    variance = np.empty_like(squares)
    now = first
    for bar, each in enumerate(squares):
        variance[bar] = np.maximum(now, 0.05 * first)
        now = DECAY * now + (1 - DECAY) * each
    return variance


def _shapes(
    bars: Bars, alive: NDArray[np.bool_], rows: slice, returns: Array, before: Array
) -> tuple[Array, Array, Array, Array] | None:
    """Gap, range above and below, and volume at a price of 100, of each bar but the first; None of closes alone."""
    opened, high, low, close = (
        getattr(bars, name)[rows][1:, alive] for name in ("open", "high", "low", "close")
    )
    if (opened == close).all():
        return None
    gap = np.clip(np.log(np.maximum(before, 1e-6)), -0.5, 0.5)
    gap = np.sign(gap) * np.minimum(np.abs(gap), np.abs(returns) + returns.std(axis=0))
    above = np.log(high / np.maximum(opened, close))
    below = np.log(np.minimum(opened, close) / low)
    money = bars.volume[rows][1:, alive] * close
    return gap, np.maximum(above, 0.0), np.maximum(below, 0.0), money / 100


def _dates(dates: NDArray[np.datetime64], count: int, rng: np.random.Generator) -> NDArray[np.datetime64]:
    """So many dates with the history's steps between them, beginning at no date of it."""
    steps = np.diff(dates)
    while len(steps) < count:
        steps = np.concatenate([steps, np.diff(dates)])
    first = dates[0] + np.timedelta64(7 * int(rng.integers(-1500, 1500)), "D")
    found: NDArray[np.datetime64] = first + np.concatenate([steps[:1] * 0, np.cumsum(steps[: count - 1])])
    return found
