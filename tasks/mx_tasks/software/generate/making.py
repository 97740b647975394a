"""Make tasks into a folder: each is validated before it is written, and a run that was broken off goes on where it stopped."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from mx_sandboxes import Completed, Sandbox, SandboxError
from mx_tasks.cache import cache_folder
from mx_tasks.harbor.directory import TaskDirectory, write_directory
from mx_tasks.side_by_side import in_order
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.mutation import make_mutations
from mx_tasks.software.generate.preparing import Report
from mx_tasks.software.generate.release_pair import make_release_pair
from mx_tasks.software.grading.patience import PATIENCE
from mx_tasks.software.grading.suite import Suite, grade_suite, submitted_tree
from mx_tasks.software.made import EXPECTED, UNVALIDATED, MadeTask, as_directory
from mx_tasks.software.sets.directories import DirectoryTasks, SuiteDirectory, adapt
from mx_tasks.task import Grade, GradingError, Split, Submission

REPEATS = 3
AT_ONCE = max(2, os.cpu_count() or 1)
MOST_DROPPED = 0.25
REFERENCE = "the reference solution"
CHEAT_S = 1.0
"""Seconds of processor time that a call may take while cheats are tried, where no reference says how long it takes."""
SLOWER = 2.0
"""So many times the processor time of the reference a cheat may take: what loops would take all of a grade's time with each."""
LEAST_CALL_S, LEAST_SUITE_S = 0.1, 3.0
"""Never less than that, for a call and for a run of pytest."""
LIGHT = 30
"""Of the tests that pass already, so many are run beside those to be mended while cheats are tried."""
JOURNAL = ".journal.json"
DONE = "done"


def refusal(directory: TaskDirectory, sandbox: Sandbox, *, repeats: int = REPEATS) -> str:
    """Why a task is not to be trusted, in one line; empty when gold scores 1 and nothing 0, so many times, and every cheat 0.

    Where a task says that it has no reference, nothing shows that it can be met, and the rest must hold all the same.
    """
    task_set = DirectoryTasks.of([directory])
    task = task_set.find(directory.name)
    entry, timed = SuiteDirectory(directory), Timed(sandbox)

    def wrong(title: str, wanted: float, judge: Callable[[], Grade]) -> str:
        try:
            grade = judge()
        except (SandboxError, GradingError) as error:
            return f"{title} cannot be graded: {error}"
        if grade.score == wanted and grade.passed == (wanted == 1.0):
            return ""
        return f"{title} scores {grade.score:g}, not {wanted:g} ({grade.log.replace(chr(10), '; ')[:200]})"

    validated = UNVALIDATED not in directory.ours
    if validated:
        why = wrong(REFERENCE, 1.0, lambda: task_set.grade(task, task_set.gold(task), cast(Sandbox, timed)))
        if why:
            return why
    suite = lighter(entry.suite, timed.longest_s if validated else None)

    def attacked(name: str, cheat: Submission) -> Callable[[], str]:
        return lambda: wrong(f"the cheat {name!r}", 0.0, lambda: grade_suite(suite, cheat, sandbox))

    def nothing() -> str:
        return wrong("nothing", 0.0, lambda: task_set.grade(task, Submission(), sandbox))

    def again() -> str:
        return wrong(
            REFERENCE, 1.0, lambda: grade_suite(entry.suite, entry.reference, sandbox, confirm=False)
        )

    asked = [again] * ((repeats - 1) * validated) + [nothing] * repeats
    asked += [attacked(name, cheat) for name, cheat in _telling(suite, task_set.cheats(task))]
    return next(filter(None, in_order(lambda ask: ask(), asked, AT_ONCE)), "")


def _telling(suite: Suite, cheats: Mapping[str, Submission]) -> list[tuple[str, Submission]]:
    """The shipped cheats but for those of which nothing is taken: they are the same as nothing at all."""
    nothing, _ = submitted_tree(suite, Submission())
    return [
        (name, cheat) for name, cheat in sorted(cheats.items()) if submitted_tree(suite, cheat)[0] != nothing
    ]


