"""Level 5: a desk of agents on real bars, resampled or in their own order, over windows one behind the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mx_sandboxes import Sandbox
from mx_tasks.task import Budget, Grade, Split, Submission, Task
from mx_tasks.trading.grading.arenas import Window
from mx_tasks.trading.grading.real_arenas import DatedArena, ResampledArena
from mx_tasks.trading.grading.series import Series
from mx_tasks.trading.grading.trials import decisions
from mx_tasks.trading.grading.verdict import verdict
from mx_tasks.trading.imports.sources import DEFAULT_SOURCE, open_history
from mx_tasks.trading.market.salt import salted, trace
from mx_tasks.trading.market.world import slug
from mx_tasks.trading.sets.hidden import WINDOWS, HiddenWindows

BARS = 21
EDGE = 0.6
"""A desk decides less often than a program: only a stronger effect can be shown."""
VERSION = 2


class RealDeskTasks(HiddenWindows[ResampledArena | DatedArena]):
    """The task sets ``trading:real`` and ``trading:dated``. Each task is a series of ``windows`` windows, 8 or more."""

    @property
    def name(self) -> str:
        """``trading:`` and the arena's name."""
        return f"trading:{self.arena.name}"

    @property
    def prefix(self) -> str:
        """The arena's name."""
        return slug(self.arena.name)

    def marks(self) -> object:
        """The arena and of what chooses its windows."""
        return (VERSION, self.name, self.arena.fingerprint, self.seed, self.windows, trace(self.salt))

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        decisions = self.windows * self.arena.bars
        return Task(
            id=self.id_of(split, index),
            domain="trading",
            prompt=(
                f"Trade {self.windows} windows one behind the other, {decisions} bars in all. {self.arena.about} At the end of a "
                "window all is sold; the next one begins in cash.\nThe script trades through market: market.observe(n) gives the "
                "newest bars (their split, dividend and delisted say what happened before the open), market.account() what is held "
                "and the window, market.question() the present as a text for an agent, and market.rebalance(weights) trades and "
                "moves on one bar; market.trade(agent) does so until the end. "
                f"{self.about_scores}"
            ),
            services=("market",),
            budget=Budget(calls=8 * decisions, wall_s=60.0 + 2.0 * decisions, cpu_s=30.0 + 0.1 * decisions),
            difficulty=5,
            split=split,
            source=self.arena.source,
            licence="",
        )

    def service(self, task: Task) -> Series:
        """The market of the task."""
        return Series(self.hidden(task))

    def hidden(self, task: Task) -> Sequence[Window]:
        """The task's windows."""
        return self.arena.windows(
            task.split,
            self.windows,
            lambda word: salted(self.salt, "real", VERSION, self.arena.name, task.id, word),
        )

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:  # noqa: ARG002  # nothing is run
        """Grade what was traded, not what is said of it."""
        if not submission.service.get("acted"):
            return Grade(0.0, passed=False, abstained=True, log="no trade was decided on")
        states = submission.service["windows"]
        answered = [bool(state["acts"]) for state in states]
        trial = self._count(f"{self.fingerprint}/{task.id}", decisions(submission.service))
        return verdict(self.arena, self.hidden(task), states, answered, trial)

    def grade_parts(
        self,
        task: Task,  # noqa: ARG002
        answers: Sequence[tuple[str, str]],
        sandbox: Sandbox,  # noqa: ARG002
    ) -> Sequence[float | None]:
        """None: a decision cannot be graded without its place in the run."""
        return [None] * len(answers)

    def cheats(self, task: Task) -> Mapping[str, Submission]:  # noqa: ARG002
        """Claims instead of trades."""
        return {
            "claim": Submission("score: 1.0"),
            "claimed log": Submission('{"acted": true, "windows": []}'),
        }


def real(
    data: str = "bokeh",
    source: str | None = None,
    file: str | None = None,
    actions: str | None = None,
    seed: int = 0,
    windows: int = WINDOWS,
    bars: int = BARS,
    embargo: int = 20,
    edge: float = EDGE,
    salt: str | None = None,
) -> RealDeskTasks:
    """``trading:real``, ``trading:real/skfolio``, ``trading:real/my.csv``: a pinned source, or your file, resampled.

    Raises DataError, WindowError.
    """
    where = file or source or data
    history, origin = open_history(where, actions)
    name = "real" if where == DEFAULT_SOURCE else f"real/{where}"
    arena = ResampledArena(name, history, f"{origin}, resampled", bars, embargo, edge=edge)
    return RealDeskTasks(arena, seed, windows, salt)


def dated(
    data: str = "bokeh",
    source: str | None = None,
    file: str | None = None,
    actions: str | None = None,
    seed: int = 0,
    windows: int = WINDOWS,
    bars: int = BARS,
    embargo: int = 20,
    salt: str | None = None,
) -> RealDeskTasks:
    """``trading:dated``, ``trading:dated/my.csv``: in their own order, known to whoever has the bars.

    Raises DataError, WindowError.
    """
    where = file or source or data
    history, origin = open_history(where, actions)
    name = "dated" if where == DEFAULT_SOURCE else f"dated/{where}"
    return RealDeskTasks(DatedArena(name, history, origin, bars, embargo), seed, windows, salt)
