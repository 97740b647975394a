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
EARNING = [name for name in SETS if name != "trading:no-edge"]


def make(name: str, **options: Any) -> Any:
    return load_task_set(name, salt="a test's", **options)


def play(tasks: Any, index: int, decide: Any) -> Any:
    task = tasks.task("test", index)
    market = tasks.service(task)
    while market.desk.left:
        wanted = decide(market.desk)
        if wanted is None:
            market.desk.hold()
        else:
            market.call("rebalance", {"weights": wanted})
    return tasks.grade(task, Submission(service=market.finish()), None)


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
def test_the_best_decisions_score_one_and_giving_up_nothing(name: str) -> None:
    tasks = make(name)
    for index in range(4):
        task = tasks.task("test", index)
        left = tasks.grade(task, Submission(), None)
        assert (left.score, left.passed, left.abstained) == (0.0, False, True)
        idle = play(tasks, index, lambda desk: [0.0] * desk.market.assets)
        if hasattr(tasks, "gold"):
            assert idle.score <= 0.0
            assert not idle.passed
            grade = tasks.grade(task, tasks.gold(task), None)
            assert grade.score == 1.0
            assert grade.passed
        else:
            assert (idle.score, idle.passed) == (0.0, True), "staying out is the optimum there"


def once(weights: Any) -> Any:
    """Take the position at a window's first bar and keep it."""
    return lambda desk: None if desk.edited else list(weights)


@pytest.mark.parametrize("name", EARNING)
def test_no_position_that_is_kept_scores(name: str) -> None:
    """Attack: long where one regime lasts is the optimum itself, without a look. Whatever is kept, in no task is it paid."""
    tasks = make(name)
    kept = tasks.world.kept
    rng = np.random.default_rng(0)
    few = [*kept[rng.permutation(len(kept))[:5]], kept[0], kept[-1], np.zeros(kept.shape[1])]
    for index in range(6):
        grades = [play(tasks, index, once(weights)) for weights in few]
        assert max(grade.score for grade in grades) <= 1e-9
        assert not any(grade.passed for grade in grades)
    assert any(play(tasks, index, once(weights)).score > -0.9 for index in range(3) for weights in few), (
        "the control: not all are cut off at the worst score"
    )


@pytest.mark.parametrize("name", EARNING)
def test_a_size_between_and_a_position_brought_back_at_each_bar_gain_next_to_nothing(name: str) -> None:
    """Variants of a kept position that are not among those measured from."""
    tasks = make(name)
    kept, rng = tasks.world.kept, np.random.default_rng(1)
    for index in range(4):
        for _ in range(3):
            size, weights = rng.uniform(0.02, 1.0), kept[rng.integers(len(kept))]
            assert play(tasks, index, once(size * weights)).score <= 0.02
            assert play(tasks, index, lambda desk, each=weights: each.tolist()).score <= 0.02


def turning(first: Any, second: Any, bar: int) -> Any:
    return lambda desk: first if not desk.edited else second if len(desk.edited) == bar else None


@pytest.mark.parametrize("name", ["trading:regime", "trading:hidden-regime", "trading:mean-reversion"])
def test_who_turns_at_a_set_bar_or_plans_by_windows_passes_nothing(name: str) -> None:
    """Attack: of a stretch on which the market turns once, a turn at a set bar is right by chance."""
    tasks = make(name)
    low = [-1.0] if tasks.world.rules.min_weight < 0 else [0.0]
    rules = [turning(*sides, bar) for bar in (1, 3, 4, 6) for sides in (([1.0], low), (low, [1.0]))]
    for odd in (0, 1):
        rules.append(
            lambda desk, odd=odd: None if desk.edited else [1.0] if (desk.offset // 8) % 2 == odd else low
        )
    grades = [play(tasks, index, rule) for rule in rules for index in range(12)]
    assert np.mean([grade.passed for grade in grades]) <= 0.03
    assert np.mean([grade.score for grade in grades]) <= 0


def test_who_infers_what_is_hidden_stands_between_blind_rules_and_the_optimum() -> None:
    """The other error: skill that is not perfect is paid for what it is."""
    tasks = make("trading:hidden-regime")

    def infers(desk: Desk, least: float) -> list[float] | None:
        close, chance = desk.market.bars.close[: desk.row + 1, 0], 0.5
        for rose in close[1:] > close[:-1]:
            good, bad = (0.65, 0.35) if rose else (0.35, 0.65)
            chance = chance * good / (chance * good + (1 - chance) * bad)
            chance = 0.97 * chance + 0.03 * (1 - chance)
        return None if abs(chance - 0.5) < least else [float(chance > 0.5)]

    def rising(desk: Desk, bars: int = 5) -> list[float]:
        close = desk.market.bars.close[:, 0]
        return [float(close[desk.row] > close[desk.row - bars])]

    mean = {
        said: np.mean([play(tasks, index, rule).score for index in range(16)])
        for said, rule in (
            ("filter", lambda desk: infers(desk, 0.1)),
            ("cost-blind filter", lambda desk: infers(desk, 0.0)),
            ("momentum", rising),
            ("long", once([1.0])),
        )
    }
    assert 1 > mean["filter"] > mean["cost-blind filter"] > mean["momentum"] > 0.1 > 0 > mean["long"]
    assert mean["filter"] > 0.9


def test_windows_that_can_tell_no_skill_are_one_error_with_a_way_out() -> None:
    tasks = make("trading:regime", bars=1, windows=1)
    with pytest.raises(TradingError, match=r"in 1 windows of 1 bars of regime .* give more windows or bars"):
        tasks.service(tasks.task("test", 0))
    long = make("trading:regime", bars=30, windows=2)
    assert long.grade(long.task("test", 0), long.gold(long.task("test", 0)), None).score == 1.0


def test_an_unanswered_window_never_passes() -> None:
    """Attack: trade where the market is plain, walk off before the rest. A window without a decision is cash, and no success."""
    tasks = make("trading:no-edge")
    task = tasks.task("test", 0)
    market = tasks.service(task)
    market.call("rebalance", {"weights": [0.0]})
    grade = tasks.grade(task, Submission(service=market.finish()), None)
    assert (grade.score, grade.passed) == (0.0, False)


def test_where_nothing_can_be_earned_every_trade_loses() -> None:
    tasks = make("trading:no-edge")
    rng = np.random.default_rng(0)
    lucky = [play(tasks, index, lambda desk: [float(rng.random())]) for index in range(12)]
    assert all(-1 < grade.score < 0 and not grade.passed for grade in lucky)
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
    seen = {"n": 60}
    bars = [json.dumps(tasks.service(task).call("observe", seen)) for tasks in (first, again, other)]
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
    desk: Desk = tasks.service(tasks.task("test", 0)).desk
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
    market = tasks.service(task)
    market.call("rebalance", {"weights": [1.0]})
    state = market.finish()
    assert len(state["values"]) == tasks.windows * tasks.bars + 1
    first = state["windows"][0]
    assert sum(cost > 1e-9 for cost in first["costs"]) == 1
    assert [sum(each["costs"]) for each in state["windows"][1:]] == [0.0] * (tasks.windows - 1)
    with pytest.raises(ServiceError, match="closed"):
        market.call("rebalance", {"weights": [1.0]})


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
    market = MEAN_REVERSION.service(MEAN_REVERSION.task("test", 0))
    account = market.call("rebalance", {"weights": wanted})
    assert np.isfinite(account["value"])
    assert abs(account["weights"][0]) <= 1.1


def test_an_unknown_world_is_named() -> None:
    with pytest.raises(TradingError, match="no world 'moon'; there are: no-edge"):
        load_world("moon")
