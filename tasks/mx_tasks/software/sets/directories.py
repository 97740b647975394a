"""Task directories that are judged by hidden test suites: release pairs, mutations, imports, your own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.answers.patches import diff_of, files_in_answer
from mx_tasks.answers.programs import defines, program, reading_program
from mx_tasks.errors import check_split
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, fingerprint, read_directory
from mx_tasks.kept import Guard
from mx_tasks.sets import ListedTasks
from mx_tasks.software.cheats.suite import suite_cheats, suite_variants
from mx_tasks.software.grading.calls import SERVED, Served
from mx_tasks.software.grading.suite import Suite, grade_suite, passing_tests, suite_limits
from mx_tasks.software.made import EXPECTED, FORM, HIDDEN, UNVALIDATED, WORKSPACE
from mx_tasks.task import Budget, Grade, GradingError, Part, Submission, Task

LONGEST_LISTING = 6_000
MOST_NAMES = 60
ANSWER_FORM = "Change the files in the workspace, or answer with a unified diff in one ```diff block."


@dataclass(frozen=True)
class SuiteDirectory:
    """A directory of the form that is judged by a suite: the public task and its hidden side, parsed when they are needed."""

    directory: TaskDirectory

    @cached_property
    def task(self) -> Task:
        """What agents see."""
        ours, directory = self.directory.ours, self.directory
        prompt = _prompt(directory.instruction, self.suite)
        return Task(
            id=directory.name,
            domain="software",
            prompt=prompt,
            parts=(Part("all", prompt),),
            files=self.suite.files,
            image=str(ours.get("image", "python")),
            budget=Budget(calls=int(ours.get("calls", 24)), wall_s=float(ours.get("wall_s", 60.0))),
            difficulty=int(ours.get("difficulty", 3)),
            split=check_split(str(ours.get("split", "test"))),
            source=str(ours.get("origin", "")),
            licence=str(ours.get("licence", "")),
        )

    @cached_property
    def suite(self) -> Suite:
        """The hidden tests."""
        try:
            expected = json.loads(self.directory.tests[EXPECTED])
            wall_s = float(expected["wall_s"])
            files, tests = _below(self.directory.environment, WORKSPACE), _below(self.directory.tests, HIDDEN)
            return Suite(
                files=files,
                tests=tests,
                served=_served(files, tests),
                sources=tuple(map(str, expected["sources"])),
                fail_to_pass=tuple(map(str, expected["fail_to_pass"])),
                pass_to_pass=tuple(map(str, expected["pass_to_pass"])),
                config=str(expected["config"]),
                arguments=tuple(map(str, expected.get("arguments", ()))),
                limits=suite_limits(wall_s),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise TaskDirectoryError(f"{self.directory.name}/tests/{EXPECTED}: {error!r}") from error

    @cached_property
    def gold(self) -> dict[str, bytes | None]:
        """The files that mend it; None for those to be removed."""
        solve = self.directory.solution.get("solve.sh", b"").decode()
        removed = [
            line.split("'")[1][len("/app/") :]
            for line in solve.splitlines()
            if line.startswith("rm -f '/app/")
        ]
        return {**_below(self.directory.solution, HIDDEN), **dict.fromkeys(removed)}

    @property
    def reference(self) -> Submission:
        """The reference solution as files."""
        kept = {name: data for name, data in self.gold.items() if data is not None}
        return Submission(files=kept, removed=tuple(self.gold.keys() - kept.keys()))


class DirectoryTasks(ListedTasks[SuiteDirectory]):
    """The task directories in a ``folder`` (at any depth up to two), judged by their hidden suites.

    A task's verdicts hold for the Python version that it was made with; on another, those of its tests are left out that the
    reference solution does not pass there.
    """

    def __init__(self, folder: str | Path, name: str = "") -> None:
        self.folder = Path(folder)
        self._name = name or f"software:{self.folder.name}"
        found = sorted([*self.folder.glob("*/task.toml"), *self.folder.glob("*/*/task.toml")])
        if (self.folder / "task.toml").is_file():
            found = [self.folder / "task.toml"]
        if not found:
            raise TaskDirectoryError(f"no task directory (one that holds a task.toml) in {self.folder}")
        self._take([read_directory(path.parent) for path in found])

    @classmethod
    def of(cls, directories: Sequence[TaskDirectory], name: str = "software:made") -> DirectoryTasks:
        """The set of directories that are not on disk."""
        made = cls.__new__(cls)
        made.folder, made._name = Path(), name
        made._take(directories)
        return made

    def _take(self, directories: Sequence[TaskDirectory]) -> None:
        for directory in directories:
            if directory.ours.get("form") != FORM:
                raise TaskDirectoryError(
                    f"{directory.name}: its task.toml lacks form = {FORM!r} under [metadata.mx]; bring Harbor's own directories in "
                    "with: mx tasks import harbor PATH --out FOLDER"
                )
        self._entries = {directory.name: SuiteDirectory(directory) for directory in directories}
        self._adapted: dict[tuple[str, str], Suite] = {}
        self._pythons: dict[int, str] = {}
        self._lock = Guard()

    @property
    def name(self) -> str:
        """The name on the command line."""
        return self._name

    def marks(self) -> Iterator[bytes]:
        """All files, hashed."""
        return (fingerprint(entry.directory).encode() for entry in self._entries.values())

    def outputs(self, task: Task) -> Sequence[str]:
        """The library's source files and folders."""
        return self._entry(task.id).suite.sources

    def directory(self, task: Task) -> TaskDirectory:
        """Its directory, as it is on disk."""
        return self._entry(task.id).directory

    def about(self, task: Task) -> Mapping[str, Any]:
        """Our own fields of its ``task.toml``."""
        return self._entry(task.id).directory.ours

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Run the hidden tests on the original tree with the submitted sources; see ``grade_suite``."""
        suite = self._suite(task.id, sandbox)
        grade = grade_suite(suite, _with_answer(suite, submission), sandbox)
        log = f"{grade.log}\njudged by {self.judged_by(task)}"
        return replace(grade, parts={part.name: grade.score for part in task.parts}, log=log)

    def judged_by(self, task: Task) -> str:
        """How many tests judge a task, and how many of its library's suite do not, for people."""
        entry = self._entry(task.id)
        ours, suite = entry.directory.ours, entry.suite
        tests = (
            f"{len(suite.fail_to_pass)} tests to be mended and {len(suite.pass_to_pass)} that pass already"
        )
        if UNVALIDATED in ours:
            tests += f"; not validated: {ours[UNVALIDATED]}"
        if "suite" not in ours:
            return tests
        rest = f"{ours.get('left_out', 0)} of the suite's {ours['suite']} left out"
        return f"{tests}; {rest} (budget {ours.get('budget_s', 0):g} s)"

    def changes(self, task: Task, submission: Submission) -> Mapping[str, bytes | None]:
        """The files that were handed in, in the workspace or in the answer; None for those removed."""
        read = _with_answer(self._entry(task.id).suite, submission)
        return {**read.files, **dict.fromkeys(read.removed)}

    def gold(self, task: Task) -> Submission:
        """The reference solution as a diff; nothing where a task has none."""
        entry = self._entry(task.id)
        if UNVALIDATED in entry.directory.ours:
            return Submission()
        diff = diff_of(entry.suite.files, entry.gold)
        written = files_in_answer(f"```diff\n{diff}```\n", entry.suite.files, entry.suite.sources)
        if written == entry.gold:
            return Submission(f"```diff\n{diff}```\n")
        return entry.reference

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Submissions that attack the grader instead of mending anything; each must score 0."""
        return suite_cheats(self._entry(task.id).suite)

    def more_cheats(self, task: Task) -> Mapping[str, Submission]:
        """The same once more at other moments: at the first call, in threads, later; for those who have time."""
        return suite_variants(self._entry(task.id).suite)

    def _suite(self, task_id: str, sandbox: Sandbox) -> Suite:
        """The task's suite, without what the reference solution does not pass on this sandbox's Python. Raises GradingError."""
        entry = self._entry(task_id)
        python = self._python(sandbox)
        made_with = entry.directory.ours.get("python", python)
        if not python or python == made_with:
            return entry.suite
        with self._lock:
            known = self._adapted.get((task_id, python))
        if known is None:
            known = adapt(entry, sandbox)
            with self._lock:
                self._adapted[task_id, python] = known
        if not known.fail_to_pass:
            raise GradingError(
                f"{task_id} was made with Python {made_with} and shows nothing on Python {python}"
            )
        return known

    def _python(self, sandbox: Sandbox) -> str:
        with self._lock:
            known = self._pythons.get(id(sandbox))
        if known is None:
            done = sandbox.run(["python", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"])
            known = done.stdout.decode(errors="replace").strip()
            with self._lock:
                self._pythons[id(sandbox)] = known
        return known


def _served(files: Mapping[str, bytes], tests: Mapping[str, bytes]) -> Served | None:
    """How the task's functions are called, where its tests do nothing but call functions."""
    text = next((data for name, data in tests.items() if name.rpartition("/")[2] == SERVED), None)
    if text is None:
        return None
    served = Served.read(text)
    if "prelude" not in json.loads(text):
        return served
    # made by a version that put the reference's helpers beside submissions: what was public of them is in the file as given
    given = files.get(served.file, b"").decode(errors="replace")
    last = given.rfind("\ndef ")
    return replace(served, before=given[: last + 1] if "raise NotImplementedError" in given else "")


