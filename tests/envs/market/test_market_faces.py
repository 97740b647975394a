"""The standard faces of the numeric market, whole: copies, specifications, three ways to begin anew, pictures, infos, masks."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from pettingzoo.test import api_test, parallel_api_test, seed_test

import mx_envs
from mx_envs import market_v0
from mx_envs.market.portfolio import PortfolioEnv
from mx_envs.market.portfolio_vector import PortfolioVectorEnv
from mx_tasks.trading.imports.bootstrap import bootstrap_world
from mx_tasks.trading.market.bars import FIELDS, Bars
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.worlds import WORLDS, regime

MADE = {
    "a world's own": regime(),
    "resampled": bootstrap_world(np.random.default_rng(0).normal(0, 0.01, 300)),
}


def bars(count: int = 60, assets: int = 3) -> Bars:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (count, assets)), axis=0))
    dates = np.datetime64("2020-01-06") + np.arange(count)
    volume = np.full_like(close, 1e6)
    return Bars(dates, tuple("ABCDEF"[:assets]), close, close, close, close, volume)


def late(count: int = 60) -> Bars:
    """The second asset is listed at bar 30."""
    made = bars(count)
    columns = {name: getattr(made, name).copy() for name in FIELDS}
    for column in columns.values():
        column[:30, 1] = np.nan
    return Bars(made.dates, made.symbols, **columns)


@pytest.mark.parametrize("world", [*WORLDS, *MADE, "bars"])
@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
@pytest.mark.parametrize("many", [False, True])
def test_copies_go_on_alike(world: str, how: str, many: bool) -> None:
    options: Any = {"data": bars()} if world == "bars" else {"world": MADE.get(world, world)}
    env: Any = PortfolioVectorEnv(3, **options, bars=20) if many else PortfolioEnv(**options, bars=20)
    env.reset(seed=3)
    env.action_space.seed(1)
    env.step(env.action_space.sample())
    twin = pickle.loads(pickle.dumps(env)) if how == "pickle" else copy.deepcopy(env)
    for _ in range(30):  # over the end of an episode
        action = env.action_space.sample()
        one, two = env.step(action), twin.step(action)
        assert np.array_equal(one[0], two[0])
        assert np.array_equal(one[1], two[1])
        if not many and (one[2] or one[3]):
            assert np.array_equal(env.reset()[0], twin.reset()[0])


def test_a_world_that_was_changed_is_pickled_with_its_changes() -> None:
    from dataclasses import replace

    changed = replace(regime(), costs=Costs(half_spread=0.02), name="dear")
    again = pickle.loads(pickle.dumps(changed))
    assert (again.costs, again.name) == (changed.costs, "dear")
    assert again.solve(5).a_year == changed.solve(5).a_year


def test_specifications_make_the_same_again(tmp_path: Path) -> None:
    rows = [f"{np.datetime64('2020-01-06') + day},{100 + day % 7},{50 + day % 5}" for day in range(60)]
    (tmp_path / "mine.csv").write_text("\n".join(["date,X,Y", *rows]))
    costs, rules = Costs(half_spread=0.003, borrow=0.01), Rules(min_weight=-0.5, max_gross=1.5)
    made = gymnasium.make(
        "mx/Portfolio-v0", data=str(tmp_path / "mine.csv"), costs=costs, rules=rules, bars=20
    )
    assert made.spec is not None
    again: Any = EnvSpec.from_json(made.spec.to_json()).make()
    assert again.unwrapped.source.market.costs == costs
    assert again.unwrapped.source.rules.max_gross == 1.5
    made.reset(seed=1)
    again.reset(seed=1)
    for _ in range(20):
        action = made.action_space.sample()
        one, two = made.step(action), again.step(action)
        assert np.array_equal(one[0], two[0])
        assert one[1] == two[1]
    with pytest.raises(TradingError, match="half_spred"):
        PortfolioEnv(data=bars(), costs={"half_spred": 0.1})


@pytest.mark.parametrize("kind", ["bootstrap", "bootstrap-no-edge"])
def test_bootstraps_are_there_where_they_are_named(kind: str, tmp_path: Path) -> None:
    rows = [f"{np.datetime64('2020-01-06') + day},{100 + day % 7 + day % 11}" for day in range(400)]
    (tmp_path / "mine.csv").write_text("\n".join(["date,X", *rows]))
    env = gymnasium.make("mx/Portfolio-v0", world=f"{kind}/{tmp_path / 'mine.csv'}", bars=10)
    env.reset(seed=0)
    assert np.isfinite(env.step(env.action_space.sample())[1])
    with pytest.raises(TradingError, match="no world 'bootstrip'"):
        PortfolioEnv(world="bootstrip")


def test_infos_tell_what_happened() -> None:
    env = PortfolioEnv(data=bars(), costs=Costs(half_spread=0.01), rules=Rules(), bars=5)
    _, info = env.reset(seed=0, options={"start": 4})
    assert (info["value"], info["costs"], info["turnover"]) == (1.0, 0.0, 0.0)
    assert info["date"] == np.datetime64("2020-01-10")
    _, reward, _, _, info = env.step(np.array([0.5, 0, 0], np.float32))
    assert info["turnover"] == pytest.approx(0.5)
    assert info["costs"] == pytest.approx(0.005)
    assert info["value"] == pytest.approx(1 + reward)
    assert info["weights"][0] == pytest.approx(0.5, abs=0.02)
    assert info["date"] == np.datetime64("2020-01-11")
    while True:
        *_, over, info = env.step(np.array([0.5, 0, 0], np.float32))
        if over:
            break
    assert info["costs"] > 0.004, "selling is in the last step's"
    assert "tradable" not in info


def test_an_asset_that_cannot_be_traded_has_no_weight_and_the_mask_says_so() -> None:
    env = PortfolioEnv(data=late(), rules=Rules(), costs=Costs(half_spread=0.0), actions="discrete", bars=50)
    _, info = env.reset(seed=0, options={"start": 0})
    assert info["tradable"].tolist() == [True, False, True]
    assert env.action_masks().tolist() == [True, True, False, True, False, True]
    for _ in range(30):
        _, _, _, _, info = env.step(4)  # all in what is not there
        assert info["weights"].tolist() == [0, 0, 0]
    assert env.action_masks().all()
    assert info["tradable"].all()
    assert env.step(4)[4]["weights"][1] == pytest.approx(1.0)
    with pytest.raises(TradingError, match="discrete"):
        PortfolioEnv(data=late()).action_masks()


@pytest.mark.filterwarnings("ignore:.*(infinity|normalized|unable to check).*")
def test_pictures_and_texts(capsys: pytest.CaptureFixture[str]) -> None:
    for mode in ("rgb_array", "ansi", "human"):
        env = gymnasium.make("mx/Portfolio-v0", data=bars(), rules=Rules(), bars=10, render_mode=mode)
        env.reset(seed=0)
        shown: list[Any] = []
        for _ in range(8):
            env.step(np.array([0.5, 0, 0], np.float32))
            shown.append(env.render())
        if mode == "rgb_array":
            assert shown[0].shape == (240, 420, 3)
            assert shown[0].dtype == np.uint8
            assert len({picture.tobytes() for picture in shown}) == 8
        elif mode == "ansi":
            assert "A +5" in shown[0] or "A +4" in shown[0]
            assert "value" in shown[0]
        else:
            assert capsys.readouterr().out.count("value") >= 9
    check_env(gymnasium.make("mx/Portfolio-v0", render_mode="rgb_array").unwrapped)
    with pytest.raises(TradingError, match="render_mode is human, rgb_array, ansi"):
        PortfolioEnv(render_mode="video")


@pytest.mark.parametrize("options", [{"world": "regime"}, {"data": bars(), "rules": Rules()}])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.DISABLED])
def test_each_way_to_begin_anew_is_gymnasiums(mode: AutoresetMode, options: Any) -> None:
    """Held to Gymnasium's own vector environment around the single one."""
    many = gymnasium.make_vec("mx/Portfolio-v0", 3, bars=7, **options, autoreset_mode=mode)
    assert many.metadata["autoreset_mode"] is mode
    own = gymnasium.vector.SyncVectorEnv([lambda: PortfolioEnv(bars=7, **options)] * 3, autoreset_mode=mode)
    assert np.allclose(many.reset(seed=5)[0], own.reset(seed=5)[0])
    many.action_space.seed(2)
    for _ in range(40):
        action = many.action_space.sample()
        one, two = many.step(action), own.step(action)
        for part, other in zip(one[:4], two[:4], strict=True):
            np.testing.assert_allclose(part, other, rtol=1e-5, atol=1e-7)
        over = one[2] | one[3]
        if mode is AutoresetMode.DISABLED and over.any():
            with pytest.raises(RuntimeError, match="reset_mask"):
                many.step(action)
            seen = [each.reset(options={"reset_mask": over})[0] for each in (many, own)]
            np.testing.assert_allclose(*seen, rtol=1e-5, atol=1e-7)
    many.close()


