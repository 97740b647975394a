"""A run of pytest in the grading sandbox, and its account of itself: read strictly, because tested code may have written it."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib import resources
from typing import Any

from mx_sandboxes import Completed, Limits, Reason, Sandbox

CONFIG = "pytest.ini"
LARGEST_ACCOUNT = 16 << 20
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")
_OPTIONS = (
    f"-p no:cacheprovider -c {CONFIG} --rootdir=. -q --no-header --no-summary --tb=short --continue-on-collection-errors "
    "-o addopts="
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
    """A run of pytest: each test's outcome by id, what the run says of itself, and why it came to no end where it did not.

    ``forged`` says what in its account no run of pytest can have said.
    """

    __test__ = False  # no test class, whatever its name begins with

    outcomes: Mapping[str, Outcome]
    messages: Mapping[str, str]
    changed: tuple[str, ...]
    completed: Completed
    error: str = ""
    forged: str = ""

    @property
    def consistent(self) -> bool:
        """Whether the exit code says the same as the report."""
        failed = any(outcome is Outcome.FAILED for outcome in self.outcomes.values())
        return not self.error and self.completed.exit_code == int(failed)


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
    plugin = f"_{secrets.token_hex(8)}"
    order = json.dumps({"tests": None if tests is None else list(tests)}).encode()
    where = list(targets) or sorted({test.partition("::")[0] for test in tests or ()})
    argv = ["python", "-m", "pytest", "-p", plugin, *_OPTIONS, *arguments, *where]
    completed = sandbox.run(
        argv,
        stdin=order,
        files={**files, CONFIG: config.encode(), f"{plugin}.py": _JUDGE},
        env={"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        limits=replace(
            limits or Limits(wall_s=60.0, cpu_s=60.0, memory_bytes=1 << 30), output_bytes=LARGEST_ACCOUNT
        ),
    )
    return read_run(completed, None if tests is None else frozenset(tests))


@dataclass
class _Account:
    """What a run said so far. Each line has its place: another order is no run's."""

    collected: list[str] = field(default_factory=list)
    begun: bool = False
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    broken: dict[str, Outcome] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)
    end: int | None = None

    def take(self, entry: Any) -> str:
        """Take in a line; what is wrong with it, or nothing."""
        if self.end is not None:
            return "something after its end"
        match entry:
            case {"broken": str(name), "message": str(message)} if not self.begun:
                self.broken[name], self.messages[name] = Outcome.FAILED, message
            case {"collected": list(names)} if not self.begun and all(isinstance(n, str) for n in names):
                self.collected, self.begun = names, True
            case {"test": str(test), "outcome": str(outcome), "message": str(message)} if self.begun:
                return self._take_test(test, outcome, message)
            case {"end": int(code), "changed": list(changed)}:
                self.end, self.changed = code, [str(name)[:100] for name in changed]
            case _:
                return "a line that is none"
        return ""

    def _take_test(self, test: str, outcome: str, message: str) -> str:
        place = len(self.outcomes)
        if place >= len(self.collected) or self.collected[place] != test:
            return "a test out of turn"
        if outcome not in _NAMED:
            return "an outcome that is none"
        self.outcomes[test] = _NAMED[outcome]
        if message:
            self.messages[test] = _ADDRESS.sub("0x...", message)[:300]
        return ""


_NAMED = {
    "passed": Outcome.PASSED,
    "failed": Outcome.FAILED,
    "skipped": Outcome.SKIPPED,
    "unexpected": Outcome.UNEXPECTED,
}


def read_run(completed: Completed, asked: frozenset[str] | None = None) -> TestRun:
    """What a job that ran pytest with our plugin said; ``asked`` are the tests that there may be, without parameters."""
    account = _Account()
    forged = ""
    for line in completed.stdout.decode(errors="replace").splitlines():
        try:
            forged = forged or account.take(json.loads(line))
        except (ValueError, RecursionError):
            forged = forged or "a line that is none"
    if not forged and len(set(account.collected)) < len(account.collected):
        forged = "a test twice"
    if (
        not forged
        and asked is not None
        and not {each.partition("[")[0] for each in account.collected} <= asked
    ):
        forged = "a test that was not asked for"
    if not forged and account.end is None and completed.reason is Reason.EXITED and completed.exit_code == 0:
        forged = "nothing of its end, though it ended with exit code 0"
    changed = tuple(account.changed)
    if forged:
        return TestRun({}, {}, changed, completed, forged=forged, error="its account cannot be read")
    if account.end is None or completed.reason is not Reason.EXITED:
        return TestRun({}, {}, changed, completed, error=_why_no_end(completed))
    return TestRun({**account.broken, **account.outcomes}, account.messages, changed, completed)


def _why_no_end(completed: Completed) -> str:
    if completed.reason is not Reason.EXITED:
        return f"no report: {completed.reason.value}"
    lines = (completed.stderr or completed.stdout).decode(errors="replace").strip().splitlines()
    return f"no report: exit code {completed.exit_code}" + (f", {ascii(lines[-1])[:200]}" if lines else "")
