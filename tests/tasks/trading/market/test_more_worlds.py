"""Bootstrapped worlds, baselines, calendars; and the desk's face of no look-ahead."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mx_tasks.trading.grading.evaluation import evaluate
from mx_tasks.trading.imports.bootstrap import bootstrap_world, history_returns
from mx_tasks.trading.imports.calendars import check_calendar
from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import FIELDS, Bars
from mx_tasks.trading.market.baselines import BASELINES, run_rule
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.errors import DataError, TradingError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Portfolio, make_market
from mx_tasks.trading.market.worlds import load_world
from mx_tasks.trading.sets.ladder import EarningTasks


def random_bars(seed: int, count: int = 60, assets: int = 2) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_t(4, (count, assets)) * 0.01, axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.002, (count, assets)))
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    dates = np.datetime64("2020-01-06") + np.arange(count)
    symbols = tuple(f"A{number}" for number in range(assets))
    return Bars(dates, symbols, opened, top, bottom, close, rng.uniform(1e5, 1e6, (count, assets)))


@given(seed=st.integers(0, 1000), now=st.integers(12, 50))
@settings(max_examples=15, deadline=None)
def test_a_desk_says_nothing_of_bars_to_come(seed: int, now: int) -> None:
    bars, other = random_bars(seed), random_bars(seed + 1)
    changed = {
        name: np.vstack([getattr(bars, name)[: now + 1], getattr(other, name)[now + 1 :]]) for name in FIELDS
    }
    said = []
    for data in (bars, replace(bars, **changed)):
        desk, rng, frames = Desk(make_market(data), 10), np.random.default_rng(seed), []
        while desk.row < now:
            frames += [desk.question(), desk.observe(100), desk.rebalance(rng.random(2).tolist())]
        said.append(json.dumps([*frames, desk.question(), desk.observe(100)]))
    assert said[0] == said[1]


@pytest.fixture(scope="module")
def returns() -> Any:
    return history_returns(History(random_bars(3, count=800)))


def test_a_planted_edge_can_be_earned_and_none_cannot(returns: Any) -> None:
    world = bootstrap_world(returns)
    follow = evaluate(world, lambda made, states, seen, held: (states > 0).astype(float), bars=60, paths=40)
    assert follow.optimum > 0.1
    assert follow.share > 0.9
    none = bootstrap_world(returns, edge=0.0)
    for decide in (lambda *now: np.ones(len(now[3])), lambda *now: (now[2][:, 0] > 0).astype(float)):
        found = evaluate(none, decide, bars=60, paths=40)
        assert found.optimum == 0
        assert found.earned < 0


def test_blocks_keep_quiet_and_wild_times_and_tasks_have_gold(returns: Any) -> None:
    world = bootstrap_world(returns)
    states, moves = world.path(np.random.default_rng(0), 300)
    assert set(np.unique(states)) == {-1.0, 1.0}
    assert np.abs(moves).max() > 2 * np.abs(moves).mean()
    tasks = EarningTasks(world, salt="a test's")
    task = tasks.task("test", 0)
    assert task.id == "bootstrap-0-test-0"
    assert tasks.grade(task, tasks.gold(task), None).score == 1.0  # type: ignore[arg-type]
    with pytest.raises(DataError, match="too few to draw blocks from"):
        history_returns(History(random_bars(0, count=100)))


def test_baselines_hold_allowed_weights_and_never_look_ahead() -> None:
    bars, other = random_bars(1, count=400, assets=4), random_bars(2, count=400, assets=4)
    changed = {name: np.vstack([getattr(bars, name)[:301], getattr(other, name)[301:]]) for name in FIELDS}
    markets = [make_market(data, Costs(), Rules()) for data in (bars, replace(bars, **changed))]
    for name, rule in BASELINES.items():
        held = np.full(4, 0.25)
        first, second = (rule(market, 300, held) for market in markets)
        assert np.array_equal(first, second), name
        assert (first >= -1e-12).all()
        assert first.sum() <= 1 + 1e-9
        record, turnover = run_rule(markets[0], rule, first=260)
        assert np.isfinite(record.sharpe)
        assert turnover >= 0
    assert run_rule(markets[0], BASELINES["cash"])[0].total == 0.0


def test_calendars() -> None:
    pytest.importorskip("exchange_calendars")
    days = ["2024-07-02", "2024-07-03", "2024-07-05"]
    bars = replace(random_bars(0, count=3), dates=np.array(days, dtype="datetime64[D]"))
    assert check_calendar(bars, "XNYS", complete=True) is bars
    holiday = replace(bars, dates=np.array(["2024-07-03", "2024-07-04", "2024-07-05"], dtype="datetime64[D]"))
    with pytest.raises(DataError, match="row 1: 2024-07-04 is no trading day of XNYS"):
        check_calendar(holiday, "XNYS")
    gap = replace(bars, dates=np.array(["2024-07-01", "2024-07-03", "2024-07-05"], dtype="datetime64[D]"))
    with pytest.raises(DataError, match="1 trading days of XNYS have no bar; the first is 2024-07-02"):
        check_calendar(gap, "XNYS", complete=True)
    with pytest.raises(TradingError, match="no calendar 'XNYX'"):
        check_calendar(bars, "XNYX")


def test_a_world_that_runs_backwards_pays_nobody() -> None:
    """What follows the regimes earns in their own time; with time reversed the same rule loses."""
    world, earned = load_world("regime"), {False: 0.0, True: 0.0}
    for seed in range(40):
        states, returns = world.path(np.random.default_rng(seed), 120)
        for backwards in earned:
            moves = np.r_[0.0, (1 / (1 + returns[1:]) - 1)[::-1]] if backwards else returns
            seen = states[::-1] if backwards else states
            portfolio = Portfolio.start(world.market(seen, moves))
            for row in range(1, len(moves)):
                portfolio.step(row, np.array([float(seen[row - 1] > 0)]))
            earned[backwards] += float(np.log(portfolio.value))
    assert earned[False] > 0 > earned[True]
