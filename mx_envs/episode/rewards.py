"""From an episode to rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mx_envs.episode.record import EpisodeRecord, Rewards


class RewardModel(Protocol):
    """Says what an episode pays at its end. Called once, with a record whose own ``rewards`` are still zero.

    It is not asked about episodes that failed (:attr:`EpisodeRecord.failed`): they pay nothing.
    """

    def __call__(self, episode: EpisodeRecord) -> Rewards:
        """The designer's reward and that of each executor that took a turn."""


@dataclass(frozen=True, slots=True)
class DefaultRewards:
    """The designer gets a share of the score that falls with every call, the executors the score.

    What scores nothing pays nothing, however it came about: a wrong answer after many calls, a crash, a design that is no Python,
    ``submit("?")``, or no submission. So no way of giving up is worth more than an honest failure, and a try with any chance of
    success is worth more than all of them. Calls are a price on what they bought, never a fine for having tried: at
    ``cost_per_call`` each, and ``least_share`` of the score is always left. Whoever tampers with the grading pays ``tampering``.
    Where a task can do harm (a loss in trading, a score below 0) the loss is paid whole: there, doing nothing is an honest choice.

    Raises ValueError for prices with which giving up or tampering would pay.
    """

    cost_per_call: float = 0.02
    least_share: float = 0.25
    tampering: float = -0.5

    def __post_init__(self) -> None:
        if self.cost_per_call < 0:
            raise ValueError(f"a call costs 0 or more, not {self.cost_per_call}")
        if not 0 < self.least_share <= 1:
            raise ValueError(f"the least share of a score is above 0 and at most 1, not {self.least_share}")
        if self.tampering >= 0:
            raise ValueError(f"tampering pays less than 0, not {self.tampering}")

    def __call__(self, episode: EpisodeRecord) -> Rewards:
        """The rewards of an episode."""
        grade = episode.grade
        if grade.tampered:
            return Rewards(designer=self.tampering, executors=self.tampering)
        share = max(self.least_share, 1.0 - self.cost_per_call * episode.calls) if grade.score > 0 else 1.0
        return Rewards(designer=grade.score * share, executors=grade.score)
