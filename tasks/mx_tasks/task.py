"""What a task is, whatever its domain and source: public data, and a grader that stays hidden."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from mx_sandboxes import Sandbox

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a task that can be asked for, answered and graded by itself.

    ``prompt`` is literally contained in the task's prompt; ``check`` is Python source of public tests: it is run with the answer's
    text in the name ``answer`` and raises AssertionError (or anything) when the answer is wrong.
    """

    name: str
    prompt: str
    check: str = ""


@dataclass(frozen=True, slots=True)
class Budget:
    """What an episode may use.

    Executor calls (turns), seconds of wall time for the design without the policies' time, seconds of its processor time (0: as
    many as of wall time), and tokens that executors read and write
    (see :mod:`mx_envs.inside.endpoint.asking`; None for no limit): the call that passes the limit is the last.
    """

    calls: int = 16
    wall_s: float = 20.0
    tokens: int | None = None
    cpu_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that a task brings for its executors.

    ``arguments`` is the JSON schema of each argument by name, such as ``{"top": {"type": "string"}}``; those with a ``default``
    may be left out. ``source`` is a Python program: a fresh process in the workspace runs it with the dict ``arguments`` in scope,
    and what it prints is the result. It is public, as everything in a task is.
    """

    name: str
    description: str
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    source: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """One problem: everything that agents may see. The hidden grader is found through the task set."""

    id: str
    domain: str
    prompt: str
    parts: tuple[Part, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    image: str = "python"
    services: tuple[str, ...] = ()
    """Names of the services on the host that its script may call (see :mod:`mx_tasks.service`)."""
    budget: Budget = Budget()
    difficulty: int = 0
    split: Split = "train"
    source: str = ""
    licence: str = ""
    tools: tuple[Tool, ...] = ()


@dataclass(frozen=True, slots=True)
class Submission:
    """What an episode hands in: the answer text, and the declared files of the workspace.

    ``removed`` names files of the task that belong to the submission and are gone.

    ``service`` is the final state of the task's service on the host (see :mod:`mx_tasks.service`), which no script can write.
    """

    answer: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    service: Mapping[str, Any] = field(default_factory=dict)
    removed: tuple[str, ...] = ()

    @property
    def blank(self) -> bool:
        """Whether nothing was handed in: no answer, no change of files, and nothing done with the service."""
        return not (self.answer.strip() or self.files or self.removed or self.service.get("acted"))


@dataclass(frozen=True, slots=True)
class Grade:
    """The verdict on a submission.

    ``score`` is in [0, 1], below 0 where a task can do harm (a loss in trading); ``parts`` maps a part's name to its own score;
    ``tampered`` says that the submission was caught interfering with its grading, which scores 0; ``abstained`` that there was
    nothing in it to grade, though something was handed in: a desk that never decided, a strategy that never answered. ``log`` is
    for people and never shown to a policy, and neither is ``trace``: plain JSON values of what happened in grading, for reports.
    """

    score: float
    passed: bool
    parts: Mapping[str, float] = field(default_factory=dict)
    tampered: bool = False
    abstained: bool = False
    log: str = ""
    trace: Mapping[str, Any] = field(default_factory=dict)


class TaskSet(Protocol):
    """An ordered collection of tasks with splits, and their graders."""

    @property
    def name(self) -> str:
        """The name on the command line, such as ``software:micro``."""

    @property
    def fingerprint(self) -> str:
        """A hash that changes when any task or grader of the set does."""

    def size(self, split: Split) -> int | None:
        """Number of tasks in a split; None when they are generated without end."""

    def task(self, split: Split, index: int) -> Task:
        """The task at a place in a split. Raises IndexError beyond its end."""

    def find(self, task_id: str) -> Task:
        """The task of that id. Raises TaskNotFoundError."""

    def outputs(self, task: Task) -> Sequence[str]:
        """Names of the workspace files that belong to a submission; ``src/toolz/`` stands for all files of that folder."""

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Grade a submission in a job of its own. A bad submission is a low grade, never an exception.

        Raises GradingError or SandboxError when there is no verdict for reasons that are not the submission's.
        """

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """Score in [0, 1] of each answer to a part (its name, the text) by that part's own hidden tests, apart from the others.

        None where a part cannot be graded alone. Many answers cost little more than one: they come in one job.
        """


class GradingError(Exception):
    """Grading failed for reasons that are not the submission's: there is no verdict, and no reward may be made of it."""


class TaskNotFoundError(LookupError):
    """No task has that id."""


def tasks(task_set: TaskSet, split: Split, count: int) -> Iterator[Task]:
    """The first ``count`` tasks of a split, or all that it has when there are fewer."""
    size = task_set.size(split)
    for index in range(count if size is None else min(count, size)):
        yield task_set.task(split, index)
