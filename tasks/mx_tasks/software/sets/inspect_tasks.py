"""Samples of inspect_ai as task directories: an answer in words, compared on the host by the rules of the task's own scorer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.errors import check_split, did_you_mean
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, fingerprint
from mx_tasks.software.grading.inside.compare_texts import right
from mx_tasks.task import Budget, Grade, Part, Split, Submission, Task, TaskNotFoundError

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


class InspectTasks:
    """Imported samples."""

    def __init__(self, directories: Sequence[TaskDirectory], name: str) -> None:
        self._entries = {each.name: InspectDirectory(each) for each in directories}
        self._name = name

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self._name

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all files."""
        texts = [fingerprint(entry.directory) for entry in self._entries.values()]
        return hashlib.sha256("".join(texts).encode()).hexdigest()[:16]

    def size(self, split: Split) -> int:
        """Number of samples in a split."""
        return len(self._split(split))

    def task(self, split: Split, index: int) -> Task:
        """The sample at a place in a split, in the order of their names."""
        found = self._split(split)
        if not 0 <= index < len(found):
            raise IndexError(
                f"the split {split!r} of {self.name} has {len(found)} tasks; there is none at {index}"
            )
        return found[index].task

    def find(self, task_id: str) -> Task:
        """The task of that id. Raises TaskNotFoundError."""
        return self._entry(task_id).task

    def outputs(self, task: Task) -> Sequence[str]:  # noqa: ARG002
        """None: the answer's text is all."""
        return ()

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

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """The grade of each answer as a whole."""
        return [self.grade(task, Submission(answer), sandbox).score for _, answer in answers]

    def gold(self, task: Task) -> Submission:
        """A target."""
        wanted = self._entry(task.id).wanted
        targets = [str(target) for target in wanted["targets"]]
        if wanted["scorer"] == "choice":
            return Submission(
                "ANSWER: " + ", ".join(letter for target in targets for letter in target.strip().upper())
            )
        return Submission(targets[0])

    def _entry(self, task_id: str) -> InspectDirectory:
        if task_id not in self._entries:
            raise TaskNotFoundError(
                f"no task {task_id!r} in {self.name}{did_you_mean(task_id, self._entries)}"
            )
        return self._entries[task_id]

    def _split(self, split: Split) -> list[InspectDirectory]:
        check_split(split)
        return [entry for entry in self._entries.values() if entry.task.split == split]
