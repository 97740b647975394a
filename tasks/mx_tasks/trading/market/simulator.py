"""The market and the portfolio: one array program for one portfolio and for many.

Everything works on arrays whose last axis is the asset: (assets,) for one portfolio, (portfolios, assets) for a batch. Positions
are kept as money, which makes a step a handful of products; the tests hold it to a ledger of shares.

The order of a step from bar t to t + 1: splits, dividends and delistings; the move up to the fill; the trade at the fill, its costs
paid from cash; the move from fill to close; interest, margin and borrow fees; marked at the close.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.market.bars import FIELDS, Array, Bars, check_bars, listed
from mx_tasks.trading.market.corporate import ActionTable, action_table
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.rules import Costs, Rules

ROOM = 20.0
"""Of the start's value: volumes that allow to trade so much are no limit."""


@dataclass(frozen=True, slots=True)
class Market:
    """Bars as the factors that a step multiplies with; row t is the way from bar t - 1 to bar t.

    ``before`` and ``after``: growth of a position up to the fill, and from there to the close. ``payout``: cash for a unit of
    position. ``dear``: impact cost of a unit traded, for each square root of money. ``open_for_trade``: 0 where
    an asset is delisted or not yet listed. ``most``: the money that can be traded, by the volume.
    The last four are None where nothing of that kind ever happens.
    """

    bars: Bars
    costs: Costs
    rules: Rules
    before: Array
    after: Array
    payout: Array | None
    dear: Array | None
    open_for_trade: Array | None
    table: ActionTable | None = None
    """The corporate actions, where there are any."""
    most: Array | None = None

    @property
    def assets(self) -> int:
        """Number of assets."""
        return int(self.before.shape[1])

    def tradable(self, row: int) -> NDArray[np.bool_]:
        """Which assets are there at a close: listed, and not delisted."""
        there: NDArray[np.bool_] = np.isfinite(self.bars.close[row])
        return there

    @property
    def last(self) -> int:
        """The row of the last bar."""
        return len(self.before) - 1

    def grown(self, rows: slice) -> Array:
        """What a unit of each asset's close before each bar is worth at its close: splits, dividends and delistings included.

        After its delisting an asset is cash.
        """
        growth = self.before[rows] * self.after[rows]
        if self.payout is None or self.open_for_trade is None:
            return growth
        gone = np.zeros_like(self.before)
        gone[1:] = (1 - self.open_for_trade[:-1]) * np.maximum.accumulate(self.open_for_trade, axis=0)[:-1]
        whole: Array = np.where(gone[rows] > 0, 1.0, growth + self.payout[rows])
        return whole


def make_market(
    bars: Bars,
    costs: Costs | None = None,
    rules: Rules | None = None,
    table: ActionTable | None = None,
    capital: float = 1e6,
) -> Market:
    """Check the bars and prepare their factors. ``capital`` is what a portfolio of value 1 means in the prices' money.

    Raises DataError, and TradingError for rules that do not go together.
    """
    costs, rules = costs or Costs(), rules or Rules()
    table = table or action_table(bars)
    bars = _ended(check_bars(bars, table.delisted), table)
    late = ~listed(bars)
    plain = table.plain and not late.any()
    if rules.settled and not plain:
        raise TradingError("settled positions know no splits, dividends and delistings")
    if costs.quadratic and not rules.settled:
        raise TradingError("quadratic costs are those of settled positions; set settled in the rules")
    close, opened = (bars.close, bars.open) if plain else _carried(bars, table)
    before, after = np.ones_like(close), np.ones_like(close)
    at_fill = opened if rules.fill == "next_open" else close
    before[1:] = at_fill[1:] * table.split[1:] / close[:-1]
    if rules.fill == "next_open":
        after[1:] = close[1:] / opened[1:]
    payout = trade = None
    if not plain:
        payout = np.zeros_like(close)
        payout[1:] = table.dividend[1:] / close[:-1]
        trade = np.ones_like(close)
        _delist(table, close, before, after, payout, trade)
        trade[late] = 0.0
        trade[1:][late[:-1]] = 0.0  # nobody decides on what has no bar yet
    money = at_fill * bars.volume / capital  # NaN where an asset is not there
    dear = _dear(money, costs.impact) if costs.impact else None
    most = _most(money, 1.0 if rules.participation is None and costs.impact else rules.participation)
    told = None if table.plain else table
    return Market(bars, costs, rules, before, after, payout, dear, trade, told, most)


