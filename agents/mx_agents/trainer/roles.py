"""The roles of a training run: policies that act, and the learners of the weights behind them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import torch

from mx_agents.errors import UsageError
from mx_agents.methods import Method, load_method
from mx_agents.micro.model import ModelSize
from mx_agents.models.folders import load_model, recompute_activations
from mx_agents.models.hugging_face import HuggingFacePolicy, Sample
from mx_agents.policies import load_policy
from mx_agents.policy import Policy, ask
from mx_agents.trainer.cold_start import Progress, StartModels, new_models, warm_start
from mx_agents.trainer.config import RoleConfig, TrainConfig
from mx_agents.trainer.learner import Learner, LearnerConfig
from mx_agents.trainer.mapping import DESIGNER, EXECUTOR, Kind, Target, role_of, targets, weights
from mx_agents.trainer.placing import placed
from mx_envs import Observation
from mx_tasks import Task, TaskSet

RoleName = Literal["designer", "executor"]


class Sampling(Protocol):
    """What acts in a role: one sample for each chat."""

    def sample(self, observations: Sequence[Observation]) -> list[Sample]:
        """One sampled action per observation."""


@dataclass(frozen=True, slots=True)
class Untrained:
    """A policy that does not learn: its answers have no tokens."""

    policy: Policy

    def sample(self, observations: Sequence[Observation]) -> list[Sample]:
        """The policy's answers."""
        return [Sample([], [], [], text) for text in ask(self.policy, observations)]


@dataclass(frozen=True, slots=True)
class Workflow:
    """A method in the designer's seat: it is told the task itself."""

    method: Method
    seed: int

    def sample(self, observations: Sequence[Observation]) -> list[Sample]:
        """Nothing to say to a chat. Raises RuntimeError: :meth:`Roles.designs` asks the method."""
        raise RuntimeError(f"{self.method!r} designs for tasks, not for {len(observations)} chats")

    def designs(self, tasks: Sequence[Task]) -> list[Sample]:
        """A design for each task, the same for the same task and seed."""
        return [
            Sample([], [], [], self.method.design(task, random.Random(f"method/{self.seed}/{task.id}")))
            for task in tasks
        ]


@dataclass(slots=True)
class Role:
    """One role: what acts, and the learner of its weights (None where these stay as they are)."""

    policy: Any
    learner: Learner | None
    weights: str = ""


@dataclass(frozen=True, slots=True)
class Roles:
    """The designer, the executors, and by pattern of their names those executors that have a role of their own."""

    designer: Role
    executor: Role
    others: dict[str, Role] = field(default_factory=dict)

    def items(self) -> list[tuple[str, Role]]:
        """All with their names, designer first."""
        return [(DESIGNER, self.designer), (EXECUTOR, self.executor), *self.others.items()]

    def executors(self) -> dict[str, Role]:
        """All but the designer, by name."""
        return {EXECUTOR: self.executor, **self.others}

    def role_of(self, agent: str) -> str:
        """The role that plays an agent of that name in the design."""
        return role_of(agent, self.others)

    def learners(self) -> dict[str, Learner]:
        """The learners by the names of their weights, each once."""
        return {role.weights: role.learner for _, role in self.items() if role.learner is not None}

    def designs(self, chats: Sequence[Observation], tasks: Sequence[Task]) -> list[Sample]:
        """A design for each chat, which is about the task in the same place."""
        if isinstance(self.designer.policy, Workflow):
            return self.designer.policy.designs(tasks)
        samples: list[Sample] = self.designer.policy.sample(chats)
        return samples


def build_roles(config: TrainConfig, task_set: TaskSet, progress: Progress, models: Path) -> Roles:
    """Make all roles as the configuration says, warm-started where it asks for that; what they start from is left in ``models``.

    Raises UsageError when a model or a policy cannot be loaded.
    """
    if is_warm_started(config):
        made = _start_models(config, task_set)
        warm_start(made, task_set, config.cold_start, config.seed, progress, config.guide)
        for kind, model in made.models.items():
            whole = model.merge_and_unload() if config.model.lora_rank else model
            whole.save_pretrained(models / kind)
            made.tokenizer.save_pretrained(models / kind)
    return load_roles(config, models)


def is_warm_started(config: TrainConfig) -> bool:
    """Whether the roles learn from demonstrations first."""
    return config.model.base == "micro" or config.cold_start.any_base


def _start_models(config: TrainConfig, task_set: TaskSet) -> StartModels:
    """The models that demonstrations are learnt by: new ones, or copies of the base."""
    shape, kinds = config.model, _kinds(config)
    if shape.base == "micro":
        size = ModelSize(shape.width, shape.layers, shape.heads, shape.feed_forward)
        return new_models(task_set, config.seed, size, config.guide, kinds)
    device, dtype = placed(config)
    made: dict[Kind, Any] = {}
    for kind in sorted(kinds):
        model, tokenizer = load_model(shape.base, device=device, dtype=dtype)
        made[kind] = _adapted(config, model, ["start"]) if shape.lora_rank else model
    return StartModels(tokenizer, made)


def load_roles(config: TrainConfig, models: Path) -> Roles:
    """Roles of the right shape and vocabulary, the weights of micro models as in ``models``.

    Raises UsageError when a model or a policy cannot be loaded.
    """
    base = _Base(config, models)
    roles = {role: _role(config, role, target, base) for role, target in targets(config.roles).items()}
    return Roles(roles.pop(DESIGNER), roles.pop(EXECUTOR), roles)


