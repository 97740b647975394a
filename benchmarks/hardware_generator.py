"""Validates drawn hardware tasks again, without their grader where that is possible.

python benchmarks/hardware_generator.py [tasks] [mutants per task]

For each task: both goldens are simulated as source by plain Icarus Verilog on inputs of this script's own and compared with the Python
model step by step, so no unknown may show after reset; then the grader must prove the second golden, give constant and late answers
next to nothing, and keep every mutant that it does not prove equal below 0.70.
"""

from __future__ import annotations

import random
import re
import sys
from collections import Counter

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks import Submission
from mx_tasks.hardware.generated import GeneratedTasks
from mx_tasks.hardware.generator.families import KINDS
from mx_tasks.hardware.generator.spec import Spec, second_design, table_design
from mx_tasks.hardware.generator.twist import replay
from mx_tasks.hardware.grading import LIMITS

SWAPS = {
    "&": "|",
    "|": "&",
    "^": "&",
    "+": "-",
    "-": "+",
    "==": "!=",
    "<": ">",
    ">": "<",
    "~": "",
    "!": "",
    "posedge": "negedge",
}


def own_steps(spec: Spec, rng: random.Random, cycles: int) -> list[str]:
    """Inputs with a reset now and then, two steps a cycle where there is a clock."""
    rows = []
    for cycle in range(cycles):
        data = "".join(f"{rng.getrandbits(width):0{width}b}" for _, width in spec.inputs)
        reset = ""
        if spec.reset is not None:
            active = cycle < 2 or rng.random() < 0.02
            reset = str(spec.reset.level if active else 1 - spec.reset.level)
        rows += [f"{level}{reset}{data}" for level in "01"] if spec.clock else [data]
    return rows


def simulated(sandbox: Sandbox, spec: Spec, design: str, steps: list[str]) -> list[str]:
    """Outputs of a source on the steps, by plain Icarus."""
    ins = [(name, width) for name, direction, width in spec.ports if direction == "input"]
    pins = ", ".join(f".{name}({name})" for name, _, _ in spec.ports)
    lines = ["module tb;", *(f"reg [{w - 1}:0] {n}{' = 0' if n == spec.clock else ''};" for n, w in ins)]
    lines += [*(f"wire [{w - 1}:0] {n};" for n, w in spec.outs), f"{spec.top} dut({pins});"]
    lines += [
        f"reg [{len(steps[0]) - 1}:0] mx_s [0:{len(steps) - 1}]; reg [{len(steps[0]) - 1}:0] mx_now; integer mx_i;",
        "initial begin",
    ]
    lines.append(
        f'$readmemb("s.txt", mx_s); for (mx_i = 0; mx_i < {len(steps)}; mx_i = mx_i + 1) begin mx_now = mx_s[mx_i];'
    )
    place = len(steps[0])
    for name, width in ins:
        place -= width
        lines.append(f"{name} {'=' if name == spec.clock else '<='} mx_now[{place + width - 1}:{place}];")
    lines.append(
        '#1; $display("%b", {' + ", ".join(name for name, _ in spec.outs) + "}); end $finish; end endmodule"
    )
    files = {"tb.v": "\n".join(lines).encode(), "d.v": design.encode(), "s.txt": "\n".join(steps).encode()}
    done = sandbox.run(
        ["sh", "-c", "iverilog -g2012 -s tb -o t tb.v d.v && vvp -n t"], files=files, limits=LIMITS
    )
    return done.stdout.decode().split()


def mutants(text: str, rng: random.Random, count: int) -> list[str]:
    """Texts with one operator, number or edge changed."""
    places = [
        m
        for m in re.finditer(r"posedge|==|(?<![<=!>])[<>](?![<=>])|[&|^+~!-](?![=])|'d\d+", text)
        if m.start() > text.index(");")
    ]
    rng.shuffle(places)
    made = []
    for found in places[:count]:
        old = found.group()
        new = f"'d{int(old[2:]) ^ 1}" if old.startswith("'d") else SWAPS[old]
        made.append(text[: found.start()] + new + text[found.end() :])
    return made


def problems(
    tasks: GeneratedTasks, split: str, index: int, sandbox: Sandbox, count: int, tally: Counter[str]
) -> list[str]:
    """What is wrong with a task."""
    task = tasks.task(split, index)  # type: ignore[arg-type]
    drawn = tasks.drawn(split, index)  # type: ignore[arg-type]
    spec, rng, found = drawn.spec, random.Random(f"again/{task.id}"), []
    steps = own_steps(spec, rng, 150)
    wanted = list(replay(spec, tuple(steps)))
    for name, design in (("first", table_design(spec)), ("second", second_design(spec))):
        have = simulated(sandbox, spec, design, steps)
        if len(have) != len(wanted) or any(w[0] != "x" and h != w for h, w in zip(have, wanted, strict=True)):
            found.append(f"the {name} golden's source differs from the model")
    second = tasks.verdict(task, tasks.second_gold(task), sandbox)
    if second.proof != "proven":
        found.append(f"the second golden is not proven: {second.log}")
    head = table_design(spec).partition(");")[0] + ");\n"
    for value in ("0", "~0"):
        constant = head + "".join(f"assign {name} = {value};\n" for name, _ in spec.outs) + "endmodule\n"
        if tasks.grade(task, Submission(constant), sandbox).score > 0.05:
            found.append(f"the constant {value} earns something")
    for text in mutants(table_design(spec), rng, count):
        verdict = tasks.verdict(task, Submission(text), sandbox)
        tally["equal" if verdict.proof == "proven" else "killed" if verdict.score < 0.7 else "survived"] += 1
        if verdict.proof != "proven" and verdict.score >= 0.7:
            found.append(f"a mutant survives: {verdict.log}")
    return found


def main() -> None:
    """Print what was found."""
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    kinds = [*KINDS, "repair"]
    tally: Counter[str] = Counter()
    bad = 0
    with open_sandbox("auto", image="hdl", slots=2) as sandbox:
        for number in range(wanted):
            kind, split = (
                kinds[number % len(kinds)],
                ("train", "validation", "test")[number // len(kinds) % 3],
            )
            for problem in problems(GeneratedTasks(kind), split, number, sandbox, count, tally):
                bad += 1
                print(f"{kind} {split} {number}: {problem}")
    print(f"{wanted} tasks, {bad} problems; mutants: {dict(tally)}")


if __name__ == "__main__":
    main()
