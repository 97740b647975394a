"""From an episode to rewards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from mx_envs.episode.record import EpisodeRecord, Rewards, StopReason


class RewardModel(Protocol):
    """Says what an episode pays at its end. Called once, with a record whose own ``rewards`` are still zero.

    It is not asked about episodes that failed (:attr:`EpisodeRecord.failed`): they pay nothing.
    """

    def __call__(self, episode: EpisodeRecord) -> Rewards:
        """The designer's reward and that of each executor that took a turn."""


@dataclass(frozen=True, slots=True)
class DefaultRewards:
    """The designer gets the score less a price per call, the executors the score.

    A design that hands in nothing, because it is invalid, crashes, reaches a limit or gives up, pays its designer
    ``invalid_design``, so giving up is never worth more than trying.
    """

    cost_per_call: float = 0.02
    invalid_design: float = -0.2

    def __call__(self, episode: EpisodeRecord) -> Rewards:
        """The rewards of an episode."""
        score = episode.grade.score
        if not episode.handed_in and episode.stop is not StopReason.TRUNCATED and not episode.failed:
            return Rewards(designer=self.invalid_design, executors=score)
        return Rewards(designer=score - self.cost_per_call * episode.calls, executors=score)
