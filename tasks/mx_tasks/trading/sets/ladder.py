"""Trading in a small world whose best way to trade is known: a desk of agents decides bar by bar, scored against the optimum.

Every decision is scored by what it can be expected to earn (see :mod:`mx_tasks.trading.market.optimum`), so that neither
luck nor leverage buys a score. 1 is the optimum; 0 is the best position that could be kept through all windows of the task, cash
among them (see :mod:`mx_tasks.trading.grading.kept_positions`), so that only looking at the market does better. Where nothing can
be earned (``no-edge``), the score is minus the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mx_sandboxes import Sandbox
from mx_tasks.kept import Kept
from mx_tasks.task import Budget, Grade, Split, Submission, Task
from mx_tasks.trading.grading.arenas import Window, WorldArena
from mx_tasks.trading.grading.kept_positions import SAID
from mx_tasks.trading.grading.series import Series
from mx_tasks.trading.imports.bootstrap import bootstrap_of
from mx_tasks.trading.market.salt import salted, trace
from mx_tasks.trading.market.world import Best, Playable, headline, slug
from mx_tasks.trading.market.worlds import load_world
from mx_tasks.trading.sets.hidden import HiddenWindows

HISTORY = 40
"""Bars that can be observed before the first decision of a window."""
WINDOWS = 6
BARS = 8
VERSION = 3


class LadderTasks(HiddenWindows[WorldArena]):
    """The task sets ``trading:regime``, ``trading:mean-reversion``, ``trading:hidden-regime``, ``trading:pairs``,
    ``trading:linear-quadratic`` and ``trading:no-edge``.

    ``bars`` is the number of decisions in each of the ``windows``. ``salt`` is the secret of
    :mod:`mx_tasks.trading.market.salt`; None for this host's.
    """

    def __init__(
        self,
        world: str | Playable,
        seed: int = 0,
        bars: int = BARS,
        salt: str | None = None,
        windows: int = WINDOWS,
    ) -> None:
        self.world: Playable = load_world(world) if isinstance(world, str) else world
        self.bars = bars
        super().__init__(WorldArena(self.world, bars, HISTORY), seed, windows, salt)
        self._drawn = Kept(self._new_windows, 256)

    @property
    def name(self) -> str:
        """``trading:`` and the world's name."""
        return f"trading:{self.world.name}"

    @property
    def about_set(self) -> str:
        """What it asks for, in a line."""
        return f"Level {self.world.level}, a desk of agents that decides bar by bar: {headline(self.world)}."

    @property
    def optimum(self) -> Best:
        """The best way to trade, computed when it is first needed."""
        return self.arena.optimum

    @property
    def prefix(self) -> str:
        """The world's name."""
        return slug(self.world.name)

    def marks(self) -> object:
        """The arena and of what chooses its windows."""
        return (
            VERSION, self.world.name, self.arena.fingerprint, self.seed, self.windows, trace(self.salt),
        )  # fmt: skip

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        decisions = self.windows * self.bars
        return Task(
            id=self.id_of(split, index),
            domain="trading",
            prompt=self._prompt(),
            services=("market",),
            budget=Budget(calls=8 * decisions, wall_s=60.0 + 2.0 * decisions, cpu_s=20.0 + 0.1 * decisions),
            difficulty=self.world.level,
            split=split,
            source=self.arena.source,
            licence="Apache-2.0",
        )

    def service(self, task: Task) -> Series:
        """The market of the task."""
        return Series(self.hidden(task))

    def hidden(self, task: Task) -> Sequence[Window]:
        """The task's windows. Raises TradingError where so few and short ones tell no skill."""
        return self._drawn(task.id, task.split)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:  # noqa: ARG002  # nothing is run
        """Grade what was traded, not what is said of it."""
        if not submission.service.get("acted"):
            return Grade(0.0, passed=False, abstained=True, log="no trade was decided on")
        states = submission.service["windows"]
        found = self.arena.judge(self.hidden(task), states, [bool(state["acts"]) for state in states], 1)
        parts = {"faults": float(len(submission.service["faults"])), **found.parts}
        return Grade(round(found.score, 9) + 0.0, passed=found.passed, parts=parts, log="\n".join(found.said))

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
            "claimed log": Submission('{"acted": true, "windows": [{"values": [1, 100]}]}'),
        }

    def _new_windows(self, task_id: str, split: Split) -> Sequence[Window]:
        def random(word: object) -> np.random.Generator:
            return salted(self.salt, "ladder", VERSION, self.world.name, task_id, word)

        return self.arena.windows(split, self.windows, random)

    def _prompt(self) -> str:
        rules, costs, symbols = self.world.rules, self.world.costs, self.world.symbols
        what = f"the asset {symbols[0]}" if len(symbols) == 1 else f"the assets {', '.join(symbols)}"
        gross = f", their sizes at most {rules.max_gross:g} in all" if len(symbols) > 1 else ""
        of = "the starting wealth" if rules.settled else "your wealth"
        score = (
            SAID if self.world.level else "minus the log growth that your decisions can be expected to lose."
        )
        return (
            f"Trade {what} in {self.windows} windows one behind the other, of {self.bars} bars each. {self.world.about}\n"
            f"A target weight is a share of {of}, from {rules.min_weight:g} to {rules.max_weight:g}{gross}; the rest is "
            f"cash. It is filled at the next bar's open, and costs {costs.said}. At the end of a window all is sold; the next one, "
            "another stretch of the same market, begins in cash.\n"
            "The script trades through market: market.observe(n) gives the newest bars, market.account() what is held and the "
            "window, market.question() the present as a text for an agent, and market.rebalance(weights) trades and moves on one "
            f"bar; market.trade(agent) does so until the end. Score: {score}"
        )


