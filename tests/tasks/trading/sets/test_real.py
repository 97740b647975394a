"""Levels 4 to 6 on real bars: desks over several windows, other costs, corporate actions from a table."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mx_tasks import ServiceError, Submission, load_task_set
from mx_tasks.trading.grading.real_arenas import HISTORY, DatedArena
from mx_tasks.trading.imports.sources import History, read_actions, read_file
from mx_tasks.trading.market.bars import Bars, check_bars, close_only
from mx_tasks.trading.market.corporate import Action
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.errors import DataError, WindowError
from mx_tasks.trading.market.reruns import at_costs, returns_of, run_again, track
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Portfolio, make_market
from mx_tasks.trading.market.windows import Span, draw_folds
from mx_tasks.trading.sets.real_desks import RealDeskTasks


def walk(count: int = 1400, assets: int = 3, seed: int = 5) -> History:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (count, assets)), axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.003, (count, assets)))
    top, bottom = np.maximum(opened, close), np.minimum(opened, close)
    dates = np.datetime64("2010-01-04") + np.arange(count)
    volume = rng.uniform(1e8, 1e9, (count, assets))
    return History(Bars(dates, tuple("ABCDEFGH"[:assets]), opened, top, bottom, close, volume))


def desks(windows: int = 8, bars: int = 12, history: History | None = None, salt: str = "s") -> RealDeskTasks:
    arena = DatedArena("dated", history or walk(), "a test's", bars=bars, embargo=5)
    return RealDeskTasks(arena, windows=windows, salt=salt, count=lambda windows, tried: 1)


def play(tasks: RealDeskTasks, decide: Any, index: int = 0) -> Any:
    task = tasks.task("test", index)
    series = tasks.service(task)
    while series.call("account", {})["left"]:
        series.call("rebalance", {"weights": decide(series)})
    return tasks.grade(task, Submission(service=series.finish()), None)  # type: ignore[arg-type]


def test_a_desk_trades_eight_windows_in_the_order_of_time() -> None:
    tasks = desks()
    task = tasks.task("test", 0)
    series = tasks.service(task)
    assert len(series.windows) == 8
    dates = [window.market.bars.dates for window in series.windows]
    for one, two in itertools.pairwise(dates):
        assert one[-1] < two[HISTORY + 1], "a window is over before the next one is decided on"
    account = series.call("account", {})
    assert (account["left"], account["window"], account["windows"]) == (96, 1, 8)
    bars = []
    while account["left"]:
        assert f"Bar {account['bar']}, {account['left']} left" in series.call("question", {})
        bars.append(account["bar"])
        account = series.call("rebalance", {"weights": [0.2, 0.3, 0.1]})
    assert bars == list(range(HISTORY, HISTORY + 96))
    with pytest.raises(ServiceError, match="closed"):
        series.call("rebalance", {"weights": [0, 0, 0]})
    state = series.finish()
    assert len(state["windows"]) == 8
    assert len(state["values"]) == len(state["dates"]) == len(state["benchmark"]) == 97
    assert (np.diff(np.array(state["dates"], dtype="datetime64[D]")) > 0).all(), "one shift for all windows"
    grown = np.prod([each["values"][-1] - each["liquidation"] for each in state["windows"]])
    assert state["values"][-1] == pytest.approx(grown, rel=1e-12)
    assert state["at costs"]["1"] == pytest.approx(state["values"], rel=1e-12)


def test_equal_weight_scores_nothing_and_so_do_constant_tracks_and_leverage() -> None:
    tasks = desks()
    assert abs(play(tasks, lambda series: [1 / 3] * 3).parts["excess"]) < 0.01
    idle = play(tasks, lambda series: [0, 0, 0])
    assert idle.score == 0.0
    assert not idle.passed
    assert tasks.grade(tasks.task("test", 0), Submission(), None).score == 0.0  # type: ignore[arg-type]
    for cheat in tasks.cheats(tasks.task("test", 0)).values():
        assert tasks.grade(tasks.task("test", 0), cheat, None).score == 0.0  # type: ignore[arg-type]


def test_who_knows_what_comes_is_paid_and_a_window_forgets_what_was_known() -> None:
    """The control: with the next bar's move from open to close in hand the score is far above 0."""

    def knowing(series: Any) -> Any:
        desk: Desk = series.desk
        market = desk.market
        return (market.after[desk.row + 1] > 1).astype(float).tolist()

    grade = play(desks(), knowing)
    assert grade.parts["excess"] > 3
    assert grade.score == 1.0
    assert grade.passed


