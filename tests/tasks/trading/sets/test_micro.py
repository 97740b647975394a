"""The micro family: valid tasks, paths in one split only, values that tell good from perfect."""

from __future__ import annotations

import random

import pytest

from mx_tasks import TaskNotFoundError, load_task_set
from mx_tasks.task import Submission
from mx_tasks.trading.sets.micro import MicroTasks, optimal, part_score, read_part


@pytest.fixture
def tasks() -> MicroTasks:
    return MicroTasks()


def test_gold_is_perfect_and_nothing_scores_nothing(tasks: MicroTasks) -> None:
    for split in ("train", "validation", "test"):
        for index in range(20):
            task = tasks.task(split, index)  # type: ignore[arg-type]
            assert tasks.grade(task, tasks.gold(task), None).score == 1.0  # type: ignore[arg-type]
            assert tasks.grade(task, Submission(), None).score == 0.0  # type: ignore[arg-type]
            for part in task.parts:
                answer = " ".join(optimal(*read_part(part.prompt)))
                exec(part.check, {"answer": answer})
                with pytest.raises(AssertionError):
                    exec(part.check, {"answer": "X"})
                assert part_score(part, answer[::-1] + " X") == 0.0
                assert part_score(part, answer) == 1.0


def test_paths_are_in_one_split_only(tasks: MicroTasks) -> None:
    seen = {
        split: {read_part(part.prompt)[1] for index in range(300) for part in tasks.task(split, index).parts}  # type: ignore[arg-type]
        for split in ("train", "validation", "test")
    }
    assert not seen["train"] & (seen["test"] | seen["validation"])
    assert len(seen["test"]) > 300


def test_the_optimum_holds_on_where_a_trade_is_not_worth_it() -> None:
    assert optimal(3, (4, 1, 0, -1)) != optimal(1, (4, 1, 0, -1))
    assert optimal(1, (-3,)) == ("B",)
    assert optimal(1, (3,)) == ("S",)


def test_values_are_between_nothing_and_the_optimum(tasks: MicroTasks) -> None:
    rng = random.Random(0)
    scores = []
    for index in range(60):
        for part in tasks.task("train", index).parts:
            bars = len(read_part(part.prompt)[1])
            scores.append(part_score(part, " ".join(rng.choice("SFB") for _ in range(bars))))
    assert all(0 <= score <= 1 for score in scores)
    assert any(0 < score < 0.96 for score in scores)


def test_names(tasks: MicroTasks) -> None:
    assert load_task_set("trading:micro").find("trade-0-test-7") == tasks.task("test", 7)
    with pytest.raises(TaskNotFoundError, match="trade-0-train-0"):
        tasks.find("trade-1-test-7")
