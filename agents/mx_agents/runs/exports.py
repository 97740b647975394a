"""Episodes in other tools' formats: ATIF v1.8 trajectories (Harbor), ``.traj.json`` (mini-swe-agent), ``preds.jsonl`` (SWE-bench).

All are made of the plain rows of ``episodes.jsonl``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mx_agents.errors import UsageError
from mx_agents.runs.folder import read_lines, versions
from mx_envs.inside.mas_tools import calls_in

ATIF = "ATIF-v1.8"
_DIFF = re.compile(r"^```(?:diff|patch)[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)


def trajectory(row: Mapping[str, Any], prompt: str = "") -> dict[str, Any]:
    """An episode as an ATIF trajectory: the designer's, with one nested trajectory for each executor that took a turn."""
    episode = row["episode"]
    session = _session(row)
    subagents = [_executor(session, name, turns) for name, turns in _by_agent(episode["turns"]).items()]
    references = [{"trajectory_id": each["trajectory_id"], "session_id": session} for each in subagents]
    design = {"source": "agent", "message": episode["design"]}
    if references:
        design["observation"] = {"results": [{"subagent_trajectory_ref": references}]}
    steps = [{"source": "user", "message": prompt or episode["task"]}, design]
    grade = episode["grade"]
    return {
        "schema_version": ATIF,
        "session_id": session,
        "trajectory_id": f"{session}-designer_0",
        "agent": _agent(row.get("method") or "designer_0", row.get("executor")),
        "steps": _numbered(steps),
        "final_metrics": {"total_steps": len(steps)},
        "extra": {
            **{
                name: episode[name]
                for name in ("env", "task", "task_set", "fingerprint", "split", "seed", "label")
            },
            **{name: episode[name] for name in ("stop", "error", "rewards")},
            "grade": grade,
            "diff": patch_of(episode),
        },
        **({"subagent_trajectories": subagents} if subagents else {}),
    }


def mini_trajectory(row: Mapping[str, Any], prompt: str = "") -> dict[str, Any]:
    """An episode as mini-swe-agent writes its ``.traj.json``: all messages in the order in which they were said."""
    episode = row["episode"]
    messages = [
        {"role": "user", "content": prompt or episode["task"]},
        {"role": "assistant", "content": episode["design"]},
    ]
    for turn, new in _news(episode["turns"]):
        messages += [{**message, "agent": turn["agent"], "name": turn["name"]} for message in new]
        messages.append(
            {"role": "assistant", "content": turn["answer"], "agent": turn["agent"], "name": turn["name"]}
        )
    info = {
        "exit_status": episode["stop"],
        "submission": patch_of(episode),
        "model_stats": {"api_calls": len(episode["turns"])},
        "mini_version": f"mx-envs {_version()}",
    }
    return {
        "instance_id": episode["task"],
        "info": info,
        "messages": messages,
        "trajectory_format": "mini-swe-agent-1",
    }


def prediction(row: Mapping[str, Any]) -> dict[str, str]:
    """An episode's line of ``preds.jsonl``."""
    episode = row["episode"]
    name = "/".join(str(row[key]) for key in ("method", "executor") if row.get(key))
    return {
        "instance_id": episode["task"],
        "model_name_or_path": name or "mx-envs",
        "model_patch": patch_of(episode),
    }


def patch_of(episode: Mapping[str, Any]) -> str:
    """What was handed in as a unified diff: of the files, or the diffs in the answer; empty when there is none."""
    diff = str(episode.get("diff") or "")
    return diff or "".join(_DIFF.findall(episode["submission"]["answer"]))


