"""Hostile jobs at random, a few; the whole of it: python benchmarks/verdicts.py."""

from __future__ import annotations

import fcntl
import importlib
import time
from pathlib import Path
from types import ModuleType

import pytest

from mx_sandboxes import Completed, Reason


@pytest.fixture
def verdicts() -> ModuleType:
    """The benchmark's module."""
    return importlib.import_module("verdicts")


def test_random_hostile_jobs_have_their_own_verdicts(verdicts: ModuleType, backend: str) -> None:
    tally = verdicts.attack(backend, 40, 2, 1_000_000)
    assert tally.ends.total() == 40
    assert not [fault for fault in tally.faults if " s after " not in fault], tally.faults
    assert tally.latest < 2.0  # a machine that runs tests may be a little late; the benchmark allows 0.5


def test_what_the_benchmark_notices(verdicts: ModuleType) -> None:
    tally = verdicts.Tally()
    tally.take(1, Completed(Reason.EXITED, 0), 0.1)
    assert tally.faults == []
    tally.take(2, Completed(Reason.SANDBOX_DIED, None, cause="gone"), 0.1)
    tally.take(3, Completed(Reason.WALL_TIME, None), 1.6)
    tally.take(4, Completed(Reason.EXITED, 0, attempts=2), 0.1)
    assert [
        "no verdict" in tally.faults[0],
        "0.60 s after" in tally.faults[1],
        "ran 2 times" in tally.faults[2],
    ] == [True] * 3
    assert verdicts.program(5) == verdicts.program(5) != verdicts.program(6)


def test_what_the_watch_notices(
    verdicts: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import watch

    program = tmp_path / "program"
    program.write_text("1")
    monkeypatch.setattr(watch, "PROGRAMS", (str(program),))
    monkeypatch.setattr(watch, "LOOK_S", 0.01)
    with watch.Watch() as quiet:
        time.sleep(0.1)
    assert quiet.faults == []
    with watch.Watch() as ours, program.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        time.sleep(0.1)
    assert ours.faults == []  # this machine's own programs may lock what they like
    said: list[str] = []
    monkeypatch.setattr(watch, "held_by_the_host", lambda _: False)
    monkeypatch.setattr(watch, "trouble", lambda: list(said))
    with watch.Watch() as busy, program.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        program.write_text("2")
        said.append("BUG: unable to handle")
        time.sleep(0.2)
    assert {fault.partition(str(program))[0] for fault in busy.faults} == {
        "somebody holds a lock on ",
        "program ",
        "the kernel says: BUG: unable to handle",
    }
