"""A recorded episode, run again with the recorded answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mx_agents.bench.rows import OLD_SEATS
from mx_agents.errors import ReplayDifferenceError, UsageError
from mx_agents.policies.replay import ReplayPolicy
from mx_agents.runs.folder import read_config, read_lines
from mx_envs import domain_of
from mx_envs.episode.design import EXTERNAL
from mx_sandboxes import Sandbox, Sandboxes
from mx_tasks import load_task_set

OF_THE_POLICY = ("tokens", "used", "usage")
"""What a run writes beside its turns of how the policy came to its answers."""
COMPARED = ("turns", "submission", "stop", "error", "log", "grade", "rewards")


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay: the place of every difference, with what was recorded and what came now."""

    task: str
    method: str
    differences: list[tuple[str, Any, Any]]


def read_row(path: Path, number: int) -> dict[str, Any]:
    """The nth row, from 1, of an ``episodes.jsonl`` or of the run that holds it. Raises UsageError."""
    file = path / "episodes.jsonl" if path.is_dir() else path
    if not file.is_file():
        raise UsageError(f"there is no record {str(file)!r}; name the episodes.jsonl of a run")
    rows = read_lines(file)
    if not 1 <= number <= len(rows):
        raise UsageError(f"{file} holds {len(rows)} episodes; there is no number {number}")
    row = rows[number - 1]
    return row if "episode" in row else {"method": "", "episode": row}


def budget_of(path: Path) -> tuple[int | None, int | None]:
    """The budget in calls and tokens of the run that a record belongs to."""
    folder = path if path.is_dir() else path.parent
    config = read_config(folder) if (folder / "config.yaml").is_file() else {}
    return config.get("budget"), config.get("tokens")


def replay(
    row: dict[str, Any], sandbox: Sandbox | Sandboxes, budget: tuple[int | None, int | None]
) -> Replay:
    """Run the episode of a row again. Raises UsageError when it cannot be: its tasks changed, or its program was outside."""
    from mx_agents.bench.budget import BudgetedTasks

    record = row["episode"]
    if record["design"].startswith(EXTERNAL):
        raise UsageError(
            "a program outside the sandbox played this episode: its record holds its calls, not the program"
        )
    task_set: Any = load_task_set(record["task_set"])
    if task_set.fingerprint != record["fingerprint"]:
        raise UsageError(f"the tasks of {record['task_set']} have changed since this episode was played")
    if budget != (None, None):
        task_set = BudgetedTasks(task_set, *budget)
    policy = ReplayPolicy([record])
    paid = any(turn["turn_reward"] is not None for turn in record["turns"])
    env: Any = domain_of(task_set).raw_env(
        tasks=task_set,
        split=record["split"],
        sandbox=sandbox,
        turn_rewards=paid,
        guide=record.get("guide", "full"),
        executors=row.get("seats", OLD_SEATS),
    )
    differences: list[tuple[str, Any, Any]] = []
    try:
        env.reset(seed=record["seed"], options={"task": record["task"]})
        env.step(record["design"])
        while env.unwrapped.episode is None:
            env.step(policy.act([env.observe(env.agent_selection)])[0])
        differences = _differences(record, env.unwrapped.episode.as_dict())
    except ReplayDifferenceError as error:
        differences = [(f"turn {len(env.unwrapped.host.current.turns) + 1}", "", str(error))]
    finally:
        env.close()
    return Replay(record["task"], row["method"], differences)


def _differences(recorded: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    found = []
    for name in COMPARED:
        if name == "turns":
            for number, (a, b) in enumerate(zip(recorded["turns"], now["turns"], strict=False), 1):
                fields = [
                    field
                    for field in a
                    if field not in OF_THE_POLICY and _plain(a[field]) != _plain(b.get(field))
                ]
                found += [(f"turn {number}, {field}", a[field], b.get(field)) for field in fields]
            if len(recorded["turns"]) != len(now["turns"]):
                found.append(("number of turns", len(recorded["turns"]), len(now["turns"])))
        elif _plain(recorded[name]) != _plain(now[name]):
            found.append((name, recorded[name], now[name]))
    return found


def _plain(value: Any) -> Any:
    """Tuples as JSON gives them back."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return {name: _plain(each) for name, each in value.items()} if isinstance(value, dict) else value
