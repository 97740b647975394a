"""The SystemVerilog that people write is read as a synthesiser reads it: each construct is proven equal to plain Verilog of the same meaning.

What only tells a simulator something is nothing; what would reach a file, a program or another design is refused.
"""

from __future__ import annotations

import pytest

from mx_sandboxes import Sandbox
from mx_tasks.hardware.grading.judge import Verdict, grade_answer
from mx_tasks.hardware.rtl.circuit import Circuit

pytestmark = pytest.mark.eda

PORTS = (("clk", "input", 1), ("a", "input", 4), ("y", "output", 4))
HEAD = "module TopModule(input clk, input [3:0] a, output logic [3:0] y);\n"
INCREMENT, PASSED_ON = "assign y = a + 1;", "assign y = a;"

CONSTRUCTS = {
    "a function with return": (
        "function automatic [3:0] f(input [3:0] x); if (x == 3) return 9; return x + 1; endfunction assign y = f(a);",
        "assign y = a == 3 ? 9 : a + 1;",
    ),
    "foreach": ("always_comb foreach (y[i]) y[i] = a[3 - i];", "assign y = {a[0], a[1], a[2], a[3]};"),
    "streaming": ("assign y = {<<{a}};", "assign y = {a[0], a[1], a[2], a[3]};"),
    "a pattern of a structure": (
        "typedef struct packed {logic [1:0] h; logic [1:0] l;} t; t s; assign s = '{h: a[1:0], l: a[3:2]}; assign y = s;",
        "assign y = {a[1:0], a[3:2]};",
    ),
    "case inside": (
        "always_comb case (a) inside [0:3]: y = 1; 4'b1?00: y = 2; default: y = 3; endcase",
        "assign y = a < 4 ? 1 : a[3] & ~a[1] & ~a[0] ? 2 : 3;",
    ),
    "inside as an operator": ("assign y = a inside {1, [4:7]};", "assign y = a == 1 | a >= 4 & a < 8;"),
    "break": (
        "always_comb begin y = 0; for (int i = 0; i < 4; i++) begin if (a[i]) break; y++; end end",
        "assign y = a[0] ? 0 : a[1] ? 1 : a[2] ? 2 : a[3] ? 3 : 4;",
    ),
    "continue": (
        "always_comb begin y = 0; for (int i = 0; i < 4; i++) begin if (a[i]) continue; y++; end end",
        "assign y = 4 - a[0] - a[1] - a[2] - a[3];",
    ),
    "priority if": (
        "always_comb priority if (a[0]) y = 1; else if (a[1]) y = 2; else y = 3;",
        "assign y = a[0] ? 1 : a[1] ? 2 : 3;",
    ),
    "unique case": (
        "always_comb unique case (a[1:0]) 0: y = 7; 1: y = 2; 2: y = 1; 3: y = 0; endcase",
        "assign y = a[1] ? (a[0] ? 0 : 1) : a[0] ? 2 : 7;",
    ),
    "a local automatic variable": ("always_comb begin automatic logic [3:0] t = a; t = t + 1; y = t; end", INCREMENT),
    "a compound assignment": ("always_comb begin y = a; y += 1; end", INCREMENT),
    "a task": ("task automatic t(input [3:0] x, output [3:0] z); z = x + 1; endtask always_comb t(a, y);", INCREMENT),
    "an array of parameters": (
        "localparam logic [3:0] T [4] = '{1, 2, 3, 5}; assign y = T[a[1:0]];",
        "assign y = a[1:0] == 3 ? 5 : a[1:0] + 1;",
    ),
    "a packed union": (
        "typedef union packed {logic [3:0] w; logic [1:0][1:0] n;} u; u x; assign x.w = a; assign y = {x.n[0], x.n[1]};",
        "assign y = {a[1:0], a[3:2]};",
    ),
    "a wildcard comparison": ("assign y = a ==? 4'b1x0x;", "assign y = a[3] & ~a[1];"),
    "an enumeration": (
        "typedef enum logic [1:0] {A, B, C, D} t; t s; assign s = t'(a[1:0]); always_comb case (s) A: y = 1; B: y = 2; "
        "default: y = 3; endcase",
        "assign y = a[1] ? 3 : a[0] ? 2 : 1;",
    ),
    "an escaped identifier": (r"wire [3:0] \a.b+c ; assign \a.b+c = a; assign y = \a.b+c ;", PASSED_ON),
    "a generate by case": (
        "localparam M = 2; case (M) 1: assign y = ~a; 2: begin : g assign y = a; end default: assign y = 0; endcase",
        PASSED_ON,
    ),
    "an error in a branch that is dead": ("localparam W = 4; if (W < 2) $error(\"W\"); else assign y = a;", PASSED_ON),
    "a fatal error that is dead": ("localparam W = 4; if (W < 2) $fatal(1, \"bad %0d\", W); assign y = a;", PASSED_ON),
    "not for synthesis": (
        "assign y = a;\n`ifndef SYNTHESIS\ninteger f; initial begin f = $fopen(\"x\"); $display(\"hi\"); end\n`endif",
        PASSED_ON,
    ),
    "for synthesis": ("`ifdef SYNTHESIS\nassign y = a;\n`else\nassign y = 0;\n`endif", PASSED_ON),
    "switched off": (
        "assign y = a;\n// synopsys translate_off\ninitial $monitor(\"%d\", a); always #5 foo;\n// synopsys translate_on",
        PASSED_ON,
    ),
    "switched off in another dialect": (
        "assign y = a;\n/* pragma translate_off */ nonsense /* pragma translate_on */",
        PASSED_ON,
    ),
    "telling": (
        "assign y = a; initial $display(\"hi\"); final $display(\"bye\"); initial begin $dumpfile(\"x\"); $dumpvars(0, TopModule); end",
        PASSED_ON,
    ),
    "telling in a branch": (
        "always_comb begin y = a; if (a == 3) $display(\"three %d\", a); else if (a == 4) $write(\"four\"); else y = a; end",
        PASSED_ON,
    ),
    "an assertion at once": ("always_comb begin y = a; assert (a < 16) else $error(\"no\"); end", PASSED_ON),
    "assertions over time": (
        "assign y = a; p: assert property (@(posedge clk) a == 1 |=> ##[1:3] y == 2) else $fatal(1, \"x\"); "
        "cover property (@(posedge clk) a == 2); assume property (@(posedge clk) a != 3);",
        PASSED_ON,
    ),
    "a macro with arguments": ("`define MAX(x, y) ((x) > (y) ? (x) : (y))\nassign y = `MAX(a, 4'd7);", "assign y = a > 7 ? a : 7;"),
    "a macro that pastes": ("`define R(n) reg_``n\nwire [3:0] `R(x) = a; assign y = `R(x);", PASSED_ON),
    "a macro with a default": ("`define ADD(x, by = 1) x + by\nassign y = `ADD(a) + `ADD(a, 2) - a - 2;", INCREMENT),
    "a macro in macros": ("`define ONE 1\n`define ADD(x) x + `ONE\nassign y = `ADD(`ADD(a)) - `ONE;", INCREMENT),
}  # fmt: skip
WHOLE = {
    "a package in the module's body": (
        "package p; localparam W = 4; typedef enum logic [1:0] {A, B, C} t; endpackage\n"
        f"{HEAD}import p::*; t s; assign s = t'(a[1:0]); assign y = s == B ? W : a; endmodule",
        "assign y = a[1:0] == 1 ? 4 : a;",
    ),
    "an interface with modports": (
        "interface bus; logic [3:0] d; modport s(input d); modport m(output d); endinterface\n"
        "module sub(bus.s b, output [3:0] y); assign y = b.d + 1; endmodule\n"
        f"{HEAD}bus b(); assign b.d = a; sub u(.b(b), .y(y)); endmodule",
        INCREMENT,
    ),
    "ports of many dimensions": (
        "module sub(input logic [1:0][1:0] x [0:1], output logic [3:0] y); assign y = {x[0][1], x[1][0]}; endmodule\n"
        f"{HEAD}logic [1:0][1:0] m [0:1]; assign m[0] = a; assign m[1] = a; sub u(m, y); endmodule",
        PASSED_ON,
    ),
    "a parameter that is a type": (
        "module sub #(parameter type T = logic)(input T a, output T y); assign y = a; endmodule\n"
        f"{HEAD}sub #(.T(logic [3:0])) u(.a, .y); endmodule",
        PASSED_ON,
    ),
    "all ports by name": (
        f"module sub(input [3:0] a, output [3:0] y); assign y = a; endmodule\n{HEAD}sub u(.*); endmodule",
        PASSED_ON,
    ),
    "a testbench behind it": (
        f"{HEAD}assign y = a; endmodule\nmodule tb; reg clk; TopModule t(); initial begin #5 $finish; end endmodule",
        PASSED_ON,
    ),
}
REFUSED = {
    "an include": '`include "/etc/passwd"\n' + HEAD + PASSED_ON + "endmodule",
    "an include that a macro makes": '`define I(x) `inc``x\n`I(lude) "/etc/passwd"\n'
    + HEAD
    + PASSED_ON
    + "endmodule",
    "a file that is read": HEAD
    + 'reg [7:0] m [0:15]; initial $readmemh("/etc/passwd", m); assign y = m[a]; endmodule',
    "a file that is read by a macro": HEAD
    + '`define GET(x) $read``x\nreg [7:0] m [0:15]; initial `GET(memh)("/etc/passwd", m); assign y = m[a]; endmodule',
    "foreign code": 'import "DPI-C" function int system(input string s);\n' + HEAD + PASSED_ON + "endmodule",
    "macros that double without end": "`define A0 x\n"
    + "".join(f"`define A{i} `A{i - 1} `A{i - 1}\n" for i in range(1, 40))
    + HEAD
    + PASSED_ON
    + "wire `A39; endmodule",
    "a macro that is itself": HEAD + "`define X `X\nassign y = `X; endmodule",
    "a random number": HEAD + "assign y = $random; endmodule",
    "an error that is alive": HEAD + 'if (1) $error("W"); assign y = a; endmodule',
    "a name in another design": HEAD + "assign y = tb.dut.y; endmodule",
}


