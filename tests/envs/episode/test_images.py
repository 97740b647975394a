"""A task names its image: the environment asks for that image's sandboxes, once each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mx_envs import software_v0
from mx_sandboxes import Sandbox
from mx_tasks import Split, Task

DESIGN = "from mas import *\nsubmit(split(Agent('clerk')))"


def with_images(words: Any) -> Any:
    class Mixed(type(words)):  # type: ignore[misc]
        def task(self, split: Split, index: int) -> Task:
            return replace(super().task(split, index), image=("python", "hdl")[index % 2])

    return Mixed()


def test_each_image_gets_its_own_sandboxes(
    make_words: Any, bubblewrap: Sandbox, play: Callable[..., Any]
) -> None:
    asked: list[str] = []

    def sandbox_of(image: str) -> Sandbox:
        asked.append(image)
        return bubblewrap

    env = software_v0.env(tasks=with_images(make_words()), sandbox=sandbox_of)
    for index in (0, 1, 2, 3):
        assert play(env, DESIGN, options={"index": index}).episode.grade.passed
    assert sorted(set(asked)) == ["hdl", "python"]
    assert asked.index("python") < asked.index("hdl")
    assert len(asked) == 2
    env.close()


def test_an_image_that_does_not_exist_is_named(make_words: Any) -> None:
    class Odd(make_words):  # type: ignore[misc]
        def task(self, split: Split, index: int) -> Task:
            return replace(super().task(split, index), image="phyton")

    env = software_v0.env(tasks=Odd(), sandbox="bubblewrap")
    with pytest.raises(ValueError, match=r"'phyton'; did you mean 'python'"):
        env.reset(seed=0)
    env.close()
