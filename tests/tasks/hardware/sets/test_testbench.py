"""Testbenches are worth what they find: honest ones score, and no trick tells wrong designs from right ones."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from mx_sandboxes import Limits, Sandbox
from mx_tasks import Submission, load_task_set
from mx_tasks.hardware.sets.testbench import Prepared, TestbenchTasks, killed

pytestmark = pytest.mark.eda

HEAD = "module unit(input clk, input rst, input [3:0] d, output reg [3:0] q);\n"
BODY = "always @(posedge clk) if (rst) q <= 0; else q <= {};\nendmodule\n"
RIGHT = (HEAD + BODY.format("q + d"), HEAD + BODY.format("~(~q - d)"))
WRONG = tuple(HEAD + BODY.format(each) for each in ("q - d", "q + d + 1", "q ^ d", "d"))
DESIGNS = Prepared(RIGHT, WRONG)

FRAME = """`timescale 1ns/1ps
module tb;
  reg clk = 0, rst = 1; reg [3:0] d = 0; wire [3:0] q; reg [3:0] want; integer n, errors = 0;
  unit dut(.clk(clk), .rst(rst), .d(d), .q(q));
  always #2.5 clk = ~clk;
  {extra}
  initial begin
    @(negedge clk); @(negedge clk); rst = 0; want = 0;
    for (n = 0; n < 60; n = n + 1) begin
      d = $random; want = want + d; @(negedge clk);
      if (q !== want) errors = errors + 1;
    end
    {verdict}
    $finish;
  end
endmodule
"""
PASS, FAIL = '$display("%s PASS", `NONCE);', '$display("%s FAIL", `NONCE);'
HONEST = f"if (errors == 0) {PASS} else {FAIL}"


def text(verdict: str = HONEST, extra: str = "") -> str:
    return FRAME.replace("{extra}", extra).replace("{verdict}", verdict)


def test_an_honest_testbench_kills_all_and_a_lax_one_some(each_hdl: Sandbox) -> None:
    assert killed(DESIGNS, text(), "unit", each_hdl)[0] == 1.0
    lax = text(f"if (errors == 0 || q === want) {PASS} else {FAIL}").replace("n < 60", "n < 2")
    assert 0.0 < killed(DESIGNS, lax, "unit", each_hdl)[0] <= 1.0
    queue = "int seen [$]; initial begin seen.push_back(3); want = seen.size(); end"
    assert killed(DESIGNS, text(extra=queue), "unit", each_hdl) == (
        1.0,
        "4 of 4 wrong designs found, 0 passed",
    )


TRICKS = {
    "says nothing": text(""),
    "always passes": text(PASS),
    "always fails": text(FAIL),
    "both verdicts": text(PASS + FAIL),
    "the same verdict twice": text(FAIL + FAIL),
    "a verdict without the nonce": text('$display("FAIL");'),
    "a nonce of its own": text('`undef NONCE\n`define NONCE "x"\n' + FAIL),
    "ends before its verdict": text(f"$finish; #1 {FAIL}"),
    "fails by chance": text(f"if ($urandom % 2) {FAIL} else {PASS}"),
    "fails by the nonce": text(f"begin : g reg [191:0] s; s = `NONCE; if (^s) {FAIL} else {PASS} end"),
    "fails by the time": text(f"if ($time > 100) {FAIL} else {PASS}"),
    "hangs where it is wrong": text(f"while (errors != 0) ; {PASS}"),
    "crashes where it is wrong": text(f"if (errors != 0) $fatal; {PASS}"),
    "stops where it is wrong": text(f"if (errors != 0) $stop; {PASS}"),
    "prints without end where it is wrong": text(f'while (errors != 0) $display("no"); {PASS}'),
    "prints much before its verdict": text(
        f'if (errors != 0) begin for (n = 0; n < 60000; n = n + 1) $display("a line of some length"); {FAIL} end else {PASS}'
    ),
    "does not compile": text().replace("endmodule", ""),
    "no module tb": text().replace("module tb", "module bench"),
    "a design of its own": text() + HEAD + "endmodule\n",
    "nothing": "I would rather not.",
}