def export(run: Path, form: str, folder: Path) -> int:
    """Write the episodes of a run's ``episodes.jsonl`` into a folder; their number. Raises UsageError."""
    if not (run / "episodes.jsonl").is_file():
        raise UsageError(f"there are no episodes in {str(run)!r}; export takes the folder of a benchmark run")
    rows = [row if "episode" in row else {"episode": row} for row in read_lines(run / "episodes.jsonl")]
    prompts = {row["id"]: row["prompt"] for row in read_lines(run / "tasks.jsonl")}
    folder.mkdir(parents=True, exist_ok=True)
    if form == "preds":
        text = "".join(json.dumps(prediction(row)) + "\n" for row in rows)
        (folder / "preds.jsonl").write_text(text, encoding="utf-8")
        return len(rows)
    make: Callable[[Mapping[str, Any], str], dict[str, Any]] = (
        trajectory if form == "atif" else mini_trajectory
    )
    ending = "json" if form == "atif" else "traj.json"
    for number, row in enumerate(rows):
        made = make(row, prompts.get(row["episode"]["task"], ""))
        (folder / f"{number:05}.{ending}").write_text(json.dumps(made, indent=1), encoding="utf-8")
    return len(rows)


def _version() -> str:
    return versions().get("mx-envs", "0")


def _session(row: Mapping[str, Any]) -> str:
    """A name for the episode that equal episodes share and others do not."""
    words = [row.get(name) for name in ("method", "tasks", "executor", "repetition")]
    episode = row["episode"]
    said = json.dumps([words, episode["task"], episode["seed"], episode["design"]])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _agent(name: str, model: object = None, **extra: object) -> dict[str, Any]:
    about: dict[str, Any] = {"name": name, "version": _version()}
    if model:
        about["model_name"] = str(model)
    return about | ({"extra": extra} if extra else {})


def _by_agent(turns: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for turn in turns:
        found.setdefault(turn["agent"], []).append(turn)
    return found


def _news(turns: list[dict[str, Any]]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each turn with those of its messages that its agent had not heard or said before."""
    known: dict[str, list[dict[str, Any]]] = {}
    found = []
    for turn in turns:
        messages, before = list(turn["messages"]), known.get(turn["agent"], [])
        new = messages[len(before) :] if messages[: len(before)] == before else messages
        known[turn["agent"]] = [*messages, {"role": "assistant", "content": turn["answer"]}]
        found.append((turn, new))
    return found


def _executor(session: str, agent: str, turns: list[dict[str, Any]]) -> dict[str, Any]:
    steps: list[dict[str, Any]] = []
    for turn, new in _news(turns):
        for message in new:
            _hear(steps, message)
        steps.append(_said(turn, len(steps)))
    return {
        "schema_version": ATIF,
        "session_id": session,
        "trajectory_id": f"{session}-{agent}",
        "agent": _agent(turns[0]["name"] or agent, seat=agent),
        "steps": _numbered(steps),
    }


def _hear(steps: list[dict[str, Any]], message: Mapping[str, str]) -> None:
    """A message to the agent; a tool's result belongs to the step that called."""
    role, content = message["role"], message["content"]
    if role == "tool" and steps and steps[-1]["source"] == "agent" and "observation" not in steps[-1]:
        calls = steps[-1].get("tool_calls", [])
        source = {"source_call_id": calls[0]["tool_call_id"]} if len(calls) == 1 else {}
        steps[-1]["observation"] = {"results": [{**source, "content": content}]}
    else:
        steps.append(
            {"source": {"system": "system", "assistant": "agent"}.get(role, "user"), "message": content}
        )


def _said(turn: Mapping[str, Any], place: int) -> dict[str, Any]:
    calls = [call for call in calls_in(turn["answer"]) if not isinstance(call, str)]
    step: dict[str, Any] = {"source": "agent", "message": turn["answer"], "llm_call_count": 1}
    if calls:
        step["tool_calls"] = [
            {"tool_call_id": f"call_{place}_{number}", "function_name": name, "arguments": arguments}
            for number, (name, arguments) in enumerate(calls)
        ]
    tokens = turn.get("tokens")
    if tokens:
        step["metrics"] = {
            "prompt_tokens": len(tokens["prompt_ids"]),
            "completion_tokens": len(tokens["output_ids"]),
            "prompt_token_ids": tokens["prompt_ids"],
            "completion_token_ids": tokens["output_ids"],
            "logprobs": tokens["log_probabilities"],
        }
    step["extra"] = {
        name: turn[name]
        for name in ("batch", "parts", "turn_reward", "team_reward", "rulings")
        if turn.get(name) is not None
    }
    return step


def _numbered(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"step_id": number, **step} for number, step in enumerate(steps, 1)]
