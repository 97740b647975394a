"""The repair tasks: every one is sound, no attack on their grader pays, and what is handed in is found."""

from __future__ import annotations

from pathlib import Path

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import SPLITS, Submission, Task, TaskNotFoundError, UnknownSplitError, tasks
from mx_tasks.software.cheats.repair import CHEATS
from mx_tasks.software.sets.repair import RepairTasks, TaskDirectoryError
from mx_tasks.validate import validate

SET = RepairTasks()
ALL = [task for split in SPLITS for task in tasks(SET, split, 100)]
EACH = pytest.mark.parametrize("task", ALL, ids=lambda task: task.id)
ONE = SET.find("interval-merger")


class OneTask(RepairTasks):
    """A repair set of a single task, for looking at one at a time."""

    def __init__(self, task: Task) -> None:
        super().__init__()
        self._entries = {task.id: self._entries[task.id]}


@EACH
def test_gold_is_right_nothing_is_worth_nothing_and_no_cheat_pays(task: Task, sandbox: Sandbox) -> None:
    assert [str(finding) for finding in validate(OneTask(task), sandbox, repeats=1)] == []


def test_verdicts_repeat(sandbox: Sandbox) -> None:
    assert validate(OneTask(ONE), sandbox, repeats=3) == []


def test_a_broken_set_is_found_out(sandbox: Sandbox) -> None:
    class Broken(OneTask):
        def gold(self, task: Task) -> Submission:
            return Submission("```python\nx = 1\n```")

    (finding,) = validate(Broken(ONE), sandbox, repeats=1)
    assert str(finding) == "interval-merger: gold scored 0, not 1 (run 1)"
    assert "raised" in finding.log


@EACH
def test_the_marks_of_what_passes_before_are_true(task: Task, sandbox: Sandbox) -> None:
    marked = {case.name: case.passes_before for case, _ in SET.cases_before(task, sandbox)}
    assert marked == {case.name: passes for case, passes in SET.cases_before(task, sandbox)}
    assert 8 <= len(marked) <= 16


@EACH
def test_the_public_check_tells_the_file_as_given_from_the_gold(task: Task) -> None:
    (part,) = task.parts
    assert part.prompt in task.prompt
    exec(part.check, {"answer": SET.gold(task).answer})
    with pytest.raises(Exception):  # noqa: B017, PT011  # whatever the broken file raises
        exec(part.check, {"answer": task.files[SET.outputs(task)[0]].decode()})


@EACH
def test_agents_see_nothing_of_the_hidden_tests(task: Task, sandbox: Sandbox) -> None:
    visible = task.prompt + "".join(content.decode() for content in task.files.values())
    hidden = [case.give for case, _ in SET.cases_before(task, sandbox) if len(case.give) > 30]
    assert not [give for give in hidden if give in visible]


def test_every_split_has_tasks_and_the_ids_find_them() -> None:
    assert [SET.size(split) for split in SPLITS] == [5, 2, 3]
    assert all(SET.find(task.id) is task for task in ALL)
    assert len({task.id for task in ALL}) == 10


@pytest.mark.parametrize("name", CHEATS)
def test_an_attack_on_top_of_the_gold_gains_nothing_by_being_there(name: str, sandbox: Sandbox) -> None:
    """The gold with the attack scores 1 if the attack is idle, less if it bites; it is never an exception."""
    gold = SET.gold(ONE).answer.removesuffix("```\n")
    grade = SET.grade(ONE, Submission(f"{gold}{CHEATS[name]}```\n"), sandbox)
    assert 0.0 <= grade.score <= 1.0
    assert grade.score == 0.0 or not grade.tampered


def test_a_right_file_that_silences_assertions_is_tampering(sandbox: Sandbox) -> None:
    gold = SET.gold(ONE).answer.removesuffix("```\n")
    attack = "import builtins\nclass Quiet(Exception): pass\nbuiltins.AssertionError = Quiet\n"
    grade = SET.grade(ONE, Submission(f"{gold}{attack}```\n"), sandbox)
    assert (grade.score, grade.passed, grade.tampered) == (0.0, False, True)


