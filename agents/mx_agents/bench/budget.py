"""The same tasks with another budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mx_sandboxes import Sandbox
from mx_tasks import Grade, Service, Split, Submission, Task, TaskSet, service_of


@dataclass(frozen=True, slots=True)
class BudgetedTasks:
    """A task set with ``calls`` executor calls per episode; everything else is the set's own."""

    task_set: TaskSet
    calls: int

    @property
    def name(self) -> str:
        """The set's name."""
        return self.task_set.name

    @property
    def fingerprint(self) -> str:
        """The set's fingerprint."""
        return self.task_set.fingerprint

    @property
    def about_scores(self) -> str:
        """What the set's scores are measured by; empty where it does not say."""
        return str(getattr(self.task_set, "about_scores", ""))

    def size(self, split: Split) -> int | None:
        """Number of tasks in a split."""
        return self.task_set.size(split)

    def task(self, split: Split, index: int) -> Task:
        """The task at a place in a split, with the budget."""
        return self._with_budget(self.task_set.task(split, index))

    def find(self, task_id: str) -> Task:
        """The task of that id, with the budget."""
        return self._with_budget(self.task_set.find(task_id))

    def outputs(self, task: Task) -> Sequence[str]:
        """The set's."""
        return self.task_set.outputs(task)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """The set's."""
        return self.task_set.grade(task, submission, sandbox)

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """The set's."""
        return self.task_set.grade_parts(task, answers, sandbox)

    def service(self, task: Task) -> Service | None:
        """The set's."""
        return service_of(self.task_set, task)

    def _with_budget(self, task: Task) -> Task:
        return replace(task, budget=replace(task.budget, calls=self.calls))
