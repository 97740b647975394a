"""What a training run is: one frozen object, read from a preset or a YAML file, with overrides from the command line."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from mx_agents.errors import UsageError, did_you_mean, unknown
from mx_agents.trainer.mapping import DEFAULT, weights

Arm = Literal["co-evolution", "frozen executor", "frozen designer"]
ExecutorCredit = Literal["turn", "question", "design", "leave-one-out"]
"""See :func:`mx_agents.trainer.credit.executor_advantages`."""
Loss = Literal["ppo", "grpo", "dr-grpo", "dapo", "rloo", "gspo", "cispo"]
"""See :mod:`mx_agents.trainer.losses`."""
Scale = Literal["batch", "group", "none"]
"""What advantages are divided by; see :func:`mx_agents.trainer.credit.designer_advantages`."""
ARMS: tuple[Arm, ...] = ("co-evolution", "frozen executor", "frozen designer")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelConfig(_Section):
    """The two policies.

    ``base`` "micro" makes small transformers of the given shape on the spot, "smollm2" is one that comes as a package (see
    :mod:`mx_agents.models.packaged`). Anything else is a folder (or hub name) of a causal language model, of which each role
    trains a LoRA adapter of rank ``lora_rank`` (0: a whole copy for each role).

    ``lora_targets`` is ``all-linear`` or names of layers with commas, ``lora_alpha`` None twice the rank. ``device`` and
    ``dtype`` are those of :mod:`mx_agents.models.device` (``auto`` for micro models: the processor, 32 bits); weights of less
    than 32 bits are moved in full precision. ``tokens_per_microbatch`` bounds what is learnt from at once, and is halved where
    memory runs out. ``template_options`` go to the chat template (``{enable_thinking: false}``).
    """

    base: str = "micro"
    width: int = Field(default=112, ge=8, multiple_of=8)
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=4, ge=1)
    feed_forward: int = Field(default=320, ge=8)
    lora_rank: int = Field(default=0, ge=0)
    lora_alpha: int | None = Field(default=None, ge=1)
    lora_targets: str = "all-linear"
    device: str = "auto"
    dtype: str = "auto"
    gradient_checkpointing: bool = False
    tokens_per_microbatch: int = Field(default=16_384, ge=1)
    template_options: dict[str, Any] = Field(default_factory=dict)
    designer_tokens: int = Field(default=72, ge=1)
    executor_tokens: int = Field(default=40, ge=1)
    temperature: float = Field(default=1.0, gt=0)


class ColdStartConfig(_Section):
    """Supervised fine-tuning on imperfect scripted demonstrations.

    Micro models always need it; ``any_base`` asks for it with any other base, too. With ``model.lora_rank`` that is done with an
    adapter of this rank, which then becomes part of the base: roles begin with fresh adapters, and ``frozen`` means as after the
    cold start.
    """

    any_base: bool = False

    executor_demonstrations: int = Field(default=8000, ge=0)
    executor_epochs: int = Field(default=3, ge=0)
    executor_batch: int = Field(default=16, ge=1)
    designer_demonstrations: int = Field(default=1000, ge=0)
    designer_epochs: int = Field(default=8, ge=0)
    designer_batch: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=2.5e-3, gt=0)


class TreeConfig(_Section):
    """The rollout tree of a step: ``tasks`` x ``designs`` (M) x ``executions`` (N).

    With ``resample``, tasks that teach nothing, because all that was tried came to the same, are made up for by further ones, in so
    many rounds at most (DAPO's dynamic sampling).
    """

    tasks: int = Field(default=12, ge=1)
    designs: int = Field(default=4, ge=1)
    executions: int = Field(default=4, ge=1)
    resample: int = Field(default=0, ge=0)


class RoleConfig(_Section):
    """One role's updates (see :class:`mx_agents.trainer.learner.LearnerConfig` and :mod:`mx_agents.trainer.losses`)."""

    learning_rate: float = Field(default=3e-4, gt=0)
    final_learning_rate: float = Field(default=0.1, ge=0, le=1)
    entropy: float = Field(default=0.0, ge=0)
    warmup_updates: int = Field(default=5, ge=0)
    loss: Loss = "ppo"
    clip: float = Field(default=0.2, gt=0)
    clip_high: float | None = Field(default=None, gt=0)
    minibatches: int = Field(default=2, ge=1)
    max_rows: int = Field(default=512, ge=1)
    kl: float = Field(default=0.0, ge=0)


class TrainConfig(_Section):
    """A training run.

    ``guide`` is the environment's: what the designer is told of designs, in training and wherever the trained designer is played
    (``full``, ``short``, or a text).

    ``stage_steps`` 0 lets both roles learn in every step; otherwise the roles take turns of that many steps, executor first, the
    other one frozen. A step whose calls the learner finds ``max_gap`` nats a token more or less likely than the sampler did stops
    the run; ``importance_cap`` above 0 weighs tokens by that difference (see :class:`mx_agents.trainer.learner.LearnerConfig`).

    ``on_suspicion``: what is done when success looks unearned (see :mod:`mx_agents.trainer.monitor`), said in ``suspicions.jsonl``:
    ``log`` goes on, ``stop`` ends the run, its checkpoint written, ``ask`` asks at the terminal and stops where there is none.
    ``roles`` says which model plays which role (see :mod:`mx_agents.trainer.mapping`). ``executor_credit`` and
    ``advantage_scale`` are explained in :mod:`mx_agents.trainer.credit`.
    """

    tasks: str = "software:micro"
    guide: str = "short"
    roles: dict[str, str] = Field(default_factory=lambda: dict(DEFAULT))
    arms: tuple[Arm, ...] = ("co-evolution",)
    steps: int = Field(default=100, ge=0)
    seed: int = 0
    stage_steps: int = Field(default=0, ge=0)
    executor_credit: ExecutorCredit = "turn"
    advantage_scale: Scale = "batch"
    on_suspicion: Literal["log", "stop", "ask"] = "log"
    max_gap: float = Field(default=0.2, gt=0)
    importance_cap: float = Field(default=0.0, ge=0)
    cost_per_call: float = Field(default=0.005, ge=0)
    executors: int = Field(default=16, ge=1)
    slots: int = Field(default=24, ge=1)
    model: ModelConfig = ModelConfig()
    cold_start: ColdStartConfig = ColdStartConfig()
    tree: TreeConfig = TreeConfig()
    designer: RoleConfig = RoleConfig(entropy=0.01)
    executor: RoleConfig = RoleConfig()
    evaluate_every: int = Field(default=20, ge=1)
    evaluation_tasks: int = Field(default=60, ge=1)
    test_tasks: int = Field(default=300, ge=1)
    tree_every: int = Field(default=20, ge=1)

    @field_validator("roles")
    @classmethod
    def _playable(cls, table: dict[str, str]) -> dict[str, str]:
        if not weights(table):
            raise ValueError("nobody learns: give at least one role weights of its own")
        return DEFAULT | table


def presets() -> list[str]:
    """Names of the presets in the package."""
    folder = resources.files("mx_agents.trainer").joinpath("presets")
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))


