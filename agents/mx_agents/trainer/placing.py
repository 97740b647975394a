"""Where a run's models are, and in which precision."""

from __future__ import annotations

from mx_agents.models.device import choose_device, choose_dtype
from mx_agents.trainer.config import TrainConfig


def placed(config: TrainConfig) -> tuple[str, str]:
    """Names of the device and of the precision: micro models are fastest on the processor, in 32 bits."""
    device, dtype = config.model.device, config.model.dtype
    if config.model.base == "micro":
        return "cpu" if device == "auto" else device, "float32" if dtype == "auto" else dtype
    return device, dtype


def place_in_words(config: TrainConfig) -> str:
    """Device and precision in words. Raises UsageError when there is no such place."""
    device, dtype = placed(config)
    place = choose_device(device)
    precision = str(choose_dtype(dtype, place)).removeprefix("torch.").replace("auto", "as stored")
    masters = "" if precision in ("float32", "float64") else ", those that learn with copies in float32"
    return f"models on {place}, weights in {precision}{masters}"