def all_killed(testbenches: dict[str, str], sandbox: Sandbox) -> dict[str, tuple[float, str]]:
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda each: killed(DESIGNS, each, "unit", sandbox), testbenches.values())
        return dict(zip(testbenches, found, strict=True))


def test_no_verdict_but_an_honest_one_counts(hdl: Sandbox) -> None:
    found = all_killed(TRICKS, hdl)
    assert {name: log for name, (score, log) in found.items() if score > 0.0} == {}


def reading(opening: str) -> str:
    """Fails where the design's text is not as long as that of the first right design."""
    return text(
        f"if (size != 0 && size != {len(RIGHT[0])}) {FAIL} else {PASS}",
        extra=f"integer file, size = 0, c; initial begin file = {opening}; if (file) begin c = $fgetc(file); "
        "while (c >= 0) begin size = size + 1; c = $fgetc(file); end end end",
    )


PEEKS = {
    "reads the design's file": reading('$fopen("dut.v", "r")'),
    "reads by a macro": reading("`OPEN").replace("module tb", '`define OPEN $fopen("dut.v", "r")\nmodule tb'),
    "seeks the design's end": text(
        f"if (size != {len(RIGHT[0])}) {FAIL} else {PASS}",
        extra='integer file, size, c; initial begin file = $fopen("dut.v", "r"); c = $fseek(file, 0, 2); '
        "size = $ftell(file); end",
    ),
    "reads it as memory": text(extra='reg [7:0] m [0:999]; initial $readmemh("dut.v", m);'),
    "includes it": text(extra='`include "dut.v"'),
    "asks for plusargs": text(f'if ($test$plusargs("mutant")) {FAIL} else {PASS}'),
    "reads plusargs": text(extra='integer k; initial if ($value$plusargs("k=%d", k)) ;'),
    "looks inside": text(f"if (dut.q !== want) {FAIL} else {PASS}"),
    "looks inside behind a label": text(
        f"if (dut.q !== want) {FAIL} else {PASS}",
        extra="generate if (1) begin : g begin : dut end end endgenerate",
    ),
    "looks inside from a structure": text(
        f"if (dut.q !== want) {FAIL} else {PASS}", extra="struct packed { logic q; } dut_s;"
    ),
    "looks inside with spaces": text(f"if (dut . q !== want) {FAIL} else {PASS}"),
    "looks inside by an escaped name": text(f"if (\\dut .q !== want) {FAIL} else {PASS}"),
    "changes a parameter": text(extra="defparam dut.WIDTH = 8;"),
    "forces a signal inside": text(extra="initial force dut.q = 0;"),
    "binds a spy": text() + "bind unit tb spy();\n",
    "calls the shell": text(extra='initial $system("cat dut.v");'),
    "writes a file": text(extra='integer f; initial f = $fopen("kills.txt", "w");'),
    "dumps to a file of its own": text(extra='initial begin $fdumpfile("x"); end'),
    "asks for its scope": text(extra='initial $display("%m");'),
    "reads what is typed": text(extra="integer c; initial c = $fgetc(32'h8000_0000);"),
    "foreign code": text() + 'import "DPI-C" function int system(input string s);\n',
}


def test_nothing_but_the_outputs_tells_designs_apart(hdl: Sandbox) -> None:
    found = all_killed(PEEKS, hdl)
    assert {name: log for name, (score, log) in found.items() if score > 0.0 or "refused: " not in log} == {}


def naive(testbench: str, design: str, sandbox: Sandbox) -> bool:
    """What a plain harness does: compile both where they lie, run, look for the word; whatever is no pass is a kill."""
    done = sandbox.run(
        ["sh", "-c", "iverilog -g2012 -s tb -DNONCE='\"n\"' -o t tb.v dut.v && vvp -n t"],
        files={"tb.v": testbench.encode(), "dut.v": design.encode()},
        limits=Limits(cpu_s=2, wall_s=20),
    )
    return "n PASS" not in done.stdout.decode(errors="replace")