def test_tracks_at_other_costs_are_those_of_a_market_with_those_costs() -> None:
    """The decisions of a log, run by hand through markets made with none and twice the costs."""
    bars = walk(80).bars
    costs = Costs(commission=0.001, half_spread=0.002, impact=0.3, borrow=0.03, interest=0.02, margin=0.05)
    rules = Rules(min_weight=-0.5, max_gross=1.4)
    rng = np.random.default_rng(1)
    desk = Desk(make_market(bars, costs, rules), 20)
    wanted: list[Any] = [rng.normal(0, 0.6, 3).tolist() for _ in range(59)]
    wanted[10], wanted[30] = None, [float("nan")] * 3  # a fault keeps the last target
    for each in wanted[:50]:
        desk.rebalance(each)
    state = desk.finish()  # the last nine bars without a trade
    for factor in (0, 1, 2):
        portfolio = Portfolio.start(make_market(bars, costs.times(factor), rules))
        values = [1.0]
        for number in range(59):
            if number < 50:
                portfolio.step(21 + number, np.array(state["edited"][number]))
            else:
                held = portfolio.position * portfolio.market.before[21 + number]
                portfolio.step(21 + number, held / (portfolio.cash + held.sum()))
            values.append(float(portfolio.value))
        values[-1] -= float(portfolio.liquidation(79))
        assert state["at costs"][str(factor)] == pytest.approx(values, rel=1e-12)
    actual = [*state["values"][:-1], state["values"][-1] - state["liquidation"]]
    assert state["at costs"]["1"] == pytest.approx(actual, rel=1e-12)
    ends = [state["at costs"][str(factor)][-1] for factor in (0, 1, 2)]
    assert ends[0] > ends[1] > ends[2]
    assert returns_of(state, 2) == pytest.approx(track(state["at costs"]["2"]))


def test_a_grade_reports_the_score_at_none_one_and_two_times_the_costs() -> None:
    rng = np.random.default_rng(3)
    parts = play(desks(), lambda series: rng.dirichlet(np.ones(3)).tolist()).parts
    assert parts["return 0x"] > parts["return 1x"] > parts["return 2x"]
    assert parts["score 0x"] == parts["score 1x"] == parts["score 2x"] == 0.0
    assert {"sharpe", "sortino", "drawdown", "calmar", "turnover", "cost drag", "exposure"} <= set(parts)
    assert 0 < parts["exposure"] < 1.05  # costs are paid from cash
    assert parts["certain"] == 0.0
    assert parts["chance"] == 1.0


def test_folds_are_purged_apart_and_inside_the_split() -> None:
    for seed in range(20):
        folds = draw_folds(Span(100, 500), 8, 40, 25, 5, np.random.default_rng(seed), apart=True)
        assert len(folds) == 8
        for past, test in folds:
            assert 100 <= past.start < past.stop == test.start - 5
            assert test.stop <= 500
        tests = [test for _, test in folds]
        assert all(one.stop <= two.start for one, two in itertools.pairwise(tests))
    crowded = draw_folds(Span(0, 120), 8, 40, 25, 5, np.random.default_rng(0), apart=False)
    assert len({test.start for _, test in crowded}) == 8
    with pytest.raises(WindowError, match="too few for 8 windows of 25"):
        draw_folds(Span(0, 120), 8, 40, 25, 5, np.random.default_rng(0), apart=True)
    with pytest.raises(WindowError, match="purge is 0 to 59"):
        DatedArena("dated", walk(), "a test's", purge=60)


def test_no_window_of_a_split_touches_another_split() -> None:
    history = walk()
    seen: dict[str, set[float]] = {}
    for split in ("train", "validation", "test"):
        tasks = desks(windows=8, bars=8, history=history)
        moves = set()
        for index in range(3):
            for window in tasks.hidden(tasks.task(split, index)):  # type: ignore[arg-type]
                close = window.market.bars.close
                moves |= {round(float(move), 9) for move in (close[1:] / close[:-1]).ravel()}
        seen[split] = moves
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]


