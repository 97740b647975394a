"""The command line, as a user meets it."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from mx_agents import progress
from mx_agents.cli import main, making
from mx_sandboxes import Completed, Limits, Reason, Sandbox
from mx_sandboxes.limits import probes

Mx = Callable[..., tuple[int, str, str]]

HEAVY = ("torch", "transformers", "gymnasium", "pettingzoo", "docker", "httpx", "numpy", "mx_envs")


@pytest.fixture
def mx(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Mx:
    """Run a command in an empty folder: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(
        "COLUMNS", "140"
    )  # other tests' sets of tasks may have names that make a narrow table wrap

    def run(*words: str, typed: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        code = 0
        try:
            main(words)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    program = f"""
import sys
from mx_agents.cli import main
from mx_sandboxes import Completed, Limits, Reason, Sandbox
try:
    main(["--help"])
except SystemExit:
    pass
heavy = [name for name in {HEAVY} if name in sys.modules]
assert not heavy, heavy
"""
    times = []
    for _ in range(2):
        begin = time.perf_counter()
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        times.append(time.perf_counter() - begin)
    assert "bench" in done.stdout
    assert min(times) < 3  # 0.3 s where nothing else runs


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("play software:mirco", "did you mean 'software:micro'"),
        ("play software:micro --split tset", "did you mean 'test'"),
        ("play software:micro --designer sinlge", "did you mean 'single'"),
        ("play software:micro --executor scriptd", "did you mean 'scripted'"),
        ("play software:micro --task micro-9-x-1", "no task 'micro-9-x-1'"),
        ("play software:micro --sandbox bubblerap", "did you mean 'bubblewrap'"),
        ("play software:micro --executor hf:./nowhere", "no Hugging Face model at './nowhere'"),
        ("bench --methods single,vot", "did you mean 'vote'"),
        ("bench --methods single,single", "named twice"),
        ("bench --methods ,", "no method is named"),
        ("bench --tasks software:repiar", "did you mean 'software:repair'"),
        ("bench --split tests", "did you mean 'test'"),
        ("bench --executor openai:x", "is not openai:MODEL@URL"),
        ("bench --executor file.py:build", "no file 'file.py'"),
        ("bench --episodes 0", "episodes must be 1 or more, not 0"),
        ("bench --budget 0", "1 or more, not 0"),
        ("bench --sandbox dokcer", "did you mean 'docker'"),
        ("bench --resume", "--run FOLDER"),
        ("bench --resume --run nowhere", "there is no run 'nowhere'"),
        ("bench --run /proc/nowhere --episodes 1 --sandbox bubblewrap", "'/proc/nowhere' cannot be written"),
        ("report nowhere", "there is no run 'nowhere'"),
        ("tasks show software:micr", "did you mean 'software:micro'"),
        ("tasks validate software:nothing", "there is no task set"),
        ("train --preset micro --config a.yaml", "give one of them"),
        ("train --config nowhere.yaml", "no configuration file 'nowhere.yaml'"),
        ("train steps:10", "changes are KEY=VALUE"),
        ("train --resume", "--run FOLDER"),
        ("sandbox build pyhton", "did you mean 'python'"),
    ],
)
def test_a_mistake_is_one_clear_line_and_leaves_nothing(
    mx: Mx, tmp_path: Path, words: str, message: str
) -> None:
    code, out, err = mx(*words.split())
    assert code == 2
    err = re.sub(r"(?m)^ *\d+ s  .*\n", "", err)  # how far it is, where a machine is slow
    assert message in err
    assert err.startswith("mx: ")
    assert err.count("\n") == 1
    assert "Traceback" not in out + err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", ["bnch", "bench --episods 3", "bench --episodes many", "play"])
def test_a_slip_of_the_pen_is_exit_code_2(mx: Mx, words: str) -> None:
    code, _, err = mx(*words.split())
    assert code == 2
    assert "Traceback" not in err


