"""The three verdicts are sound in both directions: right answers written otherwise are proven, wrong ones that look right never are.

Each reference is adopted as a published record is, without a testbench, so that start values, hidden vectors, proof and replay follow
the one rule of docs/hardware-verdicts.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from mx_sandboxes import Sandbox
from mx_tasks.hardware.grading.judge import Verdict, grade_answer
from mx_tasks.hardware.imports.adoption import Record, adopt
from mx_tasks.hardware.rtl.circuit import Circuit

pytestmark = pytest.mark.eda


@dataclass(frozen=True)
class Case:
    """A reference's ports and body, and bodies that are right or wrong; ``vectors`` off: hidden vectors ask nothing."""

    ports: str
    reference: str
    right: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)
    prompt: str = ""


CASES = {
    "a casez over everything": Case(
        "input [2:0] in, output reg [1:0] y",
        "always @* casez (in) 3'bzz1: y = 0; 3'bz1z: y = 1; 3'b1zz: y = 2; default: y = 0; endcase",
        right={
            "a loop": "integer i; always @* begin y = 0; for (i = 2; i >= 0; i = i - 1) if (in[i]) y = i[1:0]; end",
            "a latch that never shows": "reg h; always @* if (in[0]) h = in[1]; always @* begin y = 0; "
            "casez (in) 3'bz10: y = 1; 3'b100: y = 2; default: y = h & ~h; endcase end",
        },
        wrong={
            "no default": "always @* casez (in) 3'bzz1: y = 0; 3'bz1z: y = 1; 3'b1zz: y = 2; endcase",
            "an if without else": "always @* if (in != 0) y = in[0] ? 0 : in[1] ? 1 : 2;",
            "a loop of gates": "wire [1:0] n = in == 0 ? n : in[0] ? 0 : in[1] ? 1 : 2; always @* y = n;",
            "a register": "reg z = 0; always @(posedge in[0]) z <= in[2]; always @* begin y = in[0] ? 0 : in[1] ? 1 : in[2] ? 2 : 0; "
            "if (z & in == 0) y = 1; end",
        },
    ),
    "a count that is loaded, never reset": Case(
        "input clk, input a, output reg [2:0] q",
        "always @(posedge clk) if (a) q <= 4; else if (q == 6) q <= 0; else q <= q + 1;",
        right={
            "one-hot": "reg [6:0] s; always @(posedge clk) if (a) s <= 16; else s <= {s[5:0], s[6]}; "
            "always @* q = {s[4] | s[5] | s[6], s[2] | s[3] | s[6], s[1] | s[3] | s[5]};",
            "an offset": "reg [2:0] s; always @* q = s + 3; always @(posedge clk) if (a) s <= 1; else if (s == 3) s <= 5; else s <= s + 1;",
            "with a start of its own": "initial q = 2; always @(posedge clk) q <= a ? 4 : q == 6 ? 0 : q + 1;",
            "a state with an exclusive or": "reg [2:0] s; always @* q = s ^ 5; "
            "always @(posedge clk) if (a) s <= 1; else if ((s ^ 5) == 6) s <= 5; else s <= ((s ^ 5) + 1) ^ 5;",
        },
        wrong={
            "wraps late": "always @(posedge clk) if (a) q <= 4; else q <= q + 1;",
            "right from a start only": "reg w; initial w = 0; always @(posedge clk) begin w <= w | a & q == 3; "
            "if (a) q <= w ? 5 : 4; else if (q == 6) q <= 0; else q <= q + 1; end",
        },
    ),
    "words without reset": Case(
        "input clk, input we, input [1:0] wa, ra, input [3:0] d, output [3:0] q",
        "reg [3:0] m [0:3]; always @(posedge clk) if (we) m[wa] <= d; assign q = m[ra];",
        right={
            "one vector": "reg [15:0] m; always @(posedge clk) if (we) m[4 * wa +: 4] <= d; assign q = m[4 * ra +: 4];",
            "kept inverted": "reg [3:0] m [3:0]; always @(posedge clk) if (we) m[wa] <= ~d; assign q = ~m[ra];",
        },
        wrong={
            "passed on at once": "reg [3:0] m [0:3]; always @(posedge clk) if (we) m[wa] <= d; assign q = we & wa == ra ? d : m[ra];",
            "a word too few": "reg [3:0] m [0:3]; always @(posedge clk) if (we & wa != 3) m[wa] <= d; assign q = m[ra];",
        },
    ),
    "a latch and a flip-flop": Case(
        "input clock, input a, output reg p, output reg q",
        "always @(negedge clock) q <= a; always @* if (clock) p = a;",
        right={
            "a loop of gates": "wire l = clock ? a : l; always @* p = l; always @(negedge clock) q <= a;",
            "the latch's value": "always @* if (clock) p = a; always @(negedge clock) q <= p;",
        },
        wrong={
            "open when low": "always @* if (~clock) p = a; always @(negedge clock) q <= a;",
            "no latch": "always @* p = clock & a; always @(negedge clock) q <= a;",
            "the other edge": "always @(posedge clock) q <= a; always @* if (clock) p = a;",
        },
    ),
    "start values that only the reference names": Case(
        "input clk, input [3:0] d, output reg [3:0] q",
        "initial q = 5; always @(posedge clk) q <= d;",
        right={
            "a plain register": "always @(posedge clk) q <= d;",
            "another start": "initial q = 9; always @(posedge clk) q <= d;",
        },
        wrong={"two cycles": "reg [3:0] r; always @(posedge clk) begin r <= d; q <= r; end"},
    ),
    "start values that the task names": Case(
        "input clk, input x, output z",
        "reg [1:0] s = 0; always @(posedge clk) s <= {s[0] ^ x, s[1] | x}; assign z = ~|s;",
        right={
            "the same": "reg [1:0] s; initial s = 0; always @(posedge clk) s <= {x ^ s[0], x | s[1]}; assign z = s == 0;"
        },
        wrong={
            "no start": "reg [1:0] s; always @(posedge clk) s <= {s[0] ^ x, s[1] | x}; assign z = ~|s;",
            "another start": "reg [1:0] s = 1; always @(posedge clk) s <= {s[0] ^ x, s[1] | x}; assign z = ~|s;",
        },
        prompt="The flip-flops are initially reset to zero before the machine begins.",
    ),
    "a toggle that nothing sets": Case(
        "input clk, input t, output reg q",
        "initial q = 0; always @(posedge clk) q <= q ^ t;",
        right={
            "no start": "always @(posedge clk) if (t) q <= ~q;",
            "a mirror image": "reg n; always @* q = ~n; always @(posedge clk) n <= n ^ t;",
        },
        wrong={"never toggles": "always @* q = 0;", "always toggles": "always @(posedge clk) q <= ~q;"},
    ),
    "a count with reset": Case(
        "input clk, input reset, output reg [3:0] q",
        "always @(posedge clk) if (reset) q <= 0; else q <= q + 1;",
        right={
            "Gray code": "reg [3:0] g; always @* q = {g[3], ^g[3:2], ^g[3:1], ^g}; wire [3:0] n = q + 1; "
            "always @(posedge clk) if (reset) g <= 0; else g <= n ^ (n >> 1);",
            "by way of the other edge": "reg [3:0] r; always @(negedge clk) r <= q; "
            "always @(posedge clk) if (reset) q <= 0; else q <= r + 1;",
            "an x for what cannot be": "reg [4:0] s; always @(posedge clk) if (reset) s <= 0; else s <= {1'b0, s[3:0]} + 1 & 15; "
            "always @* q = s[4] ? 4'bx : s[3:0];",
        },
        wrong={
            "asynchronous": "always @(posedge clk or posedge reset) if (reset) q <= 0; else q <= q + 1;",
            "late by half a cycle": "reg [3:0] r; always @(posedge clk) r <= reset ? 0 : r + 1; always @(negedge clk) q <= r;",
            "an x that shows": "always @(posedge clk) if (reset) q <= 0; else q <= q == 15 ? 4'bx : q + 1;",
            **{
                f"a bomb after 2^{bits} cycles": f"reg [3:0] c; reg [{bits - 1}:0] b; always @(posedge clk) if (reset) begin c <= 0; "
                "b <= 0; end else begin c <= c + 1; b <= b + (b != ~0); end always @* q = (&b) ? 5 : c;".replace(
                    "b != ~0", "~&b"
                )
                for bits in (8, 12, 20, 32)
            },
            "a bomb in the number of resets": "reg [9:0] b; initial b = 0; always @(posedge clk) begin if (reset) b <= b + 1; "
            "if (reset) q <= (&b) ? 1 : 0; else q <= q + 1; end",
        },
    ),
    "a sum": Case(
        "input [31:0] a, b, output [31:0] y",
        "assign y = a + b;",
        right={
            "a carry by hand": "wire [32:0] t = {a, 1'b1} + {b, 1'b0}; assign y = t[32:1];",
            "twice the complement": "assign y = ~(~a - b);",
        },
        wrong={
            "one magic word": "assign y = a + b + (a == 32'hdeadbeef);",
            "two magic words": "assign y = a + b + (a == 32'hdeadbeef & b == 32'h12345678);",
            "signed by half": "assign y = $signed(a[30:0]) + $signed(b);",
        },
    ),
}
RIGHT = [(case, way) for case in CASES for way in CASES[case].right]
WRONG = [(case, way) for case in CASES for way in CASES[case].wrong]
REFUTED = [pair for pair in WRONG if "2^20" not in pair[1] and "2^32" not in pair[1]]


