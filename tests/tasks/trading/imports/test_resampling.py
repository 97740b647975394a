"""Bars that cannot be looked up: their statistics are the history's, their order and numbers are nobody's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission, load_task_set
from mx_tasks.trading.cheats.lookup import identified, moves, program, public_histories
from mx_tasks.trading.grading.real_arenas import PAST, DatedArena, ResampledArena
from mx_tasks.trading.imports.resampling import HORIZONS, Effect, Resampler
from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import Array, Bars, check_bars, close_only
from mx_tasks.trading.market.errors import DataError, TradingError
from mx_tasks.trading.market.windows import Span
from mx_tasks.trading.sets.strategies import StrategyTasks


def history(count: int = 1600, assets: int = 3, seed: int = 3) -> History:
    """Bars with fat tails, clustered volatility, a common factor and volumes, as a stand-in for public ones."""
    rng = np.random.default_rng(seed)
    turbulence = np.exp(
        0.5 * np.convolve(rng.normal(0, 0.3, count + 40), np.exp(-np.arange(41) / 15), "valid")
    )
    common = rng.standard_t(5, (count, 1))
    moved = 0.008 * turbulence[:, None] * (0.6 * common + 0.8 * rng.standard_t(5, (count, assets)))
    moved = np.clip(moved, -0.3, 0.3) * np.linspace(1.0, 1.6, assets)
    close = 100 * np.exp(np.cumsum(moved, axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.003, (count, assets)))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0, 0.004, (count, assets))))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0, 0.004, (count, assets))))
    dates = np.datetime64("2010-01-04") + np.arange(count)
    volume = rng.lognormal(14, 0.4, (count, assets))
    return History(Bars(dates, tuple("ABCDEFGH"[:assets]), opened, high, low, close, volume))


@pytest.fixture(scope="module")
def source() -> Resampler:
    return Resampler(history(), Span(0, 1600))


def returns(close: Array) -> Array:
    moved: Array = np.log(close[..., 1:, :] / close[..., :-1, :])
    return moved


def test_statistics_are_kept(source: Resampler) -> None:
    real = returns(history().bars.close)
    made = returns(source.draw_many(500, Effect(0.0, 1, 1), np.random.default_rng(0), 40)["close"])
    assert made.std(axis=(0, 1)) == pytest.approx(real.std(axis=0), rel=0.12)
    flat = made.reshape(-1, 3)
    assert np.corrcoef(flat.T) == pytest.approx(np.corrcoef(real.T), abs=0.12)
    assert (_kurtosis(flat) > 4).all()
    memory = np.mean([np.corrcoef(abs(path[1:, 0]), abs(path[:-1, 0]))[0, 1] for path in made])
    assert 0.03 < memory < 0.4, "volatility clusters"
    memory = np.mean([np.corrcoef(path[1:, 0], path[:-1, 0])[0, 1] for path in made])
    assert abs(memory) < 0.03, "and nothing else is remembered"
    drifts = np.expm1(flat).mean(axis=0)
    assert np.ptp(drifts) < 4 * real.std() / len(flat) ** 0.5, "no asset's own drift is told"


def _kurtosis(values: Array) -> Array:
    centred = values - values.mean(axis=0)
    found: Array = (centred**4).mean(axis=0) / (centred**2).mean(axis=0) ** 2
    return found


def test_bars_are_bars(source: Resampler) -> None:
    bars, expected = source.draw(200, Effect(0.4, 2, -1), np.random.default_rng(1))
    check_bars(bars)
    assert expected.shape == bars.close.shape
    assert (bars.close[0] == 100).all()
    assert bars.volume.min() > 0
    again, _ = source.draw(200, Effect(0.4, 2, -1), np.random.default_rng(1))
    assert (again.close == bars.close).all()
    assert (again.dates == bars.dates).all()


def test_closes_alone_are_resampled_too() -> None:
    bars = history().bars
    only = History(close_only(bars.dates, bars.symbols, bars.close), fill="next_close")
    made, _ = Resampler(only, Span(0, 900)).draw(120, Effect(0.2, 1, 1), np.random.default_rng(0))
    assert (made.open == made.close).all()


@pytest.mark.parametrize("horizon", HORIZONS)
@pytest.mark.parametrize("sign", [-1, 1])
def test_the_planted_effect_is_what_it_is_said_to_be(source: Resampler, horizon: int, sign: int) -> None:
    drawn = source.draw_many(400, Effect(0.4, horizon, sign), np.random.default_rng(2), 30)
    moved, expected = returns(drawn["close"]), drawn["expected"][:, 1:]
    told = np.corrcoef(expected.ravel(), moved.ravel())[0, 1]
    assert told > 0.1, "what is expected comes"
    slope = (expected * moved).sum() / (expected**2).sum()
    assert slope == pytest.approx(1.0, abs=0.25)
    assert np.abs(expected.mean(axis=2)).max() < 0.05, "and tells nothing of all assets together"


def test_too_few_bars_are_one_clear_error() -> None:
    with pytest.raises(DataError, match="too few to resample; give 120 or more"):
        Resampler(history(), Span(0, 100))
    for edge in (-0.1, 1.1):
        with pytest.raises(TradingError, match="an edge is 0 to 1"):
            ResampledArena("real", history(), "a test's", edge=edge)


def test_windows_are_found_in_their_own_order_and_nowhere_else(source: Resampler) -> None:
    """The attack of a reader who has the public bars: correlation with every stretch of every series."""
    public = moves(history())
    bars = history().bars.close
    own = [identified(bars[start : start + 60] / bars[start], public) for start in range(100, 1500, 70)]
    assert np.mean(own) == 1.0, "the control"
    for edge in (0.0, 0.5):
        made = source.draw_many(60, Effect(edge, 2, 1), np.random.default_rng(4), 120)["close"]
        assert np.mean([identified(each, public) for each in made]) < 0.05


def strategies(arena: Any, windows: int) -> StrategyTasks:
    return StrategyTasks(arena, windows=windows, salt="s", count=lambda windows, tried: 1)


def graded(tasks: StrategyTasks, source: str, sandbox: Sandbox, index: int = 0) -> Any:
    return tasks.grade(tasks.task("test", index), Submission(files={"strategy.py": source.encode()}), sandbox)


def test_a_program_that_embeds_the_public_bars(sandbox: Sandbox) -> None:
    source = program(moves(history()), keep=420)
    dated = graded(strategies(DatedArena("dated", history(), "", bars=40), 4), source, sandbox)
    assert dated.score == 1.0, "the control: in their own order everything is known"
    for edge in (0.0, 0.5):
        arena = ResampledArena("real", history(), "", bars=40, edge=edge)
        grade = graded(strategies(arena, 4), source, sandbox)
        assert (grade.score, grade.passed) == (0.0, False), grade.log


MARTINGALE = """stake, wins = 1e-8, 0
def on_bar(bars, account):
    global stake, wins
    if account["left"] < LENGTH:
        up = sum(a / b for a, b in zip(bars.close[-1], bars.close[-2])) > len(bars.symbols)
        wins += up
        stake = stake if up else min(1.0, 4 * stake)
    return [stake / len(bars.symbols) * (wins < 3)] * len(bars.symbols)
