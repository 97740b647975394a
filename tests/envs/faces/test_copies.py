"""Environments in processes and copies: what pickles, what is the same afterwards, and what says why it does not."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import pytest
from pettingzoo.test.state_test import state_test

from mx_envs import hardware_v0, software_v0, trading_v0
from mx_envs.faces import single
from mx_tasks import load_task_set
from mx_tasks.errors import TaskSetError
from mx_tasks.registry import task_set_names

WAYS: dict[str, Callable[[Any], Any]] = {
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "deepcopy": copy.deepcopy,
}
MAKERS: dict[str, Callable[..., Any]] = {
    "aec": software_v0.env,
    "raw": trading_v0.raw_env,
    "parallel": hardware_v0.parallel_env,
    "cycles": lambda **options: software_v0.env(max_cycles=3, **options),
    "single": single.software,
}
DESIGN = "from mas import *\nsubmit(Agent('coder')(task.prompt))"


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("face", MAKERS)
def test_a_fresh_environment_is_copied_and_plays_the_same(face, way, bubblewrap):
    env = MAKERS[face](tasks="micro", sandbox="bubblewrap")
    twin = WAYS[way](env)
    tasks = []
    for each in (env, twin):
        each.reset(seed=11)
        tasks.append(each.unwrapped.host.current.task)
        each.close()
    assert tasks[0] == tasks[1]


@pytest.mark.parametrize("way", WAYS)
def test_an_environment_is_copied_between_episodes_and_not_within_one(way, bubblewrap, play):
    env = software_v0.env(tasks="micro", sandbox="bubblewrap")
    env.reset(seed=5)
    with pytest.raises(TypeError, match="in the middle of an episode; end it, or close\\(\\), first"):
        WAYS[way](env)
    play(env, DESIGN, lambda _: "a + b")
    twin = WAYS[way](env)
    with pytest.raises(RuntimeError, match="call reset"):
        twin.unwrapped.host.info("designer_0")
    assert twin.unwrapped.episode is None
    assert env.unwrapped.episode is not None
    for each in (env, twin):  # both go on from the same point of the same stream
        each.reset()
    assert env.unwrapped.host.current.task == twin.unwrapped.host.current.task
    env.close()
    twin.close()


def test_an_open_sandbox_cannot_go_along(bubblewrap):
    env = software_v0.parallel_env(tasks="micro", sandbox=bubblewrap)
    with pytest.raises(TypeError, match="name a backend, such as sandbox='auto'"):
        pickle.dumps(env)


@pytest.mark.parametrize("name", task_set_names())
def test_every_task_set_that_is_at_hand_goes_into_another_process(name):
    try:
        tasks = load_task_set(name)
    except TaskSetError as error:
        if "set MX_" not in str(error) and "needs a package" not in str(error):
            raise
        pytest.skip(str(error))  # a user's own copy of a benchmark or package of bars, which is not here
    split = next(split for split in ("validation", "train", "test") if tasks.size(split) != 0)
    before = tasks.task(split, 0)
    for way in WAYS.values():
        twin = way(tasks)
        assert (twin.fingerprint, twin.task(split, 0)) == (tasks.fingerprint, before)


def test_the_specification_of_an_environment_makes_it_again(bubblewrap):
    env = gymnasium.make("mx/Software-v0", tasks="micro", sandbox="bubblewrap", executors=2)
    again = gymnasium.make(gymnasium.envs.registration.EnvSpec.from_json(env.spec.to_json()))
    assert again.unwrapped.host.executors == 2
    env.reset(seed=2)
    again.reset(seed=2)
    assert env.unwrapped.host.current.task == again.unwrapped.host.current.task
    env.close()
    again.close()


def test_state_as_pettingzoo_tests_it(sandbox, words):
    with warnings.catch_warnings():  # it recommends boxes of numbers
        warnings.filterwarnings("ignore", "State (space|is not NumPy).*", UserWarning)
        state_test(
            software_v0.env(tasks=words, sandbox=sandbox),
            software_v0.parallel_env(tasks=words, sandbox=sandbox),
        )


def test_the_state_is_all_that_was_said(bubblewrap, words, play):
    env = software_v0.env(tasks=words, sandbox=bubblewrap)
    env.reset(seed=1)
    assert env.state() == env.observe("designer_0")
    play(env, DESIGN, lambda _: "nothing")
    said = [(message["role"], message["content"]) for message in env.state()["messages"]]
    assert said[-3] == ("assistant", DESIGN)
    assert said[-2][0] == "user"
    assert said[-1] == ("assistant", "nothing")
    assert env.state_space.contains(env.state())
    env.close()
