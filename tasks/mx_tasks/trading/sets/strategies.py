"""Strategy programs, level 6: ``strategy.py`` is streamed hidden windows one bar at a time, and scored on all of them.

In a world with a known optimum the score is how far the decisions of all windows together can be expected to come from the best
position that is kept to the optimum: see :mod:`mx_tasks.trading.grading.kept_positions`. On real bars all windows together are held
against equal weight: see :mod:`mx_tasks.trading.grading.evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mx_sandboxes import Sandbox
from mx_tasks.answers.programs import fenced_python
from mx_tasks.task import Budget, Grade, Split, Submission, Task
from mx_tasks.trading.grading.arenas import Arena, Window, WorldArena
from mx_tasks.trading.grading.programs import play_program
from mx_tasks.trading.grading.real_arenas import DatedArena, ResampledArena
from mx_tasks.trading.grading.series import brief, chained
from mx_tasks.trading.grading.verdict import verdict
from mx_tasks.trading.imports.bootstrap import bootstrap_of
from mx_tasks.trading.imports.sources import DEFAULT_SOURCE, open_history
from mx_tasks.trading.market.salt import salted, trace
from mx_tasks.trading.market.world import headline, slug
from mx_tasks.trading.market.worlds import load_world
from mx_tasks.trading.sets.hidden import WINDOWS, HiddenWindows

REAL_WINDOWS = 16
VERSION = 4
TEMPLATE = b'''"""A strategy. It is run anew for every hidden window; only the standard library is sure to be there."""


def fit(bars):
    """Optional: look at the bars before the window. bars.close[-1][0] is the newest close of the first asset."""


def on_bar(bars, account):
    """Target weights, one for each asset, decided on the bars so far; filled at the next bar's open."""
    return [0.0] * len(bars.symbols)
