"""The manners of the command line: what it says without a terminal, of failures, of widths and colours, as JSON."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer

from mx_agents.cli.app import app
from mx_agents.cli.presets import preset_abouts
from mx_agents.errors import UsageError
from mx_agents.policies.reachable import check_endpoints
from mx_agents.progress import Row, going, spell
from mx_agents.terminal import console
from mx_agents.trainer.config import presets

MX = [sys.executable, "-m", "mx_agents.cli"]


def mx(folder: Path, *words: str, timeout: float = 200, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MX, *words], cwd=folder, capture_output=True, text=True, timeout=timeout, env=os.environ | env
    )


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that there is, with the words that lead to it."""
    command = command if command is not None else typer.main.get_command(app)
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
    for name, each in (inner or {}).items():
        yield from commands(each, (*path, name))


@pytest.mark.parametrize(("path", "command"), list(commands()), ids=lambda value: str(value)[:40])
def test_every_help_has_an_example_that_the_command_takes(path: tuple[str, ...], command: Any) -> None:
    line = (command.epilog or "").partition("\n")[0]
    assert line.startswith(f"Example: mx {' '.join(path)}")
    words = line.removeprefix("Example: mx ").split()[len(path) :]
    with command.make_context(" ".join(path), words):
        pass


def test_every_option_says_what_it_is() -> None:
    for path, command in commands():
        for param in command.params:
            assert getattr(param, "help", None), (path, param.name)


def test_help_lists_the_presets_and_how_long_they_take(tmp_path: Path) -> None:
    assert list(preset_abouts()) == presets()
    said = mx(tmp_path, "train", "--help").stdout
    for name in presets():
        assert f"{name}: " in said
    assert all("minute" in about for about in preset_abouts().values())


