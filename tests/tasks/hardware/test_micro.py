"""Micro hardware tasks: graded as Verilog would, split by skeleton, and fast for a learner's broken lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mx_sandboxes import Sandbox
from mx_tasks import SPLITS, Submission, load_task_set
from mx_tasks.hardware.micro import MASK, value
from mx_tasks.software.formula import parse_prefix, skeleton_bucket

MICRO = load_task_set("hardware:micro")
EXPRESSIONS = st.recursive(
    st.sampled_from("abcd"),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from("+-*&^|"), inner).map(" ".join), inner.map(lambda text: f"({text})")
    ),
    max_leaves=12,
)


class NoSandbox:
    """Stands where no job may be run."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the sandbox was used: {name}")


@given(EXPRESSIONS, st.tuples(*[st.integers(0, MASK)] * 4))
def test_a_plain_expression_has_pythons_value_in_four_bits(text: str, values: tuple[int, ...]) -> None:
    names = dict(zip("abcd", values, strict=True))
    assert value(text, values) == eval(text, {}, names) & MASK


@pytest.mark.parametrize("split", SPLITS)
def test_gold_passes_and_nothing_does_not(split: Any) -> None:
    for index in range(20):
        task = MICRO.task(split, index)
        assert MICRO.grade(task, MICRO.gold(task), NoSandbox()).passed  # type: ignore[attr-defined,arg-type]
        assert MICRO.grade(task, Submission(""), NoSandbox()).score == 0.0  # type: ignore[arg-type]


def test_splits_share_no_skeleton() -> None:
    seen = {
        split: {
            skeleton_bucket(parse_prefix(part.prompt.partition(". ")[2]))
            for index in range(200)
            for part in MICRO.task(split, index).parts
        }
        for split in SPLITS
    }
    assert not seen["train"] & seen["test"]
    assert not seen["train"] & seen["validation"]
    assert not seen["validation"] & seen["test"]


@pytest.mark.parametrize("line", ["a b", "a +", "(a", "a)", "a (b)", "* & |", "a + + ", "a d c * b c", ")("])
def test_a_broken_line_is_worth_nothing_at_once(line: str) -> None:
    task = MICRO.task("train", 0)
    assert MICRO.grade_parts(task, [(task.parts[0].name, line)], NoSandbox()) == [0.0]  # type: ignore[arg-type]


@pytest.mark.eda
def test_verilog_beyond_the_plain_subset_is_elaborated(hdl: Sandbox) -> None:
    task = MICRO.task("train", 2)
    part = next(part for part in task.parts if part.prompt.startswith("3. + & b a a"))
    lines = ["{b & a} + a", "4'd0 + (b & a) + a", "b & a + a", "~(~((b & a) + a))"]
    scores = MICRO.grade_parts(task, [(part.name, line) for line in lines], hdl)
    assert scores == [1.0, 1.0, 0.0, 1.0]
