"""Windows of real bars: resampled, so that nobody can look them up, or in their own order, which anybody can who has them.

What they are worth is told by :mod:`mx_tasks.trading.grading.evidence`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from mx_tasks.kept import Kept
from mx_tasks.task import Split
from mx_tasks.trading.grading.arenas import IMPACT, Judged, Random, State, Window
from mx_tasks.trading.grading.evidence import LEAST_EXPOSURE, Evidence, Track, weigh
from mx_tasks.trading.imports.anonymous import CAPITAL, anonymous_market
from mx_tasks.trading.imports.resampling import Effect, Resampler, drawn_effect
from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.baselines import equal_weight as rule
from mx_tasks.trading.market.errors import WindowError
from mx_tasks.trading.market.metrics import cost_drag, deflated_sharpe, exposure, record, sharpe, turnover
from mx_tasks.trading.market.reruns import FACTORS, returns_of, run_again, track
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market, make_market
from mx_tasks.trading.market.windows import Span, draw_folds, split_span

PAST = 250
"""Bars shown before a resampled window's first decision."""
HISTORY = 60
"""Bars shown before the first decision of a window in its own order."""
PURGE = 5
PARTICIPATION = 0.25
"""The most of a bar's volume that is traded."""
_SCORE = (
    "Score: how much more than equal weight on the same bars, a year and in equal weight's volatilities, all windows "
    f"together are sure to have earned after costs; 0 where luck explains it, or with a mean exposure below {LEAST_EXPOSURE:g}."
)


class _RealArena:
    """What both kinds share: costs, rules, and what logs are worth."""

    def __init__(self, name: str, history: History, source: str, bars: int, costs: Costs | None) -> None:
        self.name = name
        self.history = history
        self.source = source
        self.bars = bars
        self.costs = costs or Costs(half_spread=0.0005, impact=IMPACT if history.bars.volume.any() else 0.0)
        year = history.frequency.bars_per_year
        self.rules = Rules(fill=history.fill, bars_per_year=year, participation=PARTICIPATION)

    @property
    def about_scores(self) -> str:
        """What is measured."""
        return _SCORE

    @property
    def _what(self) -> str:
        """A hash of the bars and their actions."""
        close = np.ascontiguousarray(self.history.bars.close)
        return hashlib.sha256(close.tobytes() + repr(self.history.actions).encode()).hexdigest()[:16]

    @property
    def _terms(self) -> str:
        fill = "open" if self.history.fill == "next_open" else "close"
        return (
            f"{self.history.frequency.name}, filled at the next {fill}. Weights from 0 to 1, 1 in all; trading costs "
            f"{self.costs.said}."
        )

    def _window(self, market: Market, first: int, purge: int) -> Window:
        even = {factor: track(equal_weight(market, first, factor)) for factor in FACTORS}
        return Window(market, first, purge, None, even, known_risk(market, first))

    def judge(
        self, windows: Sequence[Window], states: Sequence[State], answered: Sequence[bool], trial: int
    ) -> Judged:
        """All windows together; nothing where one of them was not answered at all."""
        found = self.evidence(windows, states, trial)
        complete = all(answered)
        score = found.score if complete else 0.0
        said = [
            f"score {score:.3f}: {found.certain:+.3f} volatilities a year more than equal weight are certain, "
            f"{found.excess:+.3f} the estimate over {len(windows)} windows; chance of that by luck at most "
            f"{found.chance:.3g}, as trial {trial} on these bars"
        ]
        if not complete:
            said.append(f"{list(answered).count(False)} windows were not answered: that is giving up")
        if found.exposure < LEAST_EXPOSURE:
            said.append(
                f"the mean exposure {found.exposure:.3g} is below {LEAST_EXPOSURE:g}: nothing is shown"
            )
        return Judged(score, score > 0, found.as_dict() | self._figures(windows, states, trial), said)

    def evidence(
        self, windows: Sequence[Window], states: Sequence[State], trial: int, factor: int = 1
    ) -> Evidence:
        """The evidence in logs at so many times the costs."""
        tracks = [
            Track(returns_of(state, factor), window.benchmarks[factor], window.risk, exposure(state))
            for window, state in zip(windows, states, strict=True)
        ]
        return weigh(tracks, self.rules.bars_per_year, trial)

    def _figures(self, windows: Sequence[Window], states: Sequence[State], trial: int) -> dict[str, float]:
        """The track of all windows one behind the other, at several costs."""
        year = self.rules.bars_per_year
        tracks = {
            factor: np.concatenate([returns_of(state, factor) for state in states]) for factor in FACTORS
        }
        excess = tracks[1] - np.concatenate([window.benchmarks[1] for window in windows])
        spread = len(excess) ** -0.5  # of Sharpe ratios a bar without skill
        share = year / len(excess)
        figures = record(tracks[1], year).as_dict() | {
            "turnover": sum(turnover(state) for state in states) * share,
            "cost drag": sum(cost_drag(state) for state in states) * share,
            "exposure": float(np.mean([exposure(state) for state in states])),
            "deflated sharpe": deflated_sharpe(excess, trial, spread),
        }
        for factor in FACTORS:
            figures |= {
                f"score {factor}x": self.evidence(windows, states, trial, factor).score,
                f"sharpe {factor}x": sharpe(tracks[factor], year),
                f"return {factor}x": float(np.prod(1 + tracks[factor]) - 1),
            }
        return figures


