"""What a world is: a market drawn from known laws, whose best way to trade the project can compute.

There is no gap between a close and the next open: what a decision is worth depends on the state, the weights held and the target
alone. :class:`World` has few outcomes from each state and pays logarithmic growth; other laws need only be :class:`Playable`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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

    def short(self, made: int, state: Any, held: Array, target: Array) -> float:
        """How much less than the best target this one can be expected to earn; 0 or more."""


@dataclass(frozen=True)
class World:
    """A world of few outcomes. ``states`` are the grid of its states; between two of them values are interpolated.

    ``column`` is the name of the public column that holds the state, empty where traders have to infer it.
    ``start`` are the states in which a path may begin. ``prices`` gives the assets' prices in a state, where it tells
    them.
    """

    name: str
    level: int
    about: str
    states: Array
    start: tuple[float, ...]
    outcomes: Callable[[Array], Outcomes]
    costs: Costs
    rules: Rules
    column: str = ""
    symbols: tuple[str, ...] = ("A",)
    prices: Callable[[float], Array] | None = None
    draws: Callable[[np.random.Generator, int], Array] | None = None
    """The uniform numbers that choose a path's outcomes, where they are not independent."""

    @property
    def goal(self) -> str:
        """Logarithmic growth."""
        return "log growth"

    @property
    def shown(self) -> tuple[str, ...]:
        """The public column, if there is one."""
        return (self.column,) if self.column else ()

    def path(self, rng: np.random.Generator, bars: int) -> tuple[Array, Array]:
        """A path: the states at each bar, and the return of each bar (0 for the first)."""
        states, returns = self.paths([rng], bars)
        return states[0], returns[0]

    def paths(self, rngs: Sequence[np.random.Generator], bars: int) -> tuple[Array, Array]:
        """Paths, each from random numbers of its own; arrays (paths, bars), returns of several assets (paths, bars, assets)."""
        count, several = len(rngs), (len(self.symbols),) if len(self.symbols) > 1 else ()
        states, returns = np.empty((count, bars)), np.zeros((count, bars, *several))
        states[:, 0] = [rng.choice(self.start) for rng in rngs]
        draws = np.array([self.draws(rng, bars) if self.draws else rng.random(bars) for rng in rngs])
        rows = np.arange(count)
        for bar in range(1, bars):
            chance, growth, following = self.outcomes(states[:, bar - 1])
            place = (np.cumsum(chance, axis=1)[:, :-1] <= draws[:, bar, None]).sum(axis=1)
            returns[:, bar], states[:, bar] = growth[rows, place], following[rows, place]
        return states, returns

    def market(self, states: Array, returns: Array) -> Market:
        """The market of a path."""
        first = np.full(len(self.symbols), 100.0) if self.prices is None else self.prices(float(states[0]))
        return path_market(
            self.symbols, first, returns, {self.column: states} if self.column else {}, self.costs, self.rules
        )

    def features(self, states: Array, returns: Array) -> Array:
        """What a numeric policy sees at each bar, about -1 to 1: the state where it is public, and recent returns.

        Of one path; arrays of shape (bars, features).
        """
        scale = max(float(np.abs(self.outcomes(self.states)[1]).max()), 1e-9)
        columns = [*(returns / scale).reshape(len(returns), -1).T]
        if self.column:
            columns.append(states / max(float(np.abs(self.states).max()), 1e-9))
        else:
            columns += [_trailing(returns, bars) / (scale * bars**0.5) for bars in (5, 20)]
        return np.column_stack(columns)

    def penalty(self, target: Array) -> Any:  # noqa: ARG002  # the protocol's
        """Nothing: the logarithm minds risk by itself."""
        return 0.0

    def expected(self, states: Array, held: Array, target: Array) -> Array:
        """See :class:`Playable`."""
        chance, growth, _ = self.outcomes(states)
        growth = growth.reshape(*chance.shape, -1)
        paid = self.costs.trade * np.abs(target - held).sum(axis=1)
        earned: Array = (chance * np.log(1 - paid[:, None] + (growth * target[:, None, :]).sum(axis=2))).sum(
            axis=1
        )
        return earned

    def carried(self, held: Array, target: Array, moved: Array) -> Array:
        """See :class:`Playable`."""
        paid = self.costs.trade * np.abs(target - held).sum(axis=1)
        grown: Array = target * (1 + moved) / (1 - paid + (target * moved).sum(axis=1))[:, None]
        return grown

    def sold(self, held: Array) -> Array:
        """See :class:`Playable`."""
        paid: Array = np.log1p(-self.costs.trade * np.abs(held).sum(axis=1))
        return paid

    def solve(self, bars: int) -> Best:
        """By backward induction."""
        from mx_tasks.trading.market.optimum import solve  # which is made of worlds

        if len(self.symbols) == 1:
            return solve(self, bars)
        from mx_tasks.trading.market.optimum_of_two import solve_two

        return solve_two(self, bars)


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


def slug(name: str) -> str:
    """The name as a part of a task's id."""
    return re.sub(r"[^\w.]+", "-", name).strip("-")


def _trailing(returns: Array, bars: int) -> Array:
    total = np.concatenate([np.zeros(bars), np.cumsum(returns)])
    moved: Array = total[bars:] - total[: len(returns)]
    return moved
