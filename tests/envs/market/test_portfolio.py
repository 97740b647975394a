"""The numeric market: conforms, cannot be looked ahead in, one is what each of many is, no action raises."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

import mx_envs  # noqa: F401  # registers the environments
from mx_envs.market.portfolio import PortfolioEnv
from mx_envs.market.portfolio_vector import PortfolioVectorEnv
from mx_tasks.trading.market.bars import FIELDS, Bars
from mx_tasks.trading.market.errors import TradingError, WindowError
from mx_tasks.trading.market.rules import Costs, Rules

COSTS = Costs(half_spread=0.001, impact=0.05, borrow=0.02, interest=0.01, margin=0.05)
RULES = Rules(min_weight=-0.5, max_gross=1.5)
VARIANTS: list[dict[str, Any]] = [
    {},
    {"actions": "discrete"},
    {"world": "mean-reversion", "bars": 40, "reward": "log"},
    {"world": "hidden-regime", "bars": 40, "salt": "x"},
    {"world": "pairs", "bars": 30, "actions": "discrete", "reward": "log"},
    {"world": "linear-quadratic", "bars": 30, "reward": "goal"},
]


def random_bars(seed: int = 0, count: int = 80, assets: int = 3) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (count, assets)), axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.01, (count, assets)))
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    dates = np.datetime64("2020-01-06") + np.arange(count)
    symbols = tuple(f"A{number}" for number in range(assets))
    return Bars(dates, symbols, opened, top, bottom, close, rng.uniform(1e5, 1e6, (count, assets)))


def with_data(**options: Any) -> dict[str, Any]:
    return {"data": random_bars(), "costs": COSTS, "rules": RULES, "bars": 30, **options}


@pytest.mark.parametrize("options", [*VARIANTS, with_data(), with_data(actions="discrete")])
def test_gymnasium_and_sb3_check_it(options: dict[str, Any]) -> None:
    sb3 = pytest.importorskip("stable_baselines3.common.env_checker")
    env = gymnasium.make("mx/Portfolio-v0", **options)
    with warnings.catch_warnings():  # both recommend bounded boxes
        warnings.filterwarnings("ignore", ".*(infinity|symmetric|normalized|render).*", UserWarning)
        check_env(env.unwrapped, skip_render_check=True)
        sb3.check_env(PortfolioEnv(**options))


@pytest.mark.parametrize("options", [*VARIANTS, with_data(), with_data(actions="discrete", reward="log")])
def test_each_of_many_is_the_single_one_with_its_seed(options: dict[str, Any]) -> None:
    many = gymnasium.make_vec("mx/Portfolio-v0", num_envs=4, **options)
    assert isinstance(many, PortfolioVectorEnv)
    singles = [PortfolioEnv(**options) for _ in range(4)]
    seen, _ = many.reset(seed=11)
    for place, single in enumerate(singles):
        assert np.array_equal(single.reset(seed=11 + place)[0], seen[place])
    many.action_space.seed(0)
    for _ in range(300):  # over the ends of several episodes
        actions = many.action_space.sample()
        seen, rewards, ruined, ended, infos = many.step(actions)
        for place, single in enumerate(singles):
            own, reward, terminated, truncated, info = single.step(actions[place])
            assert abs(reward - rewards[place]) < 1e-12
            assert (terminated, truncated) == (ruined[place], ended[place])
            if terminated or truncated:
                assert np.array_equal(own, infos["final_obs"][place])
                assert abs(info["value"] - infos["final_info"]["value"][place]) < 1e-12
                own = single.reset()[0]
            np.testing.assert_allclose(own, seen[place], rtol=1e-6, atol=1e-7)


@given(seed=st.integers(0, 1000), now=st.integers(21, 70))
@settings(max_examples=20, deadline=None)
def test_bars_to_come_change_nothing_seen_or_paid_before(seed: int, now: int) -> None:
    bars, other = random_bars(seed), random_bars(seed + 1)
    changed = {
        name: np.vstack([getattr(bars, name)[: now + 1], getattr(other, name)[now + 1 :]]) for name in FIELDS
    }
    lived = []
    for data in (bars, replace(bars, **changed)):
        env = PortfolioEnv(data=data, costs=COSTS, rules=RULES)
        rng = np.random.default_rng(seed)
        seen = [env.reset(seed=seed, options={"start": 0})[0].tobytes()]
        for _ in range(now):
            observation, reward, _, _, _ = env.step(rng.normal(size=3).astype(np.float32))
            seen += [observation.tobytes(), np.float64(reward).tobytes()]
        lived.append(seen)
    assert lived[0] == lived[1]


def test_buy_and_hold_is_paid_its_profit() -> None:
    bars = random_bars(4, assets=1)
    env = PortfolioEnv(data=bars, costs=Costs(half_spread=0.0), rules=Rules(), actions="discrete")
    env.reset(seed=0, options={"start": 0})
    rewards = [env.step(5)[1]]
    over = False
    while not over:
        _, reward, terminated, over, info = env.step(0)
        assert not terminated
        rewards.append(reward)
    profit = bars.close[-1, 0] / bars.open[1, 0] - 1
    assert sum(rewards) == pytest.approx(profit, abs=1e-12)
    assert info["value"] == pytest.approx(1 + profit, abs=1e-12)


def test_selling_is_charged_once_at_the_end() -> None:
    env = PortfolioEnv(data=random_bars(4), costs=Costs(half_spread=0.01), rules=Rules(), bars=10)
    env.reset(seed=0)
    rewards = [env.step(np.full(3, 0.3, np.float32))[1] for _ in range(10)]
    held = env.portfolio.position.sum()
    assert 1 + sum(rewards) == pytest.approx(env.portfolio.value - 0.01 * held, abs=1e-12)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(np.zeros(3, np.float32))


def test_ruin_ends_it() -> None:
    bars = random_bars(4, assets=1)
    fall = replace(
        bars,
        **{name: getattr(bars, name) * np.r_[np.ones(40), np.full(40, 0.01)][:, None] for name in FIELDS},
    )
    env = PortfolioEnv(data=fall, rules=Rules(max_weight=2, max_gross=2))
    env.reset(seed=0, options={"start": 0})
    terminated = truncated = False
    while not (terminated or truncated):
        _, reward, terminated, truncated, _ = env.step(np.array([2.0], np.float32))
        assert np.isfinite(reward)
    assert terminated
    assert not truncated


BAD = [
    np.array([np.nan, 0, 0]),
    np.array([np.inf, 0, 0]),
    np.array([-np.inf, np.inf, 0]),
    np.zeros(2),
    np.zeros((3, 3)),
    None,
    "all in",
    [],
    {"A0": 1},
    np.array([1e308, 1e308, 1e308]),
    [[1], [2, 3]],
    object(),
]


@pytest.mark.parametrize("actions", ["weights", "discrete"])
def test_no_action_raises(actions: Any) -> None:
    env = PortfolioEnv(**with_data(actions=actions))
    many = PortfolioVectorEnv(2, **with_data(actions=actions))
    env.reset(seed=0)
    many.reset(seed=0)
    for bad in [*BAD, -1, 99, 1.5, 10**400]:
        with np.errstate(over="ignore"):
            seen, reward, _, _, info = env.step(bad)
            assert np.isfinite(seen).all()
            assert np.isfinite(reward)
            assert np.isfinite(many.step([bad, bad])[1]).all()
        if not (
            isinstance(bad, np.ndarray)
            and bad.shape == (3,)
            and abs(bad[0]) > 1e300
            and np.isfinite(bad).all()
        ):
            assert info["fault"]


def test_a_fault_keeps_the_last_target() -> None:
    env = PortfolioEnv(data=random_bars(), rules=Rules(), costs=Costs(half_spread=0.0))
    env.reset(seed=0, options={"start": 0})
    env.step(np.array([0.5, 0.2, 0.1], np.float32))
    env.step(np.array([np.nan, 0.2, 0.1], np.float32))
    assert np.abs(env.portfolio.weights - [0.5, 0.2, 0.1]).max() < 0.05


def test_observations_share_no_memory_and_tell_no_seed() -> None:
    env = PortfolioEnv(bars=5)
    first, info = env.reset(seed=123)
    kept = first.copy()
    for _ in range(4):
        seen, _, _, _, step_info = env.step(np.ones(1, np.float32))
        assert not np.shares_memory(seen, first)
        info |= step_info
    assert np.array_equal(first, kept)
    assert "123" not in repr(info)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"world": "moon"}, TradingError, "no world 'moon'"),
        ({"actions": "words"}, TradingError, "weights or discrete"),
        ({"reward": "sharpe"}, TradingError, "profit or log"),
        ({"bars": 0}, WindowError, "a window has 1 to"),
        ({"data": random_bars(), "bars": 80}, WindowError, "1 to 79 decisions here, not 80"),
        ({"data": random_bars(), "world": "regime"}, TradingError, "not both"),
        ({"costs": COSTS}, TradingError, "brings its own costs"),
        ({"data": random_bars(), "features": np.zeros((5, 2))}, TradingError, "features are finite numbers"),
    ],
)
def test_a_users_mistake_is_one_clear_error(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        PortfolioEnv(**options)


def test_a_window_that_is_none() -> None:
    with pytest.raises(WindowError, match="row 0 to 49, not 60"):
        PortfolioEnv(data=random_bars(), bars=30).reset(options={"start": 60})
