"""Rollouts when sandbox or grader fails: tried again, a bounded number of times, counted, and never a gain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mx_agents.models.hugging_face import Sample
from mx_agents.trainer.evaluation import figures
from mx_agents.trainer.rollout import TRIES, Job, execute, executor_calls, teaching
from mx_envs import Observation, software_v0
from mx_sandboxes import Sandbox, SandboxError
from mx_tasks import Grade, GradingError, Split, Submission, Task, TaskNotFoundError

SCRIPT = "from mas import *\nsubmit(Agent('a', '{}')(task))"


class Fragile:
    """Right is ``good``; ``bomb`` breaks the grader every time, ``once`` twice in a row and then no more."""

    name, fingerprint = "test:fragile", "fragile-1"

    def __init__(self) -> None:
        self.broken = 0

    def size(self, split: Split) -> int | None:
        return 1

    def task(self, split: Split, index: int) -> Task:
        return Task(id="fragile", domain="software", prompt="Do it.", split=split)

    def find(self, task_id: str) -> Task:
        raise TaskNotFoundError(task_id)

    def outputs(self, task: Task) -> Sequence[str]:
        return ()

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        if submission.answer == "bomb":
            raise GradingError("broken")
        if submission.answer == "once" and self.broken < 2:
            self.broken += 1
            raise GradingError("broken for now")
        right = submission.answer in ("good", "once")
        return Grade(float(right), passed=right)

    def grade_parts(self, *_: Any) -> list[float | None]:
        return []


def told(observations: Sequence[Observation]) -> list[Sample]:
    """Answers what the system message says."""
    return [Sample([1], [2], [-1.0], each["messages"][0]["content"]) for each in observations]


@pytest.fixture
def envs(bubblewrap_or_skip: Sandbox) -> Iterator[list[Any]]:
    options: Any = {"sandbox": bubblewrap_or_skip, "grading_sandbox": bubblewrap_or_skip}
    made = [software_v0.parallel_env(tasks=Fragile(), **options)]
    yield made
    for env in made:
        env.close()


def jobs(*answers: str) -> list[Job]:
    return [Job(0, place, 0, SCRIPT.format(answer)) for place, answer in enumerate(answers)]


def test_a_failure_that_passes_is_tried_again_and_counted(envs: list[Any]) -> None:
    found = execute(envs, jobs("good", "once", "bad"), told)
    assert [each.tries for each in found] == [1, 2, 1]
    assert [each.record.grade.passed for each in found] == [True, True, False]
    assert (figures(found)["retries"], figures(found)["infrastructure_failures"]) == (1, 0)


def test_what_fails_every_time_is_a_failure_and_stops_nobody(envs: list[Any]) -> None:
    """An answer that breaks the grader must not end the training, nor drop out of its denominators, nor pay."""
    found = execute(envs, jobs("bomb", "good", "bad", "good"), told)
    assert [each.tries for each in found] == [TRIES, 1, 1, 1]
    assert found[0].record.failed
    calls = list(executor_calls(found, 0))
    assert [call.team_reward for call in calls] == [0.0, 1.0, 0.0, 1.0]
    assert found[0].record.rewards.designer == found[2].record.rewards.designer == 0.0
    row = figures(found)
    assert (row["success"], row["episodes"]) == (0.5, 4)
    assert (row["infrastructure_failures"], row["retries"]) == (1, TRIES - 1)


def test_infrastructure_that_is_broken_stops_the_training(envs: list[Any]) -> None:
    with pytest.raises(SandboxError, match=rf"2 of 3 executions failed {TRIES} times.*grading failed"):
        execute(envs, jobs("bomb", "bomb", "good"), told)


@pytest.mark.parametrize(
    ("answers", "teaches"),
    [
        (("good", "bad", "bad"), 1),
        (("good", "good"), 0),
        (("bad", "bad", "worse"), 0),
        (("good",), 0),
        ((), 0),
    ],
)
def test_a_task_teaches_where_some_of_its_executions_do_better_than_others(
    envs: list[Any], answers: Sequence[str], teaches: int
) -> None:
    """DAPO's equation 11: more than none are right, and fewer than all."""
    found = execute(envs, jobs(*answers), told) if answers else []
    right = sum(execution.record.grade.passed for execution in found)
    assert (0 < right < len(found)) == bool(teaches)
    assert teaching(found) == teaches


def test_parts_that_are_paid_differently_teach_and_tasks_are_not_compared() -> None:
    def execution(task: int, score: float, *turns: tuple[str, float | None]) -> Any:
        paid = [SimpleNamespace(parts=(part,), turn_reward=reward) for part, reward in turns]
        record = SimpleNamespace(grade=SimpleNamespace(score=score), turns=paid)
        return SimpleNamespace(job=SimpleNamespace(task=task), record=record)

    assert teaching([execution(0, 0.0, ("1", 1.0)), execution(0, 0.0, ("1", 0.0))]) == 1
    assert teaching([execution(0, 0.0, ("1", 1.0)), execution(0, 0.0, ("2", 0.0))]) == 0
    assert teaching([execution(0, 0.0, ("1", 1.0)), execution(0, 0.0, ("1", None))]) == 0
    assert teaching([execution(0, 0.0), execution(1, 1.0)]) == 0
    assert teaching([execution(0, 0.0), execution(0, 1.0), execution(1, 0.5), execution(1, 0.0)]) == 2
