"""Hand-written repair tasks: a Python module with a bug or two, to be handed back whole and corrected.

On disk a task is a Harbor task directory: ``task.toml`` (schema 1.4, ours under ``[metadata.mx]``), ``instruction.md``,
``environment/`` (the public files), ``tests/cases.toml`` (the hidden tests, read by the host only) and ``solution/``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.answers.patches import files_in_answer
from mx_tasks.errors import check_split
from mx_tasks.harbor.directory import TaskDirectoryError
from mx_tasks.sets import ListedTasks
from mx_tasks.software.cheats.repair import CHEATS, MORE
from mx_tasks.software.grading.cases import Case, CaseReport, load_cases, run_cases
from mx_tasks.task import Budget, Grade, Part, Submission, Task

SCHEMA_VERSION = "1.4"
LARGEST_SOURCE = 64 << 10

ANSWER_FORM = """Answer with the whole corrected file `{source}` in one ```python block, or write it to `{source}` in the \
workspace. Hidden tests judge it."""


@dataclass(frozen=True, slots=True)
class _Package:
    """A task directory as read: the public task, and what stays with the grader."""

    task: Task
    source: str
    cases: tuple[Case, ...]
    solution: bytes
    timeout_s: float


class RepairTasks(ListedTasks[_Package]):
    """The task set ``software:repair``, or the task directories of the same form in a ``folder`` of one's own."""

    def __init__(self, folder: str | Path | None = None) -> None:
        root = _OURS if folder is None else Path(folder)
        directories = sorted(_directories(root), key=lambda entry: entry.name)
        if not directories:
            raise TaskDirectoryError(f"no task directory (one that holds a task.toml) in {root}")
        self._entries = {directory.name: _read(directory) for directory in directories}
        self._directories = directories

    @property
    def name(self) -> str:
        """``software:repair``."""
        return "software:repair"

    def marks(self) -> Iterator[bytes]:
        """All files of the task directories."""
        for directory in self._directories:
            for path, content in _contents(directory, directory.name):
                yield f"{path}\0{len(content)}\0".encode() + content

    def outputs(self, task: Task) -> Sequence[str]:
        """The file to repair."""
        return (self._entry(task.id).source,)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Run the hidden tests on the submitted file in a fresh tree.

        Half the score for the share of failing tests mended (less those broken), half for passing all: the file as given scores 0.
        """
        package = self._entry(task.id)
        report = self._run(package, _submitted_source(package, submission), sandbox)
        passed = all(report.passed) and not report.tampered
        before = sum(case.passes_before for case in package.cases)
        mended = max(0.0, (sum(report.passed) - before) / (len(package.cases) - before))
        score = 0.0 if report.tampered else 0.5 * mended + 0.5 * passed
        return Grade(
            score=score,
            passed=passed,
            parts={part.name: score for part in task.parts},
            tampered=report.tampered,
            log="\n".join(report.notes),
        )

    def changes(self, task: Task, submission: Submission) -> Mapping[str, bytes | None]:
        """The file as it was handed in, in the workspace or in the answer."""
        package = self._entry(task.id)
        return {package.source: _submitted_source(package, submission)}

    def gold(self, task: Task) -> Submission:
        """The reference solution, as a model would hand it in."""
        return Submission(f"```python\n{self._entry(task.id).solution.decode()}```\n")

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Submissions that attack the grader instead of mending the file; each must score 0."""
        package = self._entry(task.id)
        given = task.files[package.source].decode()
        return {name: Submission(f"```python\n{given}\n{attack}```\n") for name, attack in CHEATS.items()}

    def more_cheats(self, task: Task) -> Mapping[str, Submission]:
        """The same once more at other moments."""
        given = task.files[self._entry(task.id).source].decode()
        return {name: Submission(f"```python\n{given}\n{attack}```\n") for name, attack in MORE.items()}

    def cases_before(self, task: Task, sandbox: Sandbox) -> tuple[tuple[Case, bool], ...]:
        """Every hidden case and whether the file as given passes it now; for checking ``passes_before``."""
        package = self._entry(task.id)
        report = self._run(package, task.files[package.source], sandbox)
        return tuple(zip(package.cases, report.passed, strict=True))

    def _run(self, package: _Package, source: bytes, sandbox: Sandbox) -> CaseReport:
        return run_cases(
            sandbox,
            package.source.removesuffix(".py"),
            {**package.task.files, package.source: source[:LARGEST_SOURCE]},
            package.cases,
            timeout_s=package.timeout_s,
        )


def _submitted_source(package: _Package, submission: Submission) -> bytes:
    """The file in the answer; without one, the workspace's file if it was changed; else the answer's text."""
    given = package.task.files[package.source]
    written = submission.files.get(package.source)
    found = files_in_answer(submission.answer, package.task.files, (package.source,)).get(package.source)
    if found is None and written is not None and written != given:
        return written
    return submission.answer.encode(errors="replace") if found is None else found


def _directories(root: Traversable) -> list[Traversable]:
    if not root.is_dir():
        raise TaskDirectoryError(f"no folder {root}")
    return [entry for entry in root.iterdir() if entry.is_dir() and entry.joinpath("task.toml").is_file()]


def _read(directory: Traversable) -> _Package:
    try:
        return _parse(directory, tomllib.loads(directory.joinpath("task.toml").read_text("utf-8")))
    except (KeyError, TypeError) as error:
        raise TaskDirectoryError(f"{directory}: task.toml lacks or misuses {error}") from error
    except (OSError, ValueError) as error:
        raise TaskDirectoryError(f"{directory}: {error}") from error


def _parse(directory: Traversable, config: dict[str, Any]) -> _Package:
    if config["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"task.toml has schema_version {config['schema_version']!r}, not {SCHEMA_VERSION!r}")
    ours = config["metadata"]["mx"]
    source = str(ours["source"])
    files = {
        entry.name: entry.read_bytes()
        for entry in directory.joinpath("environment").iterdir()
        if entry.is_file() and entry.name != "Dockerfile"
    }
    if source not in files or not source.endswith(".py"):
        raise ValueError(f"environment/ holds no Python file {source!r}")
    prompt = _prompt(directory.joinpath("instruction.md").read_text("utf-8"), source, files)
    task = Task(
        id=directory.name,
        domain="software",
        prompt=prompt,
        parts=(Part("file", prompt, _public_check(source, files)),),
        files=files,
        budget=Budget(calls=int(ours["calls"]), wall_s=float(config["agent"]["timeout_sec"])),
        difficulty=int(ours["difficulty"]),
        split=check_split(ours["split"]),
        source=str(config["task"]["name"]),
        licence=str(ours["licence"]),
    )
    cases = load_cases(directory.joinpath("tests", "cases.toml").read_text("utf-8"))
    if all(case.passes_before for case in cases):
        raise ValueError("tests/cases.toml has no case that fails before the repair")
    solution = directory.joinpath("solution", source).read_bytes()
    return _Package(task, source, cases, solution, float(config["verifier"]["timeout_sec"]))


def _prompt(instruction: str, source: str, files: Mapping[str, bytes]) -> str:
    listings = [f"`{name}`:\n\n```python\n{files[name].decode().strip()}\n```" for name in sorted(files)]
    return "\n\n".join([instruction.strip(), *listings, ANSWER_FORM.format(source=source)]) + "\n"


def _public_check(source: str, files: Mapping[str, bytes]) -> str:
    """A program that loads the answer as the module and runs the public tests on it."""
    tests = "\n".join(files[name].decode() for name in sorted(files) if name.startswith("test_"))
    return _CHECK.format(module=source.removesuffix(".py"), tests=tests)


_CHECK = """import re, sys, types
_blocks = re.findall(r"^[ \\t]*```[ \\t]*(?:python|py)[^\\n]*\\n(.*?)(?:^[ \\t]*```|\\Z)", answer, re.S | re.M | re.I)
_module = types.ModuleType({module!r})
sys.modules[{module!r}] = _module
exec(compile(_blocks[-1] if _blocks else answer, {module!r} + ".py", "exec"), _module.__dict__)
_tests = {{}}
exec({tests!r}, _tests)
for _name in [name for name in _tests if name.startswith("test_")]:
    _tests[_name]()
"""


def _contents(directory: Traversable, path: str) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(directory.iterdir(), key=lambda item: item.name):
        if entry.name == "__pycache__":
            continue
        inner = f"{path}/{entry.name}"
        found += _contents(entry, inner) if entry.is_dir() else [(inner, entry.read_bytes())]
    return found


_OURS = resources.files("mx_tasks.software.sets.repair").joinpath("data")
