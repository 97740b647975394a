"""What actions mean, whatever they are."""

from __future__ import annotations

from typing import Any

import numpy as np

from mx_tasks.trading.market.bars import Array


def as_weights(action: Any, shape: tuple[int, ...]) -> Array | None:
    """The weights that an action is; None where it is none."""
    try:
        wanted = np.asarray(action, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return None
    return wanted if wanted.shape == shape else None


def as_choice(action: Any, count: int) -> int | None:
    """The number that an action is, from 0 to ``count``; None where it is none."""
    try:
        place = int(action)
    except (TypeError, ValueError, OverflowError):
        return None
    return place if 0 <= place <= count and place == action else None
