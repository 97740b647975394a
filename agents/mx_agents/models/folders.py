"""Causal language models and adapters, read from and written to folders in Hugging Face's format."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from mx_agents.errors import UsageError
from mx_agents.models.device import choose_device, choose_dtype

ADAPTER = "adapter_config.json"


def load_model(path: str | Path, *, device: str = "auto", dtype: str = "auto") -> tuple[Any, Any]:
    """The model (a LoRA adapter's folder: on its base) and the tokenizer in a folder, ready to act.

    Raises UsageError, in one line, for what cannot be loaded.
    """
    place = choose_device(device)
    precision = choose_dtype(dtype, place)
    base = adapter_base(path)
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(base or path, dtype=precision)
        if base is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, str(path))
        return model.to(place).eval(), AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError, KeyError, SafetensorError, RuntimeError) as error:
        where = f"the adapter {str(path)!r} on its base {base!r}" if base else f"{str(path)!r}"
        raise UsageError(f"there is no Hugging Face model at {where}: {_first_line(error)}") from None


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
    config = model.peft_config[adapter]
    config.save_pretrained(str(path))
    weights: dict[str, torch.Tensor] = get_peft_model_state_dict(model, adapter_name=adapter)
    save_file(
        {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()},
        path / "adapter_model.safetensors",
        metadata={"format": "pt"},
    )


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
