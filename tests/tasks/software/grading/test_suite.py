"""Hidden test suites as judges: what counts as a pass, what a submission may change, and that no cheat scores."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from mx_sandboxes import Limits, Sandbox, open_sandbox
from mx_tasks import GradingError, Submission
from mx_tasks.software.cheats.suite import CODE, FILES, OURS, suite_cheats, suite_variants
from mx_tasks.software.grading.canaries import plant
from mx_tasks.software.grading.runs import Outcome, run_tests
from mx_tasks.software.grading.suite import Suite, grade_suite

LIBRARY = b"""
def total(items):
    result = 0
    for item in items[1:]:
        result += item
    return result


def mean(items):
    return total(items) / len(items)


class NoItems(ValueError):
    pass


def first(items):
    if not items:
        raise NoItems("none")
    return items[0]
"""
FIXED = LIBRARY.replace(b"items[1:]", b"items")
TESTS = b'''
import unittest
import pytest
import stats

def test_total_of_some_numbers():
    assert stats.total([1, 2, 3]) == 6

@pytest.mark.parametrize("items, want", [([1, 3], 2.0), ([4], 4.0)])
def test_mean_of_items(items, want):
    """A mean

    of items."""
    assert stats.mean(items) == want

def test_first_of_nothing():
    with pytest.raises(stats.NoItems):
        stats.first([])

class TestTotals(unittest.TestCase):
    def test_empty_total(self):
        self.assertEqual(stats.total([]), 0)

    def test_single(self):
        self.assertEqual(stats.total([5]), 5)
'''
FILE = "tests/test_stats.py"
BROKEN = (
    "test_total_of_some_numbers",
    "test_mean_of_items[items0-2.0]",
    "test_mean_of_items[items1-4.0]",
    "TestTotals::test_single",
)
WORKING = ("test_first_of_nothing", "TestTotals::test_empty_total")
SUITE = Suite(
    files={"stats.py": LIBRARY, "README": b"stats\n"},
    tests={FILE: TESTS},
    sources=("stats.py", "extra/"),
    fail_to_pass=tuple(f"{FILE}::{name}" for name in BROKEN),
    pass_to_pass=tuple(f"{FILE}::{name}" for name in WORKING),
    limits=Limits(wall_s=20, cpu_s=20, memory_bytes=512 << 20),
)
GOLD = Submission(files={"stats.py": FIXED})
CHEATS = suite_cheats(SUITE)


@pytest.fixture
def judging(sandbox: Sandbox) -> Sandbox:
    """A sandbox that has pytest."""
    if not sandbox.run(["python", "-c", "import pytest"]).ok:
        required = sandbox.backend in os.environ.get("MX_REQUIRE", "").split(",")
        (pytest.fail if required else pytest.skip)(
            "the sandbox has no pytest: apt-get install python3-pytest"
        )
    return sandbox


def test_a_right_change_scores_one_and_nothing_scores_zero(judging: Sandbox) -> None:
    for _ in range(3):  # other canaries every time
        grade = grade_suite(SUITE, GOLD, judging)
        assert (grade.score, grade.passed, grade.tampered) == (1.0, True, False), grade.log
    grade = grade_suite(SUITE, Submission(files=SUITE.files), judging)
    assert (grade.score, grade.passed, grade.tampered) == (0.0, False, False), grade.log


def test_what_breaks_something_is_no_success(judging: Sandbox) -> None:
    broke = FIXED.replace(b"raise NoItems", b"raise TypeError")
    grade = grade_suite(SUITE, Submission(files={"stats.py": broke}), judging)
    assert (grade.score < 0.7, grade.passed) == (True, False), grade.log
    assert "test_first_of_nothing" in grade.log
    many = replace(SUITE, pass_to_pass=SUITE.pass_to_pass * 20 + (f"{FILE}::test_gone",))
    grade = grade_suite(many, GOLD, judging)
    assert (grade.score < 0.7, grade.passed) == (True, False)  # a missing test is no pass


def test_what_does_not_belong_to_the_sources_is_listed_and_refused(judging: Sandbox) -> None:
    files = {
        "stats.py": FIXED,
        "README": b"",
        "extra/conftest.py": b"1/0",
        "other.py": b"1/0",
        FILE: b"",
        "extra/new.py": b"x = 1",
    }
    grade = grade_suite(SUITE, Submission(files=files, removed=("README",)), judging)
    assert grade.passed
    assert f"refused: README, extra/conftest.py, other.py, {FILE}, README" in grade.log


def test_a_removed_source_is_gone(judging: Sandbox) -> None:
    grade = grade_suite(SUITE, Submission(removed=("stats.py",)), judging)
    assert (grade.score, grade.tampered) == (0.0, False)
    assert "No module named 'stats'" in grade.log or "missing" in grade.log


OUTCOMES = b"""
import pytest, unittest
def test_passes(): pass
def test_fails(): assert 0
def test_skips(): pytest.skip("no")
@pytest.mark.xfail
def test_xfails(): assert 0
@pytest.mark.xfail
def test_xpasses(): pass
@pytest.mark.parametrize("word", ["a]b[c", "line\\nline", "\\u00e9\\x00", "x::y"])
def test_odd_ids(word): pass
@pytest.fixture
def late():
    yield
    assert 0
