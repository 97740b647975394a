"""Runs inside the grading sandbox: simulate netlists with Icarus Verilog. What is simulated cannot print; only our benches do."""

from typing import Dict, List, Mapping, Sequence, Tuple

from .tools import Ran, run

COMPILE_S = 5.0
SIMULATE_S = 16.0

Ports = Sequence[Tuple[str, str, int]]

BENCH = """`timescale {unit}/1ps
module mx_bench;
  reg [{last}:0] mx_steps [0:{steps}];
  reg [{last}:0] mx_now;
{declarations}
  integer mx_n;
  initial begin
    $readmemb("{file}", mx_steps);
    for (mx_n = 0; mx_n <= {steps}; mx_n = mx_n + 1) begin
      mx_now = mx_steps[mx_n];
{clocks}
{data}
      #1;
      $display("{nonce} {formats}"{outputs});
    end
    $finish(0);
  end
endmodule
"""


def declarations(ports: Ports, circuits: Sequence[str], first: Mapping[str, str]) -> str:
    """Registers for the inputs, a set of wires for the outputs of each circuit.

    ``first`` are the clocks' levels before anything happens, so that the first step has no edge.
    """
    lines = []
    for name, direction, width in ports:
        if direction == "input":
            start = f" = {width}'b{first[name]}" if name in first else ""
            lines.append(f"  reg [{width - 1}:0] {name}{start};")
        else:
            lines += [f"  wire [{width - 1}:0] {name}_mx{n};" for n in range(len(circuits))]
    for n, circuit in enumerate(circuits):
        pins = ", ".join(
            f".{name}({name})" if direction == "input" else f".{name}({name}_mx{n})"
            for name, direction, _ in ports
        )
        lines.append(f"  {circuit} mx_dut{n} ({pins});")
    return "\n".join(lines)


def _levels(ports: Ports, clocks: Sequence[str], step: str) -> Dict[str, str]:
    levels, place = {}, 0
    for name, direction, width in ports:
        if direction == "input":
            if name in clocks:
                levels[name] = step[place : place + width]
            place += width
    return levels


def drive(ports: Ports, clocks: Sequence[str]) -> Tuple[str, str]:
    """Statements that set the inputs from ``mx_now``: clocks at once, then all else as a register behind that edge would."""
    edges, data = [], []
    place = sum(width for _, direction, width in ports if direction == "input")
    for name, direction, width in ports:
        if direction != "input":
            continue
        bits = f"mx_now[{place - 1}:{place - width}]"
        place -= width
        if name in clocks:
            edges.append(f"      {name} = {bits};")
        else:
            data.append(f"      {name} <= {bits};")
    return "\n".join(edges), "\n".join(data)


def simulate(
    circuits: Sequence[str],
    ports: Ports,
    clocks: Sequence[str],
    steps: Sequence[str],
    nonce: str,
    step: str = "simulate",
    *,
    unit: str = "1ns",
    cpu_s: float = SIMULATE_S,
) -> List[List[str]]:
    """Each circuit's outputs (bits in the order of the ports) after each step (bits of the inputs in that order).

    Each circuit is a module in a file of its name; a step takes a ``unit`` of simulated time. Raises LimitError, RuntimeError
    where the simulator does not take a circuit; what vvp did not print is missing.
    """
    if not steps:
        return [[] for _ in circuits]
    with open("steps.txt", "w") as stream:
        stream.write("\n".join(steps) + "\n")
    outputs = [name for name, direction, _ in ports if direction == "output"]
    clock_lines, data_lines = drive(ports, clocks)
    groups = ["{" + ", ".join(f"{name}_mx{n}" for name in outputs) + "}" for n in range(len(circuits))]
    bench = BENCH.format(
        unit=unit,
        last=len(steps[0]) - 1,
        steps=len(steps) - 1,
        declarations=declarations(ports, circuits, _levels(ports, clocks, steps[0])),
        file="steps.txt",
        clocks=clock_lines,
        data=data_lines,
        nonce=nonce,
        formats=" ".join("%b" for _ in circuits),
        outputs="".join(f", {group}" for group in groups),
    )
    ran = compile_and_run(bench, circuits, step, cpu_s)
    rows = [line.split()[1:] for line in ran.output.splitlines() if line.startswith(nonce + " ")]
    return [[row[n] for row in rows if len(row) == len(circuits)] for n in range(len(circuits))]


def compile_and_run(bench: str, circuits: Sequence[str], step: str, cpu_s: float = SIMULATE_S) -> Ran:
    """Compile a bench with the circuits' files and run it. Raises LimitError, RuntimeError where it does not compile."""
    with open("bench.v", "w") as stream:
        stream.write(bench)
    files = [f"{circuit}.v" for circuit in dict.fromkeys(circuits)]
    compiled = run("compile", ["iverilog", "-g2012", "-o", "bench.vvp", "bench.v", *files], COMPILE_S)
    if compiled.code != 0:
        raise RuntimeError(f"iverilog refuses a netlist: {compiled.errors[:300]}")
    return run(step, ["vvp", "-n", "bench.vvp", "-none"], cpu_s)


