"""Scripted demonstrators of the micro families: what the small models are warm-started on, and the policies called ``scripted``.

Each family has a module of its own that satisfies :class:`Demonstrator`; a new one is added to :data:`DEMONSTRATORS`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mx_agents.errors import unknown
from mx_agents.micro.demonstrations import hardware, software, trading
from mx_envs import Observation


class Demonstrator(Protocol):
    """Imperfect on purpose, so that there is something left to learn."""

    ROLE: str
    """The system message of the executors in its designs."""

    def understands(self, prompt: str) -> bool:
        """Whether it is a prompt of this family."""

    def answer(self, question: str, rng: random.Random) -> str:
        """An executor's answer to a part's or a task's prompt."""

    def design(self, rng: random.Random) -> str:
        """A designer's script."""


DEMONSTRATORS: dict[str, Demonstrator] = {
    "hardware:micro": hardware,
    "software:micro": software,
    "trading:micro": trading,
}
"""By task set."""


def demonstrator_of(task_set: str) -> Demonstrator:
    """The task set's demonstrator. Raises UsageError when it has none."""
    if task_set not in DEMONSTRATORS:
        raise unknown("demonstrator for the task set", task_set, list(DEMONSTRATORS))
    return DEMONSTRATORS[task_set]


def knows(prompt: str) -> bool:
    """Whether the policy ``scripted`` has anything to say to a task of this prompt; to all others it answers with nothing."""
    return _reader(prompt) is not None


@dataclass(slots=True)
class ScriptedExecutor:
    """The executor's demonstrators as a policy."""

    seed: int = 0
    rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"scripted executor/{self.seed}")

    def act(self, observations: Sequence[Observation]) -> list[str]:
        """An answer to the last message of each chat; empty to one of no family."""
        prompts = [observation["messages"][-1]["content"] for observation in observations]
        found = [(_reader(prompt), prompt) for prompt in prompts]
        return [reader.answer(prompt, self.rng) if reader else "" for reader, prompt in found]


@dataclass(slots=True)
class ScriptedDesigner:
    """The designer's demonstrators as a policy."""

    seed: int = 0
    rng: random.Random = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.rng = random.Random(f"scripted designer/{self.seed}")

    def act(self, observations: Sequence[Observation]) -> list[str]:
        """A random workflow each, in the manner of the task's family."""
        prompts = [observation["messages"][-1]["content"] for observation in observations]
        return [(_reader(prompt) or software).design(self.rng) for prompt in prompts]


def _reader(prompt: str) -> Demonstrator | None:
    return next((each for each in DEMONSTRATORS.values() if each.understands(prompt)), None)
