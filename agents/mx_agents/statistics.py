"""Means with honest intervals: a seeded bootstrap over tasks, paired where two methods met the same tasks.

Repeats of one task are not independent evidence, so the unit that is resampled is the task: its mean over repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and the interval that holds it; ``low`` and ``high`` are None where one task alone allows no interval."""

    mean: float
    low: float | None
    high: float | None

    def excludes(self, value: float) -> bool:
        """Whether the interval exists and lies wholly on one side of ``value``."""
        return self.low is not None and self.high is not None and not self.low <= value <= self.high


def mean_interval(
    by_task: Mapping[str, Sequence[float]], *, bounds: tuple[float, float] | None = None, seed: int = 0
) -> Interval:
    """Mean over tasks of each task's mean over repeats, with a 95 % percentile bootstrap interval.

    ``bounds`` are the least and the largest value possible. When every task sits on the same bound the bootstrap would claim
    certainty; the interval then ends where a rate could still have produced that (exact binomial, one-sided share of the error).
    Raises ValueError for no tasks.
    """
    values = np.array([np.mean(repeats) for repeats in by_task.values()], dtype=float)
    if not len(values):
        raise ValueError("no mean of no tasks")
    mean = float(values.mean())
    if len(values) == 1:
        return Interval(mean, None, None)
    if bounds is not None and np.all(values == values[0]) and values[0] in bounds:
        reach = (bounds[1] - bounds[0]) * (1 - ((1 - CONFIDENCE) / 2) ** (1 / len(values)))
        return Interval(mean, max(bounds[0], mean - reach), min(bounds[1], mean + reach))
    low, high = _percentiles(values, seed)
    return Interval(mean, low, high)


def paired_difference(
    a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]], *, seed: int = 0
) -> Interval:
    """Mean of a - b over the tasks that both met, with an interval. Raises ValueError when they share none."""
    shared = [task for task in a if task in b]
    if not shared:
        raise ValueError("no difference between methods that share no task")
    differences = {task: [float(np.mean(a[task]) - np.mean(b[task]))] for task in shared}
    return mean_interval(differences, seed=seed)


def paired_p(a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]], *, seed: int = 0) -> float:
    """How often a mean difference as large would come about if each task's difference had an arbitrary sign: a paired
    permutation test, two-sided, over the tasks that both met; 1.0 where they share none or never differ.
    """
    differences = np.array([np.mean(a[task]) - np.mean(b[task]) for task in a if task in b], dtype=float)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    observed = abs(differences.sum()) - 1e-9
    generator = np.random.default_rng(seed)
    reached = 0
    for _ in range(10):
        signs = generator.integers(0, 2, (RESAMPLES // 10, len(differences))) * 2 - 1
        reached += int((np.abs(signs @ differences) >= observed).sum())
    return (reached + 1) / (RESAMPLES + 1)


def group_by_task(rows: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    """Values by task, tasks in order of first appearance."""
    grouped: dict[str, list[float]] = {}
    for task, value in rows:
        grouped.setdefault(task, []).append(value)
    return grouped


def _percentiles(values: np.ndarray[tuple[int], np.dtype[np.float64]], seed: int) -> tuple[float, float]:
    generator = np.random.default_rng(seed)
    means = np.concatenate(
        [  # in slices, so that thousands of tasks don't need gigabytes
            values[generator.integers(0, len(values), (RESAMPLES // 10, len(values)))].mean(axis=1)
            for _ in range(10)
        ]
    )
    low, high = np.percentile(means, [50 * (1 - CONFIDENCE), 100 - 50 * (1 - CONFIDENCE)])
    return float(low), float(high)
