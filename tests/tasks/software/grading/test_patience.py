"""What runs out of time does so by its own doing: a busy machine makes no right answer late, an idle one no sleeper right."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

INSIDE = Path(str(resources.files("mx_tasks.software.grading").joinpath("inside")))
OTHERS = 6
CALL_S = 0.1
WORK_S = 0.6 * CALL_S
FUNCTION = "import time\ndef f():\n    end = time.process_time() + {0}\n    while time.process_time() < end: pass\n    return 7\n"
SLEEPING = "import time\ndef f():\n    time.sleep(600)\n    return 7\n"
THREAD = (
    "import threading, time\ndef work():\n    while time.thread_time() < {0}: pass\n    print(7)\n"
    "thread = threading.Thread(target=work)\nthread.start()\nthread.join()\n"
)


@pytest.fixture
def crowd() -> Iterator[int]:
    """A processor that others are busy on, by its number."""
    place = min(os.sched_getaffinity(0))
    line = [sys.executable, "-S", "-c", f"import os\nos.sched_setaffinity(0, [{place}])\nwhile True: pass\n"]
    others = [subprocess.Popen(line) for _ in range(OTHERS)]
    yield place
    for other in others:
        other.kill()
        other.wait()


def said(harness: str, request: dict[str, Any], folder: Path, place: int | None) -> list[Any]:
    done = subprocess.run(
        [sys.executable, str(INSIDE / harness)],
        input=json.dumps(request).encode(),
        stdout=subprocess.PIPE,
        cwd=folder,
        check=False,
        preexec_fn=None if place is None else lambda: os.sched_setaffinity(0, [place]),
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def called(folder: Path, code: str, *, program: bool, place: int | None = None) -> Any:
    """What came of the one call of a submission."""
    (folder / "m.py").write_text(code)
    call = ["run", ["tuple", ""], ["dict"]] if program else ["f", ["tuple"], ["dict"]]
    about = {"file": "m.py", "module": "m", "before": "", "after": "", "call_s": CALL_S, "support": []}
    lines = said("call_worker.py", {**about, "program": program, "calls": [call]}, folder, place)
    return next(line[1:] for line in lines if line[0] == 0)


def in_a_case(folder: Path, code: str, place: int | None = None) -> Any:
    """The same of a case of ``software:repair``."""
    (folder / "m.py").write_text(code)
    inside = folder / "_mx"
    inside.mkdir()
    (inside / "mx_asleep.py").write_bytes((INSIDE / "mx_asleep.py").read_bytes())
    (folder / "_run_cases.py").write_bytes((INSIDE / "run_cases.py").read_bytes())
    request = {"module": "m", "case_s": 3 * CALL_S, "cases": [{"do": "", "give": "f()"}]}
    return said(str(folder / "_run_cases.py"), request, folder, place)[0]


@pytest.mark.parametrize(
    ("code", "program", "right"),
    [
        (FUNCTION.format(WORK_S), False, ["gave", 7]),
        (THREAD.format(WORK_S), True, ["gave", "7\n"]),
    ],
    ids=["a function", "a program's thread"],
)
def test_who_waits_for_a_processor_is_not_late(
    tmp_path: Path, crowd: int, code: str, program: bool, right: Any
) -> None:
    assert called(tmp_path, code, program=program, place=crowd) == right


@pytest.mark.parametrize(
    ("code", "program"),
    [
        (SLEEPING, False),
        (FUNCTION.format(600), False),
        (THREAD.format(0) + "time.sleep(600)\n", True),
    ],
    ids=[
        "a function asleep",
        "a function that loops",
        "a program asleep after its thread",
    ],
)
def test_who_sleeps_or_loops_is_late(tmp_path: Path, code: str, program: bool) -> None:
    assert called(tmp_path, code, program=program) == ["late"]


def test_a_case_that_waits_for_a_processor_is_not_late(tmp_path: Path, crowd: int) -> None:
    assert json.loads(in_a_case(tmp_path, FUNCTION.format(WORK_S), crowd)["report"]) == {"gave": 7}


def test_a_case_that_sleeps_is_late(tmp_path: Path) -> None:
    assert in_a_case(tmp_path, SLEEPING) == {"report": None, "end": "ran out of time"}
