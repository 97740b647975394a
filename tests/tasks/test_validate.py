"""Every task set that we register holds: gold 1, nothing 0, cheats 0, and wrong splits are named."""

from __future__ import annotations

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import TaskSet, TaskSetError, UnknownSplitError, load_task_set, task_set_names
from mx_tasks.validate import validate


def test_generated_tasks_hold(sandbox: Sandbox) -> None:
    assert [str(finding) for finding in validate(load_task_set("software:micro"), sandbox, count=10)] == []


def loaded(name: str) -> TaskSet:
    """The set, where its data is there: some are read from the user's own copy or an optional package."""
    try:
        return load_task_set(name)
    except TaskSetError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("name", task_set_names())
def test_a_wrong_split_is_named(name: str) -> None:
    task_set = loaded(name)
    with pytest.raises(UnknownSplitError, match="did you mean 'train'"):
        task_set.size("trian")  # type: ignore[arg-type]
    with pytest.raises(UnknownSplitError, match="did you mean 'validation'"):
        task_set.task("validaton", 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", task_set_names())
def test_a_set_is_the_same_every_time_and_says_its_name(name: str) -> None:
    first, again = loaded(name), loaded(name)
    assert first.name == name
    assert first.fingerprint == again.fingerprint
    assert first.task("train", 1) == again.task("train", 1)
    assert first.find(first.task("test", 0).id) == first.task("test", 0)
