"""What the episodes of an environment have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

from mx_envs.episode.approval import Approver
from mx_envs.episode.rewards import DefaultRewards, RewardModel
from mx_envs.inside.endpoint.sampling import Terms
from mx_sandboxes import Sandbox
from mx_tasks import TaskSet


def executor_name(slot: int) -> str:
    """The PettingZoo name of the executor in a slot."""
    return f"executor_{slot}"


@dataclass(frozen=True)
class Setting:
    """What the episodes of an environment have in common. ``grading`` may be the same pool as ``sandbox``."""

    task_set: TaskSet
    sandbox: Sandbox
    grading: Sandbox
    executors: int = 8
    turn_rewards: bool = False
    rewards: RewardModel = field(default_factory=DefaultRewards)
    approver: Approver | None = None
    """Judges the executors' tool calls before the script hears of them."""
    env: str = "mx/Software-v0"
    fingerprint: str = ""
    terms: Terms | None = None
    """Which parameters of a program's requests the executors honour, and which are pinned; None: whoever steps sees to it."""
    guide: str = "full"
    """What the designer was told of designs (see :mod:`mx_envs.guide`)."""

    def __post_init__(self) -> None:
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", self.task_set.fingerprint)
