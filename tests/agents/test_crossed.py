"""Intervals over seeds and tasks hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest

from mx_agents.crossed import crossed_interval
from mx_agents.student_t import t_quantile

WORLDS = {
    "seeds alike": (0.0, 1.5, 0.0),
    "seeds differ": (0.4, 1.5, 0.0),
    "seeds differ much": (0.8, 1.0, 0.5),
    "mostly solved": (0.3, 2.0, 2.0),
    "hardly ever solved": (0.1, 0.3, -2.0),
}
"""Spread of seeds, spread of tasks and mean, in log-odds."""


def success(log_odds):
    return 1 / (1 + np.exp(-log_odds))


def covered(seeds, tasks, world, runs):
    """How often the interval of a simulated experiment holds the mean over all seeds and tasks."""
    of_seeds, of_tasks, mean = WORLDS[world]
    rng = np.random.default_rng(seeds * 1000 + tasks)
    truth = success(mean + np.hypot(of_seeds, of_tasks) * rng.standard_normal(400_000)).mean()
    hits = 0
    for _ in range(runs):
        odds = mean + of_seeds * rng.standard_normal((seeds, 1)) + of_tasks * rng.standard_normal((1, tasks))
        table = (rng.random((seeds, tasks)) < success(odds)).astype(float)
        found = crossed_interval(table)
        hits += not found.excludes(truth)
    return hits / runs


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_intervals_over_seeds_and_tasks_hold_the_truth(seeds, world):
    """0.95 is claimed; 1,200 experiments tell 0.93 from it, with two of their own standard errors."""
    runs = 1200
    assert covered(seeds, 60, world, runs) >= 0.93 - 2 * (0.93 * 0.07 / runs) ** 0.5
    assert covered(seeds, 60, world, 100) > 0.85


def test_one_seed_speaks_of_its_tasks_alone():
    rng = np.random.default_rng(3)
    hits = 0
    for _ in range(100):
        table = (rng.random((1, 60)) < success(1.5 * rng.standard_normal((1, 60)))).astype(float)
        hits += not crossed_interval(table).excludes(0.5)
    assert hits / 100 >= 0.88


def test_drawing_tasks_anew_in_each_seed_would_claim_too_much():
    """The control: what the interval was before holds the truth far too seldom where tasks are shared."""
    rng = np.random.default_rng(0)
    seeds, tasks, hits = 5, 60, 0
    for _ in range(80):
        table = (
            rng.random((seeds, tasks)) < success(2 * rng.standard_normal((1, tasks)) + np.zeros((seeds, 1)))
        ).astype(float)
        means = np.array(
            [
                np.mean(
                    [
                        row[rng.integers(tasks, size=tasks)].mean()
                        for row in table[rng.integers(seeds, size=seeds)]
                    ]
                )
                for _ in range(100)
            ]
        )
        low, high = np.quantile(means, [0.025, 0.975])
        hits += low <= 0.5 <= high
    assert hits / 80 < 0.9


@pytest.mark.parametrize(
    ("freedom", "table"),
    [
        (1, 12.706),
        (2, 4.303),
        (3, 3.182),
        (4, 2.776),
        (9, 2.262),
        (59, 2.001),
        (299, 1.968),
        (100_000, 1.960),
    ],
)
def test_t_is_that_of_the_tables(freedom, table):
    assert t_quantile(freedom) == pytest.approx(table, abs=6e-4)


def test_a_t_needs_a_degree_of_freedom_and_an_interval_results():
    with pytest.raises(ValueError, match="0 degrees"):
        t_quantile(0)
    with pytest.raises(ValueError, match="seeds and tasks"):
        crossed_interval(np.zeros((0, 3)))


def test_all_results_alike_are_no_certainty_and_many_seeds_do_not_make_tasks():
    few, many = (crossed_interval(np.ones((seeds, 20))) for seeds in (1, 10))
    assert few == many
    assert 0.8 < few.low < 0.9
    assert few.high == 1.0


def test_differences_may_be_negative():
    table = np.tile([-1.0, 0.0, 0.0, 1.0, -1.0], (3, 4)) * np.array([[1.0], [0.5], [1.0]])
    found = crossed_interval(table, bounds=(-1.0, 1.0))
    assert found.low < found.mean < found.high
    assert found.low < 0


@pytest.mark.parametrize("seeds", [1, 4])
def test_two_arms_that_never_differ_are_no_certainty_either(seeds):
    found = crossed_interval(np.zeros((seeds, 30)), bounds=(-1.0, 1.0))
    assert found.mean == 0.0
    assert found.high == -found.low == pytest.approx(1 - 0.025 ** (1 / 30))
