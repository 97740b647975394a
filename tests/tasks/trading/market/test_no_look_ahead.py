"""In every world and on every face: bars to come change nothing seen or paid before; and whoever cannot know is not paid."""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mx_envs.market.portfolio import PortfolioEnv
from mx_envs.market.portfolio_vector import PortfolioVectorEnv
from mx_tasks.trading.grading.evaluation import evaluate
from mx_tasks.trading.grading.programs import play_program
from mx_tasks.trading.imports.bootstrap import bootstrap_world
from mx_tasks.trading.market.bars import Bars
from mx_tasks.trading.market.baselines import BASELINES
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.simulator import Portfolio, allowed, make_market
from mx_tasks.trading.market.worlds import WORLDS, load_world

RETURNS = np.random.default_rng(9).standard_t(4, 700) * 0.01
EVERY = [*WORLDS, "bootstrap", "bootstrap-no-edge"]
NOW, LENGTH = 24, 40


def world_of(name: str) -> Any:
    if name.startswith("bootstrap"):
        return bootstrap_world(RETURNS, 0.0 if name.endswith("no-edge") else 0.15)
    return load_world(name)


class Spliced:
    """A world whose paths are, from the bar after ``now`` on, those of other random numbers."""

    def __init__(self, world: Any, now: int, other: int) -> None:
        self.world, self.now, self.other = world, now, other

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)

    def path(self, rng: np.random.Generator, bars: int) -> Any:
        states, returns = self.paths([rng], bars)
        return states[0], returns[0]

    def paths(self, rngs: Sequence[np.random.Generator], bars: int) -> Any:
        own = self.world.paths([copy.deepcopy(rng) for rng in rngs], bars)
        fresh = [np.random.default_rng([self.other, place]) for place in range(len(rngs))]
        there = self.world.paths(fresh, bars)
        for rng in rngs:
            rng.random()
        return tuple(
            np.concatenate([mine[:, : self.now + 1], new[:, self.now + 1 :]], axis=1)
            for mine, new in zip(own, there, strict=True)
        )


@pytest.mark.parametrize("name", EVERY)
@given(seed=st.integers(0, 1000), now=st.integers(2, LENGTH - 2))
@settings(max_examples=6, deadline=None)
def test_the_numeric_faces(name: str, seed: int, now: int) -> None:
    lived: list[list[bytes]] = []
    for other in (1, 2):
        world = Spliced(world_of(name), now, other)
        single = PortfolioEnv(world=world, bars=LENGTH, reward="goal")
        many = PortfolioVectorEnv(3, world=world, bars=LENGTH, reward="goal")
        rng = np.random.default_rng(seed)
        seen = [single.reset(seed=seed)[0].tobytes(), many.reset(seed=seed)[0].tobytes()]
        for _ in range(now):
            actions = rng.normal(0, 0.5, (3, len(world.symbols))).astype(np.float32)
            observation, reward, ruined, *_ = single.step(actions[0])
            assert not ruined
            observations, rewards, *_ = many.step(actions)
            seen += [
                observation.tobytes(),
                np.float64(reward).tobytes(),
                observations.tobytes(),
                rewards.tobytes(),
            ]
        lived.append(seen)
    assert lived[0] == lived[1]


@pytest.mark.parametrize("name", EVERY)
@given(seed=st.integers(0, 1000), now=st.integers(22, LENGTH - 2))
@settings(max_examples=6, deadline=None)
def test_the_desk_and_the_frames_of_programs(name: str, seed: int, now: int) -> None:
    said, sent = [], []
    for other in (1, 2):
        world = Spliced(world_of(name), now, other)
        market = world.market(*world.path(np.random.default_rng(seed), LENGTH))
        desk, rng, frames = Desk(market, 20), np.random.default_rng(seed), []
        wanted = rng.normal(0, 0.4, (LENGTH, market.assets)).tolist()
        while desk.row < now:
            frames += [desk.question(), desk.observe(100), desk.rebalance(wanted[desk.row])]
        said.append(json.dumps([*frames, desk.question(), desk.observe(100)]))
        host = Recorder(wanted)
        play_program(b"", market, 20, host, purge=3)  # type: ignore[arg-type]
        sent.append(json.dumps(host.frames[: 1 + now + 1 - 20]))
    assert said[0] == said[1]
    assert sent[0] == sent[1]


