"""Intervals hold the truth as often as they say, and equal methods are not called different: the study in benchmarks/, smaller."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest

STUDY = Path(__file__).parents[2] / "benchmarks" / "coverage.py"
RUNS = 300
DOUBT = 2.5 * (0.95 * 0.05 / RUNS) ** 0.5
"""Two and a half standard errors of so many experiments."""


@pytest.fixture(scope="module")
def study() -> dict[str, Any]:
    return runpy.run_path(str(STUDY))


@pytest.mark.parametrize("tasks", [5, 10, 20, 50])
@pytest.mark.parametrize("repeats", [1, 3, 10])
def test_intervals_hold_what_they_claim_in_every_world(
    study: dict[str, Any], tasks: int, repeats: int
) -> None:
    for world in study["WORLDS"]:
        mean, difference = study["coverage"](world, tasks, repeats, RUNS)
        assert min(mean, difference) >= 0.945 - DOUBT, (world, mean, difference)


@pytest.mark.parametrize("methods", [5, 9])
def test_equal_methods_are_called_different_in_5_of_100_runs_at_most(
    study: dict[str, Any], methods: int
) -> None:
    assert study["family_error"](methods, 20, 100) <= 0.05 + 2 * (0.05 * 0.95 / 100) ** 0.5
    assert (
        study["family_error"](9, 20, 60, corrected=False) > 0.1
    )  # the control: without the correction they are
