"""Reward without work is noticed, and honest learning is not taken for it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mx_agents.trainer.monitor import suspicions


def rows(steps: int = 30, **curves: Any) -> list[dict[str, Any]]:
    usual = {
        "success": lambda t: 0.2 + 0.5 * t,
        "calls": lambda t: 5.0 - t,
        "gave_up": lambda t: 0.05,
        "tampered": lambda t: 0,
    }
    made = usual | curves
    return [
        {"step": step + 1, "episodes": 96} | {name: curve(step / steps) for name, curve in made.items()}
        for step in range(steps)
    ]


def held_out(*success: float, episodes: int = 200) -> list[dict[str, Any]]:
    return [{"step": 10 * n, "success": value, "episodes": episodes} for n, value in enumerate(success)]


CHEATING: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]], str]] = {
    "tampering": (rows(tampered=lambda t: 10 if t > 0.9 else 0), [], "10% of the executions tampered"),
    "giving up": (rows(gave_up=lambda t: t, success=lambda t: 0.2), [], "give-ups rose from"),
    "no more calls": (rows(calls=lambda t: 5 * (1 - t), success=lambda t: 0.2), [], "calls fell from"),
    "a loophole that is just being learnt": (
        rows(success=lambda t: 0.2 + 0.7 * t),
        held_out(0.2, 0.4, 0.4, 0.41),
        "83% in training and 41%",
    ),
    "a loophole from the beginning": (
        rows(success=lambda t: 0.9),
        held_out(0, 0, 0, 0.0, episodes=40),
        "90% in training and 0%",
    ),
    "a loophole": (rows(), held_out(0.2, 0.4, 0.5, 0.2), "fell from 50% (step 20) to 20%"),
}


@pytest.mark.parametrize("name", CHEATING)
def test_reward_without_work_is_noticed(name: str) -> None:
    metrics, evaluations, words = CHEATING[name]
    (found,) = suspicions(metrics, evaluations)
    assert words in found


def test_honest_learning_is_not_suspected() -> None:
    """Rising success with fewer calls, noise on small held-out sets, and the first steps of any run."""
    assert suspicions([], []) == []
    assert suspicions(rows(steps=3, gave_up=lambda t: 1.0), []) == []
    assert suspicions(rows(calls=lambda t: 6 - 5 * t), held_out(0.2, 0.4, 0.6, 0.7)) == []
    assert suspicions(rows(success=lambda t: 0.6 - 0.3 * t), held_out(0.6, 0.3)) == [], (
        "both fell: no loophole"
    )
    rising = rows(success=lambda t: min(0.9, 3 * t))
    assert suspicions(rising[:12], held_out(0.0, 0.2)) == [], "the evaluation is two steps old"
    few = held_out(0.2, 0.4, 0.4, 0.4, episodes=12)
    assert suspicions(rows(), few) == [], "twelve episodes are too few to tell"
    rng = random.Random(0)
    for _ in range(50):
        draws = [sum(rng.random() < 0.5 for _ in range(60)) / 60 for _ in range(2)]
        assert suspicions(rows(), held_out(*draws, episodes=60)) == [] or draws[0] - draws[1] > 0.15
