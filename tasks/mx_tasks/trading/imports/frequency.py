"""How often bars come, and how many of them a year has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DAY = 86_400.0
YEAR = 365.2425
_NAMES = ((1, "second"), (60, "minute"), (3600, "hour"))
_CALENDARS = ((252, 0.06), (365.2425, 0.02), (52.1775, 0.06), (12, 0.06), (4, 0.06), (1, 0.06))
"""Bars a year of exchange days, all days, weeks, months, quarters and years, and how near counts as that."""
FEW = 40


@dataclass(frozen=True, slots=True)
class Frequency:
    """``name`` such as ``daily``; ``bars_per_year`` as the dates have it."""

    name: str
    bars_per_year: float


DAILY = Frequency("daily", 252.0)


def frequency_of(times: NDArray[np.datetime64]) -> Frequency:
    """What the steps between times are, most of them."""
    seconds = times.astype("datetime64[s]").astype(np.int64)
    steps = np.diff(seconds)
    if not len(steps):
        return DAILY
    step = float(np.median(steps))
    if step < 0.9 * DAY:
        return _intraday(times, step)
    span = float(seconds[-1] - seconds[0]) / DAY / YEAR
    counted = len(steps) / span
    name, usual = _calendar(times, step / DAY, counted)
    if len(steps) < FEW or usual is not None:
        return Frequency(name, usual if usual is not None else counted)
    return Frequency(name, round(counted, 1))


def _calendar(times: NDArray[np.datetime64], days: float, counted: float) -> tuple[str, float | None]:
    """The name, and the usual number of bars a year where the count is near it."""
    if days <= 4:
        weekend = (times.astype("datetime64[D]").astype(np.int64) + 3) % 7 >= 5
        around = float(weekend.mean()) > 0.2
        usual = YEAR if around else 252.0
        name = "daily, weekends too" if around else "daily"
        near = abs(counted / usual - 1) < (0.02 if around else 0.06)
        return name, usual if near or len(times) < FEW else None
    for low, high, name, usual in (
        (5, 10, "weekly", 52.1775),
        (26, 35, "monthly", 12.0),
        (80, 100, "quarterly", 4.0),
        (350, 380, "yearly", 1.0),
    ):
        if low <= days <= high:
            return name, usual if abs(counted / usual - 1) < 0.06 or len(times) < FEW else None
    return f"every {days:g} days", None


def _intraday(times: NDArray[np.datetime64], step: float) -> Frequency:
    """Bars a day, as many as most days have, times the days that a year has."""
    unit, word = next((size, word) for size, word in reversed(_NAMES) if step >= size)
    count = step / unit
    name = f"every {word}" if count == 1 else f"every {count:g} {word}s"
    days, counts = np.unique(times.astype("datetime64[D]"), return_counts=True)
    weekend = (days.astype(np.int64) + 3) % 7 >= 5
    around = float(weekend.mean()) > 0.2
    a_day = float(np.median(counts[1:-1]) if len(counts) > 3 else counts.max())
    return Frequency(f"{name}{', weekends too' if around else ''}", a_day * (YEAR if around else 252.0))
