"""Validates drawn hardware tasks again, without the generator's gate and without the grader, by tools run on its own.

python benchmarks/hardware_generator.py [--tasks 1000] [--jobs 1] [--seed 0] [--out results.jsonl] [--graded 50]

For each task: a design is written from the words of the formal table alone; it and both goldens are simulated as source beside the
netlist, on the hidden inputs and on others, against the Python model (no unknown after reset); the goldens and that design are proven
equal by ABC; of 20 mutants that are shown to be different, 95 % must fail the hidden vectors; constant, echoing and late answers must
earn next to nothing. ``--graded`` tasks, spread over all, also go through the grader. Results go to a file, a line a task; what is
there already is not done again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time

from mx_sandboxes import open_sandbox
from mx_tasks import Submission
from mx_tasks.hardware.generate.families import KINDS
from mx_tasks.hardware.generate.spec import Spec, second_design, table_design
from mx_tasks.hardware.generate.twist import replay
from mx_tasks.hardware.rtl.circuit import Circuit, agrees, rescaled, share_right, trivial_share
from mx_tasks.hardware.sets.generated import GeneratedTasks
from mx_tasks.task import Split

ALL = (*KINDS, "repair")
SPLITS: tuple[Split, ...] = ("train", "validation", "test")
CYCLES, MUTANTS, CANDIDATES, DIE = 200, 20, 48, 0.95
LATE_MOST = 0.12
"""Most that an answer one cycle late may earn, rescaled; most that a trivial one may."""
SWAPS = {
    "&": "|",
    "|": "&",
    "^": "&",
    "+": "-",
    "-": "+",
    "==": "!=",
    "<": ">",
    ">": "<",
    "posedge": "negedge",
}


def tool(argv: Sequence[str], folder: str, seconds: float = 60.0) -> tuple[int, str]:
    """Exit code and words of a tool; code 124 when it takes too long."""
    try:
        ran = subprocess.run(
            argv, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False, errors="replace"
        )
    except subprocess.TimeoutExpired:
        return 124, "it takes too long"
    return ran.returncode, ran.stdout + ran.stderr


def from_words(prompt: str) -> str:
    """A design from nothing but a prompt's formal table. Raises ValueError where the words do not say enough."""
    top = _only(r"^Write the Verilog module `(\w+)`", prompt)
    ports = [
        (way, name, int(bits or 1))
        for way, name, bits in re.findall(
            r"^- (input|output) (\w+)(?: \((\d+) bits\))?$", prompt, re.MULTILINE
        )
    ]
    registers = re.findall(r"^(\w+) \| (\d+) \| (\d+) \| `(.+)`$", prompt, re.MULTILINE)
    always = re.findall(r"^(\w+) \| (\d+) \| `(.+)`$", prompt, re.MULTILINE)
    outputs = {name for way, name, _ in ports if way == "output"}
    if {name for name, _, _ in always} & outputs != outputs:
        raise ValueError(f"no expression for {outputs - {name for name, _, _ in always}}")
    lines = [f"module {top}(" + ", ".join(f"{way} [{bits - 1}:0] {name}" for way, name, bits in ports) + ");"]
    lines += [f"reg [{int(bits) - 1}:0] {name};" for name, bits, _, _ in registers]
    lines += [f"wire [{int(bits) - 1}:0] {name};" for name, bits, _ in always if name not in outputs]
    if registers:
        clock = _only(r"rising edge of (\w+)\.", prompt)
        reset, level, kind = _only(
            r"^The reset (\w+) is active (high|low) and (asynchronous|synchronous):", prompt, groups=3
        )
        edge = f" or {'posedge' if level == 'high' else 'negedge'} {reset}" if kind == "asynchronous" else ""
        lines.append(f"always @(posedge {clock}{edge}) if ({'' if level == 'high' else '!'}{reset}) begin")
        lines += [f"{name} <= {value};" for name, _, value, _ in registers]
        lines += ["end else begin", *(f"{name} <= {text};" for name, _, _, text in registers), "end"]
    lines += [f"assign {name} = {text};" for name, _, text in always]
    return "\n".join([*lines, "endmodule", ""])


