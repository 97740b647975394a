"""Worlds of few outcomes from each state, which pay logarithmic growth: their optimum is found by backward induction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, ParamSpec

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.optimum import solve
from mx_tasks.trading.market.optimum_of_two import solve_two
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market
from mx_tasks.trading.market.world import Best, Outcomes, path_market, product

P = ParamSpec("P")


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
    recipe: tuple[Callable[..., World], tuple[Any, ...], dict[str, Any]] | None = None
    """The function that made it and its arguments, by which it is pickled: see :func:`remade`."""

    def __reduce__(self) -> Any:
        """By what made it, and what was changed since; as any dataclass where that is not known."""
        if self.recipe is None:
            return super().__reduce__()
        return _made_again, (*self.recipe, {name: getattr(self, name) for name in _TOLD})

    @property
    def goal(self) -> str:
        """Logarithmic growth."""
        return "log growth"

    @property
    def shown(self) -> tuple[str, ...]:
        """The public column, if there is one."""
        return (self.column,) if self.column else ()

    @property
    def kept(self) -> Array:
        """Of one asset nine sizes from the least weight to the largest, of several five each, as far as their sum is allowed."""
        low, high = (
            max(self.rules.min_weight, -self.rules.max_gross),
            min(self.rules.max_weight, self.rules.max_gross),
        )
        found = product(np.linspace(low, high, 9 if len(self.symbols) == 1 else 5), len(self.symbols))
        allowed: Array = found[np.abs(found).sum(axis=1) <= self.rules.max_gross + 1e-12]
        return allowed

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
        if len(self.symbols) == 1:
            return solve(self, bars)
        return solve_two(self, bars)


def _trailing(returns: Array, bars: int) -> Array:
    total = np.concatenate([np.zeros(bars), np.cumsum(returns)])
    moved: Array = total[bars:] - total[: len(returns)]
    return moved


_TOLD = ("name", "level", "about", "start", "costs", "rules", "column", "symbols")


def _made_again(
    make: Callable[..., World], given: tuple[Any, ...], named: dict[str, Any], told: dict[str, Any]
) -> World:
    return replace(make(*given, **named), **told)


def remade(make: Callable[P, World]) -> Callable[P, World]:
    """A function that makes worlds which can be pickled: by making them again."""

    @wraps(make)
    def made(*given: P.args, **named: P.kwargs) -> World:
        return replace(make(*given, **named), recipe=(made, given, dict(named)))

    return made
