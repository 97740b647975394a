"""Release pairs and mutations of a library that nobody has seen, from archives on disk to validated tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Grade, Submission
from mx_tasks.harbor.directory import read_directory
from mx_tasks.software.cheats import suite as suite_cheats
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate import making, mutation, suites
from mx_tasks.software.generate.making import Journal, make_pair, make_planted
from mx_tasks.software.generate.mutation import make_mutations
from mx_tasks.software.grading.suite import Suite
from mx_tasks.software.imports.importing import import_functions
from mx_tasks.software.sets.directories import DirectoryTasks

from ..conftest import NEW, OLD, TESTS, library, write_sdist  # noqa: TID252  # what the shelves of this domain share

pytestmark = pytest.mark.timeout(900)
"""Each makes tasks whole, with every cheat tried on each."""


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MX_CACHE", str(tmp_path / "cache"))


def quiet(_: str) -> None:
    """No progress."""


def test_a_pair_becomes_the_whole_task_and_one_for_each_bug(box: Sandbox, tmp_path: Path) -> None:
    old, new = (
        write_sdist(tmp_path, version, library(code, version))
        for version, code in (("1.0", OLD), ("1.1", NEW))
    )
    out = tmp_path / "out"
    ids = list(make_pair("wordlib", old, new, out, box, quiet))
    assert ids == ["wordlib-1.1", "wordlib-1.1-1", "wordlib-1.1-2"]
    task_set = DirectoryTasks(out)
    whole, first, second = map(task_set.find, ids)
    name = "src/wordlib/__init__.py"
    assert not any("test" in name for name in whole.files)
    assert name in whole.files
    assert "Keeps what fits." in whole.prompt
    assert "shorten(text='abc', length=3)" in first.prompt
    assert "chunks(" in second.prompt
    for task in (whole, first, second):
        assert task_set.grade(task, task_set.gold(task), box).score == 1.0
        assert task_set.grade(task, Submission(files=task.files), box).score == 0.0
    broken = [Submission(files={name: task.files[name]}) for task in (first, second)]
    assert [task_set.grade(whole, one, box).score for one in broken] == [
        0.0,  # one test of four mended, which some constant is always worth
        0.0,  # three, which who gives back what was given has without mending anything
    ]
    assert list(make_pair("wordlib", old, new, out, box, quiet)) == ids


@pytest.mark.parametrize(
    ("code", "tests", "why"),
    [
        (NEW, None, "ships no tests"),
        (OLD, TESTS, "is the same"),
        (NEW, "import wordlib_does_not_exist\n", "need wordlib_does_not_exist"),
        (
            NEW,
            "import socket\ndef test_it():\n    socket.getaddrinfo('example.com', 80)\n",
            "need the network",
        ),
        (NEW, "import random\ndef test_it():\n    assert False\n", "none of its tests passes"),
        (NEW, "import wordlib\n", "finds no tests"),
        (NEW, "def test_it():\n    assert True\n", "no test fails before and passes after"),
        ("x = 1 +", TESTS, "none of its tests passes"),
    ],
)
def test_what_gives_no_task_says_why(
    box: Sandbox, tmp_path: Path, code: str, tests: str | None, why: str
) -> None:
    old = write_sdist(tmp_path, "1.0", library(OLD, "1.0"))
    new = write_sdist(tmp_path, "1.1", library(code, "1.1", tests))
    with pytest.raises(SourceError, match=why) as caught:
        list(make_pair("wordlib", old, new, tmp_path / "out", box, quiet))
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out/*/task.toml"))


def test_planted_bugs_are_the_same_for_the_same_seed_and_go_on(box: Sandbox, tmp_path: Path) -> None:
    source = write_sdist(tmp_path, "1.1", library(NEW, "1.1"))
    first, again = tmp_path / "first", tmp_path / "again"
    ids = list(make_planted(source, first, box, quiet, count=2))
    assert len(ids) == len(set(ids)) == 2
    assert list(make_planted(source, again, box, quiet, count=1)) == ids[:1]
    assert list(make_planted(source, again, box, quiet, count=2)) == ids
    for name in ids:
        one, other = (read_directory(folder / name) for folder in (first, again))
        assert one == other
        assert one.ours["operator"]
        assert b"def test" not in one.instruction.encode()
    assert sum(map(bool, Journal(first, prefix=f"mutation {source} 0 test ").values())) == 2


COUNTDOWN = '''
def steps(left):
    """How many steps until nothing is left."""
    count = 0
    while left > 0:
        left = left - 1
        count = count + 1
    return count
'''
COUNTDOWN_TESTS = """
from wordlib import steps
def test_steps():
    assert steps(8) == 8
def test_none():
    assert steps(0) == 0
"""


def test_a_bug_that_makes_a_test_hang_is_no_task(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every grade of a submission that does not mend it would take as long as the limit allows."""
    source = write_sdist(tmp_path, "1.1", library(COUNTDOWN, "1.1", COUNTDOWN_TESTS))

    def planted() -> set[str]:
        made = make_mutations(source, box, tmp_path / "cache", quiet, count=50, keep=lambda _: True)
        return {f"{task.about['operator']} {task.gold} {task.tree}" for task in made}

    def told_of_no_hang(*asked: Any, **options: Any) -> suites.Run:
        return replace(suites.run_suite(*asked, **options), hung=frozenset())

    monkeypatch.setattr(suites, "TEST_S", 0.5)
    with_rule = planted()
    monkeypatch.setattr(mutation, "run_suite", told_of_no_hang)
    assert with_rule < planted(), "the control: without the rule, bugs that loop are planted"


RECORD = {
    "task_id": "HumanEval/904",
    "prompt": 'def twice(x):\n    """Twice a number."""\n',
    "entry_point": "twice",
    "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(5) == 10\n",
}
PAYS = "def twice(x):\n    return x + x\n"


@pytest.mark.parametrize(
    "code",
    [
        PAYS,
        f"import time\ntime.sleep(0.2)\n{PAYS}",
        PAYS.replace("    ", "    import time; time.sleep(0.05)\n    "),
    ],
    ids=["at once", "after a sleep", "with a sleep in each call"],
)
def test_a_task_that_pays_a_cheat_is_refused_by_its_name(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(
        suite_cheats, "CODE", {"a way that pays": code, "one that loops": "while True: pass\n"}
    )
    source = tmp_path / "records.jsonl"
    source.write_text(json.dumps(RECORD))
    said: list[str] = []
    assert not list(import_functions("humaneval", source, tmp_path / "out", box, said.append))
    assert "the cheat 'a way that pays' scores 1" in said[-1]


def test_every_shipped_cheat_is_tried_before_a_task_is_accepted(
    box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bytes] = []

    def graded(suite: Suite, submission: Submission, *_: object, **__: object) -> Grade:
        tried.extend(submission.files.values())
        right = submission.files.get("solution.py", b"").endswith(b"2 * x\n")
        return Grade(float(right), right)

    monkeypatch.setattr(making, "grade_suite", graded)
    source = tmp_path / "records.jsonl"
    source.write_text(json.dumps(RECORD))
    assert list(import_functions("humaneval", source, tmp_path / "out", box, quiet))
    every = {**suite_cheats.CODE, **suite_cheats.OURS}
    missing = [name for name, code in every.items() if not any(one.endswith(code.encode()) for one in tried)]
    assert len(every) > 30
    assert not missing
