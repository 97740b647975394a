"""Draws tasks to optimise, to mend over several files and to write testbenches for, and says which do not hold.

python benchmarks/hardware_kinds.py [tasks of each kind] [seed]

The reference solution must score 1, the files as given and an empty answer 0; a testbench task must have enough mutants.
"""

from __future__ import annotations

import sys

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks import Submission, load_task_set
from mx_tasks.errors import SPLITS
from mx_tasks.task import GradingError

KINDS = ("optimise", "multi-file", "testbench")


def problems(kind: str, number: int, seed: int, sandbox: Sandbox) -> list[str]:
    """What is wrong with a task."""
    tasks = load_task_set(f"hardware:{kind}", seed=seed)
    task = tasks.task(SPLITS[number % 3], number)
    wanted = [("gold", tasks.gold(task), 1.0), ("nothing", Submission(), 0.0)]  # type: ignore[attr-defined]
    wanted.append(("as given", Submission(files=task.files), 0.0))
    found = []
    for name, submission, score in wanted:
        try:
            grade = tasks.grade(task, submission, sandbox)
        except GradingError as error:
            return [f"{task.id}: {error}"]
        if grade.score != score:
            found.append(f"{task.id} ({task.source}): {name} scores {grade.score}: {grade.log}")
    return found


def main() -> None:
    """Print what was found."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    with open_sandbox("auto", image="hdl", slots=2) as sandbox:
        for kind in KINDS:
            found = [each for number in range(count) for each in problems(kind, number, seed, sandbox)]
            print("\n".join([*found, f"{kind}: {count} tasks, {len(found)} problems"]), flush=True)


if __name__ == "__main__":
    main()
