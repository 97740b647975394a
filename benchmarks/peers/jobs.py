"""The three kinds of work, the same for everybody. Standard library only: peers' own environments use it too."""

from __future__ import annotations

import shlex

CASES = """
import pytest

@pytest.mark.parametrize("number", range(5))
def test_square(number):
    assert sum(range(number)) * 2 == number * (number - 1)
"""
COUNTER = """
module counter(input clk, input rst, output reg [7:0] q);
  always @(posedge clk) if (rst) q <= 0; else q <= q + 1;
endmodule
"""
BENCH = """
module bench;
  reg clk = 0, rst = 1; wire [7:0] q;
  counter dut(clk, rst, q);
  always #1 clk = ~clk;
  initial begin #4 rst = 0; #200 $display("q=%0d", q); $finish; end
endmodule
"""
FILES = {
    "python": {},
    "pytest": {"test_cases.py": CASES},
    "iverilog": {"counter.v": COUNTER, "bench.v": BENCH},
}
PYTHON = ["python3", "-c", "pass"]
PYTEST = ["python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_cases.py"]
VERILOG = "iverilog -o {out} counter.v bench.v && vvp -n {out}"
EXPECTED = {"python": b"", "pytest": b"5 passed", "iverilog": b"q=100"}


def command(work: str, place: int = 0) -> list[str]:
    """The command line of a kind of work, started where its files are; ``place`` keeps jobs that share a folder apart."""
    if work == "iverilog":
        out = f"/tmp/bench-{place}.vvp"
        return ["sh", "-c", VERILOG.format(out=out) + f" && rm {out}"]
    return list(PYTHON if work == "python" else PYTEST)


def setup() -> str:
    """A shell command that writes all files into the working directory."""
    return " && ".join(
        f"printf %s {shlex.quote(text)} > {name}" for files in FILES.values() for name, text in files.items()
    )


def check(work: str, code: int | None, output: bytes | str) -> None:
    """Raise RuntimeError when the work was not done."""
    data = output.encode() if isinstance(output, str) else output
    if code != 0 or EXPECTED[work] not in data:
        raise RuntimeError(f"{work} ended with {code}: {data[-200:]!r}")
