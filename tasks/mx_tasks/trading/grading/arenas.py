"""Where strategy programs are tried: hidden windows, and what their logs are worth; here those of a world."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from mx_tasks.task import Split
from mx_tasks.trading.grading.evaluation import shortfalls
from mx_tasks.trading.grading.kept_positions import LEAST, SAID, bases, kept_shortfalls
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import TradingError
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
PASSED = 0.9
TRIES = 200
LEAST_EARNED = 1e-9


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
    kept: Array = field(default_factory=lambda: np.zeros(1))
    """In a world, what each position that could be kept falls short of the optimum."""


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
    """Paths of a world whose optimum is known, each of ``bars`` decisions."""

    def __init__(self, world: Playable, bars: int = 60, history: int = HISTORY) -> None:
        self.world = world
        self.bars = bars
        self.history = history
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
        """The optimum, and what is measured from."""
        if not self.world.level:
            return "Optimum: 0, by not trading. A score is minus the log growth that decisions are expected to lose in a window."
        return (
            f"Optimum: score 1, {self.optimum.a_year:.4f} {self.world.goal} a year after costs. The score is {SAID} Luck is no "
            "part of it."
        )

    @property
    def fingerprint(self) -> str:
        """The rules, the optimum and what is measured from."""
        return f"{self.world.about}/{self.bars}/{self.optimum.a_year:.9f}/{LEAST}/{self.world.kept.tolist()}"

    def windows(self, split: Split, count: int, random: Random) -> Sequence[Window]:  # noqa: ARG002  # it is in random
        """Fresh paths, on which skill can be told from a position that is kept.

        Raises TradingError where so few and short windows hardly ever tell it.
        """
        whole = self.optimum.a_year * self.bars * count / self.world.rules.bars_per_year
        for attempt in range(TRIES):
            found = self._drawn([random((attempt, number)) for number in range(count)])
            short = float(bases([window.kept for window in found]).sum()) if self.world.level else 0.0
            if not self.world.level or short >= max(LEAST * whole, LEAST_EARNED):
                return found
        raise TradingError(
            f"in {count} windows of {self.bars} bars of {self.name} a position that is kept is about the optimum, so that they "
            "tell no skill; give more windows or bars"
        )

    def _drawn(self, rngs: Sequence[np.random.Generator]) -> Sequence[Window]:
        states, returns = self.world.paths(rngs, self.history + self.bars + 1)
        after, moved = states[:, self.history :], returns[:, self.history :]
        kept = np.zeros((len(rngs), 1))
        if self.world.level:
            kept = kept_shortfalls(self.world, self.optimum, after, moved)
        markets = [self.world.market(*path) for path in zip(states, returns, strict=True)]
        return [
            Window(market, self.history, states=seen, kept=each)
            for market, seen, each in zip(markets, after, kept, strict=True)
        ]

    def judge(
        self,
        windows: Sequence[Window],
        states: Sequence[State],
        answered: Sequence[bool],
        trial: int,  # noqa: ARG002  # luck is no part of what is expected
    ) -> Judged:
        """All windows together: nine tenths of the way from the best kept position to the optimum are success, or no loss where
        there is nothing to earn."""
        short = np.array([self._short(window, state) for window, state in zip(windows, states, strict=True)])
        base = bases([window.kept for window in windows])
        each = (base - short) / base.mean() if self.world.level else -short
        score = max(WORST, float(each.mean())) if any(answered) else 0.0
        low, high = bootstrap_interval(each) if len(each) > 1 else (score, score)
        found = {
            factor: float(np.mean([state["at costs"][str(factor)][-1] - 1 for state in states]))
            for factor in FACTORS
        }
        parts = {
            "shortfall": float(short.sum()),
            "of the best kept": float(base.sum()),
            "low": low,
            "high": high,
        }
        parts |= {
            "realised return": found[1],
            **{f"return {factor}x": each for factor, each in found.items()},
        }
        said = [
            f"score {score:.3f} [{low:.3f}, {high:.3f}] over {len(short)} windows; shortfall {short.sum():.5f} of "
            f"{self.world.goal}, of the best kept position {base.sum():.5f}; by window "
            + " ".join(f"{own:.5f}/{kept:.5f}" for own, kept in zip(short, base, strict=True))
        ]
        # where nothing can be earned, a program that never answers loses nothing: that is giving up, not passing
        passed = all(answered) and score >= (PASSED if self.world.level else 0.0)
        return Judged(score, passed, parts, said)

    def _short(self, window: Window, state: State) -> float:
        assert window.states is not None  # noqa: S101  # a world's window has states
        return shortfalls(self.optimum, window.states, list(zip(state["held"], state["edited"], strict=True)))
