"""The simulator against an independent ledger of shares, one portfolio against many, and no way to look ahead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mx_tasks.trading.market.bars import FIELDS, Bars
from mx_tasks.trading.market.corporate import Action, action_table
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market, Portfolio, allowed, make_market

COSTS = Costs(commission=0.0004, half_spread=0.0006, impact=0.1, borrow=0.03, interest=0.02, margin=0.06)
RULES = Rules(min_weight=-0.8, max_weight=0.9, max_gross=1.6)


def random_bars(seed: int, count: int = 60, assets: int = 3) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (count, assets)), axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.01, (count, assets)))
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    dates = np.datetime64("2020-01-06") + np.arange(count)
    symbols = tuple(f"A{number}" for number in range(assets))
    return Bars(dates, symbols, opened, top, bottom, close, rng.uniform(1e4, 1e6, (count, assets)))


class ShareLedger:
    """The same account kept in shares and raw prices, with nothing of the simulator in it."""

    def __init__(self, bars: Bars, actions: list[Action], costs: Costs, rules: Rules, capital: float) -> None:
        self.bars, self.actions, self.costs, self.rules, self.capital = bars, actions, costs, rules, capital
        self.cash = capital
        self.shares = dict.fromkeys(bars.symbols, 0.0)
        self.dead: set[str] = set()

    def step(self, row: int, weights: Any) -> float:
        bars, costs = self.bars, self.costs
        date = str(bars.dates[row])
        for kind in ("split", "dividend", "delisting"):
            for action in self.actions:
                if action.date == date and action.kind == kind:
                    self._act(action)
        fills = bars.open if self.rules.fill == "next_open" else bars.close
        live = [symbol for symbol in bars.symbols if symbol not in self.dead]
        price = {symbol: fills[row, bars.symbols.index(symbol)] for symbol in live}
        value = self.cash + sum(self.shares[symbol] * price[symbol] for symbol in live)
        orders = {}
        for symbol in live:
            wanted = weights[bars.symbols.index(symbol)] * value / price[symbol]
            orders[symbol] = wanted - self.shares[symbol]
        for symbol, bought in self._filled(orders, price, row).items():
            asset = bars.symbols.index(symbol)
            money = abs(bought) * price[symbol]
            volume = bars.volume[row, asset] * price[symbol]
            rate = costs.commission + costs.half_spread
            if volume > 0:
                rate += costs.impact * (money / volume) ** 0.5
            self.cash -= bought * price[symbol] + money * rate
            self.shares[symbol] += bought
        close = {symbol: bars.close[row, bars.symbols.index(symbol)] for symbol in live}
        year = self.rules.bars_per_year
        self.cash *= 1 + (costs.interest if self.cash > 0 else costs.margin) / year
        self.cash -= (
            sum(-min(self.shares[symbol], 0) * close[symbol] for symbol in live) * costs.borrow / year
        )
        return self.cash + sum(self.shares[symbol] * close[symbol] for symbol in live)

    def _filled(self, orders: dict[str, float], price: dict[str, float], row: int) -> dict[str, float]:
        """No more than the bar's shares change hands; what is bought is paid from what was sold, and what cash was meant for."""
        most = {symbol: self.bars.volume[row, self.bars.symbols.index(symbol)] for symbol in orders}
        done = {symbol: max(-most[symbol], min(most[symbol], each)) for symbol, each in orders.items()}
        meant = max(0.0, sum(each * price[symbol] for symbol, each in orders.items()))
        spent = sum(max(0.0, each) * price[symbol] for symbol, each in done.items())
        paid = meant + sum(max(0.0, -each) * price[symbol] for symbol, each in done.items())
        share = min(1.0, paid / spent) if spent else 1.0
        return {symbol: each * share if each > 0 else each for symbol, each in done.items()}

    def _act(self, action: Action) -> None:
        if action.kind == "split":
            self.shares[action.symbol] *= action.value
        elif action.kind == "dividend":
            self.cash += self.shares[action.symbol] * action.value
        else:
            self.cash += self.shares[action.symbol] * action.value
            self.shares[action.symbol] = 0.0
            self.dead.add(action.symbol)


def with_split(bars: Bars, asset: int, row: int, factor: float) -> Bars:
    """Raw prices fall by the factor at the split's row."""
    scaled = {}
    for name in ("open", "high", "low", "close"):
        column = getattr(bars, name).copy()
        column[row:, asset] /= factor
        scaled[name] = column
    return replace(bars, **scaled)


