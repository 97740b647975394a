"""Designs of several files: one file mends them, in whichever form it is handed in, and nothing else does."""

from __future__ import annotations

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission, load_task_set
from mx_tasks.answers.patches import diff_of
from mx_tasks.errors import SPLITS
from mx_tasks.hardware.generate.families import KINDS
from mx_tasks.hardware.generate.twist import replay
from mx_tasks.hardware.rtl.circuit import share_right, trivial_share
from mx_tasks.hardware.rtl.files import design_files
from mx_tasks.hardware.sets.multi_file import MultiFileTasks

pytestmark = pytest.mark.eda


def places(tasks: MultiFileTasks, *, goal: bool) -> list[tuple[str, int]]:
    return [
        next((split, n) for n in range(40) if (tasks.drawn(split, n).goal is not None) == goal)
        for split in SPLITS
    ]


@pytest.mark.parametrize("goal", [False, True], ids=["repair", "optimise"])
def test_the_right_file_scores_one_and_the_given_files_nothing(each_hdl: Sandbox, goal: bool) -> None:
    tasks = MultiFileTasks()
    for split, index in places(tasks, goal=goal)[: 3 if each_hdl.backend == "bubblewrap" else 1]:
        task = tasks.task(split, index)  # type: ignore[arg-type]
        drawn = tasks.drawn(split, index)  # type: ignore[arg-type]
        right = tasks.grade(task, tasks.gold(task), each_hdl)
        assert (right.score, right.passed) == (1.0, True), right.log
        assert tasks.grade(task, Submission(), each_hdl).score == 0.0
        same = Submission(f"{drawn.at}\n```verilog\n{drawn.given[drawn.at]}\n```\n")
        assert tasks.grade(task, same, each_hdl).score == 0.0
        touched = drawn.given[drawn.at] + "module spare_of_mine(input a, output b); assign b = a; endmodule\n"
        grade = tasks.grade(task, Submission(files={drawn.at: touched.encode()}), each_hdl)
        assert grade.score <= 0.10, grade.log
        assert not grade.passed


def test_every_form_of_an_answer_gives_the_same_files() -> None:
    tasks = MultiFileTasks()
    for split, index in (*places(tasks, goal=False), *places(tasks, goal=True)):
        task = tasks.task(split, index)  # type: ignore[arg-type]
        drawn = tasks.drawn(split, index)  # type: ignore[arg-type]
        names = tasks.outputs(task)
        right = drawn.gold[drawn.at]
        diff = diff_of({drawn.at: drawn.given[drawn.at].encode()}, {drawn.at: right.encode()})
        forms = {
            "gold": tasks.gold(task),
            "a file": Submission(files={drawn.at: right.encode()}),
            "a diff": Submission(f"The fix:\n```diff\n{diff}```\n"),
            "modules": Submission(f"The mended module:\n```verilog\n{right}```\n"),
            "all files": Submission("".join(f"{n}\n```verilog\n{drawn.gold[n]}```\n" for n in names)),
            "all in one": Submission("```verilog\n" + "".join(drawn.gold[n] for n in names) + "```\n"),
        }
        for form, submission in forms.items():
            texts = design_files(submission, task.files, list(names))
            whole = "".join(texts[name] for name in names)
            assert sorted(whole.split()) == sorted("".join(drawn.gold[n] for n in names).split()), form


def test_one_file_differs_and_nothing_of_the_right_one_is_public() -> None:
    tasks = MultiFileTasks()
    for split in SPLITS:
        for index in range(6):
            task, drawn = tasks.task(split, index), tasks.drawn(split, index)
            assert [name for name, text in drawn.given.items() if drawn.gold[name] != text] == [drawn.at]
            assert 3 <= len(drawn.given) <= 4
            right = drawn.gold[drawn.at].encode()
            assert right not in task.prompt.encode()
            assert all(right not in data for data in task.files.values())
            hidden = drawn.circuit
            assert share_right(hidden, replay(drawn.spec, hidden.steps)) == 1.0
            assert trivial_share(hidden) <= 0.85
            if drawn.goal is None:
                assert drawn.broken_share < 0.9
                held = {family.__name__ for level in KINDS.values() for family in level[split]}
                assert {spec.family for spec in drawn.modules.values()} <= held


def test_ids_and_seeds() -> None:
    tasks = load_task_set("hardware:multi-file")
    task = tasks.task("test", 1)
    assert tasks.find(task.id) == task
    assert task.id == "multi-file-0-test-1"
    assert MultiFileTasks(seed=1).task("test", 1).prompt != task.prompt
    with pytest.raises(ValueError, match="terse"):
        MultiFileTasks(wording="verse")


@pytest.mark.parametrize("goal", [False, True], ids=["repair", "optimise"])
def test_tools_work_on_all_files(hdl: Sandbox, goal: bool) -> None:
    tasks = MultiFileTasks()
    split, index = places(tasks, goal=goal)[0]
    task = tasks.task(split, index)  # type: ignore[arg-type]
    drawn = tasks.drawn(split, index)  # type: ignore[arg-type]
    said = {}
    for tool in task.tools:
        for name, files in (
            ("given", task.files),
            ("right", {**task.files, drawn.at: drawn.gold[drawn.at].encode()}),
        ):
            done = hdl.run(["python", "-c", f"arguments = {{}}\n{tool.source}"], files=files)
            assert done.ok, done.stderr.decode()
            said[tool.name, name] = done.stdout.decode()
    assert said["simulate", "right"] == "all 8 public examples agree\n"
    assert "AND gates" in said["synthesise", "right"]
    if goal:
        assert said["synthesise", "given"].rstrip().endswith("missed")
        assert said["synthesise", "right"].rstrip().endswith("reached")
