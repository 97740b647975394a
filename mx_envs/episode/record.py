"""What happened in an episode: frozen, and without clocks, process ids or paths, so that equal episodes have equal records."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any

from mx_envs.episode.approval import Ruling
from mx_envs.episode.observation import Message
from mx_tasks import Grade, Split, Submission


class StopReason(Enum):
    """How an episode ended."""

    SUBMITTED = "submitted"
    FINISHED = "finished"
    """The script came to its end without ``submit``; what it left in the declared files is its submission."""
    CRASHED = "crashed"
    INVALID = "invalid design"
    TIME = "time limit"
    CPU = "cpu limit"
    MEMORY = "memory limit"
    OUTPUT = "output limit"
    PROTOCOL = "protocol error"
    BUDGET = "budget"
    """The script did not stop when its calls were used up."""
    BROKE_SANDBOX = "broke its sandbox"
    """The script made its sandbox die or hang, and a harmless job in such a sandbox did not suffer that: a failure like the others.
    What it did until then counts against it, and nothing counts for it."""
    SANDBOX_DIED = "sandbox died"
    """A harmless job suffered it too, or somebody outside killed the sandbox."""
    TERMINATED = "terminated"
    """Whoever approves tool calls ended the episode; it is not graded."""
    TRUNCATED = "truncated"
    """The caller ended the episode, or its cycles were used up."""
    GRADING_FAILED = "grading failed"
    """The grader or its sandbox, not the submission, failed: twice, because it is tried once more."""


INFRASTRUCTURE = frozenset({StopReason.SANDBOX_DIED, StopReason.GRADING_FAILED})
"""Endings that say nothing about the design and its answers: such an episode has no grade and pays nothing."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One question and its answer.

    ``agent`` is the executor that answered (``executor_2``), ``name`` its role's name in the script, ``batch`` numbers the groups
    of questions that were asked together. ``parts`` are the parts of the task that the question asked for; ``turn_reward`` pays
    this answer alone (None where it was not graded, or where nothing was taken from it: see
    :func:`mx_envs.episode.turns.credited`), ``team_reward`` the whole episode. ``rulings`` are those on the tool calls in
    ``answer`` where somebody approves them (see :mod:`mx_envs.episode.approval`). ``sampling`` is how the answer was to be made,
    ``asked`` how a program asked for it, where pins made it something else.
    """

    agent: str
    name: str
    slot: int
    batch: int
    messages: tuple[Message, ...]
    answer: str
    parts: tuple[str, ...] = ()
    graded: bool = True
    turn_reward: float | None = None
    team_reward: float = 0.0
    rulings: tuple[Ruling, ...] = ()
    sampling: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The turn as plain JSON values; parameters only where there are some."""
        plain = asdict(self)
        for name in ("sampling", "asked"):
            if not plain[name]:
                del plain[name]
        return plain


@dataclass(frozen=True, slots=True)
class Rewards:
    """What an episode pays at its end: to the designer, and to each executor that took a turn."""

    designer: float = 0.0
    executors: float = 0.0


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """One task, one design, its turns, its grade.

    ``error`` is the last line of a crashed script's traceback, ``log`` the end of what the script printed, ``label`` the kind of
    workflow that the design is (see :func:`mx_envs.workflow_label`), ``diff`` what the submission changes of the task's files,
    ``rulings`` those on tool calls that a program made over the endpoint, outside of turns, ``guide`` what the designer was told of
    designs (a name or a text, see :mod:`mx_envs.guide`).
    """

    env: str
    task: str
    task_set: str
    fingerprint: str
    split: Split
    seed: int | None
    design: str
    label: str
    turns: tuple[Turn, ...]
    submission: Submission
    stop: StopReason
    grade: Grade
    error: str = ""
    log: str = ""
    rewards: Rewards = field(default_factory=Rewards)
    diff: str = ""
    rulings: tuple[Ruling, ...] = ()
    guide: str = "full"
    folded: tuple[str, ...] = ()
    """Roles that shared an executor with another one, because the design has more of them than there are executors."""

    @property
    def calls(self) -> int:
        """Number of executor calls."""
        return len(self.turns)

    @property
    def failed(self) -> bool:
        """Whether the infrastructure failed: there is no verdict (``grade`` holds zeros), and it is counted apart."""
        return self.stop in INFRASTRUCTURE

    @property
    def handed_in(self) -> bool:
        """Whether anything was submitted: an answer that is not blank, files, or acts on the task's service."""
        return not self.submission.blank

    def as_dict(self) -> dict[str, Any]:
        """The record as plain JSON values; files are in base64, and the grade of an episode that failed is None."""
        files = {
            name: base64.b64encode(data).decode() for name, data in sorted(self.submission.files.items())
        }
        grade = self.grade
        service = dict(self.submission.service)
        return {
            "env": self.env,
            "task": self.task,
            "task_set": self.task_set,
            "fingerprint": self.fingerprint,
            "split": self.split,
            "seed": self.seed,
            "guide": self.guide,
            "design": self.design,
            "label": self.label,
            "turns": [turn.as_dict() for turn in self.turns],
            "submission": {
                "answer": self.submission.answer,
                "files": files,
                **({"service": service} if service else {}),
                **({"removed": list(self.submission.removed)} if self.submission.removed else {}),
            },
            "diff": self.diff,
            **({"rulings": [asdict(ruling) for ruling in self.rulings]} if self.rulings else {}),
            **({"folded": list(self.folded)} if self.folded else {}),
            "stop": self.stop.value,
            "error": self.error,
            "log": self.log,
            "grade": None if self.failed else _whole(grade),
            "rewards": asdict(self.rewards),
        }

    def to_json(self) -> str:
        """One line of JSON; equal records give equal bytes."""
        return json.dumps(self.as_dict(), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _whole(grade: Grade) -> dict[str, Any]:
    """All of a grade; the trace where there is one."""
    return {**grade_as_dict(grade), "log": grade.log} | ({"trace": dict(grade.trace)} if grade.trace else {})


def grade_as_dict(grade: Grade) -> dict[str, Any]:
    """A grade's public side as plain JSON values: all but its log and its trace."""
    return {
        "score": grade.score,
        "passed": grade.passed,
        "parts": dict(grade.parts),
        "tampered": grade.tampered,
        "abstained": grade.abstained,
    }


@dataclass(slots=True)
class Timing:
    """Where an episode's wall time went, in seconds; kept apart from the record."""

    start_s: float = 0.0
    """From the design to its first question: the sandbox, Python, and the script itself."""
    design_s: float = 0.0
    """The script, after its first question."""
    policies_s: float = 0.0
    """Between a batch of questions and its last answer: the policies, and the caller."""
    turn_grading_s: float = 0.0
    grading_s: float = 0.0