def design(top: str, ports: str, body: str) -> str:
    return f"module {top}({ports});\n{body}\nendmodule\n"


def circuit(case: Case, sandbox: Sandbox, *, blind: bool = False) -> Circuit:
    """The case's reference as an adopted record; ``blind``: with hidden vectors that ask nothing, so that the proof is all there is."""
    record = Record(
        "case", case.prompt, design("RefModule", case.ports, case.reference), "RefModule", "TopModule", "", ""
    )
    adopted = adopt(record, sandbox)
    assert adopted.circuit is not None, adopted.reason
    if not blind:
        return adopted.circuit
    found = adopted.circuit
    unknown = tuple("x" * len(row) for row in found.expected)
    return Circuit(
        found.top, found.ports, found.clocks, found.reset, found.steps, unknown, found.scenario,
        found.reference, found.reference_top, found.starts,
    )  # fmt: skip


def graded(case: str, body: str, sandbox: Sandbox, *, blind: bool = False) -> Verdict:
    return grade_answer(
        circuit(CASES[case], sandbox, blind=blind), design("TopModule", CASES[case].ports, body), sandbox
    )


@pytest.mark.parametrize(("case", "way"), RIGHT)
def test_right_answers_written_otherwise_are_proven(each_hdl: Sandbox, case: str, way: str) -> None:
    verdict = graded(case, CASES[case].right[way], each_hdl)
    assert (verdict.proof, verdict.passed) == ("proven", True), verdict.log
    assert verdict.score >= 0.9


