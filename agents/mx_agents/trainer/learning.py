"""From a step's calls to updates: each learner learns from the calls of its roles that learn in this step."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence

from mx_agents.trainer.config import ExecutorCredit, Scale
from mx_agents.trainer.credit import Call, designer_advantages, executor_advantages
from mx_agents.trainer.mapping import DESIGNER, EXECUTOR
from mx_agents.trainer.roles import Roles


def learn(
    roles: Roles,
    designer_calls: Sequence[Call],
    executor_calls: Sequence[Call],
    *,
    credit: ExecutorCredit,
    scale: Scale = "batch",
    learning: Collection[str],
    rng: random.Random,
    done: float,
) -> dict[str, float]:
    """Update the weights of the roles in ``learning`` (``designer``, ``executor`` for every executor); what their updates tell.

    Credit is worked out over all calls, those of roles that do not learn included: whom a call is compared with does not depend
    on who learns. Roles that share weights make one update together. The figures have the names of the weights before them.
    """
    credited = []
    if EXECUTOR in learning:
        credited += list(zip(executor_calls, executor_advantages(executor_calls, credit, scale), strict=True))
    if DESIGNER in learning:
        credited += list(zip(designer_calls, designer_advantages(designer_calls, scale), strict=True))
    row: dict[str, float] = {}
    for weights, learner in sorted(roles.learners().items(), key=lambda pair: _order(roles, pair[0])):
        own = [(call, advantage) for call, advantage in credited if _weights(roles, call) == weights]
        if not own:
            continue
        stats = learner.update(
            [call.sample for call, _ in own], [advantage for _, advantage in own], rng, done
        )
        row |= {f"{weights}_{key}": value for key, value in stats.items()}
    return row


def _weights(roles: Roles, call: Call) -> str:
    if call.role == DESIGNER:
        return roles.designer.weights
    return roles.executors()[roles.role_of(call.agent)].weights


def _order(roles: Roles, weights: str) -> tuple[bool, str]:
    """Executors first, as in stages."""
    return all(role.weights != weights for role in roles.executors().values()), weights
