"""Directories whose scripts want a network get pytest where it is installed, older forms are read, what is missing is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks import Submission, load_task_set
from mx_tasks.software.imports.harbor_import import import_harbor
from mx_tasks.software.sets.harbor_tasks import HarborTasks
from mx_tasks.validate import validate
from tests.tasks.software.imports.test_harbor_import import MENDED, directory

CHECK = (
    "import sys; sys.path.insert(0, '/app')\nfrom calc import add\n\n\ndef test_add():\n    assert add(2, 3) == 5\n\n\n"
    "def test_pytest_is_not_the_submission_s():\n    assert not pytest.__file__.startswith(('/app', '/work/app'))\n"
)
CHECK = f"import pytest\n{CHECK}"
REWARD = "if [ $? -eq 0 ]; then echo 1; else echo 0; fi > /logs/verifier/reward.txt\n"
FETCHED = "apt-get update\napt-get install -y curl\ncurl -LsSf https://astral.sh/uv/0.9.5/install.sh | sh\n. $HOME/.local/bin/env\n"
IT = "/tests/test_outputs.py\n"
SCRIPTS = {
    "uvx": f"uvx -p 3.13 -w pytest==8.4.1 -w pytest-json-ctrf==0.3.5 pytest --ctrf /logs/verifier/ctrf.json -rA {IT}",
    "uv-tool": f"uv tool run --from pytest pytest {IT}",
    "uv-run-with": f"uv run --with pytest==8.4.1 --no-project -- python -m pytest {IT}",
    "uv-venv": f"uv venv .testing\n. .testing/bin/activate\nuv pip install pytest==8.4.1\nuv run pytest {IT}",
    "pip": f"pip install pytest==8.4.1 && pip3 install -q --break-system-packages pytest\npython3 -m pytest {IT}",
}
POSIX = f"uv init\nuv add pytest==8.4.1\nuv run pytest {IT}"
PINNED = f"uvx --with=pytest==8.4.1 --python=3.12 pytest@8.4.1 {IT}"
MISSING = {
    "other-package": (
        "uvx -w pytest==8.4.1 -w no-such-thing==2 pytest /tests/test_outputs.py\n",
        "no-such-thing is not installed here",
    ),
    "other-tool": ("uvx no_such_tool /tests\n", "no_such_tool"),
    "requirements": ("uv pip install -r /tests/req.txt && true\n", "requirements"),
    "download": (
        "set -o pipefail; curl -L https://example.org/data.csv > data.csv\n",
        "there is no network",
    ),
}


def with_script(text: str, fetched: str = FETCHED, shell: str = "bash", strict: str = "") -> dict[str, str]:
    files = {name: data for name, data in MENDED.items() if name != "tests/check.py"}
    return {
        **files,
        "tests/test.sh": f"#!/bin/{shell}\n{strict}{fetched}{text}{REWARD}",
        "tests/test_outputs.py": CHECK,
    }


def bring(source: Path, out: Path, box: Sandbox) -> tuple[list[str], dict[str, str]]:
    said: list[str] = []
    names = list(import_harbor(source, out, box, said.append))
    lines = [line.partition(": refused: ") for line in said if ": refused: " in line]
    return sorted(names), {name: why for name, _, why in lines}


def test_scripts_that_install_pytest_find_the_one_that_is_there(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    for name, text in SCRIPTS.items():
        directory(tmp_path / "theirs", name, with_script(text))
    directory(tmp_path / "theirs", "strict", with_script(PINNED, strict="set -euo pipefail\n"))
    directory(tmp_path / "theirs", "posix", with_script(POSIX, shell="sh", strict="set -e\n"))
    names, refused = bring(tmp_path / "theirs", tmp_path / "ours", bubblewrap_or_skip)
    assert refused == {}
    assert names == sorted([*SCRIPTS, "posix", "strict"])
    tasks = load_task_set(str(tmp_path / "ours"))
    for name in ("uvx", "uv-run-with", "pip"):
        task = tasks.find(name)
        wrong = {"app/calc.py": b"def add(a, b):\n    return a * b\n"}
        own_pytest = {
            **wrong,
            "app/pytest.py": b"raise SystemExit(0)\n",
            "app/pytest/__main__.py": b"",
            "app/uvx": b"#!/bin/sh\n",
        }
        for files in (wrong, own_pytest):
            if name == "uvx" or files is wrong:
                grade = tasks.grade(task, Submission(files=files), bubblewrap_or_skip)
                assert grade.score == 0.0, grade.log


def test_what_is_missing_is_named_in_one_line(tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    for name, (text, _) in MISSING.items():
        directory(tmp_path / "theirs", name, with_script(text))
    names, refused = bring(tmp_path / "theirs", tmp_path / "ours", bubblewrap_or_skip)
    assert names == []
    assert {name: why in refused.get(name, "") for name, (_, why) in MISSING.items()} == dict.fromkeys(
        MISSING, True
    ), refused


def test_a_directory_without_a_solution_is_there_and_says_so(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    files = {
        name: text for name, text in with_script(SCRIPTS["uvx"]).items() if not name.startswith("solution/")
    }
    directory(tmp_path / "theirs", "open", files)
    directory(tmp_path / "theirs", "empty", {**files, "solution/solve.sh": ""})
    directory(
        tmp_path / "theirs",
        "paid-for-nothing",
        {**files, "tests/test.sh": "echo 1 > /logs/verifier/reward.txt\n"},
    )
    names, refused = bring(tmp_path / "theirs", tmp_path / "ours", bubblewrap_or_skip)
    assert names == ["empty", "open"]
    assert "doing nothing scores 1" in refused["paid-for-nothing"]
    tasks = load_task_set(str(tmp_path / "ours"))
    assert isinstance(tasks, HarborTasks)
    assert validate(tasks, bubblewrap_or_skip, repeats=1) == []
    task = tasks.find("open")
    assert tasks.gold(task) == Submission()
    assert "not validated: there is no solution" in tasks.judged_by(task)
    right = Submission(files={"app/calc.py": b"def add(a, b):\n    return a + b\n"})
    grade = tasks.grade(task, right, bubblewrap_or_skip)
    assert grade.score == 1.0
    assert "not validated" in grade.log


YAML = """instruction: |-
  Mend /app/calc.py.
