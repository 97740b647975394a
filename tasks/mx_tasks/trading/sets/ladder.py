"""Trading in a small world whose best way to trade is known: a desk of agents decides bar by bar, scored against the optimum.

Every decision is scored by what it can be expected to earn (see :mod:`mx_tasks.trading.market.optimum`), so that neither
luck nor leverage buys a score: 1 is the optimum, 0 is doing nothing, below 0 is worse than that. Where nothing can be earned
(``no-edge``), the score is minus the loss.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.kept import Kept
from mx_tasks.sets import DrawnTasks
from mx_tasks.task import Budget, Grade, Split, Submission, Task
from mx_tasks.trading.grading.evaluation import Decided, shortfalls
from mx_tasks.trading.imports.bootstrap import bootstrap_of
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.salt import host_salt, salted, trace
from mx_tasks.trading.market.world import Best, Playable, headline, slug
from mx_tasks.trading.market.worlds import load_world

HISTORY = 40
"""Bars that can be observed before the first decision."""
BARS = 16
PASSED = 0.9
VERSION = 2
WORST = -1.0


class LadderTasks(DrawnTasks):
    """The task sets ``trading:regime``, ``trading:mean-reversion``, ``trading:hidden-regime``, ``trading:pairs``,
    ``trading:linear-quadratic`` and ``trading:no-edge``.

    ``bars`` is the number of decisions. ``salt`` is the secret of :mod:`mx_tasks.trading.market.salt`; None for this host's.
    """

    def __init__(
        self, world: str | Playable, seed: int = 0, bars: int = BARS, salt: str | None = None
    ) -> None:
        self.world: Playable = load_world(world) if isinstance(world, str) else world
        self.seed = seed
        self.bars = bars
        self._salt = salt
        self._optimum: Best | None = None
        self._path = Kept(self._new_path, 4096)

    @property
    def name(self) -> str:
        """``trading:`` and the world's name."""
        return f"trading:{self.world.name}"

    @property
    def about_set(self) -> str:
        """What it asks for, in a line."""
        return f"Level {self.world.level}, a desk of agents that decides bar by bar: {headline(self.world)}."

    @property
    def salt(self) -> str:
        """The secret; found when it is first needed."""
        if self._salt is None:
            self._salt = host_salt()
        return self._salt

    @property
    def optimum(self) -> Best:
        """The best way to trade, computed when it is first needed."""
        if self._optimum is None:
            self._optimum = self.world.solve(self.bars)
        return self._optimum

    @property
    def prefix(self) -> str:
        """The world's name."""
        return slug(self.world.name)

    def marks(self) -> object:
        """The world, its optimum and what chooses its paths."""
        best = round(self.optimum.a_year, 12)
        return (VERSION, self.world.name, self.world.about, self.seed, self.bars, best, trace(self.salt))

    @property
    def about_scores(self) -> str:
        """What the scores are measured by."""
        if not self.world.level:
            return "Optimum: 0, by not trading. A score is minus the log growth that the decisions can be expected to lose."
        return (
            f"Optimum: score 1, {self.optimum.a_year:.4f} {self.world.goal} a year after costs. Doing nothing: score 0. "
            "Decisions are scored by what they can be expected to earn, not by luck."
        )

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        world = self.world
        return Task(
            id=self.id_of(split, index),
            domain="trading",
            prompt=self._prompt(),
            services=("market",),
            budget=Budget(calls=8 * self.bars, wall_s=60.0 + 2.0 * self.bars, cpu_s=20.0 + 0.1 * self.bars),
            difficulty=world.level,
            split=split,
            source="mx-envs generator",
            licence="Apache-2.0",
        )

    def service(self, task: Task) -> Desk:
        """The market of the task."""
        return Desk(self.world.market(*self._path(task.id)), HISTORY)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:  # noqa: ARG002  # nothing is run
        """Grade what was traded, not what is said of it."""
        if not submission.service.get("acted"):
            parts = self._parts(task, 0.0, 0.0)
            return Grade(0.0, passed=False, parts=parts, abstained=True, log="no trade was decided on")
        state = submission.service
        short, idle = self._fallen(task, state), self._shortfalls(task, self._idle)
        reached = self._score(short, idle)
        earned = state["values"][-1] - state["liquidation"] - 1
        log = (
            f"{reached:.3f} of the optimum; shortfall {short:.5f} of {self.world.goal}, doing nothing {idle:.5f}; the "
            f"optimum expects {self.optimum.a_year:.4f} a year; realised {earned:+.4f}, costs {sum(state['costs']):.4f}, "
            f"faults {len(state['faults'])}"
        )
        passed = reached >= (PASSED if self.world.level else 0.0)
        return Grade(reached, passed=passed, parts=self._parts(task, short, earned), log=log)

    def states(self, task: Task) -> Array:
        """The world's states from the first decision on."""
        return self._path(task.id)[0][HISTORY:]

    def score(self, task: Task, state: Mapping[str, Any]) -> float:
        """The score of a desk's log."""
        return self._score(self._fallen(task, state), self._shortfalls(task, self._idle))

    def _fallen(self, task: Task, state: Mapping[str, Any]) -> float:
        return self._shortfalls(task, list(zip(state["held"], state["edited"], strict=True)))

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
            "claimed log": Submission('{"acted": true, "values": [1, 100]}'),
        }

    def _parts(self, task: Task, short: float, earned: float) -> dict[str, float]:
        return {
            "optimum": self.optimum.value(self._path(task.id)[0][HISTORY]),
            "shortfall": short,
            "realised return": earned,
        }

    def _score(self, short: float, idle: float) -> float:
        if not self.world.level:
            return round(max(WORST, -short), 9) + 0.0
        floor = 0.1 * self.optimum.a_year * self.bars / self.world.rules.bars_per_year
        return round(max(WORST, 1 - short / max(idle, floor)), 9) + 0.0

    @property
    def _idle(self) -> Sequence[Decided]:
        nothing = [0.0] * len(self.world.symbols)
        return [(nothing, nothing)] * self.bars

    def _shortfalls(self, task: Task, decided: Sequence[Decided]) -> float:
        return shortfalls(self.optimum, self.states(task), decided)

    def _new_path(self, task_id: str) -> tuple[Array, Array]:
        """The path of a task: the first of its tries on which doing nothing misses something."""
        best: tuple[float, tuple[Array, Array]] | None = None
        expected = self.optimum.a_year * self.bars / self.world.rules.bars_per_year
        for attempt in range(20):
            rng = salted(self.salt, "ladder", VERSION, self.world.name, task_id, attempt)
            path = self.world.path(rng, HISTORY + self.bars + 1)
            idle = shortfalls(self.optimum, path[0][HISTORY:], self._idle)
            if best is None or idle > best[0]:
                best = idle, path
            if idle >= 0.5 * expected:
                break
        assert best is not None  # noqa: S101  # there is at least one attempt
        return best[1]

    def _prompt(self) -> str:
        rules, costs, symbols = self.world.rules, self.world.costs, self.world.symbols
        what = f"the asset {symbols[0]}" if len(symbols) == 1 else f"the assets {', '.join(symbols)}"
        gross = f", their sizes at most {rules.max_gross:g} in all" if len(symbols) > 1 else ""
        of = "the starting wealth" if rules.settled else "your wealth"
        return (
            f"Trade {what} on {self.bars} bars. {self.world.about}\n"
            f"A target weight is a share of {of}, "
            f"from {rules.min_weight:g} to {rules.max_weight:g}{gross}; the rest is "
            f"cash. It is filled at the next bar's open, and costs {costs.said}.\n"
            "The script trades through market: market.observe(n) gives the newest bars, market.account() what is held, "
            "market.question() the present as a text for an agent, and market.rebalance(weights) trades and moves on one bar; "
            "market.trade(agent) does so until the end. Score: what your decisions can be expected to earn, as a share of the "
            "best possible."
        )


