"""A service on the host that a task offers to the script in the sandbox, such as the market of a trading task.

The script calls it over the frame channel; the host owns its data and its clock. Its final state is handed to the grader with the
submission, without passing through the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from mx_tasks.task import Task, TaskSet


class ServiceError(ValueError):
    """A call that cannot be answered as it was asked; the message goes to the script."""


class Service(Protocol):
    """One episode's service. Its arguments come from untrusted code."""

    @property
    def name(self) -> str:
        """What the script calls it."""

    def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """The answer to a call, as plain JSON values. Raises ServiceError for what cannot be answered."""

    def finish(self) -> Mapping[str, Any]:
        """End, however far it has come, and give the final state as plain JSON values; ``acted`` says that it was made use of."""


class _WithService(Protocol):
    def service(self, task: Task) -> Service | None:
        """A new service for an episode of the task, None when it has none."""


def service_of(task_set: TaskSet, task: Task) -> Service | None:
    """A new service for an episode of the task, None when the task set offers none."""
    return cast(_WithService, task_set).service(task) if hasattr(task_set, "service") else None
