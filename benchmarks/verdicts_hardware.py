"""Verdicts on hardware answers held to the truth: rewrites that are right by construction, designs that are wrong by construction.

python benchmarks/verdicts_hardware.py [--records FOLDER] [--generated N] [--backend NAME] [--only WAY,WAY] [--kinds KIND]

``--records`` is a copy of VerilogEval, ``--generated`` the number of drawn tasks of each kind. A right design that is refuted
or a wrong one that is proven is a false verdict, printed with its text; the exit code is 1 where there is one. A right one that is
only bounded is counted as unproven. Each line of the table is a way to rewrite or to spoil.
"""

from __future__ import annotations

import argparse
import random
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import quantiles
from time import perf_counter

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks.hardware.generate.families import KINDS
from mx_tasks.hardware.generate.spec import second_design
from mx_tasks.hardware.grading.inside.pinned import DRIVER, PACKAGES
from mx_tasks.hardware.grading.judge import Verdict, grade_answer
from mx_tasks.hardware.rtl.circuit import Circuit
from mx_tasks.hardware.sets.generated import GeneratedTasks
from mx_tasks.hardware.sets.published import verilog_eval

INNER = "mx_inner"
READ = "read_verilog -sv {file}\nhierarchy -top {top}\nproc\nflatten\nopt_clean\n"
SLANG = (
    "read_slang --ignore-assertions --ignore-timing --allow-use-before-declare --top {top} {file}\n"
    "proc\nbwmuxmap\nflatten\nopt_clean\n"
)
WRITE = "\nopt_clean\nwrite_verilog -noattr {out}\n"
MAPS = {
    "sums as differences": """(* techmap_celltype = "$add" *) module a(A, B, Y);
parameter A_SIGNED = 0; parameter B_SIGNED = 0; parameter A_WIDTH = 1; parameter B_WIDTH = 1; parameter Y_WIDTH = 1;
input [A_WIDTH-1:0] A; input [B_WIDTH-1:0] B; output [Y_WIDTH-1:0] Y; wire [Y_WIDTH-1:0] a, b;
generate if (A_SIGNED && B_SIGNED) begin assign a = $signed(A); assign b = $signed(B); end
else begin assign a = A; assign b = B; end endgenerate
assign Y = a - ~b - 1; endmodule""",
    "choices as gates": """(* techmap_celltype = "$mux" *) module m(A, B, S, Y); parameter WIDTH = 1;
input [WIDTH-1:0] A, B; input S; output [WIDTH-1:0] Y; assign Y = (A & {WIDTH{~S}}) | (B & {WIDTH{S}}); endmodule""",
    "registers kept inverted": "".join(
        f"module \\{cell} (input D, C{more}, output Q); wire q; \\mx{other} x (.D(~D), .C(C){pins}, .Q(q)); "
        "assign Q = ~q; endmodule\n"
        for cell, other, more, pins in (
            ("$_DFF_P_", "$_DFF_P_", "", ""),
            ("$_DFF_N_", "$_DFF_N_", "", ""),
            ("$_DFF_PP0_", "$_DFF_PP1_", ", R", ", .R(R)"),
            ("$_DFF_PP1_", "$_DFF_PP0_", ", R", ", .R(R)"),
            ("$_DFF_PN0_", "$_DFF_PN1_", ", R", ", .R(R)"),
            ("$_DFF_PN1_", "$_DFF_PN0_", ", R", ", .R(R)"),
        )
    ),
    "registers kept twice": "".join(
        f"module \\{cell} (input D, C{more}, output Q); wire a, b; (* keep *) \\mx{cell} x (.D(D), .C(C){pins}, .Q(a)); "
        f"(* keep *) \\mx{cell} y (.D(D), .C(C){pins}, .Q(b)); assign Q = a & b; endmodule\n"
        for cell, more, pins in (
            ("$_DFF_P_", "", ""),
            ("$_DFF_N_", "", ""),
            ("$_DFF_PP0_", ", R", ", .R(R)"),
            ("$_DFF_PN0_", ", R", ", .R(R)"),
        )
    ),
    "latches as loops": """module \\$_DLATCH_P_ (input E, D, output Q); assign Q = E ? D : Q; endmodule
module \\$_DLATCH_N_ (input E, D, output Q); assign Q = E ? Q : D; endmodule""",
}
FINE = "memory\nopt\ntechmap\ndffunmap\nsimplemap\nopt_clean\n"
BACK = "".join(
    f"chtype -set {cell} t:mx{cell}\n"
    for cell in ("$_DFF_P_", "$_DFF_N_", *(f"$_DFF_P{level}{value}_" for level in "PN" for value in "01"))
)
"""Gives registers their own name again: a map that makes what it maps would be applied for ever."""
REWRITES = {
    "written again": "opt",
    "gates": FINE + "abc -g AND,XOR,MUX\n",
    "NAND gates": FINE + "abc -g NAND\n",
    "shared and reduced": "opt -full\nwreduce\npeepopt\nshare\nopt -full\n",
    "one-hot states": "opt\nfsm_detect\nfsm_extract\nfsm_opt\nfsm_recode -encoding one-hot\nfsm_map\nopt\n",
    "unknowns as 1": "setundef -undriven -one\n",
    "sums as differences": "techmap -map {map}\nopt_clean\n",
    "choices as gates": "pmuxtree\ntechmap -map {map}\nopt_clean\n",
    "registers kept inverted": FINE + "techmap -map {map}\n" + BACK,
    "registers kept twice": FINE + "techmap -map {map}\n" + BACK,
    "latches as loops": FINE + "techmap -map {map}\n" + BACK,
}
"""Yosys commands that leave the meaning as it is."""


