"""What a run found: success on held-out tasks for each arm, and differences, with intervals over seeds and tasks.

One seed allows an interval over tasks alone, and is said to.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mx_agents.crossed import crossed_interval
from mx_agents.runs.folder import read_lines, write_text
from mx_agents.trainer.config import Arm

MERGED = ("metrics", "evaluation", "trees", "test")

OVER = ("tasks only", "seeds and tasks")
"""What an interval is over: with one seed it says nothing of others."""

Table = NDArray[np.float64]
"""Success, (seeds, tasks)."""


def arm_folder(run: Path, arm: Arm, seed: int) -> Path:
    """Where an arm's files are."""
    return run / f"seed-{seed}" / arm.replace(" ", "-")


def collect(run: Path, arms: Sequence[Arm], seeds: Sequence[int]) -> dict[str, Any]:
    """Bring the arms' records together at the top of the run and write ``results.json``; returns its content."""
    for name in MERGED:
        rows = [
            row
            for arm in arms
            for seed in seeds
            for row in read_lines(arm_folder(run, arm, seed) / f"{name}.jsonl")
        ]
        text = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
        write_text(run / f"{name}.jsonl", text)
    results = compare(read_lines(run / "test.jsonl"), arms)
    write_text(run / "results.json", json.dumps(results, indent=1) + "\n")
    return results


def compare(rows: Sequence[dict[str, Any]], arms: Sequence[Arm]) -> dict[str, Any]:
    """Means and 95 % intervals of each arm, and of the first arm's lead over each other one."""
    found = {arm: [row for row in rows if row["arm"] == arm] for arm in arms}
    found = {arm: own for arm, own in found.items() if own}
    tables = {arm: _table(own) for arm, own in found.items()}
    result: dict[str, Any] = {"rows": [], "differences": []}
    for arm, own in found.items():
        low, high = interval(tables[arm])
        result["rows"].append(
            {
                "arm": arm,
                "success": float(tables[arm].mean()),
                "low": low,
                "high": high,
                "by_seed": [float(mean) for mean in tables[arm].mean(axis=1)],
                "score": sum(row["score"] for row in own) / len(own),
                "calls": sum(row["calls"] for row in own) / len(own),
                "greedy_success": sum(row["greedy_passed"] for row in own) / len(own),
                "tasks": int(tables[arm].shape[1]),
                "seeds": int(tables[arm].shape[0]),
                "interval_over": OVER[tables[arm].shape[0] > 1],
            }
        )
    for arm in list(tables)[1:]:
        first = next(iter(tables))
        difference = tables[first] - tables[arm]
        low, high = interval(difference, (-1.0, 1.0))
        result["differences"].append(
            {"a": first, "b": arm, "mean": float(difference.mean()), "low": low, "high": high}
            | {"interval_over": OVER[tables[arm].shape[0] > 1]}
        )
    return result


def interval(table: Table, bounds: tuple[float, float] = (0.0, 1.0)) -> tuple[float, float]:
    """Ends of the mean's 95 % interval (see :func:`mx_agents.crossed.crossed_interval`): over seeds and tasks, with one seed over
    its tasks alone. One result alone allows none: its value twice.
    """
    found = crossed_interval(table, bounds=bounds)
    if found.low is None or found.high is None:
        return found.mean, found.mean
    return found.low, found.high


def _table(rows: Sequence[dict[str, Any]]) -> Table:
    seeds = sorted({row["seed"] for row in rows})
    tasks = sorted({row["task"] for row in rows})
    passed = {(row["seed"], row["task"]): float(row["passed"]) for row in rows}
    return np.array([[passed[seed, task] for task in tasks] for seed in seeds])
