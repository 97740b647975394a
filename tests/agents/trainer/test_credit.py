"""Credit, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from mx_agents.models.hugging_face import Sample
from mx_agents.trainer.credit import (
    Call,
    designer_advantages,
    executor_advantages,
    group_relative,
    scaled,
    without_itself,
)

SAMPLE = Sample([1], [2], [-0.5], "x")


def call(
    task: int, design: int, execution: int, team: float, local: float | None = None, unit: str = "1"
) -> Call:
    return Call(task, design, execution, "executor", unit, SAMPLE, team, local)


def test_group_relative_takes_each_group_s_mean() -> None:
    assert group_relative([1, 0, 5, 5, 2], ["a", "a", "b", "b", "c"]) == [0.5, -0.5, 0, 0, 0]


def test_scale_ignores_groups_without_spread() -> None:
    assert scaled([0.5, -0.5, 0, 0]) == [1, -1, 0, 0]
    assert scaled([3, 0, -4]) == pytest.approx([3 / math.sqrt(12.5), 0, -4 / math.sqrt(12.5)])
    assert scaled([0, 0]) == [0, 0]


def test_a_cost_only_difference_stays_small_beside_a_real_one() -> None:
    """With a group's own deviation, 0.01 of cost on an unsolved task would count as much as solving another."""
    calls = [call(0, 0, 0, 1.0), call(0, 1, 0, 0.0), call(1, 2, 0, -0.01), call(1, 3, 0, -0.02)]
    advantages = designer_advantages(calls)
    assert abs(advantages[2]) < 0.02 * abs(advantages[0])


def test_turn_credit_compares_turns_that_were_asked_the_same_thing() -> None:
    calls = [
        call(0, 0, 0, team=1.0, local=1.0, unit="1"),
        call(0, 0, 1, team=0.0, local=0.0, unit="1"),
        call(0, 1, 0, team=0.0, local=1.0, unit="2"),
        call(0, 1, 1, team=1.0, local=1.0, unit="2"),
    ]
    assert executor_advantages(calls, "turn") == [1, -1, 0, 0]


def test_question_and_design_credit_differ_in_whom_they_compare_with() -> None:
    calls = [call(0, 0, 0, 1.0), call(0, 0, 1, 0.0), call(0, 1, 0, 0.0), call(0, 1, 1, 0.0)]
    assert executor_advantages(calls, "design") == [1, -1, 0, 0]
    root = math.sqrt((0.75**2 + 3 * 0.25**2) / 4)
    assert executor_advantages(calls, "question") == pytest.approx([0.75 / root] + 3 * [-0.25 / root])


def test_an_execution_with_more_calls_weighs_no_more_in_its_group_s_mean() -> None:
    """The mean of executions 1 and 0 is one half, however many calls each of them made."""
    calls = [call(0, 0, 0, 1.0)] * 5 + [call(0, 0, 1, 0.0)]
    assert executor_advantages(calls, "question") == pytest.approx([1.0] * 5 + [-1.0])


def test_turns_without_a_reward_of_their_own_fall_back_to_the_execution_s() -> None:
    calls = [call(0, 0, 0, 1.0), call(0, 0, 1, 0.0)]
    assert executor_advantages(calls, "turn") == [1, -1]


def test_leave_one_out_compares_each_with_the_others_alone() -> None:
    assert without_itself([1, 0, 0, 5, 2], ["a", "a", "a", "b", "c"]) == [1.0, -0.5, -0.5, 0.0, 0.0]
    calls = [call(0, 0, place, team=0.0, local=float(place == 0)) for place in range(3)]
    root = math.sqrt((1 + 0.25 + 0.25) / 3)
    assert executor_advantages(calls, "leave-one-out") == pytest.approx([1 / root, -0.5 / root, -0.5 / root])


def test_a_turn_without_a_reward_of_its_own_is_compared_in_its_own_context() -> None:
    """Two executions asked the same question: what came of the sibling counts, not what came of another design."""

    def asked(prompt: int, design: int, execution: int, team: float) -> Call:
        return Call(0, design, execution, "executor", "1", Sample([prompt], [2], [-0.5], "x"), team)

    calls = [asked(7, 0, 0, 1.0), asked(7, 0, 1, 0.0), asked(8, 1, 0, 0.0), asked(9, 1, 1, 0.0)]
    advantages = executor_advantages(calls, "leave-one-out")
    assert advantages[0] == -advantages[1] > 0
    assert advantages[2] == advantages[3] < 0


def test_scales_are_the_published_ones() -> None:
    """GRPO divides by each group's own deviation, Dr. GRPO by nothing, the default by one number for the batch."""
    calls = [
        call(0, 0, 0, 1.0),
        call(0, 1, 0, 0.0),
        call(1, 2, 0, 0.1),
        call(1, 3, 0, 0.0),
        call(2, 4, 0, 0.5),
    ]
    assert designer_advantages(calls, "group") == pytest.approx([1, -1, 1, -1, 0])
    assert designer_advantages(calls, "none") == pytest.approx([0.5, -0.5, 0.05, -0.05, 0])
    root = math.sqrt((2 * 0.5**2 + 2 * 0.05**2) / 4)
    assert designer_advantages(calls) == pytest.approx(
        [0.5 / root, -0.5 / root, 0.05 / root, -0.05 / root, 0]
    )
    for credit in ("question", "turn", "leave-one-out"):
        assert executor_advantages(calls[:2], credit, "group") == pytest.approx([1, -1])
    assert executor_advantages([call(0, 0, 0, 0.0, 0.3), call(0, 1, 0, 1.0, 0.1)], "turn", "group") == [
        pytest.approx(1), pytest.approx(-1),
    ]  # fmt: skip
    assert executor_advantages(calls[:2], "question", "none") == [0.5, -0.5]


def test_a_group_s_own_scale_is_over_executions_too() -> None:
    """An execution of five calls is one of two, as in its mean."""
    calls = [call(0, 0, 0, 1.0)] * 5 + [call(0, 0, 1, 0.0)]
    assert executor_advantages(calls, "question", "group") == pytest.approx([1.0] * 5 + [-1.0])
