"""The task set of a folder, whatever forms its task directories have."""

from __future__ import annotations

from pathlib import Path

from mx_tasks.harbor.directory import TaskDirectoryError, read_directory
from mx_tasks.joined import JoinedTasks
from mx_tasks.software.sets import inspect_tasks
from mx_tasks.software.sets.directories import DirectoryTasks
from mx_tasks.software.sets.harbor_tasks import FORM, HarborTasks
from mx_tasks.task import TaskSet


def tasks_in(folder: Path, name: str) -> TaskSet:
    """The task directories in a folder, at any depth up to two. Raises TaskDirectoryError, TaskSetError."""
    found = sorted([*folder.glob("*/task.toml"), *folder.glob("*/*/task.toml")])
    if (folder / "task.toml").is_file():
        found = [folder / "task.toml"]
    if not found:
        raise TaskDirectoryError(f"no task directory (one that holds a task.toml) in {folder}")
    read = [(path.parent, read_directory(path.parent)) for path in found]
    foreign = [path for path, directory in read if directory.ours.get("form") == FORM]
    asked = [directory for _, directory in read if directory.ours.get("form") == inspect_tasks.FORM]
    ours = [
        directory for _, directory in read if directory.ours.get("form") not in (FORM, inspect_tasks.FORM)
    ]
    members: list[TaskSet] = []
    if ours:
        members.append(DirectoryTasks.of(ours, name))
    if foreign:
        members.append(HarborTasks(foreign, name))
    if asked:
        members.append(inspect_tasks.InspectTasks(asked, name))
    return members[0] if len(members) == 1 else JoinedTasks(members)
