"""Several traders on one market: conforms, is felt by all, and no action raises."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test

from mx_envs.market_v0 import parallel_env
from mx_tasks.trading.market.errors import TradingError


def test_pettingzoo_checks_it() -> None:
    parallel_api_test(parallel_env(bars=30), num_cycles=100)
    parallel_seed_test(parallel_env, num_cycles=50)


def crowd(others: float, **options: Any) -> float:
    env = parallel_env(traders=5, bars=40, **options)
    env.reset(seed=1)
    earned = 0.0
    while env.agents:
        side = others if env._bar % 2 else -others
        actions = {name: np.array([0.5 if name == "trader_0" else side]) for name in env.agents}
        earned += env.step(actions)[1]["trader_0"]
    return earned


def test_what_one_does_is_felt_by_all() -> None:
    assert crowd(0.0) != pytest.approx(crowd(1.0), abs=1e-6)
    assert crowd(0.0, impact=0.0) == pytest.approx(crowd(1.0, impact=0.0), abs=1e-12)


def test_moving_the_price_pays_nobody_who_moves_it() -> None:
    """Pumping, then dumping: the round trip loses, alone or together, averaged over the noise."""
    earned = []
    for seed in range(60):
        env = parallel_env(traders=1, bars=40, impact=0.03)
        env.reset(seed=seed)
        total = 0.0
        while env.agents:
            total += env.step({"trader_0": 1.0 if env._bar % 2 == 0 else 0.0})[1]["trader_0"]
        earned.append(total)
    assert np.mean(earned) < 0


def test_no_action_raises() -> None:
    env = parallel_env(traders=2, bars=20)
    env.reset(seed=0)
    for bad in (None, math.nan, "x", [1, 2], object(), 10**400, np.inf, {}):
        _, rewards, _, _, infos = env.step({"trader_0": bad})
        assert infos["trader_0"]["fault"]
        assert all(math.isfinite(reward) for reward in rewards.values())


def test_a_users_mistake_is_named() -> None:
    with pytest.raises(TradingError, match="not 0 and 5"):
        parallel_env(traders=0, bars=5)
    with pytest.raises(TradingError, match="shares from 0"):
        parallel_env(impact=2.0)
