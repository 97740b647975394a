"""Means with intervals that hold what they claim from few tasks on, paired where two methods met the same tasks.

Repeats of one task are not independent evidence, so the unit is the task: its mean over repeats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from mx_agents.student_t import t_quantile

RESAMPLES = 10_000
EXACT_UP_TO = 14
"""Differences of which all patterns of signs are gone through."""
CONFIDENCE = 0.95
POWER = 0.8
OF_MEANS = (2.0, 0.05)
"""Tasks of the largest possible spread that are added to those that were met when the spread is estimated, and the least share of
the largest possible spread that is believed: so that intervals hold what they claim."""
OF_DIFFERENCES = (0.25, 0.002)
"""The same for differences between methods, which spread far less than they could."""


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
    by_task: Mapping[str, Sequence[float]],
    *,
    bounds: tuple[float, float] | None = None,
    caution: tuple[float, float] = OF_MEANS,
) -> Interval:
    """Mean over tasks of each task's mean over repeats, with a 95 % interval.

    ``bounds`` are the least and the largest value possible. With them it is Wilson's score interval with Student's t, for as many
    tasks as the spread is worth: the bounds say how much few tasks cannot have shown. Where every task sits on the same bound it
    ends where a rate could still have produced that (exact binomial, one-sided share of the error). Without bounds it is Student's.
    ``benchmarks/coverage.py`` has the simulation by which these were chosen. Raises ValueError for no tasks.
    """
    values = np.array([np.mean(repeats) for repeats in by_task.values()], dtype=float)
    if not len(values):
        raise ValueError("no mean of no tasks")
    mean = float(values.mean())
    if len(values) == 1:
        return Interval(mean, None, None)
    if bounds is None:
        reach = t_quantile(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))
        return Interval(mean, mean - reach, mean + reach)
    width = bounds[1] - bounds[0]
    if np.all(values == values[0]) and values[0] in bounds:
        reach = width * (1 - ((1 - CONFIDENCE) / 2) ** (1 / len(values)))
        return Interval(mean, max(bounds[0], mean - reach), min(bounds[1], mean + reach))
    low, high = _wilson((values - bounds[0]) / width, *caution)
    return Interval(mean, bounds[0] + width * low, bounds[0] + width * high)


def _wilson(values: NDArray[np.float64], added: float, least: float) -> tuple[float, float]:
    """Wilson's interval of a mean of values from 0 to 1 that are not all on one end.

    The tasks count for more where they spread less than wins and losses would; that spread is itself uncertain, and drawn towards
    the largest possible as ``added`` tasks of that spread would draw it.
    """
    tasks, mean, t = len(values), float(values.mean()), t_quantile(len(values) - 1)
    largest = mean * (1 - mean)
    share = (float(values.var(ddof=1)) * tasks + largest * added) / (largest * (tasks + added))
    worth = tasks / min(1.0, max(least, share))
    middle = (worth * mean + t * t / 2) / (worth + t * t)
    reach = t / (worth + t * t) * math.sqrt(worth * largest + t * t / 4)
    return min(mean, max(0.0, middle - reach)), max(mean, min(1.0, middle + reach))


def paired_difference(a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]]) -> Interval:
    """Mean of a - b, both rates, over the tasks that both met, with an interval. Raises ValueError when they share none."""
    shared = [task for task in a if task in b]
    if not shared:
        raise ValueError("no difference between methods that share no task")
    differences = {task: [float(np.mean(a[task]) - np.mean(b[task]))] for task in shared}
    reach = max(1.0, *(abs(values[0]) for values in differences.values()))
    return mean_interval(differences, bounds=(-reach, reach), caution=OF_DIFFERENCES)


def paired_p(a: Mapping[str, Sequence[float]], b: Mapping[str, Sequence[float]], *, seed: int = 0) -> float:
    """How often a mean difference as large would come about if each task's difference had an arbitrary sign: a paired
    permutation test, two-sided, over the tasks that both met; 1.0 where they share none or never differ. All signs are gone
    through where there are few enough of them, else 10,000 are drawn.
    """
    differences = np.array([np.mean(a[task]) - np.mean(b[task]) for task in a if task in b], dtype=float)
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    observed = abs(differences.sum()) - 1e-9
    if len(differences) <= EXACT_UP_TO:
        sums = np.zeros(1)
        for difference in differences:
            sums = np.concatenate([sums + difference, sums - difference])
        return float((np.abs(sums) >= observed).mean())
    generator = np.random.default_rng(seed)
    reached = 0
    for _ in range(10):
        signs = generator.integers(0, 2, (RESAMPLES // 10, len(differences))) * 2 - 1
        reached += int((np.abs(signs @ differences) >= observed).sum())
    return (reached + 1) / (RESAMPLES + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Each p corrected for all of them (S. Holm, Scand. J. Statist. 6, 1979).

    Where 0.05 is the line, the chance of any false claim among them is at most 5 %.
    """
    corrected, largest = [0.0] * len(ps), 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda place: ps[place])):
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[place]))
        corrected[place] = largest
    return corrected


def pass_at(k: int, tries: int, successes: int) -> float | None:
    """pass@k: the chance that one of k tries succeeds, unbiased (Chen et al., arXiv 2107.03374); None for k > tries."""
    if k > tries:
        return None
    return 1 - math.comb(tries - successes, k) / math.comb(tries, k)


def pass_all(k: int, tries: int, successes: int) -> float | None:
    """pass^k: the chance that all of k tries succeed, unbiased (Yao et al., arXiv 2406.12045); None for k > tries."""
    return None if k > tries else math.comb(successes, k) / math.comb(tries, k)


def detectable_difference(tasks: int, repeats: int = 1, correlation: float = 0.5) -> float:
    """The true difference in success, 0 to 1, that two methods on so many shared tasks show with a chance of 80 % at p < .05.

    At the largest spread that rates can have (half of the tries succeed); ``correlation`` is how alike two tries of one task are,
    by the same or by different methods. Repeats help against the luck of a try only. Raises ValueError for no tasks.
    """
    if tasks < 1 or repeats < 1:
        raise ValueError(
            f"a difference is seen on 1 task or more, played once or more, not {tasks} x {repeats}"
        )
    if tasks == 1:
        return 1.0
    luck = 2 * 0.25 * (1 - correlation) / repeats
    reach = t_quantile(tasks - 1) + NormalDist().inv_cdf(POWER)
    return min(1.0, reach * math.sqrt(luck / tasks))


def front(costs: Sequence[float], successes: Sequence[float]) -> list[bool]:
    """Which of several methods no other one beats: none costs as little with more success, or less with as much."""
    both = list(zip(costs, successes, strict=True))
    return [
        not any(c <= cost and s >= success and (c, s) != (cost, success) for c, s in both)
        for cost, success in both
    ]


def group_by_task(rows: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    """Values by task, tasks in order of first appearance."""
    grouped: dict[str, list[float]] = {}
    for task, value in rows:
        grouped.setdefault(task, []).append(value)
    return grouped
