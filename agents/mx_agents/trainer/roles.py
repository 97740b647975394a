"""The two roles of a training run: a policy that acts and a learner that changes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from mx_agents.micro.model import ModelSize
from mx_agents.models.device import choose_device, choose_dtype
from mx_agents.models.folders import load_model, recompute_activations
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.trainer.cold_start import Progress, new_models, warm_start
from mx_agents.trainer.config import RoleConfig, TrainConfig
from mx_agents.trainer.learner import Learner, LearnerConfig
from mx_tasks import TaskSet

RoleName = Literal["designer", "executor"]


@dataclass(slots=True)
class Role:
    """One role."""

    policy: HuggingFacePolicy
    learner: Learner


@dataclass(frozen=True, slots=True)
class Roles:
    """Both roles."""

    designer: Role
    executor: Role

    def items(self) -> tuple[tuple[RoleName, Role], tuple[RoleName, Role]]:
        """Both with their names, designer first."""
        return ("designer", self.designer), ("executor", self.executor)


def build_roles(config: TrainConfig, task_set: TaskSet, progress: Progress) -> Roles:
    """Make both roles as the configuration says, warm-started where they are micro models.

    Raises UsageError when the base model cannot be loaded.
    """
    if config.model.base != "micro":
        return load_roles(config, config.model.base, config.model.base)
    shape = config.model
    size = ModelSize(shape.width, shape.layers, shape.heads, shape.feed_forward)
    models = new_models(task_set, config.seed, size, config.guide)
    warm_start(models, task_set, config.cold_start, config.seed, progress, config.guide)
    return _whole_model_roles(
        config, (models.designer, models.tokenizer), (models.executor, models.tokenizer)
    )


def load_roles(config: TrainConfig, designer: str | Path, executor: str | Path) -> Roles:
    """Roles on models in Hugging Face's format. Raises UsageError when one cannot be loaded."""
    if config.model.lora_rank:
        return _adapter_roles(config)
    return _whole_model_roles(config, _load(config, designer), _load(config, executor))


def _whole_model_roles(config: TrainConfig, designer: tuple[Any, Any], executor: tuple[Any, Any]) -> Roles:
    return Roles(
        designer=_role(config, "designer", *designer, list(designer[0].parameters())),
        executor=_role(config, "executor", *executor, list(executor[0].parameters())),
    )


def _adapter_roles(config: TrainConfig) -> Roles:
    """Roles that share one model, each with a LoRA adapter of its own."""
    from peft import LoraConfig, get_peft_model

    base, tokenizer = _load(config, config.model.base)
    rank, targets = config.model.lora_rank, config.model.lora_targets
    lora = LoraConfig(
        r=rank,
        lora_alpha=2 * rank if config.model.lora_alpha is None else config.model.lora_alpha,
        target_modules=targets if targets == "all-linear" else [name.strip() for name in targets.split(",")],
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = get_peft_model(base, lora, adapter_name="designer")
        model.add_adapter("executor", lora)
    parameters: dict[RoleName, list[torch.nn.Parameter]] = {"designer": [], "executor": []}
    for name, parameter in model.named_parameters():
        for role, own in parameters.items():
            if f".{role}." in name:
                own.append(parameter)
    return Roles(
        designer=_role(config, "designer", model, tokenizer, parameters["designer"], adapter="designer"),
        executor=_role(config, "executor", model, tokenizer, parameters["executor"], adapter="executor"),
    )


def _role(
    config: TrainConfig,
    name: RoleName,
    model: Any,
    tokenizer: Any,
    parameters: list[torch.nn.Parameter],
    adapter: str | None = None,
) -> Role:
    chosen: RoleConfig = getattr(config, name)
    policy = HuggingFacePolicy(
        model.eval(),
        tokenizer,
        adapter=adapter,
        temperature=config.model.temperature,
        max_new_tokens=config.model.designer_tokens if name == "designer" else config.model.executor_tokens,
        seed=2 * config.seed + (name == "executor"),
        guide=config.guide if name == "designer" else None,
        role=name,
        tasks=config.tasks,
        template_options=config.model.template_options,
    )
    learning = LearnerConfig(
        **chosen.model_dump(),
        max_gap=config.max_gap,
        importance_cap=config.importance_cap,
        tokens_per_microbatch=config.model.tokens_per_microbatch,
    )
    return Role(policy, Learner(policy, parameters, learning))


def placed(config: TrainConfig) -> tuple[str, str]:
    """Names of the device and of the precision: micro models are fastest on the processor, in 32 bits."""
    device, dtype = config.model.device, config.model.dtype
    if config.model.base == "micro":
        return "cpu" if device == "auto" else device, "float32" if dtype == "auto" else dtype
    return device, dtype


def place_in_words(config: TrainConfig) -> str:
    """Where a run's models are, and in which precision. Raises UsageError when there is no such place."""
    device, dtype = placed(config)
    place = choose_device(device)
    weights = str(choose_dtype(dtype, place)).removeprefix("torch.").replace("auto", "as stored")
    masters = "" if weights in ("float32", "float64") else ", those that learn with copies in float32"
    return f"models on {place}, weights in {weights}{masters}"


def _load(config: TrainConfig, path: str | Path) -> tuple[Any, Any]:
    """The model and the tokenizer in a folder, where and as the configuration says."""
    device, dtype = placed(config)
    model, tokenizer = load_model(path, device=device, dtype=dtype)
    if config.model.gradient_checkpointing:
        recompute_activations(model)
    return model, tokenizer
