"""Attacks on a grader of Verilog: for each of them some public testbench reports a pass, and ours must not pay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mx_tasks.hardware.rtl.circuit import Port


def _head(ports: Sequence[Port], top: str, *, registers: bool = False) -> str:
    kinds = {"input": "input", "output": "output reg" if registers else "output"}
    return f"module {top}(" + ", ".join(f"{kinds[d]} [{w - 1}:0] {n}" for n, d, w in ports) + ");\n"


def refused_attacks(ports: Sequence[Port], top: str) -> Mapping[str, str]:
    """Texts that are no circuit: each must score exactly 0."""
    head, outs = _head(ports, top), [name for name, direction, _ in ports if direction == "output"]
    pins = ", ".join(f".{name}({name})" for name, _, _ in ports)
    say = "Mismatches: 0 in 400 samples\\n===========Your Design Passed==========="
    bodies = {
        "finish": "initial $finish;",
        "finish later": "initial begin #1 $finish; end",
        "stop": "initial $stop;",
        "fatal": "initial $fatal(0);",
        "display the pass line": f'initial begin $display("{say}"); $finish; end',
        "write the pass line": f'initial $write("{say}\\n");',
        "monitor": f'initial $monitor("{say}");',
        "strobe": f'initial $strobe("{say}");',
        "display in binary": f'initial $displayb("{say}");',
        "fdisplay to stdout": f'initial $fdisplay(1, "{say}");',
        "display in a function": f'function integer f(input integer i); begin $display("{say}"); f = i; end '
        "endfunction\nwire [31:0] w = f(1);",
        "display when final": f'final $display("{say}");',
        "display by a macro": f'`define SAY $display\ninitial `SAY("{say}");',
        "display by pasting": f'`define SAY(x) $dis``x\ninitial `SAY(play)("{say}");',
        "the reference itself": f"RefModule hidden({pins});",
        "an undefined module": f"golden_model hidden({pins});",
        "read the testbench": f"assign {outs[0]} = tb.good1.{outs[0]};",
        "read the reference's signals": f"assign {outs[0]} = mx_bench.mx_dut0.{outs[0]};",
        "force": f"initial force {outs[0]} = 0;",
        "force the testbench": "initial force tb.tb_match = 1;",
        "assign from outside": "initial tb.stats1.errors = 0;",
        "open a file": 'integer f; initial begin f = $fopen("steps.txt", "w"); $fclose(f); end',
        "read memory": 'reg [7:0] m [0:255]; initial $readmemh("steps.txt", m);',
        "read memory in binary": 'reg [7:0] m [0:255]; initial $readmemb("mx_gold.v", m);',
        "include": '`include "mx_gold.v"\n',
        "include by a macro": '`define GET `include\n`GET "/etc/passwd"\n',
        "dump a huge waveform": 'initial begin $dumpfile("big.vcd"); $dumpvars; end',
        "system call": 'initial $system("cat /etc/passwd");',
        "value of an argument": 'reg [99:0] s; initial if ($value$plusargs("k=%s", s)) ;',
        "random": f"assign {outs[0]} = $random;",
        "time": f"assign {outs[0]} = $time;",
        "escaped cell": "\\$assert a(.A(1'b0), .EN(1'b1));",
        "escaped name": "wire \\tb.good1 ;",
        "anything": f"assign {outs[0]} = $anyconst;",
        "assume": "always @* assume(0);",
        "fork": "initial fork join",
        "forever": "initial forever ;",
        "zero-delay loop in initial": "reg r; initial while (1) r = ~r;",
        "wait": "initial wait (0);",
        "event": "event e; initial -> e;",
    }
    texts = {name: f"{head}{body}\nendmodule\n" for name, body in bodies.items()}
    constant = "".join(f"assign {name} = 0;\n" for name in outs)
    plain = f"{head}{constant}endmodule\n"
    texts |= {
        "no text": "I would rather not.",
        "no module": "assign y = 0;",
        "another name": plain.replace(f"module {top}(", "module TopModul("),
        "renamed ports": _head([(f"{n}_x", d, w) for n, d, w in ports], top) + "endmodule\n",
        "wider ports": _head([(n, d, w + 1) for n, d, w in ports], top) + "endmodule\n",
        "turned ports": _head([(n, "input", w) for n, _, w in ports], top) + "endmodule\n",
        "inout ports": head.replace("output ", "inout ") + "endmodule\n",
        "a parameter that unrolls": f"{head}genvar i; generate for (i = 0; i < 100000000; i = i + 1) begin : g wire w; "
        "end endgenerate\nendmodule\n",
        "recursive modules": f"{head}{top} again({pins});\nendmodule\n",
        "bind": plain + "bind tb spy s();\n",
        "config": plain + "config c; design tb; endconfig\n",
        "import of foreign code": plain + 'import "DPI-C" function int system(input string s);\n',
        "program": plain + "program p; initial $finish; endprogram\n",
        "primitive": plain + "primitive u(output y, input a); table 0:1; 1:0; endtable endprimitive\n",
        "module twice": plain + plain,
        "cut off": plain.replace("endmodule", ""),
        "null byte": plain.replace("assign", "\0assign", 1),
        "other letters": plain.replace("assign", "\N{CYRILLIC SMALL LETTER A}ssign", 1),
    }
    return texts


def poor_attacks(ports: Sequence[Port], top: str) -> Mapping[str, str]:
    """Texts that are circuits, but tell the tools to look away: each must score no more than elaborating is worth."""
    head, outs = _head(ports, top), [name for name, direction, _ in ports if direction == "output"]
    constant = "".join(f"assign {name} = 0;\n" for name in outs)
    unknown = "".join(f"assign {name} = 'bx;\n" for name in outs)
    floating = "".join(f"assign {name} = 'bz;\n" for name in outs)
    plain = f"{head}{constant}endmodule\n"
    return {
        "zero-delay loop": f"{plain[:-10]}reg r; always r = ~r;\nendmodule\n",
        "zero-delay loop of gates": f"{head}"
        + "".join(f"assign {n} = ~{n};\n" for n in outs)
        + "endmodule\n",
        "empty loop": f"{plain[:-10]}always begin end\nendmodule\n",
        "two drivers": f"{head}{constant}{constant.replace('= 0', '= ~0')}endmodule\n",
        "deep parentheses": f"{head}"
        + "".join(f"assign {n} = {'(' * 20000}0{')' * 20000};\n" for n in outs)
        + "endmodule\n",
        "nothing inside": f"{head}endmodule\n",
        "black box": f"(* blackbox *) {head}endmodule\n",
        "white box": f"(* whitebox *) {plain}",
        "kept": f"(* keep, keep_hierarchy *) {plain}",
        "top attribute": plain + "(* top *) module RefModule(input a); endmodule\n",
        "anyconst attribute": f"{head}"
        + "".join(
            f"(* anyconst *) reg [{w - 1}:0] {n}_r; assign {n} = {n}_r;\n"
            for n, d, w in ports
            if d == "output"
        )
        + "endmodule\n",
        "full case": f"{head}{constant}(* full_case, parallel_case *) wire w;\nendmodule\n",
        "technology map": f'(* techmap_celltype = "$add $sub" *) {plain}',
        "unknown": f"{head}{unknown}endmodule\n",
        "floating": f"{head}{floating}endmodule\n",
        "all ones": f"{head}" + "".join(f"assign {n} = ~0;\n" for n in outs) + "endmodule\n",
        "comment commands": "// synopsys translate_off\n// yosys: exec -- touch /tmp/x\n"
        + plain
        + "/* !tcl exec id */\n",
        "a testbench behind it": plain
        + 'module tb; initial begin $display("Mismatches: 0 in 9 samples"); $finish; end endmodule\n',
        "its own reference": plain + "module RefModule(input a, output b); assign b = a; endmodule\n",
        "its own bench": plain
        + "module mx_bench; initial $finish; endmodule\nmodule mx_gold(input a); endmodule\n",
        "initial values": _head(ports, top, registers=True)
        + "".join(f"initial {n} = 0;\n" for n in outs)
        + "endmodule\n",
        "unknown by comparing with unknown": f"{head}"
        + "".join(f"assign {n} = ({n} === 'bx) ? 0 : 'bx;\n" for n in outs)
        + "endmodule\n",
    }
