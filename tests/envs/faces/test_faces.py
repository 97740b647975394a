"""The environments as PettingZoo and Gymnasium know them: their own conformance tests, on every backend, with random text."""

from __future__ import annotations

import contextlib
import os
import warnings
from functools import partial
from pathlib import Path

import gymnasium
import pettingzoo
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from pettingzoo.test import (
    api_test,
    max_cycles_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)

from mx_envs import StopReason, software_v0

SPLIT = "from mas import *\ncoder = Agent('coder')\nsubmit(split(lambda part: best_of(coder, part, 3)))"


@pytest.fixture
def make(sandbox, words):
    """Makers of each face, by name, with the sandbox and task set of the test."""

    class Make:
        @staticmethod
        def env(**options):
            return software_v0.env(**{"tasks": words, "sandbox": sandbox, "executors": 3, **options})

        @staticmethod
        def parallel_env(**options):
            return software_v0.parallel_env(**{"tasks": words, "sandbox": sandbox, "executors": 3, **options})

    return Make


def test_pettingzoo_api(make):
    with warnings.catch_warnings():  # it recommends boxes of numbers
        warnings.filterwarnings(
            "ignore", "Observation is not a NumPy array|.*probably should be gymnasium.spaces", UserWarning
        )
        warnings.filterwarnings("ignore", ".*reset.. has no option 'options'", UserWarning)
        api_test(make.env(), num_cycles=20)


def test_pettingzoo_parallel_api(make):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*reset.. has no option 'options'", UserWarning)
        parallel_api_test(make.parallel_env(), num_cycles=20)


@pytest.mark.parametrize("max_cycles", [None, 3])
def test_pettingzoo_seeds(make, max_cycles):
    seed_test(lambda: make.env(max_cycles=max_cycles), num_cycles=5)
    parallel_seed_test(lambda: make.parallel_env(max_cycles=max_cycles), num_cycles=5)


def test_pettingzoo_max_cycles(make):
    max_cycles_test(make)


def test_pettingzoo_render(make, capsys):
    render_test(make.env)
    assert "== task words-train-" in capsys.readouterr().out


def test_gymnasium_check_env(sandbox, words):
    env = gymnasium.make(
        "mx/Software-v0", sandbox=sandbox.backend
    )  # by name, because the checker copies the arguments
    check_env(env.unwrapped)
    env.close()


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="PettingZoo has a registry from 1.27 on")
@pytest.mark.parametrize("kind", ["aec", "parallel"])
def test_pettingzoo_make(kind, sandbox, words, play):
    env = pettingzoo.make(kind, "mx/Software-v0", tasks=words, sandbox=sandbox)
    assert env.possible_agents == ["designer_0", *(f"executor_{slot}" for slot in range(8))]
    env.reset(seed=1)
    env.close()


def run_parallel(env, design, answer, **reset):
    observations, _ = env.reset(**{"seed": 0, **reset})
    total = dict.fromkeys(env.agents, 0.0)
    steps = 0
    while env.agents:
        actions = {
            agent: design if agent == "designer_0" else answer(seen) if seen["messages"] else "nothing to say"
            for agent, seen in observations.items()
        }
        observations, rewards, *_ = env.step(actions)
        total = {agent: total[agent] + reward for agent, reward in rewards.items()}
        steps += 1
    return total, steps


def test_both_interfaces_give_the_same_record(make, play, shout):
    aec, parallel = make.env(turn_rewards=True), make.parallel_env(turn_rewards=True)
    play(aec, SPLIT, shout)
    _, steps = run_parallel(parallel, SPLIT, shout)
    assert aec.unwrapped.episode.to_json() == parallel.episode.to_json()
    assert steps == 1 + 2  # six questions to three executors, which answer one each per step


def test_rewards_are_the_same_in_both_interfaces(make):
    from_turns = make.env(turn_rewards=True)
    from_turns.reset(seed=0)
    totals = dict.fromkeys(from_turns.agents, 0.0)
    for agent in from_turns.agent_iter():
        observation, _, terminated, truncated, _ = from_turns.last()
        done = terminated or truncated
        word = "" if done or agent == "designer_0" else observation["messages"][-1]["content"][3:][::-1]
        from_turns.step(None if done else SPLIT if agent == "designer_0" else word)
        for name, reward in from_turns.rewards.items():
            totals[name] += reward
    total, _ = run_parallel(
        make.parallel_env(turn_rewards=True), SPLIT, lambda seen: seen["messages"][-1]["content"][3:][::-1]
    )
    assert total == totals
    assert total == {"designer_0": 1.0 - 6 * 0.02, "executor_0": 3.0, "executor_1": 3.0, "executor_2": 3.0}