class EarningTasks(LadderTasks):
    """Worlds in which something can be earned, so that there is a right answer."""

    def gold(self, task: Task) -> Submission:
        """The optimum's decisions, for validation."""
        desk = self.service(task)
        states = self._path(task.id)[0]
        for made in range(self.bars):
            best = self.optimum.choose(made, states[HISTORY + made], desk.portfolio.weights)
            desk.rebalance(best.tolist())
        return Submission(service=desk.finish())


def no_edge(seed: int = 0, bars: int = BARS, salt: str | None = None) -> LadderTasks:
    """``trading:no-edge``."""
    return LadderTasks("no-edge", seed, bars, salt)


def regime(seed: int = 0, bars: int = BARS, salt: str | None = None) -> EarningTasks:
    """``trading:regime``."""
    return EarningTasks("regime", seed, bars, salt)


def mean_reversion(seed: int = 0, bars: int = BARS, salt: str | None = None) -> EarningTasks:
    """``trading:mean-reversion``."""
    return EarningTasks("mean-reversion", seed, bars, salt)


def hidden_regime(seed: int = 0, bars: int = BARS, salt: str | None = None) -> EarningTasks:
    """``trading:hidden-regime``."""
    return EarningTasks("hidden-regime", seed, bars, salt)


def pairs(seed: int = 0, bars: int = BARS, salt: str | None = None) -> EarningTasks:
    """``trading:pairs``."""
    return EarningTasks("pairs", seed, bars, salt)


def linear_quadratic(seed: int = 0, bars: int = BARS, salt: str | None = None) -> EarningTasks:
    """``trading:linear-quadratic``."""
    return EarningTasks("linear-quadratic", seed, bars, salt)


def bootstrap(
    data: str = "bokeh",
    source: str | None = None,
    file: str | None = None,
    edge: float = 0.15,
    seed: int = 0,
    bars: int = BARS,
    salt: str | None = None,
) -> LadderTasks:
    """``trading:bootstrap``, ``trading:bootstrap/my.csv``: real returns in a new order with a planted edge; 0 for none.

    Raises DataError.
    """
    world = bootstrap_of(file or source or data, edge)
    return EarningTasks(world, seed, bars, salt) if edge else LadderTasks(world, seed, bars, salt)


def bootstrap_no_edge(
    data: str = "bokeh", seed: int = 0, bars: int = BARS, salt: str | None = None
) -> LadderTasks:
    """``trading:bootstrap-no-edge``. Raises DataError."""
    return bootstrap(data, edge=0.0, seed=seed, bars=bars, salt=salt)
