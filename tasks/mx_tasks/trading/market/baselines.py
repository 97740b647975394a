"""What every strategy has to be held against, as functions of a market and a bar to target weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.metrics import Record, record
from mx_tasks.trading.market.reruns import before_fill
from mx_tasks.trading.market.simulator import Market, Portfolio, allowed

Rule = Callable[[Market, int, Array], Array]
"""Target weights from the market, the bar that has just closed, and the weights held; only bars up to it may be looked at."""
YEAR, MONTH = 252, 21


def _moves(market: Market, row: int, bars: int) -> Array:
    """Total returns of the last so many bars, up to ``row``, by asset."""
    rows = slice(max(1, row + 1 - bars), row + 1)
    return market.grown(rows) - 1


def _even(chosen: Array) -> Array:
    count = chosen.sum()
    return chosen / count if count else np.zeros(len(chosen), dtype=float)


def _middle(past: Array) -> float:
    """What divides the better from the worse: the median, or for one asset standing still."""
    return float(np.median(past)) if len(past) > 1 else 1.0


def cash(market: Market, row: int, held: Array) -> Array:  # noqa: ARG001  # a rule's arguments
    """Nothing."""
    return np.zeros(market.assets)


def buy_and_hold(market: Market, row: int, held: Array) -> Array:
    """A share of each asset once, so more money in what is dear, then held."""
    if held.any():
        return held
    price = np.where(market.tradable(row), market.bars.close[row], 0.0)
    bought: Array = price / price.sum()
    return bought


def equal_held(market: Market, row: int, held: Array) -> Array:
    """Equal money in each asset once, then held."""
    return held if held.any() else _even(market.tradable(row).astype(float))


def equal_weight(market: Market, row: int, held: Array) -> Array:  # noqa: ARG001
    """Equal shares of what can be traded, brought back at each bar."""
    return _even(market.tradable(row).astype(float))


def momentum(market: Market, row: int, held: Array) -> Array:
    """The better half over twelve months but the last one; changed once a month."""
    if row % MONTH and held.any():
        return held
    past = (
        np.prod(1 + _moves(market, row - MONTH, YEAR - MONTH), axis=0)
        if row > 2 * MONTH
        else np.ones(market.assets)
    )
    return _even((past >= _middle(past)) * market.tradable(row).astype(float))


def reversal(market: Market, row: int, held: Array) -> Array:  # noqa: ARG001
    """The worse half over five bars."""
    past = np.prod(1 + _moves(market, row, 5), axis=0)
    return _even((past <= _middle(past)) * market.tradable(row).astype(float))


def average_cross(market: Market, row: int, held: Array) -> Array:  # noqa: ARG001
    """An equal share of each asset whose mean over 20 bars is above that over 100."""
    track = np.cumprod(1 + _moves(market, row, 100), axis=0)
    if not len(track):
        return np.zeros(market.assets)
    up = track[-20:].mean(axis=0) > track.mean(axis=0)
    share: Array = up / market.assets
    return share


def minimum_variance(market: Market, row: int, held: Array) -> Array:
    """The least variance over a year, shrunk towards the diagonal, without shorts; changed once a month."""
    if row < 30 or (row % MONTH and held.any()):
        return held if held.any() else equal_weight(market, row, held)
    cov = np.atleast_2d(np.cov(_moves(market, row, YEAR), rowvar=False))
    cov = 0.8 * cov + 0.2 * np.diag(np.diag(cov)) + 1e-10 * np.eye(market.assets)
    there = market.tradable(row).astype(float)
    weights = np.maximum(np.linalg.solve(cov + np.diag(1 - there), there), 0.0) * there
    least: Array = weights / weights.sum()
    return least


def inverse_volatility(market: Market, row: int, held: Array) -> Array:
    """Shares by one over the volatility of 60 bars; changed once a month."""
    if row < 5 or (row % MONTH and held.any()):
        return held if held.any() else equal_weight(market, row, held)
    weights = market.tradable(row) / (np.std(_moves(market, row, 60), axis=0) + 1e-6)
    inverse: Array = weights / weights.sum()
    return inverse


def random_rule(turnover: float, seed: int = 0) -> Rule:
    """Random allowed weights, a share ``turnover`` of which is drawn anew at each bar: what luck does at that turnover."""

    def rule(market: Market, row: int, held: Array) -> Array:
        rng, rules = np.random.default_rng([seed, row]), market.rules
        fresh = rng.dirichlet(np.ones(market.assets + 1))[:-1] * min(rules.max_gross, 1.0)
        if rules.min_weight < 0:
            fresh *= rng.choice([-1.0, 1.0], market.assets)
        drawn: Array = held + turnover * (fresh - held)
        return drawn

    return rule


BASELINES: Mapping[str, Rule] = {
    "cash": cash,
    "buy and hold": buy_and_hold,
    "1/N held": equal_held,
    "1/N rebalanced": equal_weight,
    "momentum 12-1": momentum,
    "5-day reversal": reversal,
    "average cross 20/100": average_cross,
    "minimum variance": minimum_variance,
    "inverse volatility": inverse_volatility,
    "random": random_rule(0.05),
}
"""The baselines by name; a rule that returns the very weights held does not trade."""


def run_rule(market: Market, rule: Rule, first: int = 0) -> tuple[Record, float]:
    """A rule's record from bar ``first`` on, selling at the end included, and its turnover a year."""
    portfolio, ones = Portfolio.start(market), np.ones(market.assets)
    values, traded = [1.0], 0.0
    for row in range(first, market.last):
        held = portfolio.weights
        wanted = rule(market, row, held)
        target = before_fill(portfolio, row + 1) if wanted is held else allowed(market.rules, wanted, ones)[0]
        step = portfolio.step(row + 1, target)
        traded += float(np.abs(step.trade).sum()) / values[-1]
        values.append(float(step.value))
    values[-1] -= float(portfolio.liquidation(market.last))
    track = np.array(values)
    year = market.rules.bars_per_year
    return record(track[1:] / track[:-1] - 1, year), traded * year / (len(values) - 1)
