"""What the tests of the environments share: sandboxes of each backend, a small task set, and a way to play an episode."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from mx_envs import Observation
from mx_sandboxes import Sandbox, SandboxUnavailableError, open_sandbox
from mx_sandboxes.opening import BACKENDS
from mx_tasks import Budget, Grade, Part, Split, Submission, Task, TaskNotFoundError


@contextmanager
def opened(backend: str) -> Iterator[Sandbox]:
    try:
        sandbox = open_sandbox(backend, slots=4)
    except SandboxUnavailableError as error:
        pytest.skip(str(error))
    with sandbox:
        yield sandbox


@pytest.fixture(
    scope="session", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in BACKENDS]
)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox of every backend that works here, one after the other."""
    with opened(request.param) as found:
        yield found


@pytest.fixture(scope="session")
def bubblewrap() -> Iterator[Sandbox]:
    with opened("bubblewrap") as found:
        yield found


@pytest.fixture(scope="session")
def docker() -> Iterator[Sandbox]:
    with opened("docker") as found:
        yield found


class Words:
    """Reverse some words: one word is a part, one line an answer. Also handed in: ``notes.txt``, which wins with ``done``."""

    name = "test:words"
    fingerprint = "words-1"
    words = ("stone", "river", "cloud", "ember")

    def __init__(self, budget: Budget | None = None, parts: bool = True) -> None:
        self.budget = budget or Budget(calls=12, wall_s=5.0)
        self.parts = parts
        self.graded: list[Submission] = []

    def size(self, split: Split) -> int | None:
        return 10

    def task(self, split: Split, index: int) -> Task:
        if not 0 <= index < 10:
            raise IndexError(index)
        words = [self.words[(index + step) % 4] for step in range(2)]
        parts = tuple(
            Part(str(number), f"{number}. {word}", f"assert answer == {word[::-1]!r}, 'not reversed'")
            for number, word in enumerate(words, 1)
        )
        task = Task(
            id=f"words-{split}-{index}",
            domain="software",
            prompt="\n".join(["Reverse each word.", *(part.prompt for part in parts)]),
            parts=parts,
            files={"notes.txt": b"to do\n"},
            budget=self.budget,
            split=split,
        )
        return task if self.parts else replace(task, parts=())

    def find(self, task_id: str) -> Task:
        match task_id.split("-"):
            case ["words", "train" | "validation" | "test" as split, index]:
                return self.task(split, int(index))
        raise TaskNotFoundError(task_id)

    def outputs(self, task: Task) -> Sequence[str]:
        return ("notes.txt",)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        self.graded.append(submission)
        lines = submission.answer.splitlines()
        wanted = [line.partition(". ")[2][::-1] for line in task.prompt.splitlines()[1:]]
        scores = [float(place < len(lines) and lines[place] == word) for place, word in enumerate(wanted)]
        if submission.files.get("notes.txt") == b"done\n":
            scores = [1.0] * len(wanted)
        parts = {part.name: score for part, score in zip(task.parts, scores, strict=False)}
        return Grade(sum(scores) / len(scores), passed=all(scores), parts=parts)

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> list[float | None]:
        words = {part.name: part.prompt.partition(". ")[2] for part in task.parts}
        return [float(answer == words[name][::-1]) for name, answer in answers]


@pytest.fixture
def words() -> Words:
    return Words()


@pytest.fixture
def make_words() -> type[Words]:
    return Words


def reverse(observation: Observation) -> str:
    """An executor that reverses the word of every numbered line in the newest user message."""
    last = next(m["content"] for m in reversed(observation["messages"]) if m["role"] == "user")
    return "\n".join(line.partition(". ")[2][::-1] for line in last.splitlines() if line[:1].isdigit())


Answer = Callable[[Observation], str]


def play_episode(env: Any, design: str, answer: Answer = reverse, **reset: Any) -> Any:
    """One episode through the AEC interface; the unwrapped environment afterwards, with the record in ``episode``."""
    env.reset(**{"seed": 0, **reset})
    for agent in env.agent_iter():
        observation, _, terminated, truncated, _ = env.last()
        if terminated or truncated:
            env.step(None)
        else:
            env.step(design if agent == "designer_0" else answer(observation))
    return env.unwrapped


@pytest.fixture
def play() -> Callable[..., Any]:
    return play_episode


@pytest.fixture
def shout() -> Answer:
    """An executor whose answer depends on all that it is shown."""
    return lambda observation: hashlib.sha256(repr(observation).encode()).hexdigest()[:12]