"""


@pytest.mark.parametrize("kind", ["resampled", "dated"])
def test_a_bet_without_a_forecast_scores_nothing(kind: str, sandbox: Sandbox) -> None:
    arena: Any = (
        ResampledArena("real", history(), "", bars=40)
        if kind == "resampled"
        else DatedArena("dated", history(), "", bars=40)
    )
    for index in range(3):
        grade = graded(strategies(arena, 4), MARTINGALE.replace("LENGTH", "40"), sandbox, index)
        assert (grade.score, grade.passed) == (0.0, False), grade.log


LEARNER = """
def relative(bars):
    rows = [[b / a - 1 for a, b in zip(x, y)] for x, y in zip(bars.close, bars.close[1:])]
    n = len(rows[0])
    size = [(sum(row[i] ** 2 for row in rows) / len(rows)) ** 0.5 for i in range(n)]
    rows = [[x / s for x, s in zip(row, size)] for row in rows]
    return [[x - sum(row) / n for x in row] for row in rows]

def strength(rows, k):
    return [sum(row[i] for row in rows[-k:]) / k ** 0.5 for i in range(len(rows[0]))]

law = None
def fit(bars):
    global law
    rows = relative(bars)
    found = []
    for k in (1, 2, 3):
        total = size = 0.0
        for end in range(k, len(rows)):
            s = strength(rows[end - k:end], k)
            total += sum(a * b for a, b in zip(s, rows[end]))
            size += sum(a * a for a in s)
        found.append((abs(total) / size ** 0.5, k, 1 if total > 0 else -1))
    law = max(found)[1:]

