"""Drawn tasks: both goldens are right, wordings agree, families are held out, bugs are bugs, examples and tools say what is so."""

from __future__ import annotations

import random
import re

import pytest

from mx_sandboxes import Limits, Sandbox
from mx_tasks import Submission, TaskNotFoundError, load_task_set
from mx_tasks.errors import SPLITS
from mx_tasks.hardware.generate.families import KINDS, families
from mx_tasks.hardware.generate.twist import replay
from mx_tasks.hardware.generate.vectors import circuit
from mx_tasks.hardware.generate.wording import WORDINGS, instruction
from mx_tasks.hardware.rtl.circuit import share_right, trivial_share
from mx_tasks.hardware.sets.generated import GeneratedTasks

pytestmark = pytest.mark.eda

FAMILIES = [family for kind in KINDS.values() for each in kind.values() for family in each]


@pytest.mark.parametrize("kind", [*KINDS, "repair"])
def test_both_goldens_are_proven_and_nothing_scores_nothing(hdl: Sandbox, kind: str) -> None:
    tasks = GeneratedTasks(kind)
    for split in SPLITS:
        task = tasks.task(split, 0)
        assert tasks.grade(task, tasks.gold(task), hdl).score == 1.0
        second = tasks.verdict(task, tasks.second_gold(task), hdl)
        assert (second.proof, second.passed) == ("proven", True), second.log
        assert tasks.grade(task, Submission(), hdl).score == 0.0
        assert tasks.grade(task, Submission(files=task.files), hdl).score == 0.0


def test_no_family_is_in_two_splits() -> None:
    for kind in KINDS:
        names = [{family.__name__ for family in families(kind, split)} for split in SPLITS]
        assert sum(map(len, names)) == len(set().union(*names))
        assert all(names)


def test_the_same_seed_gives_the_same_tasks_and_another_seed_others() -> None:
    again, other = GeneratedTasks("fsm"), GeneratedTasks("fsm", seed=1)
    ours = [GeneratedTasks("fsm").task("test", n) for n in range(5)]
    assert [again.task("test", n) for n in range(5)] == ours
    assert other.task("test", 0).prompt != ours[0].prompt
    assert again.fingerprint == GeneratedTasks("fsm").fingerprint != other.fingerprint


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_the_model_replays_its_vectors_and_no_trivial_answer_does_well(family: object) -> None:
    for seed in range(4):
        spec = family(random.Random(seed))  # type: ignore[operator]
        hidden = circuit(spec, "v")
        assert share_right(hidden, replay(spec, hidden.steps)) == 1.0
        assert trivial_share(hidden) < 1.0
        late = ("x" * len(hidden.expected[0]),) * 2 + hidden.expected[:-2]
        assert share_right(hidden, late) < (0.5 if spec.clock else 1.01)
        assert not any("x" in row for row in hidden.expected[2 : hidden.scenario]) or not spec.clock


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_wording_names_every_port_and_the_reset_in_full(family: object) -> None:
    spec = family(random.Random(7))  # type: ignore[operator]
    for wording in WORDINGS:
        text = instruction(spec, wording, "seed")
        for name, _, width in spec.ports:
            assert re.search(rf"\b{name}\b", text)
            if width > 1:
                assert re.search(rf"\b{name}\b(\[{width - 1}:0\]| \({width} bits\)| \| \w+ \| {width})", text)
        if spec.reset is not None:
            assert f"active {'high' if spec.reset.level else 'low'}" in text
            assert ("asynchronous" if spec.reset.asynchronous else "synchronous:") in text


def solved_from_table(prompt: str) -> str:
    """Verilog written by a solver that knows nothing but the formal table in a prompt."""
    top = re.search(r"module `(\w+)`", prompt).group(1)  # type: ignore[union-attr]
    ports = re.findall(r"^- (input|output) (\w+)(?: \((\d+) bits\))?$", prompt, re.MULTILINE)
    rows = re.findall(r"^(\w+) \| (\d+) \| (?:(\d+) \| )?`(.*)`$", prompt, re.MULTILINE)
    outputs = {name for direction, name, _ in ports if direction == "output"}
    registers = {name for name, _, start, _ in rows if start}
    lines = [f"module {top}(" + ", ".join(f"{d} [{int(w or 1) - 1}:0] {n}" for d, n, w in ports) + ");"]
    lines += [f"reg [{int(width) - 1}:0] {name};" for name, width, start, _ in rows if start]
    lines += [f"wire [{int(w) - 1}:0] {n};" for n, w, start, _ in rows if not start and n not in outputs]
    lines += [f"assign {name} = {value};" for name, _, start, value in rows if not start]
    if registers:
        clock = re.search(r"rising edge of (\w+)", prompt).group(1)  # type: ignore[union-attr]
        reset, level, kind = re.search(
            r"reset (\w+) is active (high|low) and (a?synchronous)", prompt
        ).groups()  # type: ignore[union-attr]
        edge = f" or {'posedge' if level == 'high' else 'negedge'} {reset}" if kind == "asynchronous" else ""
        lines.append(f"always @(posedge {clock}{edge}) if ({reset} == {int(level == 'high')}) begin")
        lines += [f"{name} <= {start};" for name, _, start, _ in rows if start]
        lines.append("end else begin")
        lines += [f"{name} <= {value};" for name, _, start, value in rows if start]
        lines.append("end")
    return "\n".join([*lines, "endmodule"])


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_solver_that_follows_the_formal_table_passes(hdl: Sandbox, kind: str) -> None:
    tasks = GeneratedTasks(kind, wording="table")
    for split in SPLITS:
        for index in range(2):
            task = tasks.task(split, index)
            verdict = tasks.verdict(task, Submission(solved_from_table(task.prompt)), hdl)
            assert (verdict.passed, verdict.proof) == (True, "proven"), verdict.log


