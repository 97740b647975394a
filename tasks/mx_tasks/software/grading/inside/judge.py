"""A pytest plugin of one run, inside the grading sandbox: choose the tests, say at once what became of each.

It is put beside the tests under a random name and removes itself. What it has to know comes over standard input, as JSON:
``{"tests": [id without parameters, ...] or null}``. What it says goes over standard output, which nobody inside can take back, as
JSON lines, each the moment when it is known. ``{"collected": [id, ...]}`` before the first test; ``{"test": id, "outcome",
"message"}`` after each, in that order; ``{"broken": file, "message"}`` for a file that cannot be collected; at last ``{"end": exit
code, "changed": [name, ...]}``: what of the interpreter, pytest and unittest is not as it was before the first submitted line ran.
What pytest itself and the tests print goes nowhere.
"""

import builtins
import json
import os
import sys
import time
import types
import unittest.case
from typing import Any, Dict, Generator, List, Tuple

import pytest

_end = os._exit
_write = os.write
_dumps = json.dumps
_getpid = os.getpid
_owner = os.getpid()
_out = os.dup(1)
_order = json.loads(sys.stdin.buffer.read())
_null = os.open(os.devnull, os.O_RDWR)
os.dup2(_null, 0)
os.dup2(_null, 1)
os.close(_null)
os.unlink(__file__)


def _say(entry: Dict[str, Any]) -> None:
    """Say it, in this process only: what tests fork has nothing to say."""
    if _getpid() == _owner:
        data = _dumps(entry).encode() + b"\n"
        while data:
            data = data[_write(_out, data) :]


def _state() -> Dict[str, Tuple[int, int]]:
    """What submitted code has no business to change: functions by place, with their code."""
    watched = {builtins.__name__: builtins, "time": time, "os": os, "unittest.case": unittest.case}
    watched.update(
        (name, module)
        for name, module in list(sys.modules.items())
        if module is not None and name.partition(".")[0] in ("pytest", "_pytest", "pluggy")
    )
    found = {}
    for module_name, module in watched.items():
        for name, value in list(vars(module).items()):
            if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type)):
                found[module_name + "." + name] = _mark(value)
            if isinstance(value, type) and value.__module__ == module_name and module is not builtins:
                for inner, method in list(vars(value).items()):
                    method = getattr(method, "__func__", method)  # of a class or static method
                    if isinstance(method, types.FunctionType):
                        found[module_name + "." + name + "." + inner] = _mark(method)
    return found


def _mark(value: Any) -> Tuple[int, int]:
    return (id(value), id(getattr(value, "__code__", None)))


def _first_line(report: Any) -> str:
    """What a report says of a failure, for people."""
    try:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash is not None else str(report.longrepr)
        return str((text.strip().splitlines() or [""])[0 if crash is not None else -1])[:300]
    except Exception:
        return ""


class _Judge:
    def __init__(self) -> None:
        self.before: Dict[str, Tuple[int, int]] = {}
        self.outcome, self.message = "", ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: Any, items: List[Any]) -> None:
        wanted = _order["tests"]
        if wanted is not None:
            wanted = set(wanted)
            out = [item for item in items if item.nodeid.partition("[")[0] not in wanted]
            if out:
                items[:] = [item for item in items if item.nodeid.partition("[")[0] in wanted]
                config.hook.pytest_deselected(items=out)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: Any) -> None:
        _say({"collected": [item.nodeid for item in session.items]})

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            _say({"broken": report.nodeid, "message": _first_line(report)})

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any) -> "Generator[None, Any, None]":
        report = (yield).get_result()
        if report.when == "setup":
            self.outcome, self.message = "passed", ""
        if report.failed:
            self.outcome, self.message = "failed", self.message or _first_line(report)
        elif report.skipped and self.outcome == "passed":
            self.outcome = "skipped"
        elif report.when == "call" and report.passed and hasattr(report, "wasxfail"):
            self.outcome = "unexpected"
        if report.when == "teardown":
            _say({"test": item.nodeid, "outcome": self.outcome, "message": self.message})

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> "Generator[None, Any, None]":
        yield
        after = _state()
        changed = sorted(name for name, mark in self.before.items() if after.get(name) != mark)
        _say({"end": int(exitstatus), "changed": changed[:20]})
        _end(int(exitstatus))


def pytest_configure(config: Any) -> None:
    """Take the judge's place before any submitted line runs."""
    judge = _Judge()
    config.pluginmanager.register(judge)
    judge.before = _state()
