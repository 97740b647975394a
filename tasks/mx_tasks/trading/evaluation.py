"""How much of a world's optimum a numeric policy reaches, by what its decisions can be expected to earn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mx_tasks.trading.bars import Array
from mx_tasks.trading.optimum import Optimum, solve
from mx_tasks.trading.worlds import World

Decide = Callable[[int, Array, Array, Array], Array]
"""Target weights from: decisions made, states, features (paths, features), weights held (paths,)."""


@dataclass(frozen=True, slots=True)
class Reached:
    """Log growth a year that the decisions can be expected to earn, and the optimum's on the same paths."""

    earned: float
    optimum: float
    turnover: float

    @property
    def share(self) -> float:
        """The share of the optimum; NaN where the optimum is nothing."""
        return self.earned / self.optimum if self.optimum > 1e-12 else float("nan")


def evaluate(world: World, decide: Decide, *, bars: int = 252, paths: int = 128, seed: int = 0) -> Reached:
    """Run a policy and the optimum over the same fresh paths."""
    optimum = solve(world, bars)
    rngs = [np.random.default_rng([seed, place]) for place in range(paths)]
    states, returns = world.paths(rngs, bars + 1)
    features = np.stack([world.features(*path) for path in zip(states, returns, strict=True)])
    earned, turnover = _run(world, decide, states, returns, features)
    best, _ = _run(world, _best(optimum), states, returns, features)
    year = world.rules.bars_per_year / bars
    return Reached(earned * year, best * year, turnover * year)


def _best(optimum: Optimum) -> Decide:
    def decide(made: int, states: Array, features: Array, held: Array) -> Array:  # noqa: ARG001  # the protocol's
        return np.array([optimum.best(made, state, each) for state, each in zip(states, held, strict=True)])

    return decide


def _run(world: World, decide: Decide, states: Array, returns: Array, features: Array) -> tuple[float, float]:
    cost = world.costs.trade
    low, high = (
        max(world.rules.min_weight, -world.rules.max_gross),
        min(world.rules.max_weight, world.rules.max_gross),
    )
    held, earned, traded = np.zeros(len(states)), np.zeros(len(states)), np.zeros(len(states))
    for bar in range(states.shape[1] - 1):
        wanted = np.clip(decide(bar, states[:, bar], features[:, bar], held), low, high)
        target = np.where(np.isfinite(wanted), wanted, held)
        size = np.abs(target - held)
        chance, growth, _ = world.outcomes(states[:, bar])
        earned += (chance * np.log(1 - cost * size[:, None] + target[:, None] * growth)).sum(axis=1)
        traded += size
        moved = returns[:, bar + 1]
        held = target * (1 + moved) / (1 - cost * size + target * moved)
    earned += np.log1p(-cost * np.abs(held))
    return float(earned.mean()), float(traded.mean())