def test_breaks_at_its_end(late): pass
class TestOld(unittest.TestCase):
    @unittest.expectedFailure
    def test_expected(self): self.fail()
    @unittest.skip("no")
    def test_skipped(self): pass
"""


def test_only_a_pass_is_a_pass(judging: Sandbox) -> None:
    run = run_tests(judging, {"test_all.py": OUTCOMES}, None, targets=["test_all.py"])
    found = {test.partition("::")[2]: outcome for test, outcome in run.outcomes.items()}
    odd = {test for test in found if test.startswith("test_odd_ids")}
    assert len(odd) == 4
    assert all(found.pop(test) is Outcome.PASSED for test in odd)
    assert found == {
        "test_passes": Outcome.PASSED,
        "test_fails": Outcome.FAILED,
        "test_skips": Outcome.SKIPPED,
        "test_xfails": Outcome.SKIPPED,
        "test_xpasses": Outcome.UNEXPECTED,
        "test_breaks_at_its_end": Outcome.FAILED,
        "TestOld::test_expected": Outcome.SKIPPED,
        "TestOld::test_skipped": Outcome.SKIPPED,
    }
    assert run.consistent
    again = run_tests(judging, {"test_all.py": OUTCOMES}, ["test_all.py::test_odd_ids"])
    assert {test.partition("::")[2] for test in again.outcomes} == odd


@pytest.mark.parametrize(
    ("test", "error"),
    [
        (b"while True: pass", "cpu time"),
        (b"import time; time.sleep(60)", "wall time"),
        (b"import os; os.kill(os.getpid(), 11)", "signalled"),
    ],
)
def test_a_suite_that_does_not_come_to_its_end_says_why(judging: Sandbox, test: bytes, error: str) -> None:
    limits = Limits(wall_s=3 if error == "wall time" else 30, cpu_s=1, memory_bytes=256 << 20)
    run = run_tests(
        judging, {"test_it.py": b"def test_it():\n    " + test}, None, targets=["."], limits=limits
    )
    assert not run.consistent
    assert error in run.error


def test_a_sandbox_that_dies_is_no_verdict(judging: Sandbox) -> None:
    class Dead:
        backend = "dead"

        def run(self, *args: object, **options: object) -> object:
            from mx_sandboxes import Completed, Reason

            return Completed(Reason.SANDBOX_DIED, None)

    with pytest.raises(GradingError, match="died"):
        grade_suite(SUITE, GOLD, Dead())  # type: ignore[arg-type]


def test_canaries_look_like_tests_and_half_of_them_have_a_tests_name() -> None:
    names = set()
    for seed in range(40):
        planted = plant(SUITE.tests, SUITE.fail_to_pass, SUITE.pass_to_pass, seed)
        text = planted.files[FILE].decode()
        for base in planted.canaries | set(planted.renamed.values()):
            assert re.search(rf"def {base.rpartition('::')[2]}\(", text)
            names.add(base)
        assert not planted.canaries & {planted.id_of(test).partition("[")[0] for test in SUITE.fail_to_pass}
    written_out = ("test_total_of_some_numbers", "TestTotals::test_single", "TestTotals::test_empty_total")
    assert {f"{FILE}::{test}" for test in written_out} <= names
    assert len(names) > 40


INHERITED = """
import stats

class Anything:
    def __eq__(self, other):
        return True

class TestTotals:
    kind = list

    def test_total(self):
        assert stats.total(self.kind([1, 2])) == 3

class TestTuples(TestTotals):
    kind = tuple

def test_equal_to_anything():
    assert stats.total([1]) == Anything()
