"""What the score on real bars gives to rules without skill, and whether it finds skill: ``python benchmarks/null_suite.py``.

Every rule is run through the simulator on the windows of a thousand tasks at once, each from a salt of its own, and weighed by the
code that grades (``mx_tasks.trading.grading.evidence``). The table says how many of a thousand pass and their mean score:

- without skill, on random walks (level, rising, falling) and on real bars resampled without an effect, costs nothing, which is the
  harder case: at most 5 % may pass, and the mean score is to be within 0.02 of 0;
- with skill: who knows the planted effect, who learns it from the bars before the window, who knows the next bar;
- attacks: windows matched to the public bars by their returns, and a program that trades on what followed there.

``--salts 200`` is quicker; ``--data skfolio`` takes other bars. The small worlds' table comes after it: see ``null_worlds.py``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import null_worlds
import numpy as np

from mx_tasks.trading.cheats.lookup import identified, moves, public_histories
from mx_tasks.trading.grading.evidence import Track, weigh
from mx_tasks.trading.grading.real_arenas import PAST
from mx_tasks.trading.imports.resampling import HORIZONS, Effect, Resampler
from mx_tasks.trading.imports.sources import DEFAULT_SOURCE, load_source
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.reruns import track
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market, Portfolio
from mx_tasks.trading.market.windows import split_span

WINDOWS, BARS = 16, 63
DESK_WINDOWS, DESK_BARS = 8, 21
ASSETS = 3
RISK = 0.01
YEAR = 252.0


@dataclass
class View:
    """What a rule may look at: prices up to now of all paths at once, and what it is worth."""

    close: Array
    """(paths, bars so far, assets), the history first."""
    bar: int
    window: int
    windows: int
    value: Array
    """Of each path's portfolio, 1 at the window's start."""
    even: Array
    """The same of equal weight."""
    held: Array
    memory: dict[str, Array]
    """What a rule keeps within a window."""
    diary: dict[str, Array]
    """What it keeps from window to window, as a desk can."""
    rng: np.random.Generator
    expected: Array
    """Known to those with skill alone: the return expected of the next bar, and the one it has."""
    coming: Array


Rule = Callable[[View], Array]


@dataclass
class Paths:
    """Windows of many tasks: prices of shape (tasks, bars, assets), the bars before the first decision included."""

    opened: Array
    close: Array
    expected: Array
    volume: Array = field(default_factory=lambda: np.zeros(0))


def even(view: View) -> Array:
    """Equal shares."""
    return np.full(view.held.shape, 1 / view.held.shape[1])


def cash(view: View) -> Array:
    """Nothing, ever."""
    return np.zeros(view.held.shape)


def tiny(view: View) -> Array:
    """A hundred-millionth of equal weight."""
    return 1e-8 * even(view)


def half(view: View) -> Array:
    """Half of equal weight."""
    return 0.5 * even(view)


def _last(view: View) -> Array:
    return view.close[:, -1] / view.close[:, -2] - 1


def martingale(view: View) -> Array:
    """A hundred-millionth of equal weight, four times as much after each losing bar, cash after three winning ones."""
    stake = view.memory.setdefault("stake", np.full(len(view.held), 1e-8))
    wins = view.memory.setdefault("wins", np.zeros(len(view.held)))
    if view.bar:
        moved = _last(view).mean(axis=1)
        stake[:] = np.where(moved < 0, np.minimum(stake * 4, 1.0), stake)
        wins += moved > 0
    return np.where(wins < 3, stake, 0.0)[:, None] * even(view)


def doubling(view: View) -> Array:
    """A tenth in the market, twice as much after each loss, a tenth again after a win; from window to window."""
    stake = view.diary.setdefault("stake", np.full(len(view.held), 0.1))
    if view.bar:
        moved = _last(view).mean(axis=1)
        stake[:] = np.where(moved < 0, np.minimum(stake * 2, 1.0), 0.1)
    return stake[:, None] * even(view)


def stop_after_a_win(view: View) -> Array:
    """Equal weight until it has won anything, then cash, in each window."""
    return np.where(view.value > 1, 0.0, 1.0)[:, None] * even(view)


def stop_for_good(view: View) -> Array:
    """Equal weight until 5 % are won over all windows, then cash for good."""
    done = view.diary.setdefault("done", np.zeros(len(view.held)))
    done[:] = np.maximum(done, view.diary["wealth"] * view.value > 1.05)
    return (1 - done)[:, None] * even(view)


def ahead_and_out(view: View) -> Array:
    """One asset until it is ahead of equal weight, then equal weight, in each window."""
    bold = np.zeros(view.held.shape)
    bold[:, 0] = 1.0
    return np.where((view.value > view.even)[:, None], even(view), bold)


def ahead_for_good(view: View) -> Array:
    """Grows a bet against equal weight fourfold from 1e-6 after each loss and stops for good, 2 % ahead over all windows."""
    stake = view.diary.setdefault("bet", np.full(len(view.held), 1e-6))
    done = view.diary.setdefault("ahead", np.zeros(len(view.held)))
    lead = view.diary["wealth"] * view.value / (view.diary["even"] * view.even)
    if view.bar:
        moved = _last(view)
        stake[:] = np.where(moved[:, 0] < moved.mean(axis=1), np.minimum(stake * 4, 1.0), stake)
    done[:] = np.maximum(done, lead > 1.02)
    bold = np.zeros(view.held.shape)
    bold[:, 0] = 1.0
    bet = (stake * (1 - done))[:, None]
    return (1 - bet) * even(view) + bet * bold


def by_significance(view: View) -> Array:
    """One asset against equal weight, until a t-test of what it did so far reaches 1.7; then equal weight for good."""
    found = view.diary.setdefault("sums", np.zeros((len(view.held), 3)))
    done = view.diary.setdefault("sure", np.zeros(len(view.held)))
    if view.bar:
        moved = _last(view)
        gap = np.where(done > 0, 0.0, moved[:, 0] - moved.mean(axis=1))
        found += np.stack([gap, gap**2, np.ones(len(gap))], axis=1)
    t = found[:, 0] / np.sqrt(np.maximum(found[:, 1], 1e-18))
    done[:] = np.maximum(done, (t > 1.7) & (found[:, 2] > 10))
    bold = np.zeros(view.held.shape)
    bold[:, 0] = 1.0
    return np.where(done[:, None] > 0, even(view), bold)


def noise(view: View) -> Array:
    """New random weights at each bar."""
    return view.rng.dirichlet(np.ones(view.held.shape[1] + 1), len(view.held))[:, :-1]


def held_noise(view: View) -> Array:
    """Random weights for each window."""
    drawn = view.rng.dirichlet(np.full(view.held.shape[1], 0.3), len(view.held))
    return view.memory.setdefault("drawn", drawn)


def limit(view: View) -> Array:
    """All in the asset that moved most: as much risk as the rules allow."""
    chosen = np.zeros(view.held.shape)
    past = view.close[:, :PAST]
    wildest = np.std(past[:, 1:] / past[:, :-1], axis=1).argmax(axis=1)
    chosen[np.arange(len(chosen)), wildest] = 1.0
    return chosen


def by_window(view: View) -> Array:
    """Full weight, a thousandth, a millionth, by turns of windows."""
    return (1.0, 1e-3, 1e-6)[view.window % 3] * even(view)


def selling_tails(view: View) -> Array:
    """More of what has fallen in the window, less of what has risen: small gains until it goes on falling."""
    moved = np.log(view.close[:, -1] / view.close[:, -1 - view.bar])
    weights = np.exp(-20 * moved)
    weights[~np.isfinite(weights)] = 1.0
    return weights / weights.sum(axis=1, keepdims=True)


def winners(view: View) -> Array:
    """All in the asset that rose most over the history."""
    chosen = np.zeros(view.held.shape)
    chosen[np.arange(len(chosen)), (view.close[:, -1] / view.close[:, 0]).argmax(axis=1)] = 1.0
    return chosen


def giving_up(view: View) -> Array:
    """Equal weight for half of the windows, then cash."""
    return even(view) * (view.window < view.windows / 2)


NULLS: dict[str, Rule] = {
    "always in cash": cash,
    "half of equal weight": half,
    "tiny scale": tiny,
    "martingale, tiny, stops after three wins": martingale,
    "doubling down": doubling,
    "cash after a win": stop_after_a_win,
    "cash for good after 5 %": stop_for_good,
    "one asset until ahead": ahead_and_out,
    "growing bets until 2 % ahead": ahead_for_good,
    "one asset until a t-test is passed": by_significance,
    "noise at each bar": noise,
    "noise for each window": held_noise,
    "risk at the limit": limit,
    "scale by window": by_window,
    "selling tails": selling_tails,
    "past winner": winners,
    "giving up half way": giving_up,
}


def informed(view: View) -> Array:
    """Who knows the effect: the asset expected to earn most, changed where it pays."""
    return _best_of(view, view.expected)


def _best_of(view: View, expected: Array, hurdle: float = 0.0012) -> Array:
    count = len(view.held)
    best, now = expected.argmax(axis=1), view.held.argmax(axis=1)
    rows = np.arange(count)
    stay = (view.held.sum(axis=1) > 0.5) & (expected[rows, best] - expected[rows, now] < hurdle)
    chosen = np.zeros(view.held.shape)
    chosen[rows, np.where(stay, now, best)] = 1.0
    return chosen


def learner(view: View) -> Array:
    """Who learns sign and horizon from the bars before the window, by the correlation that is strongest."""
    moved = np.log(view.close[:, 1:] / view.close[:, :-1])
    relative = (moved - moved.mean(axis=2, keepdims=True)) / moved[:, : PAST - 1].std(axis=1, keepdims=True)
    if not view.bar:
        strength = np.stack([_trailing(relative[:, :-1], bars) for bars in HORIZONS])
        following = relative[:, 1:]
        links = (strength * following).sum(axis=(2, 3)) / np.sqrt((strength**2).sum(axis=(2, 3)))
        view.memory["which"] = np.abs(links).argmax(axis=0)
        view.memory["sign"] = np.sign(np.take_along_axis(links, view.memory["which"][None], 0)[0])
    now = np.stack([relative[:, -bars:].sum(axis=1) / bars**0.5 for bars in HORIZONS])
    chosen = np.take_along_axis(now, view.memory["which"][None, :, None], 0)[0]
    return _best_of(view, 0.004 * view.memory["sign"][:, None] * chosen)


def _trailing(values: Array, bars: int) -> Array:
    total = np.cumsum(np.pad(values, ((0, 0), (bars, 0), (0, 0))), axis=1)
    return (total[:, bars:] - total[:, :-bars]) / bars**0.5


def copied(series: Sequence[Array]) -> Rule:
    """A rule that has the public bars with it: what followed where the last three returns were most alike."""
    past = np.concatenate([np.lib.stride_tricks.sliding_window_view(each, 4) for each in series])
    known, after = np.ascontiguousarray(past[:, :3]), past[:, 3]

    def rule(view: View) -> Array:
        returns = view.close[:, -3:] / view.close[:, -4:-1] - 1
        hopes = np.empty(view.held.shape)
        for asset in range(hopes.shape[1]):
            gaps = sum(np.abs(known[:, back] - returns[:, back, asset, None]) for back in range(3))
            hopes[:, asset] = after[gaps.argmin(axis=1)]
        return _best_of(view, hopes, 0.0) * (hopes.max(axis=1, keepdims=True) > 0)

    return rule


def foresight(view: View) -> Array:
    """Who knows the next bar."""
    return _best_of(view, view.coming, 0.0)


SKILLED: dict[str, Rule] = {
    "knows the effect": informed,
    "learns it before each window": learner,
    "knows the next bar": foresight,
}


def walks(drift: float, rng: np.random.Generator, tasks: int, bars: int) -> Paths:
    """Random walks of that drift a bar, filled at the close before, moves of fat tails."""
    moved = rng.standard_t(4, (tasks, bars, ASSETS)) / 2**0.5 * RISK
    common = rng.standard_t(4, (tasks, bars, 1)) / 2**0.5 * RISK
    moved = np.clip(0.7 * moved + 0.7 * common, -0.5, 0.5) + drift
    moved[:, 0] = 0.0
    close = 100 * np.cumprod(1 + moved, axis=1)
    return Paths(np.concatenate([close[:, :1], close[:, :-1]], axis=1), close, np.full_like(close, drift))


def resampled(source: Resampler, effect: Effect, rng: np.random.Generator, tasks: int, bars: int) -> Paths:
    """Real bars, resampled."""
    drawn = source.draw_many(bars, effect, rng, tasks)
    return Paths(drawn["open"], drawn["close"], drawn["expected"], drawn["volume"])


def _track(rule: Rule, paths: Paths, costs: Costs, view: View) -> tuple[Array, Array]:
    tasks, bars, _assets = paths.close.shape
    market = _market(paths, costs)
    portfolio = Portfolio.start(market, tasks)
    begin = np.arange(tasks) * bars
    values, exposure = [np.ones(tasks)], []
    growth = np.ones(tasks)
    for row in range(PAST, bars - 1):
        moved = paths.close[:, row] / paths.close[:, row - 1]
        if row > PAST:
            growth = growth * moved.mean(axis=1)
        view.close, view.bar, view.value, view.even = (
            paths.close[:, : row + 1],
            row - PAST,
            values[-1],
            growth,
        )
        view.held = portfolio.weights
        view.expected, view.coming = (
            paths.expected[:, row + 1],
            paths.close[:, row + 1] / paths.opened[:, row + 1],
        )
        target = np.clip(rule(view), 0, 1)
        target /= np.maximum(target.sum(axis=1, keepdims=True), 1.0)
        portfolio.step(begin + row + 1, target)
        values.append(np.array(portfolio.value))
        exposure.append(portfolio.weights.sum(axis=1))
    values[-1] = values[-1] - portfolio.liquidation(begin + bars - 1)
    line = np.array(values)
    return (line[1:] / line[:-1] - 1).T, np.mean(exposure, axis=0)


def _market(paths: Paths, costs: Costs) -> Market:
    """The paths one behind the other as one market, as the vector environment has them."""
    _tasks, _bars, assets = paths.close.shape
    before, after = np.ones_like(paths.close), paths.close / paths.opened
    before[:, 1:] = paths.opened[:, 1:] / paths.close[:, :-1]
    after[:, 0] = 1.0
    dear = None
    if costs.impact and paths.volume.size:
        money = paths.opened * paths.volume / 1e6
        dear = (costs.impact / np.sqrt(np.maximum(money, 1e-9))).reshape(-1, assets)
    flat = [each.reshape(-1, assets) for each in (before, after)]
    return Market(None, costs, Rules(), flat[0], flat[1], None, dear, None)  # type: ignore[arg-type]  # no step looks at bars


def weighed(
    rule: Rule, make: Callable[[int], Paths], tasks: int, windows: int, costs: Costs
) -> tuple[float, float, float]:
    """The share that passes, the mean score, and the mean excess of a rule over many tasks."""
    tracks: list[list[Track]] = [[] for _ in range(tasks)]
    blank = np.zeros(0)
    diary = {"wealth": np.ones(tasks), "even": np.ones(tasks)}
    for window in range(windows):
        paths = make(window)
        rng = np.random.default_rng([11, window])
        view = View(blank, 0, window, windows, blank, blank, blank, {}, diary, rng, blank, blank)
        own, exposure = _track(rule, paths, costs, view)
        view.memory = {}
        bench, _ = _track(even, paths, costs, view)
        past = paths.close[:, : PAST + 1]
        risk = (past[:, 1:] / past[:, :-1]).mean(axis=2).std(axis=1)
        diary["wealth"] *= np.prod(1 + own, axis=1)
        diary["even"] *= np.prod(1 + bench, axis=1)
        for task in range(tasks):
            line = track(np.concatenate([[1.0], np.cumprod(1 + own[task])]).tolist())
            tracks[task].append(Track(line, bench[task], float(risk[task]), float(exposure[task])))
    found = [weigh(each, YEAR) for each in tracks]
    return (
        float(np.mean([each.passed for each in found])),
        float(np.mean([each.score for each in found])),
        float(np.mean([each.excess for each in found])),
    )


def null_table(salts: int, source: Resampler) -> Iterator[tuple[str, str, float, float]]:
    """Each null on each kind of bars: name, bars, share passed, mean score."""
    free, length = Costs(half_spread=0.0), PAST + BARS + 1
    kinds: dict[str, Callable[[int], Paths]] = {
        "random walk": lambda window: walks(0.0, np.random.default_rng([1, window]), salts, length),
        "rising walk": lambda window: walks(4e-4, np.random.default_rng([2, window]), salts, length),
        "falling walk": lambda window: walks(-8e-4, np.random.default_rng([3, window]), salts, length),
        "real, resampled": lambda window: resampled(
            source, Effect(0.0, 1, 1), np.random.default_rng([4, window]), salts, length
        ),
    }
    for kind, make in kinds.items():
        for name, rule in NULLS.items():
            passed, score, _ = weighed(rule, make, salts, WINDOWS, free)
            yield name, kind, passed, score


def power_table(salts: int, source: Resampler) -> Iterator[tuple[str, str, float, float, float]]:
    """Skill by edge and size of a task, at the sets' own costs."""
    costs = Costs(half_spread=0.0005, impact=0.02)
    sizes = (("strategy", WINDOWS, BARS, (0.2, 0.3, 0.4, 0.5)), ("desk", DESK_WINDOWS, DESK_BARS, (0.4, 0.6)))
    for what, windows, bars, edges in sizes:
        for edge in edges:
            effects = [Effect(edge, horizon, sign) for horizon in HORIZONS for sign in (-1, 1)]
            for name, rule in SKILLED.items():
                each = max(10, salts // 10)
                found = [
                    weighed(rule, _drawn(source, effect, each, PAST + bars + 1), each, windows, costs)
                    for effect in effects
                ]
                yield (
                    name,
                    f"{what}, edge {edge:g}",
                    *(float(np.mean(part)) for part in zip(*found, strict=True)),
                )


def attacks(salts: int, source: Resampler, name: str) -> Iterator[str]:
    """How many windows are found in the public series, resampled and in their own order; what embedding them earns."""
    series = {
        f"{key}/{symbol}": each
        for key, history in public_histories().items()
        for symbol, each in moves(history).items()
    }
    made = source.draw_many(PAST + BARS + 1, Effect(0.4, 2, 1), np.random.default_rng(6), salts)["close"]
    found = np.mean([identified(each, series) for each in made])
    history = load_source(name)
    rng = np.random.default_rng(7)
    starts = rng.integers(0, history.bars.count - 60, min(salts, 100))
    own = np.mean([identified(history.bars.close[start : start + 60], series) for start in starts])
    yield f"windows found among {len(series)} public series: resampled {found:.1%}, in their own order {own:.0%}"
    rule = copied([each for key, each in series.items() if key.startswith(f"{name}/")])
    for edge in (0.0, 0.4):
        each = max(10, salts // 5)
        free = Costs(half_spread=0.0)
        passed, score, excess = weighed(
            rule, _drawn(source, Effect(edge, 2, 1), each, PAST + BARS + 1), each, WINDOWS, free
        )
        yield (
            f"embedding the public bars on resampled ones, edge {edge:g}: passed {passed:.1%}, mean score {score:.4f}, excess "
            f"{excess:+.2f} a year ({each} salts, no costs)"
        )


def _drawn(source: Resampler, effect: Effect, tasks: int, length: int) -> Callable[[int], Paths]:
    seed = [effect.horizon, effect.sign + 1]
    return lambda window: resampled(source, effect, np.random.default_rng([5, window, *seed]), tasks, length)


def main() -> int:
    """Print the tables; 1 where a null passes too often, or scores too much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--salts", type=int, default=1000)
    parser.add_argument("--data", default=DEFAULT_SOURCE)
    options = parser.parse_args()
    history = load_source(options.data)
    source = Resampler(history, split_span(history.bars.count, "test", 20))
    bad = 0
    print(f"| without skill ({options.salts} salts) | bars | passed | mean score |\n|---|---|---|---|")
    for name, kind, passed, score in null_table(options.salts, source):
        wrong = passed > 0.05 or abs(score) > 0.02
        bad += wrong
        print(
            f"| {name} | {kind} | {passed:.1%} | {score:+.4f} |{' <- too much' if wrong else ''}", flush=True
        )
    print("\n| with skill | task | passed | mean score | excess a year |\n|---|---|---|---|---|")
    for name, what, passed, score, excess in power_table(options.salts, source):
        print(f"| {name} | {what} | {passed:.0%} | {score:.3f} | {excess:+.2f} |", flush=True)
    for line in attacks(options.salts, source, options.data):
        print(line, flush=True)
    print("\nThe small worlds, desks:")
    bad += null_worlds.report(null_worlds.NAMES, options.salts, strategies=False, everything=False)
    print("\nThe small worlds, strategy programs:")
    bad += null_worlds.report(
        null_worlds.NAMES, max(10, options.salts // 5), strategies=True, everything=False
    )
    print(f"\n{bad} nulls over the limit" if bad else "\nno null over the limit")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
