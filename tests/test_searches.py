"""The example searches, unmodified, from their first trial to the test split: what they find beats what they began with."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.runs.folder import read_lines
from mx_sandboxes import Sandbox

EXAMPLES = Path(__file__).parents[1] / "examples"
DESIGNER = '''
import json, re

HEAD = "from mas import *\\nsolver = Agent('solver', 'Write Python.')\\n"
IDEAS = {
    "no agent at all": "from mas import *\\nsubmit('x')",
    "a mistake": HEAD + "submit(solver(task)",
    "each part on its own": HEAD + "submit(split(solver))",
    "drafts that are tested": HEAD + "submit(split(lambda part: best_of(solver, part, 3)))",
    "five votes": HEAD + "submit(vote(solver, task, 5))",
}

class Designer:
    """Has a few ideas, good and bad, and the next one whenever one is known to have been tried."""
    honours = set()

    def act(self, seen):
        return [self.answer([message["content"] for message in chat["messages"]]) for chat in seen]

    def answer(self, chat):
        assert "Agent(name, system" in chat[0]  # how designs are written
        known = chat[1]
        if "<modification>" in known:
            name = next((name for name in IDEAS if f"- {name} (" not in known), "five votes")
            return f"<modification>{name}</modification>\\n<workflow>\\n```python\\n{IDEAS[name]}\\n```\\n</workflow>"
        name = next((name for name in IDEAS if f'"name": "{name}"' not in known), None)
        if name is None:
            return "I have no more ideas."
        if "did not work" in chat[-1] and "a mistake" == name and "was never closed" in chat[-1]:
            return json.dumps({"name": name, "code": IDEAS[name] + ")"})
        return "Here it is: " + json.dumps({"thought": "why not", "name": name, "code": IDEAS[name]})
'''


def load(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def searched(name: str, folder: Path, sandbox: Sandbox, calls: int) -> tuple[dict[str, float], Any]:
    """The success of ``single`` and of the search's choice on the test split, and the bench."""
    (folder / "designer.py").write_text(DESIGNER)
    method = f"optimiser:{sys.executable} {EXAMPLES / name}.py"
    config = BenchConfig(
        methods=("single", method), tasks="software:micro", split="test", episodes=16, seeds=2, executor="scripted",
        budget=None, sandbox="bubblewrap", search_calls=calls, designer=f"{folder}/designer.py:Designer",
    )  # fmt: skip
    bench = open_bench(config, folder / "run")
    bench.begin()
    list(bench.run(sandbox, 8))
    return {row.method.partition(":")[0]: row.success.mean for row in bench.finish()}, bench


@pytest.mark.parametrize(("name", "calls"), [("search_aflow", 9000), ("search_adas", 9000)])
def test_a_search_finds_the_better_design_and_the_test_score_shows_it(
    name: str, calls: int, tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    success, bench = searched(name, tmp_path, bubblewrap_or_skip, calls)
    assert success["optimiser"] > success["single"] + 0.2
    (choice,) = read_lines(tmp_path / "run" / "choices.jsonl")
    assert "best_of" in choice["design"]
    trials = read_lines(tmp_path / "run" / "trials.jsonl")
    asked = read_lines(tmp_path / "run" / "designer.jsonl")
    assert sum(row["calls"] for row in trials) + len(asked) <= calls
    assert {row["task"].rsplit("-", 1)[0] for row in trials} == {"micro-0-validation"}
    assert len({row["design_hash"] for row in trials}) >= 5
    shown = json.dumps([row["messages"] for row in asked])
    assert not any(task in shown for task in bench.task_ids["software:micro"])


@pytest.mark.parametrize("name", ["search_aflow", "search_adas"])
def test_a_search_whose_calls_end_hands_in_the_best_so_far(
    name: str, tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    searched(name, tmp_path, bubblewrap_or_skip, 700)
    trials = read_lines(tmp_path / "run" / "trials.jsonl")
    assert sum(row["calls"] for row in trials) + len(read_lines(tmp_path / "run" / "designer.jsonl")) <= 700
    assert read_lines(tmp_path / "run" / "choices.jsonl")


def test_parents_are_drawn_as_aflow_draws_them() -> None:
    """Figures of the authors' ``_compute_probabilities`` (scores in per cent, alpha 0.2, lambda 0.3)."""
    aflow = load("search_aflow")
    assert aflow.probabilities([70.0]) == pytest.approx([1.0])
    assert aflow.probabilities([50.0, 50.0]) == pytest.approx([0.5, 0.5])
    assert aflow.probabilities([90.0, 80.0, 0.0]) == pytest.approx([0.71655794, 0.18344205, 0.1], abs=1e-6)
    nodes = [{"score": score, "place": place} for place, score in enumerate([0.1, 0.9, 0.2, 0.8, 0.7, 0.95])]
    assert [node["place"] for node in aflow.candidates(nodes)] == [5, 1, 3, 0]


def test_aflow_ends_when_its_best_three_have_not_moved() -> None:
    aflow = load("search_aflow")
    moving = [{"score": score / 10} for score in range(9)]
    assert not aflow.unmoved(moving)
    assert not aflow.unmoved([*moving, *[{"score": 0.0}] * 4])
    assert aflow.unmoved([*moving, *[{"score": 0.0}] * 5])
