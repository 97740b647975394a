"""A pytest plugin that runs inside the sandbox while tasks are made: verdict by id, functions reached, calls and what they gave.

Reads ``mx_probe.json`` beside it: ``{"only": [id, ...] | null, "library": [folder or file, ...], "tests": [file, ...],
"reach": bool, "calls": bool, "test_s": seconds}``. Writes ``mx_results.json``: ``{"tests": {id: {"file", "outcome", "message",
"seconds", "hung"?, "reach"?, "calls"?}}, "errors": [[file, text], ...]}``; seconds are those on a processor and asleep. Used only
where nobody attacks: graders do not believe it.
"""

import dis
import json
import os
import re
import signal
import sys
import time
from types import CodeType, FrameType
from typing import Any, Dict, Generator, List, Optional, Set, Tuple

import pytest
from mx_asleep import Asleep  # type: ignore[import-not-found]  # it stands beside this file

with open("mx_probe.json") as stream:
    ASKED: Dict[str, Any] = json.load(stream)
LIBRARY = tuple(os.path.realpath(name) for name in ASKED["library"])
TESTS = {os.path.realpath(name) for name in ASKED["tests"]}
ONLY = None if ASKED["only"] is None else set(ASKED["only"])
MOST_CALLS = 400
LONGEST = 300
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
RESULTS: Dict[str, Any] = {"tests": {}, "errors": []}
ORDER = {"passed": 0, "skipped": 1, "xfailed": 1, "failed": 2}


class TooLong(BaseException):
    """A test took longer than it may; no ``except Exception`` of the code under test takes it."""


_known: Dict[str, bool] = {}


def in_library(path: str) -> bool:
    """Whether a file is the library's own, and no test."""
    if path not in _known:
        real = os.path.realpath(path)
        inside = any(real == place or real.startswith(place + os.sep) for place in LIBRARY)
        _known[path] = inside and real not in TESTS
    return _known[path]


def shown(value: object) -> Optional[str]:
    """A value in Python's notation, None where it is long or speaks of an address."""
    try:
        text = repr(value)
    except BaseException:
        return None
    return None if len(text) > LONGEST or ADDRESS.search(text) else text


class Recorder:
    """Follows the calls that a test makes: the library's functions reached, and the outermost calls with what they gave."""

    def __init__(self) -> None:
        self.reach: Set[Tuple[str, int]] = set()
        self.calls: List[Dict[str, Any]] = []
        self.inside = 0

    def global_trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """What Python calls at each call of a function."""
        if event != "call" or not in_library(frame.f_code.co_filename):
            return None
        code = frame.f_code
        if ASKED["reach"]:
            self.reach.add((os.path.relpath(os.path.realpath(code.co_filename)), code.co_firstlineno))
        if not ASKED["calls"] or self.inside or len(self.calls) >= MOST_CALLS:
            return None
        if code.co_flags & 0x2A0 or code.co_name.startswith("<"):
            return None
        if frame.f_back is None or in_library(frame.f_back.f_code.co_filename):
            return None
        call: Dict[str, Any] = {"function": self.function_name(frame), "arguments": self.arguments(frame)}
        self.calls.append(call)
        self.inside += 1
        frame.f_trace_lines = False

        def local_trace(inner: FrameType, what: str, value: Any) -> Any:
            if what == "exception":
                call["raising"] = value[0].__name__ + ": " + str(value[1])[:LONGEST]
            elif what == "return":
                self.inside -= 1
                operation = dis.opname[inner.f_code.co_code[inner.f_lasti]]
                if operation.startswith("RETURN") or "RETURN" in operation:
                    call.pop("raising", None)
                    call["gave"] = shown(value)
                else:
                    call["raised"] = call.pop("raising", "an exception")
            return local_trace

        return local_trace

    def function_name(self, frame: FrameType) -> str:
        """The module and qualified name of the function that a frame runs."""
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        if "self" in frame.f_locals and "." not in name:
            name = type(frame.f_locals["self"]).__name__ + "." + name
        return str(frame.f_globals.get("__name__", "")) + "." + name

    def arguments(self, frame: FrameType) -> "List[Tuple[str, Optional[str]]]":
        """The arguments that it was called with."""
        code: CodeType = frame.f_code
        count = code.co_argcount + code.co_kwonlyargcount
        count += bool(code.co_flags & 4) + bool(code.co_flags & 8)
        return [(name, shown(frame.f_locals.get(name))) for name in code.co_varnames[:count]]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: List[pytest.Item]) -> None:
    """Keep the tests that were asked for."""
    if ONLY is not None:
        kept = [item for item in items if item.nodeid in ONLY]
        config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in ONLY])
        items[:] = kept