@pytest.mark.parametrize("kind", list(KINDS))
def test_plain_icarus_takes_both_goldens_too(hdl: Sandbox, kind: str) -> None:
    """No name is a keyword of SystemVerilog, no helper's name is taken."""
    tasks = GeneratedTasks(kind)
    files, names = {}, []
    for split in SPLITS:
        for index in range(12):
            task = tasks.task(split, index)
            for which, answer in (("a", tasks.gold(task).answer), ("b", tasks.second_gold(task).answer)):
                names.append(f"{split}{index}{which}.v")
                files[names[-1]] = answer.partition("```verilog\n")[2].rpartition("```")[0].encode()
    script = "for f in *.v; do iverilog -g2012 -t null $f || echo in $f; done"
    done = hdl.run(["sh", "-c", script], files=files, limits=Limits(cpu_s=30, wall_s=120))
    assert (done.stdout + done.stderr).decode() == ""


@pytest.mark.parametrize("split", SPLITS)
def test_what_is_to_be_mended_is_broken_but_has_the_right_ports(hdl: Sandbox, split: str) -> None:
    tasks = load_task_set("hardware:repair")
    for index in range(4):
        task = tasks.task(split, index)  # type: ignore[arg-type]
        verdict = tasks.grade(task, Submission(files=task.files), hdl)
        assert verdict.score == 0.0
        broken = task.files["design.v"].decode() + "// touched\nmodule spare; endmodule\n"
        touched = tasks.grade(task, Submission(broken), hdl)
        assert touched.score <= 0.05
        assert not touched.passed
        assert "refused" not in touched.log


def test_public_checks_tell_right_from_wrong(hdl: Sandbox) -> None:
    for kind in ("combinational", "sequential", "fsm"):
        tasks = GeneratedTasks(kind)
        task = tasks.task("train", 3)
        gold = tasks.gold(task).answer
        for answer, wanted in (
            (gold, True),
            (gold.replace("module", "modul"), False),
        ):
            program = f"answer = {answer!r}\n{task.parts[0].check}"
            assert hdl.run(["python", "-c", program]).ok == wanted
        spec = tasks.drawn("train", 3).spec
        head = gold.partition(");")[0]
        constant = "".join(f"assign {name} = 'bx;" for name, _ in spec.outs)
        done = hdl.run(
            ["python", "-c", f"answer = {head + ');' + constant + 'endmodule'!r}\n{task.parts[0].check}"]
        )
        assert b"example" in done.stderr


def test_tools_answer_in_a_few_plain_lines(hdl: Sandbox) -> None:
    tasks = load_task_set("hardware:fsm")
    task = tasks.task("test", 1)
    design = tasks.gold(task).answer.partition("```verilog\n")[2].partition("```")[0]  # type: ignore[attr-defined]
    broken = design.replace("assign ", "assign #0 ").replace(";\nendmodule", " ^ 1'b1;\nendmodule")
    said = {}
    for tool in task.tools:
        for name, text in (("right", design), ("wrong", broken), ("none", ""), ("odd", "module x(")):
            program = f"arguments = {{'design': {text!r}}}\n{tool.source}"
            done = hdl.run(["python", "-c", program], files=task.files)
            assert done.ok, done.stderr.decode()
            said[tool.name, name] = done.stdout.decode()
            assert len(said[tool.name, name].splitlines()) <= 12
    assert said["simulate", "right"] == "all 8 public examples agree\n"
    assert "first difference in row 1" in said["simulate", "wrong"]
    assert "expected" in said["simulate", "wrong"]
    assert "it does not compile" in said["simulate", "odd"]
    assert "there is no design.v" in said["lint", "none"]
    assert re.search(r"AND gates: \d+, register bits: \d+", said["synthesise", "right"])
    assert "cannot be synthesised" in said["synthesise", "odd"]


@pytest.mark.parametrize(
    "task_id", ["fsm-0-train-x", "fsm-1-train-0", "micro-0-train-0", "", "fsm-0-exam-0", "fsm-0-test-²"]
)
def test_an_id_that_no_task_has_is_named(task_id: str) -> None:
    with pytest.raises(TaskNotFoundError, match="fsm-0-train-0"):
        GeneratedTasks("fsm").find(task_id)


def test_ids_find_their_task_and_options_are_checked() -> None:
    tasks = GeneratedTasks("repair")
    task = tasks.task("validation", 2)
    assert tasks.find(task.id) == task
    with pytest.raises(ValueError, match="data sheet"):
        GeneratedTasks("fsm", wording="verse")
    with pytest.raises(IndexError):
        tasks.task("train", -1)
