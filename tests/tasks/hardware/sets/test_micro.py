"""The micro family: Verilog's precedence, right and wrong lines, hostile lines, no operator tree in two splits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mx_sandboxes import Sandbox
from mx_tasks import Submission, TaskNotFoundError, load_task_set
from mx_tasks.errors import SPLITS
from mx_tasks.formula import NAMES, OPERATORS, Formula, evaluate, parse_prefix, python, skeleton
from mx_tasks.hardware.sets.micro import MASK, MicroHardware, value

SET = MicroHardware()
formulas = st.recursive(
    st.sampled_from(NAMES).map(Formula),
    lambda inner: st.builds(Formula, st.sampled_from(sorted(OPERATORS)), inner, inner),
    max_leaves=8,
)


@given(formulas, st.tuples(*[st.integers(0, MASK)] * len(NAMES)))
@settings(deadline=None)
def test_a_formula_s_text_is_evaluated_as_verilog_reads_it(formula: Formula, values: tuple[int, ...]) -> None:
    assert value(python(formula), values) == evaluate(formula, values) & MASK


@given(st.text("abcd()+-*&^| ~e1", max_size=20))
def test_any_text_has_a_value_or_is_refused(text: str) -> None:
    try:
        found = value(text, (1, 2, 3, 4))
    except ValueError:
        return
    assert found == eval(text, {"a": 1, "b": 2, "c": 3, "d": 4}) & MASK


def test_no_operator_tree_is_in_two_splits() -> None:
    trees = [
        {
            skeleton(parse_prefix(p.prompt.partition(". ")[2]))
            for n in range(150)
            for p in SET.task(split, n).parts
        }
        for split in SPLITS
    ]
    assert not trees[0] & trees[1]
    assert not trees[0] & trees[2]
    assert not trees[1] & trees[2]


@pytest.mark.eda
def test_gold_scores_one_and_nothing_scores_nothing(hdl: Sandbox) -> None:
    for split in SPLITS:
        task = SET.task(split, 5)
        assert SET.grade(task, SET.gold(task), hdl).score == 1.0
        assert SET.grade(task, Submission(""), hdl).score == 0.0
        assert SET.grade(task, Submission("\n".join("a" for _ in task.parts)), hdl).score == 0.0


@pytest.mark.eda
def test_any_verilog_that_is_the_formula_is_right(hdl: Sandbox) -> None:
    """What the host's own parser does not read goes through the tools, and they agree."""
    task = SET.task("test", 0)
    gold = SET.gold(task).answer.splitlines()
    fancy = [
        f"~(~({gold[0]}))",
        f"(1'b1 ? {gold[0]} : a)",
        f"{gold[0]} + 16 * a",
        f"{{1'b1, a}} - {{1'b1, a}} + ({gold[0]})",
    ]
    wrong = [
        f"~({gold[0]})",
        f"{gold[0]}; assign y = {gold[0]}",
        f"({gold[0]}) / 1 ;",
        "$random + a",
        "a\nendmodule",
        "tb.a",
        "`include a",
    ]
    scores = SET.grade_parts(task, [("1", line) for line in [*fancy, *wrong]], hdl)
    assert scores == [1.0] * len(fancy) + [0.0] * len(wrong)


def test_public_checks_and_ids(hdl: Sandbox) -> None:
    task = SET.task("train", 0)
    for part, right in zip(task.parts, SET.gold(task).answer.splitlines(), strict=True):
        exec(part.check, {"answer": right})
        with pytest.raises(AssertionError):
            exec(part.check, {"answer": f"({right}) + 1"})
    assert load_task_set("hardware:micro").find(task.id) == task
    with pytest.raises(TaskNotFoundError, match="micro-0-train-0"):
        SET.find("micro-9-train-0")


class NoSandbox:
    """Stands where no job may be run."""

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"the sandbox was used: {name}")


@pytest.mark.parametrize("line", ["a b", "a +", "(a", "a)", "a (b)", "* & |", "a + + ", "a d c * b c", ")("])
def test_a_broken_line_is_worth_nothing_at_once(line: str) -> None:
    """A learner writes many of these, and a simulator is slow."""
    micro = load_task_set("hardware:micro")
    task = micro.task("train", 0)
    assert micro.grade_parts(task, [(task.parts[0].name, line)], NoSandbox()) == [0.0]  # type: ignore[arg-type]
