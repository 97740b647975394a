"""Level 3: several assets, signals that fade, quadratic costs: the model of Gârleanu and Pedersen (Journal of Finance, 2013).

Returns are ``loads @ signals`` and noise; signals fade and are renewed; a trade costs the square of its size; risk is charged by
half its variance times an aversion. Positions are settled in cash at each bar, so that they stay what they were traded to, as in
the paper. All is linear and quadratic, so the optimum follows by the Riccati recursion, exactly, for any number of decisions;
far from the end it is the paper's closed form: trade part of the way to an aim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market
from mx_tasks.trading.market.world import path_market, product

BURN_IN = 120
"""Bars before a path begins, behind which the signals are about stationary."""


def _loads() -> Array:
    return np.array([[7e-4, 4e-4], [-5e-4, 5e-4], [2e-4, -6e-4]])


def _covariance() -> Array:
    risk = np.array([0.010, 0.011, 0.012])
    return np.outer(risk, risk) * (0.7 * np.eye(3) + 0.3)


@dataclass(frozen=True, eq=False)
class LinearQuadratic:
    """The world. ``fades``: the share of each signal that is gone after a bar; signals have standard deviation 1."""

    loads: Array = field(default_factory=_loads)
    covariance: Array = field(default_factory=_covariance)
    fades: tuple[float, ...] = (0.05, 0.25)
    aversion: float = 12.0
    costs: Costs = field(default_factory=lambda: Costs(half_spread=0.0, quadratic=0.004))
    rules: Rules = field(
        default_factory=lambda: Rules(min_weight=-4.0, max_weight=4.0, max_gross=10.0, settled=True)
    )
    name: str = "linear-quadratic"
    level: int = 3
    goal: str = "risk-adjusted profit"

    @property
    def symbols(self) -> tuple[str, ...]:
        """Its assets."""
        return tuple("ABCDEFGH"[: len(self.loads)])

    @property
    def shown(self) -> tuple[str, ...]:
        """A column for each signal."""
        return tuple(f"signal_{number}" for number in range(1, len(self.fades) + 1))

    @property
    def about(self) -> str:
        """Its laws."""
        means = "; ".join(
            f"{symbol}: "
            + " ".join(f"{load * 1e4:+g} {name}" for load, name in zip(row, self.shown, strict=True))
            for symbol, row in zip(self.symbols, self.loads, strict=True)
        )
        fades = ", ".join(f"{fade:.0%}" for fade in self.fades)
        risk = np.sqrt(np.diag(self.covariance))
        related = "; ".join(
            " ".join(f"{each:.2f}" for each in row) for row in self.covariance / np.outer(risk, risk)
        )
        return (
            f"Returns are normal. Expected, in hundredths of a per cent a bar, by the visible signals: {means}. A bar takes "
            f"{fades} of the signals, and news comes. Standard deviations of the returns: "
            f"{', '.join(f'{each:.2%}' for each in risk)}; correlations: {related}. A weight w is a position of w times the "
            f"starting wealth, settled in cash at each bar. Trading x of the starting wealth in an asset costs "
            f"{self.costs.quadratic:g} x^2 of it; holding costs half of {self.aversion:g} times the variance of the "
            "positions' return for its risk."
        )

    @property
    def decay(self) -> Array:
        """What a bar leaves of the signals."""
        return np.diag(1 - np.array(self.fades))

    @property
    def news(self) -> Array:
        """Covariance of the signals' innovations; each signal's variance is 1."""
        return np.diag(1 - (1 - np.array(self.fades)) ** 2)

    @property
    def friction(self) -> Array:
        """The matrix of which half the square of a trade is its cost."""
        return 2 * self.costs.quadratic * np.eye(len(self.loads))

    @property
    def kept(self) -> Array:
        """Each asset at nothing, and at four sizes either way: as large as the optimum's positions, and wider."""
        return product(np.array([-1.5, -0.75, -0.4, -0.2, 0.0, 0.2, 0.4, 0.75, 1.5]), len(self.symbols))

    def path(self, rng: np.random.Generator, bars: int) -> tuple[Array, Array]:
        """Signals (bars, signals) and returns (bars, assets)."""
        states, returns = self.paths([rng], bars)
        return states[0], returns[0]

    def paths(self, rngs: Sequence[np.random.Generator], bars: int) -> tuple[Array, Array]:
        """Paths, each from random numbers of its own. The news is a coin's, so that no signal is ever beyond all bounds."""
        signals, assets = len(self.fades), len(self.loads)
        coins = np.stack([rng.integers(0, 2, (BURN_IN + bars, signals)) for rng in rngs]) * 2.0 - 1
        noise = np.stack([rng.standard_normal((bars, assets)) for rng in rngs])
        size, kept = np.sqrt(np.diag(self.news)), np.diag(self.decay)
        states = np.empty((len(rngs), BURN_IN + bars, signals))
        states[:, 0] = coins[:, 0] * size
        for bar in range(1, BURN_IN + bars):
            states[:, bar] = kept * states[:, bar - 1] + size * coins[:, bar]
        states = states[:, BURN_IN:]
        returns = np.zeros((len(rngs), bars, assets))
        returns[:, 1:] = states[:, :-1] @ self.loads.T + noise[:, 1:] @ np.linalg.cholesky(self.covariance).T
        return states, returns

    def market(self, states: Array, returns: Array) -> Market:
        """The market of a path, the signals in columns of their own."""
        columns = dict(zip(self.shown, np.ascontiguousarray(states.T), strict=True))
        first = np.full(len(self.symbols), 100.0)
        return path_market(self.symbols, first, returns, columns, self.costs, self.rules)

    def features(self, states: Array, returns: Array) -> Array:
        """The signals, and the returns in units of their risk."""
        return np.column_stack([states / 2, returns / (2 * np.sqrt(np.diag(self.covariance)))])

    def penalty(self, target: Array) -> Any:
        """Half the variance of the positions' return, times the aversion."""
        return self.aversion / 2 * ((target @ self.covariance) * target).sum(axis=-1)

    def expected(self, states: Array, held: Array, target: Array) -> Array:
        """Expected profit of a bar less costs and risk; of several paths."""
        paid = self.costs.quadratic * ((target - held) ** 2).sum(axis=-1)
        earned: Array = (target * (states @ self.loads.T)).sum(axis=-1) - paid - self.penalty(target)
        return earned

    def carried(self, held: Array, target: Array, moved: Array) -> Array:  # noqa: ARG002  # the protocol's
        """Settled positions stay what they are."""
        return target

    def sold(self, held: Array) -> Array:
        """The costs of trading back to nothing."""
        paid: Array = -self.costs.quadratic * (held**2).sum(axis=-1)
        return paid

    def solve(self, bars: int) -> Riccati:
        """The optimum of so many decisions."""
        return riccati(self, bars)


