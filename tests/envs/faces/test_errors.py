"""A user's mistakes: each one clear error that says what there is instead."""

from __future__ import annotations

import pytest

from mx_envs import software_v0
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


def test_an_unknown_argument():
    with pytest.raises(TypeError, match="turn_reward"):
        software_v0.env(turn_reward=True)


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
