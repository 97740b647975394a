"""A submission that ends the sandbox that judges it has failed: a grade of 0, not a grading that failed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mx_sandboxes import Limits, Sandbox
from mx_sandboxes.abuse.verdicts import ENDINGS
from mx_tasks.software.grading.suite import Suite, grade_suite
from mx_tasks.task import Submission

RIGHT = "def double(number): return 2 * number\n"
SUITE = Suite(
    files={"lib.py": b"def double(number): return number\n"},
    tests={"tests/test_lib.py": b"import lib\n\ndef test_double():\n    assert lib.double(3) == 6\n"},
    sources=("lib.py",),
    fail_to_pass=("tests/test_lib.py::test_double",),
    pass_to_pass=(),
    limits=Limits(wall_s=30.0, cpu_s=20.0, memory_bytes=192 << 20, pids=32),
)
SHORT = replace(SUITE, limits=replace(SUITE.limits, wall_s=3.0))
FATAL = sorted(set(ENDINGS) - {"a sibling", "a dead sibling", "every signal to every number"})


def test_the_right_answer_passes(sandbox: Sandbox) -> None:
    assert grade_suite(SUITE, Submission("", {"lib.py": RIGHT.encode()}), sandbox).score == 1.0


@pytest.mark.parametrize("name", FATAL)
def test_who_ends_the_judge_s_sandbox_gets_nothing(sandbox: Sandbox, name: str) -> None:
    ending = f"def through(*_): pass\n{ENDINGS[name]}\n{RIGHT}"
    grade = grade_suite(SHORT, Submission("", {"lib.py": ending.encode()}), sandbox)
    assert (grade.score, grade.passed) == (0.0, False)


@pytest.mark.parametrize("name", ["a sibling", "a dead sibling"])
def test_who_only_tries_is_judged_like_others(sandbox: Sandbox, name: str) -> None:
    ending = f"def through(*_): pass\n{ENDINGS[name]}\n{RIGHT}"
    assert grade_suite(SUITE, Submission("", {"lib.py": ending.encode()}), sandbox).score == 1.0
