"""Run a library's own tests in the sandbox while tasks are made: verdicts by id, functions reached, example calls."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from mx_sandboxes import Completed, Reason, Sandbox
from mx_tasks.side_by_side import in_order
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.archives import Tree
from mx_tasks.software.generate.trees import DEPS, Library, pytest_settings, test_paths
from mx_tasks.software.grading.suite import suite_limits

CONFIG = "mx_pytest.ini"
_INSIDE = resources.files("mx_tasks.software.grading").joinpath("inside")
_PROBE = {name: _INSIDE.joinpath(name).read_bytes() for name in ("mx_probe.py", "mx_asleep.py")}
_NETWORK = re.compile(
    r"gaierror|Network is unreachable|name resolution|NewConnectionError|ConnectError|URLError"
)
_MISSING = re.compile(r"No module named '([^']+)'")
TEST_S = 10.0
"""Seconds of processor time that a test may take; three times as long asleep."""
LONGEST_RUN_S = 300.0
AT_ONCE = 2
BUDGET_S = 60.0
"""Seconds that the tests which judge a task may take together, besides those that it is about. What is left out is said."""


@dataclass(frozen=True, slots=True)
class Suite:
    """A library's tests: files, what pytest is pointed at and told, where code is imported from, what else they need."""

    files: Tree
    paths: tuple[str, ...]
    pythonpath: tuple[str, ...]
    settings: Mapping[str, str]
    library: tuple[str, ...]
    deps: Tree = field(default_factory=dict)

    @property
    def config(self) -> bytes:
        """The task's own pytest configuration, which replaces whatever the library or an agent has."""
        names = {"python_files": "test_*.py *_test.py *_tests.py tests.py test.py", **self.settings}
        lines = [f"{key} = {names[key]}" for key in sorted(names) if key.startswith("python_")]
        return "\n".join(["[pytest]", f"pythonpath = {' '.join(self.pythonpath)}", *lines, ""]).encode()

    @property
    def mode(self) -> tuple[str, ...]:
        """The library's own way to import its tests."""
        return ("--import-mode=importlib",) if "importlib" in self.settings else ()

    @property
    def arguments(self) -> list[str]:
        """pytest's arguments but for plugins and paths."""
        fixed = [
            "-c",
            CONFIG,
            "--rootdir=.",
            "-q",
            "--no-header",
            "--continue-on-collection-errors",
            "-p",
            "no:cacheprovider",
        ]
        return fixed + list(self.mode)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: outcome, failure message, file, seconds and what was recorded of each test by id; errors of collection by file.

    Seconds are those on a processor and asleep, so that they say the same on a busy machine. ``hung`` are tests that were stopped.
    """

    outcomes: Mapping[str, str]
    messages: Mapping[str, str]
    files: Mapping[str, str]
    durations: Mapping[str, float]
    reach: Mapping[str, frozenset[tuple[str, int]]]
    calls: Mapping[str, list[dict[str, Any]]]
    errors: Sequence[tuple[str, str]]
    seconds: float
    hung: frozenset[str] = frozenset()

    @property
    def passed(self) -> frozenset[str]:
        """Ids of the tests that passed."""
        return frozenset(name for name, outcome in self.outcomes.items() if outcome == "passed")

    @property
    def failed(self) -> frozenset[str]:
        """Ids of the tests that ran and failed."""
        return frozenset(name for name, outcome in self.outcomes.items() if outcome == "failed")

    @property
    def missing(self) -> list[str]:
        """Top-level modules that were not found, most often missed first."""
        texts = [text for _, text in self.errors] + list(self.messages.values())
        names = [name.partition(".")[0] for text in texts for name in _MISSING.findall(text)]
        return sorted(set(names), key=lambda name: -names.count(name))

    @property
    def needs_network(self) -> bool:
        """Whether failures speak of a network."""
        return any(
            _NETWORK.search(text) for text in (*self.messages.values(), *(text for _, text in self.errors))
        )


class HangError(SourceError):
    """The suite did not come to its end in time."""


def suite_of(library: Library, deps: Tree) -> Suite:
    """The suite that came with a library. Raises SourceError when there is none."""
    paths = test_paths(library)
    if not paths:
        raise SourceError(f"{library.name} {library.version} ships no tests in its source distribution")
    settings = pytest_settings(library)
    more = [place for place in settings.get("pythonpath", "").split() if not place.startswith(("/", ".."))]
    pythonpath = dict.fromkeys([*library.roots, ".", *more, DEPS])
    return Suite(library.tests, tuple(paths), tuple(pythonpath), settings, library.places, deps)


def run_suite(
    sandbox: Sandbox,
    tree: Tree,
    suite: Suite,
    *,
    only: Iterable[str] | None = None,
    paths: Sequence[str] | None = None,
    record: str = "",
    hash_seed: int = 0,
    cpu_s: float = LONGEST_RUN_S,
) -> Run:
    """Run the suite on ``tree`` once. ``record`` is ``reach`` or ``calls``.

    Raises HangError when it takes longer than ``cpu_s``, SourceError when pytest does not come to a result.
    """
    asked = {
        "only": None if only is None else sorted(only),
        "library": suite.library,
        "tests": sorted(name for name in suite.files if name.endswith(".py")),
        "reach": record == "reach",
        "calls": record == "calls",
        "test_s": TEST_S,
    }
    files = {**suite.deps, **tree, **suite.files, CONFIG: suite.config}
    files |= {**_PROBE, "mx_probe.json": json.dumps(asked).encode()}
    done = sandbox.run(
        ["python", "-m", "pytest", "-p", "mx_probe", *suite.arguments, *(paths or suite.paths)],
        files=_without_nested(files),
        collect=["mx_results.json"],
        env={"PYTHONHASHSEED": str(hash_seed)} if hash_seed else {},
        limits=suite_limits(cpu_s),
    )
    return _read(done, cpu_s)


def repeat_suite(
    sandbox: Sandbox, tree: Tree, suite: Suite, tests: Iterable[str], run: Run, seeds: Iterable[int]
) -> list[Run]:
    """Run those tests once for each hash seed, several runs at a time; ``run`` is one that tells their files.

    Raises what :func:`run_suite` raises.
    """
    only = sorted(tests)
    paths = sorted({run.files[test] for test in only if test in run.files})

    def run_with(seed: int) -> Run:
        return run_suite(sandbox, tree, suite, only=only, paths=paths or None, hash_seed=seed)

    return list(in_order(run_with, seeds, AT_ONCE))


def representative(run: Run, passing: Iterable[str], broken: Iterable[str], seed: str) -> frozenset[str]:
    """The ``broken`` tests and all of the ``passing`` ones that the budget affords, those in the same files first.

    All cases of a test function are taken together, because graders choose functions.
    """
    functions: dict[str, list[str]] = {}
    for test in sorted(passing):
        functions.setdefault(test.partition("[")[0], []).append(test)
    about = {test.partition("[")[0] for test in broken}
    near = {run.files[test] for test in broken if test in run.files}
    order = sorted(functions)
    random.Random(seed).shuffle(order)
    order.sort(key=lambda base: base.partition("::")[0] not in near)
    chosen = [test for base in about for test in functions.get(base, [])]
    seconds = 0.0
    for base in order:
        cost = sum(run.durations.get(test, 0.0) for test in functions[base])
        if base not in about and seconds + cost <= BUDGET_S:
            chosen += functions[base]
            seconds += cost
    return frozenset(chosen)


def grade_seconds(run: Run) -> float:
    """The processor time that a grade may take, by a run of the tests on what is right: in steps, so that chance does not show."""
    return 30.0 * 2.0 ** max(0, math.ceil(math.log2(max(run.seconds, 1e-9) / 3.0)))


def coverage(passing: Collection[str], chosen: Collection[str]) -> dict[str, Any]:
    """What of a suite judges a task, for its ``task.toml``: all that pass on what is right, and how many of these are left out."""
    return {"suite": len(passing), "left_out": len(set(passing) - set(chosen)), "budget_s": BUDGET_S}


def _without_nested(files: Tree) -> Tree:
    """Drop files that lie below a name that is a file too, which no file system has."""
    return {
        name: data
        for name, data in files.items()
        if not any("/".join(name.split("/")[:depth]) in files for depth in range(1, name.count("/") + 1))
    }


def _read(done: Completed, cpu_s: float) -> Run:
    if done.reason in (Reason.WALL_TIME, Reason.CPU_TIME):
        raise HangError(f"the suite hangs: it did not end within {cpu_s:g} s")
    data = done.files.get("mx_results.json")
    if data is None:
        said = (done.stdout + done.stderr).decode(errors="replace").strip().splitlines()
        if any("No module named pytest" in line for line in said):
            raise SourceError(
                "the sandbox has no pytest: mx sandbox build python, or apt-get install python3-pytest"
            )
        if any(_MISSING.search(line) for line in said):  # a conftest.py that cannot be imported ends pytest
            return Run({}, {}, {}, {}, {}, {}, [("conftest.py", "\n".join(said)[-1500:])], done.cpu_s)
        last = next((line for line in reversed(said) if line.strip()), "it said nothing")
        raise SourceError(f"the suite does not run ({done.reason.value}): {last[:200]}")
    try:
        results = json.loads(data)
        tests: dict[str, dict[str, Any]] = {
            name: entry for name, entry in results["tests"].items() if "outcome" in entry
        }
        return Run(
            outcomes={name: str(entry["outcome"]) for name, entry in tests.items()},
            messages={name: str(entry["message"]) for name, entry in tests.items() if "message" in entry},
            files={name: str(entry["file"]) for name, entry in tests.items()},
            durations={name: float(entry["seconds"]) for name, entry in tests.items()},
            reach={
                name: frozenset((str(file), int(line)) for file, line in entry.get("reach", ()))
                for name, entry in tests.items()
            },
            calls={name: list(entry.get("calls", ())) for name, entry in tests.items()},
            errors=[(str(place), str(text)) for place, text in results["errors"]],
            seconds=max(done.cpu_s, sum(float(entry["seconds"]) for entry in tests.values())),
            hung=frozenset(name for name, entry in tests.items() if entry.get("hung")),
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SourceError(f"the suite left an unreadable result ({type(error).__name__})") from error