def _dear(money: Array, impact: float) -> Array:
    """Impact by bar; a bar without volume is as dear as the thinnest that has some, an asset without any has none."""
    with np.errstate(invalid="ignore"):
        traded = money > 0
    thin = np.where(traded, money, np.inf).min(axis=0)
    there = np.where(traded, money, thin)
    dear: Array = np.where(np.isfinite(there), impact / np.sqrt(there), 0.0)
    return dear


def _most(money: Array, participation: float | None) -> Array | None:
    """The money that can be traded; None where it never is a limit to a portfolio that has grown twentyfold."""
    with np.errstate(invalid="ignore"):
        traded = money > 0
    limit = np.where(traded, np.inf, 0.0) if participation is None else participation * money
    most = np.where(traded.any(axis=0) & np.isfinite(money), limit, np.inf)
    return None if (most[1:] > ROOM).all() else most


def _ended(bars: Bars, table: ActionTable) -> Bars:
    """The bars without what was quoted of an asset after its delisting: nobody can trade on that."""
    if all(row is None for row in table.delisted):
        return bars
    columns = {name: getattr(bars, name).copy() for name in FIELDS}
    for asset, row in enumerate(table.delisted):
        if row is not None:
            for column in columns.values():
                column[row:, asset] = np.nan
    return replace(bars, **columns)


def _carried(bars: Bars, table: ActionTable) -> tuple[Array, Array]:
    """Close and open, so that all factors stay numbers: the last price before a delisting carried on behind it, and the first
    close back to the beginning."""
    close, opened = bars.close.copy(), bars.open.copy()
    first = np.isfinite(close).argmax(axis=0)
    for asset, begun in enumerate(first.tolist()):
        if begun:
            close[:begun, asset] = opened[: begun + 1, asset] = close[begun, asset]
    for asset, row in enumerate(table.delisted):
        if row is not None:
            close[row:, asset] = opened[row:, asset] = close[row - 1, asset]
    return close, opened


def _delist(
    table: ActionTable, close: Array, before: Array, after: Array, payout: Array, trade: Array
) -> None:
    """Holdings of a delisted asset turn into cash before the fill of its row; nothing can be bought from there on."""
    for asset, row in enumerate(table.delisted):
        if row is not None:
            before[row:, asset], after[row:, asset] = 0.0, 1.0
            payout[row:, asset] = 0.0
            payout[row, asset] = (
                table.recovery[row, asset] * table.split[row, asset] + table.dividend[row, asset]
            ) / close[row - 1, asset]
            trade[row:, asset] = 0.0


@dataclass(slots=True)
class Step:
    """What a step did, besides moving the portfolio on; money is in units of the start's value."""

    value: Any
    """At the close, after everything."""
    trade: Any
    """What was bought (above 0) and sold, by asset."""
    trade_cost: Any
    carry: Any
    """Interest earned less margin and borrow fees paid."""


