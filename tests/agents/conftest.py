"""Runs made up for the reports: curves with a known shape, and texts that attack the page that shows them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ARMS = {"co-evolution": (0.75, 0.76), "frozen executor": (0.5, 0.35), "frozen designer": (0.38, 0.65)}
SEEDS = 3


def record(rng: random.Random, task: str, passed: bool, answer: str = "a + b") -> dict[str, Any]:
    """An episode record of two turns."""
    prompt = [{"role": "system", "content": "Write Python."}, {"role": "user", "content": "1. + a b"}]
    turn = {
        "agent": "executor_0", "name": "coder", "slot": 0, "batch": 0, "messages": prompt, "answer": answer,
        "parts": ["1"], "graded": True, "turn_reward": float(passed), "team_reward": float(passed),
    }  # fmt: skip
    again = turn | {
        "messages": [*prompt, {"role": "assistant", "content": answer}, {"role": "user", "content": "Sure?"}]
    }
    return {
        "env": "mx/Software-v0", "task": task, "task_set": "software:micro", "fingerprint": "f", "split": "test", "seed": 1,
        "design": 'from mas import *\ncoder = Agent("coder", "Write Python.")\nsubmit(split(coder))  # each part', "label": "split",
        "turns": [turn, again], "submission": {"answer": answer, "files": {}}, "stop": "submitted", "error": "", "log": "",
        "grade": {
            "score": 1.0 if passed else round(rng.random() / 2, 2), "passed": passed, "parts": {"1": float(passed)},
            "tampered": False, "log": "",
        },
        "rewards": {"designer": 0.9 * passed, "executors": float(passed)},
    }  # fmt: skip


def write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_training_run(folder: Path, *, steps: int = 150, trees: int = 4, text: str = "a + b") -> Path:
    """A training run as the trainer writes it; ``text`` is what its models wrote."""
    rng = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(
        yaml.safe_dump({"kind": "train", "preset": "micro", "seeds": SEEDS, "steps": steps})
    )
    metrics, evaluation, results = [], [], []
    for arm, (end, part_end) in ARMS.items():
        for seed in range(SEEDS):
            for step in range(steps):
                done = 1 - 2.7 ** (-4 * step / steps)
                split, best = max(0.05, 0.45 - done * 0.2), 0.1 + 0.5 * done
                workflows = {
                    "split·best_of(3)": best,
                    "split": split,
                    "single": (1 - best - split) / 2,
                    "invalid": (1 - best - split) / 2,
                }
                success = 0.18 + (end - 0.18) * done + rng.gauss(0, 0.03)
                parts = 0.34 + (part_end - 0.34) * done + rng.gauss(0, 0.02)
                row = {
                    "arm": arm,
                    "seed": seed,
                    "step": step,
                    "success": success,
                    "score": success,
                    "workflows": workflows,
                    "calls": 5.0,
                }
                metrics.append(row | {"executor_part_accuracy": parts})
                if step % 15 == 0 or step == steps - 1:
                    evaluation.append(row | {"split": "validation", "part_accuracy": parts, "episodes": 100})
        row = {
            "arm": arm,
            "seed": 0,
            "step": steps,
            "split": "test",
            "success": end,
            "part_accuracy": part_end,
        }
        evaluation.append(row)
        results.append(
            {
                "arm": arm,
                "success": end,
                "low": end - 0.04,
                "high": end + 0.03,
                "by_seed": [end - 0.02, end, end + 0.02],
                "greedy_success": end + 0.01,
                "score": end + 0.1,
                "calls": 5.1,
                "tasks": 200,
                "seeds": SEEDS,
            }
        )
    differences = [{"a": "co-evolution", "b": "frozen executor", "mean": 0.25, "low": 0.22, "high": 0.28}]
    write_rows(folder / "metrics.jsonl", metrics)
    write_rows(folder / "evaluation.jsonl", evaluation)
    (folder / "results.json").write_text(json.dumps({"rows": results, "differences": differences}))
    task = {
        "id": "micro-0-train-0",
        "prompt": f"Write each prefix formula as one line of Python.\n1. + a b\n{text}",
    }
    design = f"from mas import *\nsubmit({text!r})"
    rows = []
    for number in range(trees):
        designs = []
        for _ in range(4):
            executions = [record(rng, task["id"], rng.random() < 0.4, text) for _ in range(4)]
            designs.append({"design": design, "label": "split", "reward": 0.4, "executions": executions})
        rows.append(
            {"arm": "co-evolution", "seed": number % 3, "step": number * 10, "task": task, "designs": designs}
        )
    write_rows(folder / "trees.jsonl", rows)
    return folder


def write_bench_run(folder: Path, *, tasks: int = 40, seeds: int = 2, text: str = "a + b") -> Path:
    """A benchmark run; the methods differ in how often they pass."""
    rng = random.Random(0)
    folder.mkdir(parents=True, exist_ok=True)
    chances = {"single": 0.2, "vote": 0.25, "reflect": 0.3, "debate": 0.22, "split": 0.5}
    config = {
        "kind": "bench", "format": 2, "tokens": None, "search_calls": 200, "prices": {},
        "methods": list(chances), "tasks": "software:micro", "split": "test", "episodes": tasks,
        "seeds": seeds, "executor": "scripted", "budget": None, "sandbox": "auto", "fingerprint": "f",
    }  # fmt: skip
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    ids = [f"micro-0-test-{number}" for number in range(tasks)]
    write_rows(folder / "tasks.jsonl", [{"id": task, "prompt": f"task {task}\n{text}"} for task in ids])
    ease = {task: rng.uniform(0.3, 1.7) for task in ids}
    rows = []
    for repetition in range(seeds):
        for task in ids:
            for method, chance in chances.items():
                episode = record(rng, task, rng.random() < chance * ease[task], text)
                rows.append({"method": method, "repetition": repetition, "seconds": 0.1, "episode": episode})
    write_rows(folder / "episodes.jsonl", rows)
    return folder


@pytest.fixture
def training_run(tmp_path: Path) -> Callable[..., Path]:
    return lambda **options: write_training_run(tmp_path / "training", **options)


@pytest.fixture
def bench_run(tmp_path: Path) -> Callable[..., Path]:
    return lambda **options: write_bench_run(tmp_path / "bench", **options)