class ResampledArena(_RealArena):
    """Windows with the statistics of the split's bars and an effect planted in them.

    See :mod:`mx_tasks.trading.imports.resampling`. Raises DataError, WindowError.
    """

    def __init__(
        self,
        name: str,
        history: History,
        source: str,
        bars: int = 63,
        embargo: int = 20,
        costs: Costs | None = None,
        edge: float = 0.5,
    ) -> None:
        super().__init__(name, history, source, bars, costs)
        if not 0 <= edge <= 1:
            raise WindowError(f"an edge is 0 to 1 volatilities a bar, not {edge}")
        self.embargo = embargo
        self.edge = edge
        self._drawn = Kept(self._resampler, 3)
        for split in ("train", "validation", "test"):
            self._drawn(split)

    @cached_property
    def about(self) -> str:
        """The market."""
        several = self._drawn("test").assets > 1
        strength = "How strong each asset was against the others" if several else "How the asset moved"
        effect = (
            f"{strength} over the last bars (one to three) has an effect on its next "
            "bar: it goes on, or it turns round; which, and over how many bars, is the same in all windows and can be "
            "learnt from the bars shown. "
            if self.edge
            else "Nothing predicts the next return. "
        )
        return (
            f"{self._drawn('test').assets} assets, {self.bars} bars a window behind {PAST} to learn from, {self._terms} Real bars, "
            f"resampled: their statistics, in an order that never was. {effect}"
        ).rstrip()

    @property
    def fingerprint(self) -> str:
        """The bars, their actions, and how windows are drawn."""
        return f"resampled/{self.bars}/{self.embargo}/{self.edge}/{self.costs}/{self._what}"

    def _resampler(self, split: Split) -> Resampler:
        return Resampler(self.history, split_span(self.history.bars.count, split, self.embargo))

    def windows(self, split: Split, count: int, random: Random) -> Sequence[Window]:
        """Fresh bars for each window; one effect in all of them."""
        effect = self.effect(random)
        return [self.drawn(split, effect, random(number))[0] for number in range(count)]

    def effect(self, random: Random) -> Effect:
        """What is planted in a task's windows."""
        return drawn_effect(self.edge, random("effect"))

    def drawn(self, split: Split, effect: Effect, rng: np.random.Generator) -> tuple[Window, Array]:
        """A window, and what each bar of it could be expected to earn by what came before."""
        bars, expected = self._drawn(split).draw(PAST + self.bars + 1, effect, rng)
        market = make_market(bars, self.costs, self.rules, capital=CAPITAL)
        return self._window(market, PAST, 0), expected


class DatedArena(_RealArena):
    """Windows of a history in its own order, of the split's dates only. Who has the history knows what comes."""

    def __init__(
        self,
        name: str,
        history: History,
        source: str,
        bars: int = 42,
        embargo: int = 20,
        costs: Costs | None = None,
        purge: int = PURGE,
    ) -> None:
        if not 0 <= purge < HISTORY:
            raise WindowError(
                f"purge is 0 to {HISTORY - 1} bars of a window's {HISTORY} of history, not {purge}"
            )
        dates = history.bars.dates
        super().__init__(
            name, history, f"{source}, {dates[0]} to {dates[-1]}, in its own order".lstrip(", "), bars, costs
        )
        self.embargo = embargo
        self.purge = purge
        for split in ("train", "validation", "test"):
            self._span(split)

    @property
    def about(self) -> str:
        """The market."""
        return (
            f"{len(self.history.bars.symbols)} assets, {self.bars} bars a window, {self._terms} Real bars in their own "
            "order, symbols and dates changed: raw prices with splits and dividends."
        )

    @property
    def fingerprint(self) -> str:
        """The bars, their actions, and how windows are cut."""
        return f"dated/{self.bars}/{self.embargo}/{self.purge}/{self.costs}/{self._what}"

    def _span(self, split: Split) -> Span:
        span = split_span(self.history.bars.count, split, self.embargo)
        if len(span) < HISTORY + self.bars + 1:
            raise WindowError(
                f"{self.history.bars.count} bars give the split {split!r} {len(span)}, too few for {HISTORY} bars of history and a "
                f"window of {self.bars}; give more bars or shorter windows"
            )
        return span

    def windows(self, split: Split, count: int, random: Random) -> Sequence[Window]:
        """Folds of a purged walk forward through the split's dates, in the order of time, one renaming and shift for all.

        They do not overlap: a bar counts once.
        """
        train = HISTORY + 1 - self.purge
        folds = draw_folds(
            self._span(split), count, train, self.bars, self.purge, random("folds"), apart=True
        )
        return [self._cut(Span(past.start, test.stop), random("names")) for past, test in folds]

    def _cut(self, span: Span, rng: np.random.Generator) -> Window:
        market = anonymous_market(self.history, span, rng, self.costs, self.rules)
        return self._window(market, HISTORY, self.purge)


_NOTHING = np.zeros(0)


def equal_weight(market: Market, first: int, factor: float = 1.0) -> list[float]:
    """Values of equal weight of what can be traded, brought back at each bar, at so many times the costs."""
    even = [rule(market, row, _NOTHING).tolist() for row in range(first, market.last)]
    return run_again(market, first, even, factor)


def known_risk(market: Market, first: int) -> float:
    """Equal weight's volatility a bar in the bars before the first decision."""
    return float(np.std(market.grown(slice(1, first + 1)).mean(axis=1) - 1)) if first > 1 else 0.0
