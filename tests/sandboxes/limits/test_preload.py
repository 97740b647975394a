"""Pytest runs in an interpreter that has it loaded already, and no other job notices."""

from __future__ import annotations

import os

import pytest

from mx_sandboxes import Limits, Sandbox

CASES = b"""
import pytest

@pytest.mark.parametrize("number", range(5))
def test_number(number):
    assert number < 4
"""
LIMITS = Limits(wall_s=60)


@pytest.fixture(autouse=True)
def _pytest_is_inside(sandbox: Sandbox) -> None:
    if not sandbox.run(["python", "-c", "import pytest"], limits=LIMITS).ok:
        required = sandbox.backend in os.environ.get("MX_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)(
            "the sandbox has no pytest: apt-get install python3-pytest"
        )


def run_cases(sandbox: Sandbox, argv: list[str]) -> tuple[int | None, list[str]]:
    done = sandbox.run(argv, files={"test_cases.py": CASES}, limits=LIMITS)
    lines = done.stdout.decode().splitlines()
    return done.exit_code, [line.partition(" in ")[0] for line in lines if "seconds" not in line]


def test_it_says_what_a_new_interpreter_says(sandbox: Sandbox) -> None:
    preloaded = [run_cases(sandbox, ["python", "-m", "pytest", "-q"]) for _ in range(3)]
    new = run_cases(sandbox, ["/usr/bin/python3", "-m", "pytest", "-q"])
    assert preloaded == [new] * 3
    assert new[0] == 1
    assert "assert 4 < 4" in "\n".join(new[1])


AGAIN = b"""
import subprocess, sys

def test_it():
    assert subprocess.call([sys.executable, "-c", "import pytest"]) == 0
"""


def test_a_suite_that_starts_pythons_still_works(sandbox: Sandbox) -> None:
    assert sandbox.run(["python", "-m", "pytest", "-q"], files={"test_again.py": AGAIN}, limits=LIMITS).ok


def test_other_jobs_of_the_slot_find_nothing_loaded(sandbox: Sandbox) -> None:
    program = "import sys; print(sorted(n for n in sys.modules if 'pytest' in n or n.partition('.')[0] in ('unittest', 'pluggy')))"
    for _ in range(16):  # whichever slot it gets
        sandbox.run(["python", "-m", "pytest", "--version"], limits=LIMITS)
        assert sandbox.run(["python", "-c", program], limits=LIMITS).stdout == b"[]\n"


def test_a_suite_cannot_change_the_next_ones_pytest(sandbox: Sandbox) -> None:
    """Attack: patch pytest in the process that runs the tests, in the hope that the next suite inherits it."""
    patch = b"import _pytest.runner as r, pytest\nr.pytest_runtest_call = lambda item: None\npytest.fail = print\n"
    for _ in range(8):
        attack = sandbox.run(
            ["python", "-m", "pytest", "-q"],
            files={"conftest.py": patch, "test_cases.py": CASES},
            limits=LIMITS,
        )
        assert attack.exit_code is not None
        assert run_cases(sandbox, ["python", "-m", "pytest", "-q"])[0] == 1
