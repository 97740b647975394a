"""An episode of a benchmark as a row: whole in ``episodes.jsonl``, its facts alone in ``results.jsonl``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from mx_agents.bench.config import BenchConfig, Cell
from mx_agents.bench.cost import by_executor, counted, money, tokens_by_agent
from mx_agents.bench.summary import outcome_of
from mx_agents.episodes import Played
from mx_sandboxes import Sandbox, Sandboxes
from mx_tasks import Task

SEATS = 64
"""Executors of an episode of a benchmark; a design with more roles has some share one, which is said."""
OLD_SEATS = 8
"""The same in rows that do not say."""


def row_of(
    played: Played[Cell], task: Task, config: BenchConfig, backend: str, digest: str
) -> dict[str, Any]:
    """The row of ``episodes.jsonl``."""
    cell, record = played.key, played.record.as_dict()
    for turn, sample in zip(record["turns"], played.samples, strict=False):
        if sample is not None:
            names = ("prompt_ids", "output_ids", "log_probabilities")
            tokens = {name: getattr(sample, name) for name in names if hasattr(sample, name)}
            used = dict(getattr(sample, "used", None) or {})
            usage = list((getattr(sample, "about", None) or {}).get("usage") or ())
            said = (("tokens", tokens), ("used", used), ("usage", usage))
            turn.update({name: value for name, value in said if value})
    agents = tokens_by_agent(record["turns"])
    inward, outward = (sum(spent[place] for spent in agents.values()) for place in (1, 2))
    charged = counted(record["turns"])
    whose = by_executor(record["turns"], cell.executor) or {cell.executor: []}
    prices = [money(config.prices, executor, *counted(turns)) for executor, turns in whose.items()]
    known = [price for price in prices if price is not None]
    price = sum(known) if len(known) == len(prices) else None
    return {
        "method": cell.method,
        "tasks": cell.tasks,
        "executor": cell.executor,
        "repetition": cell.repetition,
        "difficulty": task.difficulty,
        "seats": SEATS,
        "seconds": round(played.seconds, 4),
        "cost": {"in": inward, "out": outward, "counted": list(charged), "money": price, "agents": agents},
        "task_hash": task_hash(task),
        "image": task.image,
        "image_digest": digest,
        "backend": backend,
        "episode": record,
    }


def facts_of(row: Mapping[str, Any], versions: Mapping[str, str]) -> dict[str, Any]:
    """The row of ``results.jsonl``: everything that a table can be made of, without the texts of turns."""
    episode, outcome = row["episode"], outcome_of(row)
    names = (
        "method",
        "tasks",
        "executor",
        "repetition",
        "difficulty",
        "seconds",
        "cost",
        "task_hash",
        "image",
    )
    return {
        **{name: row[name] for name in (*names, "image_digest", "backend")},
        "task": episode["task"],
        "fingerprint": episode["fingerprint"],
        "split": episode["split"],
        "seed": episode["seed"],
        "design": episode["design"],
        "label": episode["label"],
        "stop": episode["stop"],
        "error": episode["error"],
        "score": outcome.score,
        "passed": bool(outcome.success),
        "parts": (episode["grade"] or {}).get("parts", {}),
        "calls": outcome.calls,
        "invalid": outcome.invalid,
        "abstained": outcome.abstained,
        "tampered": outcome.tampered,
        "failed": outcome.failed,
        "rewards": episode["rewards"],
        "versions": dict(versions),
    }


def task_hash(task: Task) -> str:
    """A hash of all that agents may see of a task."""
    parts = [[part.name, part.prompt, part.check] for part in task.parts]
    files = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(task.files.items())}
    said = json.dumps([task.id, task.prompt, parts, files, task.image], sort_keys=True)
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]


def where(sandbox: Sandbox | Sandboxes, image: str) -> tuple[str, str]:
    """The backend that tasks with this image run on, and the image's digest; the embedded sandbox has the host's programs."""
    backend = (sandbox(image) if isinstance(sandbox, Sandboxes) else sandbox).backend
    return backend, _digest(image) if backend == "docker" else "host"


@lru_cache(maxsize=16)
def _digest(image: str) -> str:
    from mx_sandboxes.backends.docker.connection import connect, find_image

    client = connect()
    try:
        tag = find_image(client, image)
        return str(client.images.get(tag).id) if tag is not None else "unknown"
    finally:
        client.close()
