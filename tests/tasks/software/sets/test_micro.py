"""The micro family: right answers score, wrong and hostile ones do not, no skeleton is in two splits, formulas round-trip."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mx_sandboxes import Sandbox
from mx_tasks import Submission, TaskNotFoundError, load_task_set
from mx_tasks.formula import (
    NAMES,
    OPERATORS,
    Formula,
    evaluate,
    parse_prefix,
    prefix,
    python,
    skeleton,
)
from mx_tasks.software.cheats.micro import CHEATS
from mx_tasks.software.sets.micro import MicroTasks

SET = MicroTasks()
PUBLISHED = "Write each prefix formula as one line of Python.\n1. * b * d - a c\n2. + ^ b a * c a"
FINGERPRINT = "698b2ab88a50c32d"

formulas = st.recursive(
    st.sampled_from(NAMES).map(Formula),
    lambda inner: st.builds(Formula, st.sampled_from(sorted(OPERATORS)), inner, inner),
    max_leaves=8,
)
vectors = st.tuples(*[st.integers(-50, 50)] * len(NAMES))


@given(formulas, vectors)
def test_python_reads_a_formula_s_text_as_the_formula(formula: Formula, values: tuple[int, ...]) -> None:
    assert eval(python(formula), dict(zip(NAMES, values, strict=True))) == evaluate(formula, values)


@given(formulas)
def test_prefix_notation_round_trips(formula: Formula) -> None:
    assert parse_prefix(prefix(formula)) == formula


@given(formulas, st.permutations(NAMES))
def test_renamed_variables_share_the_skeleton(formula: Formula, names: list[str]) -> None:
    def renamed(tree: Formula) -> Formula:
        children = tree.children()
        if children is None:
            return Formula(names[NAMES.index(tree.symbol)])
        return Formula(tree.symbol, renamed(children[0]), renamed(children[1]))

    assert skeleton(renamed(formula)) == skeleton(formula)


@pytest.mark.parametrize("text", ["", "+", "+ a", "+ a b c", "a b", "% a b", "+ a e", "( a"])
def test_what_is_no_formula_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"formula"):
        parse_prefix(text)


def skeletons(split: str, count: int = 400) -> set[str]:
    parts = (part for index in range(count) for part in SET.task(split, index).parts)
    return {skeleton(parse_prefix(part.prompt.partition(". ")[2])) for part in parts}


def test_no_operator_tree_is_in_two_splits() -> None:
    train, validation, test = (skeletons(split) for split in ("train", "validation", "test"))
    assert not train & test
    assert not train & validation
    assert not validation & test
    assert min(len(train), len(validation), len(test)) > 10


def test_the_same_seed_gives_the_same_tasks_and_another_seed_others() -> None:
    again = MicroTasks()
    assert [again.task("test", index) for index in range(20)] == [
        SET.task("test", index) for index in range(20)
    ]
    assert again.fingerprint == SET.fingerprint != MicroTasks(seed=1).fingerprint
    assert [MicroTasks(seed=1).task("test", index) for index in range(20)] != [
        SET.task("test", index) for index in range(20)
    ]


def test_a_task_is_what_it_was_when_it_was_first_published() -> None:
    """Holds the generator still: change it, and its version with it, or benchmarks move under their users."""
    task = SET.task("train", 0)
    assert task.prompt == PUBLISHED
    assert SET.fingerprint == FINGERPRINT


@pytest.mark.parametrize(
    "task_id",
    ["micro-0-train-x", "micro-1-train-0", "micro-0-exam-0", "", "micro-0-test--1", "micro-0-test-²"],
)
def test_an_id_that_no_task_has_is_named(task_id: str) -> None:
    with pytest.raises(TaskNotFoundError, match="micro-0-train-0"):
        SET.find(task_id)


def test_ids_find_their_task() -> None:
    task = SET.task("validation", 7)
    assert SET.find(task.id) == task


def test_public_checks_tell_right_from_wrong() -> None:
    for index in range(30):
        task = SET.task("train", index)
        for part, right in zip(task.parts, SET.gold(task).answer.splitlines(), strict=True):
            exec(part.check, {"answer": right})
            with pytest.raises(AssertionError):
                exec(part.check, {"answer": f"({right}) + 1"})


def test_careless_drafts_are_wrong() -> None:
    """Without its parentheses, Python reads every part as another formula."""
    for index in range(30):
        for part, right in zip(
            SET.task("test", index).parts, SET.gold(SET.task("test", index)).answer.splitlines(), strict=True
        ):
            careless = right.replace("(", "").replace(")", "")
            vector = random.Random(0)
            formula = parse_prefix(part.prompt.partition(". ")[2])
            tries = [tuple(vector.randint(0, 99) for _ in NAMES) for _ in range(50)]
            assert any(
                eval(careless, dict(zip(NAMES, t, strict=True))) != evaluate(formula, t) for t in tries
            )


def test_gold_scores_one_and_nothing_scores_nothing(sandbox: Sandbox) -> None:
    for split in ("train", "validation", "test"):
        for index in range(3):
            task = SET.task(split, index)
            assert MicroTasks().grade(task, SET.gold(task), sandbox).score == 1.0
            assert MicroTasks().grade(task, Submission(""), sandbox).score == 0.0


def test_half_right_earns_a_quarter(sandbox: Sandbox) -> None:
    task = next(task for task in (SET.task("test", index) for index in range(50)) if len(task.parts) == 2)
    right = SET.gold(task).answer.splitlines()
    grade = SET.grade(task, Submission(f"{right[0]}\na"), sandbox)
    assert grade.score == 0.25
    assert not grade.passed
    assert grade.parts == {"1": 1.0, "2": 0.0}


def test_extra_lines_do_not_pass(sandbox: Sandbox) -> None:
    task = SET.task("test", 0)
    assert not SET.grade(task, Submission(SET.gold(task).answer + "\n0"), sandbox).passed


ATTACKS = {
    "exit": "exit(0)",
    "hard exit": "__import__('os')._exit(0)",
    "kill the grader": "__import__('os').kill(__import__('os').getppid(), 9)",
    "kill everything": "__import__('os').kill(-1, 9)",
    "fork": "__import__('os').fork()",
    "print a verdict": "print('[0, 0, 0, 0, 0, 0, 0, 0]') or 0",
    "write to the harness": "__import__('os').write(1, b'[1]\\n') * 0",
    "equal to everything": "type('E', (), {'__eq__': lambda self, other: True})()",
    "an int that is not one": "type('I', (int,), {'__eq__': lambda self, other: True, '__hash__': lambda self: 0})(0)",
    "true": "True",
    "float": "float(a)",
    "enormous": "9 ** 9 ** 9",
    "endless": "[0 for _ in iter(int, 1)]",
    "memory": "len(bytearray(1 << 40))",
    "read what is around": "open('evaluate_expressions.py').read()",
    "find the answers": "__import__('gc').get_objects().__len__() * 0 + __import__('sys')._getframe(3).f_locals['results'][0]",
    "no syntax": "a +",
    "statement": "import os",
    "null byte": "a\0b",
    "surrogate": "'\ud800'.encode()",
    "long": "a" + " + a" * 5000,
    "deep": "(" * 150 + "a" + ")" * 150,
}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_line_scores_nothing_and_harms_no_other(sandbox: Sandbox, name: str) -> None:
    fresh = MicroTasks()
    task = next(task for task in (SET.task("test", index) for index in range(50)) if len(task.parts) == 2)
    right = SET.gold(task).answer.splitlines()
    scores = fresh.grade_parts(task, [("1", ATTACKS[name]), ("2", right[1])], sandbox)
    assert scores[0] == 0.0
    assert fresh.grade_parts(task, [("2", right[1]), ("1", right[0])], sandbox) == [1.0, 1.0]
    if "kill" not in name:
        assert scores[1] == 1.0


NAIVE = """
import json
expected = {expected}
vectors = {vectors}
f = eval('lambda a, b, c: (' + {answer!r} + ')')
for place, vector in enumerate(vectors):
    assert f(*vector) == expected[place]
"""


def test_no_cheat_scores(sandbox: Sandbox) -> None:
    fresh = MicroTasks()
    task = SET.task("test", 1)
    cheats = fresh.cheats(task)
    assert len(cheats) >= 20
    scores = {name: fresh.grade(task, cheat, sandbox).score for name, cheat in cheats.items()}
    assert {name: score for name, score in scores.items() if score} == {}


@pytest.mark.parametrize("name", sorted(CHEATS))
def test_every_cheat_wins_against_a_naive_grader(sandbox: Sandbox, name: str) -> None:
    def naive(answer: str) -> bool:
        script = NAIVE.format(expected=[5, 7, 11], vectors=[(1, 4, 0), (3, 4, 1), (5, 6, 2)], answer=answer)
        return sandbox.run(["python", "naive.py"], files={"naive.py": script.encode()}).exit_code == 0

    assert naive("a + b")
    assert not naive("a - b")
    assert naive(CHEATS[name])


def test_registered_under_its_name() -> None:
    assert load_task_set("software:micro", seed=3).task("train", 0).id == "micro-3-train-0"
