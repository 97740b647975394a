"""Figures of track records: by hand, against empyrical where it is installed, and where others give infinity."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mx_tasks.trading.market import metrics
from mx_tasks.trading.market.bars import close_only
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.errors import WindowError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import make_market
from mx_tasks.trading.market.windows import split_span, walk_forward


def recent(package: str, module: str, least: tuple[int, int]) -> Any:
    """A library that our figures are held to; skips where it is older, and defined some of them otherwise or cannot be imported."""
    found = tuple(map(int, version(package).split(".")[:2])) if find_spec(package) else (0, 0)
    if found < least:
        pytest.skip(f"{package} {'.'.join(map(str, least))} or newer is not here")
    return import_module(module)


TRACK = np.array([0.01, -0.02, 0.015, 0.0, -0.005])


def test_by_hand() -> None:
    found = metrics.record(TRACK, 252)
    total = 1.01 * 0.98 * 1.015 * 0.995 - 1
    mean, risk = TRACK.mean(), TRACK.std(ddof=1)
    assert found.total == pytest.approx(total, abs=1e-15)
    assert found.sharpe == pytest.approx(mean / risk * 252**0.5, rel=1e-12)
    assert found.sortino == pytest.approx(mean * 252 / (((0.02**2 + 0.005**2) / 5) * 252) ** 0.5, rel=1e-12)
    assert found.drawdown == pytest.approx(-0.02, abs=1e-12)
    assert found.annual_return == pytest.approx((1 + total) ** (252 / 5) - 1, rel=1e-12)
    assert found.calmar == pytest.approx(found.annual_return / 0.02, rel=1e-9)


@given(seed=st.integers(0, 10_000), count=st.integers(30, 400))
@settings(max_examples=40, deadline=None)
def test_as_empyrical_has_them(seed: int, count: int) -> None:
    empyrical = pytest.importorskip("empyrical")
    returns = np.random.default_rng(seed).normal(0.0003, 0.01, count)
    found = metrics.record(returns)
    for ours, theirs in (
        (found.annual_return, empyrical.annual_return(returns)),
        (found.volatility, empyrical.annual_volatility(returns)),
        (found.sharpe, empyrical.sharpe_ratio(returns)),
        (found.sortino, empyrical.sortino_ratio(returns)),
        (found.drawdown, empyrical.max_drawdown(returns)),
        (found.calmar, empyrical.calmar_ratio(returns)),
        (found.total, empyrical.cum_returns_final(returns)),
    ):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@given(seed=st.integers(0, 10_000), count=st.integers(30, 300))
@settings(max_examples=25, deadline=None)
def test_as_ffn_has_them(seed: int, count: int) -> None:
    """ffn annualises growth by the calendar, not by bars: its years go in as ours, explicitly. All else is by one definition."""
    ffn = recent("ffn", "ffn", (1, 4))
    pandas = pytest.importorskip("pandas")
    returns = np.random.default_rng(seed).normal(0.0003, 0.01, count)
    dates = pandas.date_range("2020-01-01", periods=count + 1, freq="D")
    prices = pandas.Series(np.concatenate([[1.0], np.cumprod(1 + returns)]), index=dates)
    series = pandas.Series(returns, index=dates[1:])
    found = metrics.record(returns)
    years = ffn.core.year_frac(dates[0], dates[-1])
    for ours, theirs in (
        (found.total, ffn.core.calc_total_return(prices)),
        (found.sharpe, ffn.core.calc_sharpe(series, nperiods=252)),
        (found.sortino, ffn.core.calc_sortino_ratio(series, nperiods=252)),
        (found.drawdown, ffn.core.calc_max_drawdown(prices)),
        (metrics.annual_return(returns, count / years), ffn.core.calc_cagr(prices)),
        (metrics.calmar(returns, count / years), ffn.core.calc_calmar_ratio(prices)),
    ):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    assert (
        np.abs(metrics.drawdowns(returns) - ffn.core.to_drawdown_series(prices).to_numpy()[1:]).max() < 1e-9
    )


@given(seed=st.integers(0, 10_000), count=st.integers(30, 300))
@settings(max_examples=25, deadline=None)
def test_as_skfolio_has_them(seed: int, count: int) -> None:
    """skfolio's semi-deviation divides by one bar less and falls below the mean: ours is its biased one, below 0."""
    measures = recent("skfolio", "skfolio.measures", (1, 12))
    returns = np.random.default_rng(seed).normal(0.0003, 0.01, count)
    found = metrics.record(returns)
    mean, year = measures.mean(returns), 252**0.5
    below = measures.get_drawdowns(returns, compounded=True)
    for ours, theirs in (
        (found.volatility, measures.standard_deviation(returns) * year),
        (found.sharpe, mean / measures.standard_deviation(returns) * year),
        (
            found.sortino,
            mean / measures.semi_deviation(returns, min_acceptable_return=0.0, biased=True) * year,
        ),
        (found.drawdown, -measures.max_drawdown(below)),
        (found.total, measures.get_cumulative_returns(returns, compounded=True)[-1] - 1),
    ):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)
    assert np.abs(metrics.drawdowns(returns) - below).max() < 1e-9


