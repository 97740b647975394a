"""What hardware's drawn sets have in common: something drawn at each place that stays with the grader."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from mx_tasks.errors import SPLITS
from mx_tasks.hardware.cheats.designs import refused_attacks
from mx_tasks.hardware.generate.spec import Spec
from mx_tasks.hardware.generate.wording import WORDINGS
from mx_tasks.hardware.rtl.answers import DESIGN_FILE
from mx_tasks.hardware.rtl.circuit import Circuit
from mx_tasks.kept import Kept
from mx_tasks.sets import DrawnTasks, check_place
from mx_tasks.task import Budget, Part, Split, Submission, Task, Tool

IMAGE = "hdl"
BUDGET = Budget(calls=16, wall_s=60.0)
KEPT = 4096


class Judged(Protocol):
    """What is drawn: at least what an answer is graded against."""

    @property
    def circuit(self) -> Circuit:
        """The golden circuit with its hidden vectors."""


D = TypeVar("D", bound=Judged)


class DrawnDesigns(DrawnTasks, Generic[D]):
    """Tasks of one ``kind``; ``wording`` (None for any) fixes how designs are described."""

    def __init__(self, kind: str, seed: int = 0, wording: str | None = None) -> None:
        if wording is not None and wording not in WORDINGS:
            raise ValueError(f"there is no wording {wording!r}; there are: {', '.join(WORDINGS)}")
        self.kind = kind
        self.seed = seed
        self.wording = wording
        self._drawn = Kept(self._draw, KEPT)

    @abstractmethod
    def _draw(self, split: Split, index: int) -> D:
        """What is at a place; the same each time."""

    @property
    def name(self) -> str:
        """Such as ``hardware:fsm``."""
        return f"hardware:{self.kind}"

    @property
    def prefix(self) -> str:
        """The kind."""
        return self.kind

    def drawn(self, split: Split, index: int) -> D:
        """What stays with the grader. Raises UnknownSplitError, IndexError for a negative place."""
        check_place(split, index)
        return self._drawn(split, index)

    def outputs(self, task: Task) -> Sequence[str]:  # noqa: ARG002  # some sets' differ by task
        """The design."""
        return (DESIGN_FILE,)

    def _task(
        self, split: Split, index: int, part: Part, files: Mapping[str, bytes], tools: Sequence[Tool],
        level: int, families: str,
    ) -> Task:  # fmt: skip
        """The task of one part at a place; ``families`` names what it was drawn from."""
        return Task(
            id=self.id_of(split, index),
            domain="hardware",
            prompt=part.prompt,
            parts=(part,),
            files=files,
            image=IMAGE,
            tools=tuple(tools),
            budget=BUDGET,
            difficulty=level,
            split=split,
            source=f"mx-envs generator, {families}",
            licence="Apache-2.0",
        )

    def _of(self, task: Task) -> D:
        return self.drawn(*self.place(task.id))

    def _sample(self) -> list[tuple[str, Circuit]]:
        """The first two tasks of each split, with their hidden vectors: what tells one version of a set from another."""
        return [
            (self.task(split, n).prompt, self.drawn(split, n).circuit) for split in SPLITS for n in range(2)
        ]


def in_block(text: str) -> Submission:
    """A design as a model would hand it in."""
    return Submission(f"```verilog\n{text}```\n")


def attacks(spec: Spec) -> Mapping[str, Submission]:
    """Submissions that attack the tools instead of being the design; each must score 0."""
    return {name: in_block(text) for name, text in refused_attacks(spec.ports, spec.top).items()}
