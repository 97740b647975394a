"""What is known of each run in a folder of runs: when it began, what ran, what came of it, how far it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from time import time
from typing import Any

from mx_agents.bench import BenchConfig, read_outcomes, summarise
from mx_agents.errors import UsageError
from mx_agents.runs.folder import read_config, read_lines

DEPTH = 2
"""How deep below the folder a run may lie."""
QUIET_S = 120.0
"""A run that has written nothing for so long is taken to be broken off."""
LONGEST_REASON = 160
FILES = ("episodes.jsonl", "metrics.jsonl", "evaluation.jsonl", "trees.jsonl", "results.json", "config.yaml")


@dataclass(frozen=True, slots=True)
class Result:
    """A row of a run's result: a method or an arm with its success."""

    name: str
    success: float
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True, slots=True)
class RunEntry:
    """A run in the index; ``name`` is its path below the folder."""

    name: str
    folder: Path
    began: float
    kind: str
    what: str
    result: str
    state: str
    rows: tuple[Result, ...] = ()

    @property
    def date(self) -> str:
        """When it began, in this machine's time."""
        return datetime.fromtimestamp(self.began).strftime("%Y-%m-%d %H:%M")


def is_run(folder: Path) -> bool:
    """Whether it is the folder of one run."""
    return (folder / "config.yaml").is_file()


def runs_in(folder: Path) -> list[RunEntry]:
    """The runs below a folder, the newest first. Raises UsageError when there is no such folder, or no run in it."""
    if not folder.is_dir():
        from mx_agents.runs.folder import existing_run_folder

        existing_run_folder(folder)  # says what is wrong
    found = [entry_of(run, folder) for run in _folders(folder, DEPTH)]
    if not found:
        raise UsageError(
            f"{str(folder)!r} is no run and holds none: it has no config.yaml, and no folder in it has one"
        )
    return sorted(found, key=lambda entry: (-entry.began, entry.name))


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    for inner in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if is_run(inner):
            yield inner
        elif depth > 1:
            yield from _folders(inner, depth - 1)


def entry_of(folder: Path, root: Path | None = None) -> RunEntry:
    """What is known of a run, whose name is its path below ``root``; one that cannot be read says why."""
    name = folder.relative_to(root).as_posix() if root is not None else str(folder)
    began = (folder / "config.yaml").stat().st_mtime
    try:
        config = read_config(folder)
        if config.get("kind") == "bench":
            what, rows, state = _bench(folder, config)
        else:
            what, rows, state = _train(folder, config)
    except (UsageError, KeyError, TypeError, ValueError, AttributeError) as error:
        return RunEntry(
            name,
            folder,
            began,
            "unreadable",
            "",
            "",
            f"cannot be read: {' '.join(str(error).split())}"[:LONGEST_REASON],
        )
    return RunEntry(name, folder, began, str(config.get("kind")), what, _in_short(rows), state, tuple(rows))


def _in_short(rows: list[Result]) -> str:
    if not rows:
        return "nothing yet"
    best = max(rows, key=lambda row: row.success)
    if best.success == 0:
        return "nothing succeeded"
    others = f", the best of {len(rows)}" if len(rows) > 1 else ""
    return f"{best.name} {best.success:.1%}{others}"


def _bench(folder: Path, config: dict[str, Any]) -> tuple[str, list[Result], str]:
    asked = BenchConfig.from_dict(config, str(folder / "config.yaml"))
    methods = ", ".join(asked.methods)
    what = f"{methods} · {asked.tasks}, {asked.split} · executor {asked.executor}"
    outcomes = read_outcomes(read_lines(folder / "episodes.jsonl"))
    rows = [
        Result(row.method, row.success.mean, row.success.low, row.success.high, row.episodes)
        for row in summarise(outcomes, asked.methods)
    ]
    tasks = len(read_lines(folder / "tasks.jsonl"))
    total = tasks * len(asked.methods) * asked.seeds * len(asked.executors)
    return what, rows, _state(folder, len(outcomes), total, "episodes", over=len(outcomes) >= total > 0)


def _train(folder: Path, config: dict[str, Any]) -> tuple[str, list[Result], str]:
    path = folder / "results.json"
    found = json.loads(path.read_text(encoding="utf-8"))["rows"] if path.is_file() else []
    rows = [
        Result(
            row["arm"],
            row["success"],
            row.get("low"),
            row.get("high"),
            row.get("tasks", 0) * row.get("seeds", 1),
        )
        for row in found
    ]
    about = config.get("train") or {}
    arms = config.get("arms") or [row.name for row in rows]
    seeds, steps = int(config.get("seeds", 1)), int(about.get("steps", config.get("steps", 0)))
    times = f"{seeds} seed{'s' if seeds > 1 else ''} of {steps} steps"
    what = " · ".join(filter(None, [", ".join(arms), about.get("tasks", ""), times]))
    done = sum(len(read_lines(file)) for file in folder.glob("seed-*/*/metrics.jsonl"))
    return what, rows, _state(folder, done, len(arms) * seeds * steps, "steps", over=path.is_file())


def _state(folder: Path, done: int, total: int, unit: str, *, over: bool) -> str:
    if over:
        return "complete"
    newest = max((file.stat().st_mtime for file in folder.rglob("*.jsonl")), default=0.0)
    newest = max(newest, (folder / "config.yaml").stat().st_mtime)
    word = "going on" if time() - newest < QUIET_S else "broken off"
    return f"{word}: {done:,} of {total:,} {unit}"


def stamp(folder: Path) -> str:
    """A text that changes with what the runs below a folder have written."""
    stats = [
        (path.relative_to(folder).as_posix(), path.stat())
        for run in _folders(folder, DEPTH)
        for path in (run / name for name in FILES)
        if path.is_file()
    ]
    return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)
