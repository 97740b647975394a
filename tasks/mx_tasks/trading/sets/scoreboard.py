"""The baselines on any task set with a market, scored as its tasks are, beside the optimum where one is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mx_tasks.registry import load_task_set
from mx_tasks.task import Split, Task
from mx_tasks.trading.grading.arenas import IMPACT, State, Window, WorldArena
from mx_tasks.trading.grading.evidence import Evidence, Track, weigh
from mx_tasks.trading.grading.overfitting import BLOCKS, overfitting
from mx_tasks.trading.grading.real_arenas import known_risk
from mx_tasks.trading.grading.verdict import verdict
from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.baselines import BASELINES, Rule, equal_weight, random_rule
from mx_tasks.trading.market.corporate import action_table
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.metrics import (
    Record,
    bootstrap_interval,
    cost_drag,
    exposure,
    record,
    turnover,
)
from mx_tasks.trading.market.reruns import FACTORS, before_fill, returns_of, run_again, track
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market, Portfolio, allowed, make_market
from mx_tasks.trading.market.windows import Span, walk_forward
from mx_tasks.trading.market.world import Best, Playable
from mx_tasks.trading.sets.ladder import HISTORY, LadderTasks
from mx_tasks.trading.sets.real_desks import RealDeskTasks
from mx_tasks.trading.sets.strategies import StrategyTasks

MATCHED = "random, matched"
OPTIMUM = "the optimum"
Seen = Callable[[int, Array, Array], Array]
"""A numeric policy: target weights from the number of decisions made, the features of the bar, the weights held."""


@dataclass(frozen=True, slots=True)
class Line:
    """A rule on all tasks: its mean score with a bootstrap interval, and what it realised on all their bars, luck included.

    ``turnover`` and ``cost_drag`` are yearly; ``returns`` are yearly growth at none, one and two times the costs,
    ``track`` what was realised bar by bar.
    """

    name: str
    score: float
    low: float
    high: float
    realised: Record
    turnover: float
    cost_drag: float
    exposure: float
    returns: tuple[float, ...]
    track: Array


@dataclass(frozen=True)
class Stage:
    """A task as windows to play, and the worth of their logs."""

    windows: Sequence[tuple[Market, int, Array | None]]
    """Market and first bar; in a world, the states from the first decision on."""
    score: Callable[[Sequence[State]], float]


def scoreboard(
    name: str,
    *,
    split: Split = "test",
    tasks: int = 8,
    more: Mapping[str, Callable[[Playable], Sequence[Seen]]] | None = None,
) -> tuple[list[Line], str]:
    """The lines of all baselines on the first tasks of a split, the optimum last; and what the scores are measured by.

    ``more`` are numeric policies to be added, one for each seed, made from the world.
    Raises TradingError for a task set without a market.
    """
    found = load_task_set(name, domain="trading")
    if not isinstance(found, LadderTasks | StrategyTasks | RealDeskTasks):
        raise TradingError(f"{name!r} has no market to trade on; such as trading:regime, trading:real have")
    stages = [_stage(found, found.task(split, index)) for index in range(tasks)]
    world = _world(found)
    lines = [_line(rule_name, stages, _rule(rule)) for rule_name, rule in BASELINES.items()]
    best = None
    if world is not None:
        best = _line(OPTIMUM, stages, _best(found))
    like = best or next(line for line in lines if line.name == "momentum 12-1")
    lines = [line for line in lines if line.name != "random"]
    lines.append(_matched(stages, like.turnover))
    for label, make in (more or {}).items():
        policies = [_numeric(world, each) for each in make(world)] if world is not None else []
        if policies:
            lines.append(_line(f"{label}, {len(policies)} seeds", stages, *policies))
    if best is not None:
        return [*lines, best], found.about_scores
    return lines, f"{found.about_scores} {_overfitting(lines)}"


def _overfitting(lines: Sequence[Line]) -> str:
    """How much choosing among the rules would be luck, in words; nothing where there are too few bars."""
    tracks = [line.track for line in lines if line.track.any()]
    if len(tracks) < 2 or len(tracks[0]) < 2 * BLOCKS:
        return ""
    return (
        f"Probability of backtest overfitting of choosing among these {len(tracks)} rules by their Sharpe ratio (CSCV): "
        f"{overfitting(np.column_stack(tracks)):.0%}."
    )


Decide = Callable[[Desk, int, Array | None], Array | None]
"""The target on a desk, with so many decisions made, in the states from the first one on; None for no trade."""


def _world(tasks: Any) -> Playable | None:
    return tasks.arena.world if isinstance(tasks.arena, WorldArena) else None


def _stage(tasks: Any, task: Task) -> Stage:
    windows: Sequence[Window] = tasks.hidden(task)

    def score(logs: Sequence[State]) -> float:
        # a baseline is no trial: nobody chose it for what it earned on these windows
        return verdict(tasks.arena, windows, logs, [True] * len(logs), 1).score

    return Stage([(each.market, each.first, each.states) for each in windows], score)


def _line(name: str, stages: Sequence[Stage], *decides: Decide) -> Line:
    scores, logs = [], []
    for stage in stages:
        for decide in decides:
            states = [_play(Desk(market, first), seen, decide) for market, first, seen in stage.windows]
            scores.append(stage.score(states))
            logs += states
    values = np.array(scores)
    low, high = bootstrap_interval(values) if len(values) > 1 else (scores[0], scores[0])
    tracks = {factor: np.concatenate([returns_of(state, factor) for state in logs]) for factor in FACTORS}
    year = stages[0].windows[0][0].rules.bars_per_year
    years = len(tracks[1]) / year
    return Line(
        name,
        float(values.mean()),
        low,
        high,
        record(tracks[1], year),
        sum(turnover(state) for state in logs) / years,
        sum(cost_drag(state) for state in logs) / years,
        float(np.mean([exposure(state) for state in logs])),
        tuple(record(tracks[factor], year).annual_return for factor in FACTORS),
        tracks[1],
    )


def _play(desk: Desk, states: Array | None, decide: Decide) -> State:
    made = 0
    while desk.left:
        target = decide(desk, made, states)
        if target is None:
            desk.hold()
        else:
            desk.rebalance(target.tolist())
        made += 1
    return desk.finish()


def _rule(rule: Rule) -> Decide:
    def decide(desk: Desk, made: int, states: Array | None) -> Array | None:  # noqa: ARG001
        held = desk.portfolio.weights
        wanted = rule(desk.market, desk.row, held)
        return None if wanted is held else wanted

    return decide


def _best(tasks: Any) -> Decide:
    best: Best = tasks.arena.optimum

    def decide(desk: Desk, made: int, states: Array | None) -> Array | None:
        assert states is not None  # noqa: S101  # only a world has an optimum
        return best.choose(made, states[made], desk.portfolio.weights)

    return decide


def _numeric(world: Playable, policy: Seen) -> Decide:
    def decide(desk: Desk, made: int, states: Array | None) -> Array | None:
        assert states is not None  # noqa: S101  # only for worlds
        close, row = desk.market.bars.close, desk.row
        past = slice(max(0, row - HISTORY), row + 1)
        returns = np.vstack([np.zeros(close.shape[1]), close[1:] / close[:-1] - 1])[past]
        shown = np.column_stack(
            [desk.market.bars.extra[name] for name in world.shown] or [np.zeros(len(close))]
        )[past]
        flat = returns[:, 0] if len(world.symbols) == 1 else returns
        features = world.features(shown[:, 0] if shown.shape[1] == 1 else shown, flat)
        return policy(made, features[-1], desk.portfolio.weights)

    return decide


def _matched(stages: Sequence[Stage], wanted: float) -> Line:
    """Random weights drawn anew by the share that gives the turnover wanted, or all of them where that is not enough."""
    low, high = 0.0, 1.0
    line = _line(MATCHED, stages, _rule(random_rule(high)))
    if line.turnover <= wanted:
        return line
    for _ in range(6):
        share = (low + high) / 2
        line = _line(MATCHED, stages, _rule(random_rule(share)))
        low, high = (share, high) if line.turnover < wanted else (low, share)
    return line


@dataclass(frozen=True, slots=True)
class Fold:
    """A fold of a walk forward: the best rule on its training, and its excess over equal weight before and after.

    Both a year, in equal weight's volatilities.
    """

    trained: str
    tested: str
    rule: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Walk:
    """A walk forward: its folds, the evidence in all tests together, and the probability of backtest overfitting.

    The last is NaN where there are too few bars to tell.
    """

    folds: Sequence[Fold]
    evidence: Evidence
    overfitting: float


def walk(history: History, train: int, test: int, purge: int) -> Walk:
    """Choose the best rule on each training stretch and test it on the next.

    Raises WindowError where no fold fits.
    """
    rules = Rules(fill=history.fill, bars_per_year=history.frequency.bars_per_year)
    dates = history.bars.dates
    costs = Costs(impact=IMPACT if history.bars.volume.any() else 0.0)
    market = make_market(history.bars, costs, rules, action_table(history.bars, history.actions))
    names = [name for name in BASELINES if name not in ("cash", "random")]
    folds, tracks, tests = [], [], []
    for past, after in walk_forward(history.bars.count, train, test, purge):
        even = [_run(market, equal_weight, span) for span in (past, after)]
        excess = {
            name: _excess(_run(market, BASELINES[name], past), even[0], rules.bars_per_year) for name in names
        }
        best = max(excess, key=lambda name: excess[name])
        tried = {name: _run(market, BASELINES[name], after) for name in names}
        tests.append(np.column_stack(list(tried.values())))
        tracks.append(Track(tried[best], even[1], known_risk(market, after.start), 1.0))
        said = [f"{dates[span.start]} to {dates[span.stop - 1]}" for span in (past, after)]
        score = _excess(tried[best], even[1], rules.bars_per_year)
        folds.append(Fold(said[0], said[1], best, excess[best], score))
    whole = np.concatenate(tests)
    luck = overfitting(whole) if len(whole) >= 2 * BLOCKS else float("nan")
    return Walk(folds, weigh(tracks, rules.bars_per_year), luck)


def _excess(own: Array, even: Array, year: float) -> float:
    """What was earned more than equal weight, a year, in equal weight's volatilities."""
    risk = float(np.std(even))
    return float(np.mean(own - even)) / risk * float(year**0.5) if risk else 0.0


def _run(market: Market, rule: Rule, span: Span) -> Array:
    """Returns of a rule in the bars of a span, begun in cash; what came before may be looked at."""
    first = max(0, span.start - 1)
    targets: list[list[float] | None] = []
    portfolio, ones = Portfolio.start(market), np.ones(market.assets)
    for row in range(first, span.stop - 1):
        held = portfolio.weights
        wanted = rule(market, row, held)
        target = before_fill(portfolio, row + 1) if wanted is held else allowed(market.rules, wanted, ones)[0]
        targets.append(None if wanted is held else target.tolist())
        portfolio.step(row + 1, target)
    return track(run_again(market, first, targets)[: len(targets) + 1])
