"""Answers are graded for what they compute: proofs hold, refutations come with a trace, unknowns count as wrong."""

from __future__ import annotations

import pytest

from mx_sandboxes import Sandbox
from mx_tasks.hardware.grading.judge import grade_answer
from mx_tasks.hardware.rtl.circuit import Circuit, rescaled, share_right, trivial_share

pytestmark = pytest.mark.eda

FLOP = "module RefModule(input clk, reset, d, output reg q);\nalways @(posedge clk) q <= reset ? 0 : d;\nendmodule"
HEAD = "module TopModule(input clk, reset, d, output {}q);\n"


def flop(**changes: object) -> Circuit:
    fields = {
        "top": "TopModule",
        "ports": (("clk", "input", 1), ("reset", "input", 1), ("d", "input", 1), ("q", "output", 1)),
        "clocks": ("clk",),
        "reset": ("reset", 1),
        "steps": ("010", "110", "001", "101", "000", "100", "001", "101"),
        "expected": ("x", "0", "0", "1", "1", "0", "0", "1"),
        "scenario": 2,
        "reference": FLOP,
        "reference_top": "RefModule",
    }
    return Circuit(**{**fields, **changes})  # type: ignore[arg-type]


def words(body: str, reference: str, *, width: int = 8) -> tuple[Circuit, str]:
    """A circuit of two words with one vector, and an answer to it."""
    ports = (("a", "input", width), ("b", "input", width), ("y", "output", width))
    head = f"(input [{width - 1}:0] a, b, output [{width - 1}:0] y);\n"
    circuit = Circuit(
        "TopModule", ports, (), ("", 1), ("0" * 2 * width,), ("x" * width,), 1,
        f"module RefModule{head}{reference}\nendmodule", "RefModule",
    )  # fmt: skip
    return circuit, f"module TopModule{head}{body}\nendmodule"


RIGHT = {
    "the same": "always @(posedge clk) if (reset) q <= 0; else q <= d;",
    "kept inverted": "reg p; always @(posedge clk) p <= reset | ~d; always @* q = ~p;",
    "with an enable for nothing": "wire e = d ^ q; always @(posedge clk) if (reset) q <= 0; else if (e) q <= ~q;",
    "two registers": "reg a, b; always @(posedge clk) begin a <= reset ? 0 : d & b; b <= ~reset & d; end always @* q = b;",
}
WRONG = {
    "the other edge": "always @(negedge clk) q <= reset ? 0 : d;",
    "asynchronous": "always @(posedge clk or posedge reset) if (reset) q <= 0; else q <= d;",
    "no reset": "always @(posedge clk) q <= d;",
    "wrong after a long time": "reg [4:0] n; always @(posedge clk) begin n <= reset ? 0 : n + 1; q <= reset ? 0 : d ^ &n; end",
    "a latch": "always @* if (clk) q = reset ? 0 : d;",
    "a gated clock": "wire g = clk & ~d; always @(posedge g) q <= reset ? 0 : d;",
}


@pytest.mark.parametrize("name", RIGHT)
def test_right_answers_of_any_structure_are_proven(each_hdl: Sandbox, name: str) -> None:
    verdict = grade_answer(flop(), HEAD.format("reg ") + RIGHT[name] + "\nendmodule", each_hdl)
    assert (verdict.proof, verdict.passed) == ("proven", True), verdict.log
    assert 0.9 <= verdict.score <= 1.0


@pytest.mark.parametrize("name", WRONG)
def test_wrong_answers_that_pass_the_vectors_are_refuted(each_hdl: Sandbox, name: str) -> None:
    anything = flop(expected=("x",) * 8)
    verdict = grade_answer(anything, HEAD.format("reg ") + WRONG[name] + "\nendmodule", each_hdl)
    assert (verdict.proof, verdict.passed, verdict.score) == ("refuted", False, 0.6), verdict.log


def test_a_refutation_shows_the_way_to_the_difference(hdl: Sandbox) -> None:
    verdict = grade_answer(
        flop(expected=("x",) * 8), HEAD.format("reg ") + WRONG["wrong after a long time"] + "\nendmodule", hdl
    )
    reference, answer = verdict.trace_outputs
    assert len(verdict.trace) == len(reference) == len(answer) > 50
    assert reference[-2:] != answer[-2:]
    assert "counterexample (clk, reset, d" in verdict.log