def _only(pattern: str, text: str, groups: int = 1) -> str | tuple[str, ...]:
    found = set(re.findall(pattern, text, re.MULTILINE))
    if len(found) != 1:
        raise ValueError(f"the words say {len(found)} things about {pattern!r}")
    return found.pop() if groups >= 1 else ""


def own_steps(spec: Spec, rng: random.Random, cycles: int) -> list[str]:
    """Inputs with a reset now and then, two steps a cycle where there is a clock."""
    rows = []
    for cycle in range(cycles):
        data = "".join(
            f"{(-(rng.random() < spec.biases[name]) if name in spec.biases else rng.getrandbits(width)) & ((1 << width) - 1):0{width}b}"
            for name, width in spec.inputs
        )
        reset = ""
        if spec.reset is not None:
            reset = str(spec.reset.level if cycle < 2 or rng.random() < 0.02 else 1 - spec.reset.level)
        rows += [f"{level}{reset}{data}" for level in "01"] if spec.clock else [data]
    return rows


def named(text: str, top: str, name: str) -> str:
    """The text with its modules renamed, the top one to ``name``."""
    modules = set(re.findall(r"^\s*module\s+(\w+)", text, re.MULTILINE))
    for module in modules:
        text = re.sub(rf"(?<![\w.`$']){module}(?!\w)", name if module == top else f"{name}_{module}", text)
    return text


def simulated(
    folder: str, spec: Spec, designs: Sequence[str], steps: Sequence[str], seconds: float = 20.0
) -> list[list[str]] | None:
    """Each design's outputs after each step, by Icarus alone; None where it does not compile or stop."""
    ins = [(name, width) for name, direction, width in spec.ports if direction == "input"]
    lines = ["module tb;", *(f"reg [{w - 1}:0] {n};" for n, w in ins)]
    outs = []
    for number in range(len(designs)):
        lines += [f"wire [{w - 1}:0] {n}_{number};" for n, w in spec.outs]
        pins = [f".{n}({n})" for n, _ in ins] + [f".{n}({n}_{number})" for n, _ in spec.outs]
        lines.append(f"d{number} mx_i{number}({', '.join(pins)});")
        outs.append("{" + ", ".join(f"{n}_{number}" for n, _ in spec.outs) + "}")
    wide = len(steps[0])
    lines += [f"reg [{wide - 1}:0] mx_s [0:{len(steps) - 1}]; reg [{wide - 1}:0] mx_now; integer mx_i;"]
    lines += [
        'initial begin $readmemb("s.txt", mx_s);',
        f"for (mx_i = 0; mx_i < {len(steps)}; mx_i = mx_i + 1) begin",
    ]
    lines += ["mx_now = mx_s[mx_i];"]
    place = wide
    for name, width in ins:
        place -= width
        lines.append(f"{name} {'=' if name == spec.clock else '<='} mx_now[{place + width - 1}:{place}];")
    formats = " ".join("%b" for _ in designs)
    lines.append(f'#1 $display("{formats}", {", ".join(outs)}); end $finish; end endmodule')
    texts = [named(text, spec.top, f"d{number}") for number, text in enumerate(designs)]
    Path(folder, "s.txt").write_text("\n".join(steps))
    Path(folder, "tb.v").write_text("\n".join(lines + texts))
    if tool(["iverilog", "-g2012", "-s", "tb", "-o", "t", "tb.v"], folder)[0] != 0:
        return None
    code, said = tool(["vvp", "-n", "t"], folder, seconds)
    rows = [line.split() for line in said.splitlines() if line.count(" ") == len(designs) - 1]
    return (
        [list(column) for column in zip(*rows, strict=True)]
        if code == 0 and len(rows) == len(steps)
        else None
    )


def netlist(folder: str, spec: Spec, design: str) -> str:
    """The design as cells of Yosys' own library, by a script of this file's own."""
    Path(folder, "n.v").write_text(design)
    script = f"read_verilog -sv n.v; synth -flatten -top {spec.top}; write_verilog -noattr net.v"
    code, said = tool(["yosys", "-q", "-p", script], folder)
    return Path(folder, "net.v").read_text() if code == 0 else said


