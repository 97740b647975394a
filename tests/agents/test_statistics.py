"""Means and intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mx_agents.statistics import (
    detectable_difference,
    front,
    group_by_task,
    holm,
    mean_interval,
    paired_difference,
    paired_p,
    pass_all,
    pass_at,
)


def test_repeats_of_a_task_are_one_piece_of_evidence() -> None:
    few = mean_interval({"a": [0.0], "b": [1.0], "c": [1.0]})
    many = mean_interval({"a": [0.0] * 100, "b": [1.0] * 100, "c": [1.0] * 100})
    assert few == many
    assert few.mean == pytest.approx(2 / 3)


def test_a_task_with_more_repeats_weighs_no_more() -> None:
    assert mean_interval({"a": [0.0], "b": [1.0] * 9}).mean == 0.5


def test_the_interval_has_the_width_that_theory_says() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 400)
    found = mean_interval({str(place): [float(value)] for place, value in enumerate(values)})
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)


def test_about_95_of_100_intervals_hold_the_truth() -> None:
    generator = np.random.default_rng(0)
    hits = 0
    for _ in range(100):
        draws = generator.random(60) < 0.4
        found = mean_interval({str(place): [float(draw)] for place, draw in enumerate(draws)}, bounds=(0, 1))
        hits += not found.excludes(0.4)
    assert 88 <= hits <= 100


def test_success_on_every_task_is_no_certainty() -> None:
    found = mean_interval({str(task): [1.0] for task in range(20)}, bounds=(0.0, 1.0))
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 20))
    nothing = mean_interval({str(task): [0.0] for task in range(20)}, bounds=(0.0, 1.0))
    assert nothing.high == pytest.approx(1 - 0.025 ** (1 / 20))


def test_one_task_has_no_interval_and_none_no_mean() -> None:
    found = mean_interval({"a": [0.25, 0.75]})
    assert (found.mean, found.low, found.high) == (0.5, None, None)
    assert not found.excludes(0)
    with pytest.raises(ValueError, match="no tasks"):
        mean_interval({})


def test_pairing_removes_what_makes_tasks_hard() -> None:
    generator = np.random.default_rng(2)
    hard = generator.random(50)
    a = {str(place): [float(value) + 0.1 + generator.normal(0, 0.01)] for place, value in enumerate(hard)}
    b = {str(place): [float(value)] for place, value in enumerate(hard)}
    paired = paired_difference(a, b)
    assert paired.excludes(0)
    assert paired.mean == pytest.approx(0.1, abs=0.01)
    low, high = mean_interval(a).low, mean_interval(b).high
    assert low is not None
    assert high is not None
    assert low < high  # unpaired, the two overlap


def test_only_shared_tasks_are_compared() -> None:
    assert paired_difference({"a": [1.0], "b": [0.0]}, {"a": [0.0], "c": [5.0]}).mean == 1.0
    with pytest.raises(ValueError, match="share no task"):
        paired_difference({"a": [1.0]}, {"b": [1.0]})


def test_three_wins_of_three_are_no_certainty() -> None:
    wins = {str(task): [1.0] for task in range(3)}
    losses = {str(task): [0.0] for task in range(3)}
    found = paired_difference(wins, losses)
    assert (found.mean, found.high) == (1.0, 1.0)
    assert found.low is not None
    assert found.low < 0


def test_p_is_exact_for_few_tasks() -> None:
    for tasks in (1, 3, 5, 10):
        a, b = ({str(task): [value] for task in range(tasks)} for value in (1.0, 0.0))
        assert paired_p(a, b) == 2 / 2**tasks
    assert paired_p({"a": [1.0], "b": [0.0]}, {"a": [0.0], "b": [0.0]}) == 1.0


def test_holm_is_that_of_the_textbook() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.9, 0.8]) == [1.0, 1.0]


@pytest.mark.parametrize("tries", [1, 4, 7])
def test_pass_at_k_and_pass_to_the_k_are_unbiased(tries: int) -> None:
    """Over all ways in which tries can go, weighed by how likely they are, the estimates' mean is the truth."""
    rate = 0.3
    for k in range(1, tries + 1):
        weights = [math.comb(tries, c) * rate**c * (1 - rate) ** (tries - c) for c in range(tries + 1)]
        one = sum(w * (pass_at(k, tries, c) or 0.0) for c, w in enumerate(weights))
        every = sum(w * (pass_all(k, tries, c) or 0.0) for c, w in enumerate(weights))
        assert one == pytest.approx(1 - (1 - rate) ** k)
        assert every == pytest.approx(rate**k)
    assert pass_at(tries + 1, tries, 1) is None
    assert pass_all(tries + 1, tries, 1) is None


def test_the_detectable_difference_is_seen_in_about_80_of_100_runs() -> None:
    rng = np.random.default_rng(5)
    for tasks in (20, 60):
        effect = detectable_difference(tasks)
        seen = 0
        for _ in range(200):
            hard = rng.random(tasks) < 0.5  # half of the tasks are decided by themselves, half by luck
            fixed = rng.random(tasks) < 0.5
            shift = effect / 2
            b = np.where(hard, fixed, rng.random(tasks) < 0.5 - shift * hard.size / max(1, (~hard).sum()))
            a = np.where(hard, fixed, rng.random(tasks) < 0.5 + shift * hard.size / max(1, (~hard).sum()))
            named = ({str(place): [float(value)] for place, value in enumerate(each)} for each in (a, b))
            seen += paired_p(*named) < 0.05
        assert 0.65 <= seen / 200 <= 0.99
    assert detectable_difference(20, 10) < detectable_difference(20) < detectable_difference(5)
    with pytest.raises(ValueError, match="1 task"):
        detectable_difference(0)


def test_the_front_has_what_no_other_beats() -> None:
    assert front([1, 2, 3, 2, 1], [0.5, 0.4, 0.9, 0.6, 0.5]) == [True, False, True, True, True]


def test_rows_are_grouped_in_order() -> None:
    assert group_by_task([("b", 1.0), ("a", 2.0), ("b", 3.0)]) == {"b": [1.0, 3.0], "a": [2.0]}
