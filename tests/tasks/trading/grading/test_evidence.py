"""What is shown beyond luck: rules without skill against the code that grades, skill found, scores that say what they mean."""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
import pytest

from mx_tasks.trading.grading.evidence import (
    ALPHA,
    EQUAL,
    LEAST_EXPOSURE,
    Track,
    chance,
    fair_scale,
    log_evidence,
    lower_bound,
    share,
    weigh,
)
from mx_tasks.trading.grading.overfitting import overfitting
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.rules import Costs

YEAR = 252.0


@pytest.fixture(scope="module")
def suite() -> Any:
    """The benchmark's rules and its batch simulator."""
    return importlib.import_module("null_suite")


def track(own: Array, benchmark: Array, exposure: float = 1.0, risk: float = 0.01) -> Track:
    return Track(own, benchmark, risk, exposure)


def test_nulls_pass_rarely_and_score_nothing(suite: Any) -> None:
    """Each rule on random walks of three drifts; the table for a thousand salts is the benchmark's."""
    for drift in (0.0, 4e-4, -8e-4):

        def make(window: int, drift: float = drift) -> Any:
            return suite.walks(drift, np.random.default_rng([9, window]), 60, suite.PAST + 43)

        for name, rule in suite.NULLS.items():
            passed, score, _ = suite.weighed(rule, make, 60, 4, Costs(half_spread=0.0))
            assert passed <= 0.1, (name, drift)
            assert score <= 0.02, (name, drift)


def test_who_knows_the_next_bar_has_the_highest_score(suite: Any) -> None:
    def make(window: int) -> Any:
        return suite.walks(0.0, np.random.default_rng([9, window]), 8, suite.PAST + 43)

    passed, score, excess = suite.weighed(suite.foresight, make, 8, 4, Costs())
    assert (passed, score) == (1.0, 1.0)
    assert excess > 5


def test_no_stopping_rule_makes_evidence() -> None:
    """Ville: even who looks at the evidence itself, and stops at its highest, passes with a chance of at most 5 %."""
    rng = np.random.default_rng(0)
    tops = []
    for _ in range(400):
        coins = rng.choice([-1.0, 1.0], 300)
        tops.append(max(log_evidence(coins[:end], 0.0) for end in range(10, 301, 10)))
    assert np.mean(np.array(tops) >= -math.log(ALPHA)) <= ALPHA


def test_a_lower_bound_holds() -> None:
    rng = np.random.default_rng(1)
    bounds = [lower_bound(rng.normal(0.2, 1.0, 400)) for _ in range(200)]
    assert np.mean(np.array(bounds) > 0.2) <= ALPHA
    assert np.mean(np.array(bounds) > 0) > 0.35
    assert all(
        lower_bound(x) == 0.0 or chance(x) <= ALPHA for x in (rng.normal(0.15, 1, 300) for _ in range(50))
    )


def test_all_trials_together_have_five_per_cent() -> None:
    shares = [share(trial) for trial in range(1, 200_000)]
    assert sum(shares) == pytest.approx(1.0, abs=1e-4)
    assert len(set(shares[:EQUAL])) == 1, "the order of the first says nothing"
    assert all(after < before for before, after in zip(shares[EQUAL - 1 :], shares[EQUAL:], strict=False))
    rng = np.random.default_rng(2)
    bench = rng.normal(0.0, 0.01, 900)
    own = bench + rng.normal(0.0007, 0.003, 900)
    scores = [weigh([track(own, bench)], YEAR, trial).score for trial in (1, 8, 12, 30, 10**6)]
    assert scores[0] == scores[1] > scores[2] > scores[3] >= scores[4] == 0.0


def test_score_and_passed_say_the_same() -> None:
    rng = np.random.default_rng(3)
    for mean in (-0.002, 0.0, 0.0008, 0.0015, 0.004):
        found = weigh([track(rng.normal(mean, 0.01, 500), rng.normal(0, 0.01, 500))], YEAR)
        assert found.passed == (found.score > 0) == (found.certain > 0)
        assert 0 <= found.score <= 1


def test_standing_aside_in_a_falling_market_is_no_skill() -> None:
    rng = np.random.default_rng(4)
    bench = rng.normal(-0.004, 0.01, 500)
    for exposure in (0.0, 0.1, 0.25, 0.5, 0.9):
        found = weigh([track(exposure * bench, bench, exposure)], YEAR)
        assert found.score == 0.0, exposure
    timed = np.where(np.roll(bench, 0) > 0, bench, 0.0)
    assert weigh([track(timed, bench, 0.4)], YEAR).score > 0.5, "the control: who knows when to stand aside"


def test_hardly_in_the_market_shows_nothing() -> None:
    rng = np.random.default_rng(5)
    bench = rng.normal(-0.004, 0.01, 500)
    timed = np.where(bench > 0, bench, 0.0)
    below, above = (
        weigh([track(timed, bench, exposure)], YEAR).score
        for exposure in (LEAST_EXPOSURE - 0.01, LEAST_EXPOSURE)
    )
    assert below == 0.0 < above


@pytest.mark.parametrize("scale", [1e-8, 1e-4, 1e-2])
def test_no_score_is_free_of_scale(scale: float) -> None:
    """The same wonderful bets at a scale that moves no money."""
    rng = np.random.default_rng(6)
    bench = rng.normal(0.0005, 0.01, 500)
    assert weigh([track(scale * (np.abs(bench) + 0.001), bench, scale)], YEAR).score == 0.0


def test_risk_above_the_benchmarks_is_taken_down() -> None:
    rng = np.random.default_rng(7)
    bench = rng.normal(0.001, 0.01, 600)
    assert fair_scale(3 * bench, bench) < 0.4
    assert fair_scale(0.5 * bench, bench) == 1.0
    quiet = bench.copy()
    quiet[100] -= 0.3
    assert fair_scale(quiet, bench) < 0.6, "one crash is a drawdown and a tail"
    assert weigh([track(3 * bench, bench)], YEAR).score == 0.0


def test_a_seller_of_tails_pays_for_them() -> None:
    """A little more than equal weight at each bar, and once all of it lost again."""
    rng = np.random.default_rng(8)
    bench = rng.normal(0.0, 0.01, 600)
    own = bench + 0.002
    certain = weigh([track(own, bench)], YEAR).score
    own = own.copy()
    own[300] -= 0.4
    crashed = weigh([track(own, bench)], YEAR).score
    assert certain == 1.0
    assert crashed < 0.5


def test_windows_are_pooled_not_voted() -> None:
    """Five small wins and three large losses: a median says skill, the money does not."""
    rng = np.random.default_rng(9)
    parts = []
    for window in range(8):
        bench = rng.normal(0, 0.01, 60)
        parts.append(track(bench + (0.002 if window < 5 else -0.006), bench))
    assert weigh(parts, YEAR).score == 0.0
    assert weigh(parts[:5], YEAR).score > 0


def test_overfitting_is_half_for_luck_and_none_for_skill() -> None:
    rng = np.random.default_rng(10)
    luck = [overfitting(rng.normal(0, 0.01, (600, 20))) for _ in range(12)]
    assert 0.3 < np.mean(luck) < 0.75
    skilled = rng.normal(0, 0.01, (600, 20))
    skilled[:, 3] += 0.004
    assert overfitting(skilled) == 0.0
    for bad in (np.zeros((600, 1)), np.zeros((10, 3))):
        with pytest.raises(TradingError, match="too few"):
            overfitting(bad)
    with pytest.raises(TradingError, match="even number"):
        overfitting(np.zeros((600, 3)), blocks=5)
