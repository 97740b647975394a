"""What all hidden windows together are worth: the median, how sure it is, and what else is to be reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mx_tasks.task import Grade
from mx_tasks.trading.grading.arenas import Arena, State, Window
from mx_tasks.trading.market.metrics import bootstrap_interval

MOST_ERRORS = 5


def verdict(
    arena: Arena,
    windows: Sequence[Window],
    states: Sequence[State],
    answered: Sequence[bool],
    trials: int,
    errors: Sequence[str] = (),
) -> Grade:
    """The grade of logs of windows; one in which nothing was answered scores 0. ``trials`` were counted on the host."""
    scores = [
        window.score(state) if acted else 0.0
        for window, state, acted in zip(windows, states, answered, strict=True)
    ]
    median = float(np.median(scores))
    low, high = bootstrap_interval(np.array(scores)) if len(scores) > 1 else (median, median)
    more = arena.figures(windows, states, trials)
    faults = sum(len(state["faults"]) for state in states)
    log = "\n".join(
        [
            f"median {median:.3f} [{low:.3f}, {high:.3f}] over {len(scores)} windows: "
            + " ".join(f"{score:.3f}" for score in scores),
            f"trial {trials} on these windows; faults {faults}",
            *(f"{name}: {value:.4f}" for name, value in more.items()),
            *list(dict.fromkeys(errors))[:MOST_ERRORS],
        ]
    )
    parts = {
        "median": median,
        "low": low,
        "high": high,
        "trials": float(trials),
        "faults": float(faults),
        **more,
    }
    # where nothing can be earned, a program that never answers loses nothing: that is giving up, not passing
    passed = all(answered) and arena.passed(median, low, more)
    score = round(max(-1.0, min(1.0, median)), 9) + 0.0
    return Grade(score, passed=passed, parts=parts, abstained=not any(answered), log=log)