def test_turnover_cost_drag_and_exposure_by_hand() -> None:
    """All into A, half of it into B, out again: 1 + 1 + 1 of trades, 10 bps each, and the selling that is left: nothing."""
    close = np.full((5, 2), 100.0) * (1 + 1e-3 * np.arange(5))[:, None]
    bars = close_only(np.datetime64("2020-01-06") + np.arange(5), ("A", "B"), close)
    flat = replace(bars, **{name: np.full((5, 2), 100.0) for name in ("open", "high", "low", "close")})
    flat = replace(flat, volume=np.full((5, 2), 1.0))
    desk = Desk(make_market(flat, Costs(half_spread=0.001), Rules()), 1)
    for weights in ([1, 0], [0.5, 0.5], [0, 0]):
        desk.rebalance(weights)
    state = desk.finish()
    assert metrics.turnover(state) == pytest.approx(1 + 1 + 1, abs=0.005)
    assert metrics.cost_drag(state) == pytest.approx(0.003, rel=5e-3)
    assert metrics.exposure(state) == pytest.approx(2 / 3, abs=0.002)
    assert state["at costs"]["1"][-1] == pytest.approx(1 - 0.003, abs=1e-5)
    assert state["at costs"]["0"][-1] == 1.0


@pytest.mark.parametrize("value", [0.0, 0.001, -0.001])
def test_a_track_that_never_moves_is_neither_infinite_nor_nan(value: float) -> None:
    found = metrics.record(np.full(60, value))
    assert found.sharpe == 0.0
    assert np.isfinite(list(found.as_dict().values())).all()


def test_more_trials_deflate() -> None:
    track = np.random.default_rng(0).normal(0.001, 0.01, 500)
    chances = [metrics.deflated_sharpe(track, trials, 0.05) for trials in (1, 2, 10, 1000)]
    assert chances == sorted(chances, reverse=True)
    assert chances[0] > 0.9 > chances[-1]
    assert metrics.deflated_sharpe(np.zeros(50), 5, 0.1) == 0.0


def test_splits_keep_an_embargo() -> None:
    spans = [split_span(1000, split, 20) for split in ("train", "validation", "test")]  # type: ignore[arg-type]
    assert [(span.start, span.stop) for span in spans] == [(0, 600), (620, 750), (770, 1000)]
    with pytest.raises(WindowError, match="leave no bar"):
        split_span(40, "test", 20)
    with pytest.raises(WindowError, match="not -1"):
        split_span(40, "test", -1)


def test_walking_forward_purges() -> None:
    folds = list(walk_forward(100, train=40, test=20, purge=5))
    assert [(a.start, a.stop, b.start, b.stop) for a, b in folds] == [(0, 40, 45, 65), (20, 60, 65, 85)]
    with pytest.raises(WindowError, match="too few"):
        list(walk_forward(60, 40, 20, 5))
    with pytest.raises(WindowError, match="1 bar or more"):
        list(walk_forward(60, 0, 20, 5))
