"""A run has one writer, and what a machine lacks is said in a line: nothing that was written is lost."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.errors import UsageError
from mx_agents.runs.folder import read_lines
from mx_sandboxes import Sandbox

SMALL: dict[str, Any] = {
    "methods": ("single",), "tasks": "software:micro", "split": "test", "episodes": 3, "seeds": 1,
    "executor": "scripted", "budget": None, "sandbox": "auto",
}  # fmt: skip
HOLD = """
import sys, time
from pathlib import Path
from mx_agents.runs.folder import locked
with locked(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


def test_a_second_writer_is_told_and_the_lock_goes_with_a_killed_one(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    bench = open_bench(BenchConfig(**SMALL), tmp_path / "run")
    bench.begin()
    process = holder(tmp_path / "run")
    try:
        with pytest.raises(UsageError, match="another process is writing the run"):
            list(bench.run(bubblewrap_or_skip, 2))
        assert not (tmp_path / "run" / "episodes.jsonl").exists()
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    assert len(list(bench.run(bubblewrap_or_skip, 2))) == 3


def test_who_read_a_run_before_another_wrote_it_begins_anew(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    first = open_bench(BenchConfig(**SMALL), tmp_path / "run")
    first.begin()
    second = open_bench(None, tmp_path / "run", resume=True)
    assert len(list(first.run(bubblewrap_or_skip, 2))) == 3
    with pytest.raises(UsageError, match="start again with --resume"):
        list(second.run(bubblewrap_or_skip, 2))
    assert list(first.run(bubblewrap_or_skip, 2)) == []
    assert len(read_lines(tmp_path / "run" / "episodes.jsonl")) == 3


def test_a_full_disk_is_said_in_a_line_and_leaves_whole_rows(tmp_path: Path) -> None:
    program = f"""
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
from pathlib import Path
from mx_agents.errors import UsageError
from mx_agents.runs.folder import Appender, write_text
folder = Path({str(tmp_path)!r})
appender = Appender(folder / "rows.jsonl")
try:
    for number in range(100): appender.add('{{"n": "' + "x" * 200 + '"}}')
except UsageError as error: print(error)
appender.close()
try: write_text(folder / "text", "x" * 5000)
except UsageError as error: print(error)
"""
    (tmp_path / "text").write_text("before")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    said = done.stdout.splitlines()
    assert len(said) == 2
    assert all("cannot be written: File too large" in line for line in said)
    assert len(read_lines(tmp_path / "rows.jsonl")) == 4
    assert (tmp_path / "rows.jsonl").read_bytes().endswith(b"}\n")
    assert (tmp_path / "text").read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "text"]


@pytest.mark.parametrize(
    "row", ['{"a":' * 5000 + "1" + "}" * 5000, '{"a": ' + "[" * 150 + "]" * 150 + "}", "[1]", "{"]
)
def test_a_row_that_is_none_is_an_error_that_names_it(tmp_path: Path, row: str) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"n": 1}) + "\n" + row + "\n" + json.dumps({"n": 2}) + "\n")
    with pytest.raises(UsageError, match="line 2, is no row of JSON"):
        read_lines(path)


def test_rows_as_deep_as_tools_are_taken(tmp_path: Path) -> None:
    row: Any = {"end": 1}
    for _ in range(90):
        row = {"inner": [row]} if _ % 9 == 0 else {"inner": row}
    (tmp_path / "rows.jsonl").write_text(json.dumps(row) + "\n" + "\n")
    path = tmp_path / "wide.jsonl"
    path.write_text(json.dumps({"many": [{}] * 5000}) + "\n\n")
    assert len(read_lines(path)) == 1


def test_few_open_files_are_said_in_a_line(tmp_path: Path) -> None:
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (14, 14))

    line = [sys.executable, "-m", "mx_agents.cli", "bench", "--tasks", "software:micro", "--episodes", "2",
            "--executor", "scripted", "--sandbox", "bubblewrap", "--run", str(tmp_path / "run")]  # fmt: skip
    done = subprocess.run(line, capture_output=True, text=True, preexec_fn=few, timeout=120)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr, done.stderr[-2000:]
    assert done.stderr.strip().splitlines()[-1].startswith("mx: "), done.stderr
