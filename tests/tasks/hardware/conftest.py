"""Sandboxes with the hardware tools; where they are missing, tests are skipped, or fail when MX_REQUIRE lists ``eda``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mx_sandboxes import Sandbox, SandboxError, open_sandbox
from mx_tasks.hardware.sets.published import ImportedTasks, verilog_eval

PROBE = (
    "import os, shutil, sys; there = all(map(shutil.which, ('iverilog', 'verilator')))\n"
    "sys.exit(not there or not os.path.exists('/mx/eda/site/pyosys'))"
)


def opened(backend: str, name: str) -> Iterator[Sandbox]:
    missing = "iverilog, verilator or pyosys is missing"
    try:
        with open_sandbox(backend, image="hdl", slots=4) as sandbox:
            if sandbox.run(["python", "-c", PROBE]).ok:
                yield sandbox
                return
    except SandboxError as error:
        missing = str(error)
    if name in os.environ.get("MX_REQUIRE", "").split(","):
        pytest.fail(f"MX_REQUIRE lists {name}: {missing}")
    pytest.skip(missing)


@pytest.fixture(scope="session")
def hdl() -> Iterator[Sandbox]:
    """The embedded sandbox with the host's hardware tools."""
    yield from opened("bubblewrap", "eda")


@pytest.fixture(
    scope="session",
    params=[
        pytest.param("bubblewrap", marks=pytest.mark.eda),
        pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.eda]),
    ],
)
def each_hdl(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """Each backend's sandbox with hardware tools: two versions of every tool."""
    yield from opened(request.param, "docker" if request.param == "docker" else "eda")


@pytest.fixture(scope="session")
def published() -> Path:
    """A folder with twenty problems of VerilogEval v2, which is not part of this repository."""
    folder = Path(__file__).parents[4] / "shared" / "data" / "verilog_eval"
    if not folder.is_dir():
        pytest.skip(f"needs problems of VerilogEval v2 in {folder}")
    return folder


@pytest.fixture(scope="session")
def samples(hdl: Sandbox, published: Path) -> ImportedTasks:
    """Those problems as tasks."""
    return verilog_eval(published, sandbox=hdl, cache=False)