@pytest.mark.parametrize(
    "name", ["reads the design's file", "reads by a macro", "seeks the design's end", "looks inside"]
)
def test_the_naive_harness_lets_them_look(hdl: Sandbox, name: str) -> None:
    """The control: where the design lies beside the testbench, these kill without knowing what is right."""
    assert not naive(PEEKS[name], RIGHT[0], hdl)
    assert naive(PEEKS[name], WRONG[1], hdl)


@pytest.mark.parametrize("name", ["hangs where it is wrong", "crashes where it is wrong", "both verdicts"])
def test_the_naive_harness_counts_what_is_no_verdict(hdl: Sandbox, name: str) -> None:
    assert naive(TRICKS[name], WRONG[0], hdl) == (name != "both verdicts")
    assert naive(TRICKS[name], RIGHT[0], hdl) is False


def test_a_race_with_one_structure_rejects_the_other(hdl: Sandbox) -> None:
    """A testbench that passes only one right design is worth nothing, however many mutants it kills."""
    picky = text(
        f"if (errors != 0 || first !== 4'bx) {FAIL} else {PASS}",
        extra="reg [3:0] first; initial #1 first = q;",
    )
    started = Prepared((RIGHT[0], RIGHT[1].replace("endmodule", "initial q = 0;\nendmodule")), WRONG)
    assert killed(Prepared(RIGHT, WRONG), picky, "unit", hdl)[0] == 1.0
    assert killed(started, picky, "unit", hdl)[0] == 0.0


def test_drawn_tasks_have_mutants_that_the_reference_kills(each_hdl: Sandbox) -> None:
    tasks = load_task_set("hardware:testbench")
    for split, index in (
        (("train", 0), ("test", 1)) if each_hdl.backend == "bubblewrap" else (("validation", 0),)
    ):
        task = tasks.task(split, index)  # type: ignore[arg-type]
        gold = tasks.gold(task)  # type: ignore[attr-defined]
        grade = tasks.grade(task, gold, each_hdl)
        assert (grade.score, grade.passed) == (1.0, True), grade.log
        assert (
            tasks.grade(task, Submission(files={"tb.v": gold.answer[11:-4].encode()}), each_hdl).score == 1.0
        )
        assert tasks.grade(task, Submission(), each_hdl).score == 0.0
        always = re.sub(r"wrong = wrong \+ 1", "wrong = 0", gold.answer)
        assert tasks.grade(task, Submission(always), each_hdl).score == 0.0
        assert re.search(r"`NONCE", task.prompt)


def test_ids_seeds_and_wordings() -> None:
    tasks = TestbenchTasks()
    task = tasks.task("validation", 2)
    assert tasks.find(task.id) == task
    assert TestbenchTasks(seed=1).task("validation", 2).prompt != task.prompt
    assert json.loads(task.files["design.json"])["top"] in task.prompt
    with pytest.raises(ValueError, match="data sheet"):
        TestbenchTasks(wording="verse")


def test_the_tool_runs_a_testbench_on_a_design_of_ones_own(hdl: Sandbox) -> None:
    tasks = TestbenchTasks()
    task = tasks.task("test", 0)
    tool = task.tools[0]
    gold = tasks.gold(task).answer[11:-4]
    spec = tasks.drawn("test", 0).spec
    from mx_tasks.hardware.generate.spec import table_design

    said = []
    for given in (
        {"testbench": gold},
        {"testbench": gold, "design": table_design(spec)},
        {"testbench": "module tb("},
        {},
    ):
        program = f"arguments = {given!r}\n{tool.source}"
        done = hdl.run(["python", "-c", program], files=task.files)
        assert done.ok, done.stderr.decode()
        said.append(done.stdout.decode())
    assert said[0].startswith("on a design without logic: FAIL")
    assert said[1] == "on design.v: PASS\n"
    assert said[2].startswith("it does not compile:")
    assert said[3].startswith("there is no tb.v")