"""


def test_inherited_tests_keep_their_names_and_what_equals_everything_makes_no_canary(
    judging: Sandbox,
) -> None:
    names = ("TestTotals::test_total", "TestTuples::test_total", "test_equal_to_anything")
    suite = replace(
        SUITE,
        tests={FILE: INHERITED.encode()},
        fail_to_pass=tuple(f"{FILE}::{name}" for name in names[:2]),
        pass_to_pass=(f"{FILE}::{names[2]}",),
    )
    canaries = set()
    for seed in range(30):
        planted = plant(suite.tests, suite.fail_to_pass, suite.pass_to_pass, seed)
        assert not planted.renamed
        canaries |= {len(planted.canaries)}
    assert canaries == {1}  # of the test in the class, which its heirs have, too
    assert grade_suite(suite, GOLD, judging).score == 1.0
    assert grade_suite(suite, Submission(), judging).score == 0.0


# ------------------------------------------------------------------------------------------------ cheats

SLOW = replace(
    SUITE,
    files={"stats.py": b"import time\ndef total(items):\n    time.sleep(0.05)\n    return sum(items)\n"},
    tests={
        FILE: b"import time\nimport stats\n\ndef test_quick_total():\n    begin = time.perf_counter()\n"
        b"    stats.total([1])\n    assert time.perf_counter() - begin < 0.02\n"
    },
    fail_to_pass=(f"{FILE}::test_quick_total",),
    pass_to_pass=(),
)


def suite_for(cheat: str) -> Suite:
    if cheat == "tests rewritten on disk":  # which helps only before they are read
        return replace(SUITE, tests={**SUITE.tests, "tests/conftest.py": b"import stats\n"})
    return SLOW if cheat == "patched clock" else SUITE


def naive_graders(suite: Suite, submission: Submission, sandbox: Sandbox) -> dict[str, bool]:
    """What graders of the kind in use would say, all of which run the tests in the agent's own tree."""
    tree = {**suite.files, **suite.tests, **submission.files}
    tree = {name: data for name, data in tree.items() if name not in submission.removed}
    script = (
        "python -m pytest -q --junitxml=report.xml; code=$?; echo $code > code.txt; "
        "echo $code > reward.txt; sleep 0.1; exit $code"
    )
    done = sandbox.run(
        ["sh", "-c", script],
        files=tree,
        collect=["report.xml", "reward.txt", "ok.txt"],
        env={"PYTHONPATH": "."},
        limits=suite.limits,
    )
    report = done.files.get("report.xml", b"")
    return {
        "ids": passes_by_name(suite, report),
        "exit code": done.exit_code == 0,
        "report": b"<testsuite" in report and b"<failure" not in report and b"<error" not in report,
        "reward file": done.files.get("reward.txt", done.files.get("ok.txt")) == b"0\n",
    }


def passes_by_name(suite: Suite, report: bytes) -> bool:
    """Whether the report has no failure for the names of the tests that are to be mended."""
    try:
        cases = list(ET.fromstring(report).iter("testcase"))
    except ET.ParseError:
        return False
    bad = {
        case.get("name")
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }
    good = {case.get("name") for case in cases} - bad
    return {test.rpartition("::")[2] for test in suite.fail_to_pass} <= good


@pytest.mark.parametrize("cheat", sorted(CHEATS))
def test_no_cheat_scores(cheat: str, judging: Sandbox) -> None:
    suite = suite_for(cheat)
    grade = grade_suite(suite, suite_cheats(suite)[cheat], judging)
    assert (grade.score, grade.passed) == (0.0, False), grade.log
    if cheat in OURS and "stops its parent" not in cheat:
        assert grade.tampered, grade.log


@pytest.fixture(scope="module")
def anywhere() -> Iterator[Sandbox]:
    """The first sandbox that works: what fools a naive grader does so everywhere."""
    with open_sandbox("auto", slots=2) as opened:
        yield opened


@pytest.mark.parametrize("cheat", sorted(set(CHEATS) - set(OURS)))
def test_every_cheat_wins_against_a_naive_grader(cheat: str, anywhere: Sandbox) -> None:
    suite = suite_for(cheat)
    assert any(naive_graders(suite, suite_cheats(suite)[cheat], anywhere).values())


@pytest.mark.parametrize("suite", [SUITE, SLOW], ids=["suite", "slow"])
def test_naive_graders_tell_right_from_wrong(suite: Suite, anywhere: Sandbox) -> None:
    assert not any(naive_graders(suite, Submission(), anywhere).values())
    if suite is SUITE:
        assert all(naive_graders(suite, GOLD, anywhere).values())


ALONE = replace(
    SUITE,
    files={
        "stats.py": LIBRARY + b"".join(b"def plus_%d(x):\n    return x + %d\n" % (n, n) for n in range(9))
    },
    tests={
        FILE: b"import stats\n\ndef test_total():\n    assert stats.total([1, 2, 3]) == 6\n"
        + b"".join(
            b"\ndef test_plus_%d():\n    assert stats.plus_%d(3) == %d\n" % (n, n, n + 3) for n in range(9)
        )
    },
    fail_to_pass=(f"{FILE}::test_total",),
    pass_to_pass=tuple(f"{FILE}::test_plus_{n}" for n in range(9)),
)
"""One test to be mended among many of what works already."""
GUESSES = b"""
import random, sys
def total(items):
    wanted = [value for value in sys._getframe(1).f_code.co_consts if type(value) is int and value > 3]
    return wanted[0] if wanted and random.random() < 0.5 else -1
"""


def test_what_works_already_vouches_for_nothing_that_is_to_be_mended(judging: Sandbox) -> None:
    library = ALONE.files["stats.py"]
    mended = Submission(files={"stats.py": library.replace(b"items[1:]", b"items")})
    grade = grade_suite(ALONE, mended, judging)
    assert grade.score == 1.0
    assert int(re.findall(r"confirmed: (\d+) pairs", grade.log)[0]) >= 8, grade.log
    guessing = Submission(files={"stats.py": library + GUESSES})  # right half of the time for each pair
    assert sum(grade_suite(ALONE, guessing, judging).score for _ in range(6)) < 2


def test_there_are_enough_kinds() -> None:
    assert len(CHEATS) == len(CODE) + len(OURS) + len(FILES) + 2 >= 40
    assert len(CHEATS | suite_variants(SUITE)) >= 120
