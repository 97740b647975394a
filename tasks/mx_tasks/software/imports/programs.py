"""APPS, CodeContests and LiveCodeBench: programs that read and print, functions that are called, as their publishers have them.

A test is an input and what is wanted for it, compared by the benchmark's own rule (``docs/software-verdicts.md``). A record without
a solution in Python, such as all of LiveCodeBench's, makes a task that nothing was validated with, which is said where it is shown.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mx_tasks.software.errors import SourceError
from mx_tasks.software.grading.oracle import CONFIG, FOLDER, oracle_files
from mx_tasks.software.imports.contests import Problem, problem
from mx_tasks.software.imports.shown import call_shown, input_shown
from mx_tasks.software.made import MadeTask, shape_of

SOLUTION = "solution.py"
CALL_S = 6.0
MOST_SOLUTIONS = 5
"""Solutions that are tried for the one that becomes the reference."""
MOST_TESTS = 150
MOST_BYTES = 8 << 20
"""Of all inputs and outputs together; a test that does not fit is left out, and that is said."""
TEST_S = 1.5
"""Seconds that all tests may take, for each of them."""
NO_SOLUTION = "the record has no solution in Python, so nothing shows that its tests can be met"


@dataclass(frozen=True, slots=True)
class _Style:
    """What a benchmark's harness puts before an answer, and how it compares what is printed and what is returned."""

    before: str
    output: str
    value: str = ""


_STARS = """string re datetime collections heapq bisect copy math random statistics itertools functools operator io sys json
builtins typing""".replace("\n", " ").split(" ")
_LIVE = "\n".join(
    [f"from {name} import *" for name in _STARS]
    + [f"import {name}" for name in _STARS[:-2]]
    + ["sys.setrecursionlimit(50000)"]
)
_APPS = """import sys, time, itertools, collections, math, fractions, random, heapq
from itertools import accumulate, product, permutations, combinations
from collections import Counter, OrderedDict, deque, defaultdict, ChainMap
from functools import lru_cache
from math import sqrt, sin, cos, tan, ceil, fabs, floor, gcd, exp, log, log2
from typing import List, Tuple
from heapq import *
try:
    import numpy as np
except ImportError:
    pass"""
STYLES: Mapping[str, _Style] = {
    "apps": _Style(_APPS, "apps_output", "apps_value"),
    "code-contests": _Style("", "contest_output"),
    "livecodebench": _Style(_LIVE, "live_output", "live_value"),
}


def program_tasks(kind: str, entry: Mapping[str, Any]) -> Iterator[MadeTask]:
    """The task of a record, once for each of its solutions: the first that passes is the one. Raises SourceError.

    Without a solution it is one task without a reference, marked as not validated.
    """
    found = problem(kind, entry)
    made = _Maker(kind, found)
    for solution in found.solutions[:MOST_SOLUTIONS]:
        yield made.task(solution)
    if not found.solutions:
        yield made.task(None)


def takes_many(kind: str, entry: Mapping[str, Any]) -> bool:
    """Whether a statement takes more answers than the one that its tests hold. LiveCodeBench has left such problems out itself."""
    return kind != "livecodebench" and problem(kind, entry).many


