"""Stable-Baselines3 learns the market: its VecEnv, PPO near the optimum, and the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mx_agents.cli import main
from mx_agents.errors import UsageError
from mx_tasks.trading.grading.evaluation import evaluate
from mx_tasks.trading.market.worlds import load_world

pytest.importorskip("stable_baselines3")


def test_ppo_learns_the_regimes() -> None:
    from mx_agents.sb3 import train_ppo

    _, reached = train_ppo("regime", steps=100_000, seed=0)
    assert reached.share > 0.95


def test_episodes_end_as_sb3_expects() -> None:
    from mx_agents.sb3 import PortfolioVecEnv

    env = PortfolioVecEnv(3, world="regime", bars=4)
    env.seed(5)
    first = env.reset()
    for _ in range(4):
        seen, rewards, done, infos = env.step(np.ones((3, 1)))
    assert done.all()
    assert rewards.dtype == np.float32
    assert all(
        info["TimeLimit.truncated"] and info["terminal_observation"].shape == first[0].shape for info in infos
    )
    assert not np.array_equal(seen[0], infos[0]["terminal_observation"])


def test_a_trained_model_is_a_policy_of_the_numeric_views(tmp_path: Path) -> None:
    import gymnasium
    from stable_baselines3 import PPO

    from mx_agents.sb3 import PortfolioVecEnv, Sb3Policy

    env = PortfolioVecEnv(4, world="regime", bars=8, actions="discrete", reward="goal", reward_scale=100.0)
    model = PPO("MlpPolicy", env, n_steps=32, batch_size=64, seed=0, device="cpu").learn(128)
    model.save(tmp_path / "mine.zip")
    policy = Sb3Policy.load(tmp_path / "mine.zip")

    alone = gymnasium.make("mx/Portfolio-v0", world="regime", bars=8, actions="discrete")
    seen, _ = alone.reset(seed=3)
    played, over = [], False
    while not over:
        [action] = policy.act([seen])
        assert action == model.predict(seen, deterministic=True)[0]
        played.append(action)
        seen, _, terminated, truncated, info = alone.step(action)
        assert "fault" not in info
        over = terminated or truncated
    assert len(played) == 8

    many = gymnasium.make_vec("mx/Portfolio-v0", num_envs=3, world="regime", bars=8, actions="discrete")
    seen, _ = many.reset(seed=3)
    assert len(policy.act(list(seen))) == 3
    assert policy.act([]) == []


def test_a_model_that_is_not_there_says_so(tmp_path: Path) -> None:
    from mx_agents.sb3 import Sb3Policy

    with pytest.raises(UsageError, match="no PPO model at"):
        Sb3Policy.load(tmp_path / "nothing.zip")
    with pytest.raises(UsageError, match="did you mean 'PPO'"):
        Sb3Policy.load(tmp_path / "nothing.zip", "PP0")


def test_nobody_beats_a_fair_coin() -> None:
    rng = np.random.default_rng(0)
    for decide in (lambda *now: rng.random(len(now[3])), lambda *now: np.ones(len(now[3]))):
        reached = evaluate(load_world("no-edge"), decide, bars=50, paths=40)
        assert reached.earned < 0
        assert reached.optimum == 0


def test_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["trading", "ppo", "--worlds", "moon"])
    assert end.value.code == 2
    assert "no world 'moon'" in capsys.readouterr().err