def test_half_a_repair_scores_between(sandbox: Sandbox) -> None:
    given = ONE.files["interval_merger.py"].decode()
    half = given.replace("(merged[-1][0], high)", "(merged[-1][0], max(merged[-1][1], high))")
    assert half != given
    grade = SET.grade(ONE, Submission(half), sandbox)
    assert 0.0 < grade.score < 0.5
    assert not grade.passed
    assert SET.grade_parts(ONE, [("file", half)], sandbox) == [grade.score]


def test_breaking_what_worked_costs_what_mending_gains(sandbox: Sandbox) -> None:
    grade = SET.grade(ONE, Submission("def merge(intervals):\n    return [(1, 10)]\n"), sandbox)
    assert grade.score == 0.0


@pytest.mark.parametrize(
    "answer", ["", "\x00", "def", "I cannot do that.", "```python\n", "x" * 200_000, "\ud800"]
)
def test_rubbish_is_a_low_grade(answer: str, sandbox: Sandbox) -> None:
    grade = SET.grade(ONE, Submission(answer), sandbox)
    assert (grade.score, grade.passed) == (0.0, False)


def test_the_changed_file_counts_when_the_answer_has_no_block(sandbox: Sandbox) -> None:
    gold = SET.gold(ONE).answer.removeprefix("```python\n").removesuffix("```\n").encode()
    written = {"interval_merger.py": gold}
    assert SET.grade(ONE, Submission("done", written), sandbox).passed
    assert not SET.grade(ONE, Submission("```python\nx = 1\n```", written), sandbox).passed
    assert SET.grade(ONE, Submission(SET.gold(ONE).answer, ONE.files), sandbox).passed


def test_other_files_that_are_handed_in_are_ignored(sandbox: Sandbox) -> None:
    attack = {"_run_cases.py": b"import os\nos._exit(0)\n", "sitecustomize.py": b"raise SystemExit\n"}
    assert SET.grade(ONE, Submission(SET.gold(ONE).answer, attack), sandbox).passed


def test_what_does_not_exist_is_named() -> None:
    with pytest.raises(TaskNotFoundError, match=r"'lru-cach'.*did you mean 'lru-cache'"):
        SET.find("lru-cach")
    with pytest.raises(IndexError, match="2 tasks"):
        SET.task("validation", 2)
    with pytest.raises(UnknownSplitError, match="train"):
        SET.size("trian")  # type: ignore[arg-type]


def copy_of_a_task(folder: Path) -> Path:
    ours = (
        Path(__file__).parents[4]
        / "tasks"
        / "mx_tasks"
        / "software"
        / "sets"
        / "repair"
        / "data"
        / "roman-numerals"
    )
    for path in ours.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            target = folder / "roman" / path.relative_to(ours)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return folder / "roman"


def test_a_folder_of_ones_own(tmp_path: Path, sandbox: Sandbox) -> None:
    task = copy_of_a_task(tmp_path)
    own = RepairTasks(folder=tmp_path)
    assert own.size("train") == 1
    assert own.grade(own.find("roman"), own.gold(own.find("roman")), sandbox).passed
    before = own.fingerprint
    (task / "instruction.md").write_text("Repair it.\n")
    assert (
        RepairTasks(folder=tmp_path).fingerprint
        != before
        == RepairTasks(copy_of_a_task(tmp_path).parent).fingerprint
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('schema_version = "1.4"', 'schema_version = "9"', "schema_version '9'"),
        ('split = "train"', 'split = "tain"', "did you mean 'train'"),
        ('source = "roman_numerals.py"', 'source = "other.py"', "'other.py'"),
        ("calls = 12", "", "calls"),
        ("[metadata.mx]", "[metadata.mx", "task.toml|metadata|Expected|at line"),
    ],
)
def test_a_faulty_task_directory_is_named_with_its_fault(
    old: str, new: str, message: str, tmp_path: Path
) -> None:
    config = copy_of_a_task(tmp_path) / "task.toml"
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(TaskDirectoryError, match=message) as caught:
        RepairTasks(tmp_path)
    assert "roman" in str(caught.value)


def test_an_empty_or_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskDirectoryError, match="no task directory"):
        RepairTasks(tmp_path)
    with pytest.raises(TaskDirectoryError, match="no folder"):
        RepairTasks(tmp_path / "missing")
