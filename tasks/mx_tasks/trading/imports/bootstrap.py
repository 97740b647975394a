"""Level 4: the returns of real bars in new orders, with an edge that we planted, or with none.

Blocks of real returns, their mean taken out, are drawn one behind the other: their fat tails and their quiet and wild times
stay, what predicted them does not. A visible signal, up or down, then adds a known drift, so that the optimum can be
computed; without an edge it adds nothing, and nobody can earn anything.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mx_tasks.trading.imports.sources import DEFAULT_SOURCE, History, open_history
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.baselines import equal_weight
from mx_tasks.trading.market.corporate import action_table
from mx_tasks.trading.market.errors import DataError
from mx_tasks.trading.market.finite import World, remade
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Portfolio, make_market
from mx_tasks.trading.market.world import Outcomes

BINS = 20
BLOCK = 10.0
"""Mean length of a block; lengths are geometric, as in the stationary bootstrap."""
STAY = 0.95
LEAST_BARS = 250


def history_returns(history: History) -> Array:
    """Returns of equal shares of a history's assets, splits and dividends included. Raises DataError for too few bars."""
    if history.bars.count < LEAST_BARS:
        raise DataError(
            f"{history.bars.count} bars are too few to draw blocks from; give {LEAST_BARS} or more"
        )
    rules = Rules(fill=history.fill)
    market = make_market(
        history.bars, Costs(half_spread=0.0), rules, action_table(history.bars, history.actions)
    )
    portfolio = Portfolio.start(market)
    values = [1.0]
    for row in range(1, market.last + 1):
        portfolio.step(row, equal_weight(market, row - 1, portfolio.position))
        values.append(float(portfolio.value))
    track = np.array(values)
    returns: Array = track[1:] / track[:-1] - 1
    return returns


def bootstrap_of(name: str, edge: float) -> World:
    """The world of equal shares of the assets of a pinned source or a file of yours. Raises DataError."""
    world = bootstrap_world(history_returns(open_history(name)[0]), edge)
    return world if name == DEFAULT_SOURCE else replace(world, name=f"{world.name}/{name}")


@remade
def bootstrap_world(returns: Array, edge: float = 0.15) -> World:
    """The world of those returns; ``edge`` is the planted drift in units of their standard deviation, 0 for none."""
    centred = np.sort(returns - returns.mean())
    ranks = np.argsort(np.argsort(returns, kind="stable"), kind="stable") * BINS // len(returns)
    typical = np.array([part.mean() for part in np.array_split(centred, BINS)])
    typical -= typical.mean()
    drift = edge * float(returns.std())
    switch = np.array([STAY, 1 - STAY]) if edge else np.array([1.0])
    chance = np.tile(np.repeat(1 / BINS, BINS)[:, None] * switch, 1).ravel()

    def outcomes(states: Array) -> Outcomes:
        sign = np.asarray(states, dtype=float)[:, None]
        growth = np.repeat(typical, len(switch))[None, :] + drift * sign
        following = np.tile([1.0, -1.0] if edge else [1.0], BINS)[None, :] * sign
        return np.tile(chance, (len(sign), 1)), np.broadcast_to(growth, (len(sign), len(chance))), following

    def draws(rng: np.random.Generator, bars: int) -> Array:
        """Uniform numbers that choose the bins in blocks as they followed each other in reality."""
        fresh = rng.random(bars) < 1 / BLOCK
        starts = rng.integers(len(ranks), size=bars)
        places = np.empty(bars, dtype=np.intp)
        places[0] = starts[0]
        for bar in range(1, bars):
            places[bar] = starts[bar] if fresh[bar] else (places[bar - 1] + 1) % len(ranks)
        numbers: Array = (ranks[places] + rng.random(bars)) / BINS
        return numbers

    said = (
        f"A signal, +1 or -1, is visible and lasts on with chance {STAY}; it adds {drift:+.2%} times itself to the next return."
        if edge
        else "Nothing predicts the next return."
    )
    return World(
        name="bootstrap" if edge else "bootstrap-no-edge",
        level=4 if edge else 0,
        about=f"Real returns in blocks, in a new order. {said}",
        states=np.array([-1.0, 1.0]) if edge else np.zeros(1),
        start=(1.0,) if edge else (0.0,),
        outcomes=outcomes,
        costs=Costs(half_spread=0.001),
        rules=Rules(),
        column="signal" if edge else "",
        draws=draws,
    )
