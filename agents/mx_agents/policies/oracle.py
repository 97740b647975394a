"""A policy that knows the reference solution: the upper bound of every benchmark, and the test of its grader."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mx_agents.errors import PolicyError
from mx_envs import Observation
from mx_tasks import Submission, Task, TaskSet

POINT_MASS = frozenset({"temperature", "top_p", "seed"})
"""What cannot change an answer that is always the same."""


@dataclass(frozen=True, slots=True)
class OraclePolicy:
    """Answers every question about a task, or about one of its parts, with the reference solution."""

    task: Task
    gold: Submission
    honours: ClassVar = POINT_MASS

    def act(self, observations: Sequence[Observation]) -> list[str]:
        """The reference solution, or its line for each part that is asked for."""
        return [self._answer(observation) for observation in observations]

    def _answer(self, observation: Observation) -> str:
        asked = next(
            (each["content"] for each in reversed(observation["messages"]) if each["role"] == "user"), ""
        )
        lines = self.gold.answer.splitlines()
        parts = self.task.parts
        if self.task.prompt not in asked and len(lines) == len(parts):
            wanted = [line for part, line in zip(parts, lines, strict=True) if part.prompt in asked]
            if wanted:
                return "\n".join(wanted)
        return self.gold.answer or _blocks(self.gold.files)


@dataclass(frozen=True, slots=True)
class UnknowingOracle:
    """Stands for the oracle where no task is known yet."""

    honours: ClassVar = POINT_MASS

    def act(self, observations: Sequence[Observation]) -> list[str]:  # noqa: ARG002
        """Raises PolicyError."""
        raise PolicyError("scripted:oracle has to know the task: it plays in mx bench and mx play")


def oracle_for(task_set: TaskSet, task: Task) -> OraclePolicy:
    """The oracle of a task. Raises PolicyError when the task set has no reference solutions."""
    gold = getattr(task_set, "gold", None) or getattr(getattr(task_set, "task_set", None), "gold", None)
    if gold is None:
        raise PolicyError(f"{task_set.name} has no reference solutions for scripted:oracle")
    submission: Submission = gold(task)
    if submission.removed or not (submission.answer or submission.files):
        raise PolicyError(f"the reference solution of {task.id} is none that an answer can hold")
    return OraclePolicy(task, submission)


def _blocks(files: Mapping[str, bytes]) -> str:
    """Files as an answer hands them in: a fenced block each, its file's name in the line before it."""
    return "\n".join(
        f"{name}\n```{'python' if name.endswith('.py') else ''}\n{data.decode()}```\n"
        for name, data in sorted(files.items())
    )
