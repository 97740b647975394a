"""What earns nothing: the best position that is kept, whichever that turns out to be.

A share of the optimum beyond doing nothing pays for "always long" wherever one regime lasts: there that is the optimum, and it
takes no look at the market. So decisions are measured from the best of all positions that could be taken at the first bar of each
window and kept to its end, cash, long, short and between, chosen when everything is known. None of them scores above 0.

One stretch of bars is still too little: where the market turns once, a rule that turns at a set bar is right by chance (in the
middle of 16 bars of a hidden regime 9 % of the time, were only stretches asked that turn). So a task has several windows, the same
position is kept in all of them, and what is fallen short of is summed before it is divided. Windows on which the best kept position
falls short by less than ``LEAST`` of what the optimum is expected to earn tell no skill: all of that task's are drawn anew. It
concerns one task in eight or fewer, so that markets are as the laws say that traders are told.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.world import Best, Playable

LEAST = 0.25
SAID = (
    "what your decisions can be expected to earn beyond the best position that could be kept through all windows (cash is one), as "
    "a share of what the best possible ones earn beyond it; 0 for that position, 1 for the best possible."
)
"""What a score is, as those who trade are told it."""


def kept_shortfalls(world: Playable, optimum: Best, states: Array, returns: Array) -> Array:
    """What each of the world's kept positions falls short of the optimum on each path; shape (paths, positions).

    ``states`` (paths, bars, ...) and ``returns`` (paths, bars, ...) are from the first decision's bar on.
    """
    paths, bars = returns.shape[:2]
    kept = world.kept
    target = np.tile(kept, (paths, 1))
    held, fallen = np.zeros_like(target), np.zeros(len(target))
    moved = np.repeat(returns.reshape(paths, bars, -1), len(kept), axis=0)
    for made in range(bars - 1):
        rows = np.repeat(states[:, made], len(kept), axis=0)
        fallen += optimum.shorts(made, rows, held, target)
        held = target = world.carried(held, target, moved[:, made + 1])
    return fallen.reshape(paths, len(kept))


def bases(kept: Sequence[Array]) -> Array:
    """What the position that is best in all windows together falls short in each of them; of what each one does."""
    table = np.stack(kept)
    best: Array = table[:, int(table.sum(axis=0).argmin())]
    return best