CLOCK = Asleep()
SLEEPS = 3
"""So many times its processor time a test may sleep."""


class Limit:
    """The time of the test that runs: processor time, and time asleep, which no load of the machine lengthens."""

    until = 0.0

    def begin(self) -> None:
        """For a test that begins."""
        signal.signal(signal.SIGALRM, self.look)
        signal.signal(signal.SIGPROF, self.give_up)
        self.until = CLOCK.seconds() + SLEEPS * ASKED["test_s"]
        signal.setitimer(signal.ITIMER_REAL, SLEEPS * ASKED["test_s"])
        signal.setitimer(signal.ITIMER_PROF, ASKED["test_s"])

    def end(self) -> None:
        """For one that ended."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.setitimer(signal.ITIMER_PROF, 0)

    def look(self, *_: object) -> None:
        """Give up where it slept so long; else look again."""
        left = self.until - CLOCK.seconds()
        if left <= 0.0:
            self.give_up()
        signal.setitimer(signal.ITIMER_REAL, max(left, 0.01))

    def give_up(self, *_: object) -> None:
        """End a test that takes too long."""
        raise TooLong("took longer than %g s" % ASKED["test_s"])


LIMIT = Limit()


def elapsed() -> float:
    """Seconds on a processor and asleep: what the clock would say of a machine that has nothing else to do."""
    return time.process_time() + float(CLOCK.seconds())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, None, None]:
    """Note how long a test takes, with all its fixtures."""
    began = elapsed()
    yield
    RESULTS["tests"].setdefault(item.nodeid, {})["seconds"] = elapsed() - began


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Only while the test itself runs; fixtures are part of the job's own limit."""
    entry = RESULTS["tests"].setdefault(item.nodeid, {})
    LIMIT.begin()
    recorder = Recorder() if ASKED["reach"] or ASKED["calls"] else None
    if recorder:
        sys.settrace(recorder.global_trace)
    try:
        yield
    finally:
        if recorder:
            sys.settrace(None)
        LIMIT.end()
        if recorder:
            if ASKED["reach"]:
                entry["reach"] = sorted(recorder.reach)
            if ASKED["calls"]:
                entry["calls"] = recorder.calls


@pytest.hookimpl(tryfirst=True, hookwrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: "pytest.CallInfo[None]"
) -> Generator[None, None, None]:
    """Make an ordinary failure of a test that took too long."""
    if call.excinfo is not None and call.excinfo.errisinstance(TooLong):
        RESULTS["tests"].setdefault(item.nodeid, {})["hung"] = True
        call.excinfo = pytest.ExceptionInfo.from_exc_info(
            (AssertionError, AssertionError(str(call.excinfo.value)), call.excinfo.tb)
        )
    yield


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note the verdict; the worst of a test's stages counts."""
    entry = RESULTS["tests"].setdefault(report.nodeid, {})
    entry["file"] = report.nodeid.partition("::")[0]
    outcome = "xfailed" if hasattr(report, "wasxfail") else report.outcome
    if report.when == "call" or outcome != "passed":
        known = entry.get("outcome", "passed")
        entry["outcome"] = max(known, outcome, key=lambda name: ORDER[name])
    if report.outcome == "failed":
        crash = getattr(report.longrepr, "reprcrash", None)
        entry["message"] = str(crash.message if crash else report.longrepr)[:1500]


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note a file that cannot be collected."""
    if report.failed:
        RESULTS["errors"].append([report.nodeid, str(report.longrepr)[-1500:]])


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    """Write what was noted."""
    with open("mx_results.json", "w") as results:
        json.dump(RESULTS, results)
