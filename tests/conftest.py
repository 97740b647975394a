"""What the tests of every room share: the real sandboxes.

A test that takes ``backend`` or ``sandbox`` runs once on each backend. Where a backend does not work, its tests are
skipped with the reason; a backend that MX_REQUIRE lists (``MX_REQUIRE=docker,bubblewrap``) fails them instead.
"""

from __future__ import annotations

import fcntl
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mx_sandboxes import Sandbox, SandboxUnavailableError, open_sandbox
from mx_sandboxes.opening import BACKENDS


def pytest_configure(config: pytest.Config) -> None:
    """Give every backend a mark of its own, a new one too. Beside others, a test's arithmetic takes one processor."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            os.environ.setdefault(variable, "1")
    for name in BACKENDS:
        config.addinivalue_line("markers", f"{name}: needs the backend {name}")


def pytest_collection_finish() -> None:
    """What was collected stays: looking through its million objects at each collection of garbage takes longer than most tests."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are processors, as many tests wait; never more than four, as each opens sandboxes of its own."""
    return min(4, len(os.sched_getaffinity(0)) + 1)


@pytest.fixture(
    scope="session", params=[pytest.param(name, marks=getattr(pytest.mark, name)) for name in BACKENDS]
)
def backend(request: pytest.FixtureRequest) -> str:
    """Each backend's name, where it works here."""
    name: str = request.param
    try:
        with open_sandbox(name, slots=1) as sandbox:
            sandbox.run(["python", "-c", "pass"])
    except SandboxUnavailableError as error:
        if name in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail(f"MX_REQUIRE lists {name}: {error}")
        pytest.skip(str(error))
    return name


@pytest.fixture(scope="session")
def any_backend() -> str:
    """``auto``, where there is a backend for it, for tests that hold on each and need not be run on both."""
    try:
        open_sandbox("auto", slots=1).close()
    except SandboxUnavailableError as error:
        if set(BACKENDS) & set(os.environ.get("MX_REQUIRE", "").split(",")):
            pytest.fail(f"MX_REQUIRE lists a backend: {error}")
        pytest.skip(str(error))
    return "auto"


@pytest.fixture(scope="session")
def sandbox(backend: str) -> Iterator[Sandbox]:
    """A warm sandbox that all tests share; a job leaves nothing behind, so no test disturbs another."""
    with open_sandbox(backend, slots=8) as opened:
        yield opened


@pytest.fixture(scope="session")
def bubblewrap_or_skip() -> Iterator[Sandbox]:
    """The embedded sandbox alone, for tests of what is the same on every backend."""
    try:
        with open_sandbox("bubblewrap", slots=8) as opened:
            opened.run(["python", "-c", "pass"])
            yield opened
    except SandboxUnavailableError as error:
        if "bubblewrap" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail(f"MX_REQUIRE lists bubblewrap: {error}")
        pytest.skip(str(error))


@contextmanager
def _holding(tmp_path_factory: pytest.TempPathFactory, how: int) -> Iterator[None]:
    """A lock on what is everybody's: where tests run side by side, their temporary folders have one parent."""
    place = tmp_path_factory.getbasetemp().parent
    with (place / "host.lock").open("w") as file:
        with (place / "host.turn").open("w") as turn:  # who waits to be alone lets no others pass
            fcntl.flock(turn, fcntl.LOCK_EX)
            fcntl.flock(file, how)
        yield


@pytest.fixture
def among_attacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For tests that play attacks, with their controls: other tests may do so meanwhile, but nobody looks at the host."""
    with _holding(tmp_path_factory, fcntl.LOCK_SH):
        yield


@pytest.fixture
def alone_with_the_host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """For tests that look for what attacks leave on the host: no other test plays one meanwhile."""
    with _holding(tmp_path_factory, fcntl.LOCK_EX):
        yield
