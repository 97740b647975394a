"""Runs inside the grading sandbox: where a netlist of Yosys' says something else than the language, put right."""

import re

DIVISION = """(* techmap_celltype = "mx_{kind}" *)
module mx_map_{kind}(A, B, Y);
parameter A_SIGNED = 0; parameter B_SIGNED = 0; parameter A_WIDTH = 1; parameter B_WIDTH = 1; parameter Y_WIDTH = 1;
parameter _TECHMAP_CONSTMSK_B_ = 0; parameter _TECHMAP_CONSTVAL_B_ = 0;
localparam SIGNED = A_SIGNED && B_SIGNED; localparam LONGER = (A_WIDTH > B_WIDTH ? A_WIDTH : B_WIDTH) + SIGNED;
localparam WIDTH = Y_WIDTH < LONGER ? Y_WIDTH : LONGER;
input [A_WIDTH-1:0] A; input [B_WIDTH-1:0] B; output [Y_WIDTH-1:0] Y; wire [WIDTH-1:0] y; wire [Y_WIDTH-1:0] z;
\\${kind} #(.A_SIGNED(A_SIGNED), .B_SIGNED(B_SIGNED), .A_WIDTH(A_WIDTH), .B_WIDTH(B_WIDTH), .Y_WIDTH(WIDTH))
  u(.A(A), .B(B), .Y(y));
generate if (SIGNED) assign z = $signed(y); else assign z = y;
if (&_TECHMAP_CONSTMSK_B_ && |_TECHMAP_CONSTVAL_B_) assign Y = z; else assign Y = |B ? z : {{Y_WIDTH{{1'bx}}}};
endgenerate
endmodule
"""
DIVISIONS = ("div", "mod", "divfloor", "modfloor")
DIVIDE = "".join(f"chtype -set mx_{kind} t:${kind}\n" for kind in DIVISIONS) + "techmap -map division.v"
"""Commands that make quotients and rests by 0 unknown, which gates do not know, and dividers no wider than they need to be
(``b == 0 ? 0 : a / b`` asks for 32 bits); they read division.v."""
SIGNED = re.compile(
    r"^(\s*(?:input|output|inout|wire|reg)\b(?: (?!signed\b)[\w\[\]:]+)*) signed\b", re.MULTILINE
)
"""A declaration with a sign: ``wire signed [3:0] a;`` of Verilog, ``wire width 4 signed input 1 \\a`` of Yosys' own form."""


def write_divisions() -> None:
    """Write division.v."""
    with open("division.v", "w") as stream:
        stream.write("".join(DIVISION.format(kind=kind) for kind in DIVISIONS))


def without_signs(path: str) -> None:
    """Take ``signed`` from the declarations of a netlist, whose cells say themselves whether they are.

    Written as Verilog, a comparison without signs of two signed wires would else be one with signs.
    """
    with open(path) as stream:
        text = stream.read()
    with open(path, "w") as stream:
        stream.write(SIGNED.sub(r"\1", text))
