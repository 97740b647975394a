"""The soak and the faults, in small, and what they would notice. The whole of it: python benchmarks/soak.py."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from mx_sandboxes import Completed, Reason

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark() -> ModuleType:
    """The soak's module."""
    return importlib.import_module("soak")


def soak_of(backend: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it as a user does, with a place of its own for temporary files, as it counts them."""
    command = [sys.executable, str(BENCHMARKS / "soak.py"), "--backends", backend, *words]
    with tempfile.TemporaryDirectory() as own:
        told = {**os.environ, "TMPDIR": own}
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=280, env=told)


def test_the_host_stays_as_it_was(backend: str) -> None:
    done = soak_of(backend, "--jobs", "240", "--sessions", "48", "--kills", "0", "--restarts", "0")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_job_is_lost_or_run_twice_when_slots_are_killed(backend: str) -> None:
    done = soak_of(backend, "--jobs", "0", "--sessions", "0", "--kills", "12", "--restarts", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none lost, none run twice unsaid" in " ".join(done.stdout.split())


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0, reason="a private dockerd needs root")
@pytest.mark.skipif(shutil.which("dockerd") is None, reason="needs dockerd")
def test_no_job_is_lost_or_run_twice_when_the_engine_restarts() -> None:
    done = soak_of("docker", "--jobs", "0", "--sessions", "0", "--kills", "0", "--restarts", "2")
    if "no backend works here" in done.stdout and "docker" not in os.environ.get("MX_REQUIRE", ""):
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "none lost, none run twice unsaid" in " ".join(done.stdout.split())


def test_the_soak_notices_what_grows(benchmark: ModuleType) -> None:
    flat = [benchmark.holding() for _ in range(12)]
    assert benchmark.grown([flat[0]] * 12) == {}
    for name, step in (("descriptors", 2), ("processes", 1), ("containers", 1), ("own_kb", 2_000)):
        leaking = [replace(flat[0], **{name: number * step}) for number in range(12)]
        assert set(benchmark.grown(leaking)) == {name}


@pytest.mark.parametrize(
    ("answer", "ran", "why"),
    [
        (None, 1, "no verdict"),
        (Completed(Reason.EXITED, 0, b"0\n"), 2, "ran 2 times"),
        (Completed(Reason.EXITED, 0, b"0\n"), 0, "ran 0 times"),
        (Completed(Reason.EXITED, 0, b"1\n"), 1, "said b'1"),
        (Completed(Reason.SANDBOX_DIED, None), 2, "ran 2 times"),
        (Completed(Reason.WALL_TIME, None), 1, "wall time"),
        (Completed(Reason.EXITED, 0, b"0\n", attempts=2), 3, "ran 3 times"),
        (Completed(Reason.EXITED, 0, b"0\n", attempts=2), 2, None),
        (Completed(Reason.SANDBOX_DIED, None), 1, None),
        (Completed(Reason.EXITED, 0, b"0\n"), 1, None),
    ],
)
def test_the_tally_notices_what_is_lost_or_run_twice(
    benchmark: ModuleType, answer: Completed | None, ran: int, why: str | None
) -> None:
    answers = {} if answer is None else {0: answer}
    tally = benchmark.Tally(answers=answers, asked=1, marks=Counter({0: ran}), faults=1)
    assert tally.sound is (why is None)
    assert why is None or why in tally.faulty()[0]
