"""How often 95 % intervals hold the truth, and how often equal methods are called different: `python benchmarks/coverage.py`.

Simulated experiments: tasks differ in difficulty (normal log-odds), each is played some times, and the mean over all tasks like
these is what an interval has to hold. Prints a line for each world, number of tasks and of repeats, then the family error.
"""

from __future__ import annotations

import argparse
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from mx_agents.statistics import holm, mean_interval, paired_difference, paired_p

WORLDS = {
    "all alike": (0.0, 0.0),
    "spread": (1.5, 0.0),
    "easy or hopeless": (4.0, 0.0),
    "mostly solved": (2.0, 2.0),
    "hardly solved": (0.3, -2.0),
}
"""Spread and mean of the tasks' log-odds."""
TASKS = (5, 10, 20, 50)
REPEATS = (1, 3, 10)

Rates = NDArray[np.float64]


def rates(world: str, size: tuple[int, ...], rng: np.random.Generator) -> Rates:
    """True success rates of tasks."""
    spread, mean = WORLDS[world]
    found: Rates = 1 / (1 + np.exp(-(mean + spread * rng.standard_normal(size))))
    return found


def by_task(values: Rates) -> dict[str, list[float]]:
    """Means over repeats, by task."""
    return {str(place): [float(value)] for place, value in enumerate(values)}


def coverage(world: str, tasks: int, repeats: int, runs: int) -> tuple[float, float]:
    """How often the interval of a mean, and that of a difference of two methods alike, holds the truth."""
    rng = np.random.default_rng(tasks * 100 + repeats)
    truth = float(rates(world, (400_000,), rng).mean())
    hits = [0, 0]
    for _ in range(runs):
        rate = rates(world, (tasks,), rng)
        a, b = (by_task(rng.binomial(repeats, rate) / repeats) for _ in range(2))
        hits[0] += not mean_interval(a, bounds=(0.0, 1.0)).excludes(truth)
        hits[1] += not paired_difference(a, b).excludes(0.0)
    return hits[0] / runs, hits[1] / runs


def family_error(methods: int, tasks: int, runs: int, *, corrected: bool = True) -> float:
    """How often at least one of the pairs of equal methods is called different at .05."""
    rng = np.random.default_rng(methods)
    wrong = 0
    for _ in range(runs):
        rate = rates("spread", (tasks,), rng)
        played = [by_task(rng.binomial(1, rate).astype(float)) for _ in range(methods)]
        ps = [paired_p(a, b) for a, b in combinations(played, 2)]
        wrong += min(holm(ps) if corrected else ps) < 0.05
    return wrong / runs


def main() -> None:
    """Print the study."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="simulated experiments of each kind")
    runs = parser.parse_args().runs
    print("world              tasks repeats   mean  difference")
    for world in WORLDS:
        for tasks in TASKS:
            for repeats in REPEATS:
                mean, difference = coverage(world, tasks, repeats, runs)
                print(f"{world:18} {tasks:5} {repeats:7}  {mean:.3f}  {difference:.3f}")
    for methods in (5, 9):
        bare, corrected = (
            family_error(methods, 20, max(1, runs // 10), corrected=each) for each in (False, True)
        )
        print(f"{methods} equal methods: some pair at p < .05 in {bare:.3f}, after Holm in {corrected:.3f}")


if __name__ == "__main__":
    main()
