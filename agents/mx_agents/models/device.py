"""On what to compute, and in which precision."""

from __future__ import annotations

import torch

from mx_agents.errors import UsageError, did_you_mean

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(name: str = "auto") -> torch.device:
    """The device of that name; ``auto`` takes cuda, then mps, then the processor. Raises UsageError when it is not there."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"there is no device {name!r} here ({str(error).splitlines()[0]}); use auto, cuda, mps or cpu"
        ) from None
    return device


def choose_dtype(name: str, device: torch.device) -> torch.dtype | str:
    """The precision of the weights: ``auto`` is bfloat16 on a CUDA device that has it, elsewhere float32; ``stored`` is as saved.

    Raises UsageError for an unknown name.
    """
    if name == "stored":
        return "auto"
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    if name not in DTYPES:
        raise UsageError(
            f"there is no precision {name!r}{did_you_mean(name, DTYPES)}; there are: auto, stored, {', '.join(DTYPES)}"
        )
    return DTYPES[name]
