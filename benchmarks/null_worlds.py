"""What the small worlds' scores give to rules that never look at the market, and whether they find skill.

    python benchmarks/null_worlds.py [--salts 1000] [--worlds regime,pairs] [--strategies] [--all]

Every rule plays the windows of a thousand tasks, each drawn as the task sets draw them, from a salt of its own, and is scored as
they score: a desk's six windows of eight bars, with ``--strategies`` a program's eight of sixty. Of the rules without a look, at
most 5 % may pass and the mean score is to be at most 0.02; ``--all`` prints all of them, else the worst of each kind.
``null_suite.py`` prints this table after its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from mx_tasks.trading.grading.arenas import PASSED, WORST, Window, WorldArena
from mx_tasks.trading.grading.kept_positions import bases
from mx_tasks.trading.imports.bootstrap import bootstrap_of
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.salt import salted
from mx_tasks.trading.market.world import Playable
from mx_tasks.trading.market.worlds import load_world
from mx_tasks.trading.sets import hidden, ladder

NAMES = ("regime", "mean-reversion", "hidden-regime", "pairs", "linear-quadratic", "bootstrap")
STEPS = {1: 8, 2: 4, 3: 4}
"""Places in a window at which a rule may turn, by assets, where a window has more bars."""


@dataclass
class View:
    """What a rule may look at, of all tasks at once."""

    made: int
    window: int
    windows: int
    bars: int
    held: Array
    """(tasks, assets)"""
    moved: Array
    """Returns up to now, (tasks, bars, assets)."""
    seen: Array
    """The states up to now; those with skill alone look at them."""
    won: Array
    """What the rule has won in this window, about."""
    rng: np.random.Generator
    memory: dict[str, Array]
    """Kept within a window."""
    diary: dict[str, Array]
    """Kept from window to window."""


Rule = Callable[[View], Array | None]
"""Targets (tasks, assets) or (assets,); None for no trade."""


@dataclass
class Tasks:
    """The windows of many tasks of a world."""

    world: Playable
    arena: WorldArena
    windows: Sequence[Sequence[Window]]
    states: Array = field(init=False)
    moved: Array = field(init=False)
    base: Array = field(init=False)

    def __post_init__(self) -> None:
        self.states = np.array([[each.states for each in task] for task in self.windows])
        close = np.array([[each.market.bars.close for each in task] for task in self.windows])
        self.moved = close[:, :, 1:] / close[:, :, :-1] - 1
        self.base = np.array([bases([each.kept for each in task]).sum() for task in self.windows])

    def scores(self, rule: Rule) -> Array:
        """The score of a rule on each task."""
        short, rng, diary = np.zeros(len(self.windows)), np.random.default_rng(7), dict[str, Array]()
        for window in range(self.states.shape[1]):
            short += self._short(rule, window, rng, diary)
        scores: Array = np.maximum(WORST, 1 - short / self.base)
        return scores

    def _short(self, rule: Rule, window: int, rng: np.random.Generator, diary: dict[str, Array]) -> Array:
        world, moved, states = self.world, self.moved[:, window], self.states[:, window]
        begun = moved.shape[1] - self.arena.bars
        held = np.zeros((len(states), moved.shape[2]))
        short, won, memory = np.zeros(len(states)), np.zeros(len(states)), dict[str, Array]()
        for made in range(self.arena.bars):
            now = begun + made
            view = View(
                made, window, self.states.shape[1], self.arena.bars, held, moved[:, :now], states[:, : made + 1],
                won, rng, memory, diary,
            )  # fmt: skip
            wanted = rule(view)
            target = held if wanted is None else self._allowed(wanted, held.shape)
            short += self.arena.optimum.shorts(made, states[:, made], held, target)
            won = won + (target * moved[:, now]).sum(axis=1)
            held = world.carried(held, target, moved[:, now])
        diary["won"] = diary.get("won", np.zeros(len(won))) + won
        return short

    def _allowed(self, wanted: Array, shape: tuple[int, ...]) -> Array:
        rules = self.world.rules
        target = np.clip(np.broadcast_to(wanted, shape), rules.min_weight, rules.max_weight)
        gross = np.abs(target).sum(axis=1, keepdims=True)
        allowed: Array = target * rules.max_gross / np.maximum(gross, rules.max_gross)
        return allowed


def drawn(name: str, salts: int, *, strategies: bool) -> Tasks:
    """So many tasks of a world, each of another salt."""
    world = bootstrap_of("bokeh", 0.15) if name == "bootstrap" else load_world(name)
    count = hidden.WINDOWS if strategies else ladder.WINDOWS
    arena = WorldArena(world) if strategies else WorldArena(world, ladder.BARS, ladder.HISTORY)
    windows = [
        arena.windows("test", count, lambda word, salt=salt: salted(f"null {salt}", name, word))  # type: ignore[misc]
        for salt in range(salts)
    ]
    return Tasks(world, arena, windows)


def directions(world: Playable) -> dict[str, Array]:
    """Ways to be in the market, by name."""
    assets = len(world.symbols)
    if world.rules.settled:
        return {"A": np.eye(assets)[0] * 0.4, "A - B": np.array([0.4, -0.4, *[0.0] * (assets - 2)])}
    if assets == 1:
        return {"long": np.ones(1)}
    return {"A": np.eye(assets)[0], "A - B": np.array([1.0, -1.0, *[0.0] * (assets - 2)])}


def _kept(weights: Array) -> Rule:
    return lambda view: None if view.made else weights


def _turn(first: Array, second: Array, bar: int) -> Rule:
    return lambda view: first if not view.made else second if view.made == bar else None


def _periodic(first: Array, second: Array, bars: int) -> Rule:
    return lambda view: second if view.made // bars % 2 else first


def _plan(first: Array, second: Array, chosen: Callable[[float], bool]) -> Rule:
    return lambda view: None if view.made else first if chosen(view.window / view.windows) else second


def _each_bar(weights: Array) -> Rule:
    return lambda view: np.tile(weights, (len(view.held), 1))


def _noise(size: float) -> Rule:
    return lambda view: view.rng.uniform(-size, size, view.held.shape)


def _noise_kept(size: float) -> Rule:
    return lambda view: None if view.made else view.rng.uniform(-size, size, view.held.shape)


def blind(world: Playable, bars: int) -> Iterator[tuple[str, str, Rule]]:
    """Rules that never look, as kind, name and rule."""
    cash, widest = np.zeros(len(world.symbols)), np.full(len(world.symbols), world.rules.max_weight)
    shorts = world.rules.min_weight < 0
    yield "kept", "cash", _kept(cash)
    yield "limit", "all long at the limit", _kept(widest)
    if shorts:
        yield "limit", "all short at the limit", _kept(-widest)
    size = 0.4 if world.rules.settled else world.rules.max_weight
    yield "noise", "new weights at each bar", _noise(size)
    yield "noise", "weights for each window", _noise_kept(size)
    places = sorted({round(place) for place in np.linspace(1, bars - 1, min(bars - 1, STEPS[len(cash)]))})
    for name, weights in directions(world).items():
        against = -weights if shorts else cash
        ways = [(name, weights), (f"against {name}", against), *([("cash", cash)] if shorts else [])]
        for scale in (1.0, 0.5, 0.1, 1e-8):
            yield "tiny" if scale < 1e-3 else "kept", f"{scale:g} of {name}", _kept(scale * weights)
            if shorts:
                yield "kept", f"{scale:g} against {name}", _kept(-scale * weights)
        yield "kept", f"{name}, brought back at each bar", _each_bar(weights)
        for first, one in ways[:2]:
            for second, two in ways:
                if first != second:
                    for bar in places:
                        yield "turns", f"{first}, {second} from bar {bar}", _turn(one, two, bar)
        for every in (1, 2, 4):
            yield "periodic", f"{name} and back every {every}", _periodic(weights, against, every)
        yield (
            "plan",
            f"{name} in every other sixth of the windows",
            _plan(weights, against, lambda now: int(6 * now + 0.01) % 2 == 0),
        )
        yield "plan", f"{name} in the first half", _plan(weights, against, lambda now: now < 0.5)
        yield "plan", f"{name} in the first four fifths", _plan(weights, against, lambda now: now < 0.8)


def by_results(world: Playable) -> Iterator[tuple[str, str, Rule]]:
    """Rules of gamblers, who look at what they have won and at the last bar alone."""
    for name, weights in directions(world).items():
        against = -weights if world.rules.min_weight < 0 else 0 * weights

        def doubling(view: View, each: Array = weights) -> Array:
            stake = view.diary.setdefault("stake", np.full(len(view.held), 0.1))
            if view.made:
                lost = view.moved[:, -1] @ np.sign(each) < 0
                stake[:] = np.where(lost, np.minimum(stake * 2, 1.0), 0.1)
            return stake[:, None] * each

        def until_ahead(view: View, each: Array = weights) -> Array:
            return np.where(view.won > 0, 0.0, 1.0)[:, None] * each

        def ahead_for_good(view: View, each: Array = weights) -> Array:
            won = view.diary.get("won", np.zeros(len(view.won))) + view.won
            done = view.diary.setdefault("done", np.zeros(len(won)))
            done[:] = np.maximum(done, won > 0.01)
            return (1 - done)[:, None] * each

        def last_bar(view: View, each: Array = weights, other: Array = against, way: float = 1.0) -> Array:
            up = way * (view.moved[:, -1] @ np.sign(each)) > 0
            return np.where(up[:, None], each, other)

        yield "doubling", f"{name}, doubled after each loss", doubling
        yield "stops", f"{name} until ahead", until_ahead
        yield "stops", f"{name} until 1 % ahead, then never", ahead_for_good
        yield "last bar", f"{name} after it rose", last_bar
        yield "last bar", f"{name} after it fell", lambda view, run=last_bar: run(view, way=-1.0)  # type: ignore[misc]


def skilled(world: Playable, tasks: Tasks) -> Iterator[tuple[str, Rule]]:
    """The optimum, and simple rules of who knows what the prompt says."""
    best = tasks.arena.optimum

    def optimum(view: View) -> Array:
        rows = zip(view.seen[:, -1], view.held, strict=True)
        return np.array([best.choose(view.made, state, held) for state, held in rows])

    yield "the optimum", optimum
    if world.name in ("regime", "bootstrap"):
        yield "follows what is visible", lambda view: (view.seen[:, -1:] > 0).astype(float)
        yield (
            "misreads it in one bar of eight",
            lambda view: ((view.seen[:, -1:] > 0) ^ (view.rng.random((len(view.seen), 1)) < 0.125)).astype(
                float
            ),
        )
    if world.name == "hidden-regime":
        for bars in (5, 15):
            yield (
                f"risen over {bars} bars",
                lambda view, past=bars: (  # type: ignore[misc]
                    view.moved[:, -past:].sum(axis=1) > 0
                ).astype(float),
            )
        yield "infers the regime", lambda view: (view.seen[:, -1:] > 0.5).astype(float)
        yield (
            "infers it, and minds the costs",
            lambda view: np.where(
                np.abs(view.seen[:, -1:] - 0.5) > 0.1, view.seen[:, -1:] > 0.5, view.held > 0.5
            ).astype(float),
        )
    if world.name in ("mean-reversion", "pairs"):
        way = np.array([1.0, -1.0])[: len(world.symbols)]
        yield "against what is visible", lambda view: -np.sign(view.seen[:, -1:]) * way
        yield (
            "against it where it is 2 or more",
            lambda view: np.where(
                np.abs(view.seen[:, -1:]) >= 2, -np.sign(view.seen[:, -1:]) * way, view.held
            ),
        )


def table(name: str, salts: int, *, strategies: bool, everything: bool) -> Iterator[tuple[str, bool]]:
    """The lines of a world's table, and whether a rule is over the limit."""
    tasks = drawn(name, salts, strategies=strategies)
    found: dict[str, list[tuple[float, float, str]]] = {}
    for kind, said, rule in [*blind(tasks.world, tasks.arena.bars), *by_results(tasks.world)]:
        scores = tasks.scores(rule)
        found.setdefault(kind, []).append((float((scores >= PASSED).mean()), float(scores.mean()), said))
    full = f"trading:{'strategy-' if strategies else ''}{name}"
    for kind, lines in found.items():
        shown = lines if everything else [max(lines), max(lines, key=lambda line: line[1])]
        for passed, mean, said in dict.fromkeys(shown):
            wrong = passed > 0.05 or mean > 0.02
            line = f"| {full} | {kind} ({len(lines)}): {said} | {passed:.1%} | {mean:+.3f} |"
            yield line + (" <- too much" if wrong else ""), wrong
    for said, rule in skilled(tasks.world, tasks):
        scores = tasks.scores(rule)
        yield f"| {full} | *{said}* | {(scores >= PASSED).mean():.1%} | {scores.mean():+.3f} |", False


def report(worlds: Sequence[str], salts: int, *, strategies: bool, everything: bool) -> int:
    """Print the tables; how many rules are over the limit."""
    print(f"| set ({salts} salts) | rule: the worst of its kind | passed | mean score |\n|---|---|---|---|")
    bad = 0
    for name in worlds:
        for line, wrong in table(name, salts, strategies=strategies, everything=everything):
            print(line, flush=True)
            bad += wrong
    return bad


def main() -> int:
    """Print the tables; 1 where a rule without a look passes too often, or scores too much."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--salts", type=int, default=1000)
    parser.add_argument("--worlds", default=",".join(NAMES))
    parser.add_argument("--strategies", action="store_true", help="the windows of strategy programs")
    parser.add_argument("--all", action="store_true", help="every rule, not the worst of each kind")
    given = parser.parse_args()
    bad = report(given.worlds.split(","), given.salts, strategies=given.strategies, everything=given.all)
    print(f"\n{bad} rules over the limit" if bad else "\nno rule over the limit")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
