"""Figures of track records: by hand, against empyrical where it is installed, and where others give infinity."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mx_tasks.trading import metrics
from mx_tasks.trading.errors import WindowError
from mx_tasks.trading.windows import split_span, walk_forward

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
    ):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("value", [0.0, 0.001, -0.001])
def test_a_track_that_never_moves_is_neither_infinite_nor_nan(value: float) -> None:
    found = metrics.record(np.full(60, value))
    assert found.sharpe == 0.0
    assert np.isfinite(list(found.as_dict().values())).all()
    assert metrics.excess_sharpe(np.full(60, value), TRACK) == 0.0


def test_leverage_buys_nothing() -> None:
    rng = np.random.default_rng(0)
    track, benchmark = rng.normal(0.001, 0.01, 250), rng.normal(0.0005, 0.01, 250)
    assert metrics.excess_sharpe(track, benchmark) == pytest.approx(
        metrics.excess_sharpe(3 * track, benchmark), rel=1e-12
    )


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