class Recorder:
    """A sandbox, a session and a program in one, which keeps every frame that the host sends."""

    def __init__(self, wanted: list[list[float]]) -> None:
        self.wanted, self.frames = wanted, []  # type: tuple[list[list[float]], list[Any]]

    def session(self, *_: Any, **__: Any) -> Recorder:
        return self

    def send(self, frame: Any) -> None:
        self.frames.append(json.loads(json.dumps(frame)))

    def receive(self) -> Any:
        if len(self.frames) == 1:
            return {"ready": True}
        return {"w": self.wanted[18 + len(self.frames)]}

    def close(self) -> None:
        return None


def test_a_program_is_sent_one_bar_for_each_answer_and_the_purged_ones_after_its_fit() -> None:
    world = load_world("linear-quadratic")
    market = world.market(*world.path(np.random.default_rng(0), LENGTH))
    host = Recorder(np.zeros((LENGTH, 3)).tolist())
    play_program(b"", market, 20, host, purge=3)  # type: ignore[arg-type]
    first, second, *rest = host.frames
    assert len(first["rows"]) == 18
    assert len(second["purged"]) == 3
    assert len(rest) == LENGTH - 1 - 20 - 1
    assert all("row" in frame and "purged" not in frame for frame in rest)


EARNING = [name for name in EVERY if "no-edge" not in name]


@pytest.mark.parametrize("name", EARNING)
def test_the_best_decisions_earn_nothing_where_time_is_turned_round(name: str) -> None:
    """Decided in a world's own time, paid with the bars from the other end of a long path; the control is paid in order."""
    world, bars = world_of(name), 40
    best, earned = world.solve(bars), {False: [], True: []}  # type: Any
    assets = len(world.symbols)
    for seed in range(48):
        states, returns = world.path(np.random.default_rng(seed), 6 * bars)
        for backwards, totals in earned.items():
            paid = np.concatenate([returns[:1], returns[:0:-1]]) if backwards else returns
            market = world.market(states[: bars + 1], paid[: bars + 1])
            portfolio, risk = Portfolio.start(market), 0.0
            for row in range(1, bars + 1):
                target, _ = allowed(
                    market.rules, best.choose(row - 1, states[row - 1], portfolio.weights), np.ones(assets)
                )
                risk += float(world.penalty(target))
                portfolio.step(row, target)
            value = float(portfolio.value - portfolio.liquidation(bars))
            totals.append(value - 1 - risk if world.goal != "log growth" else np.log(value))
    assert np.mean(earned[False]) > 0
    assert np.mean(earned[True]) < 0.4 * np.mean(earned[False])
    assert np.mean(earned[True]) < 2 * np.std(earned[True]) / len(earned[True]) ** 0.5


@pytest.mark.parametrize("name", ["no-edge", "bootstrap-no-edge"])
def test_where_there_is_no_edge_nothing_earns(name: str) -> None:
    """Every rule and many random ones, by what they can be expected to earn; cash alone loses nothing."""
    world = world_of(name)
    assert world.solve(40).a_year == 0.0
    rng = np.random.default_rng(4)
    for _ in range(10):
        on_move, on_held, level = rng.normal(size=3)

        def decide(
            made: int,
            states: Any,
            seen: Any,
            held: Any,
            a: float = on_move,
            b: float = on_held,
            c: float = level,
        ) -> Any:
            return a * seen[:, 0] + b * held + c

        found = evaluate(world, decide, bars=30, paths=8, seed=1)
        assert found.optimum == 0.0
        assert found.earned < 0 or found.turnover < 1e-9


def test_no_rule_of_the_baselines_earns_on_a_walk_without_an_edge() -> None:
    rng = np.random.default_rng(0)
    growth = np.where(rng.random((120, 300, 3)) < 0.5, 0.01, -0.01)
    ends: dict[str, list[float]] = {name: [] for name in BASELINES}
    for path in growth[:24]:
        close = 100 * np.cumprod(1 + path, axis=0)
        opened = np.vstack([close[:1], close[:-1]])
        volume = np.full_like(close, 1e9)
        top, bottom = np.maximum(opened, close), np.minimum(opened, close)
        dates = np.datetime64("2020-01-06") + np.arange(len(close))
        market = make_market(Bars(dates, ("A", "B", "C"), opened, top, bottom, close, volume))
        for name, rule in BASELINES.items():
            portfolio = Portfolio.start(market)
            for row in range(200, 299):
                target, _ = allowed(market.rules, rule(market, row, portfolio.weights), np.ones(3))
                portfolio.step(row + 1, target)
            ends[name].append(float(np.log(portfolio.value - portfolio.liquidation(299))))
    for name, values in ends.items():
        assert np.mean(values) <= 2 * np.std(values) / len(values) ** 0.5, name
    assert ends["cash"] == [0.0] * 24
