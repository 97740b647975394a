"""The learner's forward pass: the same function of the same weights that the sampler drew from."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from mx_agents.trainer.rows import IGNORED


@contextmanager
def learning_mode(model: Any) -> Iterator[None]:
    """The model as the sampler has it, with dropout and all other noise of training off.

    Layers that recompute their activations are put in training mode themselves, without what is inside them: their switch is that
    mode.
    """
    model.eval()
    recomputed = [module for module in model.modules() if getattr(module, "gradient_checkpointing", False)]
    for module in recomputed:
        module.training = True
    try:
        yield
    finally:
        model.eval()


def token_log_probabilities(
    model: Any, ids_BT: torch.Tensor, mask_BT: torch.Tensor, target_BT: torch.Tensor, temperature: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probability of each target token and the entropy at its place, (batch, time); 0 where there is no target.

    The output layer is applied from the first target on: the logits of prompts would take most of the memory.
    """
    device = next(model.parameters()).device
    target_BT = target_BT.to(device)
    at = target_BT != IGNORED
    first = int(at.any(dim=0).int().argmax())
    kept = target_BT.shape[1] - first
    options = {"logits_to_keep": kept} if _keeps_logits(model) else {}
    logits_BTV = model(
        input_ids=ids_BT.to(device), attention_mask=mask_BT.to(device), use_cache=False, **options
    ).logits
    logits_BTV = logits_BTV[:, -kept:]
    log_probability_NV = (logits_BTV[at[:, first:]].float() / temperature).log_softmax(dim=-1)
    chosen_BT = torch.zeros_like(target_BT, dtype=torch.float)
    chosen_BT = chosen_BT.masked_scatter(at, log_probability_NV.gather(1, target_BT[at][:, None])[:, 0])
    entropy_N = -(log_probability_NV.exp() * log_probability_NV).sum(dim=-1)
    entropy_BT = torch.zeros_like(target_BT, dtype=torch.float).masked_scatter(at, entropy_N)
    return chosen_BT, entropy_BT


def _keeps_logits(model: Any) -> bool:
    """Whether the model can leave the logits of a sequence's beginning out."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    return "logits_to_keep" in inspect.signature(inner.forward).parameters


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether an error says that memory has run out, on the device or on the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
