"""The same tasks with another budget."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from mx_tasks import Split, Task, TaskSet


@dataclass(frozen=True, slots=True)
class BudgetedTasks:
    """A task set whose tasks have ``calls`` executor calls and ``tokens`` per episode, where these are given.

    Everything else is the set's own, what only some sets have included.
    """

    task_set: TaskSet
    calls: int | None = None
    tokens: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task_set, name)

    def task(self, split: Split, index: int) -> Task:
        """The task at a place in a split, with the budget."""
        return self._with_budget(self.task_set.task(split, index))

    def find(self, task_id: str) -> Task:
        """The task of that id, with the budget."""
        return self._with_budget(self.task_set.find(task_id))

    def _with_budget(self, task: Task) -> Task:
        budget = replace(
            task.budget, calls=self.calls or task.budget.calls, tokens=self.tokens or task.budget.tokens
        )
        return replace(task, budget=budget)
