"""How good a pair of policies is on tasks that training never saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_agents.trainer.roles import Role, Roles
from mx_agents.trainer.rollout import Execution, Job, Sampler, designer_observations, execute
from mx_envs import EpisodeRecord
from mx_tasks import Split, TaskSet, tasks

ENDINGS = 3
"""How many ways to hand nothing in are told of a step."""
LONGEST_ENDING = 200
"""Characters; a script's error can be of any length."""


def evaluate(
    envs: Sequence[Any],
    task_set: TaskSet,
    split: Split,
    count: int,
    roles: Roles,
    seed: int,
    *,
    greedy: bool = False,
) -> list[Execution]:
    """One execution of one design for each of the split's first ``count`` tasks.

    The designer samples as it does in training; ``greedy`` takes its likeliest design instead. The executor samples in both cases.
    The policies' own random states are left as they were.
    """
    chosen = list(tasks(task_set, split, count))
    chats = designer_observations(envs, range(len(chosen)))
    with ExitStack() as stack:
        stack.enter_context(apart(roles.designer, seed, temperature=0.0 if greedy else None))
        for role in roles.executors().values():
            stack.enter_context(apart(role, seed))
        designs = roles.designs(chats, chosen)
        jobs = [Job(index, 0, 0, design.text) for index, design in enumerate(designs)]
        return execute(envs, jobs, roles.executor.policy.sample, by_name=samplers(roles))


def samplers(roles: Roles) -> Callable[[str], Sampler]:
    """Who answers for an agent of some name in the design."""
    executors = roles.executors()
    bound = {name: role.policy.sample for name, role in executors.items()}
    return lambda agent: bound[roles.role_of(agent)]


def _endings(records: Sequence[EpisodeRecord]) -> dict[str, int]:
    """What most of the executions that handed nothing in ended with, and how many each."""
    found = Counter(record.error or record.stop.value for record in records if not record.handed_in)
    kept: Counter[str] = Counter()
    for ending, count in found.most_common(ENDINGS):
        kept[ending[:LONGEST_ENDING]] += count
    return dict(kept)


def figures(executions: Sequence[Execution]) -> dict[str, Any]:
    """Means over executions, and over their graded turns for ``part_accuracy``.

    What the infrastructure failed is in every denominator, as no success.
    """
    records = [execution.record for execution in executions]
    turns = [turn.turn_reward for record in records for turn in record.turns if turn.turn_reward is not None]
    labels = Counter(record.label for record in records)
    return {
        "success": _mean([float(record.grade.passed) for record in records]),
        "score": _mean([record.grade.score for record in records]),
        "part_accuracy": _mean(turns) if turns else None,
        "calls": _mean([float(record.calls) for record in records]),
        "invalid": _mean([float(not record.handed_in) for record in records]),
        "invalid_endings": _endings(records),
        "workflows": {label: count / len(records) for label, count in labels.most_common()},
        "episodes": len(records),
        "gave_up": _mean([float(record.calls == 0 and not record.grade.score) for record in records]),
        "tampered": sum(record.grade.tampered for record in records),
        "infrastructure_failures": sum(record.failed for record in records),
        "retries": sum(execution.tries - 1 for execution in executions),
    }


@contextmanager
def apart(role: Role, seed: int, temperature: float | None = None) -> Iterator[None]:
    """Let a role act with a random state (and temperature) of its own, so that looking does not change what is looked at.

    A policy that is no model of ours is left as it is.
    """
    if not isinstance(role.policy, HuggingFacePolicy):
        yield
        return
    generator, before = role.policy.generator, role.policy.temperature
    role.policy.generator = torch.Generator(device=role.policy.device).manual_seed(seed)
    role.policy.temperature = before if temperature is None else temperature
    try:
        yield
    finally:
        role.policy.generator, role.policy.temperature = generator, before


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