author_name: somebody
difficulty: easy
category: software-engineering
tags: [python]
parser_name: pytest
max_agent_timeout_sec: 360.0
max_test_timeout_sec: 60.0
run_tests_in_same_shell: false
"""
COMPOSE = (
    "services:\n  client:\n    build:\n      dockerfile: Dockerfile\n    command: [sh, -c, sleep infinity]\n"
)
RUN_TESTS = (
    f"#!/bin/bash\n{FETCHED}uv init\nuv add pytest==8.4.1\nuv run pytest $TEST_DIR/test_outputs.py -rA\n"
)


def older(root: Path, name: str, changes: dict[str, str | None] | None = None) -> None:
    """A directory as terminal-bench had them before Harbor's form."""
    files: dict[str, str | None] = {
        "task.yaml": YAML,
        "Dockerfile": "FROM ghcr.io/someone/python\nWORKDIR /app\nCOPY calc.py ./\n",
        "docker-compose.yaml": COMPOSE,
        "calc.py": MENDED["environment/calc.py"],
        "run-tests.sh": RUN_TESTS,
        "solution.sh": "#!/bin/bash\nsed -i 's/a - b/a + b/' /app/calc.py\n",
        "tests/test_outputs.py": CHECK,
        **(changes or {}),
    }
    for inner, text in files.items():
        if text is not None:
            path = root / name / inner
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def test_older_directories_are_read_and_judged_by_their_own_script(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    theirs = tmp_path / "theirs"
    older(theirs, "mend")
    older(theirs, "unsolved", {"solution.sh": None})
    older(
        theirs,
        "plain",
        {"docker-compose.yaml": None, "run-tests.sh": "python3 -m pytest -rA /tests/test_outputs.py\n"},
    )
    older(theirs, "two", {"docker-compose.yaml": COMPOSE + "  database:\n    image: postgres\n"})
    older(theirs, "parser", {"task.yaml": YAML.replace("pytest", "swebench")})
    older(theirs, "broken", {"task.yaml": "instruction: [\n"})
    older(theirs, "silent", {"task.yaml": "difficulty: easy\n"})
    older(theirs, "no-script", {"run-tests.sh": None})
    older(theirs, "no-image", {"Dockerfile": None})
    older(theirs, "nothing-run", {"run-tests.sh": "true\n"})
    names, refused = bring(theirs, tmp_path / "ours", bubblewrap_or_skip)
    assert names == ["mend", "plain", "unsolved"]
    reasons = {"two": "side by side (client, database)", "parser": "the parser swebench", "broken": "task.yaml cannot be read",
               "silent": "no instruction", "no-script": "no run-tests.sh", "no-image": "no Dockerfile",
               "nothing-run": "its solution scores 0, not 1"}  # fmt: skip
    assert {name: why in refused.get(name, "") for name, why in reasons.items()} == dict.fromkeys(
        reasons, True
    ), refused
    tasks = load_task_set(str(tmp_path / "ours"))
    task = tasks.find("mend")
    assert "Mend /app/calc.py." in task.prompt
    assert list(task.files) == ["app/calc.py"]
    liar = b"def add(a, b):\n    print('PASSED x')\n    return a * b\nprint('PASSED everything')\n"
    leaver = b"import os\nprint('PASSED x', flush=True)\nos._exit(0)\n"
    for code, score in ((b"def add(a, b):\n    return b + a\n", 1.0), (liar, 0.0), (leaver, 0.0)):
        assert tasks.grade(task, Submission(files={"app/calc.py": code}), bubblewrap_or_skip).score == score


@pytest.mark.docker
def test_a_container_has_the_stand_ins_too(tmp_path: Path, backend: str) -> None:
    if backend != "docker":
        pytest.skip("for the container engine")
    directory(tmp_path / "theirs", "uvx", with_script(SCRIPTS["uvx"], strict="set -eo pipefail\n"))
    with open_sandbox("docker", slots=2) as box:
        names, refused = bring(tmp_path / "theirs", tmp_path / "ours", box)
    assert (names, refused) == (["uvx"], {})