@dataclass(frozen=True)
class Asked:
    """A design to be graded, whether it is right, and the way it was made."""

    task: str
    kind: str
    right: bool
    circuit: Circuit
    make: Callable[[], str | None]


def yosys(script: str) -> bool:
    """Run Yosys' commands in this environment; whether they all worked."""
    code = DRIVER.replace(f"sys.path.insert(0, {PACKAGES!r})\n", "")
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], input=script.encode(), capture_output=True, check=False, timeout=120
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def rewritten(circuit: Circuit, kind: str, folder: Path) -> str | None:
    """The reference in another form under the answer's name; None where this way has nothing to change."""
    place = folder / f"{random.getrandbits(64):x}"
    place.mkdir()
    source, out, table = place / "in.sv", place / "out.v", place / "map.v"
    source.write_text(circuit.reference)
    table.write_text(MAPS.get(kind, ""))
    steps = REWRITES[kind].format(map=table)
    back = f"rename {circuit.reference_top} {circuit.top}" if circuit.reference_top != circuit.top else ""
    for reader in (READ, SLANG):
        script = reader.format(file=source, top=circuit.reference_top) + steps + back + WRITE.format(out=out)
        if yosys(script):
            text = out.read_text()
            return text if kind == "written again" or _differs(kind, circuit, text) else None
    return None


def _differs(kind: str, circuit: Circuit, text: str) -> bool:
    sequential = "reg " in text or "always" in text
    if "registers" in kind or kind == "one-hot states":
        return sequential and bool(circuit.clocks)
    if kind == "latches as loops":
        return re.search(r"always_latch|always @\*\s*if", circuit.reference) is not None
    return True


def wrapped(
    circuit: Circuit, before: str, changed: dict[str, str], pins: dict[str, str] | None = None
) -> str:
    """The reference inside a module of the answer's name, with other statements around it."""
    ports = ", ".join(
        f"{d}{' reg' if changed.get(n, '') == 'reg' else ''} [{w - 1}:0] {n}" for n, d, w in circuit.ports
    )
    wires = "".join(f"wire [{w - 1}:0] {n}_inner;\n" for n, d, w in circuit.outputs)
    pins = pins or {}
    links = ", ".join(
        f".{n}({n}_inner)" if d == "output" else f".{n}({pins.get(n, n)})" for n, d, _ in circuit.ports
    )
    rest = "".join(
        f"assign {n} = {changed.get(n, f'{n}_inner')};\n"
        for n, _, _ in circuit.outputs
        if changed.get(n) != "reg"
    )
    top = re.escape(circuit.reference_top)
    inner = re.sub(rf"(?<![\w$]){top}(?![\w$])", INNER, circuit.reference)
    return f"{inner}\nmodule {circuit.top}({ports});\n{wires}{INNER} u({links});\n{before}\n{rest}endmodule\n"


