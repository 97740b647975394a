"""Every cheat on tasks of every source, in every sandbox of this machine: all must score 0, and the solution 1.

    python benchmarks/cheats.py [--tasks software:micro,software:packages,...] [--count 1] [--backend docker,bubblewrap]

The named sets are those that need nothing of yours; add folders of your own or imported ones (``./my/humaneval``). Mutations and
release pairs are made on first use. Exit code 1 when anything held that should not, or did not that should.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from time import perf_counter

from mx_sandboxes import open_sandbox
from mx_tasks import SPLITS, Task, TaskSet, TaskSetError, load_task_set
from mx_tasks.task import tasks
from mx_tasks.validate import cheats_of, validate

SETS = "software:micro,software:packages,software:repair,software:mutation/toolz,software:release-pair/parse-1.20.2"


def first_tasks(task_set: TaskSet, count: int) -> Iterator[Task]:
    """The tasks that are looked at."""
    for split in SPLITS:
        yield from islice(tasks(task_set, split, count), count)


def main() -> int:
    """Validate each set in each sandbox and print a line for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default=SETS)
    parser.add_argument("--count", type=int, default=1, help="tasks of each split")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--backend", default="docker,bubblewrap")
    parser.add_argument("--quick", action="store_true", help="each cheat at one moment only")
    asked = parser.parse_args()
    bad = 0
    for backend in asked.backend.split(","):
        with open_sandbox(backend, slots=2) as sandbox:
            for name in asked.tasks.split(","):
                begin = perf_counter()
                try:
                    task_set = load_task_set(name)
                    looked_at = list(first_tasks(task_set, asked.count))
                    findings = validate(
                        task_set, sandbox, count=asked.count, repeats=asked.repeats, thorough=not asked.quick
                    )
                except TaskSetError as error:
                    print(f"{backend:12} {name}: not there: {error}", flush=True)
                    bad += 1
                    continue
                kinds = {
                    kind for task in looked_at for kind in cheats_of(task_set, task, thorough=not asked.quick)
                }
                seconds = perf_counter() - begin
                print(
                    f"{backend:12} {name}: {len(looked_at)} tasks, {len(kinds)} kinds of cheat, "
                    f"{len(findings)} findings, {seconds:.0f} s",
                    flush=True,
                )
                for finding in findings:
                    print(f"    {finding}", flush=True)
                bad += len(findings)
    return min(1, bad)


if __name__ == "__main__":
    raise SystemExit(main())
