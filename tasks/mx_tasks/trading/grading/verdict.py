"""The grade of the logs of all hidden windows together."""

from __future__ import annotations

from collections.abc import Sequence

from mx_tasks.task import Grade
from mx_tasks.trading.grading.arenas import Arena, State, Window

MOST_ERRORS = 5


def verdict(
    arena: Arena,
    windows: Sequence[Window],
    states: Sequence[State],
    answered: Sequence[bool],
    trial: int,
    errors: Sequence[str] = (),
) -> Grade:
    """The grade of logs of windows; ``trial`` says the how many-th these are on the same windows, as counted on the host."""
    found = arena.judge(windows, states, answered, trial)
    faults = sum(len(state["faults"]) for state in states)
    log = "\n".join(
        [
            *found.said,
            f"trial {trial} on these windows; faults {faults}",
            *(f"{name}: {value:.4f}" for name, value in found.parts.items()),
            *list(dict.fromkeys(errors))[:MOST_ERRORS],
        ]
    )
    parts = {"trials": float(trial), "faults": float(faults), **found.parts}
    score = round(max(-1.0, min(1.0, found.score)), 9) + 0.0
    return Grade(score, passed=found.passed, parts=parts, abstained=not any(answered), log=log)
