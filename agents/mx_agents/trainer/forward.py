"""The learner's forward pass: the same function of the same weights that the sampler drew from."""

from __future__ import annotations

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

    The output layer is applied where there are targets alone: the logits of everything else would take most of the memory.
    """
    device = next(model.parameters()).device
    target_BT = target_BT.to(device)
    at = target_BT != IGNORED
    with _output_at(model, at) as asked:
        logits = model(input_ids=ids_BT.to(device), attention_mask=mask_BT.to(device), use_cache=False).logits
    logits_NV = logits[0] if asked else logits[at]
    log_probability_NV = (logits_NV.float() / temperature).log_softmax(dim=-1)
    chosen_BT = torch.zeros_like(target_BT, dtype=torch.float)
    chosen_BT = chosen_BT.masked_scatter(at, log_probability_NV.gather(1, target_BT[at][:, None])[:, 0])
    entropy_N = -(log_probability_NV.exp() * log_probability_NV).sum(dim=-1)
    entropy_BT = torch.zeros_like(target_BT, dtype=torch.float).masked_scatter(at, entropy_N)
    return chosen_BT, entropy_BT


@contextmanager
def _output_at(model: Any, at: torch.Tensor) -> Iterator[list[bool]]:
    """Hand the model's output layer the hidden states of these places alone, as one row; the list stays empty where that fails."""
    asked: list[bool] = []

    def chosen(_: Any, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if len(given) != 1 or given[0].shape[:2] != at.shape:
            return None
        asked.append(True)
        return (given[0][at][None],)

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    head = inner.get_output_embeddings()
    hook = None if head is None else head.register_forward_pre_hook(chosen)
    try:
        yield asked
    finally:
        if hook is not None:
            hook.remove()


def is_out_of_memory(error: RuntimeError | MemoryError) -> bool:
    """Whether an error says that memory has run out, on the device or on the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
