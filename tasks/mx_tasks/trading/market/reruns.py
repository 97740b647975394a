"""Recorded decisions run again through the simulator at other costs: for nothing, and at twice the price."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.simulator import Market, Portfolio

LEAST = 1e-12
FACTORS = (0, 1, 2)
"""Times the costs at which tracks are reported."""


def at_costs(market: Market, factor: float) -> Market:
    """The market with all costs so many times; what cash earns stays."""
    dear = market.dear * factor if market.dear is not None and factor else None
    return replace(market, costs=market.costs.times(factor), dear=dear)


def run_again(
    market: Market, first: int, targets: Sequence[Sequence[float] | None], factor: float = 1.0
) -> list[float]:
    """Values at each close from bar ``first`` on, selling at the end included; None for a bar without a trade.

    A track that is ruined on the way stays where it is.
    """
    market = at_costs(market, factor)
    portfolio, values = Portfolio.start(market), [1.0]
    row = first
    for target in targets:
        row += 1
        wanted = before_fill(portfolio, row) if target is None else np.asarray(target, dtype=float)
        values.append(float(portfolio.step(row, wanted).value))
        if portfolio.value <= market.rules.ruin:
            break
    values[-1] -= float(portfolio.liquidation(row))
    return values + values[-1:] * (market.last - first - len(values) + 1)


def before_fill(portfolio: Portfolio, row: int) -> Array:
    """The weights held when the fill of a bar comes, before the trade."""
    market = portfolio.market
    if market.rules.settled:
        return portfolio.position.copy()
    held = portfolio.position * market.before[row]
    cash = portfolio.cash
    if market.payout is not None:
        cash = cash + (portfolio.position * market.payout[row]).sum()
    value = cash + held.sum()
    weights: Array = held / value if value > 0 else np.zeros_like(held)
    return weights


def track(values: Sequence[float]) -> Array:
    """Returns by bar of values, the last of which has the selling in it; nothing moves any more after all is lost."""
    line = np.maximum(np.asarray(values, dtype=float), 0.0)
    before = line[:-1]
    returns: Array = np.divide(line[1:], before, out=np.ones_like(before), where=before > LEAST) - 1
    return returns


def returns_of(state: Mapping[str, Any], factor: int = 1) -> Array:
    """Returns by bar of a desk's log at so many times the costs."""
    return track(state["at costs"][str(factor)])