def _kinds(config: TrainConfig) -> set[Kind]:
    """The kinds of models to start from that are needed; frozen roles start from those of their own kind.

    Adapters have one base, which knows whatever any of them is for.
    """
    kinds: set[Kind] = set(weights(config.roles).values())
    for role, target in targets(config.roles).items():
        if target.what == "frozen":
            kinds.add("designer" if role == DESIGNER else "executor")
    return {"both"} if config.model.lora_rank and len(kinds) > 1 else kinds


@dataclass(slots=True)
class _Base:
    """Where weights come from: each name's, loaded once."""

    config: TrainConfig
    models: Path
    _whole: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    _adapted: tuple[Any, Any] | None = None
    _learners: dict[str, Learner] = field(default_factory=dict)

    def weights(self, name: str, kind: Kind) -> tuple[Any, Any, str | None, list[torch.nn.Parameter]]:
        """The model, its tokenizer, the adapter's name if it is one, and the parameters of that name."""
        if self.config.model.lora_rank:
            if self._adapted is None:
                self._adapted = _with_adapters(self.config, self._load(kind))
            model, tokenizer = self._adapted
            own = [
                parameter
                for path, parameter in model.named_parameters()
                if "lora_" in path and f".{name}." in path
            ]
            return model, tokenizer, name, own
        if name not in self._whole:
            self._whole[name] = self._load(kind)
        model, tokenizer = self._whole[name]
        return model, tokenizer, None, list(model.parameters())

    def learner(
        self, name: str, policy: HuggingFacePolicy, parameters: list[torch.nn.Parameter], kind: Kind
    ) -> Learner:
        """The learner of the weights of that name."""
        if name not in self._learners:
            config = self.config
            chosen: RoleConfig = config.designer if kind == "designer" else config.executor
            learning = LearnerConfig(
                **chosen.model_dump(),
                max_gap=config.max_gap,
                importance_cap=config.importance_cap,
                tokens_per_microbatch=config.model.tokens_per_microbatch,
            )
            self._learners[name] = Learner(policy, parameters, learning)
        return self._learners[name]

    def _load(self, kind: Kind) -> tuple[Any, Any]:
        config = self.config
        device, dtype = placed(config)
        path: Path | str = config.model.base
        if is_warm_started(config):
            path = next(folder for folder in (self.models / kind, self.models / "both") if folder.is_dir())
        model, tokenizer = load_model(path, device=device, dtype=dtype)
        if config.model.gradient_checkpointing:
            recompute_activations(model)
        return model, tokenizer


def _with_adapters(config: TrainConfig, base: tuple[Any, Any]) -> tuple[Any, Any]:
    """The base with a LoRA adapter for each name of weights; frozen roles have one that stays as it begins, without effect."""
    frozen = [_frozen(target.name) for target in targets(config.roles).values() if target.what == "frozen"]
    return _adapted(config, base[0], list(dict.fromkeys([*weights(config.roles), *frozen]))), base[1]


def _adapted(config: TrainConfig, base: Any, names: Sequence[str]) -> Any:
    """The base with LoRA adapters of these names, without effect as they begin. Raises UsageError."""
    from peft import LoraConfig, get_peft_model

    rank, layers = config.model.lora_rank, config.model.lora_targets
    lora = LoraConfig(
        r=rank,
        lora_alpha=2 * rank if config.model.lora_alpha is None else config.model.lora_alpha,
        target_modules=layers if layers == "all-linear" else [name.strip() for name in layers.split(",")],
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        try:
            model = get_peft_model(base, lora, adapter_name=names[0])
        except ValueError as error:
            raise UsageError(f"lora_targets {layers!r}: {str(error).splitlines()[0]}") from None
        for name in names[1:]:
            model.add_adapter(name, lora)
    return model


def _frozen(name: str) -> str:
    return f"frozen-{name}"


def _role(config: TrainConfig, role: str, target: Target, base: _Base) -> Role:
    if target.what == "method":
        method = load_method(target.name, seed=config.seed)
        if not isinstance(method, Method):
            raise UsageError(
                f"method:{target.name} designs for no single task; name a method with design(task, rng)"
            )
        return Role(Workflow(method, config.seed), None)
    if target.what == "policy":
        name: RoleName = "designer" if role == DESIGNER else "executor"
        return Role(Untrained(load_policy(target.name, role=name, seed=config.seed)), None)
    own: Kind = "designer" if role == DESIGNER else "executor"
    learns = target.what == "learns"
    name_of_weights = target.name if learns else _frozen(target.name)
    kind = weights(config.roles)[target.name] if learns else own
    model, tokenizer, adapter, parameters = base.weights(name_of_weights, kind)
    policy = _policy(config, role, model.eval(), tokenizer, adapter)
    if not learns:
        return Role(policy, None)
    return Role(policy, base.learner(target.name, policy, parameters, kind), target.name)


def _policy(
    config: TrainConfig, role: str, model: Any, tokenizer: Any, adapter: str | None
) -> HuggingFacePolicy:
    designs = role == DESIGNER
    place = list(targets(config.roles)).index(role)
    return HuggingFacePolicy(
        model,
        tokenizer,
        adapter=adapter,
        temperature=config.model.temperature,
        max_new_tokens=config.model.designer_tokens if designs else config.model.executor_tokens,
        seed=2 * config.seed + place if place < 2 else 1_000_003 * place + config.seed,
        guide=config.guide if designs else None,
        role=role,
        tasks=config.tasks,
        template_options=config.model.template_options,
    )
