"""Every long command, broken off by SIGINT and SIGTERM at three moments: it names the command that goes on, and that does.

Each runs under a reaper of its own, to which the kernel hands whatever the command leaves behind.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mx_agents.runs.folder import read_lines

REAPER = """
import ctypes, json, os, pathlib, signal, subprocess, sys, time

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
moment, number, words = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
kind, _, what = moment.partition(":")
signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs, and what they start, ignore it

def children():
    found = {}
    for place in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            parent = place.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            if int(parent) == os.getpid():
                found[int(place.name)] = place.joinpath("cmdline").read_bytes().replace(b"\\0", b" ").decode()
        except OSError:
            pass
    return found

def has_come():
    if kind == "start":
        caught = [line.split()[1] for line in open(f"/proc/{program.pid}/status") if line.startswith("SigCgt")]
        return int(caught[0], 16) >> (signal.SIGTERM - 1) & 1  # SIGINT is Python's from the beginning
    if kind == "file":
        return any(path.stat().st_size for path in pathlib.Path().glob(what))
    return what in open("out").read() + open("err").read()

with open("out", "w") as out, open("err", "w") as err:
    program = subprocess.Popen(words, stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True)
    end = time.monotonic() + 200
    while program.poll() is None and time.monotonic() < end:
        try:
            if has_come():
                break
        except OSError:
            pass
        time.sleep(0.01)
    came = program.poll() is None
    if came:
        os.kill(program.pid, number)
    code = program.wait(120)
end, left = time.monotonic() + 20, children()
while left and time.monotonic() < end:
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        pass
    time.sleep(0.05)
    left = children()
for pid in left:
    os.kill(pid, signal.SIGKILL)
print(json.dumps({"came": came, "code": code, "left": list(left.values()), "out": open("out").read(), "err": open("err").read()}))
"""

SLOW = """
import time

class Slow:
    def act(self, observations):
        time.sleep(0.4)
        return ["a"] * len(observations)