'''
"""What the task gives: a strategy that stays in cash."""


class StrategyTasks(HiddenWindows[Arena]):
    """The task sets ``trading:strategy-...``. ``windows`` is the number of hidden windows, 8 or more for a score to mean much."""

    @property
    def name(self) -> str:
        """``trading:strategy-`` and the arena's name."""
        return f"trading:strategy-{self.arena.name}"

    @property
    def about_set(self) -> str:
        """What it asks for, in a line."""
        arena = self.arena
        said = headline(arena.world) if isinstance(arena, WorldArena) else "real bars"
        return f"Level 6, a strategy program on hidden windows: {said}."

    @property
    def prefix(self) -> str:
        """``strategy`` and the arena's name."""
        return f"strategy-{slug(self.arena.name)}"

    def marks(self) -> object:
        """The arena and of what chooses its windows."""
        return (VERSION, self.arena.name, self.arena.fingerprint, self.seed, self.windows, trace(self.salt))

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        return Task(
            id=self.id_of(split, index),
            domain="trading",
            prompt=(
                "Write strategy.py. fit(bars), which you may leave out, sees the bars before a window; on_bar(bars, account) "
                "is called at each bar and returns the target weights. bars.open, .high, .low, .close, .volume are lists of "
                "rows, oldest first, a row has one number for each of bars.symbols; so are bars.splits and bars.dividends, what "
                "happened before each open; bars.extra holds further columns. "
                "account has weights, value, left.\n"
                f"{self.arena.about}\nAnswer with the whole file in a python block."
            ),
            files={"strategy.py": TEMPLATE},
            image="trading",
            budget=Budget(calls=16, wall_s=30.0),
            difficulty=6,
            split=split,
            source=self.arena.source,
            licence="",
        )

    def outputs(self, task: Task) -> Sequence[str]:  # noqa: ARG002  # the same for all
        """The strategy."""
        return ("strategy.py",)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Run the strategy on the hidden windows."""
        source = program_of(submission)
        if source is None:
            return Grade(0.0, passed=False, abstained=True, log="no strategy.py was handed in")
        windows = self.hidden(task)
        played = [
            play_program(source, window.market, window.first, sandbox, purge=window.purge)
            for window in windows
        ]
        states = [each.state for each in played]
        grade = verdict(
            self.arena,
            windows,
            states,
            [bool(each.answered) for each in played],
            self._count(f"{self.fingerprint}/{task.id}", source),
            [error for each in played for error in each.errors],
        )
        return replace(grade, trace=brief(chained(states)))

    def grade_parts(
        self,
        task: Task,  # noqa: ARG002
        answers: Sequence[tuple[str, str]],
        sandbox: Sandbox,  # noqa: ARG002
    ) -> Sequence[float | None]:
        """None: a strategy has no parts."""
        return [None] * len(answers)

    def hidden(self, task: Task) -> Sequence[Window]:
        """The task's windows."""
        return self.arena.windows(
            task.split,
            self.windows,
            lambda word: salted(self.salt, "strategy", VERSION, self.arena.name, task.id, word),
        )

    def window(self, task: Task, number: int) -> Window:
        """One of the task's hidden windows."""
        return self.hidden(task)[number]


def program_of(submission: Submission) -> bytes | None:
    """The strategy that is handed in: a python block of the answer, else the file where it was changed."""
    block = fenced_python(submission.answer)
    if block is not None:
        return block.encode()
    if "def on_bar" in submission.answer:
        return submission.answer.encode()
    source = submission.files.get("strategy.py")
    return source if source and source.strip() and source != TEMPLATE else None


def no_edge(seed: int = 0, windows: int = WINDOWS, salt: str | None = None) -> StrategyTasks:
    """``trading:strategy-no-edge``."""
    return StrategyTasks(WorldArena(load_world("no-edge")), seed, windows, salt)


def regime(seed: int = 0, windows: int = WINDOWS, salt: str | None = None) -> StrategyTasks:
    """``trading:strategy-regime``."""
    return StrategyTasks(WorldArena(load_world("regime")), seed, windows, salt)


def mean_reversion(seed: int = 0, windows: int = WINDOWS, salt: str | None = None) -> StrategyTasks:
    """``trading:strategy-mean-reversion``."""
    return StrategyTasks(WorldArena(load_world("mean-reversion")), seed, windows, salt)


def hidden_regime(seed: int = 0, windows: int = WINDOWS, salt: str | None = None) -> StrategyTasks:
    """``trading:strategy-hidden-regime``."""
    return StrategyTasks(WorldArena(load_world("hidden-regime")), seed, windows, salt)


def pairs(seed: int = 0, windows: int = WINDOWS, salt: str | None = None) -> StrategyTasks:
    """``trading:strategy-pairs``."""
    return StrategyTasks(WorldArena(load_world("pairs")), seed, windows, salt)


def linear_quadratic(seed: int = 0, windows: int = WINDOWS, salt: str | None = None) -> StrategyTasks:
    """``trading:strategy-linear-quadratic``."""
    return StrategyTasks(WorldArena(load_world("linear-quadratic")), seed, windows, salt)


def bootstrap(
    data: str = "bokeh",
    edge: float = 0.15,
    seed: int = 0,
    windows: int = WINDOWS,
    salt: str | None = None,
) -> StrategyTasks:
    """``trading:strategy-bootstrap``: real returns in a new order with a planted edge; 0 for none. Raises DataError."""
    return StrategyTasks(WorldArena(bootstrap_of(data, edge)), seed, windows, salt)


def bootstrap_no_edge(data: str = "bokeh", seed: int = 0, salt: str | None = None) -> StrategyTasks:
    """``trading:strategy-bootstrap-no-edge``. Raises DataError."""
    return bootstrap(data, 0.0, seed, salt=salt)


def real(
    data: str = "bokeh",
    source: str | None = None,
    file: str | None = None,
    actions: str | None = None,
    seed: int = 0,
    windows: int = REAL_WINDOWS,
    bars: int = 63,
    embargo: int = 20,
    edge: float = 0.5,
    salt: str | None = None,
) -> StrategyTasks:
    """``trading:strategy-real``, ``trading:strategy-real/my.csv``: a pinned source, or your file, resampled.

    Raises DataError, WindowError.
    """
    where = file or source or data
    history, origin = open_history(where, actions)
    name = "real" if where == DEFAULT_SOURCE else f"real/{where}"
    return StrategyTasks(
        ResampledArena(name, history, f"{origin}, resampled", bars, embargo, edge=edge), seed, windows, salt
    )


def dated(
    data: str = "bokeh",
    source: str | None = None,
    file: str | None = None,
    actions: str | None = None,
    seed: int = 0,
    windows: int = WINDOWS,
    bars: int = 42,
    embargo: int = 20,
    salt: str | None = None,
) -> StrategyTasks:
    """``trading:strategy-dated``, ``trading:strategy-dated/my.csv``: in their own order, known to whoever has the bars.

    Raises DataError, WindowError.
    """
    where = file or source or data
    history, origin = open_history(where, actions)
    name = "dated" if where == DEFAULT_SOURCE else f"dated/{where}"
    return StrategyTasks(DatedArena(name, history, origin, bars, embargo), seed, windows, salt)
