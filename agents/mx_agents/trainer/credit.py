"""Who gets the credit: pure functions from rewards and groups to advantages.

MetaAgent-X (arXiv 2605.14212) normalises a designer's reward over the M designs of a task, and an executor's over the M x N
executions. Two things differ on purpose. The scale is one standard deviation per role over the whole batch, because a small
group's own deviation turns cost differences on unsolved tasks into full-size advantages. And where the environment pays turn
rewards, an executor's turn is compared with the turns that were asked the same thing; a turn that answered nothing of the task
(a plan, a review, the first link of a chain) has none, and gets its team's.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mx_agents.models.hugging_face import Sample
from mx_agents.trainer.config import ExecutorCredit, Scale


@dataclass(frozen=True, slots=True)
class Call:
    """One model call of a rollout tree, and what came of it.

    ``task``, ``design`` and ``execution`` are its place in the tree; ``unit`` names what was asked for (the parts of the task);
    ``local_reward`` is the turn reward, None where the environment paid none; ``team_reward`` is the role's reward at the end of
    the execution (for a designer's call: the mean over the design's executions). ``agent`` is the name in the design of who was
    called.
    """

    task: int
    design: int
    execution: int
    role: Literal["designer", "executor"]
    unit: str
    sample: Sample
    team_reward: float
    local_reward: float | None = None
    policy_version: int = 0
    agent: str = ""


def group_relative(rewards: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    """Each reward less the mean of its group; 0 in a group of one or without spread."""
    members: dict[Hashable, list[float]] = defaultdict(list)
    for reward, group in zip(rewards, groups, strict=True):
        members[group].append(reward)
    means = {group: sum(values) / len(values) for group, values in members.items()}
    return [reward - means[group] for reward, group in zip(rewards, groups, strict=True)]


def scaled(advantages: Sequence[float]) -> list[float]:
    """Advantages divided by their root mean square over those that are not 0; all 0 stays 0."""
    informative = [advantage for advantage in advantages if abs(advantage) > 1e-9]
    if not informative:
        return [0.0] * len(advantages)
    scale = math.sqrt(sum(advantage**2 for advantage in informative) / len(informative))
    return [advantage / scale for advantage in advantages]


def in_groups(advantages: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    """Advantages divided by the root mean square of their own group (GRPO's scale); a group that is all 0 stays 0."""
    members: dict[Hashable, list[float]] = defaultdict(list)
    for advantage, group in zip(advantages, groups, strict=True):
        members[group].append(advantage**2)
    scales = {group: math.sqrt(sum(squares) / len(squares)) for group, squares in members.items()}
    return [
        advantage / scales[group] if scales[group] > 1e-9 else 0.0
        for advantage, group in zip(advantages, groups, strict=True)
    ]


def designer_advantages(calls: Sequence[Call], scale: Scale = "batch") -> list[float]:
    """Advantages of designer calls, one call per design: group = the task's designs.

    ``scale`` is what they are divided by: ``batch``, one root mean square over the batch; ``group``, each group's own (GRPO);
    ``none``, nothing (Dr. GRPO).
    """
    groups = [call.task for call in calls]
    return _of_scale(group_relative([call.team_reward for call in calls], groups), groups, scale)


def _of_scale(advantages: Sequence[float], groups: Sequence[Hashable], scale: Scale) -> list[float]:
    if scale == "group":
        return in_groups(advantages, groups)
    return scaled(advantages) if scale == "batch" else list(advantages)


def executor_advantages(calls: Sequence[Call], credit: ExecutorCredit, scale: Scale = "batch") -> list[float]:
    """Advantages of executor calls.

    ``turn``: the turn's own reward, compared with the turns of the task that were asked for the same unit (calls without a turn
    reward fall back to ``question``). ``question``: the execution's reward compared with all M x N executions of the task.
    ``design``: compared with the N executions of the same design. Group means are over executions, not over calls, so that an
    execution with more calls does not weigh more in its group's mean.

    ``leave-one-out``: as ``turn``, but each is compared with the others alone, and a turn without a reward of its own with the
    executions in which the very same question was asked: what came of the siblings is what would have come of another answer in
    the same context (RLOO, arXiv 2402.14740; C3, arXiv 2603.06859).
    """
    if credit == "leave-one-out":
        return _of_scale(_leave_one_out(calls), [call.task for call in calls], scale)
    of_execution = _execution_advantages(calls, credit, scale)
    if credit != "turn":
        return scaled(of_execution) if scale == "batch" else of_execution
    local = [place for place, call in enumerate(calls) if call.local_reward is not None]
    units = [(calls[place].task, calls[place].unit) for place in local]
    relative = group_relative([calls[place].local_reward or 0.0 for place in local], units)
    advantages = list(of_execution)
    for place, advantage in zip(
        local, in_groups(relative, units) if scale == "group" else relative, strict=True
    ):
        advantages[place] = advantage
    return scaled(advantages) if scale == "batch" else advantages


def without_itself(rewards: Sequence[float], groups: Sequence[Hashable]) -> list[float]:
    """Each reward less the mean of the others in its group; 0 in a group of one."""
    members: dict[Hashable, list[float]] = defaultdict(list)
    for reward, group in zip(rewards, groups, strict=True):
        members[group].append(reward)
    advantages = []
    for reward, group in zip(rewards, groups, strict=True):
        own = members[group]
        others = (sum(own) - reward) / (len(own) - 1) if len(own) > 1 else reward
        advantages.append(reward - others)
    return advantages


def _leave_one_out(calls: Sequence[Call]) -> list[float]:
    """Own rewards against the others of the unit; team rewards against executions with the same question, else all of the task."""
    executions: dict[Hashable, set[tuple[int, int]]] = defaultdict(set)
    for call in calls:
        executions[_context(call)].add((call.design, call.execution))
    advantages = _team_without_itself(calls)
    for kind in ("unit", "context"):
        places = [place for place, call in enumerate(calls) if _compared(call, executions) == kind]
        own = [calls[place] for place in places]
        rewards = [call.team_reward if call.local_reward is None else call.local_reward for call in own]
        groups = [(call.task, call.unit) if kind == "unit" else _context(call) for call in own]
        for place, advantage in zip(places, without_itself(rewards, groups), strict=True):
            advantages[place] = advantage
    return advantages


def _compared(call: Call, executions: Mapping[Hashable, set[tuple[int, int]]]) -> str:
    if call.local_reward is not None:
        return "unit"
    return "context" if len(executions[_context(call)]) > 1 else "task"


def _context(call: Call) -> Hashable:
    return call.task, tuple(call.sample.prompt_ids)


def _team_without_itself(calls: Sequence[Call]) -> list[float]:
    rewards = {(call.task, call.design, call.execution): call.team_reward for call in calls}
    executions = list(rewards)
    found = without_itself([rewards[place] for place in executions], [place[0] for place in executions])
    of = dict(zip(executions, found, strict=True))
    return [of[call.task, call.design, call.execution] for call in calls]


def _execution_advantages(calls: Sequence[Call], credit: ExecutorCredit, scale: Scale) -> list[float]:
    rewards = {(call.task, call.design, call.execution): call.team_reward for call in calls}
    executions = list(rewards)
    groups = [place[:2] if credit == "design" else place[:1] for place in executions]
    advantages = group_relative([rewards[place] for place in executions], groups)
    if scale == "group":
        advantages = in_groups(advantages, groups)
    of = dict(zip(executions, advantages, strict=True))
    return [of[call.task, call.design, call.execution] for call in calls]
