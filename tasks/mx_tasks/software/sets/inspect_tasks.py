"""Samples of inspect_ai as task directories: an answer in words, compared on the host by the rules of the task's own scorer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.errors import check_split
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, fingerprint
from mx_tasks.sets import ListedTasks
from mx_tasks.software.grading.inside.compare_texts import right
from mx_tasks.task import Budget, Grade, Part, Submission, Task

FORM = "inspect"
TARGET = "target.json"
WORKSPACE = "workspace/"


@dataclass(frozen=True)
class InspectDirectory:
    """A sample's directory."""

    directory: TaskDirectory

    @cached_property
    def wanted(self) -> Mapping[str, Any]:
        """The scorer's name and options, and the targets."""
        try:
            found: Mapping[str, Any] = json.loads(self.directory.tests[TARGET])
            return {
                "scorer": str(found["scorer"]),
                "options": dict(found["options"]),
                "targets": list(found["targets"]),
            }
        except (KeyError, ValueError, TypeError) as error:
            raise TaskDirectoryError(f"{self.directory.name}/tests/{TARGET}: {error!r}") from error

    @cached_property
    def task(self) -> Task:
        """What agents see."""
        ours, prompt = self.directory.ours, self.directory.instruction
        files = {
            name.removeprefix(WORKSPACE): data
            for name, data in self.directory.environment.items()
            if name.startswith(WORKSPACE)
        }
        return Task(
            id=self.directory.name,
            domain="software",
            prompt=prompt,
            parts=(Part("answer", prompt),),
            files=files,
            budget=Budget(calls=int(ours.get("calls", 16)), wall_s=float(ours.get("wall_s", 60.0))),
            difficulty=int(ours.get("difficulty", 1)),
            split=check_split(str(ours.get("split", "test"))),
            source=str(ours.get("origin", "")),
            licence=str(ours.get("licence", "")),
        )


class InspectTasks(ListedTasks[InspectDirectory]):
    """Imported samples."""

    def __init__(self, directories: Sequence[TaskDirectory], name: str) -> None:
        self._entries = {each.name: InspectDirectory(each) for each in directories}
        self._name = name

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self._name

    def marks(self) -> Iterator[bytes]:
        """All files, hashed."""
        return (fingerprint(entry.directory).encode() for entry in self._entries.values())

    def directory(self, task: Task) -> TaskDirectory:
        """Its directory, which Harbor's runner can run."""
        return self._entry(task.id).directory

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:  # noqa: ARG002
        """Compare the answer with the targets; nothing is run."""
        wanted = self._entry(task.id).wanted
        good = right(wanted["scorer"], wanted["options"], wanted["targets"], submission.answer)
        score = float(good)
        log = f"{wanted['scorer']}: {'right' if good else 'not what was wanted'}"
        return Grade(score, passed=good, parts={part.name: score for part in task.parts}, log=log)

    def gold(self, task: Task) -> Submission:
        """A target."""
        wanted = self._entry(task.id).wanted
        targets = [str(target) for target in wanted["targets"]]
        if wanted["scorer"] == "choice":
            return Submission(
                "ANSWER: " + ", ".join(letter for target in targets for letter in target.strip().upper())
            )
        return Submission(targets[0])