def test_a_run_folder_that_holds_something_is_not_overwritten(mx: Mx, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("years of work")
    code, _, err = mx("bench", "--run", "full", "--episodes", "1", "--sandbox", "bubblewrap")
    assert code == 2
    assert "is not empty; go on with it by --resume" in err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_an_error_in_a_users_own_file_comes_through(mx: Mx, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        mx("bench", "--methods", "mine.py:build")


def test_play_shows_task_design_turns_and_grade(mx: Mx, backend: str) -> None:
    code, out, _ = mx("play", "software:micro", "--designer", "split", "--seed", "3", "--sandbox", backend)
    assert code == 0
    places = [
        out.index(word)
        for word in (
            "Write each prefix formula",
            "submit(split(coder))",
            "turn 1 of at most 24",
            "answer",
            "grade",
            "score",
        )
    ]
    assert places == sorted(places)
    assert ("✓" in out) or ("✗" in out)


def test_play_a_chosen_task_of_a_split_with_files(mx: Mx, backend: str) -> None:
    code, out, _ = mx(
        "play",
        "software:repair",
        "--designer",
        "single",
        "--executor",
        "random",
        "--split",
        "test",
        "--sandbox",
        backend,
    )
    assert code == 0
    assert "not passed · score 0.00" in out


def test_the_same_seed_plays_the_same_episode(mx: Mx, backend: str) -> None:
    words = (
        "play",
        "software:micro",
        "--designer",
        "random",
        "--executor",
        "random",
        "--seed",
        "5",
        "--sandbox",
        backend,
    )
    assert mx(*words) == mx(*words)


def test_a_person_plays_the_executor(mx: Mx, backend: str) -> None:
    words = (
        "play",
        "software:micro",
        "--task",
        "micro-0-test-0",
        "--designer",
        "split",
        "--executor",
        "human",
        "--sandbox",
        backend,
    )
    code, out, _ = mx(*words, typed="a\n\nb\n\nc\n\nd\n\n")
    assert code == 0
    assert "you are asked" in out
    assert "handed in" in out
    assert out.count("An empty line or Ctrl-D sends") == 1


def test_a_person_plays_the_designer(mx: Mx, backend: str) -> None:
    typed = "from mas import *\nsubmit(len(task.parts))\n\n"
    code, out, _ = mx("play", "software:micro", "--designer", "human", "--sandbox", backend, typed=typed)
    assert code == 0
    assert "submitted · 0 calls" in out


def test_a_person_may_leave(mx: Mx, backend: str) -> None:
    code, out, _ = mx(
        "play",
        "software:micro",
        "--designer",
        "single",
        "--executor",
        "human",
        "--sandbox",
        backend,
        typed="/quit\n",
    )
    assert code == 130
    assert "nothing was graded" in out


def test_what_a_model_says_cannot_steer_the_terminal(mx: Mx, tmp_path: Path, backend: str) -> None:
    (tmp_path / "evil.py").write_text("def build():\n    return lambda chat: '\\x1b[2Jgone\\x07\\u202e'\n")
    code, out, _ = mx(
        "play", "software:micro", "--designer", "single", "--executor", "evil.py:build", "--sandbox", backend
    )
    assert code == 0
    assert "gone" in out
    assert not {"\x1b", "\x07", "\u202e"} & set(out)


def test_tasks_are_listed_shown_and_validated(mx: Mx, backend: str) -> None:
    _, listed, _ = mx("tasks", "list")
    assert "software:micro" in listed
    assert "software:repair" in listed
    assert "unlimited" in listed
    assert "state machines" in listed
    assert "fair coin" in listed
    _, shown, _ = mx("tasks", "show", "software:micro", "micro-0-test-3")
    assert "micro-0-test-3" in shown
    assert "public tests" in shown
    code, validated, _ = mx("tasks", "validate", "software:micro", "--count", "1", "--sandbox", backend)
    assert code == 0
    assert "gold scores 1" in validated


def test_making_tasks_says_now_and_then_how_far_it_is_without_a_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_S", 0.1)

    def work(_: Sandbox, report: Callable[[str], None]) -> Iterator[str]:
        report("one [thing]")
        time.sleep(0.5)
        yield "made-1"

    assert making.make_all([("things", work)], tmp_path, backend, each=1) == 0
    said = capsys.readouterr()
    assert "things: 0 of 1 tasks, one [thing]" in said.err
    assert "things: 1 task: made-1" in said.out


@pytest.mark.eda
def test_what_a_published_benchmark_leaves_out_is_shown(
    mx: Mx, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = "module verified_inverter(input a, output y);"
    row = {
        "id": "inverter",
        "desc": "Invert. Module name: inverter",
        "testbench": "module tb; reg a; wire y; inverter dut(a, y); initial begin a = 0; #1 a = 1; #1"
        ' if (y === 0) $display("===Your Design Passed==="); else $display("===Error==="); end endmodule',
        "verified": f"{head} assign y = ~a; endmodule",
    }
    wrong = {**row, "id": "wire", "verified": f"{head} assign y = a; endmodule"}
    copy = tmp_path / "rtllm.jsonl"
    copy.write_text("\n".join(map(json.dumps, [row, wrong])), "utf-8")
    monkeypatch.setenv("MX_RTLLM", str(copy))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _, shown, _ = mx("tasks", "show", "hardware:rtllm", "--split", "test")
    assert "Call the top module inverter" in shown.replace("`", "")
    assert "left out: wire: its reference does not pass its own testbench: ===Error===" in shown
    for command in (
        ("tasks", "show", "hardware:rtllm"),
        ("bench", "--tasks", "hardware:rtllm", "--split", "train"),
    ):
        code, _, said = mx(*command)
        assert code == 2
        assert "the split 'train' of hardware:rtllm has no tasks; try --split test" in " ".join(said.split())


def test_doctor_says_what_works_here(mx: Mx) -> None:
    code, out, _ = mx("doctor", "--quick")
    assert code == 0
    assert "✓  docker" in out or "✓  bubblewrap" in out
    assert "sandbox=auto" in out


def test_doctor_names_the_fix_where_nothing_works() -> None:
    words = [sys.executable, "-m", "mx_agents.cli", "doctor", "--quick"]
    nothing = {"PATH": "/nonexistent", "DOCKER_HOST": "unix:///nonexistent.sock"}
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | nothing)
    assert done.returncode == 1
    assert "No sandbox works here" in done.stdout
    assert done.stdout.count("fix: ") >= 2
    assert "apt-get install bubblewrap" in done.stdout


class Leaky:
    """A sandbox that forbids nothing: what the probes must notice."""

    backend = "leaky"

    def run(self, argv: Sequence[str], limits: Limits) -> Completed:
        done = subprocess.run([sys.executable, *argv[1:]], capture_output=True, timeout=120)
        return Completed(Reason.EXITED, done.returncode, done.stdout, done.stderr)


def test_a_probe_notices_a_limit_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    unsafe_here = {"number of processes", "output", "read-only system", "network", "host files"}
    tried = [probe for probe in probes.PROBES if probe.name not in unsafe_here]
    monkeypatch.setattr(probes, "PROBES", tried)
    assert probes.not_enforced(Leaky()) == [probe.name for probe in tried]  # type: ignore[arg-type]


def test_every_limit_that_doctor_tries_holds(sandbox: Sandbox) -> None:
    assert probes.not_enforced(sandbox) == []


def test_report_writes_where_it_says(mx: Mx, bench_run: Callable[..., Path]) -> None:
    folder = bench_run(tasks=2)
    code, out, _ = mx("report", str(folder), "-o", "mine.html")
    assert (code, out.strip()) == (0, "mine.html")
    assert Path("mine.html").read_text().startswith("<!doctype html>")
