"""A portfolio as a few lines of text, or as a picture of its value against what it began with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MODES = ("human", "rgb_array", "ansi")
Picture = NDArray[np.uint8]
HEIGHT, WIDTH = 240, 420
PAPER, LINE, START = (255, 255, 255), (0, 90, 156), (170, 170, 170)


def as_text(date: object, value: float, weights: Sequence[float], symbols: Sequence[str]) -> str:
    """The present: date, value, and the weights that are not 0."""
    held = ", ".join(
        f"{symbol} {weight:+.1%}" for symbol, weight in zip(symbols, weights, strict=True) if weight
    )
    return f"{date}  value {value:.4f}  {held or 'cash'}"


def as_picture(values: Sequence[float]) -> Picture:
    """The value so far as a line, and 1 as a grey one; pixels of shape (240, 420, 3)."""
    picture = np.full((HEIGHT, WIDTH, 3), PAPER, dtype=np.uint8)
    line = np.asarray(values, dtype=float)
    low, high = min(1.0, float(line.min())), max(1.0, float(line.max()))
    room = max(high - low, 1e-3)

    def height(value: NDArray[np.float64]) -> NDArray[np.intp]:
        place: NDArray[np.intp] = ((high - value) / room * (HEIGHT - 21)).astype(np.intp) + 10
        return place

    picture[int(height(np.array(1.0))), :] = START
    across = np.arange(WIDTH)
    rows = height(
        np.interp(across, np.linspace(0, WIDTH - 1, max(2, len(line))), np.resize(line, max(2, len(line))))
    )
    for column in across:
        before = rows[max(0, int(column) - 1)]
        first, last = sorted((int(before), int(rows[column])))
        picture[first : last + 2, column] = LINE
    return picture