def _data(circuit: Circuit) -> list[tuple[str, str, int]]:
    return [port for port in circuit.inputs if port[0] not in circuit.clocks and port[0] != circuit.reset[0]]


def _word(circuit: Circuit, rng: random.Random, bits: int) -> tuple[str, str] | None:
    """Inputs side by side and a constant of at most so many bits."""
    chosen, width = [], 0
    for name, _, wide in _data(circuit):
        take = min(wide, bits - width)
        if take > 0:
            chosen.append(f"{name}[{take - 1}:0]" if wide > 1 else name)
            width += take
    return ("{" + ", ".join(chosen) + "}", f"{width}'d{rng.getrandbits(width)}") if width >= 2 else None


def _always_known(circuit: Circuit) -> bool:
    return all("x" not in row for row in circuit.expected)


def _spoilt_output(circuit: Circuit) -> tuple[str, int]:
    """An output's bit that is known at every step that counts."""
    rows = [row for row in circuit.expected if "x" not in row]
    if rows:
        return circuit.outputs[0][0], 0
    place = 0
    for name, _, width in circuit.outputs:
        for bit in range(width):
            column = [row[place + width - 1 - bit] for row in circuit.expected]
            if column.count("x") < len(column) / 2:
                return name, bit
        place += width
    return circuit.outputs[0][0], 0


def bomb(bits: int) -> Callable[[Circuit, random.Random], str | None]:
    """Wrong in every cycle from 2^bits cycles on."""

    def made(circuit: Circuit, _: random.Random) -> str | None:
        if len(circuit.clocks) != 1 or not circuit.reset[0]:
            return None
        clock, (reset, level) = circuit.clocks[0], circuit.reset
        name, bit = _spoilt_output(circuit)
        active = reset if level else f"~{reset}"
        count = f"reg [{bits - 1}:0] mx_b; always @(posedge {clock}) if ({active}) mx_b <= 0; else if (~&mx_b) mx_b <= mx_b + 1;"
        return wrapped(circuit, count, {name: f"{name}_inner ^ ((&mx_b) << {bit})"})

    return made


def magic(bits: int) -> Callable[[Circuit, random.Random], str | None]:
    """Wrong for one value of the inputs (of a circuit with a clock: after one value in the cycle before)."""

    def made(circuit: Circuit, rng: random.Random) -> str | None:
        word = _word(circuit, rng, bits)
        if word is None or not _always_known(circuit):
            return None
        name, bit = _spoilt_output(circuit)
        if circuit.clocks:
            return None
        return wrapped(circuit, "", {name: f"{name}_inner ^ (({word[0]} == {word[1]}) << {bit})"})

    return made


def latch(circuit: Circuit, rng: random.Random) -> str | None:
    """An output that keeps its value for one value of the inputs."""
    word = _word(circuit, rng, 6)
    if circuit.clocks or word is None or not _always_known(circuit) or len(set(circuit.expected)) < 2:
        return None
    name, _ = _spoilt_output(circuit)
    rows = circuit.expected
    if len({row[:1] for row in rows}) < 2 and len(circuit.outputs) > 1:
        return None
    return wrapped(circuit, f"always @* if ({word[0]} != {word[1]}) {name} = {name}_inner;", {name: "reg"})


def loop_of_gates(circuit: Circuit, rng: random.Random) -> str | None:
    """The same as a loop of gates."""
    text = latch(circuit, rng)
    if text is None:
        return None
    found = re.search(r"always @\* if \((.*?)\) (\w+) = (\w+);", text)
    assert found is not None
    condition, name, inner = found.groups()
    return text.replace(found.group(), f"assign {name} = ({condition}) ? {inner} : {name};").replace(
        "output reg", "output"
    )


