"""Whole runs, tiny: from nothing to a report, resumed exactly, damaged, misconfigured."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from mx_agents.errors import UsageError
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.runs.folder import read_lines
from mx_agents.trainer.arm import learning_roles
from mx_agents.trainer.command import train
from mx_agents.trainer.config import TrainConfig, load_config, presets
from mx_agents.trainer.results import compare
from mx_tasks import TaskSetError


def run(folder: Path, backend: str = "auto", *, resume: bool = False, **options: Any) -> int:
    overrides = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    preset = None if resume else "smoke"
    return train(
        preset=preset,
        config=None,
        overrides=overrides,
        seeds=1,
        ablate=False,
        run=folder,
        resume=resume,
        sandbox=backend,
    )


def rows(folder: Path, name: str) -> list[dict[str, Any]]:
    return [
        {key: value for key, value in row.items() if key != "seconds"}
        for row in read_lines(folder / f"{name}.jsonl")
    ]


@pytest.fixture(scope="module")
def finished(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert run(folder, backend) == 0
    return folder


def test_a_run_leaves_its_records(finished: Path) -> None:
    assert [row["step"] for row in rows(finished, "metrics")] == [1, 2, 3]
    assert {row["split"] for row in rows(finished, "evaluation")} == {"validation", "test"}
    (tree, *_) = rows(finished, "trees")
    assert [len(design["executions"]) for design in tree["designs"]] == [2, 2]
    config = yaml.safe_load((finished / "config.yaml").read_text())
    assert config["train"]["tree"] == {"tasks": 2, "designs": 2, "executions": 2, "resample": 0}
    assert config["task_set"]["fingerprint"]
    assert len(json.loads((finished / "results.json").read_text())["rows"]) == 1
    assert "<html" in (finished / "report.html").read_text()
    assert list((finished / "seed-0" / "co-evolution" / "tensorboard").iterdir())


def test_a_run_is_the_same_wherever_its_programs_run(
    finished: Path, bubblewrap_or_skip: object, tmp_path: Path
) -> None:
    """The other run is in containers, where there is an engine."""
    assert run(tmp_path / "again", "bubblewrap") == 0
    for name in ("metrics", "evaluation", "trees", "test"):
        assert rows(tmp_path / "again", name) == rows(finished, name)


def test_a_run_that_was_stopped_goes_on_exactly(finished: Path, tmp_path: Path) -> None:
    """Throw away all that came after the second step, as a kill would have, and resume."""
    folder = tmp_path / "stopped"
    shutil.copytree(finished, folder)
    arm = folder / "seed-0" / "co-evolution"
    shutil.rmtree(arm / "checkpoints" / "step-000003")
    (arm / "test.jsonl").unlink()
    with (arm / "metrics.jsonl").open("a") as file:
        file.write('{"half a li')
    assert run(folder, resume=True) == 0
    for name in ("metrics", "evaluation", "trees", "test"):
        assert rows(folder, name) == rows(finished, name)
    final = "checkpoints/step-000003/executor.safetensors"
    assert (arm / final).read_bytes() == (finished / "seed-0" / "co-evolution" / final).read_bytes()


def test_a_run_can_be_made_longer(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "longer"
    shutil.copytree(finished, folder)
    before = rows(folder, "metrics")
    assert run(folder, resume=True, steps=4) == 0
    assert rows(folder, "metrics")[:3] == before
    assert [row["step"] for row in rows(folder, "metrics")] == [1, 2, 3, 4]
    assert yaml.safe_load((folder / "config.yaml").read_text())["train"]["steps"] == 4
    arm = folder / "seed-0" / "co-evolution"
    assert (arm / "test-after-3.jsonl").read_bytes() == (
        finished / "seed-0" / "co-evolution" / "test.jsonl"
    ).read_bytes()
    assert (arm / "test.jsonl").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"steps": 2}, "cannot be shortened to 2"), ({"seed": 3}, "steps=N"), ({"guide": "full"}, "new run")],
)
def test_a_resumed_run_changes_in_nothing_else(finished: Path, options: dict[str, Any], message: str) -> None:
    before = (finished / "config.yaml").read_bytes()
    with pytest.raises(UsageError, match=message):
        run(finished, resume=True, **options)
    assert (finished / "config.yaml").read_bytes() == before


def test_a_damaged_checkpoint_is_named(finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(finished, folder)
    arm = folder / "seed-0" / "co-evolution"
    (arm / "test.jsonl").unlink()
    weights = arm / "checkpoints" / "step-000003" / "designer.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UsageError, match=r"step-000003.*damaged.*designer\.safetensors"):
        run(folder, resume=True)


def test_resuming_a_finished_run_only_writes_its_report_again(finished: Path) -> None:
    before = rows(finished, "metrics")
    (finished / "report.html").unlink()
    assert run(finished, resume=True) == 0
    assert rows(finished, "metrics") == before
    assert (finished / "report.html").is_file()


@pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)  # peft, not ours
@pytest.mark.parametrize("lora_rank", [0, 4])
def test_a_model_from_a_folder_trains_whole_or_by_adapters(
    backend: str,
    policy: HuggingFacePolicy,
    tmp_path: Path,
    lora_rank: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    policy.save(tmp_path / "base")
    model = {
        "base": str(tmp_path / "base"),
        "lora_rank": lora_rank,
        "designer_tokens": 4,
        "executor_tokens": 4,
    }
    code = run(tmp_path / "run", backend, model=model, steps=1, evaluation_tasks=1, test_tasks=2)
    assert code == 1, "no design ran at all"
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"Nothing was learnt: all \d+ episodes were invalid, \d+ of them with: \w", said)
    assert run(tmp_path / "run", resume=True) == 1, "and says so each time"
    arm = tmp_path / "run" / "seed-0" / "co-evolution"
    assert [row["invalid"] for row in rows(arm, "metrics")] == [1.0]  # random weights write no Python
    saved = {file.name for file in (arm / "policies" / "designer").rglob("*.safetensors")}
    assert saved == ({"adapter_model.safetensors"} if lora_rank else {"model.safetensors"})


def test_a_model_that_is_not_there_is_named(backend: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no/such/model"):
        run(tmp_path / "run", backend, model={"base": "no/such/model"})


def test_a_trained_policy_can_be_played_from_its_folder(finished: Path) -> None:
    from mx_agents.policies import load_policy

    folder = finished / "seed-0" / "co-evolution" / "policies" / "executor"
    policy = load_policy(f"hf:{folder}")
    (answer,) = policy.act([{"messages": ({"role": "user", "content": "1. + a b"},)}])
    assert isinstance(answer, str)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["stepps=3"], r"'stepps'.*did you mean 'steps'"),
        (["tree.dezigns=3"], r"'tree\.dezigns'.*did you mean 'tree\.designs'"),
        (["steps=-1"], r"'steps' cannot be -1"),
        (["steps=many"], r"'steps' cannot be 'many'"),
        (["executor_credit=all"], r"executor_credit"),
        (["steps"], r"key=value"),
        (["steps.more=1"], r"'steps'"),
        (["steps=[1"], r"steps=\[1"),
    ],
)
def test_a_wrong_override_is_named(overrides: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_config("smoke", None, overrides)


def test_wrong_presets_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"'micr'.*did you mean 'micro'"):
        load_config("micr", None)
    with pytest.raises(UsageError, match="absent"):
        load_config(None, tmp_path / "absent.yaml")
    (tmp_path / "bad.yaml").write_text("{a: [")
    with pytest.raises(UsageError, match="not YAML"):
        load_config(None, tmp_path / "bad.yaml")
    (tmp_path / "good.yaml").write_text("steps: 7\ntree: {tasks: 3}\n")
    assert load_config(None, tmp_path / "good.yaml", ["tree.designs=5"]).tree.model_dump() == {
        "tasks": 3,
        "designs": 5,
        "executions": 4,
        "resample": 0,
    }


def test_nothing_is_written_when_something_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        run(tmp_path / "new", stepps=3)
    with pytest.raises(TaskSetError):
        run(tmp_path / "new", tasks="software:micra")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", presets())
def test_presets_are_valid(name: str) -> None:
    assert load_config(name, None).steps > 0


def test_stages_begin_with_the_executor_and_freeze_the_other_role() -> None:
    config = TrainConfig(stage_steps=2)
    learning = [sorted(learning_roles(config, "co-evolution", step)) for step in range(6)]
    assert learning == [["executor"]] * 2 + [["designer"]] * 2 + [["executor"]] * 2
    assert learning_roles(config, "frozen executor", 0) == {"designer"}
    assert learning_roles(TrainConfig(), "co-evolution", 0) == {"designer", "executor"}


def test_results_compare_the_first_arm_with_the_others() -> None:
    def row(arm: str, seed: int, task: int, passed: bool) -> dict[str, Any]:
        return {
            "arm": arm,
            "seed": seed,
            "task": str(task),
            "passed": passed,
            "score": float(passed),
            "calls": 2,
            "greedy_passed": passed,
        }

    found = [row("co-evolution", seed, task, task != 0) for seed in range(3) for task in range(10)]
    found += [row("frozen executor", seed, task, task == 0) for seed in range(3) for task in range(10)]
    results = compare(found, ["co-evolution", "frozen executor", "frozen designer"])
    assert [r["success"] for r in results["rows"]] == pytest.approx([0.9, 0.1])
    assert [r["arm"] for r in results["rows"]] == ["co-evolution", "frozen executor"]
    (difference,) = results["differences"]
    assert difference["mean"] == pytest.approx(0.8)
    assert difference["low"] < 0.8 < difference["high"]
    assert difference["interval_over"] == "seeds and tasks"
    one_seed = compare([each for each in found if each["seed"] == 0], ["co-evolution"])
    assert one_seed["rows"][0]["interval_over"] == "tasks only"
