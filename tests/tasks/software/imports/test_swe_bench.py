"""SWE-bench records as tasks: from a checkout and from an image, without the future in either."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mx_sandboxes import Sandbox, open_sandbox
from mx_sandboxes.backends.docker.containers import build_folder
from mx_sandboxes.backends.docker.tags import image_tag
from mx_tasks import Submission, load_task_set
from mx_tasks.software.imports.swe_bench import Where, import_swe_bench, instances

CORE = "def shorten(text, length):\n    if len(text) < length:\n        return text\n    return text[: length - 1] + '~'\n"
TESTS = "from words.core import shorten\n\n\ndef test_cut():\n    assert shorten('abcdef', 4) == 'abc~'\n"
MORE = TESTS + "\n\ndef test_fits():\n    assert shorten('abc', 3) == 'abc'\n"


def git(repo: Path, *words: str) -> str:
    """What git prints."""
    line = [
        "git",
        "-C",
        str(repo),
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "init.defaultBranch=main",
        *words,
    ]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose history goes on to the fix and its tests."""
    repo = tmp_path_factory.mktemp("checkouts") / "acme__words"
    for name, text in {"words/core.py": CORE, "words/__init__.py": "", "tests/test_core.py": TESTS}.items():
        (repo / name).parent.mkdir(parents=True, exist_ok=True)
        (repo / name).write_text(text)
    git(repo, "init", "-q")
    for name, text in (
        ("words/core.py", CORE),
        ("words/core.py", CORE.replace("<", "<=")),
        ("tests/test_core.py", MORE),
    ):
        (repo / name).write_text(text)
        git(repo, "add", "-A")
        git(repo, "commit", "-qm", f"the future holds {name}", "--allow-empty")
    return repo


@pytest.fixture(scope="module")
def record(repo: Path) -> dict[str, Any]:
    """The record of that fix."""
    return {
        "instance_id": "acme__words-1",
        "repo": "acme/words",
        "base_commit": git(repo, "rev-parse", "HEAD~2").strip(),
        "patch": git(repo, "diff", "HEAD~2", "HEAD~1"),
        "test_patch": git(repo, "diff", "HEAD~1", "HEAD"),
        "problem_statement": "A text that fits is cut.",
        "FAIL_TO_PASS": json.dumps(["tests/test_core.py::test_fits"]),
        "PASS_TO_PASS": ["tests/test_core.py::test_cut", "tests/test_core.py::test_that_never_was"],
        "version": "1.0",
        "environment_setup_commit": git(repo, "rev-parse", "HEAD~2").strip(),
    }


def imported(
    entries: list[Mapping[str, Any]], folder: Path, sandbox: Sandbox, where: Where
) -> tuple[list[str], list[str]]:
    """The ids of what was imported, and what was said of the others."""
    file = folder / "records.jsonl"
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    said: list[str] = []
    names = list(import_swe_bench(file, folder / "ours", sandbox, said.append, where=where))
    return names, [line for line in said if ": refused: " in line or ": left out " in line]