def test_the_version_is_told(tmp_path: Path) -> None:
    done = mx(tmp_path, "--version")
    assert (done.returncode, done.stdout.split()[0]) == (0, "mx-envs")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_values(tmp_path: Path, shell: str) -> None:
    def completed(words: str) -> str:
        env = {
            "_MX_COMPLETE": f"complete_{shell}",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        }
        env |= {"_TYPER_COMPLETE_ARGS": words, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        return mx(tmp_path, **env).stdout

    assert "bench" in completed("mx be")
    assert "bubblewrap" in completed("mx bench --sandbox bub")
    assert "hardware:micro" in completed("mx bench --tasks hardware:mic").replace("\\", "")


@pytest.mark.parametrize("columns", ["60", "200"])
def test_tables_are_as_wide_as_columns_says(tmp_path: Path, columns: str) -> None:
    lines = mx(tmp_path, "tasks", "list", COLUMNS=columns).stdout.splitlines()
    assert max(map(len, lines)) <= int(columns)
    assert int(columns) < 100 or max(map(len, lines)) > 100


def test_no_colour_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console().color_system is not None
    monkeypatch.setenv("NO_COLOR", "1")
    assert console().no_color


def test_without_a_terminal_a_long_thing_says_how_far_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mx_agents.progress.FIRST_S", 0.05)
    monkeypatch.setattr("mx_agents.progress.EVERY_S", 0.05)
    with going(console()) as told:
        later = told.row("later", 1.0, waits=True)
        time.sleep(0.2)
        row = told.row("playing", 10, unit="episodes")
        row.advance(5, "a [red]model\x1b[2J\nwrote this")
        time.sleep(0.3)
        row.finish()
        later.set(0.5)
        time.sleep(0.3)
    time.sleep(0.1)
    said = capsys.readouterr()
    assert said.out == ""
    assert "later: starting" in said.err
    assert "playing: 5 of 10 episodes, about " in said.err
    assert "a [red]model\N{REPLACEMENT CHARACTER}[2J wrote this" in said.err
    assert "later: 50%" in said.err
    assert "playing" not in said.err.splitlines()[-1]


def test_a_short_thing_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with going(console()) as told:
        told.row("short").advance()
    assert capsys.readouterr() == ("", "")


def test_times_are_spelt() -> None:
    assert [spell(seconds) for seconds in (7, 240, 9000)] == ["7 s", "4 min", "2.5 h"]
    assert Row("all", 4, 1).line() == "all: 25%"


NOTHING = "class Nothing:\n    def act(self, observations):\n        return [''] * len(observations)\n"
INVALID = {
    "syntax": "def method(task, rng):\n    return 'if ('\n",
    "crash": "def method(task, rng):\n    return 'raise ValueError(\"such a [pity]\")'\n",
    "loop": "def method(task, rng):\n    return 'x = 1 / 0'\n",
}


@pytest.mark.parametrize(
    ("kind", "reason"), [("syntax", "("), ("crash", "such a [pity]"), ("loop", "ZeroDivisionError")]
)
def test_a_run_in_which_all_was_invalid_says_why_first_and_fails(
    tmp_path: Path, bubblewrap_or_skip: object, kind: str, reason: str
) -> None:
    (tmp_path / "mine.py").write_text(INVALID[kind])
    done = mx(tmp_path, "bench", "--methods", "mine.py", "--episodes", "2", "--sandbox", "bubblewrap")
    assert done.returncode == 1, done.stderr
    first = done.stdout.splitlines()[0]
    assert first.startswith("All 2 episodes were invalid, 2 of them with: ")
    assert reason in first


def test_where_nothing_succeeds_nothing_is_best(tmp_path: Path, bubblewrap_or_skip: object) -> None:
    (tmp_path / "mine.py").write_text(NOTHING)
    words = ("bench", "--methods", "single,split", "--executor", "mine.py", "--episodes", "2", "--run", "run")
    done = mx(tmp_path, *words, "--sandbox", "bubblewrap")
    assert done.returncode == 0, done.stderr
    assert "No episode succeeded, so no method is the best." in done.stdout
    for text in (done.stdout, *(path.read_text() for path in (tmp_path / "run").glob("summary.[mt]*"))):
        lines = [line for line in text.splitlines() if re.match(r"[| ]*(\\textbf\{)?(single|split)", line)]
        assert lines
        assert not any("best" in line or "textbf" in line for line in lines)
    found = json.loads(mx(tmp_path, "bench", "--run", "run", "--resume", "--json").stdout)
    assert (found["episodes"], found["of"]) == (4, 4)
    assert [row["best"] for row in found["tables"][0]["rows"]] == [False, False]
    compared = json.loads(mx(tmp_path, "compare", "run", "run", "--json").stdout)
    assert [row["method"] for row in compared["methods"]] == ["single", "split"]
    assert compared["settings"] == []


def test_where_something_succeeds_something_is_best(tmp_path: Path, bubblewrap_or_skip: object) -> None:
    words = (
        "bench",
        "--methods",
        "split,single",
        "--executor",
        "scripted:oracle",
        "--episodes",
        "1",
        "--json",
    )
    done = mx(tmp_path, *words, "--sandbox", "bubblewrap")
    assert [row["best"] for row in json.loads(done.stdout)["tables"][0]["rows"]] == [True, False]


def test_machines_read_the_task_sets_and_the_doctor(tmp_path: Path, bubblewrap_or_skip: object) -> None:
    sets = {row["name"]: row for row in json.loads(mx(tmp_path, "tasks", "list", "--json").stdout)}
    assert sets["software:micro"]["sizes"]["train"] is None
    assert sets["software:repair"]["sizes"]["train"] >= 1
    found = json.loads(mx(tmp_path, "doctor", "--quick", "--json").stdout)
    assert found["auto"] in ("docker", "bubblewrap")
    assert {row["name"] for row in found["sandboxes"]} == {"docker", "bubblewrap"}


def test_scripted_says_where_it_knows_nothing(tmp_path: Path, bubblewrap_or_skip: object) -> None:
    words = ("bench", "--methods", "single", "--episodes", "1", "--sandbox", "bubblewrap")
    done = mx(tmp_path, *words, "--tasks", "software:repair,software:micro")
    assert (
        "scripted imitates a middling model on the micro task sets only and answers nothing on software:repair"
        in done.stderr
    )
    assert "nothing on software:micro" not in done.stderr


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


ASKED_BY = (
    "bench --executor",
    "bench --methods",
    "bench --methods search:",
    "play software:micro --executor",
    "play software:micro --designer",
    "serve --executor",
)


@pytest.mark.parametrize("command", ASKED_BY)
@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/v1", "http://no-such-host.invalid/v1"])
def test_an_endpoint_that_is_not_there_is_said_at_once(tmp_path: Path, command: str, url: str) -> None:
    line = f"{command} openai:some@{url.format(port=closed_port())}".replace("search: ", "search:")
    began = time.monotonic()
    done = mx(tmp_path, *line.split())
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("mx: nobody answers at http://")
    assert done.stderr.count("\n") == 1
    assert time.monotonic() - began < 60
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def server() -> Iterator[Callable[[int], str]]:
    servers: list[HTTPServer] = []

    def start(status: int) -> str:
        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        servers.append(HTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/v1"

    yield start
    for each in servers:
        each.shutdown()
        each.server_close()


@pytest.mark.parametrize("status", [200, 401, 404, 500, 503])
def test_an_endpoint_that_answers_anything_is_there(server: Callable[[int], str], status: int) -> None:
    check_endpoints(
        ["scripted", f"openai:m@{server(status)}", f"search:openai:m@{server(status)}", "mine.py:x@y"]
    )


def test_an_endpoint_of_no_protocol_is_not_there() -> None:
    with pytest.raises(UsageError, match="nobody answers"):
        check_endpoints(["openai:m@ftp://x/v1"])


@pytest.mark.train
def test_train_says_what_it_begins_when_it_is_told_nothing(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    bubblewrap_or_skip: object,
) -> None:
    pytest.importorskip("torch", reason="needs the train extra")
    from mx_agents.cli import train
    from mx_agents.trainer import command

    monkeypatch.setattr(command, "run_jobs", lambda *_: None)
    monkeypatch.setattr(command, "collect", lambda *_: {"rows": [], "differences": []})
    monkeypatch.chdir(tmp_path)
    for number, preset in enumerate((None, "smoke")):
        run = tmp_path / f"run-{number}"
        train.run(preset, None, [], 1, run, "bubblewrap", ablate=False, resume=False)
        name = preset or "micro"
        said = capsys.readouterr().out
        assert said.startswith(f"Preset {name}: {preset_abouts()[name]}")
        assert "mx train --help lists the others" in said
    train.run(None, None, [], 1, run, "bubblewrap", ablate=False, resume=True)
    assert "Preset" not in capsys.readouterr().out
