"""A search makes no more executor calls than it was given, and sees the validation split alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.runs.folder import read_lines
from mx_sandboxes import Sandbox
from mx_tasks import load_task_set

MINE = """
import json
from pathlib import Path
from mx_agents.methods import FIXED_METHODS

GREEDY = "from mas import *\\ncoder = Agent('c', '%d')\\nfor _ in range(%d):\\n    coder.fresh()('more')\\nsubmit('x')"

class Greedy:
    '''Tries designs that ask as much as they can, side by side and one by one, for as long as it is let.'''
    def search(self, trial, rng):
        seen, number = [], 0
        for _ in range(6):
            designs = [GREEDY % (number + place, SIZE) for place in range(4)]
            number += 4
            seen.append(trial.scores(designs, trial.tasks[:3]))
        Path("seen.json").write_text(json.dumps([[task.id for task in trial.tasks], seen, trial.calls_left]))
        return FIXED_METHODS["single"]

class Counter:
    '''An executor that notes every question.'''
    def act(self, observations):
        with open("asked.txt", "a") as file:
            file.write("q\\n" * len(observations))
        return ["nothing" for _ in observations]
"""


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("calls", [1, 7, 40])
def test_a_search_never_exceeds_its_calls(
    sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, calls: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(MINE.replace("SIZE", str(size)))
    options: dict[str, Any] = {"episodes": 1, "seeds": 1, "budget": None, "split": "test", "sandbox": "auto"}
    config = BenchConfig(
        methods=("mine.py:Greedy",),
        tasks="software:micro",
        executor="mine.py:Counter",
        search_calls=calls,
        **options,
    )
    bench = open_bench(config, tmp_path / "run")
    bench.begin()
    (key,) = bench.searching
    bench.search(key, sandbox, 4)
    asked = len((tmp_path / "asked.txt").read_text().split())
    ids, seen, left = json.loads((tmp_path / "seen.json").read_text())
    assert 0 < asked <= calls
    assert asked == calls - left
    validation = load_task_set("software:micro")
    assert {validation.find(name).split for name in ids} == {"validation"}
    rows = read_lines(tmp_path / "run" / "trials.jsonl")
    assert sum(row["calls"] for row in rows) == asked
    played = [row for row in rows if not row.get("cut")]
    assert len(played) == sum(len(scores) for round_ in seen for scores in round_)