def test_gymnasium_plays_every_role(sandbox, words):
    env = gymnasium.make("mx/Software-v0", tasks=words, sandbox=sandbox, turn_rewards=True)
    observation, info = env.reset(seed=0)
    roles, rewards, over = [], [], False
    while not over:
        roles.append(info["agent"])
        designer = info["role"] == "designer"
        action = SPLIT if designer else observation["messages"][-1]["content"][3:][::-1]
        observation, reward, over, _, info = env.step(action)
        rewards.append(reward)
    assert roles == ["designer_0", *(f"executor_{slot}" for slot in range(1, 7))]
    assert rewards == pytest.approx([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0 + 1.0 - 6 * 0.02])
    assert env.unwrapped.episode.stop is StopReason.SUBMITTED
    env.close()


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    "vectorise",
    [SyncVectorEnv, partial(AsyncVectorEnv, shared_memory=False)],
    ids=["in this process", "in others"],
)
def test_gymnasium_vectors(vectorise, bubblewrap):
    envs = vectorise(
        [partial(gymnasium.make, "mx/Software-v0", sandbox="bubblewrap", disable_env_checker=True)] * 2
    )
    design = "from mas import *\nsubmit(Agent('a')(task))"
    envs.reset(seed=1)
    observations, *_ = envs.step((design, design))
    chats = observations["messages"]
    assert all(chat[-1]["content"].startswith("Write each prefix formula") for chat in chats)
    assert chats[0] != chats[1]
    _, rewards, terminations, _, infos = envs.step(("\N{PILE OF POO}", "a + b"))
    assert list(rewards) == [0.0, 0.0]
    assert all(terminations)
    assert list(infos["stop"]) == ["submitted", "submitted"]
    envs.close()


def test_a_fixed_number_of_cycles_idles_after_the_end_and_truncates_before_it(make, shout):
    longer = make.parallel_env(max_cycles=9)
    assert run_parallel(longer, SPLIT, shout)[1] == 9
    assert longer.episode.stop is StopReason.SUBMITTED
    shorter = make.parallel_env(max_cycles=2)
    assert run_parallel(shorter, SPLIT, shout)[1] == 2
    assert (shorter.episode.stop, shorter.episode.calls) == (StopReason.TRUNCATED, 3)


def test_the_end_is_in_every_info_and_no_reward_or_grade_before(make):
    env = make.env(turn_rewards=True)
    env.reset(seed=0)
    for agent in env.agent_iter():
        observation, _, terminated, truncated, info = env.last()
        if terminated or truncated:
            assert info["stop"] == "submitted"
            assert set(info["grade"]) == {"score", "passed", "parts", "tampered", "abstained"}
        else:
            assert set(info) == {"task", "role", "name", "turn", "calls_left"}
            assert "reward" not in repr(observation)
        env.step(None if terminated or truncated else SPLIT if agent == "designer_0" else "no")


def test_a_seed_or_an_option_chooses_the_task(make, words):
    env = make.env()
    chosen = []
    for seed in range(20):
        env.reset(seed=seed)
        first = env.unwrapped.host.current.task.id
        env.reset(seed=seed)
        assert env.unwrapped.host.current.task.id == first
        chosen.append(first)
    assert len(set(chosen)) > 5
    env.reset(options={"task": "words-train-3"})
    assert env.infos["designer_0"]["task"] == "words-train-3"
    env.reset(options={"index": 7})
    assert env.infos["designer_0"]["task"] == "words-train-7"


def test_closing_ends_a_design_in_the_middle(make, sandbox):
    env = make.env()
    for _ in range(6):  # more than the sandbox has slots
        env.reset(seed=0)
        env.step(SPLIT)
        assert env.agent_selection == "executor_1"
    env.close()
    env.close()
    assert sandbox.run(["python", "-c", "print('alive')"]).stdout == b"alive\n"


def test_a_fixed_number_of_cycles_has_a_record_too(make, play, shout):
    env = make.env(max_cycles=4)
    assert play(env, SPLIT, shout).episode.stop is StopReason.SUBMITTED


def children():
    """The processes that this one has started and that are still there."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    return {process for process, parent in parents.items() if parent == os.getpid()}


@pytest.mark.bubblewrap
def test_an_environment_that_opened_its_sandbox_leaves_nothing(bubblewrap, words):
    before = children()
    env = software_v0.env(tasks=words, sandbox="bubblewrap")
    assert not children() - before  # nothing is started before it is needed
    env.reset(seed=0)
    env.step(SPLIT)
    assert children() - before
    env.close()
    assert not children() - before


def test_an_action_is_a_text(make):
    env = make.env()
    env.reset(seed=0)
    with pytest.raises(TypeError, match="an action is a text, not int"):
        env.step(3)
    parallel = make.parallel_env()
    parallel.reset(seed=0)
    with pytest.raises(ValueError, match="designer_0 is to act"):
        parallel.step({})
