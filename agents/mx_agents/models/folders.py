"""Causal language models and adapters, read from and written to folders in Hugging Face's format."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from mx_agents.errors import UsageError
from mx_agents.models.device import choose_device, choose_dtype
from mx_agents.models.packaged import PACKAGED, folder_of

ADAPTER = "adapter_config.json"


def load_model(path: str | Path, *, device: str = "auto", dtype: str = "auto") -> tuple[Any, Any]:
    """The model (a LoRA adapter's folder: on its base) and the tokenizer in a folder, ready to act.

    Raises UsageError, in one line, for what cannot be loaded.
    """
    place = choose_device(device)
    precision = choose_dtype(dtype, place)
    base = adapter_base(path)
    weights, spelling = _place(base or path), _place(path)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(weights, dtype=precision)
        model.name_or_path = str(base or path)  # what an adapter's configuration calls its base
        if base is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(path))
        return model.to(place).eval(), AutoTokenizer.from_pretrained(spelling)
    except (OSError, ValueError, KeyError, SafetensorError, RuntimeError) as error:
        where = f"the adapter {str(path)!r} on its base {base!r}" if base else f"{str(path)!r}"
        raise UsageError(f"there is no Hugging Face model at {where}: {_first_line(error)}") from None


def _place(path: str | Path) -> str | Path:
    """Where the model of that name is: one that comes as a package has a folder of its own."""
    return folder_of(str(path)) if str(path) in PACKAGED and not Path(path).exists() else path


def adapter_base(path: str | Path) -> str | None:
    """The base model that an adapter's folder is for; None where the folder holds no adapter."""
    config = Path(path) / ADAPTER
    if not config.is_file():
        return None
    try:
        base: str = json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError) as error:
        raise UsageError(f"{config} is no adapter's configuration: {_first_line(error)}") from None
    beside = Path(path) / base  # a base kept beside its adapter, named from there
    return str(beside) if not Path(base).is_absolute() and beside.is_dir() else base


def save_model(model: Any, path: Path, adapter: str | None = None) -> None:
    """Write the model, or of a model with several adapters the one of that name, so that it loads as an ordinary adapter."""
    if adapter is None:
        model.save_pretrained(path)
        return
    from peft import get_peft_model_state_dict

    path.mkdir(parents=True, exist_ok=True)
    config = copy.copy(model.peft_config[adapter])
    base = Path(config.base_model_name_or_path or "")
    if base.is_absolute() and base.is_dir() and _is_beside(base, path):
        config.base_model_name_or_path = os.path.relpath(base, path)  # a run's folder may move as a whole
    config.save_pretrained(str(path))
    weights: dict[str, torch.Tensor] = get_peft_model_state_dict(model, adapter_name=adapter)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        path / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )


def _is_beside(base: Path, path: Path) -> bool:
    """Whether both are in one run's folder, two levels above the base's models at most."""
    return any(parent in path.resolve().parents for parent in list(base.resolve().parents)[:3])


def recompute_activations(model: Any) -> None:
    """Let the model's layers compute their activations again in the backward pass instead of keeping them."""
    options = {"use_reentrant": False}
    if hasattr(model, "enable_input_require_grads"):
        model.enable_input_require_grads()  # under adapters nothing else before the first layer asks for a gradient
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(options)
    else:  # its name before transformers 5.20
        model.gradient_checkpointing_enable(options)


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
