"""The ladder's worlds: optima that hold in simulation, scores that luck cannot buy, markets that nobody can rebuild."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mx_tasks import ServiceError, Submission, load_task_set
from mx_tasks.trading.market.desk import Desk, read_weights
from mx_tasks.trading.market.errors import TradingError
from mx_tasks.trading.market.worlds import WORLDS, load_world, optimum_of

SETS = [f"trading:{name}" for name in WORLDS]


def make(name: str, **options: Any) -> Any:
    return load_task_set(name, salt="a test's", **options)


def play(tasks: Any, index: int, decide: Any) -> Any:
    task = tasks.task("test", index)
    desk = tasks.service(task)
    while desk.left:
        desk.rebalance(decide(desk))
    return tasks.grade(task, Submission(service=desk.finish()), None)


MEAN_REVERSION = make("trading:mean-reversion")


@pytest.mark.parametrize("name", [name for name in WORLDS if len(load_world(name).symbols) == 1])
def test_the_optimum_earns_what_it_says(name: str) -> None:
    optimum = optimum_of(name, 30)
    world = optimum.world
    earned = []
    for number in range(150):
        states, returns = world.path(np.random.default_rng(number), 31)
        held, growth = 0.0, 0.0
        for made in range(30):
            target = optimum.best(made, states[made], held)
            factor = 1 - world.costs.trade * abs(target - held) + target * returns[made + 1]
            growth += np.log(factor)
            held = target * (1 + returns[made + 1]) / factor
        earned.append(growth + np.log1p(-world.costs.trade * abs(held)) - optimum.value(states[0]))
    assert abs(np.mean(earned)) < 3 * np.std(earned) / len(earned) ** 0.5 + 1e-9


def test_greedy_trading_falls_short_where_trading_costs() -> None:
    optimum = optimum_of("mean-reversion", 30)
    assert optimum.shortfall(0, -1.0, 0.0, 1.0) > 0 or optimum.best(0, -1.0, 0.0) == 1.0
    assert optimum.best(0, 6.0, 0.0) == -1.0
    assert optimum.shortfall(0, 0.0, 0.0, 1.0) > 0.001


@pytest.mark.parametrize("name", SETS)
def test_the_best_decisions_score_one_and_idling_zero(name: str) -> None:
    tasks = make(name)
    for index in range(4):
        task = tasks.task("test", index)
        assert tasks.grade(task, Submission(), None).score == 0.0
        idle = play(tasks, index, lambda desk: [0.0] * desk.market.assets)
        assert (
            idle.score == 0.0 or name == "trading:regime"
        )  # a task that is bad throughout is rare, and drawn anew
        if hasattr(tasks, "gold"):
            grade = tasks.grade(task, tasks.gold(task), None)
            assert grade.score == 1.0
            assert grade.passed


def test_where_nothing_can_be_earned_every_trade_loses() -> None:
    tasks = make("trading:no-edge")
    rng = np.random.default_rng(0)
    lucky = [play(tasks, index, lambda desk: [float(rng.random())]) for index in range(12)]
    assert all(grade.score < 0 and not grade.passed for grade in lucky)
    assert any(grade.parts["realised return"] > 0 for grade in lucky)  # luck there was
    assert play(tasks, 0, lambda desk: [0.0]).passed


def test_noise_and_the_wrong_way_round_are_paid_nothing() -> None:
    tasks = make("trading:regime")
    rng = np.random.default_rng(0)
    noise = np.mean([play(tasks, index, lambda desk: [float(rng.random())]).score for index in range(12)])
    wrong = np.mean(
        [
            play(tasks, index, lambda desk: [float(desk.observe()[0]["regime"] < 0)]).score
            for index in range(12)
        ]
    )
    assert noise < 0.1
    assert wrong < 0


def test_salts_make_worlds_apart_and_equal_salts_equal_ones() -> None:
    first, again, other = (
        make("trading:regime"),
        make("trading:regime"),
        load_task_set("trading:regime", salt="x"),
    )
    task = first.task("train", 3)
    bars = [json.dumps(tasks.service(task).observe(60)) for tasks in (first, again, other)]
    assert bars[0] == bars[1] != bars[2]
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert "a test's" not in repr(task)


def test_the_host_keeps_its_salt(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MX_SALT", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first, again = load_task_set("trading:regime"), load_task_set("trading:regime")
    assert first.fingerprint == again.fingerprint
    assert (tmp_path / "mx-envs" / "salt").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("MX_SALT", "another")
    assert load_task_set("trading:regime").fingerprint != first.fingerprint
    monkeypatch.delenv("MX_SALT")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    with pytest.raises(TradingError, match="MX_SALT"):
        _ = load_task_set("trading:regime").fingerprint


def test_a_desk_shows_no_bar_before_its_time() -> None:
    tasks = make("trading:regime")
    desk: Desk = tasks.service(tasks.task("test", 0))
    for _ in range(3):
        seen = desk.observe(10_000)
        assert seen[-1]["bar"] == desk.row == len(seen) - 1
        desk.rebalance([0.5])
    with pytest.raises(ServiceError, match="1 or more"):
        desk.observe(0)
    with pytest.raises(ServiceError, match="it has observe"):
        desk.call("future", {})


def test_a_closed_market_takes_no_orders_and_an_unfinished_one_is_held_to_its_end() -> None:
    tasks = make("trading:regime")
    task = tasks.task("test", 0)
    desk = tasks.service(task)
    desk.rebalance([1.0])
    state = desk.finish()
    assert len(state["values"]) == tasks.bars + 1
    assert sum(cost > 1e-9 for cost in state["costs"]) == 1
    with pytest.raises(ServiceError, match="closed"):
        desk.rebalance([1.0])


@pytest.mark.parametrize(
    ("wanted", "weights"),
    [
        ([0.5, -1], [0.5, -1.0]),
        ({"B": 0.25}, [0.0, 0.25]),
        ("A: 0.5, B: -20%", [0.5, -0.2]),
        ('{"A": 0.5, "B": 0.1}', [0.5, 0.1]),
        ("I think so.\n0.1 0.2", [0.1, 0.2]),
        ([0.5], None),
        ([0.5, float("nan")], None),
        ([0.5, float("inf")], None),
        ([0.5, "x"], None),
        ([True, False], None),
        ([10**400, 0], None),
        ({"C": 1.0}, None),
        ("no", None),
        (None, None),
        ("0.1 0.2 0.3", None),
    ],
)
def test_weights_are_read_or_refused(wanted: object, weights: list[float] | None) -> None:
    found, fault = read_weights(wanted, ("A", "B"))
    assert (None if found is None else found.tolist()) == weights
    assert bool(fault) == (weights is None)


@given(
    wanted=st.one_of(st.text(), st.lists(st.floats()), st.dictionaries(st.text(), st.floats()), st.integers())
)
@settings(deadline=None, max_examples=40)
def test_nothing_that_a_script_sends_raises(wanted: object) -> None:
    desk = MEAN_REVERSION.service(MEAN_REVERSION.task("test", 0))
    account = desk.call("rebalance", {"weights": wanted})
    assert np.isfinite(account["value"])
    assert abs(account["weights"][0]) <= 1.1


def test_an_unknown_world_is_named() -> None:
    with pytest.raises(TradingError, match="no world 'moon'; there are: no-edge"):
        load_world("moon")