RANDOM = """`timescale 1ns/1ns
module mx_bench;
  reg [{last}:0] mx_now, mx_ones, mx_hold;
{declarations}
  integer mx_n, mx_wrong, mx_mode;
  reg mx_seen, mx_first, mx_second;
  integer mx_seed;
  initial begin
    mx_wrong = 0; mx_first = 0; mx_second = 0; mx_seen = {seen};
    mx_seed = {seed}; mx_now = 0; mx_ones = 0; mx_hold = 0; mx_mode = 0;
    for (mx_n = 0; mx_n < {steps} && mx_wrong < 1; mx_n = mx_n + 1) begin
{next}
{clocks}
{data}
      #1;
{reset}
      if (mx_seen && (|(({a}) ^ ({b}))) === 1'b1) mx_first = 1;
      if (mx_seen && (|(({a}) ^ ({c}))) === 1'b1) mx_second = 1;
      if ({wrong}) mx_wrong = 1;
    end
    $display("{nonce} %0d %0d", mx_n, mx_wrong);
    $finish(0);
  end
endmodule
"""


def compare_at_random(
    reference: str,
    answers: Sequence[str],
    ports: Ports,
    clocks: Sequence[str],
    reset: Tuple[str, bool],
    cycles: int,
    nonce: str,
    *,
    either: bool,
) -> Tuple[int, int]:
    """Steps run and mismatches (at most 1) of an answer from two starts, all without unknowns, where the reference is known.

    ``reset`` is (port, active level), port "" for none. ``either``: only a mismatch from both starts is one. Raises LimitError.
    """
    circuits = [reference, *answers]
    outputs = [name for name, direction, _ in ports if direction == "output"]
    bits = sum(width for _, direction, width in ports if direction == "input")
    groups = ["{" + ", ".join(f"{name}_mx{n}" for name in outputs) + "}" for n in range(3)]
    clock_lines, data_lines = drive(ports, clocks)
    steps = 2 * cycles if clocks else cycles
    bench = RANDOM.format(
        last=bits - 1,
        declarations=declarations(ports, circuits, dict.fromkeys(clocks, "0")),
        seen=0 if reset[0] else 1,
        seed=int(nonce[:7], 16),
        steps=steps,
        next=_next(ports, clocks, reset, bits, steps),
        clocks=clock_lines,
        data=data_lines,
        reset=f"      if ({reset[0]} === 1'b{int(reset[1])} && mx_n % 2) mx_seen = 1;" if reset[0] else "",
        a=groups[0],
        b=groups[1],
        c=groups[2],
        wrong="mx_first && mx_second" if either else "mx_first || mx_second",
        nonce=nonce,
    )
    ran = compile_and_run(bench, circuits, "random")
    for line in ran.output.splitlines():
        if line.startswith(nonce + " "):
            done, wrong = line.split()[1:3]
            return int(done), int(wrong)
    return 0, 0


def _next(ports: Ports, clocks: Sequence[str], reset: Tuple[str, bool], bits: int, steps: int) -> str:
    """Statements that choose the next inputs: the bits come in moods of often 1, often 0, held and free.

    Resets are frequent in the first half; in the second, long counts come to their end.
    """
    words = (bits + 31) // 32
    draw = "{" + ", ".join("$urandom(mx_seed)" for _ in range(words)) + "}"
    lines = [
        "      if (mx_n % 2 == 0) begin" if clocks else "      begin",
        f"        if (mx_n % 128 == 0) begin mx_ones = {draw}; mx_hold = {draw}; mx_hold = mx_hold & {draw}; end",
        "        mx_mode = $urandom(mx_seed) % 4;",
        f"        mx_now = (mx_now & mx_hold) | (~mx_hold & ((mx_mode == 0) ? {draw} : (mx_mode == 1) ? (mx_ones | {draw}) "
        f": (mx_mode == 2) ? (mx_ones & {draw}) : mx_now ^ ({draw} & {draw} & {draw})));",
    ]
    place = bits
    for name, direction, width in ports:
        if direction != "input":
            continue
        place -= width
        if name == reset[0]:
            active, idle = int(reset[1]), int(not reset[1])
            lines.append(
                f"        mx_now[{place}] = (mx_n < 4 || $urandom(mx_seed) % (mx_n < {steps // 2} ? 61 : 4999) == 0)"
                f" ? {active} : {idle};"
            )
    lines.append("      end")
    place = bits
    for name, direction, width in ports:
        if direction == "input":
            place -= width
            if name in clocks and name == clocks[0]:
                lines.append(f"      mx_now[{place}] = mx_n % 2;")
            elif name in clocks:
                lines.append(f"      mx_now[{place}] = ($urandom(mx_seed) % 3 == 0);")
    return "\n".join(lines)