def world(seed: int, fill: Any = "next_open") -> tuple[Bars, list[Action], Rules]:
    bars = with_split(random_bars(seed), 0, 20, 4.0)
    dates = [str(date) for date in bars.dates]
    actions = [
        Action(dates[20], "A0", "split", 4.0),
        Action(dates[12], "A1", "dividend", 1.5),
        Action(dates[33], "A0", "dividend", 0.2),
        Action(dates[40], "A2", "delisting", 7.0),
    ]
    return bars, actions, replace(RULES, fill=fill)


def market_of(bars: Bars, actions: list[Action], rules: Rules, costs: Costs = COSTS) -> Market:
    return make_market(bars, costs, rules, action_table(bars, actions), capital=1e6)


@pytest.mark.parametrize("fill", ["next_open", "next_close"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_every_value_is_that_of_an_independent_share_ledger(fill: str, seed: int) -> None:
    bars, actions, rules = world(seed, fill)
    market = market_of(bars, actions, rules)
    portfolio, ledger = Portfolio.start(market), ShareLedger(bars, actions, COSTS, rules, 1e6)
    rng = np.random.default_rng(seed)
    for row in range(1, bars.count):
        weights, _ = allowed(rules, rng.normal(0, 1, 3), np.ones(3))
        step = portfolio.step(row, weights)
        assert abs(ledger.step(row, weights) / 1e6 - step.value) < 1e-12 * max(1.0, step.value)
        assert abs(portfolio.cash + portfolio.position.sum() - portfolio.value) < 1e-12


@given(seed=st.integers(0, 10_000), batch=st.integers(1, 5))
@settings(max_examples=15, deadline=None)
def test_many_portfolios_are_each_that_one(seed: int, batch: int) -> None:
    bars, actions, rules = world(seed)
    market = market_of(bars, actions, rules)
    rng = np.random.default_rng(seed)
    wanted = rng.normal(0, 1, (bars.count, batch, 3))
    many = Portfolio.start(market, batch)
    single = [Portfolio.start(market) for _ in range(batch)]
    for row in range(1, bars.count):
        weights, _ = allowed(rules, wanted[row], np.ones(3))
        many.step(np.full(batch, row), weights)
        for place, one in enumerate(single):
            alone, _ = allowed(rules, wanted[row, place], np.ones(3))
            one.step(row, alone)
            assert abs(one.value - many.value[place]) < 1e-12
            assert np.abs(one.weights - many.weights[place]).max() < 1e-12


@given(seed=st.integers(0, 10_000), now=st.integers(2, 50))
@settings(max_examples=25, deadline=None)
def test_nothing_up_to_now_depends_on_a_later_bar(seed: int, now: int) -> None:
    bars, other = random_bars(seed), random_bars(seed + 1)
    changed = replace(
        bars,
        **{
            name: np.vstack([getattr(bars, name)[: now + 1], getattr(other, name)[now + 1 :]])
            for name in FIELDS
        },
    )
    rng = np.random.default_rng(seed)
    wanted = rng.normal(0, 1, (bars.count, 3))
    seen = []
    for data in (bars, changed):
        portfolio = Portfolio.start(make_market(data, COSTS, RULES))
        steps = [portfolio.step(row, allowed(RULES, wanted[row], np.ones(3))[0]) for row in range(1, now + 1)]
        seen.append([(step.value, step.trade.tobytes(), step.trade_cost, step.carry) for step in steps])
    assert seen[0] == seen[1]


def test_buy_and_hold_earns_what_the_asset_does() -> None:
    bars = random_bars(3, assets=1)
    portfolio = Portfolio.start(make_market(bars, Costs(half_spread=0.0)))
    portfolio.step(1, np.ones(1))
    for row in range(2, bars.count):
        portfolio.step(row, portfolio.weights)
    assert portfolio.value == pytest.approx(bars.close[-1, 0] / bars.open[1, 0], rel=1e-12)


@given(wanted=st.lists(st.floats(-1e300, 1e300), min_size=3, max_size=3))
@settings(deadline=None)
def test_allowed_weights_are_allowed(wanted: list[float]) -> None:
    weights, finite = allowed(RULES, np.array(wanted), np.ones(3))
    if finite:
        assert np.abs(weights).sum() <= RULES.max_gross * (1 + 1e-12)
        assert (weights >= RULES.min_weight).all()
        assert (weights <= RULES.max_weight).all()
    kept = np.array([0.5, -0.2, 0.1])
    assert np.array_equal(allowed(RULES, kept, np.ones(3))[0], kept)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_found(bad: float) -> None:
    _, finite = allowed(RULES, np.array([[0.1, bad, 0.0], [0.1, 0.2, 0.0]]), np.ones(3))
    assert finite.tolist() == [False, True]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Rules(fill="same_open"), "same_open"),  # type: ignore[arg-type]
        (lambda: Rules(min_weight=0.5), "do not contain 0"),
        (lambda: Rules(max_gross=float("nan")), "max_gross"),
        (lambda: Costs(commission=-0.1), "commission"),
        (lambda: Costs(impact=float("nan")), "impact"),
    ],
)
def test_rules_and_costs_that_cannot_be_are_refused(make: Any, said: str) -> None:
    with pytest.raises(TradingError, match=said):
        make()


