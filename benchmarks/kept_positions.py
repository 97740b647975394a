"""How often a position taken at the first bar and kept, without a look at the market, passes the small worlds' desk tasks.

python benchmarks/kept_positions.py [--tasks 60] [--salt s]; the table of docs/known-faults.md. It takes about a minute.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from mx_tasks import Submission, load_task_set

WORLDS = ("regime", "mean-reversion", "hidden-regime", "pairs", "linear-quadratic", "bootstrap")


def positions(assets: int, shorts: bool) -> dict[str, list[float]]:
    """The widest positions that can be kept, by name, as weights of each asset."""
    rest = [0.0] * (assets - 1)
    found = {"long": [1.0] * assets, "first long": [1.0, *rest]}
    if shorts:
        found["short"] = [-1.0] * assets
        if assets > 1:
            found |= {"spread long": [1.0, -1.0, *rest[1:]], "spread short": [-1.0, 1.0, *rest[1:]]}
    return found


def kept(tasks: Any, index: int, weights: list[float]) -> tuple[float, bool]:
    """Score and whether it passed, of holding these weights through one test task."""
    task = tasks.task("test", index)
    desk = tasks.service(task)
    desk.rebalance(weights)
    while desk.left:
        desk.hold()
    grade = tasks.grade(task, Submission(service=desk.finish()), None)
    return grade.score, grade.passed


def main() -> None:
    """Print a line for each world and position."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=60, help="test tasks of each set")
    parser.add_argument("--salt", default="s", help="the secret that paths come from")
    given = parser.parse_args()
    for world in WORLDS:
        tasks: Any = load_task_set(f"trading:{world}", salt=given.salt)
        for name, weights in positions(len(tasks.world.symbols), tasks.world.rules.min_weight < 0).items():
            found = np.array([kept(tasks, index, weights) for index in range(given.tasks)], dtype=float)
            score, passed = found.mean(axis=0)
            print(f"trading:{world}, {name}: passed {passed:.0%}, mean score {score:.2f}", flush=True)


if __name__ == "__main__":
    main()