class _Maker:
    """Makes tasks of one problem."""

    def __init__(self, kind: str, found: Problem) -> None:
        self._kind, self._problem, self._style = kind, found, STYLES[kind]
        self._word = re.sub(r"[^A-Za-z0-9]+", "_", found.title).strip("_") or "problem"
        self._cases = list(_fitting(found.cases))
        if not self._cases:
            raise SourceError(f"{found.title}: each of its tests has more than {MOST_BYTES >> 20} MB")
        self._numbered = any(_numbered(value) for case in self._cases for value in case)
        self._data = f"test_{self._word}.json"
        self._tests = self._text()
        self._given = _given(found)
        self._shown = self._seen()
        if len(self._shown) == len(self._cases):
            raise SourceError(
                f"{found.title}: its statement shows all of its tests, so whoever copies those passes"
            )

    def task(self, solution: str | None) -> MadeTask:
        """The task with that solution for its reference, or without any."""
        found, wall_s = self._problem, max(60.0, TEST_S * len(self._cases))
        return MadeTask(
            id=self._word.replace("_", "-"),
            kind="programs",
            title=found.title,
            statement=f"# {found.title}\n\n{found.statement}\n\n{_asked(found)}{_imports(self._style)}\n",
            tree={SOLUTION: self._given.encode()},
            tests={
                **oracle_files(),
                f"{FOLDER}/mx_serve.json": json.dumps(self._about()).encode(),
                f"{FOLDER}/test_{self._word}.py": self._tests.encode(),
                f"{FOLDER}/{self._data}": (repr if self._numbered else json.dumps)(self._cases).encode(),
            },
            gold={} if solution is None else {SOLUTION: solution.encode()},
            sources=(SOLUTION,),
            fail_to_pass=(),
            pass_to_pass=(),
            config=CONFIG,
            python="",
            origin=found.title,
            licence=found.licence,
            shape=shape_of("programs", found.title),
            difficulty=3,
            wall_s=wall_s,
            calls=12,
            about={
                "suite": len(found.cases),
                "left_out": len(found.cases) - len(self._cases),
                "budget_s": wall_s,
                **({"unvalidated": NO_SOLUTION} if solution is None else {}),
            },
        )

    def _about(self) -> dict[str, Any]:
        """How the submitted file is run."""
        name = self._problem.function
        of_class = f'if "Solution" in globals():\n    {name} = Solution().{name}\n'
        return {
            "file": SOLUTION,
            "module": "solution",
            "program": not name,
            "entries": [name or "run"],
            "call_s": CALL_S,
            "shown": self._shown,
            "before": self._style.before,
            "after": of_class if name else "",
        }

    def _text(self) -> str:
        """The hidden tests; their values lie beside them, since a test of a published record may have megabytes."""
        name = self._problem.function or "run"
        rule = self._style.value if self._problem.function else self._style.output
        arguments = "*given" if self._problem.function else "given"
        module, read = (
            ("ast", "ast.literal_eval(stream.read())") if self._numbered else ("json", "json.load(stream)")
        )
        lines = [
            f"import {module}",
            "import os",
            f"from mx_oracle import {rule}, function",
            f"{name} = function({name!r})",
            f"with open(os.path.join(os.path.dirname(__file__), {self._data!r})) as stream:",
            f"    CASES = {read}",
        ]
        for number in range(1, len(self._cases) + 1):
            lines += [
                f"def test_{number}():",
                f"    given, wanted = CASES[{number - 1}]",
                f"    assert {rule}({name}({arguments}), wanted)",
            ]
        return "\n".join(lines) + "\n"

    def _seen(self) -> list[str]:
        """The tests that the statement shows."""
        statement = f"{self._problem.statement}\n{self._problem.starter}"
        shown = {f"test_{number}" for number in range(1, min(self._problem.public, len(self._cases)) + 1)}
        if self._problem.function:
            said = [call_shown(self._problem.function, given, statement) for given, _ in self._cases]
        else:
            said = [input_shown(given, wanted, statement) for given, wanted in self._cases]
        return sorted(shown | {f"test_{number}" for number, seen in enumerate(said, 1) if seen})


def _numbered(value: Any) -> bool:
    """Whether there is a table in a value, or right below it, whose keys are no texts: JSON has no such."""
    tables = [value, *(value if isinstance(value, list) else [])]
    return any(isinstance(table, dict) and any(not isinstance(key, str) for key in table) for table in tables)


def _fitting(cases: Sequence[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """As many tests as are run, those of the statement first."""
    size = 0
    for given, wanted in cases[:MOST_TESTS]:
        own = len(str(given)) + len(str(wanted))
        if size + own > MOST_BYTES:
            continue
        size += own
        yield given, wanted


def _asked(found: Problem) -> str:
    if not found.function:
        return f"Write a program, `{SOLUTION}`, that reads standard input and prints the answer."
    owner = " of the class `Solution`" if "class Solution" in found.starter else ""
    return f"Write `{found.function}`{owner} in `{SOLUTION}`."


def _imports(style: _Style) -> str:
    return " The usual modules of the standard library are imported before it runs." if style.before else ""


def _given(found: Problem) -> str:
    """The file as it is given: the starter code with an empty body, where that is Python."""
    nothing = "raise NotImplementedError\n"
    if not found.function:
        return nothing
    starter = found.starter.rstrip()
    last = next((line for line in reversed(starter.splitlines()) if re.match(r"\s*def ", line)), "")
    indent = last[: len(last) - len(last.lstrip())] + "    "
    made = f"{starter}\n{indent}{nothing}"
    try:
        ast.parse(made)
    except (SyntaxError, ValueError):
        made = ""
    return made if last and made else f"def {found.function}(*args):\n    {nothing}"
