"""What sets whose tasks are hidden windows have in common: an arena, a secret that chooses the windows, a count of trials."""

from __future__ import annotations

from typing import Generic, TypeVar

from mx_tasks.sets import DrawnTasks
from mx_tasks.trading.grading.arenas import Arena
from mx_tasks.trading.grading.trials import Counter, count_trial
from mx_tasks.trading.market.salt import host_salt

WINDOWS = 8
"""Hidden windows a task, where nobody says otherwise; fewer show little."""

A = TypeVar("A", bound=Arena)


class HiddenWindows(DrawnTasks, Generic[A]):
    """Tasks of ``windows`` hidden windows of an arena; ``seed`` and the host's secret choose them."""

    def __init__(
        self,
        arena: A,
        seed: int = 0,
        windows: int = WINDOWS,
        salt: str | None = None,
        count: Counter = count_trial,
    ) -> None:
        self.arena = arena
        self.seed = seed
        self.windows = windows
        self._salt = salt
        self._count = count

    @property
    def salt(self) -> str:
        """The secret; found when it is first needed."""
        if self._salt is None:
            self._salt = host_salt()
        return self._salt

    @property
    def about_scores(self) -> str:
        """What the scores are measured by."""
        return self.arena.about_scores