class EarningTasks(LadderTasks):
    """Worlds in which something can be earned, so that there is a right answer."""

    def gold(self, task: Task) -> Submission:
        """The optimum's decisions, for validation."""
        series = self.service(task)
        for window, desk in zip(series.windows, series.desks, strict=True):
            assert window.states is not None  # noqa: S101  # a world's window has states
            for made in range(self.bars):
                best = self.optimum.choose(made, window.states[made], desk.portfolio.weights)
                desk.rebalance(best.tolist())
        return Submission(service=series.finish())


def no_edge(seed: int = 0, bars: int = BARS, salt: str | None = None, windows: int = WINDOWS) -> LadderTasks:
    """``trading:no-edge``."""
    return LadderTasks("no-edge", seed, bars, salt, windows)


def regime(seed: int = 0, bars: int = BARS, salt: str | None = None, windows: int = WINDOWS) -> EarningTasks:
    """``trading:regime``."""
    return EarningTasks("regime", seed, bars, salt, windows)


def mean_reversion(
    seed: int = 0, bars: int = BARS, salt: str | None = None, windows: int = WINDOWS
) -> EarningTasks:
    """``trading:mean-reversion``."""
    return EarningTasks("mean-reversion", seed, bars, salt, windows)


def hidden_regime(
    seed: int = 0, bars: int = BARS, salt: str | None = None, windows: int = WINDOWS
) -> EarningTasks:
    """``trading:hidden-regime``."""
    return EarningTasks("hidden-regime", seed, bars, salt, windows)


def pairs(seed: int = 0, bars: int = BARS, salt: str | None = None, windows: int = WINDOWS) -> EarningTasks:
    """``trading:pairs``."""
    return EarningTasks("pairs", seed, bars, salt, windows)


def linear_quadratic(
    seed: int = 0, bars: int = BARS, salt: str | None = None, windows: int = WINDOWS
) -> EarningTasks:
    """``trading:linear-quadratic``."""
    return EarningTasks("linear-quadratic", seed, bars, salt, windows)


def bootstrap(
    data: str = "bokeh",
    source: str | None = None,
    file: str | None = None,
    edge: float = 0.15,
    seed: int = 0,
    bars: int = BARS,
    salt: str | None = None,
    windows: int = WINDOWS,
) -> LadderTasks:
    """``trading:bootstrap``, ``trading:bootstrap/my.csv``: real returns in a new order with a planted edge; 0 for none.

    Raises DataError.
    """
    world = bootstrap_of(file or source or data, edge)
    made = EarningTasks if edge else LadderTasks
    return made(world, seed, bars, salt, windows)


def bootstrap_no_edge(
    data: str = "bokeh",
    seed: int = 0,
    bars: int = BARS,
    salt: str | None = None,
    windows: int = WINDOWS,
) -> LadderTasks:
    """``trading:bootstrap-no-edge``. Raises DataError."""
    return bootstrap(data, edge=0.0, seed=seed, bars=bars, salt=salt, windows=windows)
