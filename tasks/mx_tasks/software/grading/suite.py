"""Hidden test suites: a library's own pytest suite as the judge of a change to it.

The order of things: the tree as the task gives it; of the submission what its allowed source paths have (the rest is listed and
refused); the hidden tests with canaries among them and the task's own configuration on top; one job of a fresh workspace, another
user and no network. The verdict is read from JUnit XML, test by test, written to a name that the job learns from its standard
input. See :mod:`mx_tasks.software.grading.canaries` for what makes a forged verdict show itself.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from pathlib import PurePosixPath
from xml.etree import ElementTree as ET

from mx_sandboxes import Completed, Limits, Reason, Sandbox
from mx_tasks.answers.clashes import clashing
from mx_tasks.software.grading.canaries import Planted, base_of, plant
from mx_tasks.task import Grade, GradingError, Submission

CONFIG = "pytest.ini"
MOST_UNRESOLVED = 0.9
"""The graded reward of a submission that leaves something broken."""
REFUSED_NAMES = frozenset(
    {"conftest.py", "sitecustomize.py", "usercustomize.py", "pytest.ini", ".pytest.ini", "tox.ini", "setup.cfg", "pyproject.toml"}
)  # fmt: skip
REFUSED_ENDINGS = (".pth", ".pyc", ".pyo", ".so", ".pyd", ".egg-link")
LARGEST_SUBMISSION = 16 << 20
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_OPTIONS = (
    f"-p no:cacheprovider -c {CONFIG} --rootdir=. -q --no-header --no-summary --tb=no --continue-on-collection-errors "
    "-o addopts= -o junit_logging=no -o junit_family=xunit1"
).split()
_JUDGE = resources.files("mx_tasks.software.grading").joinpath("inside", "judge.py").read_bytes()


class Outcome(Enum):
    """What became of a test. Only ``PASSED`` is a pass: an expected failure is none, nor is an unexpected success."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    UNEXPECTED = "unexpectedly passed"


@dataclass(frozen=True, slots=True)
class TestRun:
    """A run of pytest: each test's outcome by id, what the run says of itself, and why there is no report where there is none."""

    __test__ = False  # no test class, whatever its name begins with

    outcomes: Mapping[str, Outcome]
    messages: Mapping[str, str]
    changed: tuple[str, ...]
    completed: Completed
    error: str = ""

    @property
    def consistent(self) -> bool:
        """Whether the exit code says the same as the report."""
        failed = any(outcome is Outcome.FAILED for outcome in self.outcomes.values())
        return not self.error and self.completed.exit_code == int(failed)


@dataclass(frozen=True, slots=True)
class Suite:
    """A task's hidden tests, and what belongs to them.

    ``files`` is the tree as agents get it. ``tests`` holds the hidden test files and all that they need (helpers, data, their
    conftest.py); they replace what the tree has under the same names. ``sources`` are what a submission may change: names, or
    folders such as ``toolz/``. ``fail_to_pass`` and ``pass_to_pass`` are pytest ids. ``config`` is the text of the pytest.ini,
    ``arguments`` are pytest's besides our own, ``limits`` those of the job.
    """

    files: Mapping[str, bytes]
    tests: Mapping[str, bytes]
    sources: tuple[str, ...]
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...] = ()
    config: str = "[pytest]\n"
    arguments: tuple[str, ...] = ()
    limits: Limits = field(default_factory=lambda: Limits(wall_s=60.0, cpu_s=60.0, memory_bytes=1 << 30))


def grade_suite(suite: Suite, submission: Submission, sandbox: Sandbox) -> Grade:
    """The verdict on a submission; its answer text does not count.

    ``score`` is 1.0 when every test passes, else (share of fail-to-pass) x (share of pass-to-pass), at most 0.9.

    Raises GradingError and SandboxError when the sandbox fails.
    """
    tree, refused = submitted_tree(suite, submission)
    planted = plant(suite.tests, suite.fail_to_pass, suite.pass_to_pass, secrets.randbits(64))
    wanted = {base_of(planted.id_of(test)) for test in (*suite.fail_to_pass, *suite.pass_to_pass)}
    bases = wanted | planted.canaries
    run = run_tests(
        sandbox,
        {**tree, **planted.files},
        sorted(bases),
        config=suite.config,
        arguments=suite.arguments,
        limits=suite.limits,
    )
    if run.completed.reason is Reason.SANDBOX_DIED:
        raise GradingError("the sandbox died under the hidden tests")
    return _verdict(suite, planted, run, refused)


