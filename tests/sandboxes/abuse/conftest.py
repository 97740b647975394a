"""One slot of each backend for all attacks: each meets what the one before has left, and must find nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

import pytest

from mx_sandboxes import open_sandbox
from mx_sandboxes.abuse import Case, Outcome, Suite, control
from mx_sandboxes.abuse.case import QUICK


@pytest.fixture(autouse=True)
def _side_by_side(request: pytest.FixtureRequest) -> None:
    """Attacks beside attacks; a look at the host alone."""
    request.getfixturevalue("alone_with_the_host" if request.path.name == "test_host.py" else "among_attacks")


@pytest.fixture(scope="session")
def suite(backend: str) -> Iterator[Suite]:
    """The attacks' slot."""
    with open_sandbox(backend, slots=2, limits=QUICK) as sandbox:
        yield Suite(sandbox)


@pytest.fixture
def stops() -> Callable[[Suite, str, Case], None]:
    """Asserts that an attack does not get through, and that the next job sees nothing of it."""
    return _stops


@pytest.fixture
def works_undefended() -> Callable[[Case], None]:
    """Asserts that an attack works where nothing stops it, so that the other test shows a defence."""
    return _works_undefended


def _stops(suite: Suite, family: str, case: Case) -> None:
    verdict = suite.verdict(family, case)
    if verdict.outcome is Outcome.NOT_ENFORCEABLE:
        pytest.skip(verdict.why)
    assert verdict.outcome is Outcome.STOPPED, verdict.why


def _works_undefended(case: Case) -> None:
    if case.bare.jail and shutil.which("bwrap") is None:
        assert "bubblewrap" not in os.environ.get("MX_REQUIRE", ""), "MX_REQUIRE lists bubblewrap"
        pytest.skip("the controls need bubblewrap")
    if case.bare.root and os.geteuid() != 0:
        pytest.skip("only root can show this attack undefended")
    found = control(case)
    if found is None and case.bare.needs and "controls" not in os.environ.get("MX_REQUIRE", ""):
        pytest.skip(f"nothing to attack: this machine lacks {case.bare.needs}")
    assert found is not None