def test_a_record_of_a_checkout_holds_and_others_are_one_line(
    repo: Path, record: dict[str, Any], tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    wrong = {
        "no-such-commit": {"base_commit": "0" * 40},
        "other-runner": {"FAIL_TO_PASS": ["test_fits (tests.Words)"]},
        "other-tree": {"patch": record["patch"].replace("length", "width")},
        "mends-nothing": {"patch": record["patch"].replace("<= length", "<  length")},
        "passes-already": {"FAIL_TO_PASS": ["tests/test_core.py::test_cut"]},
        "no-tests": {"FAIL_TO_PASS": "[]"},
        "no-list": {"FAIL_TO_PASS": "tests/test_core.py"},
        "an-option": {"base_commit": "--output=/tmp/x"},
        "another-repo": {"repo": "acme/other"},
    }
    entries = [record, *({**record, **change, "instance_id": name} for name, change in wrong.items())]
    where = Where(checkout=repo.parent)
    names, said = imported(entries, tmp_path, bubblewrap_or_skip, where)
    assert names == ["acme__words-1"]
    assert said[0] == "acme__words-1: left out 1 of 2 tests to be kept, which do not pass here"
    reasons = [
        "has no commit",
        "another runner",
        "does not fit",
        "does not mend",
        "passes without its patch",
        "lacks FAIL_TO_PASS",
    ]
    reasons += ["is no list", "is no commit", "no git repository"]
    refused = [line for line in said[1:] if ": refused: " in line]
    assert len(refused) == len(wrong)
    for line, name, reason in zip(refused, wrong, reasons, strict=True):
        assert line.startswith(f"{name}: refused: ")
        assert reason in line

    tasks = load_task_set(str(tmp_path / "ours"))
    task = tasks.find("acme__words-1")
    assert set(task.files) == {"words/core.py", "words/__init__.py", "tests/test_core.py"}, "no history"
    assert b"test_fits" not in b"".join(task.files.values())
    gold = f"```diff\n{record['patch']}```"
    forged = {"tests/test_core.py": b"def test_fits(): pass\n", "conftest.py": b"import os; os._exit(0)\n"}
    assert tasks.grade(task, Submission(gold), bubblewrap_or_skip).score == 1.0
    assert tasks.grade(task, Submission(files=forged), bubblewrap_or_skip).score == 0.0


@pytest.mark.docker
def test_a_record_of_an_image_runs_in_it_and_its_history_is_gone(
    repo: Path, record: dict[str, Any], tmp_path: Path, backend: str
) -> None:
    if backend != "docker":
        pytest.skip("for the container engine")
    from mx_sandboxes.backends.docker.connection import connect

    context = tmp_path / "context"
    git(repo, "clone", "-q", str(repo), str(context / "repo"))
    git(context / "repo", "checkout", "-q", record["base_commit"])
    (context / "Dockerfile").write_text(
        f"FROM {image_tag('python')}\nRUN echo inside > /opt/mark\nCOPY repo /testbed\n"
    )
    client = connect()
    try:
        client.images.get(build_folder(context)).tag("local/sweb.acme_1776_words-1", "test")
    finally:
        client.close()
    with open_sandbox("docker", slots=2) as sandbox:
        where = Where(images="local/sweb.{id}:test")
        assert imported([record], tmp_path, sandbox, where)[0] == ["acme__words-1"]
    task = load_task_set(str(tmp_path / "ours")).find("acme__words-1")
    with open_sandbox("docker", image=task.image, slots=1) as sandbox:
        seen = sandbox.run(
            [
                "sh",
                "-c",
                "cat /opt/mark; ls -a /testbed; grep -rl future /testbed; python -m pytest -q /testbed | tail -1",
            ],
            files=task.files,
        ).stdout.decode()
    assert seen.startswith("inside")
    assert ".git" not in seen
    assert "future" not in seen
    assert "1 passed" in seen


def test_directories_of_version_five_are_read(record: dict[str, Any], tmp_path: Path) -> None:
    place = tmp_path / "tasks" / "acme__words-1"
    place.mkdir(parents=True)
    (place / "task.yaml").write_text(f"repo: acme/words\nbase_commit: {record['base_commit']!r}\n")
    (place / "gold.patch").write_text(record["patch"])
    (place / "test.patch").write_text(record["test_patch"])
    (place / "problem_statement.md").write_text(record["problem_statement"])
    (place / "tests.json").write_text(json.dumps({"FAIL_TO_PASS": ["a.py::b"], "PASS_TO_PASS": []}))
    [entry] = instances(tmp_path)
    assert entry["instance_id"] == "acme__words-1"
    assert entry["patch"] == record["patch"]
    assert entry["FAIL_TO_PASS"] == ["a.py::b"]