def proven_equal(folder: str, spec: Spec, first: str, second: str) -> str:
    """``proven``, ``refuted`` or ``open``: two designs after an edge in reset, by Yosys and ABC's pdr."""
    ins = [(name, width) for name, direction, width in spec.ports if direction == "input"]
    lines = ["module chk(" + ", ".join(f"input [{w - 1}:0] {n}" for n, w in ins) + ", output bad);"]
    for side in "ab":
        lines += [f"wire [{w - 1}:0] mx_{n}_{side};" for n, w in spec.outs]
        pins = [f".{n}({n})" for n, _ in ins] + [f".{n}(mx_{n}_{side})" for n, _ in spec.outs]
        lines.append(f"{side}_top mx_{side}({', '.join(pins)});")
    if spec.reset is not None:
        active = f"{spec.reset.name} == 1'b{spec.reset.level}"
        lines.append(f"reg mx_seen = 0; always @(posedge {spec.clock}) if ({active}) mx_seen <= 1;")
    differ = " | ".join(f"(mx_{n}_a != mx_{n}_b)" for n, _ in spec.outs)
    lines.append(f"assign bad = {'mx_seen & ' if spec.reset is not None else ''}({differ}); endmodule")
    text = "\n".join([*lines, named(first, spec.top, "a_top"), named(second, spec.top, "b_top")])
    Path(folder, "chk.v").write_text(text)
    script = (
        "read_verilog -sv chk.v; prep -flatten -top chk; async2sync; memory_map; opt -full; techmap; "
        "setundef -undriven -init -zero; opt -fast; dffunmap; abc -g AND; opt_clean; aigmap; write_aiger -zinit chk.aig"
    )
    code, said = tool(["yosys", "-q", "-p", script], folder)
    if code != 0:
        return "open: " + said.strip()[-120:]
    engine = "scorr; pdr -T 15" if spec.clock else "orpos; dprove"
    _, said = tool(["yosys-abc", "-c", f"read_aiger chk.aig; strash; {engine}"], folder)
    if re.search(
        r"property proved|networks are equivalent|UNSATISFIABLE|is a const0|constant 0", said, re.IGNORECASE
    ):
        return "proven"
    if re.search(r"was asserted|SATISFIABLE|not equivalent", said, re.IGNORECASE):
        return "refuted"
    return "open: " + " ".join(said.split())[-120:]


def mutants(text: str, rng: random.Random, count: int) -> list[str]:
    """Texts with one operator, number or edge changed."""
    pattern = r"posedge|==|(?<![<=!>&|])[<>](?![<=>])|(?<![&|])[&|](?![&|=])|[\^+-](?!:)|'d\d+|(?<== )1'b[01]"
    places = [m for m in re.finditer(pattern, text) if m.start() > text.index(");")]
    made = set()
    for found in places:
        old = found.group()
        if old.startswith("'d"):
            changes = [f"'d{int(old[2:]) ^ bit}" for bit in (1, 2)]
        else:
            changes = [SWAPS.get(old, "1'b" + ("0" if old[-1] == "1" else "1"))]
        made |= {text[: found.start()] + new + text[found.end() :] for new in changes}
    for name, other in _pairs(text):
        head, _, body = text.partition(");")
        changed = re.sub(rf"(?<!\w){name}(?!\w)", other, body, count=1)
        made.add(f"{head});{changed}")
    chosen = sorted(made)
    rng.shuffle(chosen)
    return chosen[:count]


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """Inputs of the same width."""
    inputs = re.findall(r"input (\[\d+:0\] )?(\w+)", text.partition(");")[0])
    for width, name in inputs:
        yield from ((name, other) for size, other in inputs if size == width and other != name)


@dataclass(frozen=True, slots=True)
class Place:
    """Which task, and whether it is graded too."""

    kind: str
    split: Split
    index: int
    seed: int
    graded: bool


