"""Optimisation: equality is proven before anything is measured, targets can be reached, and nothing else pays."""

from __future__ import annotations

import random

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission, load_task_set
from mx_tasks.hardware.generate.spec import header, second_design, table_design
from mx_tasks.hardware.generate.twist import replay
from mx_tasks.hardware.generate.vectors import circuit
from mx_tasks.hardware.generate.waste import WASTE, Goal, Waste
from mx_tasks.hardware.rtl.circuit import share_right
from mx_tasks.hardware.sets.optimise import BELOW, SAME, OptimiseTasks, improved, reward

pytestmark = pytest.mark.eda
FAMILIES = [family for each in WASTE.values() for family in each]


def fenced(text: str) -> Submission:
    return Submission(f"```verilog\n{text}```\n")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_the_known_better_design_is_proven_and_reaches_the_target(each_hdl: Sandbox, family: Waste) -> None:
    wasteful = family(random.Random(f"check/{each_hdl.backend}"))
    hidden = circuit(wasteful.spec, "v")
    assert share_right(hidden, replay(wasteful.spec, hidden.steps)) == 1.0
    given = second_design(wasteful.spec)
    better = improved(hidden, wasteful.goal, table_design(wasteful.spec), given, each_hdl)
    assert (better.score, better.passed, better.proof) == (1.0, True, "proven"), better.log


def test_no_trivial_answer_pays(hdl: Sandbox) -> None:
    tasks = OptimiseTasks()
    for split in ("train", "test"):
        task = tasks.task(split, 0)  # type: ignore[arg-type]
        spec = tasks.drawn(split, 0).wasteful.spec  # type: ignore[arg-type]
        given = task.files["design.v"].decode()
        for nothing in (
            Submission(),
            Submission(files=task.files),
            fenced(given),
            fenced(given.replace("\n", "\n\n")),
        ):
            assert tasks.grade(task, nothing, hdl).score == 0.0
        constant = "".join(f"  assign {name} = 0;\n" for name, _ in spec.outs)
        small = tasks.grade(task, fenced(f"{header(spec)}{constant}endmodule\n"), hdl)
        assert (small.score, small.passed) == (0.05, False)
        larger = given.replace("endmodule", "  wire mx_unused = 1'b1;\nendmodule")
        assert tasks.grade(task, fenced(larger), hdl).score == SAME
        assert tasks.grade(task, tasks.gold(task), hdl).passed


def test_a_smaller_design_that_is_wrong_after_a_long_time_earns_nothing_more_than_elaborating(
    hdl: Sandbox,
) -> None:
    tasks = OptimiseTasks()
    for index in range(20):
        drawn = tasks.drawn("train", index)
        if drawn.wasteful.spec.family == "wide":
            break
    better = table_design(drawn.wasteful.spec)
    clock = drawn.wasteful.spec.clock
    broken = better.replace(
        "endmodule",
        f"  reg [7:0] mx_n = 0;\n  always @(posedge {clock}) mx_n <= mx_n + (mx_n != 8'hff);\nendmodule",
    )
    name = drawn.wasteful.spec.outs[-1][0]
    broken = broken.replace(f"assign {name} = ", f"assign {name} = (mx_n == 8'hfe) ^ ")
    grade = improved(drawn.circuit, drawn.wasteful.goal, broken, second_design(drawn.wasteful.spec), hdl)
    assert grade.score <= 0.05, grade.log
    assert not grade.passed


def test_the_reward_rises_with_the_improvement_and_jumps_at_the_target() -> None:
    goal = Goal("area", saving=40)
    scores = [reward(goal, (nodes, 10, 5), (100, 10, 5), (40, 10, 5)) for nodes in range(120, 30, -1)]
    assert [score for score, _ in scores] == sorted(score for score, _ in scores)
    assert scores[0] == (SAME, False)
    assert reward(goal, (61, 10, 5), (100, 10, 5), (40, 10, 5))[0] < BELOW
    assert reward(goal, (60, 10, 5), (100, 10, 5), (40, 10, 5)) == (0.9, True)
    assert reward(goal, (40, 10, 5), (100, 10, 5), (40, 10, 5)) == (1.0, True)
    assert reward(goal, (40, 10, 7), (100, 10, 5), (40, 10, 5)) == (SAME, False)
    deep = Goal("depth", percent=75)
    assert reward(deep, (100, 0, 15), (100, 0, 20), (100, 0, 10)) == (0.9, True)
    assert reward(deep, (131, 0, 10), (100, 0, 20), (100, 0, 10)) == (SAME, False)


def test_families_are_held_out_and_ids_find_their_task() -> None:
    names = [family.__name__ for family in FAMILIES]
    assert len(names) == len(set(names))
    tasks = load_task_set("hardware:optimise")
    task = tasks.task("validation", 3)
    assert tasks.find(task.id) == task
    assert OptimiseTasks(seed=1).task("train", 0).prompt != tasks.task("train", 0).prompt


def test_the_tool_tells_the_figures_and_the_distance_to_the_target(hdl: Sandbox) -> None:
    tasks = OptimiseTasks()
    task = tasks.task("test", 0)
    tool = next(tool for tool in task.tools if tool.name == "synthesise")
    better = table_design(tasks.drawn("test", 0).wasteful.spec)
    said = []
    for text in ("", better):
        done = hdl.run(
            ["python", "-c", f"arguments = {{'design': {text!r}}}\n{tool.source}"], files=task.files
        )
        assert done.ok, done.stderr.decode()
        said.append(done.stdout.decode())
    assert said[0].rstrip().endswith("missed")
    assert said[1].rstrip().endswith("reached")
    verdict = tasks.verdict(task, tasks.gold(task), hdl)
    assert verdict.cost is not None
    nodes, registers, depth = verdict.cost
    assert f"AND gates: {nodes}, register bits: {registers}, area: {nodes + 4 * registers}\n" in said[1]
    assert f"longest path: {depth} AND gates" in said[1]
