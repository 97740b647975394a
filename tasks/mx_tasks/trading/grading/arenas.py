"""Where strategy programs are tried: hidden windows of a world, or of real bars, and what a window's log is worth."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import numpy as np

from mx_tasks.task import Split
from mx_tasks.trading.grading.evaluation import shortfalls
from mx_tasks.trading.imports.anonymous import anonymous_market
from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import WindowError
from mx_tasks.trading.market.metrics import (
    STILL,
    cost_drag,
    deflated_sharpe,
    excess_sharpe,
    exposure,
    paired_excess,
    record,
    sharpe,
    turnover,
)
from mx_tasks.trading.market.reruns import FACTORS, returns_of, run_again, track
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market
from mx_tasks.trading.market.windows import Span, draw_folds, split_span
from mx_tasks.trading.market.world import Best, Playable

State = Mapping[str, Any]
Random = Callable[[object], np.random.Generator]
HISTORY = 60
IMPACT = 0.02
"""About a day's standard deviation: what trading as much as a day's volume costs, by the square-root law."""
WORST = -1.0


@dataclass(frozen=True)
class Window:
    """A market, the bar of the first decision, and the worth of a log of it."""

    market: Market
    first: int
    score: Callable[[State], float]
    purge: int = 0
    """Bars before the first decision that are kept from ``fit``."""
    states: Array | None = None
    """In a world, its states from the first decision on."""
    benchmarks: Mapping[int, Array] = field(default_factory=dict)
    """Returns of equal weight at so many times the costs, where that is what a log is held against."""


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

    def figures(self, windows: Sequence[Window], states: Sequence[State], trials: int) -> Mapping[str, float]:
        """Further figures over all windows."""

    def passed(self, median: float, low: float, more: Mapping[str, float]) -> bool:
        """Whether that is success."""


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
        seen, nothing = states[HISTORY:], [0.0] * len(self.world.symbols)
        idle = cache(lambda: shortfalls(self.optimum, seen, [(nothing, nothing)] * self.bars))
        market = self.world.market(states, returns)
        return Window(market, HISTORY, lambda state: self._score(seen, state, idle), states=seen)

    def _score(self, seen: Array, state: State, idle: Callable[[], float]) -> float:
        short = shortfalls(self.optimum, seen, list(zip(state["held"], state["edited"], strict=True)))
        if not self.world.level:
            return max(WORST, -short)
        floor = 0.1 * self.optimum.a_year * self.bars / self.world.rules.bars_per_year
        return max(WORST, 1 - short / max(idle(), floor))

    def figures(
        self,
        windows: Sequence[Window],  # noqa: ARG002
        states: Sequence[State],
        trials: int,  # noqa: ARG002
    ) -> Mapping[str, float]:
        """What was realised, luck included, at none, one and two times the costs."""
        found = {
            factor: float(np.mean([state["at costs"][str(factor)][-1] - 1 for state in states]))
            for factor in FACTORS
        }
        return {"realised return": found[1]} | {f"return {factor}x": each for factor, each in found.items()}

    def passed(self, median: float, low: float, more: Mapping[str, float]) -> bool:  # noqa: ARG002
        """Nine tenths of the optimum; no loss where there is nothing to earn."""
        return median >= (0.9 if self.world.level else 0.0)


class HistoryArena:
    """Anonymised windows of real bars, of the split's dates only."""

    def __init__(
        self,
        name: str,
        history: History,
        source: str,
        bars: int = 42,
        embargo: int = 20,
        costs: Costs | None = None,
        purge: int = 5,
        *,
        apart: bool = False,
    ) -> None:
        if not 0 <= purge < HISTORY:
            raise WindowError(
                f"purge is 0 to {HISTORY - 1} bars of a window's {HISTORY} of history, not {purge}"
            )
        self.name = name
        self.history = history
        self.source = source
        self.bars = bars
        self.embargo = embargo
        self.purge = purge
        self.apart = apart
        self.costs = costs or Costs(half_spread=0.0005, impact=IMPACT if history.bars.volume.any() else 0.0)
        self.rules = Rules(min_weight=0.0)
        for split in ("train", "validation", "test"):
            self._span(split)

    @property
    def about(self) -> str:
        """The market."""
        fill = "open" if self.history.fill == "next_open" else "close"
        return (
            f"{len(self.history.bars.symbols)} assets, {self.bars} daily bars a window, filled at the next {fill}. "
            "Real bars, anonymised: raw prices with splits and dividends. Weights from 0 to 1, 1 in all; trading costs "
            f"{self.costs.said}."
        )

    @property
    def about_scores(self) -> str:
        """Equal weight."""
        return (
            "Score: Sharpe ratio after costs less that of equal weight on the same bars, both at one volatility, median over "
            "hidden windows; 0 for a track that never moves."
        )

    @property
    def fingerprint(self) -> str:
        """The bars, their actions, and how windows are cut."""
        close = np.ascontiguousarray(self.history.bars.close)
        what = hashlib.sha256(close.tobytes() + repr(self.history.actions).encode()).hexdigest()[:16]
        return f"{self.bars}/{self.embargo}/{self.purge}/{self.costs}/{what}"

    def _span(self, split: Split) -> Span:
        span = split_span(self.history.bars.count, split, self.embargo)
        if len(span) < HISTORY + self.bars + 1:
            raise WindowError(
                f"{self.history.bars.count} bars give the split {split!r} {len(span)}, too few for {HISTORY} bars of history and a "
                f"window of {self.bars}; give more bars or shorter windows"
            )
        return span

    def windows(self, split: Split, count: int, random: Random) -> Sequence[Window]:
        """Folds of a purged walk forward through the split's dates, in the order of time.

        With ``apart`` they do not overlap, and one renaming and shift is that of all: they follow each other in one episode.
        """
        train = HISTORY + 1 - self.purge
        folds = draw_folds(
            self._span(split), count, train, self.bars, self.purge, random("folds"), apart=self.apart
        )
        return [
            self._window(Span(past.start, test.stop), random("names" if self.apart else number))
            for number, (past, test) in enumerate(folds)
        ]

    def _window(self, span: Span, rng: np.random.Generator) -> Window:
        market = anonymous_market(self.history, span, rng, self.costs, self.rules)
        even = {factor: track(equal_weight(market, HISTORY, factor)) for factor in FACTORS}
        return Window(
            market, HISTORY, lambda state: excess_sharpe(returns_of(state), even[1]), self.purge, None, even
        )

    def figures(self, windows: Sequence[Window], states: Sequence[State], trials: int) -> Mapping[str, float]:
        """The track of all windows one behind the other, at several costs, and how likely it is more than luck."""
        pairs = [
            (returns_of(state), window.benchmarks[1]) for state, window in zip(states, windows, strict=True)
        ]
        excess = [paired_excess(*pair) for pair in pairs]
        ratios = [
            float(np.mean(each) / np.std(each, ddof=1)) if np.std(each) > STILL else 0.0 for each in excess
        ]
        spread = float(np.std(ratios, ddof=1) / len(ratios) ** 0.5) if len(ratios) > 1 else 0.0
        year = self.rules.bars_per_year / (len(states) * self.bars)
        figures = record(np.concatenate([own for own, _ in pairs])).as_dict() | {
            "turnover": sum(turnover(state) for state in states) * year,
            "cost drag": sum(cost_drag(state) for state in states) * year,
            "exposure": float(np.mean([exposure(state) for state in states])),
        }
        for factor in FACTORS:
            tracks = [returns_of(state, factor) for state in states]
            scores = [
                excess_sharpe(own, window.benchmarks[factor])
                for own, window in zip(tracks, windows, strict=True)
            ]
            figures |= {
                f"score {factor}x": float(np.median(scores)),
                f"sharpe {factor}x": sharpe(np.concatenate(tracks)),
                f"return {factor}x": float(np.prod(1 + np.concatenate(tracks)) - 1),
            }
        return figures | {"deflated sharpe": deflated_sharpe(np.concatenate(excess), trials, spread)}

    def passed(self, median: float, low: float, more: Mapping[str, float]) -> bool:
        """Better than equal weight beyond what luck and the number of trials explain."""
        return median > 0 and low > 0 and more["deflated sharpe"] > 0.95


def equal_weight(market: Market, first: int, factor: float = 1.0) -> list[float]:
    """Values of equal weight, brought back at each bar, at so many times the costs."""
    even = [1 / market.assets] * market.assets
    return run_again(market, first, [even] * (market.last - first), factor)