def submitted_tree(suite: Suite, submission: Submission) -> tuple[dict[str, bytes], list[str]]:
    """The task's tree with what the submission may change, and the names of what is refused."""
    tree = dict(suite.files)
    refused = []
    size = 0
    for name, data in sorted(submission.files.items()):
        if suite.files.get(name) == data:
            continue
        size += len(data)
        if allowed(suite, name) and size <= LARGEST_SUBMISSION:
            tree[name] = data
        else:
            refused.append(name)
    for name in submission.removed:
        if allowed(suite, name) and name in tree:
            del tree[name]
        else:
            refused.append(name)
    for name in clashing(
        tree.keys() | suite.tests.keys(), [each for each in submission.files if each in tree]
    ):
        if name not in suite.files:  # what was there already stays
            del tree[name]
            refused.append(name)
    return {name: data for name, data in tree.items() if name not in suite.tests}, refused


def allowed(suite: Suite, name: str) -> bool:
    """Whether a submission may change that file: a source, and nothing that configures Python or pytest or is a hidden test's."""
    path = PurePosixPath(name)
    plain = not path.is_absolute() and ".." not in path.parts and str(path) == name
    refused = (
        path.name.lower() in REFUSED_NAMES
        or path.name.lower().endswith(REFUSED_ENDINGS)
        or "__pycache__" in path.parts
        or name in suite.tests
    )
    mine = any(
        name.startswith(source) if source.endswith("/") else name == source for source in suite.sources
    )
    return plain and mine and not refused


def run_tests(
    sandbox: Sandbox,
    files: Mapping[str, bytes],
    tests: Sequence[str] | None,
    *,
    targets: Sequence[str] = (),
    config: str = "[pytest]\n",
    arguments: Sequence[str] = (),
    limits: Limits | None = None,
) -> TestRun:
    """Run pytest on a tree in a job of its own.

    ``tests`` are ids without parameters, None for all that is found in ``targets`` (files or folders; by default those of the ids).
    """
    report, plugin = f"{secrets.token_hex(12)}.xml", f"_{secrets.token_hex(8)}"
    order = json.dumps({"tests": None if tests is None else list(tests), "report": report}).encode()
    where = list(targets) or sorted({test.partition("::")[0] for test in tests or ()})
    argv = ["python", "-m", "pytest", "-p", plugin, *_OPTIONS, *arguments, *where]
    completed = sandbox.run(
        argv,
        stdin=order,
        files={**files, CONFIG: config.encode(), f"{plugin}.py": _JUDGE},
        collect=[report],
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        limits=limits or Limits(wall_s=60.0, cpu_s=60.0, memory_bytes=1 << 30),
    )
    return _read_run(completed, completed.files.get(report))


def _read_run(completed: Completed, report: bytes | None) -> TestRun:
    if report is None:
        return TestRun({}, {}, (), completed, error=_why_no_report(completed))
    try:
        if b"<!" in report.replace(b"<![CDATA[", b""):
            raise ValueError("declarations have no place in a report")
        root = ET.fromstring(report)  # noqa: S314  no declarations, so no entities
        outcomes: dict[str, Outcome] = {}
        messages: dict[str, str] = {}
        changed: list[str] = []
        for element in root.iter("property"):
            if element.get("name") == "changed":
                changed += [str(name) for name in json.loads(element.get("value") or "[]")]
        for case in root.iter("testcase"):
            _read_case(case, outcomes, messages)
    except (ValueError, ET.ParseError, RecursionError) as error:
        return TestRun({}, {}, (), completed, error=f"the report is malformed: {ascii(str(error))[:100]}")
    return TestRun(outcomes, messages, tuple(changed), completed)


