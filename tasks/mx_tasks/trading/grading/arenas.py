"""Where strategy programs are tried: hidden windows, and what their logs are worth; here those of a world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mx_tasks.task import Split
from mx_tasks.trading.grading.evaluation import shortfalls
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.metrics import bootstrap_interval
from mx_tasks.trading.market.reruns import FACTORS
from mx_tasks.trading.market.simulator import Market
from mx_tasks.trading.market.world import Best, Playable

State = Mapping[str, Any]
Random = Callable[[object], np.random.Generator]
HISTORY = 60
IMPACT = 0.02
"""About a day's standard deviation: what trading as much as a day's volume costs, by the square-root law."""
WORST = -1.0


@dataclass(frozen=True)
class Window:
    """A market and the bar of the first decision."""

    market: Market
    first: int
    purge: int = 0
    """Bars before the first decision that are kept from ``fit``."""
    states: Array | None = None
    """In a world, its states from the first decision on."""
    benchmarks: Mapping[int, Array] = field(default_factory=dict)
    """Returns of equal weight at so many times the costs, where that is what a log is held against."""
    risk: float = 0.0
    """Equal weight's volatility a bar before the first decision, there."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What all windows together are worth, and what is to be said of it; ``parts`` are further figures."""

    score: float
    passed: bool
    parts: Mapping[str, float]
    said: Sequence[str]


class Arena(Protocol):
    """Where windows come from."""

    @property
    def name(self) -> str:
        """Its name in task sets."""

    @property
    def about(self) -> str:
        """What a strategy's writer is told."""

    @property
    def about_scores(self) -> str:
        """What the scores are measured by."""

    @property
    def source(self) -> str:
        """Where its bars come from."""

    @property
    def fingerprint(self) -> str:
        """Changes with its windows."""

    def windows(self, split: Split, count: int, random: Random) -> Sequence[Window]:
        """So many windows of the split; ``random`` gives the random numbers of what is named."""

    def judge(
        self, windows: Sequence[Window], states: Sequence[State], answered: Sequence[bool], trial: int
    ) -> Judged:
        """What logs are worth; ``answered`` says in which windows anything was decided, ``trial`` the how many-th this is."""


class WorldArena:
    """Paths of a world whose optimum is known."""

    def __init__(self, world: Playable, bars: int = 60) -> None:
        self.world = world
        self.bars = bars
        self.name = world.name
        self.source = "mx-envs generator"
        self._optimum: Best | None = None

    @property
    def optimum(self) -> Best:
        """The best way to trade."""
        if self._optimum is None:
            self._optimum = self.world.solve(self.bars)
        return self._optimum

    @property
    def about(self) -> str:
        """The world's rules."""
        rules, shown, count = self.world.rules, self.world.shown, len(self.world.symbols)
        where = f" The state is in {', '.join(f'bars.extra[{name!r}]' for name in shown)}." if shown else ""
        return (
            f"{'One asset' if count == 1 else f'{count} assets'}, {self.bars} bars. {self.world.about}{where} "
            f"Weights from {rules.min_weight:g} to {rules.max_weight:g}, their sizes at most {rules.max_gross:g} in all; "
            f"trading costs {self.world.costs.said}."
        )

    @property
    def about_scores(self) -> str:
        """The optimum."""
        return f"Optimum: score 1, {self.optimum.a_year:.4f} {self.world.goal} a year after costs. Doing nothing: score 0."

    @property
    def fingerprint(self) -> str:
        """The rules and the optimum."""
        return f"{self.world.about}/{self.bars}/{self.optimum.a_year:.9f}"

    def windows(self, split: Split, count: int, random: Random) -> Sequence[Window]:  # noqa: ARG002  # it is in random
        """Fresh paths."""
        return [self._window(random(number)) for number in range(count)]

    def _window(self, rng: np.random.Generator) -> Window:
        states, returns = self.world.path(rng, HISTORY + self.bars + 1)
        return Window(self.world.market(states, returns), HISTORY, states=states[HISTORY:])

    def score(self, window: Window, state: State) -> float:
        """The share of a window's optimum that a log's decisions can be expected to earn."""
        seen, nothing = window.states, [0.0] * len(self.world.symbols)
        assert seen is not None  # noqa: S101  # a world's window has states
        short = shortfalls(self.optimum, seen, list(zip(state["held"], state["edited"], strict=True)))
        if not self.world.level:
            return max(WORST, -short)
        idle = shortfalls(self.optimum, seen, [(nothing, nothing)] * self.bars)
        floor = 0.1 * self.optimum.a_year * self.bars / self.world.rules.bars_per_year
        return max(WORST, 1 - short / max(idle, floor))

    def judge(
        self,
        windows: Sequence[Window],
        states: Sequence[State],
        answered: Sequence[bool],
        trial: int,  # noqa: ARG002  # luck is no part of an expected share
    ) -> Judged:
        """The median share; nine tenths of the optimum are success, or no loss where there is nothing to earn."""
        scores = [
            self.score(window, state) if acted else 0.0
            for window, state, acted in zip(windows, states, answered, strict=True)
        ]
        median = float(np.median(scores))
        low, high = bootstrap_interval(np.array(scores)) if len(scores) > 1 else (median, median)
        found = {
            factor: float(np.mean([state["at costs"][str(factor)][-1] - 1 for state in states]))
            for factor in FACTORS
        }
        parts = {"median": median, "low": low, "high": high, "realised return": found[1]}
        parts |= {f"return {factor}x": each for factor, each in found.items()}
        said = [
            f"median {median:.3f} [{low:.3f}, {high:.3f}] over {len(scores)} windows: "
            + " ".join(f"{score:.3f}" for score in scores)
        ]
        # where nothing can be earned, a program that never answers loses nothing: that is giving up, not passing
        passed = all(answered) and median >= (0.9 if self.world.level else 0.0)
        return Judged(median, passed, parts, said)