def on_bar(bars, account):
    k, sign = law
    hopes = [sign * x for x in strength(relative(bars), k)]
    best, held = hopes.index(max(hopes)), account["weights"]
    now = held.index(max(held))
    if sum(held) > 0.5 and hopes[best] - hopes[now] < 0.4:
        best = now
    return [float(i == best) for i in range(len(hopes))]
"""


def test_who_learns_the_effect_is_found(sandbox: Sandbox) -> None:
    arena = ResampledArena("real", history(), "", bars=63, edge=0.6)
    scores = [graded(strategies(arena, 16), LEARNER, sandbox, index).score for index in range(3)]
    assert sum(score > 0 for score in scores) >= 2, scores


def test_programs_that_miss_a_window_have_given_up(sandbox: Sandbox) -> None:
    """Right where it answers, and silent in some windows, which it chooses by their first prices."""
    tasks = strategies(DatedArena("dated", history(), "", bars=40), 6)
    whole = program(moves(history()), keep=420)
    assert graded(tasks, whole, sandbox).score == 1.0
    head, _, rest = whole.partition("def on_bar(bars, account):\n")
    choosy = f"{head}def on_bar(bars, account):\n    assert int(bars.close[1][0] * 1e4) % 2\n{rest}"
    grade = graded(tasks, choosy, sandbox)
    assert "not answered" in grade.log
    assert (grade.score, grade.passed) == (0.0, False)


@pytest.mark.parametrize("kind", ["one asset", "a late listing and an end"])
def test_histories_of_every_shape(kind: str) -> None:
    from dataclasses import replace

    from mx_tasks.trading.market.bars import FIELDS
    from mx_tasks.trading.market.corporate import Action
    from mx_tasks.trading.sets.real_desks import RealDeskTasks

    made = history(assets=1 if kind == "one asset" else 4)
    if kind != "one asset":
        columns = {name: getattr(made.bars, name).copy() for name in FIELDS}
        for column in columns.values():
            column[:1300, 1] = np.nan
            column[1500:, 2] = np.nan
        end = Action(str(made.bars.dates[1500]), "C", "delisting", 90.0)
        made = History(replace(made.bars, **columns), (end,))
    arenas: list[Any] = [ResampledArena("real", made, "", bars=8), DatedArena("dated", made, "", bars=8)]
    for arena in arenas:
        tasks = RealDeskTasks(arena, windows=4, salt="s", count=lambda windows, tried: 1)
        for split in ("train", "test"):
            task = tasks.task(split, 0)  # type: ignore[arg-type]
            assert ("against the others" in task.prompt) == (kind != "one asset" and arena is arenas[0])
            series = tasks.service(task)
            while series.call("account", {})["left"]:
                count = len(series.call("account", {})["assets"])
                series.call("rebalance", {"weights": [1 / count] * count})
                series.call("question", {})
            grade = tasks.grade(task, Submission(service=series.finish()), None)  # type: ignore[arg-type]
            assert grade.score == 0.0, (arena.name, split)


def test_sets_say_what_they_are() -> None:
    if "bokeh" not in public_histories():
        pytest.skip("bokeh-sampledata is not installed")
    tasks: Any = load_task_set("trading:strategy-real", salt="s")
    task = tasks.task("test", 0)
    assert "resampled" in task.source
    assert "an order that never was" in task.prompt
    dated: Any = load_task_set("trading:strategy-dated", salt="s")
    assert "2000-03-01 to 2013" in dated.task("test", 0).source
    assert "in its own order" in dated.task("test", 0).source
    assert tasks.name != dated.name
    assert tasks.fingerprint != dated.fingerprint
    window = tasks.hidden(task)[0]
    assert window.first == PAST
