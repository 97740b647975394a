"""How much of a world's optimum decisions reach, by what they can be expected to earn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.world import Best, Playable

Decided = tuple[Sequence[float], Sequence[float]]
"""The weights held before a decision, and the target."""

Decide = Callable[[int, Array, Array, Array], Array]
"""Target weights from: decisions made, states, features (paths, features), weights held; weights are (paths,) of one asset, of
several (paths, assets)."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What the decisions can be expected to earn in a year, in terms of the world's goal, and the optimum on the same paths."""

    earned: float
    optimum: float
    turnover: float

    @property
    def share(self) -> float:
        """The share of the optimum; NaN where the optimum is nothing."""
        return self.earned / self.optimum if self.optimum > 1e-12 else float("nan")


def shortfalls(optimum: Best, states: Array, decided: Sequence[Decided]) -> float:
    """How much less than the best decisions these can be expected to earn, all together; ``states`` from the first one on."""
    return sum(
        float(optimum.shorts(made, states[made : made + 1], np.array([held]), np.array([target]))[0])
        for made, (held, target) in enumerate(decided)
    )


def evaluate(world: Playable, decide: Decide, *, bars: int = 252, paths: int = 128, seed: int = 0) -> Reached:
    """Run a policy and the optimum over the same fresh paths."""
    optimum = world.solve(bars)
    rngs = [np.random.default_rng([seed, place]) for place in range(paths)]
    states, returns = world.paths(rngs, bars + 1)
    features = np.stack([world.features(*path) for path in zip(states, returns, strict=True)])
    earned, turnover = _run(world, decide, states, returns, features)
    best, _ = _run(world, best_of(optimum), states, returns, features)
    year = world.rules.bars_per_year / bars
    return Reached(earned * year, best * year, turnover * year)


def best_of(optimum: Best) -> Decide:
    """The optimum as a policy."""

    def decide(made: int, states: Array, features: Array, held: Array) -> Array:  # noqa: ARG001  # the protocol's
        rows = held.reshape(len(held), -1)
        best = [optimum.choose(made, state, each) for state, each in zip(states, rows, strict=True)]
        return np.array(best).reshape(held.shape)

    return decide


def _run(
    world: Playable, decide: Decide, states: Array, returns: Array, features: Array
) -> tuple[float, float]:
    count, assets = len(states), len(world.symbols)
    moved = returns.reshape(count, -1, assets)
    given: tuple[Any, ...] = (count,) if assets == 1 else (count, assets)
    low, high = (
        max(world.rules.min_weight, -world.rules.max_gross),
        min(world.rules.max_weight, world.rules.max_gross),
    )
    held = np.zeros((count, assets))
    earned, traded = np.zeros(count), np.zeros(count)
    for bar in range(states.shape[1] - 1):
        wanted = np.clip(decide(bar, states[:, bar], features[:, bar], held.reshape(given)), low, high)
        wanted = np.asarray(wanted, dtype=float).reshape(count, assets)
        target = np.where(np.isfinite(wanted), wanted, held)
        gross = np.abs(target).sum(axis=1, keepdims=True)
        target = target * world.rules.max_gross / np.maximum(gross, world.rules.max_gross)
        earned += world.expected(states[:, bar], held, target)
        traded += np.abs(target - held).sum(axis=1)
        held = world.carried(held, target, moved[:, bar + 1])
    earned += world.sold(held)
    return float(earned.mean()), float(traded.mean())