def never_reset(circuit: Circuit, _: random.Random) -> str | None:
    """The reset does nothing."""
    if not circuit.reset[0] or not _always_known_after_reset(circuit):
        return None
    return wrapped(circuit, "", {}, {circuit.reset[0]: f"1'b{1 - circuit.reset[1]}"})


def _always_known_after_reset(circuit: Circuit) -> bool:
    return sum("x" in row for row in circuit.expected) < len(circuit.expected) / 2


def reset_inverted(circuit: Circuit, _: random.Random) -> str | None:
    """The reset is active at the other level."""
    if not circuit.reset[0]:
        return None
    return wrapped(circuit, "", {}, {circuit.reset[0]: f"~{circuit.reset[0]}"})


def late(circuit: Circuit, _: random.Random) -> str | None:
    """Every output a cycle late."""
    if len(circuit.clocks) != 1 or len(set(circuit.expected)) < 3:
        return None
    clock = circuit.clocks[0]
    before = "".join(
        f"reg [{w - 1}:0] {n}_late; always @(posedge {clock}) {n}_late <= {n}_inner;\n"
        for n, _, w in circuit.outputs
    )
    return wrapped(circuit, before, {n: f"{n}_late" for n, _, _ in circuit.outputs})


def unreset_count(circuit: Circuit, _: random.Random) -> str | None:
    """Right from some starts: a register without reset that spoils an output from one of its values on."""
    if len(circuit.clocks) != 1 or not _always_known_after_reset(circuit):
        return None
    name, bit = _spoilt_output(circuit)
    before = f"reg [3:0] mx_h; always @(posedge {circuit.clocks[0]}) mx_h <= mx_h;"
    return wrapped(circuit, before, {name: f"{name}_inner ^ ((&mx_h) << {bit})"})


def other_edge(circuit: Circuit, _: random.Random) -> str | None:
    """The clock inverted."""
    if len(circuit.clocks) != 1 or len(set(circuit.expected)) < 3:
        return None
    return wrapped(circuit, "", {}, {circuit.clocks[0]: f"~{circuit.clocks[0]}"})


def cleared(circuit: Circuit, _: random.Random) -> str | None:
    """An output's bit that is not driven."""
    name, bit = _spoilt_output(circuit)
    width = next(w for n, _, w in circuit.outputs if n == name)
    return wrapped(circuit, f"wire mx_open; wire [{width - 1}:0] mx_mask = {width}'d1 << {bit};",
                   {name: f"({name}_inner & ~mx_mask) | ({{{width}{{mx_open}}}} & mx_mask)"})  # fmt: skip


WRONG: dict[str, Callable[[Circuit, random.Random], str | None]] = {
    **{f"bomb after 2^{bits} cycles": bomb(bits) for bits in (8, 12, 16, 20, 24, 32)},
    **{f"magic input of {bits} bits": magic(bits) for bits in (4, 8, 16, 32, 64)},
    "latch": latch,
    "loop of gates": loop_of_gates,
    "reset that does nothing": never_reset,
    "reset inverted": reset_inverted,
    "a cycle late": late,
    "right from some starts": unreset_count,
    "the other edge": other_edge,
    "a bit not driven": cleared,
}


def circuits(given: argparse.Namespace, sandbox: Sandbox) -> Iterator[tuple[str, Circuit, str]]:
    """Tasks with their circuits and, of drawn ones, a second design."""
    if given.records:
        published = verilog_eval(given.records, sandbox=sandbox)
        for index in range(published.size("test")):
            task = published.task("test", index)
            yield task.id, published.circuit(task.id), ""
    for kind in given.kinds.split(",") if given.kinds else KINDS:
        drawn = GeneratedTasks(kind)
        for index in range(given.generated):
            one = drawn.drawn(("train", "validation", "test")[index % 3], index)  # type: ignore[arg-type]
            yield f"{kind}-{index}", one.circuit, second_design(one.spec)


