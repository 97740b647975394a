"""Intervals where every seed met the same tasks: seeds and tasks are two crossed samples, and both are uncertain.

Drawing tasks anew within each seed would treat a shared task as many: its intervals hold the truth too seldom. Here the variance of
the mean is put together from the mean squares of the two-way layout (Searle, Casella, McCulloch, "Variance Components", 1992,
chapter 4) and each part gets Student's t of its own degrees of freedom: three seeds are two degrees, and say so by their width.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mx_agents.statistics import CONFIDENCE, Interval, mean_interval
from mx_agents.student_t import t_quantile

CAUTION = 0.2
"""Share of the residual mean square added to the seeds' part: estimated from few seeds, that part is 0 as often as not."""


def crossed_interval(table: NDArray[np.float64], *, bounds: tuple[float, float] = (0.0, 1.0)) -> Interval:
    """Mean of a (seeds, tasks) table with a 95 % interval over both; ``bounds`` are the least and the largest mean possible.

    With one seed the interval is over tasks alone, and says nothing of other seeds. Raises ValueError for an empty table.
    """
    if table.ndim != 2 or not table.size:
        raise ValueError("a table of results has seeds and tasks")
    seeds, tasks = table.shape
    by_task = {str(task): [float(value)] for task, value in enumerate(table.mean(axis=0))}
    mean = float(table.mean())
    if tasks > 1 and table.min() == table.max():
        return _all_alike(mean, tasks, bounds)
    if seeds == 1 or tasks == 1:
        return mean_interval(by_task, bounds=bounds)
    reach = math.sqrt(_squares(table) / table.size)
    return Interval(mean, max(bounds[0], mean - reach), min(bounds[1], mean + reach))


def _all_alike(value: float, tasks: int, bounds: tuple[float, float]) -> Interval:
    """Where every result is the same: a rate of others that could still have been met by none of so many tasks (exact binomial)."""
    rate = 1 - ((1 - CONFIDENCE) / 2) ** (1 / tasks)
    reach = rate * max(value - bounds[0], bounds[1] - value)
    return Interval(value, max(bounds[0], value - reach), min(bounds[1], value + reach))


def _squares(table: NDArray[np.float64]) -> float:
    """The parts of the mean's variance, each times its t squared and the size of the table."""
    seeds, tasks = table.shape
    of_seeds, of_tasks = table.mean(axis=1), table.mean(axis=0)
    mean = table.mean()
    residual = float(np.square(table - of_seeds[:, None] - of_tasks[None, :] + mean).sum())
    residual /= (seeds - 1) * (tasks - 1)
    between_seeds = tasks * float(np.square(of_seeds - mean).sum()) / (seeds - 1)
    between_tasks = seeds * float(np.square(of_tasks - mean).sum()) / (tasks - 1)
    seeds_part = max(between_seeds - residual, 0.0) + CAUTION * residual
    parts = t_quantile(seeds - 1) ** 2 * seeds_part, t_quantile(tasks - 1) ** 2 * between_tasks
    return float(sum(parts))
