"""Judgement by calls: hidden tests of functions run where no submitted code is, on answers that were given before they started.

Two kinds of jobs take turns, and none of one kind lives while one of the other does. A *worker* job holds the submitted file and a
list of calls; it answers them and dies. A *judge* job holds the tests and the answers, and no submitted code; it runs the tests and
says what came of each. What a test asks beyond the list (because a call was made of an earlier answer) is answered by a further
worker job. So a submission can lie about nothing but its own answers: no test, expected value, verdict or process of the judge's
is anywhere near it.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from typing import Any

from mx_sandboxes import Completed, Limits, Reason, Sandbox
from mx_tasks.software.grading.patience import PATIENCE
from mx_tasks.task import GradingError

ROUNDS = 40
"""So many times at most are calls answered that were made of earlier answers."""
SERVED = "mx_serve.json"
SEED = 20_240
_INSIDE = resources.files("mx_tasks.software.grading").joinpath("inside")
_VALUES = {"_mx/mx_values.py": _INSIDE.joinpath("mx_values.py").read_bytes()}
_WORKER = {
    **_VALUES,
    "_mx/call_worker.py": _INSIDE.joinpath("call_worker.py").read_bytes(),
    "_mx/mx_asleep.py": _INSIDE.joinpath("mx_asleep.py").read_bytes(),
}
_JUDGE = {
    **_VALUES,
    "_mx/call_judge.py": _INSIDE.joinpath("call_judge.py").read_bytes(),
    "_mx/mx_pytest.py": _INSIDE.joinpath("mx_pytest.py").read_bytes(),
    "_mx/mx_guesses.py": _INSIDE.joinpath("mx_guesses.py").read_bytes(),
    "_mx/mx_rules.py": _INSIDE.joinpath("mx_rules.py").read_bytes(),
}
WORKER_CPU_S = 25.0
"""Processor time of all calls of a submission together."""
_OUTPUT = 32 << 20
_MEMORY = 1 << 30
OVERHEAD = 1_000
"""Bytes that a verdict takes beside what it says."""

Call = list[Any]
Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Served:
    """How a task's functions are called: its file and module, what the publisher's harness puts around it, the time of a call.

    ``support`` are modules of the task's own tree, besides the submitted one, whose instances the tests pass around. ``program``
    says that the file is no module but a program: its one function ``run`` takes what it reads and gives what it prints.
    ``shown`` are the names of tests that the task's statement has in it: whoever reads it can pass those.
    """

    file: str
    module: str
    before: str = ""
    after: str = ""
    call_s: float = 2.0
    entries: tuple[str, ...] = ()
    support: tuple[str, ...] = ()
    program: bool = False
    shown: tuple[str, ...] = ()

    @classmethod
    def read(cls, text: bytes) -> Served:
        """From the JSON that a task directory holds. Raises KeyError, TypeError, ValueError."""
        about = json.loads(text)
        return cls(
            file=str(about["file"]),
            module=str(about["module"]),
            before=str(about.get("before", "")),
            after=str(about.get("after", "")),
            call_s=float(about["call_s"]),
            entries=tuple(map(str, about.get("entries", ()))),
            support=tuple(map(str, about.get("support", ()))),
            program=bool(about.get("program", False)),
            shown=tuple(map(str, about.get("shown", ()))),
        )


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What came of each test by id: ``passed``, ``failed``, ``skipped``; why; and what in the worker's doings no answer calls for.

    ``loaded`` is why the submitted file could not be run at all, empty where it could.
    """

    outcomes: Mapping[str, str]
    messages: Mapping[str, str]
    signs: tuple[str, ...] = ()
    loaded: str = ""


@dataclass(frozen=True, slots=True)
class Study:
    """What a test file's tests call, by test; those that someone passes who knows nothing; whether one guess passes them all."""

    calls: Mapping[str, list[Call]]
    easy: frozenset[str]
    guessed: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    test: str
    outcome: str
    message: str
    calls: list[Call]
    guesses: frozenset[int] = frozenset()


def judge_calls(
    sandbox: Sandbox,
    tests: Mapping[str, bytes],
    tree: Mapping[str, bytes],
    served: Served,
    limits: Limits,
) -> Verdicts:
    """Run every hidden test on the functions of a tree. ``tests`` are hidden files, of which those called ``test_*.py`` are run.

    Raises GradingError where the judge itself cannot run, or the sandbox dies under an honest worker too; SandboxError.
    """
    found = Verdicts({}, {})
    for name in _test_files(tests):
        one = _judge_file(sandbox, name, tests, tree, served, limits)
        found = Verdicts(
            {**found.outcomes, **one.outcomes},
            {**found.messages, **one.messages},
            tuple(dict.fromkeys((*found.signs, *one.signs))),
            found.loaded or one.loaded,
        )
    return found


