"""What can be wrong with a source of tasks."""

from __future__ import annotations

from mx_tasks.errors import TaskSetError


class SourceError(TaskSetError):
    """No task can be made of this; the message is one line that says why."""
