"""The benchmark runs, and what it says of itself and of others follows from what it measured."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "sandboxes.py"


@pytest.fixture
def benchmark() -> ModuleType:
    """The benchmark's module."""
    return importlib.import_module("sandboxes")


def test_it_measures_and_judges(backend: str) -> None:
    words = ["--rounds", "1", "--seconds", "0.05", "--flights", "8", "--only", f"{backend},subprocess"]
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *words], capture_output=True, text=True, check=False, timeout=250
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if "which lacks" in done.stdout and "eda" not in os.environ.get("MX_REQUIRE", "").split(","):
        pytest.skip(
            f"it measures hardware tools, too: {done.stdout.partition('which lacks')[2][:80]!r} are not here"
        )
    for word in ("python", "pytest", "iverilog", "x subprocess (goal: 1.5 x)", "first turn", "1 MB tree"):
        assert word in done.stdout, done.stdout


def test_goals_are_medians_of_the_ratios_within_a_round(benchmark: ModuleType) -> None:
    rates = {
        ("docker", "python", 8): [100.0, 200.0, 50.0],
        ("exec_run", "python", 8): [10.0, 10.0, 10.0],
        ("subprocess", "python", 8): [100.0, 200.0, 50.0],
    }
    extras = {
        ("docker", "session, first turn (ms)"): [14.0, 20.0, 13.0],
        ("docker", "1 MB tree (ms)"): [11.0],
    }
    lines, missed = benchmark.goals(rates, extras)
    assert [line.startswith("[green]") for line in lines] == [True, False, True, False]
    assert "10.0 x exec_run" in lines[0]
    assert missed == 2