@dataclass(frozen=True, eq=False)
class Riccati:
    """With t decisions made, positions x and signals f, what can still be earned is -x'P[t]x/2 + x'Q[t]f + f'R[t]f/2 + rest[t]."""

    world: LinearQuadratic
    bars: int
    by_position: Array
    by_both: Array
    by_signal: Array
    rest: Array

    def value(self, state: Array) -> float:
        """What the optimum earns from those signals on, starting without positions."""
        return float(state @ self.by_signal[0] @ state / 2 + self.rest[0])

    @property
    def a_year(self) -> float:
        """The same per year, over the signals' stationary distribution, in which each has variance 1."""
        mean = float(np.trace(self.by_signal[0]) / 2 + self.rest[0])
        return mean * self.world.rules.bars_per_year / self.bars

    def choose(self, made: int, state: Array, held: Array) -> Array:
        """The best positions."""
        force = self._pull(made) @ state + self.world.friction @ held
        return np.asarray(np.linalg.solve(self._weight(made), force))

    def shorts(self, made: int, states: Array, held: Array, targets: Array) -> Array:
        """See :class:`mx_tasks.trading.market.world.Best`."""
        weight = self._weight(made)
        forces = states @ self._pull(made).T + held @ self.world.friction
        off = targets - np.linalg.solve(weight, forces.T).T
        fallen: Array = ((off @ weight) * off).sum(axis=1) / 2
        return fallen

    def _weight(self, made: int) -> Array:
        world = self.world
        weight: Array = world.aversion * world.covariance + world.friction + self.by_position[made + 1]
        return weight

    def _pull(self, made: int) -> Array:
        pull: Array = self.world.loads + self.by_both[made + 1] @ self.world.decay
        return pull


def riccati(world: LinearQuadratic, bars: int) -> Riccati:
    """Backward induction of the quadratic value; at the end what is held is sold, at its costs."""
    assets, signals = world.loads.shape
    by_position = np.zeros((bars + 1, assets, assets))
    by_both, by_signal = np.zeros((bars + 1, assets, signals)), np.zeros((bars + 1, signals, signals))
    rest, friction, decay = np.zeros(bars + 1), world.friction, world.decay
    by_position[bars] = friction
    for made in range(bars - 1, -1, -1):
        weight = world.aversion * world.covariance + friction + by_position[made + 1]
        pull = world.loads + by_both[made + 1] @ decay
        reach = np.linalg.solve(weight, np.hstack([friction, pull]))
        by_position[made] = friction - friction @ reach[:, :assets]
        by_both[made] = friction @ reach[:, assets:]
        by_signal[made] = pull.T @ reach[:, assets:] + decay @ by_signal[made + 1] @ decay
        rest[made] = rest[made + 1] + np.trace(by_signal[made + 1] @ world.news) / 2
    return Riccati(world, bars, by_position, by_both, by_signal, rest)


def closed_form(world: LinearQuadratic) -> tuple[Array, Array]:
    """Far from the end: the share of the way to trade, and the aim by the signals (Propositions 1 and 2 of the paper).

    The best positions are ``held + rate @ (aim @ signals - held)``. The paper's matrices, without discounting, for
    costs that are the same for each asset.
    """
    assets, signals = world.loads.shape
    risk, friction = world.aversion * world.covariance, world.friction
    price = friction[0, 0]
    values, vectors = np.linalg.eigh(price * risk + risk @ risk / 4)
    position = vectors @ np.diag(np.sqrt(values)) @ vectors.T - risk / 2
    rate = position / price
    stay = np.eye(assets) - rate
    both = np.linalg.solve(
        np.eye(assets * signals) - np.kron(world.decay.T, stay), (stay @ world.loads).ravel(order="F")
    ).reshape((assets, signals), order="F")
    return rate, np.linalg.solve(position, both)
