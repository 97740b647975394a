"""Every Python example of the READMEs runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from mx_agents.cli.app import app

ROOT = Path(__file__).parents[1]
PAGES = ["README.md", *(f"{room}/README.md" for room in ("agents", "mx_envs", "tasks", "sandboxes"))]


def examples() -> list[tuple[str, str]]:
    """Page and number of every example, and its source."""
    found = []
    for page in PAGES:
        blocks = re.findall(
            r"^```python\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
        found += [(f"{page}-{number}", block) for number, block in enumerate(blocks, 1)]
    return found


@pytest.mark.parametrize(("name", "source"), examples(), ids=[name for name, _ in examples()])
def test_an_example_runs_and_prints_what_it_says(name: str, source: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    promised = re.findall(r"^\s*print\(.*\)\s+# (.+)$", source, re.MULTILINE)
    assert done.stdout.splitlines()[: len(promised)] == promised or not promised


def command_lines() -> list[str]:
    """Every line of the READMEs that begins with mx, without its comment."""
    lines = [line for page in PAGES for line in (ROOT / page).read_text("utf-8").splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in lines if line.startswith("mx ")]


@pytest.mark.parametrize("line", command_lines())
def test_a_command_line_is_one_that_mx_takes(line: str) -> None:
    command: Any = typer.main.get_command(app)
    words = shlex.split(line)[1:]
    while hasattr(command, "get_command"):
        name = words.pop(0)
        command = command.get_command(None, name)
        assert command is not None, f"mx has no command {name!r}"
    command.make_context(line, words)  # raises for an option or argument that the command does not take


@pytest.mark.parametrize("room", ["sandboxes", "tasks", "agents"])
def test_the_files_of_a_rooms_table_exist(room: str) -> None:
    rows = re.findall(r"^\| (`.*?) \|", (ROOT / room / "README.md").read_text("utf-8"), re.MULTILINE)
    named = [name for row in rows for name in re.findall(r"`([^`:]+)`", row)]  # task sets have a colon
    assert named
    assert [name for name in named if not (ROOT / room / f"mx_{room}" / name).exists()] == []


def test_there_are_examples() -> None:
    assert len(examples()) >= 6
    assert len(command_lines()) >= 8


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md"])
def test_files_that_a_page_names_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    linked = re.findall(r"\]\((?!https?://|#)([^)]+)\)", text) + re.findall(
        r'src="(?!https?://)([^"]+)"', text
    )
    assert [
        name for name in linked if not (ROOT / page).parent.joinpath(name.partition("#")[0]).exists()
    ] == []


def test_the_method_and_the_policy_of_the_pages_run_beside_built_in_ones(tmp_path: Path) -> None:
    """As a new user would: both copied from the page, three built-in methods beside them, two domains."""
    text = (ROOT / "agents/README.md").read_text("utf-8")
    for name, most in (("my_method.py", 15), ("my_policy.py", 16)):
        [source] = re.findall(rf'^```python\n("""{name}: .*?)^```', text, re.DOTALL | re.MULTILINE)
        assert len([line for line in source.splitlines() if line.strip()]) <= most
        (tmp_path / name).write_text(source)
    [line] = [line for line in command_lines() if "my_method.py:" in line]
    words = [*shlex.split(line)[1:], "--episodes", "2", "--run", "run"]
    done = subprocess.run(
        [sys.executable, "-m", "mx_agents.cli", *words],
        cwd=tmp_path,
        env={**os.environ, "COLUMNS": "130"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "my_method.py:Patient" in done.stdout
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