def thin(volume: list[float]) -> Bars:
    """One asset that doubles at each bar's open, with these volumes."""
    close = 100 * 2.0 ** np.arange(len(volume))
    column = close[:, None]
    return Bars(
        np.datetime64("2020-01-06") + np.arange(len(volume)),
        ("A",),
        column,
        column,
        column,
        column,
        np.array(volume)[:, None],
    )


@pytest.mark.parametrize("costs", [Costs(half_spread=0.0), Costs(half_spread=0.0, impact=0.02)])
def test_a_bar_without_volume_is_no_bar_to_trade_in(costs: Costs) -> None:
    """It was the cheapest one."""
    portfolio = Portfolio.start(make_market(thin([1e6, 1e6, 0, 1e6, 1e6]), costs, Rules()))
    assert portfolio.step(1, np.array([0.0])).trade == 0
    assert portfolio.step(2, np.array([1.0])).trade == 0
    assert portfolio.value == 1.0
    assert portfolio.step(3, np.array([1.0])).trade > 0.99
    assert portfolio.step(4, np.array([1.0])).value == pytest.approx(2, rel=0.01)
    held = Portfolio.start(make_market(thin([1e6, 1e6, 0, 1e6, 1e6]), costs, Rules()))
    held.step(1, np.array([1.0]))
    assert held.step(2, np.array([0.0])).trade == 0, "nor to sell in"
    assert held.weights.sum() == pytest.approx(1, rel=0.01)


def test_no_more_than_the_volume_is_traded_and_impact_is_bounded() -> None:
    costs = Costs(half_spread=0.0, impact=0.02)
    market = make_market(thin([1e6, 1, 1e6]), costs, Rules(), capital=1e6)
    step = Portfolio.start(market).step(1, np.array([1.0]))
    assert step.trade.sum() == pytest.approx(200 / 1e6), "one share at 200"
    assert step.trade_cost <= 0.02 * step.trade.sum() * 1.0001
    capped = make_market(thin([1e6, 1e4, 1e6]), Costs(half_spread=0.0), Rules(participation=0.1), capital=1e6)
    assert Portfolio.start(capped).step(1, np.array([1.0])).trade.sum() == pytest.approx(0.1 * 2.0)
    with pytest.raises(TradingError, match="participation is a share"):
        Rules(participation=0.0)
    unknown = make_market(thin([0, 0, 0]), costs, Rules())
    assert Portfolio.start(unknown).step(1, np.array([1.0])).trade.sum() == 1.0, "no volume known is no limit"


def test_an_asset_that_is_not_yet_listed_has_no_weight() -> None:
    bars = random_bars(3, 30)
    late = {name: getattr(bars, name).copy() for name in FIELDS}
    for column in late.values():
        column[:10, 1] = np.nan
    market = make_market(replace(bars, **late), Costs(half_spread=0.0), Rules())
    assert market.tradable(9).tolist() == [True, False, True]
    assert market.tradable(10).all()
    portfolio, others = (
        Portfolio.start(market),
        Portfolio.start(make_market(bars, Costs(half_spread=0.0), Rules())),
    )
    for row in range(1, 11):
        portfolio.step(row, np.full(3, 1 / 3))
        others.step(row, np.array([1 / 3, 0, 1 / 3]))
        assert portfolio.weights[1] == 0
        assert portfolio.value == pytest.approx(others.value, rel=1e-12)
    for row in range(11, 30):
        portfolio.step(row, np.full(3, 1 / 3))
        others.step(row, np.full(3, 1 / 3))
        assert portfolio.value == pytest.approx(others.value, rel=1e-12)
    whole = make_market(bars, Costs(half_spread=0.0), Rules()).grown(slice(11, 30))
    assert market.grown(slice(11, 30)) == pytest.approx(whole, rel=1e-12)
    assert (market.grown(slice(0, 11))[:, 1] == 1).all()
    holes = {name: column.copy() for name, column in late.items()}
    for column in holes.values():
        column[20, 1] = np.nan
    with pytest.raises(TradingError, match="row 20"):
        make_market(replace(bars, **holes), Costs(), Rules())