def examine(place: Place) -> dict[str, object]:
    """What was found about a task."""
    began = process_time()
    children = os.times()
    tasks = GeneratedTasks(place.kind, place.seed)
    drawn = tasks.drawn(place.split, place.index)
    words = GeneratedTasks(place.kind, place.seed, "table").task(place.split, place.index).prompt
    spec, rng = drawn.spec, random.Random(f"again/{place}")
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        try:
            written = from_words(words.partition("\nExamples (")[0])
        except ValueError as error:
            found.append(f"the table's words: {error}")
            written = table_design(spec)
        _designs(folder, spec, drawn.circuit, written, rng, found)
        killed, different = _mutants(folder, spec, drawn.circuit, drawn.broken, rng, found)
    _poor(drawn.circuit, found)
    if place.graded:
        _graded(tasks, place, written, found)
    after = os.times()
    spent = process_time() - began + after.children_user - children.children_user
    return {
        "id": f"{place.kind}-{place.seed}-{place.split}-{place.index}",
        "kind": place.kind,
        "family": spec.family,
        "different": different,
        "killed": killed,
        "graded": place.graded,
        "problems": found,
        "cpu_s": round(spent, 2),
    }


def _designs(
    folder: str, spec: Spec, circuit: Circuit, written: str, rng: random.Random, found: list[str]
) -> None:
    """Model, both goldens, the netlist and the design from the words against each other."""
    first, second = table_design(spec), second_design(spec)
    designs = {"first golden": first, "second golden": second, "design from the words": written}
    designs["netlist"] = netlist(folder, spec, first)
    own = own_steps(spec, rng, CYCLES)
    for name, steps in (("hidden", list(circuit.steps)), ("own", own)):
        wanted = list(replay(spec, tuple(steps)))
        if name == "hidden" and not all(map(agrees, wanted, circuit.expected)):
            found.append("the hidden vectors are not the model's")
        rows = simulated(folder, spec, list(designs.values()), steps)
        if rows is None:
            found.append("the designs do not simulate")
            return
        for title, have in zip(designs, rows, strict=True):
            wrong = [n for n, (h, w) in enumerate(zip(have, wanted, strict=True)) if "x" not in w and h != w]
            if wrong:
                found.append(
                    f"{title} on {name} inputs, step {wrong[0]}: {have[wrong[0]]}, not {wanted[wrong[0]]}"
                )
    for title, other in (("second golden", second), ("design from the words", written)):
        verdict = proven_equal(folder, spec, first, other)
        if verdict != "proven":
            found.append(f"{title}: {verdict}")