@dataclass(slots=True)
class Portfolio:
    """Cash, positions and value, of one portfolio or of a batch; value 1 at the start."""

    market: Market
    cash: Any
    position: Array
    value: Any
    _ones: Array

    @classmethod
    def start(cls, market: Market, batch: int | None = None) -> Portfolio:
        """All in cash."""
        shape = (market.assets,) if batch is None else (batch, market.assets)
        cash: Any = 1.0 if batch is None else np.ones(batch)
        value: Any = np.float64(1.0) if batch is None else np.ones(batch)
        return cls(market, cash, np.zeros(shape), value, np.ones(market.assets))

    @property
    def weights(self) -> Array:
        """Positions as shares of the value; 0 where there is no value left."""
        if self.market.rules.settled:
            return self.position
        value = np.asarray(self.value)[..., None]
        if value.min() > 0:
            shares: Array = self.position / value
            return shares
        weights: Array = np.divide(self.position, value, out=np.zeros_like(self.position), where=value > 0)
        return weights

    def step(self, row: Any, target: Array) -> Step:
        """Move on to bar ``row`` (an index, or one for each portfolio of a batch), trading towards allowed target weights."""
        market, ones = self.market, self._ones
        costs = market.costs
        if market.rules.settled:
            return self._settle(row, target)
        held = self.position * market.before[row]
        cash = self.cash
        if market.payout is not None:
            cash = cash + (self.position * market.payout[row]).dot(ones)
        if market.open_for_trade is not None:
            target = target * market.open_for_trade[row]
        value = cash + held.dot(ones)
        wanted = target * (value if target.ndim == 1 else value[:, None])
        trade = wanted - held
        if market.most is not None:
            trade = within_volume(trade, market.most[row])
            wanted = held + trade
        cost = self._cost(trade, row)
        cash = value - wanted.dot(ones) - cost
        position = wanted * market.after[row]
        carry = 0.0
        if costs.interest or costs.margin or costs.borrow:
            carry = self._carry(cash, position)
            cash = cash + carry
        self.cash, self.position = cash, position
        self.value = cash + position.dot(ones)
        return Step(self.value, trade, cost, carry)

    def _settle(self, row: Any, target: Array) -> Step:
        """The same with positions settled in cash: what is gained or lost is cash, a position stays."""
        market, ones = self.market, self._ones
        cash = self.cash + (self.position * (market.before[row] - 1)).dot(ones)
        trade = target - self.position
        if market.most is not None:
            trade = within_volume(trade, market.most[row])
            target = self.position + trade
        cost = self._cost(trade, row)
        cash = cash - cost + (target * (market.after[row] - 1)).dot(ones)
        carry = self._carry(cash, target)
        self.cash = self.value = cash + carry
        self.position = target.copy()
        return Step(self.value, trade, cost, carry)

    def liquidation(self, row: Any) -> Any:
        """What selling everything at the close of ``row`` would cost."""
        return self._cost(self.position, row)

    def _cost(self, trade: Array, row: Any) -> Any:
        size = np.abs(trade)
        cost = size.dot(self._ones) * self.market.costs.trade
        if self.market.costs.quadratic:
            cost = cost + (size * size).dot(self._ones) * self.market.costs.quadratic
        if self.market.dear is not None:
            cost = cost + (size * np.sqrt(size) * self.market.dear[row]).dot(self._ones)
        return cost

    def _carry(self, cash: Any, position: Array) -> Any:
        costs, year = self.market.costs, self.market.rules.bars_per_year
        owed = np.minimum(cash, 0.0)
        carry = (cash - owed) * (costs.interest / year) + owed * (costs.margin / year)
        if costs.borrow:
            carry = carry + np.minimum(position, 0.0).dot(self._ones) * (costs.borrow / year)
        return carry


def within_volume(trade: Array, most: Array) -> Array:
    """The trades that volumes allow: each cut to its bar's, and what is bought to what is sold and was to be paid from cash."""
    cut: Array = np.minimum(np.maximum(trade, -most), most)
    bought, sold = np.maximum(cut, 0.0).sum(axis=-1), -np.minimum(cut, 0.0).sum(axis=-1)
    room = sold + np.maximum(trade.sum(axis=-1), 0.0)
    share = np.where(bought > room, room / np.maximum(bought, 1e-300), 1.0)
    scaled: Array = np.where(cut > 0, cut * np.asarray(share)[..., None], cut)
    return scaled


def allowed(rules: Rules, wanted: NDArray[Any], ones: Array) -> tuple[Array, Any]:
    """The nearest allowed weights, and whether all that was wanted was finite (of each portfolio, in a batch).

    Each weight is cut to its bounds; then all are scaled to the cap on their sizes. What was not finite has to be replaced.
    """
    wanted = wanted.astype(float)
    finite = np.abs(wanted).dot(ones) < np.inf
    weights = np.minimum(np.maximum(wanted, rules.min_weight), rules.max_weight)
    gross = (weights if rules.min_weight >= 0 else np.abs(weights)).dot(ones)
    if weights.ndim == 1:  # numbers are quicker alone than as arrays of one
        return weights if gross <= rules.max_gross else weights * (rules.max_gross / gross), finite
    return weights * (rules.max_gross / np.maximum(gross, rules.max_gross))[:, None], finite
