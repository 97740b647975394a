"""A pytest plugin of one run, inside the grading sandbox: choose the tests, write the report, end before anything else can.

It is put beside the tests under a random name and removes itself. What it has to know comes over standard input, as JSON:
``{"tests": [id without parameters, ...] or null, "report": name of the JUnit XML file to write}``.

Every test case gets the property ``id`` (its pytest id, as JSON), and ``unexpected`` when it passed although it was expected to
fail. The suite gets the property ``changed``: what of the interpreter, pytest and unittest is not as it was before the first
submitted line ran.
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
from _pytest.junitxml import xml_key

_end = os._exit
_order = json.loads(sys.stdin.buffer.read())
_null = os.open(os.devnull, os.O_RDONLY)
os.dup2(_null, 0)
os.close(_null)
os.unlink(__file__)


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


class _Judge:
    def __init__(self) -> None:
        self.before: Dict[str, Tuple[int, int]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: Any) -> None:
        config.option.xmlpath = _order["report"]
        self.before = _state()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: Any, items: List[Any]) -> None:
        wanted = _order["tests"]
        if wanted is not None:
            wanted = set(wanted)
            out = [item for item in items if item.nodeid.partition("[")[0] not in wanted]
            if out:
                items[:] = [item for item in items if item.nodeid.partition("[")[0] in wanted]
                config.hook.pytest_deselected(items=out)
        for item in items:
            item.user_properties.append(("id", json.dumps(item.nodeid)))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_runtest_makereport(self, item: Any) -> "Generator[None, Any, None]":
        report = (yield).get_result()
        if report.when == "call" and report.passed and hasattr(report, "wasxfail"):
            item.user_properties.append(("unexpected", "1"))

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: Any, exitstatus: int) -> "Generator[None, Any, None]":
        after = _state()
        changed = sorted(name for name, mark in self.before.items() if after.get(name) != mark)
        session.config.stash[xml_key].add_global_property("changed", json.dumps(changed[:20]))
        yield
        sys.stdout.flush()
        _end(int(exitstatus))


def pytest_configure(config: Any) -> None:
    """Take the judge's place before any submitted line runs."""
    judge = _Judge()
    config.pluginmanager.register(judge)
    judge.pytest_configure(config)
