"""Every environment that is registered plays one episode through its public doors: the first thing that other releases break."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pettingzoo
import pytest

import mx_envs
from mx_sandboxes import SandboxUnavailableError
from mx_tasks import TaskSetError

GIVES_UP = "from mas import submit\nsubmit('')"
ALL = sorted(name for name in gymnasium.registry if name.startswith("mx/"))
OF_DOMAINS = [name for name in ALL if name != "mx/Portfolio-v0"]


def made(make: Any, *arguments: Any, **options: Any) -> Any:
    try:
        return make(*arguments, **options)
    except (SandboxUnavailableError, TaskSetError) as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", OF_DOMAINS)
def test_a_domain(name: str) -> None:
    module = getattr(mx_envs, f"{name.removeprefix('mx/').partition('-')[0].lower()}_v0")
    env = made(module.env, tasks="micro", sandbox="auto")
    try:
        made(env.reset, seed=3)
        for agent in env.agent_iter():
            _, _, termination, truncation, _ = env.last()
            over = termination or truncation
            env.step(None if over else GIVES_UP if agent == "designer_0" else "")
        grade = env.unwrapped.episode.grade
        assert grade is not None
        assert not grade.passed
    finally:
        env.close()


@pytest.mark.parametrize("name", OF_DOMAINS)
def test_a_domain_by_its_name_in_gymnasium(name: str) -> None:
    env = made(gymnasium.make, name, tasks="micro", sandbox="auto")
    try:
        made(env.reset, seed=3)
        over = False
        while not over:
            _, _, terminated, truncated, _ = env.step(GIVES_UP)
            over = terminated or truncated
    finally:
        env.close()


def test_a_portfolio() -> None:
    env = gymnasium.make("mx/Portfolio-v0", world="mean-reversion")
    env.reset(seed=3)
    over = False
    while not over:
        _, reward, terminated, truncated, _ = env.step(env.action_space.sample())
        assert np.isfinite(float(reward))
        over = terminated or truncated
    env.close()


def test_many_portfolios_at_once() -> None:
    many = gymnasium.make_vec("mx/Portfolio-v0", num_envs=4)
    many.reset(seed=3)
    ends = 0
    for _ in range(400):
        _, rewards, terminated, truncated, _ = many.step(many.action_space.sample())
        assert np.isfinite(rewards).all()
        ends += int((terminated | truncated).sum())
        if ends:
            break
    many.close()
    assert ends


@pytest.mark.skipif(
    not hasattr(pettingzoo, "make"), reason="PettingZoo has names for environments from 1.27 on"
)
def test_a_market_by_its_name() -> None:
    env = pettingzoo.make("parallel", "mx/Market-v0")
    env.reset(seed=3)
    while env.agents:
        env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    env.close()
