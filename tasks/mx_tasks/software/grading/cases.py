"""Hidden tests as data: scripts that call the submitted module in the sandbox, and values that only the host compares.

The process that holds submitted code never holds an expected value, an assertion or a verdict, so there is nothing in it to patch,
to read or to forge: all that a submission can do is answer the calls. A canary, an assertion that must fail, tells when
a submission changed the interpreter around it all the same.
"""

from __future__ import annotations

import ast
import json
import math
import secrets
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from mx_sandboxes import Completed, Limits, Sandbox
from mx_tasks.software.grading.patience import PATIENCE

CASE_S = 3.0
HARNESS = "_run_cases.py"
_INSIDE = resources.files("mx_tasks.software.grading").joinpath("inside")
_HARNESS_FILES = {
    HARNESS: _INSIDE.joinpath("run_cases.py").read_bytes(),
    "_mx/mx_asleep.py": _INSIDE.joinpath("mx_asleep.py").read_bytes(),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One hidden test: run the statements ``do``, then evaluate ``give``; it must give ``want`` or raise ``raises``.

    The submitted module's public names, and the module itself, are in scope. ``raises`` is a built-in exception's name
    or ``module.Name``. ``passes_before`` says that the module passes it as the task gives it.
    """

    name: str
    give: str
    do: str = ""
    want: object = None
    raises: str = ""
    passes_before: bool = False


@dataclass(frozen=True, slots=True)
class CaseReport:
    """How a module did: whether each case passed, a line for people on each, whether the canary was silenced."""

    passed: tuple[bool, ...]
    notes: tuple[str, ...]
    tampered: bool


class MalformedReportError(ValueError):
    """What came back from a case is not a report."""


def load_cases(text: str) -> tuple[Case, ...]:
    """Cases from TOML, ``[[case]]`` tables with the fields of Case; ``want`` is a Python literal in a string.

    Raises ValueError when a field is missing or unknown, or ``want`` and ``raises`` are both or neither given.
    """
    cases = []
    for table in tomllib.loads(text)["case"]:
        fields = dict(table)
        if ("want" in fields) == ("raises" in fields):
            raise ValueError(f"case {fields.get('name')!r} must have one of want and raises")
        if "want" in fields:
            fields["want"] = ast.literal_eval(fields["want"].strip())
        try:
            cases.append(Case(**fields))
        except TypeError as error:
            raise ValueError(f"case {fields.get('name')!r}: {error}") from error
    return tuple(cases)


def run_cases(
    sandbox: Sandbox,
    module: str,
    files: Mapping[str, bytes],
    cases: Sequence[Case],
    *,
    timeout_s: float = 30.0,
) -> CaseReport:
    """Run every case on ``module`` in one fresh job whose workspace holds ``files``, each case in its own process.

    Whatever the module does, the result is a report; SandboxError is raised only when the sandbox itself fails.
    """
    canary = _canary()
    asked = [canary, *cases]
    request = {
        "module": module,
        "case_s": CASE_S,
        "cases": [{"do": case.do, "give": case.give} for case in asked],
    }
    completed = sandbox.run(
        ["python", HARNESS],
        stdin=json.dumps(request).encode(),
        files={**files, **_HARNESS_FILES},
        limits=Limits(wall_s=PATIENCE * timeout_s, cpu_s=timeout_s, pids=32, output_bytes=4 << 20),
    )
    (canary_sang, _), *verdicts = _verdicts(completed, asked)
    alive = any(passed for passed, _ in verdicts)
    tampered = any(note.startswith("malformed") for _, note in verdicts) or (alive and not canary_sang)
    notes = [f"{case.name}: {note}" for case, (_, note) in zip(cases, verdicts, strict=True)]
    if tampered:
        notes.append("tampered: assertions no longer fail, or a report is none")
    return CaseReport(tuple(passed for passed, _ in verdicts), tuple(notes), tampered)


def agree(value: object, want: object) -> bool:
    """Whether two plain values are the same, types included; floats to nine digits, NaN with NaN, dicts in any order."""
    if type(value) is not type(want):
        return False
    if isinstance(value, float) and isinstance(want, float):
        return math.isclose(value, want, rel_tol=1e-9, abs_tol=1e-12) or (
            math.isnan(value) and math.isnan(want)
        )
    if isinstance(value, (list, tuple)) and isinstance(want, (list, tuple)):
        return len(value) == len(want) and all(map(agree, value, want))
    if isinstance(value, dict) and isinstance(want, dict):
        return value.keys() == want.keys() and all(agree(value[key], want[key]) for key in want)
    return value == want


def _canary() -> Case:
    """An assertion that must fail, on a number that no module can know beforehand."""
    number = secrets.randbelow(1 << 40)
    script = f"n = {number}\ntry:\n    assert n == n + 1\nexcept AssertionError:\n    heard = n"
    return Case(
        "canary", give="[heard, f'{n}', [n] == [n + 1]]", do=script, want=[number, str(number), False]
    )


def _verdicts(completed: Completed, cases: Sequence[Case]) -> list[tuple[bool, str]]:
    lines = completed.stdout.decode(errors="replace").splitlines()
    ended = f"no report: the job ended ({completed.reason.value}) before this case"
    return [
        _verdict(lines[place], case) if place < len(lines) else (False, ended)
        for place, case in enumerate(cases)
    ]


def _verdict(line: str, case: Case) -> tuple[bool, str]:
    try:
        entry = _mapping(json.loads(line))
        if entry.get("report") is None:
            return False, ascii(entry.get("end"))[:200]
        report = _mapping(json.loads(entry["report"]))
        if "gave" in report:
            return _verdict_on_value(_decode(report["gave"]), case)
        raised, phase = list(report["raised"]), str(report["phase"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        return False, f"malformed report ({type(error).__name__})"
    passed = bool(case.raises) and phase == "give" and case.raises in raised
    message = ascii(str(report.get("message", "")))[:200]
    return (
        passed,
        f"{'right: ' if passed else ''}raised {ascii(raised[:1])[1:-1]} in {ascii(phase)[:20]}: {message}",
    )


def _verdict_on_value(value: object, case: Case) -> tuple[bool, str]:
    if not case.raises and agree(value, case.want):
        return True, "right"
    wanted = f"an exception {case.raises}" if case.raises else ascii(case.want)[:200]
    return False, f"gave {ascii(value)[:200]}, not {wanted}"


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedReportError("not an object")
    return value


def _decode(form: Any) -> object:
    """The plain value of a form (see inside/run_cases.py). Raises MalformedReportError, TypeError for an unhashable key."""
    if not isinstance(form, list):
        if isinstance(form, dict):
            raise MalformedReportError("an object is no value")
        return form
    match form:
        case ["bytes", str(digits)]:
            return bytes.fromhex(digits)
        case ["list", *items]:
            return [_decode(item) for item in items]
        case ["tuple", *items]:
            return tuple(_decode(item) for item in items)
        case ["dict", *pairs] if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
            return {_decode(key): _decode(item) for key, item in pairs}
    raise MalformedReportError("a list without its kind")