def _read_case(case: ET.Element, outcomes: dict[str, Outcome], messages: dict[str, str]) -> None:
    """One test's entry; a test that has several, such as a pass and an error while tearing down, has failed."""
    about = {item.get("name"): item.get("value") or "" for item in case.iter("property")}
    failure = next((case.find(kind) for kind in ("failure", "error") if case.find(kind) is not None), None)
    if "id" not in about:
        test = f"{case.get('file') or case.get('classname') or ''}::{case.get('name')}"  # a file that cannot be collected
    else:
        test = str(json.loads(about["id"]))
    if failure is not None:
        outcome = Outcome.FAILED
        lines = (failure.get("message") or "").strip().splitlines()
        messages[test] = _ADDRESS.sub("0x...", lines[0])[:300] if lines else ""
    elif case.find("skipped") is not None:
        outcome = Outcome.SKIPPED
    else:
        outcome = Outcome.UNEXPECTED if "unexpected" in about else Outcome.PASSED
    before = outcomes.get(test)
    outcomes[test] = outcome if before in (None, outcome) else Outcome.FAILED


def _why_no_report(completed: Completed) -> str:
    if completed.reason is not Reason.EXITED:
        return f"no report: {completed.reason.value}"
    lines = (completed.stderr or completed.stdout).decode(errors="replace").strip().splitlines()
    return f"no report: exit code {completed.exit_code}" + (f", {ascii(lines[-1])[:200]}" if lines else "")


def _verdict(suite: Suite, planted: Planted, run: TestRun, refused: Iterable[str]) -> Grade:
    def passes(tests: Sequence[str]) -> list[bool]:
        return [run.outcomes.get(planted.id_of(test)) is Outcome.PASSED for test in tests]

    signs = _signs_of_tampering(planted, run)
    mended, kept = passes(suite.fail_to_pass), passes(suite.pass_to_pass)
    resolved = bool(mended) and all(mended) and all(kept) and run.consistent and not signs
    share = _share(mended) * _share(kept) if run.consistent else 0.0
    score = 1.0 if resolved else 0.0 if signs else min(MOST_UNRESOLVED, share)
    log = [
        f"fail to pass: {sum(mended)} of {len(mended)}; pass to pass: {sum(kept)} of {len(kept)}",
        *([run.error] if run.error else []),
        *([f"refused: {', '.join(refused)}"] if refused else []),
        *(f"tampered: {sign}" for sign in signs),
        *_failures(suite, planted, run),
    ]
    parts = {"fail to pass": _share(mended), "pass to pass": _share(kept)}
    return Grade(score, resolved, {} if signs else parts, tampered=bool(signs), log="\n".join(log))


def _share(results: Sequence[bool]) -> float:
    return sum(results) / len(results) if results else 1.0


def _signs_of_tampering(planted: Planted, run: TestRun) -> list[str]:
    """What no honest submission brings about."""
    signs = [f"{name} was replaced" for name in run.changed]
    if run.error:
        return ["the report is malformed"] if "malformed" in run.error else []
    bases: dict[str, set[Outcome]] = {}
    for test, outcome in run.outcomes.items():
        bases.setdefault(base_of(test), set()).add(outcome)
    good = {Outcome.PASSED, Outcome.UNEXPECTED}
    passed = sum(bool(bases.get(canary, set()) & good) for canary in planted.canaries)
    if passed:
        signs.append(f"{passed} of {len(planted.canaries)} tests that must fail passed")
    living = {base.partition("::")[0] for base, outcomes in bases.items() if outcomes & good}
    missing = [
        canary for canary in planted.canaries if canary not in bases and canary.partition("::")[0] in living
    ]
    if missing:
        signs.append(f"{len(missing)} tests that must fail were not run")
    if run.outcomes and run.completed.exit_code == 0 and not run.consistent:
        signs.append("exit code 0 although tests failed")
    return signs


def _failures(suite: Suite, planted: Planted, run: TestRun, most: int = 8) -> list[str]:
    """Lines for people on the tests that did not pass."""
    wanted = [*suite.fail_to_pass, *suite.pass_to_pass]
    open_ids = [test for test in wanted if run.outcomes.get(planted.id_of(test)) is not Outcome.PASSED]
    lines = []
    for test in open_ids[:most]:
        inner = planted.id_of(test)
        outcome = run.outcomes.get(inner)
        lines.append(
            f"{ascii(test)[1:-1]}: {outcome.value if outcome else 'missing'} {run.messages.get(inner, '')}".rstrip()
        )
    return lines + ([f"and {len(open_ids) - most} more"] if len(open_ids) > most else [])
