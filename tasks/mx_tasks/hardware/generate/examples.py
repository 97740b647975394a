"""Public examples of a drawn design: a bench that agents may run, its listing in the prompt, and the check of a part."""

from __future__ import annotations

import json

from mx_tasks.hardware.generate.spec import Spec, width_text
from mx_tasks.hardware.generate.vectors import example_rows

BENCH = "examples.v"
AGREE = "all examples agree"


def bench(spec: Spec, seed: str, count: int) -> str:
    """A Verilog testbench of the examples: it prints every difference and, without one, AGREE."""
    rows = example_rows(spec, f"{seed}/examples", count)
    inputs = [(name, width) for name, direction, width in spec.ports if direction == "input"]
    lines = [
        f"// Run: iverilog -g2012 -o examples.vvp {BENCH} design.v && vvp examples.vvp",
        "module examples;",
    ]
    lines += [f"  reg {width_text(width)}{name} = 0;" for name, width in inputs]
    lines += [f"  wire {width_text(width)}{name};" for name, width in spec.outs]
    pins = ", ".join(f".{name}({name})" for name, _, _ in spec.ports)
    lines += [f"  {spec.top} dut ({pins});", "  integer wrong = 0;", "  initial begin"]
    for number, (given, wanted) in enumerate(rows):
        lines.append("    " + " ".join(f"{name} = {value};" for name, value in given.items()) + " #1;")
        if not spec.clock or number > 0:
            for name, value in wanted.items():
                told = f'$display("example {number}: {name} is %0d, not {value}", {name});'
                lines.append(f"    if ({name} !== {value}) begin wrong = wrong + 1; {told} end")
        if spec.clock:
            lines.append(f"    {spec.clock} = 1; #1; {spec.clock} = 0; #1;")
    lines += [f'    if (wrong == 0) $display("{AGREE}");', "    $finish;", "  end", "endmodule", ""]
    return "\n".join(lines)


def public_files(spec: Spec, seed: str, count: int) -> dict[str, bytes]:
    """The workspace's files: the examples as a testbench, and as data for the tool ``simulate``."""
    rows = example_rows(spec, f"{seed}/examples", count)
    known = [
        [given, wanted if not spec.clock or number else {}] for number, (given, wanted) in enumerate(rows)
    ]
    data = {"top": spec.top, "ports": spec.ports, "clock": spec.clock, "rows": known}
    return {BENCH: bench(spec, seed, count).encode(), "examples.json": json.dumps(data).encode()}


def listing(spec: Spec, seed: str, count: int) -> list[str]:
    """The examples as lines of the prompt."""
    rows = example_rows(spec, f"{seed}/examples", count)
    what = (
        "consecutive cycles, decimal values just before the edge"
        if spec.clock
        else "inputs -> outputs, decimal"
    )
    lines = [f"Examples ({what}):"]
    for number, (given, wanted) in enumerate(rows):
        left = " ".join(f"{name}={value}" for name, value in given.items())
        right = " ".join(f"{name}={value}" for name, value in wanted.items())
        lines.append(f"  {left} -> {right if not spec.clock or number > 0 else '(before reset: anything)'}")
    return lines


def check(spec: Spec, seed: str, count: int) -> str:
    """Python source of the public check of an answer: compile it with the bench and run it."""
    return CHECK.format(bench=bench(spec, seed, count), agree=AGREE)


CHECK = r"""import re, subprocess
_found = re.findall(r"^[ \t]*```[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", answer, re.S | re.M)
_blocks = [_block for _block in _found if "module" in _block]
with open("mx_answer.v", "w") as _file:
    _file.write("\n".join(_blocks) if _blocks else answer)
with open("mx_examples.v", "w") as _file:
    _file.write({bench!r})
_made = subprocess.run(
    ["iverilog", "-g2012", "-o", "mx_examples.vvp", "mx_examples.v", "mx_answer.v"], capture_output=True, text=True
)
assert _made.returncode == 0, "it does not compile: " + (_made.stdout + _made.stderr)[:400]
_ran = subprocess.run(["vvp", "-n", "mx_examples.vvp", "-none"], capture_output=True, text=True, timeout=10)
_said = _ran.stdout.splitlines()
assert {agree!r} in _said, "; ".join(_said[:6]) or "no example was reached"
"""
