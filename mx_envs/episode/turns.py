"""What one turn asked for, what its answer alone is worth, and whether anything was taken from it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from mx_envs.episode.record import Turn
from mx_envs.episode.wire import Question
from mx_sandboxes import Sandbox
from mx_tasks import Submission, Task, TaskSet

WHOLE = "task"
"""The name of the one part of a task that has none."""


def parts_asked(task: Task, question: Question) -> tuple[str, ...]:
    """Names of the parts whose prompt occurs in the newest user message, in the task's order.

    A prompt that occurs only within a longer part's prompt was not asked for.
    """
    text = question.last_user_message
    asked = set()
    for name, prompt in _by_length(
        tuple((part.name, part.prompt) for part in task.parts) or ((WHOLE, task.prompt),)
    ):
        if prompt in text:
            asked.add(name)
            text = text.replace(prompt, "\0")
    names = [part.name for part in task.parts] or [WHOLE]
    return tuple(name for name in names if name in asked)


@lru_cache(maxsize=256)
def _by_length(parts: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((part for part in parts if part[1]), key=lambda part: -len(part[1])))


def credited(task: Task, turns: Sequence[Turn], submission: Submission) -> list[bool]:
    """Which turns their own rewards are due to: those whose answer was handed in, and drafts that stood beside such a one.

    An answer was handed in when it is the submission, or the lines of it that belong to the one part that it was asked for. A draft
    stood beside it when it was asked for the same parts in the same words, or in the same batch by an agent of the same name
    (``best_of``, ``vote``, ``debate``). A plan, a review, the first link of a chain are neither: what they are worth shows in the
    team's result alone. Nor is anything that changed files or acted on a service: there the answer is not what was handed in.
    """
    changed = any(task.files.get(name) != data for name, data in submission.files.items())
    if changed or submission.removed or submission.service.get("acted"):
        return [False] * len(turns)
    taken = [turn for turn in turns if _handed_in(task, turn, submission.answer)]
    return [any(turn is one or _beside(turn, one) for one in taken) for turn in turns]


def _handed_in(task: Task, turn: Turn, submitted: str) -> bool:
    answer = _trimmed(turn.answer)
    if not turn.graded or not turn.parts:
        return False
    if answer == _trimmed(submitted):
        return True
    several = len(task.parts) > 1 and len(turn.parts) == 1
    return several and f"\n{answer}\n" in "\n{}\n".format("\n".join(map(str.strip, submitted.splitlines())))


def _trimmed(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines())


def _beside(turn: Turn, taken: Turn) -> bool:
    """Whether a turn was a draft of the same answer."""
    if not turn.graded or turn.parts != taken.parts:
        return False
    return turn.messages == taken.messages or (turn.batch, turn.name) == (taken.batch, taken.name)


def turn_rewards(
    task_set: TaskSet, task: Task, asked: Sequence[tuple[tuple[str, ...], str]], sandbox: Sandbox
) -> list[float | None]:
    """The score in [0, 1] of each answer by the hidden tests of what it was asked for: (names of parts, answer).

    One part: that part's score. Several: the mean of their scores when the answer is graded as a whole. None: nothing to grade by.
    """
    single = [(parts[0], answer) for parts, answer in asked if len(parts) == 1 and task.parts]
    scores = iter(task_set.grade_parts(task, single, sandbox) if single else ())
    return [
        next(scores)
        if len(parts) == 1 and task.parts
        else _whole_reward(task_set, task, parts, answer, sandbox)
        for parts, answer in asked
    ]


def _whole_reward(
    task_set: TaskSet, task: Task, parts: tuple[str, ...], answer: str, sandbox: Sandbox
) -> float | None:
    if not parts:
        return None
    grade = task_set.grade(task, Submission(answer), sandbox)
    if parts == (WHOLE,) or not grade.parts:
        return grade.score
    return sum(grade.parts.get(name, 0.0) for name in parts) / len(parts)
