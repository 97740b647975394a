"""Desks: a script that trades bar by bar with executors, the host's market, equal episodes on every backend."""

from __future__ import annotations

from typing import Any

import numpy as np
import pettingzoo
import pytest
from pettingzoo.test import api_test, parallel_api_test

from mx_envs import trading_v0
from mx_tasks import load_task_set

DESK = """from mas import *
trader = Agent("trader", "Answer with the weight.")
market.trade(lambda question: vote(trader, question, 2))
"""


def tasks(name: str = "regime") -> Any:
    return load_task_set(f"trading:{name}", salt="a test's", bars=4, windows=2)


def by_regime(observation: Any) -> str:
    return "1.0" if "regime +1" in observation["messages"][-1]["content"] else "0.0"


def test_a_desk_trades_and_is_scored(play: Any, sandbox: Any) -> None:
    env = trading_v0.env(tasks=tasks(), sandbox=sandbox)
    episode = play(env, DESK, by_regime, options={"index": 1}).episode
    assert episode.stop.value == "finished"
    assert episode.handed_in
    assert episode.calls == 2 * 8
    assert episode.grade.score > 0.99
    state = episode.submission.service
    assert len(state["intended"]) == len(state["edited"]) == len(state["filled"]) == 2 * 4
    assert "a test's" not in episode.to_json()


@pytest.mark.parametrize("name", ["pairs", "linear-quadratic"])
def test_desks_of_several_assets(name: str, play: Any, bubblewrap: Any) -> None:
    design = "from mas import *\nassets = market.account()['assets']\nmarket.trade(lambda question: [0.0] * len(assets))\n"
    episode = play(trading_v0.env(tasks=tasks(name), sandbox=bubblewrap), design).episode
    assert episode.stop.value == "finished"
    assert episode.grade.score <= 0.0
    assert not episode.grade.passed
    assert len(episode.submission.service["filled"][0]) == (2 if name == "pairs" else 3)


def test_a_desk_on_real_bars_over_eight_windows(play: Any, bubblewrap: Any, tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (1000, 2)), axis=0))
    rows = [f"{np.datetime64('2015-01-05') + day},{a:.4f},{b:.4f}" for day, (a, b) in enumerate(close)]
    (tmp_path / "mine.csv").write_text("\n".join(["date,X,Y", *rows]))
    real = load_task_set(f"trading:real/{tmp_path / 'mine.csv'}", salt="a test's", bars=3)
    real._count = lambda windows, tried: 1  # type: ignore[attr-defined]
    design = """from mas import *
seen = set()
while market.left:
    account = market.rebalance([0.5, 0.5])
    seen.add(account["window"])
    bar = market.observe(10**6)[-1]
    assert bar["bar"] == account["bar"]
print(sorted(seen), "X" in account["assets"])
"""
    episode = play(trading_v0.env(tasks=real, sandbox=bubblewrap), design).episode
    assert episode.log.strip() == "[1, 2, 3, 4, 5, 6, 7, 8] False"
    assert abs(episode.grade.parts["excess"]) < 0.01
    assert "mine" not in episode.submission.answer
    assert len(episode.submission.service["windows"]) == 8


def test_a_crash_in_the_middle_holds_on(play: Any, bubblewrap: Any) -> None:
    env = trading_v0.env(tasks=tasks(), sandbox=bubblewrap)
    episode = play(env, "from mas import *\nmarket.rebalance('all: 100%')\n1 / 0").episode
    assert episode.stop.value == "crashed"
    assert len(episode.submission.service["values"]) == 2 * 4 + 1
    assert episode.submission.service["edited"][0] == [1.0]
    assert not episode.grade.passed, "the second window was never traded"


def test_the_sandbox_never_holds_a_bar_to_come(play: Any, bubblewrap: Any) -> None:
    """Everything that a script can read says nothing of the bars to come: the files, its memory's own data, the frames."""
    design = """from mas import *
import os
seen = market.observe(10**6)
said = [open(os.path.join(d, f), errors='replace').read() for d, _, names in os.walk('.') for f in names if f.endswith('.json')]
print(len(seen), seen[-1]['bar'], 'close' in ''.join(said))
while market.left:
    market.rebalance(0)
    print(len(market.observe(10**6)))
"""
    env = trading_v0.env(tasks=tasks(), sandbox=bubblewrap)
    log = play(env, design).episode.log.split()
    first, second = (
        ["42", "43", "44", "41"],
        ["42", "43", "44", "45"],
    )  # a new window shows its own bars alone
    assert log == ["41", "40", "False", *first, *second]


@pytest.mark.filterwarnings(
    "ignore:.*NumPy array", "ignore:.*probably should be gymnasium", "ignore:.*has no option .options."
)
@pytest.mark.parametrize("name", ["regime", "no-edge"])
def test_conformance(name: str, bubblewrap: Any) -> None:
    api_test(trading_v0.raw_env(tasks=tasks(name), sandbox=bubblewrap), num_cycles=20)
    parallel_api_test(trading_v0.parallel_env(tasks=tasks(name), sandbox=bubblewrap), num_cycles=20)


@pytest.mark.skipif(not hasattr(pettingzoo, "make"), reason="this PettingZoo has no registry")
def test_the_registry_knows_it(bubblewrap: Any) -> None:
    env = pettingzoo.make("aec", "mx/Trading-v0", tasks="micro", sandbox=bubblewrap)
    env.reset(seed=0)
    assert "Trade each path" in env.last()[0]["messages"][-1]["content"]
    env.close()
