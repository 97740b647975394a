"""Bring benchmarks in: find what their tests say before and after the reference solution, validate, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from mx_sandboxes import Limits, Sandbox
from mx_tasks.side_by_side import in_order
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.making import REPEATS, Output
from mx_tasks.software.generate.preparing import Report, python_version
from mx_tasks.software.grading.calls import Served, guessable, judge_calls
from mx_tasks.software.grading.oracle import FOLDER
from mx_tasks.software.grading.suite import suite_limits
from mx_tasks.software.imports.functions import human_eval, mbpp, quix_bugs, records
from mx_tasks.software.imports.programs import program_tasks, takes_many
from mx_tasks.software.made import MadeTask, as_directory
from mx_tasks.task import GradingError

AT_ONCE = 4
SOLUTIONS_THAT_AGREE = 2
"""So many different ones must pass where a statement takes more answers than its tests hold."""
SERVED = f"{FOLDER}/mx_serve.json"
PROGRAMS = ("apps", "code-contests", "livecodebench")
KINDS = ("humaneval", "mbpp", "quixbugs", *PROGRAMS)
_LIMITS = Limits(wall_s=60, cpu_s=60, memory_bytes=1 << 30)


def import_functions(
    kind: str, source: Path, folder: Path, sandbox: Sandbox, report: Report
) -> Iterator[str]:
    """Import every task of a benchmark, giving the id of each that was written; the others are reported with the reason.

    Raises SourceError when the source cannot be read at all.
    """
    if kind == "quixbugs":
        makers: list[Callable[[], MadeTask]] = list(quix_bugs(source))
    elif kind in PROGRAMS:
        makers = [partial(_first_that_passes, kind, entry, sandbox) for entry in records(source)]
    else:
        make = human_eval if kind == "humaneval" else mbpp
        makers = [partial(make, entry) for entry in records(source)]
    if not makers:
        raise SourceError(f"{source} holds no task")
    python = python_version(sandbox)  # telling the tests apart is the first of the three repetitions
    output = Output(folder, sandbox, report)

    def one(maker: Callable[[], MadeTask]) -> str | None:
        try:
            task = judged(maker(), sandbox, python)
        except SourceError as error:
            report(f"{error}: refused: it gives no task")
            return None
        if "unvalidated" in task.about:
            report(f"{task.id}: not validated: {task.about['unvalidated']}")
        return task.id if output.keep_directory(as_directory(task), repeats=REPEATS - 1) else None

    for written in in_order(one, makers, AT_ONCE):
        if written is not None:
            yield written


def _first_that_passes(kind: str, entry: Mapping[str, Any], sandbox: Sandbox) -> MadeTask:
    """A record's task with the first of its solutions that passes all of its tests, if it has any. Raises SourceError."""
    made = list(program_tasks(kind, entry))
    first, many = made[0], takes_many(kind, entry)
    served, limits = _served(first), suite_limits(first.wall_s)
    if many and len(made) < SOLUTIONS_THAT_AGREE:
        raise SourceError(
            f"{first.title}: its statement takes any of several answers, its tests hold one, and no two "
            "solutions show that to be the same"
        )
    if guessable(sandbox, first.tests, first.tree, served, limits):
        raise SourceError(
            f"{first.title}: one constant answer passes all tests that its statement does not show"
        )
    if not first.gold:
        return first
    whys: list[str] = []
    right: list[MadeTask] = []
    for task in made:
        said = judge_calls(sandbox, task.tests, task.files_when_mended, served, limits)
        failed = [test for test, outcome in said.outcomes.items() if outcome != "passed"]
        if failed:
            whys.append(said.messages.get(failed[0], "")[:120])
        else:
            right.append(task)
        if right and not many:
            break
    if not right:
        raise SourceError(f"{first.title}: none of its solutions passes its tests ({whys[-1]})")
    if many and whys:
        raise SourceError(
            f"{first.title}: its statement takes any of several answers, its tests hold one, and they fail a solution of its own"
        )
    return right[0]


def _served(task: MadeTask) -> Served:
    """How a task's functions are called while it is made: with half the time, so that no verdict hangs on luck."""
    served = Served.read(task.tests[SERVED])
    return replace(served, call_s=served.call_s / 2)


def judged(task: MadeTask, sandbox: Sandbox, python: str) -> MadeTask:
    """The task with its tests told apart: those that fail on it as given, and those that pass on both. Raises SourceError."""
    served, limits = _served(task), suite_limits(max(_LIMITS.wall_s, task.wall_s))
    try:
        before, after = (
            judge_calls(sandbox, task.tests, tree, served, limits)
            for tree in (task.tree, task.files_when_mended)
        )
    except GradingError as error:
        raise SourceError(f"{task.title}: {error}") from error
    if not task.gold:
        return replace(task, fail_to_pass=tuple(sorted(before.outcomes)), python=python)
    good = {test for test, outcome in after.outcomes.items() if outcome == "passed"}
    if not good:
        said = after.loaded or next(iter(after.messages.values()), "")
        raise SourceError(f"{task.title}: its own solution passes none of its tests ({said[:120]})")
    passing = {test for test, outcome in before.outcomes.items() if outcome == "passed"}
    if good <= passing:
        raise SourceError(f"{task.title}: the task as given passes its tests already")
    return replace(
        task,
        fail_to_pass=tuple(sorted(good - passing)),
        pass_to_pass=tuple(sorted(good & passing)),
        python=python,
    )
