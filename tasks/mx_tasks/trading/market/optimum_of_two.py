"""The best way to trade two assets in a world of few outcomes, by backward induction over both weights.

What a trade costs depends on its size alone, and what follows depends on that cost and the target: so the induction keeps for each
target its worth at three costs and draws a parabola through them, instead of a table of all ways from all weights to all others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.world import Finite

WEIGHTS = 17
"""Grid points for each weight."""


@dataclass(frozen=True, eq=False)
class OptimumOfTwo:
    """``left[t, s, i, j]``: what can still be earned with t decisions made, in a state, holding two weights of the grid."""

    world: Finite
    bars: int
    weights: Array
    left: Array
    targets: Array

    def value(self, state: float) -> float:
        """What the optimum earns from that state on, starting in cash; log growth over all bars."""
        row = np.array([self._row(state)])
        return float(_look_up(self.left[0], self.weights, row, np.zeros((1, 2)))[0])

    @property
    def a_year(self) -> float:
        """The same per year, over the states in which paths begin."""
        mean = float(np.mean([self.value(state) for state in self.world.start]))
        return mean * self.world.rules.bars_per_year / self.bars

    def worth(self, made: int, state: float, held: Array, targets: Array) -> Array:
        """What each target (rows of two weights) is expected to earn from here on."""
        world = self.world
        chance, growth, following = (part[0] for part in world.outcomes(np.array([float(state)])))
        paid = world.costs.trade * np.abs(targets - held).sum(axis=1)
        factor = 1 - paid[:, None] + targets @ growth.T
        after = targets[:, None, :] * (1 + growth) / factor[..., None]
        rows = np.broadcast_to(_rows(world, following), factor.shape)
        later = _look_up(self.left[made + 1], self.weights, rows, after)
        worth: Array = (chance * (np.log(factor) + later)).sum(axis=1)
        return worth

    def choose(self, made: int, state: float, held: Array) -> Array:
        """The best target of the grid; the weights held where a trade is not worth its costs."""
        targets = np.vstack([self.targets, self._kept(held)])
        worth = self.worth(made, state, held, targets)
        worth[-1] += 1e-12
        best: Array = targets[int(np.argmax(worth))]
        return best

    def shorts(self, made: int, states: Array, held: Array, targets: Array) -> Array:
        """See :class:`mx_tasks.trading.market.world.Best`."""
        fallen = np.empty(len(held))
        for row, (state, had, target) in enumerate(zip(states, held, targets, strict=True)):
            worth = self.worth(made, float(state), had, np.vstack([self.targets, self._kept(had), target]))
            fallen[row] = worth.max() - worth[-1]
        return fallen

    def _kept(self, held: Array) -> Array:
        kept: Array = np.clip(held, self.weights[0], self.weights[-1])
        return kept

    def _row(self, state: float) -> int:
        return int(_rows(self.world, np.array([float(state)]))[0])


def solve_two(world: Finite, bars: int, weights: int = WEIGHTS) -> OptimumOfTwo:
    """Backward induction over ``bars`` decisions; at the end what is held is sold."""
    grid = np.linspace(world.rules.min_weight, world.rules.max_weight, weights)
    targets = np.array([(first, second) for first in grid for second in grid])
    cost = world.costs.trade
    chance, growth, following = world.outcomes(world.states)
    rows = _rows(world, following)
    sizes = np.array([0.0, 0.5, 1.0]) * 2 * (grid[-1] - grid[0])
    earned = np.einsum("skn,an->sak", growth, targets)
    factor = 1 - cost * sizes[None, :, None, None] + earned[:, None]  # states, sizes, targets, outcomes
    after = targets[None, None, :, None, :] * (1 + growth[:, None, None]) / factor[..., None]
    now = np.einsum("sk,sjak->sja", chance, np.log(factor))
    size = np.abs(targets[:, None] - targets[None]).sum(axis=2)
    shares = _parabola(size, sizes)
    places = np.broadcast_to(rows[:, None, None, :], factor.shape)
    left = np.empty((bars + 1, len(world.states), weights, weights))
    left[bars] = np.log1p(-cost * np.abs(targets).sum(axis=1)).reshape(weights, weights)
    for made in range(bars - 1, -1, -1):
        worth = now + np.einsum("sk,sjak->sja", chance, _look_up(left[made + 1], grid, places, after))
        for state, table in enumerate(worth):
            left[made, state] = (shares * table[:, None, :]).sum(axis=0).max(axis=1).reshape(weights, weights)
    return OptimumOfTwo(world, bars, grid, left, targets)


def _parabola(size: Array, at: Array) -> Array:
    """The shares of three values, at those sizes, that make the parabola through them at each size; on the first axis."""
    shares = [
        (size - at[one]) * (size - at[two]) / ((at[place] - at[one]) * (at[place] - at[two]))
        for place, (one, two) in enumerate(((1, 2), (0, 2), (0, 1)))
    ]
    return np.stack(shares)


def _rows(world: Finite, states: Array) -> NDArray[np.intp]:
    """The places of states in the grid, of which they have to be."""
    return np.searchsorted(world.states, np.asarray(states) - 1e-9)


def _look_up(table: Array, grid: Array, rows: NDArray[np.intp], weights: Array) -> Array:
    """Values between the grid's weights, on the last axis, for each row of the table."""
    step, last = grid[1] - grid[0], len(grid) - 2
    spot = np.clip((weights - grid[0]) / step, 0, last + 1)
    low = np.minimum(spot.astype(np.intp), last)
    share = spot - low
    first, second = low[..., 0], low[..., 1]
    one, two = share[..., 0], share[..., 1]
    flat, width = table.reshape(-1), len(grid)
    place = (rows * width + first) * width + second
    found: Array = (1 - one) * ((1 - two) * flat[place] + two * flat[place + 1]) + one * (
        (1 - two) * flat[place + width] + two * flat[place + width + 1]
    )
    return found
