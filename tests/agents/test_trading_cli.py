"""``mx trading``: baselines on task sets beside the optimum, data looked at, a walk forward."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mx_agents.cli.app import app
from mx_tasks.trading.imports.sources import read_file
from mx_tasks.trading.market.errors import DataError, TradingError
from mx_tasks.trading.sets.scoreboard import MATCHED, OPTIMUM, scoreboard, walk


@pytest.fixture(autouse=True)
def _salted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MX_SALT", "a test's")
    monkeypatch.setenv("COLUMNS", "140")


@pytest.fixture
def bars(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (1100, 3)), axis=0))
    dates = np.datetime64("2012-01-02") + np.arange(1100)
    rows = (
        f"{date},{','.join(f'{price:.5f}' for price in row)}" for date, row in zip(dates, close, strict=True)
    )
    path = tmp_path / "mine.csv"
    path.write_text("\n".join(["date,X,Y,Z", *rows]))
    return path


@pytest.mark.parametrize("name", ["trading:regime", "trading:pairs", "trading:linear-quadratic"])
def test_no_baseline_beats_the_optimum(name: str) -> None:
    lines, about = scoreboard(name, tasks=3)
    found = {line.name: line for line in lines}
    assert found[OPTIMUM].score == 1.0
    assert "Optimum: score 1" in about
    assert found["cash"].score <= 0.0
    assert found["cash"].turnover == 0.0
    assert max(line.score for line in lines) == 1.0
    assert {"buy and hold", "1/N held", "1/N rebalanced", "momentum 12-1", "5-day reversal"} < set(found)
    assert {"average cross 20/100", "minimum variance", "inverse volatility", MATCHED} < set(found)
    assert found[MATCHED].turnover == pytest.approx(found[OPTIMUM].turnover, rel=0.25)
    for line in lines:
        assert line.returns[0] >= line.returns[1] >= line.returns[2]


def test_where_there_is_no_edge_every_baseline_but_cash_loses() -> None:
    lines, _ = scoreboard("trading:no-edge", tasks=3)
    assert all(line.score <= 0 for line in lines)
    assert {line.name for line in lines if line.score == 0} == {"cash", OPTIMUM}


def test_real_windows_have_no_optimum_and_equal_weight_is_their_zero(bars: Path) -> None:
    for name in (f"trading:real/{bars}", f"trading:strategy-real/{bars}"):
        lines, about = scoreboard(name, tasks=1)
        found = {line.name: line for line in lines}
        assert OPTIMUM not in found
        assert abs(found["1/N rebalanced"].score) < 1e-9
        assert "equal weight" in about
    with pytest.raises(TradingError, match="has no market to trade on"):
        scoreboard("trading:micro")


def test_the_commands(bars: Path, tmp_path: Path) -> None:
    run = CliRunner()
    done = run.invoke(app, ["trading", "baselines", "--tasks", "trading:regime", "--limit", "2"])
    assert done.exit_code == 0, done.output
    assert "the optimum" in done.output
    done = run.invoke(app, ["trading", "data", str(bars)])
    assert done.exit_code == 0, done.output
    assert "1100 bars, 2012-01-02 to" in done.output
    done = run.invoke(app, ["trading", "walk-forward", str(bars), "--train", "300", "--test", "100"])
    assert done.exit_code == 0, done.output
    assert "7 folds" in " ".join(done.output.split())
    bad = tmp_path / "bad.csv"
    bad.write_text("date,X\n2020-01-02,1\n2020-01-03,-1\n")
    done = run.invoke(app, ["trading", "data", str(bad)])
    assert isinstance(done.exception, DataError)
    assert "row 1" in str(done.exception)


def test_ppo_has_a_row_when_it_was_trained(tmp_path: Path) -> None:
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import PPO

    from mx_agents.sb3 import PortfolioVecEnv, saved_policies

    for seed in range(2):  # what it has learnt is not the matter here
        env = PortfolioVecEnv(2, world="regime", actions="discrete")
        PPO("MlpPolicy", env, seed=seed, n_steps=8, batch_size=16).save(tmp_path / f"regime-{seed}.zip")
    lines, _ = scoreboard(
        "trading:regime", tasks=2, more={"PPO": lambda world: saved_policies(tmp_path, world)}
    )
    line = next(line for line in lines if line.name == "PPO, 2 seeds")
    assert line.score <= 1.0
    lines, _ = scoreboard(
        "trading:pairs", tasks=1, more={"PPO": lambda world: saved_policies(tmp_path, world)}
    )
    assert not any(line.name.startswith("PPO") for line in lines)


def test_a_walk_forward_learns_nothing_from_its_tests(bars: Path) -> None:
    """Bars after a fold's training change what it earns, never what it chooses."""
    history = read_file(bars)
    folds = walk(history, 300, 100, 5).folds
    cut = history.bars.close.copy()
    cut[305:] = cut[305:][::-1]
    from dataclasses import replace

    turned = replace(history, bars=replace(history.bars, open=cut, high=cut, low=cut, close=cut))
    again = walk(turned, 300, 100, 5).folds
    assert (folds[0].rule, folds[0].before) == (again[0].rule, again[0].before)
    assert folds[0].after != again[0].after