FILE = """date,symbol,open,high,low,close,volume
2020-01-02,A,100,101,99,100,1000
2020-01-03,A,50,51,49,50,1000
2020-01-06,A,49,50,48,49,1000
2020-01-07,A,49.5,50,48,49,1000
2020-01-02,B,20,21,19,20.5,100
2020-01-03,B,20.5,22,20,21,100
"""
ACTIONS = "date,symbol,kind,value\n2020-01-03,A,split,2\n2020-01-06,A,dividend,1\n2020-01-06,B,delisting,21\n"


def test_actions_of_a_table_flow_into_a_market(tmp_path: Path) -> None:
    bars, actions = tmp_path / "bars.csv", tmp_path / "actions.csv"
    bars.write_text(FILE)
    actions.write_text(ACTIONS)
    assert read_actions(actions)[0] == Action("2020-01-03", "A", "split", 2.0)
    history = read_file(bars, actions)
    assert history.bars.count == 4
    assert np.isnan(history.bars.close[2:, 1]).all()
    from mx_tasks.trading.market.corporate import action_table

    market = make_market(
        history.bars, Costs(half_spread=0.0), Rules(), action_table(history.bars, history.actions)
    )
    portfolio = Portfolio.start(market)
    portfolio.step(1, np.array([0.5, 0.5]))  # bought at 50 and 20.5, after the split
    step = portfolio.step(2, np.array([0.0, 0.0]))
    by_hand = 0.5 * (49 + 1) / 50 + 0.5 * 21 / 20.5
    assert step.value == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("date,symbol,value\n2020-01-03,A,2\n", "no column kind"),
        ("date,symbol,kind,value\n2020-01-03,A,split,two\n", "row 0"),
        ("date,symbol,kind,value\n2020-01-03,A,merger,2\n", "'merger' is none of"),
        ("date,symbol,kind,value\n2020-01-03,C,split,2\n", "no asset 'C'; there are A, B"),
        ("date,symbol,kind,value\n2020-01-04,A,split,2\n", "no bar of that date"),
        ("date,symbol,kind,value\n2020-01-03,A,split,-2\n", "no value for a split"),
    ],
)
def test_a_bad_table_of_actions_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    bars, actions = tmp_path / "bars.csv", tmp_path / "actions.csv"
    bars.write_text(FILE)
    actions.write_text(text)
    with pytest.raises(DataError, match=said):
        read_file(bars, actions)


def test_a_delisted_asset_needs_no_cells_after_its_end(tmp_path: Path) -> None:
    bars, actions = tmp_path / "bars.csv", tmp_path / "actions.csv"
    bars.write_text("date,X,Y\n2020-01-02,1,2\n2020-01-03,1.1,2.1\n2020-01-06,1.2,\n2020-01-07,1.3,\n")
    taken = read_file(bars)
    assert taken.actions == (Action("2020-01-06", "Y", "delisting", 2.1),)
    assert "Y ends before 2020-01-06, sold at its last close 2.1" in taken.said[3]
    actions.write_text("date,symbol,kind,value\n2020-01-06,Y,delisting,0.5\n")
    close = read_file(bars, actions).bars.close
    assert close[:, 0].tolist() == [1, 1.1, 1.2, 1.3]
    assert np.isnan(close[2:, 1]).all()


def test_padded_rows_are_refused() -> None:
    bars = walk(40).bars
    filled = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for name in ("open", "high", "low", "close"):
        filled[name][17, 1] = bars.close[16, 1]
    check_bars(replace(bars, **filled))  # it traded at that price
    filled["volume"][17, 1] = 0
    with pytest.raises(DataError, match=r"row 17 \(2010-01-21, B\): the row is padded"):
        check_bars(replace(bars, **filled))
    closes = bars.close.copy()
    closes[9] = closes[8]
    with pytest.raises(DataError, match=r"row 9 .*padded"):
        check_bars(close_only(bars.dates, bars.symbols, closes))
    one = bars.close[:, 0].copy()
    one[10:12] = one[9]
    check_bars(close_only(bars.dates, ("A",), one))  # a price may stand still for a day or two
    one[10:16] = one[9]
    with pytest.raises(DataError, match=r"row 14 .*padded"):
        check_bars(close_only(bars.dates, ("A",), one))