"""


@dataclass(frozen=True)
class Long:
    """A long command, its three moments, and what must hold once the command that it named has gone on; None: it has no end."""

    line: str
    moments: tuple[str, str, str]
    after: Callable[[Path], None] | None
    named: str = ""
    """The command that goes on from the last moment, where that is another one."""
    needs: str = ""


def _whole_bench(folder: Path) -> None:
    rows = read_lines(folder / "run" / "episodes.jsonl")
    assert len({(row["method"], row["episode"]["task"]) for row in rows}) == len(rows) == 12
    assert (folder / "run" / "report.html").is_file()


def _whole_training(folder: Path) -> None:
    assert [row["step"] for row in read_lines(folder / "run" / "metrics.jsonl")] == [1, 2, 3]
    assert json.loads((folder / "run" / "results.json").read_text())["rows"]


def _imported(folder: Path) -> None:
    assert len(list((folder / "new").glob("**/task.toml"))) == 12


def _both_models(folder: Path) -> None:
    assert {path.name for path in (folder / "models").glob("*.zip")} == {"no-edge-0.zip", "no-edge-1.zip"}


def _nothing_to_see(_: Path) -> None:
    pass


BENCH = "bench --executor slow.py --methods single,split --episodes 6 --in-flight 2 --run run --sandbox bubblewrap"
LONG = {
    "bench": Long(
        BENCH,
        ("start:", "file:run/config.yaml", "file:run/episodes.jsonl"),
        _whole_bench,
        "mx bench --run run --resume --in-flight 2",
    ),
    "serve": Long(
        "serve --port 0 --run run --sandbox bubblewrap",
        ("start:", "file:run/config.yaml", "file:run/keys.jsonl"),
        None,
        "mx serve --run run --resume --port 0",
    ),
    "play": Long(
        "play software:micro --designer split --executor slow.py --sandbox bubblewrap",
        ("start:", "said:Write each prefix", "said:turn 2"),
        _nothing_to_see,
    ),
    "train": Long(
        "train --preset smoke --run run --sandbox bubblewrap",
        ("start:", "file:run/config.yaml", "file:run/seed-0/co-evolution/metrics.jsonl"),
        _whole_training,
        "mx train --run run --resume",
        "torch",
    ),
    "sandbox test": Long(
        "sandbox test --backend bubblewrap", ("start:", "said:attacks", "said:attacks, "), None
    ),
    "tasks validate": Long(
        "tasks validate software:micro --count 400 --sandbox bubblewrap",
        ("start:", "said:2 s", "said:17 s"),
        None,
    ),
    "tasks import": Long(
        "tasks import humaneval problems.jsonl --out new --sandbox bubblewrap",
        ("start:", "said:making tasks", "file:new/**/task.toml"),
        _imported,
    ),
    "trading ppo": Long(
        "trading ppo --worlds no-edge --steps 4096 --seeds 2 --save models",
        ("start:", "said:training in no-edge", "file:models/no-edge-0.zip"),
        _both_models,
        needs="stable_baselines3",
    ),
    "trading baselines": Long(
        "trading baselines --tasks trading:regime,trading:pairs --limit 8",
        ("start:", "said:trading trading:regime", "said:Calmar"),
        None,
    ),
    "view": Long("view run-of-before --port 0", ("start:", "said:http://", "said:Ctrl-C"), None),
}
PROBLEM = {
    "prompt": "def same(a):\n",
    "entry_point": "same",
    "canonical_solution": "    return a\n",
    "test": "def check(candidate):\n    assert candidate(3) == 3\n    assert candidate('x') == 'x'\n",
}


@pytest.fixture
def place(tmp_path: Path, bench_run: Any, bubblewrap_or_skip: object) -> Path:
    (tmp_path / "slow.py").write_text(SLOW)
    rows = [PROBLEM | {"task_id": f"HumanEval/{number}"} for number in range(12)]
    (tmp_path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench_run(tasks=1, seeds=1).rename(tmp_path / "run-of-before")
    return tmp_path


def break_off(folder: Path, line: str, moment: str, number: int) -> dict[str, Any]:
    words = [sys.executable, "-m", "mx_agents.cli", *shlex.split(line)]
    done = subprocess.run(
        [sys.executable, "-c", REAPER, moment, str(number), json.dumps(words)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=400,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


ALL = os.environ.get("MX_INTERRUPTS") == "all"
SHORT = {(0, signal.SIGINT), (2, signal.SIGTERM)}
"""What is tried of each command where nobody asks for all (``make test-interrupts``): they take twenty minutes."""


def cases() -> Iterator[Any]:
    for name, long in LONG.items():
        for place, moment in enumerate(long.moments):
            for number in (signal.SIGINT, signal.SIGTERM):
                if not ALL and (place, number) not in SHORT:
                    continue
                yield pytest.param(name, moment, place == 2, number, id=f"{name}-{place}-{number.name}")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("name", "moment", "last", "number"), list(cases()))
def test_a_command_that_is_broken_off_names_the_one_that_goes_on(
    place: Path, name: str, moment: str, last: bool, number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    long = LONG[name]
    if name == "sandbox test":
        request.getfixturevalue("among_attacks")
    if long.needs:
        pytest.importorskip(long.needs)
    found = break_off(place, long.line, moment, number)
    if not found["came"]:
        pytest.skip(f"it was over before {moment} could be seen")
    assert found["code"] == 128 + number, found["err"]
    assert found["left"] == []
    assert "Traceback" not in found["err"]
    said = found["err"].splitlines()
    assert said[-2].startswith(
        f"mx: broken off by {number.name}; nothing that was finished is lost. Go on with:"
    )
    way_on = said[-1].strip()
    if moment == "start:":
        assert way_on == f"mx {long.line}"
    if last:
        assert way_on == (long.named or f"mx {long.line}")
    if last and number is signal.SIGTERM and long.after is not None:
        kept = {path: path.read_bytes() for path in place.glob("run/episodes.jsonl")}
        words = [sys.executable, "-m", "mx_agents.cli", *shlex.split(way_on)[1:]]
        again = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=600)
        assert again.returncode == 0, again.stderr
        long.after(place)
        for path, data in kept.items():
            assert path.read_bytes().startswith(data)  # what was finished was not done again


def test_a_signal_that_somebody_swallows_comes_again(tmp_path: Path) -> None:
    (tmp_path / "deaf.py").write_text(
        "import time\n\nclass Deaf:\n    def act(self, observations):\n"
        "        while True:\n            try:\n                print('here', flush=True)\n                time.sleep(60)\n"
        "            except BaseException as error:\n                if getattr(Deaf, 'heard', False):\n"
        "                    raise\n                Deaf.heard = True\n"
    )
    found = break_off(
        tmp_path,
        "play software:micro --designer split --executor deaf.py --sandbox bubblewrap",
        "said:here",
        15,
    )
    assert found["came"], found
    assert (found["code"], found["left"]) == (143, []), found["err"]