def _mutants(
    folder: str, spec: Spec, circuit: Circuit, broken: str, rng: random.Random, found: list[str]
) -> tuple[int, int]:
    """How many of how many mutants that differ somewhere fail the hidden vectors."""
    made = mutants(table_design(spec), rng, CANDIDATES // 2)
    made += mutants(second_design(spec), rng, CANDIDATES - len(made))
    if broken:
        made.insert(0, broken)
    steps = [*circuit.steps, *own_steps(spec, rng, 4 * CYCLES)]
    wanted = [*circuit.expected, *replay(spec, tuple(steps))[len(circuit.steps) :]]
    columns = simulated(folder, spec, made, steps)
    if columns is None:  # one of them stops the others: one by one
        alone = [simulated(folder, spec, [each], steps, 2.0) for each in made]
        columns = [each[0] if each else [] for each in alone]
    different, killed = 0, 0
    for number, have in enumerate(columns):
        if different == MUTANTS or len(have) != len(steps):
            continue
        wrong = [step for step, (h, w) in enumerate(zip(have, wanted, strict=True)) if not agrees(h, w)]
        if broken and number == 0 and not wrong:
            found.append("the broken design is right")
        different += bool(wrong)
        killed += bool(wrong) and wrong[0] < len(circuit.steps)
    if killed < DIE * different - 1e-9:
        found.append(f"only {killed} of {different} different mutants fail the hidden vectors")
    return killed, different


def _poor(circuit: Circuit, found: list[str]) -> None:
    """Constants, inputs passed on, and the right outputs one cycle late."""
    worth = trivial_share(circuit)
    wide = len(circuit.expected[0])
    poor = {"constant 0": ["0" * wide] * len(circuit.steps), "constant 1": ["1" * wide] * len(circuit.steps)}
    poor["echo"] = [(step * wide)[-wide:] for step in circuit.steps]
    if circuit.clocks:
        poor["late"] = ["0" * wide] * 2 + [row.replace("x", "0") for row in circuit.expected[:-2]]
    for name, outputs in poor.items():
        earned = rescaled(share_right(circuit, outputs), worth)
        if earned > LATE_MOST:
            found.append(f"a {name} answer earns {earned:.2f}")


def _graded(tasks: GeneratedTasks, place: Place, written: str, found: list[str]) -> None:
    """The grader's own word: the golden of another structure and the design from the words pass, a constant does not."""
    task, drawn = tasks.task(place.split, place.index), tasks.drawn(place.split, place.index)
    head = table_design(drawn.spec).partition(");")[0] + ");\n"
    constant = head + "".join(f"assign {name} = 0;\n" for name, _ in drawn.spec.outs) + "endmodule\n"
    with open_sandbox("auto", image="hdl", slots=1) as sandbox:
        for name, text in (("second golden", second_design(drawn.spec)), ("design from the words", written)):
            grade = tasks.grade(task, Submission(text), sandbox)
            if not grade.passed or grade.score < 0.9:
                found.append(f"graded, the {name} scores {grade.score}: {grade.log[:200]}")
        if tasks.grade(task, Submission(constant), sandbox).score > 0.05:
            found.append("graded, a constant earns something")


def places(count: int, seed: int, graded: int) -> list[Place]:
    """That many tasks, evenly over kinds and splits."""
    every = max(1, count // graded) if graded else 0
    return [
        Place(
            ALL[n % len(ALL)],
            SPLITS[n // len(ALL) % 3],
            n // (3 * len(ALL)),
            seed,
            bool(every) and n % every == 0,
        )
        for n in range(count)
    ]


def report(rows: Sequence[dict[str, object]]) -> str:
    """The table: a line a kind."""
    lines = [f"{'kind':14}{'tasks':>7}{'clean':>7}{'graded':>8}{'mutants':>9}{'killed':>9}{'s/task':>8}"]
    for kind in (*ALL, "all"):
        own = [row for row in rows if kind in ("all", row["kind"])]
        if not own:
            continue
        total = Counter(
            {key: sum(float(str(row[key])) for row in own) for key in ("different", "killed", "cpu_s")}
        )  # type: ignore[arg-type]
        clean, graded = sum(not row["problems"] for row in own), sum(bool(row["graded"]) for row in own)
        lines.append(
            f"{kind:14}{len(own):7}{clean:7}{graded:8}{total['different']:9.0f}"
            f"{total['killed'] / max(1, total['different']):9.1%}{total['cpu_s'] / len(own):8.2f}"
        )
    for row in rows:
        lines += [f"{row['id']} ({row['family']}): {problem}" for problem in row["problems"]]  # type: ignore[attr-defined]
    return "\n".join(lines)


def main() -> int:
    """Examine what is not examined yet, then print the table; 1 where something is wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--graded", type=int, default=50)
    parser.add_argument("--out", type=Path, default=Path("hardware-generator.jsonl"))
    options = parser.parse_args()
    rows = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {row["id"] for row in rows}
    left = [
        replace(place)
        for place in places(options.tasks, options.seed, options.graded)
        if f"{place.kind}-{place.seed}-{place.split}-{place.index}" not in done
    ]
    with ProcessPoolExecutor(options.jobs) as pool, options.out.open("a") as stream:
        for row in pool.map(examine, left):
            rows.append(row)
            stream.write(json.dumps(row) + "\n")
            stream.flush()
            sys.stderr.write(
                f"\r{len(rows)} of {options.tasks}, {sum(bool(r['problems']) for r in rows)} with problems "
            )
    sys.stderr.write("\n")
    print(report(rows))
    return int(any(row["problems"] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