def test_aapl_of_2000_is_seen_raw_and_its_splits_cost_nobody() -> None:
    from mx_tasks.trading.imports.sources import load_source
    from mx_tasks.trading.market.corporate import action_table

    try:
        history = load_source("bokeh")
    except DataError as error:
        pytest.skip(str(error))
    bars = history.bars
    apple = bars.symbols.index("AAPL")
    assert str(bars.dates[0]) == "2000-03-01"
    assert bars.close[0, apple] == 130.31
    market = make_market(bars, Costs(half_spread=0.0), Rules(), action_table(bars, history.actions))
    desk = Desk(market, 0)
    assert desk.observe()[0]["close"][apple] == 130.31
    only = np.eye(3)[apple].tolist()
    row = [str(date) for date in bars.dates].index("2000-06-21")
    while desk.row < row:
        desk.rebalance(only)
    assert bars.close[row - 1, apple] / bars.open[row, apple] > 1.7  # the raw price halves ...
    assert 0.9 < desk.values[-1] / desk.values[-2] < 1.15  # ... and nobody's wealth does
    by_hand = bars.close[row, apple] * 2 / bars.close[row - 1, apple]
    assert desk.values[-1] / desk.values[-2] == pytest.approx(by_hand, rel=1e-9)


def test_windows_of_a_history_in_which_assets_end() -> None:
    history = walk(1400)
    closes = {name: getattr(history.bars, name).copy() for name in ("open", "high", "low", "close", "volume")}
    for column in closes.values():
        column[1200:, 1] = np.nan
    date = str(history.bars.dates[1200])
    history = History(replace(history.bars, **closes), (Action(date, "B", "delisting", 10.0),))
    tasks = desks(history=history, bars=12)
    counts = [
        window.market.assets for index in range(4) for window in tasks.hidden(tasks.task("test", index))
    ]
    assert set(counts) == {2, 3}
    grade = play(tasks, lambda series: [1 / len(series.desk.market.bars.symbols)] * series.desk.market.assets)
    assert grade.parts["return 1x"] != 0
    assert (grade.parts["excess"] <= 1e-6, grade.score) == (True, 0.0)


def test_actions_reach_every_face() -> None:
    """A split, a dividend and a delisting: told on their day and not before, and no move of the price in features."""
    from mx_envs.market.portfolio import PortfolioEnv
    from mx_tasks.trading.grading.programs import play_program
    from mx_tasks.trading.market.corporate import action_table
    from mx_tasks.trading.market.features import market_features

    bars = walk(60).bars
    halved = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
    for column in halved.values():
        column[30:, 0] /= 2
    bars = replace(bars, **halved)
    dates = [str(date) for date in bars.dates]
    actions = [
        Action(dates[30], "A", "split", 2.0),
        Action(dates[35], "B", "dividend", 1.5),
        Action(dates[40], "C", "delisting", 50.0),
    ]
    market = make_market(bars, Costs(half_spread=0.0), Rules(), action_table(bars, actions))

    desk = Desk(market, 25)
    while desk.row < 30:
        assert all("split" not in bar for bar in desk.observe(100))
        assert "split" not in desk.question()
        desk.rebalance([0.3, 0.3, 0.3])
    assert desk.observe()[0]["split"] == {"A": 2.0}
    question = desk.question()
    assert "Before the open: split {'A': 2.0}." in question
    assert "-5" not in question.split("A: close")[1].split(",")[3]
    while desk.row < 41:
        desk.rebalance([0.3, 0.3, 0.3])
    seen = {bar["bar"]: bar for bar in desk.observe(100)}
    assert seen[35]["dividend"] == {"B": 1.5}
    assert seen[40]["delisted"] == ["C"]
    assert seen[41]["close"][2] is None
    assert "C: delisted" in desk.question()
    while desk.left:
        desk.rebalance([0.3, 0.3, 0.3])
    by_hand = [
        2 * bars.close[-1, 0] / bars.close[25, 0],
        bars.close[-1, 1] / bars.close[25, 1] * (1 + 1.5 / bars.close[35, 1]),
        50.0 / bars.close[25, 2],
    ]
    assert desk.finish()["benchmark"][-1] == pytest.approx(
        np.mean(by_hand), rel=0.02
    )  # dividends not reinvested at once

    assert np.abs(np.diff(market_features(market)[:, 0])[28:32]).max() < 6
    env = PortfolioEnv(data=market, bars=30)
    env.reset(seed=0, options={"start": 25})
    rewards = [env.step(np.array([1.0, 0, 0], np.float32))[1] for _ in range(10)]
    assert min(rewards) > -0.1, "a split is no loss"

    sent: list[Any] = []

    class Host:
        def session(self, *_: Any, **__: Any) -> Host:
            return self

        def send(self, frame: Any) -> None:
            sent.append(frame)

        def receive(self) -> Any:
            return {"ready": True} if len(sent) == 1 else {"w": [0.3, 0.3, 0.3]}

        def close(self) -> None:
            return None

    play_program(b"", market, 32, Host(), purge=4)  # type: ignore[arg-type]
    assert sent[0]["happened"] == {}
    assert sent[1]["happened"] == {"1": {"split": [2.0, 1.0, 1.0], "dividend": [0.0, 0.0, 0.0]}}
    assert sent[4]["dividend"] == [0.0, 1.5, 0.0]


