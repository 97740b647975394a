"""Micro episodes per second, from the design over three turns to the grade, and the milliseconds of one grading.

    python benchmarks/micro_episodes.py [--backend auto] [--episodes 400] [--in-flight 8]

Policies are constant, so that all that is measured is the environment. Every episode is another task and every answer is new, so
that no verdict is remembered from the one before.
"""

from __future__ import annotations

import argparse
import os
import statistics
from time import perf_counter

from mx_agents.episodes import Job, play
from mx_agents.policies import ScriptedPolicy
from mx_envs import software_v0
from mx_sandboxes import open_sandbox
from mx_tasks import Submission, load_task_set

DESIGN = """
from mas import *
coder = Agent("coder", "Answer with Python, one line per formula.")
answer = coder(task)
answer = coder("Check it.")
answer = coder("Once more.")
submit(answer)
"""


def episodes_per_second(sandbox: object, count: int, in_flight: int, first: int) -> float:
    """Play that many episodes."""
    designer = ScriptedPolicy([DESIGN], repeat=True)
    tasks = load_task_set("software:micro")
    jobs = [
        Job(n, f"micro-0-train-{n}", n, designer, ScriptedPolicy([f"a + {n}\nb\nc"], repeat=True))
        for n in range(first, first + count)
    ]
    begin = perf_counter()
    played = list(play(iter(jobs), lambda: software_v0.raw_env(tasks=tasks, sandbox=sandbox), in_flight))
    seconds = perf_counter() - begin
    assert all(each.record.stop.value == "submitted" and each.record.calls == 3 for each in played)
    return count / seconds


def grading_milliseconds(sandbox: object, name: str, count: int) -> float:
    """The median over gradings of right answers, one after the other, each of another task."""
    tasks = load_task_set(name)
    size = tasks.size("train")
    asked = [tasks.task("train", index) for index in range(count if size is None else min(count, size))]
    times = []
    for task in asked:
        submission: Submission = tasks.gold(task)
        begin = perf_counter()
        assert tasks.grade(task, submission, sandbox).passed
        times.append(1000 * (perf_counter() - begin))
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--episodes", type=int, default=400)
    parser.add_argument("--in-flight", type=int, default=8)
    options = parser.parse_args()
    with open_sandbox(options.backend, slots=options.in_flight + 2) as sandbox:
        episodes_per_second(sandbox, 2 * options.in_flight, options.in_flight, 100_000)  # warm
        rate = episodes_per_second(sandbox, options.episodes, options.in_flight, 0)
        micro = grading_milliseconds(sandbox, "software:micro", 50)
    cores = len(os.sched_getaffinity(0))
    print(f"{sandbox.backend}, {cores} cores, load {os.getloadavg()[0]:.1f} before it was over")
    print(f"micro episodes (design, 3 turns, grade): {rate:.0f} per second, {options.in_flight} at once")
    print(f"grading a micro task: {micro:.1f} ms")


if __name__ == "__main__":
    main()
