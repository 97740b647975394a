"""What an episode hands in, and what that changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mx_sandboxes import Completed
from mx_tasks import Submission, Task, TaskSet
from mx_tasks.answers.patches import diff_of

LONGEST_DIFF = 200_000


def submission_of(
    task: Task, outputs: Sequence[str], answer: str, completed: Completed | None, state: Mapping[str, Any]
) -> Submission:
    """What is handed in; files count only when there is an answer or one of them is not as it was given.

    Of a folder that belongs to the submission, only files that are not as they were given. ``outputs`` names what belongs to it,
    ``state`` is what the task's service has to say.
    """
    found = dict(completed.files) if completed is not None else {}
    given = task.files
    folders = tuple(name for name in outputs if name.endswith("/"))
    files = {
        name: data
        for name, data in found.items()
        if not (name.startswith(folders) and given.get(name) == data)
    }
    changed = any(given.get(name) != data for name, data in files.items())
    removed = [name for name in given if name.startswith(folders) and name not in found]
    return Submission(
        answer,
        files if changed or answer.strip() else {},
        state,
        tuple(removed) if completed is not None else (),
    )


def changes_of(task_set: TaskSet, task: Task, submission: Submission) -> str:
    """What a submission changes of the task's files, as a unified diff."""
    given = task.files
    changes = getattr(task_set, "changes", None)  # where an answer's text may hold files
    handed_in: Mapping[str, bytes | None] = (
        {**submission.files, **dict.fromkeys(submission.removed)}
        if changes is None or submission.blank
        else changes(task, submission)
    )
    diff = diff_of(given, {name: data for name, data in handed_in.items() if given.get(name) != data})
    return diff if len(diff) <= LONGEST_DIFF else f"{diff[:LONGEST_DIFF]}\n... cut here\n"