def easy_tests(
    sandbox: Sandbox, tests: Mapping[str, bytes], tree: Mapping[str, bytes], served: Served, limits: Limits
) -> frozenset[str]:
    """Tests of which no partial credit may come.

    Those are what the statement shows, what is passed by constants for which nobody needs to have seen a test, or by giving an
    argument back; and what is passed by any constant that passes another test, too.
    """
    found = frozenset[str]()
    for name in _test_files(tests):
        study = _study(sandbox, name, tests, tree, served, limits)
        found |= study.easy | {test for test in study.calls if test.partition("::")[2] in served.shown}
    return found


def guessable(
    sandbox: Sandbox, tests: Mapping[str, bytes], tree: Mapping[str, bytes], served: Served, limits: Limits
) -> bool:
    """Whether one constant answer, or giving an argument back, passes every test that the statement does not show."""
    return all(_study(sandbox, name, tests, tree, served, limits).guessed for name in _test_files(tests))


def _test_files(tests: Mapping[str, bytes]) -> list[str]:
    return sorted(
        name for name in tests if name.rpartition("/")[2].startswith("test_") and name.endswith(".py")
    )


class _Judged:
    """What judges said before: it depends on the tests and the answers alone. Thread-safe."""

    def __init__(self, size: int = 128 << 20) -> None:
        self._left = size
        self._known: OrderedDict[str, tuple[int, list[_Entry]]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: str) -> list[_Entry] | None:
        with self._lock:
            return self._known.get(key, (0, None))[1]

    def add(self, key: str, size: int, entries: list[_Entry]) -> None:
        """``size`` is what was said, in bytes; the oldest is forgotten where all would come to too much."""
        with self._lock:
            self._left -= size - self._known.pop(key, (0, []))[0]
            self._known[key] = (size, entries)
            while self._left < 0:
                self._left += self._known.popitem(last=False)[1][0]


_JUDGED = _Judged()


def _study(
    sandbox: Sandbox,
    name: str,
    tests: Mapping[str, bytes],
    tree: Mapping[str, bytes],
    served: Served,
    limits: Limits,
) -> Study:
    entries = _run_judge(sandbox, "study", name, tests, tree, served, {}, limits)
    hidden = [entry.guesses for entry in entries if entry.test.partition("::")[2] not in served.shown]
    return Study(
        {entry.test: entry.calls for entry in entries},
        frozenset(entry.test for entry in entries if entry.outcome == "easy"),
        not hidden or bool(frozenset.intersection(*hidden)),
    )


def _judge_file(
    sandbox: Sandbox,
    name: str,
    tests: Mapping[str, bytes],
    tree: Mapping[str, bytes],
    served: Served,
    limits: Limits,
) -> Verdicts:
    asked = dict(_study(sandbox, name, tests, tree, served, limits).calls)
    signs: dict[str, None] = {}
    loaded = ""
    entries: list[_Entry] = []
    for _ in range(ROUNDS):
        answers, said, loaded = _answers(sandbox, tree, served, asked, limits)
        signs |= dict.fromkeys(said)
        entries = _run_judge(sandbox, "judge", name, tests, tree, served, answers, limits)
        open_tests = [entry for entry in entries if entry.outcome == "pending"]
        if not open_tests:
            break
        asked |= {entry.test: _extended(entry.calls, asked.get(entry.test, [])) for entry in open_tests}
    return Verdicts(
        {entry.test: "failed" if entry.outcome == "pending" else entry.outcome for entry in entries},
        {
            entry.test: entry.message or "each answer led to another question"
            for entry in entries
            if entry.message or entry.outcome == "pending"
        },
        tuple(signs),
        loaded,
    )


def _extended(made: list[Call], before: list[Call]) -> list[Call]:
    """The calls that a test made, and then those that it was thought to make and may still."""
    left = [json.dumps(call) for call in before]
    for call in made:
        text = json.dumps(call)
        if text in left:
            left.remove(text)
    return [*made, *(json.loads(text) for text in left)]


Answers = dict[str, list[tuple[Call, Any]]]


def _answers(
    sandbox: Sandbox,
    tree: Mapping[str, bytes],
    served: Served,
    asked: Mapping[str, list[Call]],
    limits: Limits,
) -> tuple[Answers, list[str], str]:
    """What the submitted functions answer to all calls, in order, signs of something else, and why the file does not run."""
    flat = [(test, call) for test, calls in asked.items() for call in calls]
    completed = _run_worker(sandbox, tree, served, [call for _, call in flat], limits)
    if completed.reason is Reason.SANDBOX_DIED:
        _control(sandbox, served, limits)
    given, signs, loaded = _read_answers(completed, len(flat))
    answers: Answers = {}
    for number, (test, call) in enumerate(flat):
        answers.setdefault(test, []).append((call, given.get(number)))
    return answers, signs, loaded


