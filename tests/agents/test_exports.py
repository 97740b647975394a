"""Episodes in other tools' formats, and in the report."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from mx_agents.episodes import Job, play
from mx_agents.errors import UsageError
from mx_agents.policies import ScriptedPolicy
from mx_agents.report.page import episode_data
from mx_agents.runs.exports import export, patch_of, trajectory
from mx_envs import software_v0
from mx_sandboxes import Sandbox

DESIGN = """
from mas import *
coder = Agent('coder', 'You mend.', tools=('bash', 'view'))
coder(task)
critic = Agent('critic')
critic('Right?', graded=False)
submit()
"""


class Sampling:
    """A policy that tells its tokens."""

    tells_samples = True

    def __init__(self, answers: list[str]) -> None:
        self.answers = answers

    def act(self, observations: Any) -> list[str]:
        raise AssertionError("sample is asked")

    def sample(self, observations: Any) -> list[Any]:
        class Sample:
            prompt_ids, output_ids, log_probabilities = [1, 2], [3], [-0.5]

            def __init__(self, text: str) -> None:
                self.text = text

        return [Sample(self.answers.pop(0)) for _ in observations]


@pytest.fixture
def row(sandbox: Sandbox) -> dict[str, Any]:
    """An episode in which a tool changed a file."""
    call = {"name": "bash", "arguments": {"command": "echo '# new' >> lru_cache.py"}}
    answers = [f"I add.\n```tool\n{json.dumps(call)}\n```", "Done.", "LGTM"]
    job = Job("k", "lru-cache", 0, ScriptedPolicy([DESIGN]), Sampling(answers))
    [played] = play(iter([job]), lambda: software_v0.raw_env(tasks="repair", sandbox=sandbox), 1)
    episode = played.record.as_dict()
    for turn, sample in zip(episode["turns"], played.samples, strict=True):
        turn["tokens"] = {
            name: getattr(sample, name) for name in ("prompt_ids", "output_ids", "log_probabilities")
        }
    return {"method": "mine", "executor": "scripted", "repetition": 0, "episode": episode}


def test_a_trajectory_nests_the_executors_with_their_calls_results_and_tokens(row: dict[str, Any]) -> None:
    made = trajectory(row, "Mend it.")
    assert made["schema_version"] == "ATIF-v1.8"
    assert [step["message"] for step in made["steps"]] == ["Mend it.", DESIGN]
    coder, critic = made["subagent_trajectories"]
    references = made["steps"][1]["observation"]["results"][0]["subagent_trajectory_ref"]
    assert [each["trajectory_id"] for each in references] == [coder["trajectory_id"], critic["trajectory_id"]]
    assert [step["source"] for step in coder["steps"]] == ["system", "user", "agent", "agent"]
    acting = coder["steps"][2]
    assert acting["tool_calls"][0]["function_name"] == "bash"
    assert acting["observation"]["results"][0]["content"] == "exit code 0\n"
    assert acting["observation"]["results"][0]["source_call_id"] == acting["tool_calls"][0]["tool_call_id"]
    assert acting["metrics"]["completion_token_ids"] == [3]
    assert acting["metrics"]["logprobs"] == [-0.5]
    assert critic["agent"]["name"] == "critic"
    assert trajectory(row)["session_id"] == made["session_id"]
    if importlib.util.find_spec("harbor") is not None:  # its own models read it
        models = importlib.import_module("harbor.models.trajectories")
        models.Trajectory.model_validate(made)


def test_the_diff_is_in_predictions_and_in_the_report(row: dict[str, Any], tmp_path: Path) -> None:
    diff = row["episode"]["diff"]
    assert diff.startswith("--- a/lru_cache.py\n+++ b/lru_cache.py\n")
    assert "\n+# new\n" in diff
    assert patch_of(row["episode"]) == diff
    assert episode_data(row["episode"])["diff"] == diff
    (tmp_path / "episodes.jsonl").write_text(json.dumps(row) + "\n")
    assert export(tmp_path, "preds", tmp_path / "out") == 1
    [line] = (tmp_path / "out" / "preds.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "instance_id": "lru-cache",
        "model_name_or_path": "mine/scripted",
        "model_patch": diff,
    }
    export(tmp_path, "traj", tmp_path / "out")
    written = json.loads((tmp_path / "out" / "00000.traj.json").read_text())
    assert written["info"]["submission"] == diff
    assert [message["role"] for message in written["messages"][2:5]] == ["system", "user", "assistant"]
    export(tmp_path, "atif", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "00000.json").read_text())["extra"]["task"] == "lru-cache"


def test_a_diff_in_the_answer_is_a_patch_too() -> None:
    episode = {"diff": "", "submission": {"answer": "So:\n```diff\n--- a/x\n+++ b/x\n```\n"}}
    assert patch_of(episode) == "--- a/x\n+++ b/x\n"


def test_a_folder_without_episodes_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no episodes"):
        export(tmp_path, "atif", tmp_path)