def test_a_mode_that_is_none_is_named() -> None:
    with pytest.raises(TradingError, match="autoreset_mode is one of"):
        PortfolioVectorEnv(2, autoreset_mode="never")


@pytest.mark.filterwarnings("ignore:.*infinity.*")
def test_the_market_of_many_by_turns_and_at_once() -> None:
    api_test(market_v0.env(bars=20), num_cycles=100)
    api_test(market_v0.raw_env(bars=20), num_cycles=100)
    parallel_api_test(market_v0.parallel_env(bars=20), num_cycles=100)
    seed_test(market_v0.env, num_cycles=20)
    assert mx_envs.market_v0 is market_v0
    env = market_v0.parallel_env(traders=2)
    with pytest.raises(RuntimeError, match="reset"):
        env.state()
    env.reset(seed=0)
    assert env.state().shape == env.state_space.shape == (6,)
    env.step({"trader_0": 1.0, "trader_1": -1.0})
    assert env.state()[2] > 0 > env.state()[3]
    assert pickle.loads(pickle.dumps(env)).state().tolist() == env.state().tolist()


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="this PettingZoo has no registry")
def test_both_forms_are_registered() -> None:
    for kind in ("aec", "parallel"):
        env = pettingzoo.make(kind, "mx/Market-v0", bars=5)
        env.reset(seed=0)
        assert env.agents


def test_nobody_owes_more_than_there_is() -> None:
    env = market_v0.parallel_env(traders=3, bars=400, impact=0.9, cost=0.5)
    for seed in range(20):
        env.reset(seed=seed)
        while env.agents:
            env.step(dict.fromkeys(env.agents, 1.0 if env._bar % 2 else -1.0))
            assert (env.wealth >= 0).all()