def verdict_on(text: str, reference: str, sandbox: Sandbox) -> Verdict:
    ref = f"module RefModule(input clk, input [3:0] a, output [3:0] y);\n{reference}\nendmodule"
    steps = tuple(f"0{value:04b}" for value in range(16))
    circuit = Circuit("TopModule", PORTS, ("clk",), ("", 1), steps, ("xxxx",) * 16, 1, ref, "RefModule")
    return grade_answer(circuit, text, sandbox)


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_means_what_plain_verilog_says(each_hdl: Sandbox, name: str) -> None:
    body, reference = CONSTRUCTS[name]
    verdict = verdict_on(f"{HEAD}{body}\nendmodule", reference, each_hdl)
    assert verdict.proof == "proven", verdict.log


@pytest.mark.parametrize("name", CONSTRUCTS)
def test_a_construct_is_not_proven_to_mean_something_else(hdl: Sandbox, name: str) -> None:
    body, reference = CONSTRUCTS[name]
    other = reference.replace("assign y = ", "assign y = 4'd5 ^ (", 1).replace(";", ");", 1)
    verdict = verdict_on(f"{HEAD}{body}\nendmodule", other, hdl)
    assert verdict.proof == "refuted", verdict.log


@pytest.mark.parametrize("name", WHOLE)
def test_a_design_of_many_parts_is_read(each_hdl: Sandbox, name: str) -> None:
    text, reference = WHOLE[name]
    verdict = verdict_on(text, reference, each_hdl)
    assert verdict.proof == "proven", verdict.log


@pytest.mark.parametrize("name", REFUSED)
def test_what_reaches_beyond_the_design_is_refused_and_quotes_nothing(hdl: Sandbox, name: str) -> None:
    verdict = verdict_on(REFUSED[name], PASSED_ON, hdl)
    assert (verdict.score, verdict.passed) == (0.0, False), verdict.log
    assert verdict.log.startswith("refused: ")
    assert "root:" not in verdict.log