class Timed:
    """A sandbox that notes how much processor time the longest of its jobs took."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox, self.longest_s = sandbox, 0.0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sandbox, name)

    def run(self, *args: Any, **kwargs: Any) -> Completed:
        """See :class:`mx_sandboxes.Sandbox`."""
        completed = self._sandbox.run(*args, **kwargs)
        self.longest_s = max(self.longest_s, completed.cpu_s)
        return completed


def lighter(suite: Suite, reference_s: float | None) -> Suite:
    """The suite for cheats: few of the tests that pass already, those near the ones to be mended first, and less time.

    ``reference_s`` is the processor time that the reference took at most for a job, None where there is none. What comes to no end
    costs that much, once for each cheat; what is done at all is done in it.
    """
    near = {test.partition("::")[0] for test in suite.fail_to_pass}
    kept = sorted(suite.pass_to_pass, key=lambda test: test.partition("::")[0] not in near)[:LIGHT]
    served, limits = suite.served, suite.limits
    if served is not None:
        call_s = CHEAT_S if reference_s is None else max(LEAST_CALL_S, SLOWER * reference_s)
        served = replace(served, call_s=min(served.call_s, call_s))
    elif reference_s is not None:
        cpu_s = min(limits.cpu_s, max(LEAST_SUITE_S, SLOWER * reference_s))
        limits = replace(limits, cpu_s=cpu_s, wall_s=min(limits.wall_s, PATIENCE * cpu_s))
    return replace(suite, pass_to_pass=tuple(kept), served=served, limits=limits)


def settled(directory: TaskDirectory, sandbox: Sandbox) -> TaskDirectory | None:
    """The task without those of its tests that say otherwise under a grader than they did alone; None where too much would go.

    Such tests look at what a submission is not, for example at files beside the library.
    """
    entry = SuiteDirectory(directory)
    suite = adapt(entry, sandbox)
    kept = (*suite.fail_to_pass, *suite.pass_to_pass)
    every = (*entry.suite.fail_to_pass, *entry.suite.pass_to_pass)
    if not suite.fail_to_pass or not 0 < 1 - len(kept) / len(every) <= MOST_DROPPED:
        return None
    expected = json.loads(directory.tests[EXPECTED])
    expected |= {"fail_to_pass": list(suite.fail_to_pass), "pass_to_pass": list(suite.pass_to_pass)}
    text = json.dumps(expected, indent=1) + "\n"
    return replace(directory, tests={**directory.tests, EXPECTED: text.encode()})


class Output:
    """A folder that tasks are written to after they were validated."""

    def __init__(self, folder: Path, sandbox: Sandbox, report: Report) -> None:
        self.folder = folder
        self.refused: list[str] = []
        self.written: list[str] = []
        self._sandbox = sandbox
        self._report = report

    def keep(self, task: MadeTask) -> bool:
        """Validate and write a task; False, with a line that says why, when it is refused."""
        return self.keep_directory(as_directory(task))

    def keep_directory(self, directory: TaskDirectory, *, repeats: int = REPEATS) -> bool:
        """See :meth:`keep`."""
        why = refusal(directory, self._sandbox, repeats=repeats)
        if why.startswith(f"{REFERENCE} scores"):
            narrowed = settled(directory, self._sandbox)
            if narrowed is not None:
                directory = narrowed
                why = refusal(directory, self._sandbox, repeats=repeats)
        if why:
            self.refused.append(f"{directory.name}: refused: {why}")
            self._report(self.refused[-1])
            return False
        write_directory(directory, self.folder)
        self.written.append(directory.name)
        return True


def make_pair(
    name: str, old: str, new: str, folder: Path, sandbox: Sandbox, report: Report, *, split: Split = "test"
) -> Iterator[str]:
    """Make a release pair's tasks in ``folder``, giving each id as it is done; goes on with what is there. Raises SourceError."""
    key = f"release-pair {name} {old} {new} {split}"
    journal = Journal(folder)
    parts = journal.below(f"{key} ")
    done = [value.split()[0] for value in parts.values() if value]
    if not all((folder / task_id).is_dir() for task_id in done):
        parts.clear()
        journal.pop(key, None)
        done = []
    yield from done
    if journal.get(key) == DONE:
        return
    output = Output(folder, sandbox, report)
    made = make_release_pair(
        name, old, new, sandbox, cache_folder(), report, split=split, keep=output.keep, tried=parts
    )
    for task in made:
        yield task.id
    if not done and not output.written:
        raise SourceError(output.refused[0].replace(": refused: ", ": ", 1))
    journal[key] = DONE


def make_planted(
    library: str,
    folder: Path,
    sandbox: Sandbox,
    report: Report,
    *,
    count: int = 20,
    seed: int = 0,
    split: Split = "test",
) -> Iterator[str]:
    """Make mutation tasks of a library in ``folder``, giving each id as it is done; goes on with what is there.

    Raises SourceError.
    """
    journal = Journal(folder, prefix=f"mutation {library} {seed} {split} ")
    done = [task_id for task_id in journal.values() if task_id]
    yield from done[:count]
    if len(done) >= count:
        return
    output = Output(folder, sandbox, report)
    made = make_mutations(
        library,
        sandbox,
        cache_folder(),
        report,
        count=count,
        seed=seed,
        split=split,
        keep=output.keep,
        tried=journal,
    )
    for task in made:
        yield task.id


class Journal(MutableMapping[str, str]):
    """What was tried in a folder, kept in a file there; a ``prefix`` shows only the entries that begin with it."""

    def __init__(self, folder: Path, prefix: str = "") -> None:
        self._path = folder / JOURNAL
        self._prefix = prefix
        try:
            self._entries: dict[str, str] = json.loads(self._path.read_text())
        except FileNotFoundError:
            self._entries = {}
        except ValueError as error:
            raise SourceError(f"{self._path} is damaged; remove it to begin anew ({error})") from error

    def below(self, prefix: str) -> Journal:
        """The entries that begin with ``prefix``, in the same file."""
        view = copy.copy(self)
        view._prefix = self._prefix + prefix
        return view

    def __getitem__(self, key: str) -> str:
        return self._entries[self._prefix + key]

    def __setitem__(self, key: str, value: str) -> None:
        self._entries[self._prefix + key] = value
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        part.write_text(json.dumps(self._entries, indent=0))
        part.replace(self._path)

    def __delitem__(self, key: str) -> None:
        del self._entries[self._prefix + key]
        self._write()

    def __iter__(self) -> Iterator[str]:
        return (key[len(self._prefix) :] for key in self._entries if key.startswith(self._prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)
