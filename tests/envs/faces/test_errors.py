"""A user's mistakes: each one clear error that says what there is instead."""

from __future__ import annotations

import numpy as np
import pytest

from mx_envs import software_v0
from mx_envs.faces import single
from mx_tasks import TaskNotFoundError


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tasks": "micr"}, r"no task set 'micr' \(did you mean 'software:micro'\?\)"),
        ({"split": "tset"}, r"no split 'tset' \(did you mean 'test'\?\)"),
        (
            {"sandbox": "dokcer"},
            r"no sandbox 'dokcer' \(did you mean 'docker'\?\); there are: auto, docker, bubblewrap",
        ),
        (
            {"render_mode": "humna"},
            r"no render mode 'humna' \(did you mean 'human'\?\); there are: ansi, human",
        ),
        ({"executors": 0}, "at least 1 executor, not 0"),
        ({"max_cycles": 0}, "max_cycles is 1 or more, not 0"),
    ],
)
@pytest.mark.parametrize("make", [software_v0.env, software_v0.raw_env, software_v0.parallel_env])
def test_wrong_arguments(make, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (software_v0.env, {"turn_reward": True}, r"software_v0.env\(\) has no argument 'turn_reward' \(did you mean 'turn_re"),
        (software_v0.raw_env, {"task": "micro"}, r"software_v0.raw_env\(\) has no argument 'task' \(did you mean 'tasks'"),
        (software_v0.parallel_env, {"zzz": 1}, r"software_v0.parallel_env\(\) has no argument 'zzz'; there are: tasks, split"),
        (single.trading, {"max_cycles": 3}, "mx/Trading-v0 has no argument 'max_cycles'"),
    ],
)  # fmt: skip
def test_an_unknown_argument(make, options, message):
    with pytest.raises(TypeError, match=message):
        make(**options)


FACES = {
    "aec": lambda **options: software_v0.env(**options),
    "parallel": lambda **options: software_v0.parallel_env(**options),
    "single": lambda **options: single.software(**options),
}


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize(
    ("asked", "kind", "message"),
    [
        ({"taks": "words-train-0"}, ValueError, r"no option 'taks' \(did you mean 'task'\?\); there are: task, index, split"),
        ({"index": 1.7}, TypeError, "the option 'index' is a whole number, not 1.7"),
        ({"index": "1"}, TypeError, "the option 'index' is a whole number, not '1'"),
        ({"index": True}, TypeError, "the option 'index' is a whole number, not True"),
        ({"task": 3}, TypeError, "the option 'task' is a task's id, not 3"),
        ({"task": "words-train-0", "index": 0}, ValueError, "'task' or 'index', not both"),
        ({"split": "tset"}, ValueError, r"no split 'tset' \(did you mean 'test'\?\)"),
        ({"task": "words-test-0"}, ValueError, "is of the split 'test', and this environment plays 'train'"),
        ({"task": "words-test-0", "split": "train"}, ValueError, "is of the split 'test'"),
    ],
)  # fmt: skip
def test_wrong_options_of_a_reset_are_named_and_change_nothing(face, asked, kind, message, bubblewrap, words):
    env = FACES[face](tasks=words, sandbox=bubblewrap)
    env.reset(seed=3)
    before = env.unwrapped.host.current
    with pytest.raises(kind, match=message):
        env.reset(options=asked)
    assert env.unwrapped.host.current is before
    env.close()


def test_an_option_like_none_that_there_is_is_warned_about(bubblewrap, words):
    env = software_v0.env(tasks=words, sandbox=bubblewrap)
    with pytest.warns(
        UserWarning, match=r"reset\(\) has no option 'difficulty'; there are: task, index, split"
    ):
        env.reset(options={"difficulty": 3, "index": 2})
    assert env.unwrapped.host.current.task.id == "words-train-2"
    env.close()


@pytest.mark.parametrize("face", FACES)
def test_a_task_of_another_split_is_played_where_the_options_say_so(face, bubblewrap, words):
    env = FACES[face](tasks=words, sandbox=bubblewrap)
    env.reset(options={"task": "words-test-0", "split": "test"})
    assert env.unwrapped.host.current.task.id == "words-test-0"
    env.reset(options={"index": np.int64(0), "split": "test"})
    assert env.unwrapped.host.current.task.id == "words-test-0"
    env.reset(options={"index": 0})
    assert env.unwrapped.host.current.task.split == "train"
    env.close()


def test_a_closed_environment_says_so_until_it_is_reset(bubblewrap, words):
    for face, make in FACES.items():
        env = make(tasks=words, sandbox=bubblewrap)
        env.reset(seed=1)
        env.close()
        calls = [lambda env=env: env.step("x"), lambda env=env: env.unwrapped.host.info("designer_0")]
        if face == "aec":
            calls += [env.last, env.state, lambda env=env: env.observe("designer_0")]
        if face == "parallel":
            calls[0] = lambda env=env: env.step({"designer_0": "x"})
        for call in calls:
            with pytest.raises(RuntimeError, match="the environment is closed; reset\\(\\) opens it again"):
                call()
        env.close()
        env.reset(seed=1)
        assert env.unwrapped.timing is not None
        env.close()


def test_an_unknown_task(bubblewrap, words):
    env = software_v0.env(tasks=words, sandbox=bubblewrap)
    with pytest.raises(TaskNotFoundError):
        env.reset(options={"task": "nothing"})
    with pytest.raises(IndexError):
        env.reset(options={"index": 99})


def test_stepping_before_reset(bubblewrap, words):
    env = software_v0.parallel_env(tasks=words, sandbox=bubblewrap)
    with pytest.raises(RuntimeError, match="reset"):
        env.step({})
    with pytest.raises(RuntimeError, match="reset"):
        env.unwrapped.timing  # noqa: B018


def test_the_package_exports_what_it_offers():
    import mx_envs

    own = {
        name
        for name, value in vars(mx_envs).items()
        if getattr(value, "__module__", "").startswith("mx_envs")
    }
    assert {name for name in own if not name.startswith("_")} <= set(mx_envs.__all__)
    assert all(hasattr(mx_envs, name) for name in mx_envs.__all__)


def test_importing_the_environments_is_light():
    import subprocess
    import sys

    code = "import mx_envs, sys\nprint([m for m in ('torch', 'transformers', 'docker', 'stable_baselines3') if m in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
