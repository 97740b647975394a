"""Nothing that an answer says, opens, renames or hides earns it more than elaborating does; the naive grader believes it all."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from mx_sandboxes import Limits, Sandbox
from mx_tasks.hardware.cheats.designs import poor_attacks, refused_attacks
from mx_tasks.hardware.grading.judge import grade_answer
from mx_tasks.hardware.rtl.circuit import Port
from mx_tasks.hardware.sets.generated import GeneratedTasks
from mx_tasks.hardware.sets.published import ImportedTasks

pytestmark = pytest.mark.eda

PORTS: tuple[Port, ...] = (("clk", "input", 1), ("reset", "input", 1), ("d", "input", 4), ("q", "output", 4))
BENCH = """module RefModule(input clk, reset, input [3:0] d, output reg [3:0] q); always @(posedge clk) q <= reset ? 0 : d; endmodule
module tb; reg clk = 0, reset = 1; reg [3:0] d = 0; wire [3:0] q_ref, q; integer errors = 0, n;
RefModule good1(clk, reset, d, q_ref); TopModule dut(.clk(clk), .reset(reset), .d(d), .q(q));
wire tb_match = q === q_ref;
initial begin for (n = 0; n < 40; n = n + 1) begin d = $random; #1 clk = 1; #1 if (!tb_match) errors = errors + 1;
  clk = 0; reset = 0; #1 ; end
  if (errors) $display("Mismatches: %0d in 40 samples", errors); else $display("Mismatches: 0 in 40 samples"); $finish; end
endmodule
"""


def naive(answer: str, sandbox: Sandbox) -> bool:
    """What public harnesses do: compile the answer with the testbench, run, believe what is printed, or silence."""
    done = sandbox.run(
        ["sh", "-c", "iverilog -g2012 -s tb -o t.vvp tb.v top.v && vvp -n t.vvp"],
        files={"tb.v": BENCH.encode(), "top.v": answer.encode()},
        limits=Limits(cpu_s=3, wall_s=20),
    )
    said = done.stdout.decode(errors="replace")
    return done.ok and not re.search(r"Mismatches: [1-9]", said)


REACHING = ("fdisplay to stdout", "open a file", "read memory", "read memory in binary", "include", "include by a macro", "system call",
            "value of an argument", "random", "import of foreign code", "bind", "config", "program", "the reference itself",
            "an undefined module", "read the testbench", "read the reference's signals", "escaped cell", "recursive modules",
            "a parameter that unrolls", "module twice", "cut off", "inout ports", "wider ports", "other letters", "null byte")  # fmt: skip
"""Attacks that no front end may get to read, or that none makes a circuit of."""
FOOLED = ("finish", "display the pass line", "write the pass line", "fdisplay to stdout", "the reference itself",
          "read the testbench", "force the testbench")  # fmt: skip


@pytest.mark.parametrize("name", FOOLED)
def test_the_naive_grader_is_fooled(hdl: Sandbox, name: str) -> None:
    """The control: these attacks work where an answer shares a simulator with its judge."""
    text = refused_attacks(PORTS, "TopModule")[name]
    if name == "read the testbench":
        text = text.replace("tb.good1.q", "tb.q_ref")
    if name == "force the testbench":
        text = text.replace("tb.tb_match = 1", "tb.tb_match = 1'b1")
    if "pass line" in name or "stdout" in name:
        text = text.replace(");", "); initial $finish;", 1) if "$finish" not in text else text
    assert naive(text, hdl)


def test_the_naive_grader_knows_a_plainly_wrong_answer(hdl: Sandbox) -> None:
    assert not naive(
        "module TopModule(input clk, reset, input [3:0] d, output [3:0] q); assign q = 3; endmodule", hdl
    )


@pytest.mark.parametrize("kind", ["combinational", "sequential", "fsm"])
def test_attacks_on_generated_tasks_score_nothing(hdl: Sandbox, kind: str) -> None:
    tasks = GeneratedTasks(kind)
    drawn = tasks.drawn("test", 1)
    refused = refused_attacks(drawn.spec.ports, drawn.spec.top)
    poor = poor_attacks(drawn.spec.ports, drawn.spec.top)
    with ThreadPoolExecutor(4) as pool:
        scores = list(
            pool.map(lambda text: grade_answer(drawn.circuit, text, hdl), [*refused.values(), *poor.values()])
        )
    found = dict(zip([*refused, *poor], scores, strict=True))
    assert {name: found[name].log for name in REACHING if found[name].score > 0.0} == {}
    assert {name: verdict.log for name, verdict in found.items() if verdict.score > 0.05} == {}


@pytest.mark.parametrize("place", [3, 12])
def test_attacks_on_published_tasks_score_nothing(hdl: Sandbox, samples: ImportedTasks, place: int) -> None:
    circuit = samples.circuit(samples.task("test", place).id)
    attacks = {**refused_attacks(circuit.ports, circuit.top), **poor_attacks(circuit.ports, circuit.top)}
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(pool.map(lambda text: grade_answer(circuit, text, hdl), attacks.values()))
    assert {n: v.log for n, v in zip(attacks, verdicts, strict=True) if v.score > 0.05} == {}
