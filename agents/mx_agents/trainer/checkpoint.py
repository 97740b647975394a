"""Checkpoints: everything that an exact continuation needs, in safetensors and JSON, nothing pickled.

A checkpoint is a folder ``step-000012`` with ``<weights>.safetensors`` (a model's or an adapter's), ``generators.safetensors``,
``<weights>-optimizer.safetensors`` and ``state.json`` (step, random states, and a hash of each of the other files). It is written
under another name and then renamed, so that one which exists is whole; only the last few are kept.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from mx_agents.errors import UsageError
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.trainer.learner import Learner
from mx_agents.trainer.roles import Roles

KEPT = 2
PART, OLD = ".part", ".old"
GENERATORS = "generators.safetensors"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come: steps done, and the trainer's own random state."""

    step: int
    rng: random.Random


def save_checkpoint(folder: Path, roles: Roles, progress: Progress) -> Path:
    """Write a checkpoint of this step and drop all but the last few."""
    target = folder / f"step-{progress.step:06d}"
    part = folder / f".{target.name}{PART}"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    state: dict[str, Any] = {
        "step": progress.step,
        "rng": progress.rng.getstate(),
        "weights": {},
        "files": {},
    }
    for name, learner in roles.learners().items():
        save_file(_weights(learner), part / f"{name}.safetensors")
        save_file(_optimizer_tensors(learner), part / f"{name}-optimizer.safetensors")
        state["weights"][name] = {"updates": learner.updates}
    save_file(_generators(roles), part / GENERATORS)
    for file in sorted(part.iterdir()):
        state["files"][file.name] = hashlib.sha256(file.read_bytes()).hexdigest()
    (part / "state.json").write_text(json.dumps(state), encoding="utf-8")
    shutil.rmtree(target, ignore_errors=True)
    part.rename(target)
    tidy(folder)
    return target


def tidy(folder: Path) -> None:
    """Drop all but the last few checkpoints, and what a kill has left half-written or half-removed."""
    for old in checkpoints(folder)[:-KEPT]:
        old.rename(old.with_name(f".{old.name}{OLD}"))  # one of that name is whole
    for pattern in (f".step-*{PART}", f".step-*{OLD}"):
        for rest in folder.glob(pattern):
            shutil.rmtree(rest)


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, oldest first."""
    return sorted(folder.glob("step-*")) if folder.is_dir() else []


def load_checkpoint(path: Path, roles: Roles) -> Progress:
    """Put both roles into a checkpoint's state. Raises UsageError when any of it is missing or damaged."""
    try:
        state = json.loads((path / "state.json").read_text(encoding="utf-8"))
        for name, expected in state["files"].items():
            if hashlib.sha256((path / name).read_bytes()).hexdigest() != expected:
                raise ValueError(f"{name} has changed since it was written")
        learners = roles.learners()
        tensors = {
            name: (load_file(path / f"{name}.safetensors"), load_file(path / f"{name}-optimizer.safetensors"))
            for name in learners
        }
        rng = random.Random()
        version, internal, gauss = state["rng"]
        rng.setstate((version, tuple(internal), gauss))
        generators = load_file(path / GENERATORS)
        for name, learner in learners.items():
            _restore(learner, *tensors[name], updates=int(state["weights"][name]["updates"]))
        for name, generator in _own_generators(roles).items():
            generator.set_state(generators[name])
        return Progress(int(state["step"]), rng)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise UsageError(
            f"the checkpoint {str(path)!r} is damaged ({error}); delete this folder and --resume goes on from the one before it"
        ) from None


def _own_generators(roles: Roles) -> dict[str, torch.Generator]:
    """The random states of the roles that are models of ours."""
    return {
        name: role.policy.generator
        for name, role in roles.items()
        if isinstance(role.policy, HuggingFacePolicy)
    }


def _generators(roles: Roles) -> dict[str, torch.Tensor]:
    return {name: generator.get_state() for name, generator in _own_generators(roles).items()}


def _weights(learner: Learner) -> dict[str, torch.Tensor]:
    """A learner's own parameters by place: a whole model's, or an adapter's."""
    return {
        f"{place:04d}": parameter.detach().cpu().contiguous()
        for place, parameter in enumerate(learner.masters)
    }


def _optimizer_tensors(learner: Learner) -> dict[str, torch.Tensor]:
    tensors = {}
    for place, state in learner.optimizer.state_dict()["state"].items():
        for key, value in state.items():
            tensors[f"{place:04d}.{key}"] = torch.as_tensor(value).detach().cpu().contiguous().clone()
    return tensors


def _restore(
    learner: Learner, weights: dict[str, torch.Tensor], optimizer: dict[str, torch.Tensor], *, updates: int
) -> None:
    parameters = learner.masters
    if len(weights) != len(parameters):
        raise ValueError(f"{len(weights)} parameters where the model has {len(parameters)}")
    with torch.no_grad():
        for place, parameter in enumerate(parameters):
            parameter.copy_(weights[f"{place:04d}"])
    learner.show_masters()
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in optimizer.items():
        place_text, dot, key = name.partition(".")
        if dot:
            state.setdefault(int(place_text), {})[key] = tensor
    groups = learner.optimizer.state_dict()["param_groups"]
    learner.optimizer.load_state_dict({"state": state, "param_groups": groups})
    learner.updates = updates
