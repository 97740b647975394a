"""The worlds of levels 0 to 3 of the ladder, by name.

From each state the next bar has a few possible returns of known chance, so the optimum can be computed (see
:mod:`mx_tasks.trading.market.optimum`); the linear-quadratic one has normal returns and its optimum in closed form.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.finite import World, remade
from mx_tasks.trading.market.linear_quadratic import LinearQuadratic
from mx_tasks.trading.market.optimum import Optimum, solve
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.world import Outcomes, Playable

__all__ = ["WORLDS", "Outcomes", "Playable", "World", "load_world"]


def _table(chance: Array, growth: Array, following: Array, lowest: int = 0) -> Callable[[Array], Outcomes]:
    """Outcomes of numbered states, the first one being ``lowest``."""

    def outcomes(states: Array) -> Outcomes:
        rows = states.astype(int) - lowest
        return chance[rows], growth[rows], following[rows]

    return outcomes


@remade
def no_edge() -> World:
    """Level 0: a fair coin. Every trade loses its costs, every position some growth; the optimum is cash."""
    move = 0.015
    return World(
        name="no-edge",
        level=0,
        about="The asset's next return is a fair coin: nothing predicts it.",
        states=np.zeros(1),
        start=(0.0,),
        outcomes=_table(np.array([[0.5, 0.5]]), np.array([[move, -move]]), np.zeros((1, 2))),
        costs=Costs(half_spread=0.001),
        rules=Rules(),
    )


@remade
def regime() -> World:
    """Level 1: two regimes, visible. One gains on average, one loses."""
    move, edge, stay = 0.012, 0.09, 0.93
    up = np.array([0.5 + edge, 0.5 - edge])
    chance = np.array([np.outer(side, [stay, 1 - stay]).ravel() for side in (up[::-1], up)])
    growth = np.tile([move, move, -move, -move], (2, 1))
    following = np.array([[-1.0, 1, -1, 1], [1, -1, 1, -1]])

    def outcomes(states: Array) -> Outcomes:
        rows = (states > 0).astype(int)
        return chance[rows], growth[rows], following[rows]

    return World(
        name="regime",
        level=1,
        about=(
            f"A regime is visible at each bar. In regime +1 the next return is +{move:.1%} with chance {0.5 + edge:.2f}, else "
            f"-{move:.1%}; in regime -1 the other way round. A regime lasts on with chance {stay:.2f}."
        ),
        states=np.array([-1.0, 1.0]),
        start=(1.0,),
        outcomes=outcomes,
        costs=Costs(half_spread=0.001),
        rules=Rules(),
        column="regime",
    )


@remade
def mean_reversion(half_spread: float = 0.001) -> World:
    """Level 2: the price is pulled back to its anchor, and trading costs."""
    step, pull, widest = 0.01, 0.05, 6
    states = np.arange(-widest, widest + 1.0)
    rise = np.where(states < widest, 0.4 - pull * states, 0.0)
    fall = np.where(states > -widest, 0.4 + pull * states, 0.0)
    chance = np.column_stack([rise, 1 - rise - fall, fall])
    growth = np.tile([np.exp(step) - 1, 0.0, np.exp(-step) - 1], (len(states), 1))
    following = states[:, None] + np.array([1.0, 0.0, -1.0])
    return World(
        name="mean-reversion",
        level=2,
        about=(
            f"The deviation d of the price from its anchor is visible, in steps of {step:.0%}, from -{widest} to {widest}. "
            f"It rises by 1 with chance 0.4 - {pull} d and falls by 1 with chance 0.4 + {pull} d; weights may be negative."
        ),
        states=states,
        start=(-3.0, -2.0, 2.0, 3.0),
        outcomes=_table(chance, growth, np.clip(following, -widest, widest), -widest),
        costs=Costs(half_spread=half_spread),
        rules=Rules(min_weight=-1.0),
        column="deviation",
    )


@remade
def hidden_regime() -> World:
    """Level 3: the two regimes cannot be seen. The state is what returns tell: the chance of the good one."""
    move, edge, stay = 0.012, 0.15, 0.97
    good, bad = 0.5 + edge, 0.5 - edge

    def outcomes(states: Array) -> Outcomes:
        belief = np.asarray(states, dtype=float)
        rise = belief * good + (1 - belief) * bad
        after_rise, after_fall = belief * good / rise, belief * (1 - good) / (1 - rise)
        following = np.column_stack([after_rise, after_fall])
        following = following * stay + (1 - following) * (1 - stay)
        chance = np.column_stack([rise, 1 - rise])
        return chance, np.tile([move, -move], (len(belief), 1)), following

    return World(
        name="hidden-regime",
        level=3,
        about=(
            f"Two regimes, which nobody can see: in the good one the next return is +{move:.1%} with chance {good:.2f}, else "
            f"-{move:.1%}; in the bad one the other way round. A regime lasts on with chance {stay:.2f}."
        ),
        states=np.linspace(1 - stay, stay, 41),
        start=(0.5,),
        outcomes=outcomes,
        costs=Costs(half_spread=0.001),
        rules=Rules(),
    )


@remade
def pairs(half_spread: float = 0.001) -> World:
    """Level 3: two cointegrated assets. Their common ways lead nowhere, what stands between them closes again."""
    step, common, pull, widest = 0.012, 0.012, 0.05, 5
    states = np.arange(-widest, widest + 1.0)
    rise = np.where(states < widest, 0.35 - pull * states, 0.0)
    fall = np.where(states > -widest, 0.35 + pull * states, 0.0)
    apart = np.column_stack([rise, 1 - rise - fall, fall])
    spread = np.array([1.0, 0.0, -1.0])
    moves = [
        [(1 + up) * np.exp(side * each * step / 2) - 1 for side in (1, -1)]
        for each in spread
        for up in (common, -common)
    ]
    following = np.repeat(np.clip(states[:, None] + spread, -widest, widest), 2, axis=1)
    return World(
        name="pairs",
        level=3,
        about=(
            f"Two cointegrated assets, A and B. Their spread d = log(A / B) / {step} is visible, from -{widest} to {widest}: it "
            f"rises by 1 with chance 0.35 - {pull} d and falls by 1 with chance 0.35 + {pull} d, half of it by A, half by B. "
            f"Besides, both rise or fall by {common:.1%} together, a fair coin. Weights may be negative."
        ),
        states=states,
        start=(-3.0, -2.0, 2.0, 3.0),
        outcomes=_table(
            np.repeat(apart / 2, 2, axis=1), np.tile(np.array(moves), (len(states), 1, 1)), following, -widest
        ),
        costs=Costs(half_spread=half_spread),
        rules=Rules(min_weight=-1.0, max_gross=2.0),
        column="spread",
        symbols=("A", "B"),
        prices=lambda state: 100 * np.exp(np.array([0.5, -0.5]) * step * state),
    )


WORLDS: dict[str, Callable[[], Playable]] = {
    "no-edge": no_edge,
    "regime": regime,
    "mean-reversion": mean_reversion,
    "hidden-regime": hidden_regime,
    "pairs": pairs,
    "linear-quadratic": LinearQuadratic,
}
"""The worlds by name."""


def load_world(name: str) -> Playable:
    """The world of that name. Raises TradingError."""
    if name not in WORLDS:
        raise TradingError(f"there is no world {name!r}; there are: {', '.join(WORLDS)}")
    return WORLDS[name]()


@lru_cache(maxsize=32)
def optimum_of(world: str, bars: int) -> Optimum:
    """The optimum of a world of one asset by name, for so many decisions. Raises TradingError for other worlds."""
    found = load_world(world)
    if not isinstance(found, World) or len(found.symbols) > 1:
        raise TradingError(f"the world {world!r} has several assets; its solve() gives its optimum")
    return solve(found, bars)
