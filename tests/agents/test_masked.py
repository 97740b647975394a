"""sb3-contrib's MaskablePPO on discrete weights: an asset that is not listed yet is never chosen, and trades are learnt."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import mx_envs  # noqa: F401  # registers the environments
from mx_tasks.trading.market.bars import Bars
from mx_tasks.trading.market.rules import Costs, Rules

contrib = pytest.importorskip("sb3_contrib")


def rising(count: int = 60) -> Bars:
    """Of two assets the second one rises, and is listed at bar 30 only."""
    rng = np.random.default_rng(0)
    drift = np.array([-0.004, 0.02])
    close = 100 * np.exp(np.cumsum(drift + 0.002 * rng.standard_normal((count, 2)), axis=0))
    close[:30, 1] = np.nan
    volume = np.where(np.isfinite(close), 1e6, np.nan)
    days = np.datetime64("2020-01-06") + np.arange(count)
    return Bars(days, ("FALLS", "RISES"), close, close, close, close, volume)


def test_masked_actions_are_learnt_and_kept_to() -> None:
    env: Any = gymnasium.make(
        "mx/Portfolio-v0",
        data=rising(),
        rules=Rules(),
        costs=Costs(half_spread=0.0),
        actions="discrete",
        bars=50,
    )
    model = contrib.MaskablePPO("MlpPolicy", env, seed=0, n_steps=256, batch_size=64, learning_rate=3e-3)
    model.learn(6_000)
    observation, info = env.reset(seed=0, options={"start": 0})
    masked, chosen, over = 0, [], False
    while not over:
        mask = env.get_wrapper_attr("action_masks")()
        action, _ = model.predict(observation, action_masks=mask, deterministic=True)
        assert mask[int(action)]
        masked += not mask.all()
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
        chosen.append(info["weights"].tolist())
    assert masked > 20, "the second asset was not there for a while"
    assert np.mean(chosen[-15:], axis=0)[1] > 0.8, "it is held once it may be"
    assert all(weights[1] == 0 for weights in chosen[: masked - 1])
