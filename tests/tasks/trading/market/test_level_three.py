"""Level 3: pairs and linear-quadratic costs. Their optima against simulation, the paper's closed form, and other policies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mx_envs.market.portfolio import PortfolioEnv
from mx_tasks import Submission, load_task_set
from mx_tasks.trading.grading.evaluation import best_of, evaluate
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.linear_quadratic import LinearQuadratic, closed_form, riccati
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Portfolio, make_market
from mx_tasks.trading.market.world import DAY, path_market
from mx_tasks.trading.market.worlds import WORLDS, load_world, pairs

BARS = 20
BEST = {name: load_world(name).solve(BARS) for name in WORLDS}


@pytest.mark.parametrize("name", list(WORLDS))
def test_the_optimum_earns_what_it_says_on_the_numeric_face(name: str) -> None:
    """Played through the simulator, luck and all: the mean is the computed value."""
    env, best = PortfolioEnv(world=name, bars=BARS, reward="goal"), BEST[name]
    off = []
    for seed in range(300):
        env.reset(seed=seed)
        assert env.states is not None
        total, over = 0.0, False
        for made in range(BARS):
            action = best.choose(made, env.states[made], env.portfolio.weights)
            _, reward, _, over, _ = env.step(action)
            total += reward
        assert over
        off.append(total - best.value(env.states[0]))
    assert abs(np.mean(off)) < 3.5 * np.std(off) / len(off) ** 0.5 + 1e-9


PERTURBED: dict[str, Any] = {
    "smaller": lambda best, made, held, rng: 0.7 * best,
    "larger": lambda best, made, held, rng: 1.3 * best,
    "slower": lambda best, made, held, rng: 0.5 * (best + held),
    "faster": lambda best, made, held, rng: best + 0.3 * (best - held),
    "late": lambda best, made, held, rng: best if made % 2 else held,
    "noisy": lambda best, made, held, rng: best + rng.normal(0, 0.2, np.shape(best)),
    "the other way": lambda best, made, held, rng: -best,
    "never": lambda best, made, held, rng: np.zeros_like(best),
    "everything": lambda best, made, held, rng: np.full_like(best, 4.0),
}


@pytest.mark.parametrize("name", ["mean-reversion", "hidden-regime", "pairs", "linear-quadratic"])
def test_no_other_policy_earns_more(name: str) -> None:
    world, rng = load_world(name), np.random.default_rng(1)
    best = best_of(BEST[name])
    for said, change in PERTURBED.items():

        def decide(made: int, states: Any, seen: Any, held: Any, change: Any = change) -> Any:
            return change(best(made, states, seen, held), made, held, rng)

        found = evaluate(world, decide, bars=BARS, paths=60, seed=3)
        assert found.earned < 1.003 * found.optimum, said  # the paths are a sample
        assert said not in ("the other way", "everything", "never") or found.earned < 0.9 * found.optimum, (
            said
        )
    exact = evaluate(world, best, bars=BARS, paths=60, seed=3)
    assert exact.share == pytest.approx(1, abs=1e-12)


def test_riccati_is_the_papers_closed_form_far_from_the_end() -> None:
    world = LinearQuadratic()
    rate, aim = closed_form(world)
    optimum = riccati(world, 600)
    rng = np.random.default_rng(0)
    for _ in range(20):
        signals, held = rng.normal(size=2), rng.normal(size=3)
        expected = held + rate @ (aim @ signals - held)
        assert np.abs(optimum.choose(0, signals, held) - expected).max() < 1e-9
    assert (np.linalg.eigvals(rate) > 0).all()
    assert (np.linalg.eigvals(rate) < 1).all()


def test_without_costs_the_aim_is_markowitzs() -> None:
    world = LinearQuadratic(costs=Costs(half_spread=0.0, quadratic=1e-9))
    signals = np.array([1.0, -2.0])
    markowitz = np.linalg.solve(world.aversion * world.covariance, world.loads @ signals)
    assert np.allclose(riccati(world, 50).choose(0, signals, np.zeros(3)), markowitz, atol=1e-4)


def test_one_decision_by_hand() -> None:
    """One asset, one bar: gain m x, risk a s x^2 / 2, cost c x^2 to get in and out: the best x is m / (a s + 4 c)."""
    world = LinearQuadratic(
        loads=np.array([[0.01]]), covariance=np.array([[0.0004]]), fades=(0.5,), aversion=10.0
    )
    optimum = world.solve(1)
    assert optimum.choose(0, np.array([1.0]), np.zeros(1))[0] == pytest.approx(0.01 / (0.004 + 0.016))
    assert optimum.value(np.array([1.0])) == pytest.approx(0.5 * 0.01**2 / 0.02)
    assert optimum.shorts(0, np.ones((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))[0] == pytest.approx(
        0.5 * 0.01**2 / 0.02
    )


def test_signals_and_returns_are_what_is_said_of_them() -> None:
    world = LinearQuadratic()
    states, returns = world.paths([np.random.default_rng(seed) for seed in range(300)], 120)
    assert states.std(axis=(0, 1)) == pytest.approx([1.0, 1.0], abs=0.06)
    noise = (returns[:, 1:] - states[:, :-1] @ world.loads.T).reshape(-1, 3)
    assert np.abs(np.cov(noise.T) / world.covariance - 1).max() < 0.05


def test_settled_positions_by_hand() -> None:
    """Half the wealth long through +10 % and -10 %: the position stays a half, so nothing is left but its costs."""
    costs = Costs(half_spread=0.0, quadratic=0.01)
    rules = Rules(min_weight=-1, settled=True)
    market = path_market(("A",), np.array([50.0]), np.array([0.0, 0.1, -0.1]), {}, costs, rules)
    portfolio = Portfolio.start(market)
    step = portfolio.step(1, np.array([0.5]))
    assert step.trade_cost == pytest.approx(0.01 * 0.25, abs=1e-15)
    assert step.value == pytest.approx(1 - 0.0025 + 0.05, abs=1e-15)
    step = portfolio.step(2, np.array([0.5]))
    assert step.trade_cost == 0.0
    assert step.value == pytest.approx(1 - 0.0025, abs=1e-15)
    assert portfolio.weights.tolist() == [0.5]
    assert portfolio.liquidation(2) == pytest.approx(0.0025, abs=1e-15)
    with pytest.raises(TradingError, match="quadratic costs are those of settled positions"):
        make_market(market.bars, costs, Rules())


def test_a_pair_closes_and_its_prices_tell_its_spread() -> None:
    world = pairs()
    states, returns = world.path(np.random.default_rng(2), 80)
    bars = world.market(states, returns).bars
    assert np.allclose(np.log(bars.close[:, 0] / bars.close[:, 1]) / 0.012, states, atol=1e-9)
    assert bars.extra["spread"].tolist() == states.tolist()
    assert bars.dates[0] == DAY
    chance, growth, _ = world.outcomes(world.states)
    assert np.allclose(chance.sum(axis=1), 1)
    drift = (chance[:, :, None] * growth).sum(axis=1) @ np.array([1, -1])
    assert (drift[world.states > 0] < 0).all()
    assert (drift[world.states < 0] > 0).all()
    best = BEST["pairs"]
    assert best.choose(0, 4.0, np.zeros(2)).tolist() == [-1.0, 1.0]  # hedged, to the cap
    hedged = best.choose(0, 0.0, np.array([0.5, -0.5]))
    assert hedged.tolist() == [0.5, -0.5]  # what is held is not worth selling yet


@pytest.mark.parametrize("name", ["pairs", "linear-quadratic"])
def test_desks_are_scored_by_their_decisions(name: str) -> None:
    tasks: Any = load_task_set(f"trading:{name}", salt="a test's")
    task = tasks.task("test", 0)
    assert "Optimum: score 1" in tasks.about_scores
    scores = {}
    for said, share in (("all", 1.0), ("half", 0.5), ("none", 0.0), ("wrong", -1.0)):
        market = tasks.service(task)
        for window, desk in zip(market.windows, market.desks, strict=True):
            for made in range(tasks.bars):
                best = tasks.optimum.choose(made, window.states[made], desk.portfolio.weights)
                desk.rebalance((share * best).tolist())
        grade = tasks.grade(task, Submission(service=market.finish()), None)
        scores[said] = grade.score
    assert scores["all"] == 1.0
    assert scores["none"] <= 0.0
    assert 1 > scores["half"] > 0 > scores["wrong"]
    assert tasks.grade(task, tasks.gold(task), None).passed
