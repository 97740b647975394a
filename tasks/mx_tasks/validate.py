"""Whether tasks can be trusted: the reference solution scores 1, doing nothing 0 and each cheat 0, every time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from mx_sandboxes import Sandbox
from mx_tasks.errors import SPLITS
from mx_tasks.side_by_side import in_order
from mx_tasks.task import Submission, Task, TaskSet, tasks

AT_ONCE = 4
"""Submissions that are graded at the same time."""


class _WithGold(Protocol):
    def gold(self, task: Task) -> Submission:
        """A right submission."""


class _WithCheats(Protocol):
    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Dishonest submissions by name."""


class _WithMore(Protocol):
    def more_cheats(self, task: Task) -> Mapping[str, Submission]:
        """Further ones, by name."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A task that did not hold: what was submitted, its score in that repetition, and the score that it had to get."""

    task_id: str
    submitted: str
    repetition: int
    score: float
    wanted: float
    log: str

    def __str__(self) -> str:
        """One sentence for a terminal."""
        return f"{self.task_id}: {self.submitted} scored {self.score:g}, not {self.wanted:g} (run {self.repetition})"


def validate(
    task_set: TaskSet,
    sandbox: Sandbox | Callable[[str], Sandbox],
    *,
    count: int = 20,
    repeats: int = 3,
    thorough: bool = False,
) -> list[Finding]:
    """Grade the gold, empty and dishonest submissions of the first ``count`` tasks of each split ``repeats`` times.

    ``sandbox`` may be a function that gives each image's. A task set offers ``gold(task)``, which is empty
    where a task has none, and, if it likes, ``cheats(task)``.
    ``thorough`` tries the cheats at other moments, too. Returns what did not hold: nothing, when all is well.
    """
    chosen = [task for split in SPLITS for task in tasks(task_set, split, count)]
    asked = [
        (task, *submission, repetition)
        for task in chosen
        for submission in _submissions(task_set, task, thorough=thorough)
        for repetition in range(1, repeats + 1)
    ]

    def check(
        task: Task, submitted: str, submission: Submission, wanted: float, repetition: int
    ) -> list[Finding]:
        place = sandbox(task.image) if callable(sandbox) else sandbox
        grade = task_set.grade(task, submission, place)
        if grade.score == wanted and grade.passed == (wanted == 1.0):
            return []
        return [Finding(task.id, submitted, repetition, grade.score, wanted, grade.log)]

    checked = in_order(lambda question: check(*question), asked, AT_ONCE)
    return [finding for found in checked for finding in found]


def _submissions(task_set: TaskSet, task: Task, *, thorough: bool) -> Iterator[tuple[str, Submission, float]]:
    if hasattr(task_set, "gold"):
        gold = cast(_WithGold, task_set).gold(task)
        if gold.answer or gold.files or gold.removed:
            yield "gold", gold, 1.0
    yield "nothing", Submission(), 0.0
    if task.files:
        yield "the files as given", Submission(files=task.files), 0.0
    if hasattr(task_set, "cheats"):
        for name, submission in cheats_of(task_set, task, thorough=thorough).items():
            yield f"cheat {name!r}", submission, 0.0


def cheats_of(task_set: TaskSet, task: Task, *, thorough: bool = False) -> Mapping[str, Submission]:
    """The cheats that a task set knows for a task; ``thorough``: with those that it has besides for who has time."""
    found = cast(_WithCheats, task_set).cheats(task) if hasattr(task_set, "cheats") else {}
    if thorough and hasattr(task_set, "more_cheats"):
        found = {**found, **cast(_WithMore, task_set).more_cheats(task)}
    return found
