"""Generated packages: the same for the same seed, judged right, and no function's shape in two splits."""

from __future__ import annotations

import random

from mx_sandboxes import Sandbox
from mx_tasks import SPLITS, Submission
from mx_tasks.formula import SPLIT_BUCKETS
from mx_tasks.software.generate.packages import PackageTasks, skeletons


def test_no_shape_of_a_function_is_in_two_splits() -> None:
    task_set = PackageTasks(seed=random.randrange(1000))
    shapes = {
        split: set().union(
            *(
                skeletons(
                    {
                        name: data
                        for name, data in task_set._made(split, index)._entries.popitem()[1].gold.items()
                        if data
                    }
                )
                for index in range(40)
            )
        )
        for split in SPLITS
    }
    assert all(len(found) > 20 for found in shapes.values())
    for split, found in shapes.items():
        assert {int(shape, 16) % 10 for shape in found} <= SPLIT_BUCKETS[split]
    assert not shapes["train"] & shapes["test"]
    assert not shapes["train"] & shapes["validation"]
    assert not shapes["validation"] & shapes["test"]


def test_gold_mends_and_nothing_does_not(sandbox: Sandbox) -> None:
    task_set, again = PackageTasks(), PackageTasks()
    for index in range(3):
        task = task_set.task("train", index)
        assert task == again.task("train", index) == task_set.find(task.id)
        assert len([name for name in task.files if name.startswith("pack/")]) >= 4
        assert task_set.grade(task, task_set.gold(task), sandbox).score == 1.0
        assert task_set.grade(task, Submission(files=task.files), sandbox).score == 0.0