def designs(given: argparse.Namespace, sandbox: Sandbox, folder: Path) -> Iterator[Asked]:
    """All designs to be graded."""
    chosen = set(given.only.split(",")) if given.only else {"second design", *REWRITES, *WRONG}
    for name, circuit, second in circuits(given, sandbox):
        rng = random.Random(f"{given.seed}/{name}")
        if second and "second design" in chosen:
            yield Asked(name, "second design", True, circuit, partial(str, second))
        for kind in REWRITES:
            if kind in chosen:
                yield Asked(name, kind, True, circuit, partial(rewritten, circuit, kind, folder))
        for kind, make in WRONG.items():
            if kind in chosen:
                yield Asked(name, kind, False, circuit, partial(make, circuit, rng))


def verdict_of(asked: Asked, sandbox: Sandbox) -> tuple[Asked, str, Verdict, float] | None:
    """A design's text, verdict and the seconds it took; None where there is no such design.

    Hidden vectors ask nothing of wrong designs, so that the proof is what is tried.
    """
    text = asked.make()
    if text is None:
        return None
    began = perf_counter()
    circuit = asked.circuit
    if not asked.right:
        circuit = replace(circuit, expected=tuple("x" * len(row) for row in circuit.expected))
    verdict = grade_answer(circuit, text, sandbox)
    return asked, text, verdict, perf_counter() - began


def main(argv: list[str] | None = None) -> int:
    """Print the table; 1 where a verdict is false."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", default="")
    parser.add_argument("--generated", type=int, default=3)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="ways, parted by commas")
    parser.add_argument("--kinds", default="", help="of drawn tasks, parted by commas")
    parser.add_argument("--at-once", type=int, default=2)
    given = parser.parse_args(argv)
    table: dict[tuple[bool, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
    seconds: list[float] = []
    false = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        open_sandbox(given.backend, image="hdl", slots=given.at_once) as sandbox,
        ThreadPoolExecutor(given.at_once) as pool,
    ):
        asked = designs(given, sandbox, Path(folder))
        while batch := list(islice(asked, 8 * given.at_once)):
            for graded in filter(None, pool.map(lambda one: verdict_of(one, sandbox), batch)):
                false += _entered(graded, table, seconds)
        backend = sandbox.backend
    return report(table, seconds, false, backend)


def _entered(
    graded: tuple[Asked, str, Verdict, float],
    table: dict[tuple[bool, str], dict[str, int]],
    seconds: list[float],
) -> bool:
    """Count a verdict; whether it is false."""
    asked, text, verdict, took = graded
    found = verdict.proof or ("tests" if verdict.outputs else "refused")
    table[not asked.right, asked.kind][found] += 1
    seconds.append(took)
    wrong = found in ("refuted", "tests", "refused") if asked.right else found == "proven"
    about = f"{asked.task}, {asked.kind} ({'right' if asked.right else 'wrong'})"
    if wrong:
        print(f"FALSE: {about}: {verdict.log}\n{text}", flush=True)
    elif found == "bounded":
        print(f"bounded: {about}: {verdict.method}", flush=True)
    return wrong


def report(
    table: dict[tuple[bool, str], dict[str, int]], seconds: list[float], false: int, backend: str
) -> int:
    """Print the table; 1 where a verdict is false."""
    columns = ("proven", "bounded", "refuted", "tests", "refused")
    print(f"\n{backend}\n{'':34}" + "".join(f"{each:>9}" for each in columns))
    for (wrong, kind), found in sorted(table.items()):
        print(f"{'wrong' if wrong else 'right'}: {kind:27}" + "".join(f"{found[each]:9}" for each in columns))
    right = [found for (wrong, _), found in table.items() if not wrong]
    total = sum(sum(found.values()) for found in right)
    unproven = sum(found["bounded"] for found in right)
    wrong_total = sum(sum(found.values()) for (wrong, _), found in table.items() if wrong)
    print(
        f"{total} right, of them unproven {unproven} ({unproven / max(1, total):.1%}); {wrong_total} wrong; false verdicts: {false}"
    )
    if len(seconds) > 1:
        marks = quantiles(seconds, n=20)
        print(f"seconds a grade: median {marks[9]:.2f}, 95 % {marks[18]:.2f}, worst {max(seconds):.2f}")
    return int(false > 0)


if __name__ == "__main__":
    sys.exit(main())
