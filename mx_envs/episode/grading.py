"""From what was handed in to its grade."""

from __future__ import annotations

from dataclasses import replace

from mx_envs.episode.record import StopReason
from mx_envs.episode.setting import Setting
from mx_sandboxes import SandboxError
from mx_tasks import Grade, GradingError, Submission, Task

UNGRADED = frozenset(
    {
        StopReason.PROTOCOL,
        StopReason.BROKE_SANDBOX,
        StopReason.SANDBOX_DIED,
        StopReason.TRUNCATED,
        StopReason.TERMINATED,
    }
)
FOUL = frozenset({StopReason.PROTOCOL, StopReason.BROKE_SANDBOX})
"""Endings that earn nothing, and save from nothing: what was lost on the task's service by then stays lost."""


def graded(
    setting: Setting, task: Task, stop: StopReason, submission: Submission
) -> tuple[StopReason, Grade]:
    """The grade of an episode that ended so; GRADING_FAILED, twice, is the only ending that it makes of another."""
    nothing = Grade(0.0, passed=False, parts={part.name: 0.0 for part in task.parts}, log=stop.value)
    acted = bool(submission.service.get("acted"))
    if (stop in UNGRADED and not (stop in FOUL and acted)) or submission.blank:
        return stop, nothing
    try:
        grade = _twice(setting, task, submission)
    except (SandboxError, GradingError) as error:
        return StopReason.GRADING_FAILED, replace(nothing, log=f"{type(error).__name__}: {error}")
    if stop in FOUL:
        grade = replace(grade, score=min(grade.score, 0.0), passed=False)
    return stop, grade


def _twice(setting: Setting, task: Task, submission: Submission) -> Grade:
    """The grade. Raises SandboxError or GradingError where there is none for reasons that are not the submission's, twice."""
    try:
        return setting.task_set.grade(task, submission, setting.grading)
    except (SandboxError, GradingError):  # a slot that died under one submission is no verdict on it
        return setting.task_set.grade(task, submission, setting.grading)