def test_the_numeric_face_reads_a_file_by_name(tmp_path: Path) -> None:
    from mx_envs.market.portfolio import PortfolioEnv

    path = tmp_path / "mine.csv"
    path.write_text(
        "date,X,Y\n"
        + "".join(f"{np.datetime64('2020-01-06') + day},{10 + day},{20 - day / 9}\n" for day in range(60))
    )
    env = PortfolioEnv(data=str(path), bars=20)
    env.reset(seed=0)
    assert env.market.rules.fill == "next_close"
    assert sum(env.step(np.array([1.0, 0.0], np.float32))[1] for _ in range(20)) > 0
    with pytest.raises(DataError, match="there is no file"):
        PortfolioEnv(data=str(tmp_path / "nothing.csv"))


@pytest.mark.parametrize(
    "name", ["trading:real", "trading:dated", "trading:bootstrap", "trading:bootstrap-no-edge"]
)
def test_sets_of_a_users_own_file(name: str, tmp_path: Path) -> None:
    history = walk(1300)
    path = tmp_path / "mine.csv"
    lines = ["date," + ",".join(history.bars.symbols)]
    for date, row in zip(history.bars.dates, history.bars.close, strict=True):
        lines.append(f"{date}," + ",".join(f"{price:.6f}" for price in row))
    path.write_text("\n".join(lines))
    tasks: Any = load_task_set(f"{name}/{path}", salt="a test's")
    task = tasks.task("test", 0)
    assert tasks.find(task.id) == task
    assert "/" not in task.id
    assert load_task_set(tasks.name, salt="a test's").fingerprint == tasks.fingerprint, (
        "a run can be repeated by its name"
    )
    state = tasks.service(task).finish()
    assert not state["acted"]
    with pytest.raises(DataError, match="there is no file"):
        load_task_set(f"{name}/nothing.csv")
    with pytest.raises(DataError, match=r"no source 'boke'.*did you mean 'bokeh'"):
        load_task_set(f"{name}/boke")


def test_run_again_pads_a_ruined_track() -> None:
    close = np.r_[np.full(10, 100.0) + np.arange(10), np.full(10, 1.0) + 0.1 * np.arange(10)]
    bars = close_only(np.datetime64("2020-01-06") + np.arange(20), ("A",), close)
    values = run_again(make_market(bars, Costs(), Rules(fill="next_close")), 0, [[1.0]] * 19)
    assert len(values) == 20
    assert values[-1] == values[-5] < 0.05
    assert at_costs(make_market(bars, Costs(), Rules(fill="next_close")), 2).costs.half_spread == 0.001
