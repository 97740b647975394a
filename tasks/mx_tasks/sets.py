"""What task sets have in common, written once: a set is a file that says what is asked and how it is judged, and nothing else.

:class:`DrawnTasks` are drawn from a seed without end and named by their place (``fsm-0-train-3``); :class:`ListedTasks` are those
at hand. Both have the methods of :class:`mx_tasks.task.TaskSet` but for ``grade``.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

from mx_sandboxes import Sandbox
from mx_tasks.errors import SPLITS, check_split, did_you_mean
from mx_tasks.task import Grade, Split, Submission, Task, TaskNotFoundError


class GradedWhole(ABC):
    """A set whose tasks are one part each, or whose parts are graded as whole answers; what is handed in is the answer's text."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The name on the command line, such as ``software:micro``."""

    @abstractmethod
    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """See :meth:`mx_tasks.task.TaskSet.grade`."""

    def outputs(self, task: Task) -> Sequence[str]:  # noqa: ARG002  # some sets' differ by task
        """No files: the answer is all that is handed in."""
        return ()

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """The score of each answer, graded as a whole. Raises TaskNotFoundError for a part that the task does not have."""
        for part, _ in answers:
            if part not in {own.name for own in task.parts}:
                raise TaskNotFoundError(f"task {task.id!r} has no part {part!r}")
        return [self.grade(task, Submission(answer), sandbox).score for _, answer in answers]


class DrawnTasks(GradedWhole):
    """Tasks drawn from ``seed`` without end; their ids begin with ``prefix``."""

    seed: int

    @property
    @abstractmethod
    def prefix(self) -> str:
        """What ids begin with, without the seed: ``fsm`` of ``fsm-0-train-3``."""

    @abstractmethod
    def marks(self) -> object:
        """All that makes its tasks and their grades what they are, told by its ``repr``: versions, arguments, samples."""

    @abstractmethod
    def made(self, split: Split, index: int) -> Task:
        """The task at a place that there is."""

    @property
    def fingerprint(self) -> str:
        """A hash of :meth:`marks`."""
        return hashlib.sha256(repr(self.marks()).encode()).hexdigest()[:16]

    def size(self, split: Split) -> None:
        """None: every split is drawn without end. Raises UnknownSplitError."""
        check_split(split)

    def task(self, split: Split, index: int) -> Task:
        """The task at that place of a split. Raises UnknownSplitError, and IndexError for a negative place."""
        check_place(split, index)
        return self.made(split, index)

    def find(self, task_id: str) -> Task:
        """The task of that id. Raises TaskNotFoundError."""
        return self.made(*self.place(task_id))

    def id_of(self, split: Split, index: int) -> str:
        """The id of the task at a place."""
        return f"{self.prefix}-{self.seed}-{split}-{index}"

    def place(self, task_id: str) -> tuple[Split, int]:
        """The split and the place that an id names. Raises TaskNotFoundError."""
        start = f"{self.prefix}-{self.seed}-"
        split, _, index = task_id.removeprefix(start).partition("-")
        if task_id.startswith(start) and split in SPLITS and index.isdecimal() and index.isascii():
            return split, int(index)
        raise TaskNotFoundError(
            f"no task {task_id!r} in {self.name} with seed {self.seed}; ids look like {start + 'train-0'!r}"
        )


def check_place(split: str, index: int) -> None:
    """Raises UnknownSplitError, or IndexError for a negative place."""
    check_split(split)
    if index < 0:
        raise IndexError(f"a task's place in a split is 0 or more, not {index}")


@dataclass(frozen=True, slots=True)
class Lines:
    """An answer of one line a part: ``answers`` has one for each part, empty where it is missing."""

    answers: Sequence[str]
    complete: bool
    """Whether there are as many lines as parts."""


def lines_of(task: Task, submission: Submission) -> Lines:
    """The lines of an answer that are not blank, beside the task's parts."""
    lines = [line for line in submission.answer.splitlines() if line.strip()]
    count = len(task.parts)
    return Lines((lines + [""] * count)[:count], len(lines) == count)


def graded_lines(task: Task, lines: Lines, scores: Sequence[float], said: Sequence[str]) -> Grade:
    """Half the score for the mean of the parts, half for all of them being right; ``said`` of each answer is the log."""
    passed = lines.complete and all(score == 1.0 for score in scores)
    return Grade(
        score=0.5 * sum(scores) / len(scores) + 0.5 * passed,
        passed=passed,
        parts={part.name: score for part, score in zip(task.parts, scores, strict=True)},
        log="\n".join(
            f"{part.prompt} -> {answer!r}: {what}"
            for part, answer, what in zip(task.parts, lines.answers, said, strict=True)
        ),
    )


def right_or_wrong(scores: Sequence[float]) -> list[str]:
    """A word for each score."""
    return ["right" if score == 1.0 else "wrong" for score in scores]


class Entry(Protocol):
    """What a listed set keeps of a task: the task, and whatever its grader needs."""

    @property
    def task(self) -> Task:
        """What agents are shown."""


E = TypeVar("E", bound=Entry, covariant=True)


class ListedTasks(GradedWhole, Generic[E]):
    """Tasks at hand, by their ids, in the order of ``_entries``; each in the split that it says itself."""

    _entries: Mapping[str, E]

    @abstractmethod
    def marks(self) -> Iterator[bytes]:
        """All that makes its tasks and their grades what they are."""

    @cached_property
    def fingerprint(self) -> str:
        """A hash of :meth:`marks`."""
        digest = hashlib.sha256()
        for mark in self.marks():
            digest.update(mark)
        return digest.hexdigest()[:16]

    def size(self, split: Split) -> int:
        """Number of tasks in a split. Raises UnknownSplitError."""
        return len(self._split(split))

    def task(self, split: Split, index: int) -> Task:
        """The task at a place in a split. Raises UnknownSplitError, and IndexError beyond its end."""
        found = self._split(split)
        if not 0 <= index < len(found):
            raise IndexError(
                f"the split {split!r} of {self.name} has {len(found)} tasks; there is none at {index}"
            )
        return found[index]

    def find(self, task_id: str) -> Task:
        """The task of that id. Raises TaskNotFoundError."""
        return self._entry(task_id).task

    def _entry(self, task_id: str) -> E:
        if task_id not in self._entries:
            raise TaskNotFoundError(
                f"no task {task_id!r} in {self.name}{did_you_mean(task_id, self._entries)}; {_some(self._entries)}"
            )
        return self._entries[task_id]

    def _split(self, split: Split) -> list[Task]:
        check_split(split)
        return [entry.task for entry in self._entries.values() if entry.task.split == split]


def _some(names: Mapping[str, Any], most: int = 20) -> str:
    shown = list(names)[:most]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"there are: {', '.join(shown)}{more}"
