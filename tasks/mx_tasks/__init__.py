"""What a task is, where tasks come from, how a submission is graded."""

from mx_tasks.errors import (
    SPLITS,
    TaskSetError,
    UnknownOptionError,
    UnknownSplitError,
    UnknownTaskSetError,
    check_split,
)
from mx_tasks.registry import load_task_set, register, task_set_names
from mx_tasks.service import Service, ServiceError, service_of
from mx_tasks.task import (
    Budget,
    Grade,
    GradingError,
    Part,
    Split,
    Submission,
    Task,
    TaskNotFoundError,
    TaskSet,
    Tool,
    tasks,
)

__all__ = [
    "SPLITS",
    "Budget",
    "Grade",
    "GradingError",
    "Part",
    "Service",
    "ServiceError",
    "Split",
    "Submission",
    "Task",
    "TaskNotFoundError",
    "TaskSet",
    "TaskSetError",
    "Tool",
    "UnknownOptionError",
    "UnknownSplitError",
    "UnknownTaskSetError",
    "check_split",
    "load_task_set",
    "register",
    "service_of",
    "task_set_names",
    "tasks",
]
