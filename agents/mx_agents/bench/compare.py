"""Two benchmark runs side by side."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mx_agents.bench.config import BenchConfig
from mx_agents.bench.summary import Outcome, read_outcomes
from mx_agents.runs.folder import existing_run_folder, read_config, read_lines
from mx_agents.statistics import Interval, group_by_task, mean_interval, paired_difference, paired_p


@dataclass(frozen=True, slots=True)
class Difference:
    """A method in two runs: its success in each over the tasks that both met, second - first, and the tasks that changed."""

    method: str
    tasks: int
    first: float
    second: float
    change: Interval
    p: float
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs between two runs. ``settings`` has (name, first, second) where configuration or versions differ."""

    settings: list[tuple[str, Any, Any]]
    methods: list[Difference]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]


def compare(first: Path, second: Path) -> Comparison:
    """Compare two run folders. Raises UsageError for what is no benchmark run."""
    plain, outcomes = [], []
    for folder in (first, second):
        config = read_config(existing_run_folder(folder))
        BenchConfig.from_dict(config, str(folder / "config.yaml"))
        plain.append(config)
        outcomes.append(read_outcomes(read_lines(folder / "episodes.jsonl")))
    names = [dict.fromkeys(outcome.method for outcome in rows) for rows in outcomes]
    found = [_difference(name, *outcomes) for name in names[0] if name in names[1]]
    return Comparison(
        settings=settings_of(*plain),
        methods=[difference for difference in found if difference is not None],
        only_first=tuple(name for name in names[0] if name not in names[1]),
        only_second=tuple(name for name in names[1] if name not in names[0]),
    )


def settings_of(a: dict[str, Any], b: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Where two configurations differ, versions included: name, first, second."""
    flat = [
        {
            **{k: v for k, v in c.items() if k != "versions"},
            **{f"versions.{k}": v for k, v in c.get("versions", {}).items()},
        }
        for c in (a, b)
    ]
    names = dict.fromkeys([*flat[0], *flat[1]])
    return [
        (name, flat[0].get(name), flat[1].get(name))
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]


def _difference(method: str, first: list[Outcome], second: list[Outcome]) -> Difference | None:
    a, b = (
        group_by_task((outcome.unit, outcome.success) for outcome in rows if outcome.method == method)
        for rows in (first, second)
    )
    shared = [task for task in a if task in b]
    if not shared:
        return None
    a, b = ({task: rows[task] for task in shared} for rows in (a, b))
    mean = {task: (sum(a[task]) / len(a[task]), sum(b[task]) / len(b[task])) for task in shared}
    return Difference(
        method=method,
        tasks=len(shared),
        first=mean_interval(a).mean,
        second=mean_interval(b).mean,
        change=paired_difference(b, a),
        p=paired_p(b, a),
        gained=tuple(task for task, (before, after) in mean.items() if after > before),
        lost=tuple(task for task, (before, after) in mean.items() if after < before),
    )