def adapt(entry: SuiteDirectory, sandbox: Sandbox) -> Suite:
    """The suite with the verdicts that hold in this sandbox: broken ones fail before and pass after, the others pass on both."""
    suite = entry.suite
    mended = {name: data for name, data in {**suite.files, **entry.gold}.items() if data is not None}
    before, after = (passing_tests(suite, tree, sandbox) for tree in (suite.files, mended))
    return replace(
        suite,
        fail_to_pass=tuple(test for test in suite.fail_to_pass if test in after and test not in before),
        pass_to_pass=tuple(test for test in suite.pass_to_pass if test in after and test in before),
    )


def _with_answer(suite: Suite, submission: Submission) -> Submission:
    """The submission with the files that its answer text holds; files changed in the workspace win."""
    changed = {name: data for name, data in submission.files.items() if suite.files.get(name) != data}
    if changed or submission.removed or not submission.answer:
        return submission
    found = _files_of(suite, submission.answer)
    kept = {name: data for name, data in found.items() if data is not None}
    return replace(submission, files={**submission.files, **kept}, removed=tuple(found.keys() - kept.keys()))


def _files_of(suite: Suite, answer: str) -> dict[str, bytes | None]:
    """What an answer hands in. Where functions are asked for, their file is the last draft that defines them."""
    served = suite.served
    if served is not None and served.entries and suite.sources == (served.file,):
        given = suite.files[served.file].decode(errors="replace")
        names = served.entries
        if "Solution" in served.after and defines(answer, ("Solution",)):
            names = ("Solution",)
        text = reading_program(answer) if served.program else program(answer, names, given)
        if text is not None:
            return {served.file: text.encode(errors="replace")}
    return files_in_answer(answer, suite.files, suite.sources)


def _below(files: Mapping[str, bytes], prefix: str) -> dict[str, bytes]:
    return {name[len(prefix) :]: data for name, data in files.items() if name.startswith(prefix)}


def _prompt(instruction: str, suite: Suite) -> str:
    code = [
        name
        for name in sorted(suite.files)
        if name.endswith(".py") and any(name.startswith(source) for source in suite.sources)
    ]
    texts = [
        f"`{name}`:\n\n```python\n{suite.files[name].decode(errors='replace').strip()}\n```" for name in code
    ]
    if sum(map(len, texts)) > LONGEST_LISTING:
        more = f"\n- and {len(code) - MOST_NAMES} more" if len(code) > MOST_NAMES else ""
        texts = ["Source files:\n\n" + "\n".join(f"- {name}" for name in code[:MOST_NAMES]) + more]
    return "\n\n".join([instruction.strip(), *texts, ANSWER_FORM]) + "\n"
