"""Several task sets as one: ``software:micro,software:repair``."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mx_sandboxes import Sandbox
from mx_tasks.errors import TaskSetError
from mx_tasks.task import Grade, Split, Submission, Task, TaskNotFoundError, TaskSet


class JoinedTasks:
    """The tasks of several sets, taken in turns: the first of each, then the second of each.

    Raises TaskSetError for no set, or sets of several domains.
    """

    def __init__(self, members: Sequence[TaskSet]) -> None:
        domains = {member.name.partition(":")[0] for member in members}
        if len(domains) != 1:
            raise TaskSetError(
                f"task sets that are played together are of one domain, not {', '.join(sorted(domains)) or 'none'}"
            )
        self.members = tuple(members)

    @property
    def name(self) -> str:
        """The members' names with commas between them."""
        return ",".join(member.name for member in self.members)

    @property
    def fingerprint(self) -> str:
        """A hash of the members' own."""
        return hashlib.sha256(" ".join(member.fingerprint for member in self.members).encode()).hexdigest()[
            :16
        ]

    def size(self, split: Split) -> int | None:
        """The sum of the members' sizes; None when one is without end."""
        sizes = [member.size(split) for member in self.members]
        return None if None in sizes else sum(cast(list[int], sizes))

    def task(self, split: Split, index: int) -> Task:
        """The task at a place of the members' tasks in turns."""
        sizes = [member.size(split) for member in self.members]
        turn, left = 0, index
        while index >= 0:
            open_members = [
                m for m, size in zip(self.members, sizes, strict=True) if size is None or size > turn
            ]
            if not open_members:
                break
            if left < len(open_members):
                return open_members[left].task(split, turn)
            left -= len(open_members)
            turn += 1
        raise IndexError(
            f"the split {split!r} of {self.name} has {self.size(split)} tasks; there is none at {index}"
        )

    def find(self, task_id: str) -> Task:
        """The task of that id. Raises TaskNotFoundError."""
        return self.owner(task_id).find(task_id)

    def outputs(self, task: Task) -> Sequence[str]:
        """See the task's own set."""
        return self.owner(task.id).outputs(task)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """See the task's own set."""
        return self.owner(task.id).grade(task, submission, sandbox)

    def changes(self, task: Task, submission: Submission) -> Mapping[str, bytes | None]:
        """The files that were handed in, in the workspace or, where the task's own set reads them there, in the answer."""
        owner: Any = self.owner(task.id)
        if hasattr(owner, "changes"):
            return cast(Mapping[str, bytes | None], owner.changes(task, submission))
        return {**submission.files, **dict.fromkeys(submission.removed)}

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """See the task's own set."""
        return self.owner(task.id).grade_parts(task, answers, sandbox)

    def gold(self, task: Task) -> Submission:
        """The reference solution, where the task's own set has one. Raises TaskSetError where it has none."""
        owner: Any = self.owner(task.id)
        if not hasattr(owner, "gold"):
            raise TaskSetError(f"{owner.name} has no reference solutions")
        return cast(Submission, owner.gold(task))

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """The attacks that the task's own set knows."""
        owner: Any = self.owner(task.id)
        return cast(Mapping[str, Submission], owner.cheats(task)) if hasattr(owner, "cheats") else {}

    def owner(self, task_id: str) -> TaskSet:
        """The member that has a task. Raises TaskNotFoundError."""
        for member in self.members:
            try:
                member.find(task_id)
            except TaskNotFoundError:
                continue
            return member
        raise TaskNotFoundError(f"no task {task_id!r} in {self.name}")