def test_an_unknown_output_is_wrong(hdl: Sandbox) -> None:
    verdict = grade_answer(flop(), HEAD.format("") + "assign q = 1'bx;\nendmodule", hdl)
    assert (verdict.score, verdict.share) == (0.05, 0.0)


def test_what_the_reference_leaves_open_may_be_anything(hdl: Sandbox) -> None:
    reference = "assign y = a == 7 ? 'bx : a + b;"
    for body, proof in (
        ("assign y = a == 7 ? b : b + a;", "proven"),
        ("assign y = a == 8 ? b : b + a;", "refuted"),
        ("assign y = a == 7 ? b : b + a + 'bx * (a == 9);", "refuted"),
    ):
        circuit, answer = words(body, reference)
        assert grade_answer(circuit, answer, hdl).proof == proof, body


def test_a_multiplier_is_told_from_one_with_a_single_wrong_product(hdl: Sandbox) -> None:
    right, answer = words("integer i; reg [7:0] r; always @* begin r = 0; for (i = 0; i < 8; i = i + 1) "
                          "if (a[i]) r = r + (b << i); end assign y = r;", "assign y = a * b;")  # fmt: skip
    assert grade_answer(right, answer, hdl).proof == "proven"
    wrong, answer = words("assign y = a * b + (a == 53 & b == 23);", "assign y = a * b;")
    verdict = grade_answer(wrong, answer, hdl)
    assert (verdict.proof, verdict.trace) == ("refuted", (f"{53:08b}{23:08b}",))


def test_without_a_reset_any_start_is_as_good_as_another(hdl: Sandbox) -> None:
    ports = (("en", "input", 1), ("d", "input", 4), ("q", "output", 4))
    head = "(input en, input [3:0] d, output reg [3:0] q);\n"
    latch = Circuit(
        "TopModule", ports, (), ("", 1), ("10110", "00000"), ("0110", "0110"), 1,
        f"module RefModule{head}always @* if (en) q = d;\nendmodule", "RefModule",
    )  # fmt: skip
    inverted = "reg [3:0] n; always @* if (en) n = ~d; always @* q = ~n;"
    assert grade_answer(latch, f"module TopModule{head}{inverted}\nendmodule", hdl).proof == "proven"
    wrong = "always @* if (en & d != 5) q = d;"
    assert grade_answer(latch, f"module TopModule{head}{wrong}\nendmodule", hdl).proof == "refuted"


def test_larger_circuits_earn_less_but_never_below_the_proof(hdl: Sandbox) -> None:
    lean, answer = words("assign y = a + b;", "assign y = b + a;")
    assert grade_answer(lean, answer, hdl).score == 1.0
    fat, answer = words(
        "assign y = (a ^ b) + ((a & b) << 1) + (a - a) + ((b ^ a) & (~a ^ b));", "assign y = b + a;"
    )
    verdict = grade_answer(fat, answer, hdl)
    assert verdict.proof == "proven"
    assert 0.9 < verdict.score < 1.0


def test_a_design_beyond_the_limits_is_an_outcome(hdl: Sandbox) -> None:
    circuit, answer = words(
        "genvar i; wire [7:0] w [0:60000]; assign w[0] = a; generate for (i = 0; i < 60000; i = i + 1) begin : g "
        "assign w[i+1] = w[i] * b + a; end endgenerate assign y = w[60000];", "assign y = a;",
    )  # fmt: skip
    verdict = grade_answer(circuit, answer, hdl)
    assert verdict.score <= 0.05
    assert sum(verdict.cpu.values()) < 30


def test_scenarios_are_all_right_or_wrong_and_constants_earn_nothing() -> None:
    circuit = flop()
    assert share_right(circuit, circuit.expected) == 1.0
    assert share_right(circuit, ("0",) * 8) == 0.25
    assert trivial_share(circuit) == 0.25  # a constant, or d itself, passed on
    assert rescaled(0.5, 0.5) == 0.0
    assert rescaled(1.0, 0.5) == 1.0
