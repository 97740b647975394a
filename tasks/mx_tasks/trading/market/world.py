"""What a world is: a market drawn from known laws, whose best way to trade the project can compute.

There is no gap between a close and the next open: what a decision is worth depends on the state, the weights held and the target
alone. Worlds of few outcomes and logarithmic growth are in ``finite.py``; other laws need only be :class:`Playable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from mx_tasks.trading.market.bars import Array, Bars
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market, make_market

Outcomes = tuple[Array, Array, Array]
"""For each of the states asked: the chance, the return of the asset or of each asset, and the next state, of
each outcome."""

DAY = np.datetime64("2001-01-01")


class Playable(Protocol):
    """What task sets and environments need of a world; states are numbers or rows of numbers, returns one number for each asset.

    Of one path ``states`` has the shape (bars,) or (bars, numbers), ``returns`` (bars,) or (bars, assets); of several paths, one
    axis more.
    """

    @property
    def name(self) -> str:
        """Its name in task sets."""

    @property
    def level(self) -> int:
        """Its place on the ladder; 0 where nothing can be earned."""

    @property
    def about(self) -> str:
        """Its laws, as traders are told them."""

    @property
    def goal(self) -> str:
        """What is maximised, such as ``log growth``."""

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its assets."""

    @property
    def costs(self) -> Costs:
        """What trading costs."""

    @property
    def rules(self) -> Rules:
        """What is allowed."""

    @property
    def shown(self) -> tuple[str, ...]:
        """The public columns that hold the state; empty where traders have to infer it."""

    @property
    def kept(self) -> Array:
        """Positions (positions, assets) that whoever never looks could take and keep, cash among them; what earns 0 is the
        best of them, so that there have to be the widest, and enough between."""

    def path(self, rng: np.random.Generator, bars: int) -> tuple[Array, Array]:
        """A path: the states at each bar, and the returns of each bar (0 for the first)."""

    def paths(self, rngs: Sequence[np.random.Generator], bars: int) -> tuple[Array, Array]:
        """Paths, each from random numbers of its own."""

    def market(self, states: Array, returns: Array) -> Market:
        """The market of a path."""

    def features(self, states: Array, returns: Array) -> Array:
        """What a numeric policy sees at each bar of a path; shape (bars, features)."""

    def penalty(self, target: Array) -> Any:
        """What risk costs in terms of the goal, beside what is earned: by the target weights on the last axis."""

    def expected(self, states: Array, held: Array, target: Array) -> Array:
        """What trading from the weights held to the target is expected to earn in one bar; of several paths."""

    def carried(self, held: Array, target: Array, moved: Array) -> Array:
        """The weights that are held after a bar, of several paths."""

    def sold(self, held: Array) -> Array:
        """What selling all at the end adds to what was earned: 0 or less, of several paths."""

    def solve(self, bars: int) -> Best:
        """The best way to trade for so many decisions, all being sold at the end."""


HEADLINES = {
    "no-edge": "a fair coin, nothing to earn",
    "regime": "two regimes, visible",
    "mean-reversion": "a price that is pulled back to its anchor, at a cost",
    "hidden-regime": "two regimes, to be told from returns",
    "pairs": "two cointegrated assets, long and short",
    "linear-quadratic": "fading signals and quadratic costs",
    "bootstrap": "real returns in a new order, with an edge put in",
    "bootstrap-no-edge": "real returns in a new order, nothing to earn",
}
"""Worlds in a few words."""


def headline(world: Playable) -> str:
    """A world in a few words; of one that has none here, its name."""
    return HEADLINES.get(world.name, world.name)


class Best(Protocol):
    """A world's optimum."""

    @property
    def a_year(self) -> float:
        """What it can be expected to earn in a year, starting in cash."""

    def value(self, state: Any) -> float:
        """What it can be expected to earn from a state on, starting in cash."""

    def choose(self, made: int, state: Any, held: Array) -> Array:
        """The best target weights, with ``made`` decisions made before."""

    def shorts(self, made: int, states: Array, held: Array, targets: Array) -> Array:
        """How much less than the best targets these can be expected to earn, 0 or more; ``states`` has a row for each, ``held`` and
        ``targets`` are (rows, assets)."""


class Finite(Protocol):
    """What the solvers need of a world of few outcomes; see :class:`mx_tasks.trading.market.finite.World`."""

    @property
    def states(self) -> Array:
        """The grid of its states."""

    @property
    def start(self) -> tuple[float, ...]:
        """The states in which a path may begin."""

    @property
    def outcomes(self) -> Callable[[Array], Outcomes]:
        """What can happen next from each of the states asked."""

    @property
    def costs(self) -> Costs:
        """What trading costs."""

    @property
    def rules(self) -> Rules:
        """What is allowed."""


def path_market(
    symbols: tuple[str, ...],
    first: Array,
    returns: Array,
    extra: dict[str, Array],
    costs: Costs,
    rules: Rules,
) -> Market:
    """The market of a path of returns, from the first closes on; each bar opens at the last close."""
    growth = 1 + returns.reshape(len(returns), -1)
    close = np.asarray(first * np.cumprod(growth, axis=0), dtype=np.float64)
    opened: Array = np.vstack([close[:1], close[:-1]])
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    dates = DAY + np.arange(len(returns))
    bars = Bars(dates, symbols, opened, top, bottom, close, np.full_like(close, 1e6), extra)
    return make_market(bars, costs, rules)


def product(sizes: Array, assets: int) -> Array:
    """All ways to give each asset one of the sizes; shape (ways, assets)."""
    return np.stack(np.meshgrid(*[sizes] * assets, indexing="ij"), axis=-1).reshape(-1, assets)


def slug(name: str) -> str:
    """The name as a part of a task's id."""
    return re.sub(r"[^\w.]+", "-", name).strip("-")
