"""What grading hardware costs: processor seconds by step, kind and level, beside a plain Icarus run of the same answer.

``driver`` is what the whole job takes beyond the tools that it starts.

python benchmarks/hardware.py [bubblewrap|docker] [tasks per kind]
"""

from __future__ import annotations

import sys
from collections import defaultdict
from statistics import median
from time import perf_counter

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks.hardware.generate.families import KINDS
from mx_tasks.hardware.generate.spec import second_design
from mx_tasks.hardware.grading.judge import LIMITS
from mx_tasks.hardware.sets.generated import GeneratedTasks

STEPS = ("elaborate", "compile", "simulate", "gates", "prove", "synthesis")


def plain(sandbox: Sandbox, bench: bytes, design: str) -> float:
    """Processor seconds of compiling and running an answer with its public bench, and nothing else."""
    done = sandbox.run(
        ["sh", "-c", "iverilog -g2012 -o b.vvp b.v d.v && vvp -n b.vvp"],
        files={"b.v": bench, "d.v": design.encode()},
        limits=LIMITS,
    )
    return done.cpu_s


def main() -> None:
    """Print the table."""
    backend = sys.argv[1] if len(sys.argv) > 1 else "auto"
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    totals, plains, drivers = [], [], []
    with open_sandbox(backend, image="hdl", slots=1) as sandbox:
        print(
            f"{sandbox.backend}: median processor seconds of the tools, {count} answers of another structure each"
        )
        print(
            f"{'kind':14}"
            + "".join(f"{step:>11}" for step in STEPS)
            + f"{'all tools':>11}{'(worst)':>9}{'driver':>8}{'wall':>8}{'plain':>8}  level  proven"
        )
        for kind in [*KINDS, "repair"]:
            spent: dict[str, list[float]] = defaultdict(list)
            tasks, proven = GeneratedTasks(kind), 0
            levels: set[str] = set()
            for index in range(count):
                split = ("train", "validation", "test")[index % 3]
                task = tasks.task(split, index)  # type: ignore[arg-type]
                began = perf_counter()
                verdict = tasks.verdict(task, tasks.second_gold(task), sandbox)
                spent["wall"].append(perf_counter() - began)
                proven += verdict.proof == "proven"
                for step in STEPS:
                    spent[step].append(verdict.cpu.get(step, 0.0))
                spent["all"].append(sum(verdict.cpu.values()))
                spent["driver"].append(verdict.job_cpu_s / max(1e-9, sum(verdict.cpu.values())) - 1)
                levels.add(str(task.difficulty))
                drawn = tasks.drawn(split, index)  # type: ignore[arg-type]
                spent["plain"].append(plain(sandbox, task.files["examples.v"], second_design(drawn.spec)))
            totals += spent["all"]
            drivers += spent["driver"]
            plains += spent["plain"]
            print(
                f"{kind:14}"
                + "".join(f"{median(spent[step]):11.3f}" for step in STEPS)
                + f"{median(spent['all']):11.3f}{max(spent['all']):9.2f}{median(spent['driver']):+8.0%}{median(spent['wall']):8.2f}{median(spent['plain']):8.3f}"
                + f"{','.join(sorted(levels)):>7}  {proven}/{count}"
            )
    print(
        f"all kinds: median {median(totals):.3f}, worst {max(totals):.2f}, driver {median(drivers):+.0%}; plain run {median(plains):.3f}"
    )


if __name__ == "__main__":
    main()