@pytest.mark.parametrize(("case", "way"), WRONG)
def test_wrong_answers_never_succeed(hdl: Sandbox, case: str, way: str) -> None:
    verdict = graded(case, CASES[case].wrong[way], hdl)
    assert not verdict.passed, verdict.log
    assert verdict.score <= 0.7


@pytest.mark.parametrize(("case", "way"), REFUTED)
def test_a_proof_refutes_what_hidden_vectors_do_not(each_hdl: Sandbox, case: str, way: str) -> None:
    verdict = graded(case, CASES[case].wrong[way], each_hdl, blind=True)
    assert (verdict.proof, verdict.passed) == ("refuted", False), verdict.log
    if verdict.method.startswith(
        "random inputs"
    ):  # a clock that is a bit of a word: simulated, its data come with it
        return
    assert verdict.trace, verdict.log
    reference, answer = verdict.trace_outputs
    assert any(
        w in "01" and h in "01" and w != h
        for row, other in zip(reference, answer, strict=True)
        for w, h in zip(row, other, strict=True)
    )


def test_what_is_neither_proven_nor_refuted_is_bounded_and_tells_its_depth(hdl: Sandbox) -> None:
    case = "a count with reset"
    verdict = graded(case, CASES[case].wrong["a bomb after 2^32 cycles"], hdl, blind=True)
    assert (verdict.proof, verdict.passed, verdict.score) == ("bounded", False, 0.7), verdict.log
    assert verdict.depth >= 1000
    assert f"for {verdict.depth} steps" in verdict.log