def load_config(preset: str | None, path: Path | None, overrides: Sequence[str] = ()) -> TrainConfig:
    """The configuration of a preset or of a YAML file, with ``section.key=value`` overrides on top.

    Raises UsageError that names an unknown preset, file, key or an impossible value.
    """
    if preset is not None and path is not None:
        raise UsageError("give either a preset or a configuration file, not both")
    if path is not None:
        values = _read_yaml(path)
    else:
        name = "micro" if preset is None else preset
        if name not in presets():
            raise unknown("preset", name, presets())
        text = resources.files("mx_agents.trainer").joinpath("presets", f"{name}.yaml").read_text("utf-8")
        values = yaml.safe_load(text) or {}
    return parse_config(overridden(values, overrides))


def overridden(values: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """The values with ``section.key=value`` on top; they themselves stay. Raises UsageError for what cannot be read."""
    values = copy.deepcopy(values)
    for override in overrides:
        _override(values, override)
    return values


def parse_config(values: dict[str, Any]) -> TrainConfig:
    """The configuration with these values. Raises UsageError for a key that does not exist or a value that cannot be."""
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            known = [known for known in _keys(TrainConfig) if known.count(".") == key.count(".")]
            raise UsageError(
                f"no configuration key {key!r}{did_you_mean(key, known)}; mx settings lists them"
            ) from None
        raise UsageError(f"configuration key {key!r} cannot be {first['input']!r}: {first['msg']}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the configuration {str(path)!r}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"the configuration {str(path)!r} is not YAML: {error}") from None
    if not isinstance(values, dict):
        raise UsageError(f"the configuration {str(path)!r} must hold keys and values")
    return values


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals:
        raise UsageError(f"an override is written key=value, not {override!r}")
    *sections, last = key.split(".")
    place = values
    for section in sections:
        inner = place.setdefault(section, {})
        if not isinstance(inner, dict):
            raise UsageError(f"configuration key {section!r} has no keys inside, as {override!r} asks for")
        place = inner
    try:
        place[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"cannot read the value in {override!r}") from None


def _keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    keys = []
    for name, field in model.model_fields.items():
        keys.append(prefix + name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            keys += _keys(field.annotation, f"{prefix}{name}.")
    return keys
