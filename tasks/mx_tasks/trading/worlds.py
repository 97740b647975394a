"""Small worlds with a known best way to trade: levels 0 to 3 of the ladder.

A world is a Markov process of a public state; from each state the next bar has a few possible returns of known chance, so the
optimum can be computed (see :mod:`mx_tasks.trading.optimum`). There is one asset, and no gap between a close and the next
open: what a decision is worth depends on the state, the weight held and the target alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mx_tasks.trading.bars import Array, Bars
from mx_tasks.trading.errors import TradingError
from mx_tasks.trading.rules import Costs, Rules
from mx_tasks.trading.simulator import Market, make_market

Outcomes = tuple[Array, Array, Array]
"""For each of the states asked: the chance, the return of the asset, and the next state, of each outcome."""

DAY = np.datetime64("2001-01-01")


@dataclass(frozen=True)
class World:
    """A world. ``states`` are the grid of its states; between two of them values are interpolated.

    ``shown`` is the name of the public column that holds the state, empty where traders have to infer it.
    ``start`` are the states in which a path may begin.
    """

    name: str
    level: int
    about: str
    states: Array
    start: tuple[float, ...]
    outcomes: Callable[[Array], Outcomes]
    costs: Costs
    rules: Rules
    shown: str = ""
    draws: Callable[[np.random.Generator, int], Array] | None = None
    """The uniform numbers that choose a path's outcomes, where they are not independent."""

    def path(self, rng: np.random.Generator, bars: int) -> tuple[Array, Array]:
        """A path: the states at each bar, and the return of each bar (0 for the first)."""
        states, returns = self.paths([rng], bars)
        return states[0], returns[0]

    def paths(self, rngs: Sequence[np.random.Generator], bars: int) -> tuple[Array, Array]:
        """Paths, each from random numbers of its own; arrays of shape (paths, bars)."""
        count = len(rngs)
        states, returns = np.empty((count, bars)), np.zeros((count, bars))
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
        close = np.asarray(100 * np.cumprod(1 + returns)[:, None], dtype=np.float64)
        opened: Array = np.vstack([close[:1], close[:-1]])
        extra = {self.shown: states} if self.shown else {}
        bars = Bars(
            DAY + np.arange(len(states)),
            ("A",),
            opened,
            np.maximum(opened, close),
            np.minimum(opened, close),
            close,
            np.full_like(close, 1e6),
            extra,
        )
        return make_market(bars, self.costs, self.rules)

    def features(self, states: Array, returns: Array) -> Array:
        """What a numeric policy sees at each bar, about -1 to 1: the state where it is public, and recent returns.

        Of one path; arrays of shape (bars, features).
        """
        scale = max(float(np.abs(self.outcomes(self.states)[1]).max()), 1e-9)
        columns = [returns / scale]
        if self.shown:
            columns.append(states / max(float(np.abs(self.states).max()), 1e-9))
        else:
            columns += [_trailing(returns, bars) / (scale * bars**0.5) for bars in (5, 20)]
        return np.column_stack(columns)


def _trailing(returns: Array, bars: int) -> Array:
    total = np.concatenate([np.zeros(bars), np.cumsum(returns)])
    moved: Array = total[bars:] - total[: len(returns)]
    return moved


def _table(chance: Array, growth: Array, following: Array, lowest: int = 0) -> Callable[[Array], Outcomes]:
    """Outcomes of numbered states, the first one being ``lowest``."""

    def outcomes(states: Array) -> Outcomes:
        rows = states.astype(int) - lowest
        return chance[rows], growth[rows], following[rows]

    return outcomes


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
        shown="regime",
    )


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
        shown="deviation",
    )


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


WORLDS: dict[str, Callable[[], World]] = {
    "no-edge": no_edge,
    "regime": regime,
    "mean-reversion": mean_reversion,
    "hidden-regime": hidden_regime,
}
"""The worlds by name."""


def load_world(name: str) -> World:
    """The world of that name. Raises TradingError."""
    if name not in WORLDS:
        raise TradingError(f"there is no world {name!r}; there are: {', '.join(WORLDS)}")
    return WORLDS[name]()
