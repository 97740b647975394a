"""The benchmark of verdicts finds no false one, in a small run; the whole is a command of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mx_sandboxes import Sandbox

pytestmark = pytest.mark.eda
BENCHMARKS = Path(__file__).parents[4] / "benchmarks"
BENCHMARK = BENCHMARKS / "verdicts_hardware.py"
WAYS = ("registers kept inverted", "sums as differences", "bomb after 2^8 cycles", "latch")


@pytest.mark.timeout(900)
def test_no_verdict_is_false_and_wrong_designs_are_refuted(hdl: Sandbox) -> None:
    argv = [
        sys.executable,
        str(BENCHMARK),
        "--backend",
        hdl.backend,
        "--generated",
        "1",
        "--kinds",
        "combinational,fsm",
        "--only",
        ",".join(WAYS),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    assert "false verdicts: 0" in done.stdout
    rows = {
        line[7:34].strip(): line.split()[-5:]
        for line in done.stdout.splitlines()
        if line.startswith(("right:", "wrong:"))
    }
    assert set(rows) == set(WAYS)
    assert all(int(rows[way][0]) > 0 for way in WAYS[:2])
    assert all(int(rows[way][2]) > 0 for way in WAYS[2:])


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "cases",
    [
        pytest.param("three take turns,a pulse every", id="everyday"),
        pytest.param("a pulse of the reset,a count that a pulse", id="resets between edges"),
        pytest.param("a quotient", id="divisions by 0"),
        pytest.param("ports with signs", id="signs"),
        pytest.param("a choice and its,registers in a row", id="lists and races"),
    ],
)
def test_designs_written_by_hand_in_other_styles_are_judged_as_they_are(hdl: Sandbox, cases: str) -> None:
    argv = [
        sys.executable,
        str(BENCHMARKS / "hardware_styles.py"),
        "--backend",
        hdl.backend,
        "--short",
        "--only",
        cases,
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    counted = {
        line.split()[0]: [int(word) for word in line.split()[1:]]
        for line in done.stdout.splitlines()
        if line[:6] in ("right ", "wrong ")
    }
    right, wrong = counted["right"], counted["wrong"]
    assert right[0] + right[1] == sum(right)  # on an idle machine all are proven: engines have time limits
    assert right[0] > sum(right) / 2
    assert wrong[0] == 0 < wrong[2]
    assert wrong[2] + wrong[1] == sum(wrong)
