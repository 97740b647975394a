"""The scripted oracle and its opposite: the bounds between which every executor plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.errors import PolicyError
from mx_agents.policies import load_policy
from mx_sandboxes import Sandbox
from mx_tasks import load_task_set


def test_the_oracle_solves_everything_and_nothing_comes_of_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    config = BenchConfig(
        methods=("single", "reflect", "split"),
        tasks="software:micro,software:repair",
        split="test",
        episodes=2,
        seeds=1,
        executor="scripted:oracle,scripted:noop",
        budget=None,
        sandbox="auto",
    )
    bench = open_bench(config, tmp_path / "run")
    bench.begin()
    for outcome in bench.run(sandbox, 4):
        assert outcome.success == outcome.score == float(outcome.executor == "scripted:oracle")
    assert len(bench.outcomes) == 24


def test_an_oracle_without_a_task_says_so() -> None:
    with pytest.raises(PolicyError, match="has to know the task"):
        load_policy("scripted:oracle").act([{"messages": ({"role": "user", "content": "?"},)}])
    assert load_policy("scripted:noop").act([{"messages": ()}] * 2) == ["", ""]
    task_set = load_task_set("software:repair")
    task = task_set.task("train", 0)
    oracle = load_policy("scripted:oracle", about=(task_set, task))
    assert "```python" in oracle.act([{"messages": ({"role": "user", "content": task.prompt},)}])[0]
