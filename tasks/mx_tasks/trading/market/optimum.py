"""The best way to trade in a world, by backward induction, and what each decision falls short of it.

Growth is logarithmic, so what is left to earn depends on time, state and the weight held, not on wealth. The grid's weights are the
actions, and holding on to any weight costs nothing; values between grid points are interpolated.

A run is scored by its decisions, not by its luck: the shortfall of a decision is how much less it can be expected to earn than the
best one in the same place, everything after it done well. The shortfalls add up to what a policy earns less than the optimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.world import Finite

WEIGHTS = 41
"""Grid points from the least to the largest allowed weight."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """``left[t, s, w]``: what can still be earned (log growth) with t decisions made, in a state, holding a weight."""

    world: Finite
    bars: int
    weights: Array
    left: Array

    def value(self, state: float) -> float:
        """What the optimum earns from that state on, starting in cash; log growth over all bars."""
        return float(self._left(0, np.array([state]), np.zeros(1))[0])

    @property
    def a_year(self) -> float:
        """The same per year, over the states in which paths begin."""
        mean = float(np.mean([self.value(state) for state in self.world.start]))
        return mean * self.world.rules.bars_per_year / self.bars

    def worth(self, made: int, state: float, held: float, targets: Sequence[float] | Array) -> Array:
        """What each target is expected to earn from here on, with ``made`` decisions made before."""
        wanted = np.asarray(targets, dtype=float)
        chance, growth, following = self.world.outcomes(np.full(len(wanted), float(state)))
        factor, after = _moved(self.world, held, wanted[:, None], growth)
        later = self._left(made + 1, following.ravel(), after.ravel()).reshape(after.shape)
        worth: Array = (chance * (np.log(factor) + later)).sum(axis=1)
        return worth

    def best(self, made: int, state: float, held: float) -> float:
        """The best target; the weight held where a trade is not worth its costs."""
        targets = np.append(self.weights, self._kept(held))
        worth = self.worth(made, state, held, targets)
        worth[-1] += 1e-12
        return float(targets[int(np.argmax(worth))])

    def shortfall(self, made: int, state: float, held: float, target: float) -> float:
        """How much less than the best target this one can be expected to earn; 0 or more."""
        worth = self.worth(made, state, held, [*self.weights, self._kept(held), target])
        return float(worth.max() - worth[-1])

    def choose(self, made: int, state: float, held: Array) -> Array:
        """See :class:`mx_tasks.trading.market.world.Best`."""
        return np.array([self.best(made, float(state), float(held[0]))])

    def shorts(self, made: int, states: Array, held: Array, targets: Array) -> Array:
        """See :class:`mx_tasks.trading.market.world.Best`."""
        choices = np.broadcast_to(self.weights, (len(held), len(self.weights)))
        choices = np.concatenate([choices, np.clip(held, self.weights[0], self.weights[-1]), targets], axis=1)
        chance, growth, following = self.world.outcomes(states)
        factor, after = _moved(self.world, held[:, :, None], choices[..., None], growth[:, None, :])
        later = self._left(made + 1, following[:, None, :], after)
        worth = (chance[:, None, :] * (np.log(factor) + later)).sum(axis=2)
        fallen: Array = worth.max(axis=1) - worth[:, -1]
        return fallen

    def _kept(self, held: float) -> float:
        """The weight held, if it is allowed as a target; costs can push it a little over the cap."""
        return float(min(max(held, self.weights[0]), self.weights[-1]))

    def _left(self, made: int, states: Array, held: Array) -> Array:
        low, share = _between(self.world.states, states)
        place, part = _between(self.weights, held)
        table = self.left[made]
        high = np.minimum(low + 1, len(self.world.states) - 1)
        upper = (1 - part) * table[high, place] + part * table[high, place + 1]
        lower = (1 - part) * table[low, place] + part * table[low, place + 1]
        between: Array = (1 - share) * lower + share * upper
        return between


def solve(world: Finite, bars: int, weights: int = WEIGHTS) -> Optimum:
    """Backward induction over ``bars`` decisions with so many grid weights; at the end what is held is sold."""
    rules = world.rules
    grid = np.linspace(
        max(rules.min_weight, -rules.max_gross), min(rules.max_weight, rules.max_gross), weights
    )
    chance, growth, following = world.outcomes(world.states)
    held, target = grid[None, :, None, None], grid[None, None, :, None]
    factor, after = _moved(world, held, target, growth[:, None, None, :])
    now = (chance[:, None, None, :] * np.log(factor)).sum(axis=-1)
    low, share = _between(world.states, following)
    high = np.minimum(low + 1, len(world.states) - 1)
    place, part = _between(grid, after)
    left = np.empty((bars + 1, len(world.states), weights))
    left[bars] = np.log1p(-world.costs.trade * np.abs(grid))
    for made in range(bars - 1, -1, -1):
        table = left[made + 1]
        table = (1 - share)[..., None] * table[low] + share[..., None] * table[high]
        flat = _gather(table, place)
        over = _gather(table, place + 1)
        later = (chance[:, None, None, :] * (flat + part * (over - flat))).sum(axis=-1)
        left[made] = (now + later).max(axis=2)
    return Optimum(world, bars, grid, left)


def _gather(table: Array, place: NDArray[np.intp]) -> Array:
    """``table[s, k, place[s, w, a, k]]``."""
    states = np.arange(table.shape[0])[:, None, None, None]
    outcomes = np.arange(table.shape[1])[None, None, None, :]
    found: Array = table[states, outcomes, place]
    return found


def _moved(world: Finite, held: float | Array, target: Array, growth: Array) -> tuple[Array, Array]:
    """The growth of wealth through a trade and a bar, and the weight held after it."""
    factor = 1 - world.costs.trade * np.abs(target - held) + target * growth
    return factor, target * (1 + growth) / factor


def _between(grid: Array, values: Array) -> tuple[NDArray[np.intp], Array]:
    """The grid point below each value, and how far it is to the next one."""
    if len(grid) == 1:
        return np.zeros(np.shape(values), dtype=np.intp), np.zeros(np.shape(values))
    place = np.clip(np.searchsorted(grid, values, side="right") - 1, 0, len(grid) - 2)
    share = np.clip((values - grid[place]) / (grid[place + 1] - grid[place]), 0.0, 1.0)
    return place, share
