"""The first minutes: ``mx quickstart``, the files that the documentation names, and the table of settings."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mx_agents.cli.examples import example_files
from mx_agents.cli.quickstart import ROLES
from mx_agents.cli.settings import TESTS, VARIABLES, settings
from mx_agents.trainer.config import TrainConfig, load_config

MX = [sys.executable, "-m", "mx_agents.cli"]
ROOT = Path(__file__).parents[2]
PAGES = ["README.md", *(f"{room}/README.md" for room in ("agents", "mx_envs", "tasks", "sandboxes"))]
SIGNS = {
    "method": "my_method.py",
    "policy": "passed · score 1.00",
    "sandbox": "a loop without end: wall time",
}


def mx(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MX, *words], cwd=folder, capture_output=True, text=True, timeout=200, stdin=subprocess.DEVNULL
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_first_real_thing_in_a_minute(tmp_path: Path, bubblewrap_or_skip: object, role: str) -> None:
    began = time.monotonic()
    done = mx(tmp_path, "quickstart", "--role", role)
    assert time.monotonic() - began < 60
    assert done.returncode == 0, done.stderr
    assert SIGNS[role] in done.stdout
    lines = done.stdout.splitlines()
    assert lines[0] == f"wrote {ROLES[role].file}"
    [command] = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    assert done.stdout.count(command) == 2
    following = lines[lines.index("Next:") + 1 :]
    assert len(following) == len(ROLES[role].next)


def test_the_role_is_asked_for_or_named(tmp_path: Path) -> None:
    done = mx(tmp_path, "quickstart")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "--role method|policy|sandbox" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_person_is_asked_until_the_answer_makes_sense(tmp_path: Path, bubblewrap_or_skip: object) -> None:
    master, slave = pty.openpty()
    program = subprocess.Popen(
        [*MX, "quickstart"], cwd=tmp_path, stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    said, typed = b"", [b"four\n", b"9\n", b"3\n"]
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        if not select.select([master], [], [], 1)[0]:
            continue
        try:
            said += os.read(master, 4096)
        except OSError:  # the program has ended
            break
        if said.rstrip().endswith(b"]:") and typed:
            said += b"\n"
            os.write(master, typed.pop(0))
    os.close(master)
    assert program.wait(60) == 0, said
    assert said.count(b"A number from 1 to 3, please.") == 2
    assert b"a loop without end: wall time" in said


def test_a_users_own_changes_are_kept_and_used(tmp_path: Path, bubblewrap_or_skip: object) -> None:
    own = "class Mine:\n    def act(self, observations):\n        return ['mine was here'] * len(observations)\n"
    (tmp_path / "my_policy.py").write_text(own)
    done = mx(tmp_path, "quickstart", "--role", "policy")
    assert "my_policy.py is there already, with changes, and stays as it is" in done.stdout
    assert "mine was here" in done.stdout
    assert (tmp_path / "my_policy.py").read_text() == own


def test_a_second_benchmark_has_a_run_of_its_own(tmp_path: Path, bubblewrap_or_skip: object) -> None:
    (tmp_path / "runs" / "quickstart").mkdir(parents=True)
    assert mx(tmp_path, "quickstart", "--role", "method").returncode == 0
    assert (tmp_path / "runs" / "quickstart-2" / "report.html").is_file()


def test_examples_are_listed_and_written_and_never_overwritten(tmp_path: Path) -> None:
    listed = mx(tmp_path, "examples").stdout
    for name, path in example_files().items():
        assert name in listed
        assert path.read_text().startswith('"""')
    done = mx(tmp_path, "examples", "my_policy.py", "openai_plain.py", "--out", "new")
    assert done.returncode == 0
    assert (tmp_path / "new" / "my_policy.py").read_bytes() == example_files()["my_policy.py"].read_bytes()
    (tmp_path / "new" / "my_policy.py").write_text("mine")
    assert (
        "with changes, and stays as it is" in mx(tmp_path, "examples", "my_policy.py", "--out", "new").stdout
    )
    assert (tmp_path / "new" / "my_policy.py").read_text() == "mine"
    done = mx(tmp_path, "examples", "my_polcy.py")
    assert done.returncode == 2
    assert "did you mean 'my_policy.py'" in done.stderr


YOURS = {"my_eval.py"}
"""What only the reader has: a task of inspect_ai's that they want to bring in."""


def commands_of_pages() -> list[str]:
    lines = [line for page in PAGES for line in (ROOT / page).read_text("utf-8").splitlines()]
    return [re.sub(r"\s+#.*", "", line) for line in lines if line.startswith("mx ")]


def test_the_files_of_documented_commands_are_examples_that_are_written_before() -> None:
    written: set[str] = set()
    for line in commands_of_pages():
        words = shlex.split(line)
        if words[:2] == ["mx", "examples"]:
            written |= set(words[2:])
        for name in set(re.findall(r"[\w/.-]+\.py\b", line)) - YOURS:
            assert name in example_files(), f"{line}: nobody who installed the wheel has {name}"
    assert {"my_policy.py", "my_method.py"} <= written


@pytest.mark.parametrize("name", ["my_policy.py", "my_method.py"])
def test_the_pages_show_the_examples_as_they_are(name: str) -> None:
    assert example_files()[name].read_text("utf-8") in (ROOT / "agents" / "README.md").read_text("utf-8")


FIRST_PARTY = ("agents/mx_agents", "mx_envs", "tasks/mx_tasks", "sandboxes/mx_sandboxes")
INNER = {"MX_ABUSE_SECRET", "MX_LEFT", "MX_OFFLINE"}
"""What attacks of the abuse suite, and stand-ins for package managers in a sandbox, call theirs."""


def named_in(*folders: str) -> set[str]:
    files = [
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if path.name != "settings.py"
    ]
    texts = [path.read_text("utf-8") for path in files]
    return {name for text in texts for name in re.findall(r"(?<![A-Z_])MX_[A-Z_]*[A-Z]\b", text)}


def test_every_variable_of_ours_is_in_the_table_and_no_other() -> None:
    told = {name for variable in VARIABLES for name in variable.name.split(", ") if name.startswith("MX_")}
    ours = {
        name
        for variable in VARIABLES
        for name in variable.name.split(", ")
        if variable.where != TESTS and name.startswith("MX_")
    }
    assert named_in(*FIRST_PARTY) - INNER == ours
    assert told - ours <= named_in("tests")


def test_every_configuration_key_is_in_the_table_with_its_default(tmp_path: Path) -> None:
    rows = json.loads(mx(tmp_path, "settings", "--json").stdout)
    keys = {row["name"]: row for row in rows if row["where"].startswith("mx train")}
    default = TrainConfig().model_dump(mode="json")

    def leaves(values: dict[str, object], prefix: str = "") -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in values.items():
            whole = f"{prefix}{name}"
            table = (
                isinstance(value, dict) and whole not in keys
            )  # a table of the user's own names is one row
            found |= leaves(value, f"{whole}.") if table else {whole: value}
        return found

    assert set(keys) == set(leaves(default))
    for name, value in leaves(default).items():
        shown = "" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if isinstance(value, dict):
            shown = "{" + ", ".join(f"{key}: {each}" for key, each in value.items()) + "}"
        assert keys[name]["default"] == shown
        if shown and not isinstance(value, list):
            load_config("smoke", None, [f"{name}={shown}"])  # the table's spelling is one that mx train takes
    assert keys["designer.entropy"]["default"] == "0.01"
    assert all(row["about"] for row in rows)
    assert len(settings()) == len(rows)