def _run_worker(
    sandbox: Sandbox, tree: Mapping[str, bytes], served: Served, calls: Sequence[Call], limits: Limits
) -> Completed:
    request = {
        "file": served.file,
        "module": served.module,
        "before": served.before,
        "after": served.after,
        "call_s": served.call_s,
        "support": list(served.support),
        "program": served.program,
        "calls": list(calls),
    }
    return sandbox.run(
        ["python", "_mx/call_worker.py"],
        stdin=json.dumps(request).encode(),
        files={**tree, **_WORKER},
        limits=replace(
            limits,
            output_bytes=_OUTPUT,
            memory_bytes=_MEMORY,
            cpu_s=limits.cpu_s if served.program else min(limits.cpu_s, WORKER_CPU_S),
        ),
    )


def _control(sandbox: Sandbox, served: Served, limits: Limits) -> None:
    """Raise GradingError when the sandbox dies under a worker that holds nothing: then it was not the submission."""
    completed = _run_worker(sandbox, {served.file: b""}, replace(served, support=()), [], limits)
    if completed.reason is Reason.SANDBOX_DIED:
        raise GradingError("the sandbox died under the calls of the hidden tests, and under no calls as well")


def _read_answers(completed: Completed, count: int) -> tuple[dict[int, Any], list[str], str]:
    given: dict[int, Any] = {}
    signs: list[str] = []
    loaded = f"it ended before it was loaded ({completed.reason.value})"
    done = False
    for text in completed.stdout.decode(errors="replace").splitlines():
        match _line(text):
            case ["loaded", str(why)]:
                loaded = why
            case ["done"]:
                done = True
            case ["sign", str(sign)]:
                signs.append(ascii(sign)[1:-1][:80])
            case [int(number), str(), *_] as line if 0 <= number < count and number not in given:
                given[number] = line[1:]
            case _:
                signs.append("an answer that is none")
    if not done and completed.reason is Reason.EXITED and completed.exit_code == 0:
        signs.append("it ended the process")
    return given, list(dict.fromkeys(signs)), ascii(loaded)[1:-1][:300]


def _line(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _run_judge(
    sandbox: Sandbox,
    mode: str,
    name: str,
    tests: Mapping[str, bytes],
    tree: Mapping[str, bytes],
    served: Served,
    answers: Answers,
    limits: Limits,
) -> list[_Entry]:
    """What the judge says of each test; the submitted file is not there. Raises GradingError where it says nothing."""
    key = _digest(mode, name, served, sandbox.backend, answers, {**_support(tree, served), **tests})
    known = _JUDGED.get(key)
    if known is not None:
        return known
    request = {
        "mode": mode,
        "test": name,
        "module": served.module,
        "entries": list(served.entries),
        "support": list(served.support),
        "seed": SEED,
        "answers": answers,
    }
    completed = sandbox.run(
        ["python", "_mx/call_judge.py"],
        stdin=json.dumps(request).encode(),
        files={**_support(tree, served), **_without_oracle(tests), **_JUDGE},
        limits=replace(
            limits, output_bytes=_OUTPUT, memory_bytes=_MEMORY, wall_s=PATIENCE * 60.0, cpu_s=60.0
        ),
    )
    entries = [_entry(line) for line in completed.stdout.decode(errors="replace").splitlines()]
    if (
        completed.reason is not Reason.EXITED
        and mode == "judge"
        and completed.reason is not Reason.SANDBOX_DIED
    ):
        return entries  # it ran before, so it was the answers: the tests that are missing have failed
    if not entries or any(not entry.test for entry in entries):
        why = entries[-1].message if entries else completed.stderr.decode(errors="replace")[-200:]
        raise GradingError(f"the hidden tests of {name} cannot be run ({completed.reason.value}): {why}")
    _JUDGED.add(key, len(completed.stdout) + OVERHEAD, entries)
    return entries


def _digest(
    mode: str, name: str, served: Served, backend: str, answers: Answers, files: Mapping[str, bytes]
) -> str:
    digest = hashlib.sha256(f"{mode}\0{name}\0{served}\0{backend}\0{json.dumps(answers)}".encode())
    for place, data in sorted(files.items()):
        digest.update(f"{place}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def _entry(text: str) -> _Entry:
    found = json.loads(text)
    return _Entry(
        found["test"],
        found["outcome"],
        found["message"],
        found["calls"],
        frozenset(number for number in found["guesses"] if number >= 0),
    )


def _support(tree: Mapping[str, bytes], served: Served) -> dict[str, bytes]:
    """The task's own modules whose instances the tests pass around, from beside the submitted file."""
    folder = served.file.rpartition("/")[0]
    names = [f"{folder}/{name}.py" if folder else f"{name}.py" for name in served.support]
    return {name: tree[name] for name in names if name in tree}


def _without_oracle(tests: Mapping[str, bytes]) -> dict[str, bytes]:
    """The hidden files without those that only Harbor's own runner needs."""
    return {name: data for name, data in tests.items() if not _names_any(name, _HARBOR_ONLY)}


_HARBOR_ONLY = ("mx_oracle.py", "mx_rules.py", "mx_serve.py", "mx_values.py", SERVED)


def _names_any(name: str, wanted: Iterable[str]) -> bool:
    return name.rpartition("/")[2] in wanted
