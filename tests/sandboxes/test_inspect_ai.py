"""inspect_ai's own self-check of sandboxes passes on ours, through the adapter beside it.

It runs with inspect_ai in an environment of its own, made once under the user's cache folder: its many packages stay out of ours.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / "benchmarks" / "peers" / "environments.py"
CHECKS = Path(__file__).parent / "inspect_ai" / "self_check.py"


def interpreter() -> str:
    """The Python that has inspect_ai. Where it cannot be had: a skip at a user's, a failure in continuous integration."""
    command = [sys.executable, str(ENVIRONMENTS), "inspect_ai"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        said = made.stderr.strip().splitlines()[-1]
        if "inspect" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail(f"MX_REQUIRE lists inspect: {said}")
        pytest.skip(said)
    return made.stdout.strip()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, tuple[subprocess.Popen[bytes], Path]]]:
    """The checks on both backends, at once: they sleep most of their time."""
    command = [interpreter(), "-m", "pytest", "-q", "-c", os.devnull, "--rootdir", str(CHECKS.parent)]
    command += ["--noconftest", "-p", "no:cacheprovider", "-rfEx", str(CHECKS)]
    started = {}
    for name in ("bubblewrap", "docker"):
        log = tmp_path_factory.mktemp(name) / "log"
        env = {**os.environ, "MX_BACKEND": name, "PYTHONPATH": str(ROOT / "sandboxes")}
        with log.open("wb") as sink:
            process = subprocess.Popen(command, env=env, cwd=CHECKS.parent, stdout=sink, stderr=sink)
        started[name] = (process, log)
    yield started
    for process, _ in started.values():
        process.kill()
        process.wait()


def test_the_self_check_passes(
    backend: str, running: dict[str, tuple[subprocess.Popen[bytes], Path]]
) -> None:
    process, log = running[backend]
    code = process.wait(280)
    said = log.read_text()
    assert code == 0, said
    counts = re.search(r"(\d+) passed, (\d+) xfailed", said)
    assert counts is not None, said
    assert int(counts[1]) >= 38
    assert counts[2] == "1"  # acting as another user
