"""Harbor's task directories, imported unchanged and judged by their own scripts, apart from the agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from mx_sandboxes import Sandbox, open_sandbox
from mx_sandboxes.backends.docker.tags import image_tag
from mx_tasks import Submission, load_task_set
from mx_tasks.harbor.directory import TaskDirectoryError
from mx_tasks.software.errors import SourceError
from mx_tasks.software.imports.harbor_import import import_harbor, places
from mx_tasks.validate import validate

TOML = """version = "1.0"

[metadata]
author_name = "somebody"   # a comment that stays

[verifier]
timeout_sec = 60.0

[agent]
timeout_sec = 90.0

[environment]
memory = "1G"
"""
MENDED = {
    "environment/calc.py": "def add(a, b):\n    return a - b\n",
    "environment/Dockerfile": "FROM {base}\nWORKDIR /app\nCOPY calc.py notes/ ./\n",
    "environment/notes/old.txt": "old\n",
    "tests/test.sh": "#!/bin/bash\nif python3 /tests/check.py; then echo 1; else echo 0; fi > /logs/verifier/reward.txt\n",
    "tests/check.py": (
        "import os, sys; sys.path.insert(0, '/app'); from calc import add\n"
        "assert add(2, 3) == 5 and os.getcwd().endswith('/app') and not os.path.exists('old.txt')\n"
    ),
    "solution/solve.sh": "#!/bin/bash\nsed -i 's/a - b/a + b/' /app/calc.py\nrm old.txt\n",
}


def directory(root: Path, name: str, files: Mapping[str, str] = MENDED, toml: str = TOML) -> Path:
    """A task directory as an author writes it."""
    for inner, text in {**files, "task.toml": toml, "instruction.md": "Mend /app/calc.py.\n"}.items():
        path = root / name / inner
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("{base}", image_tag("python")))
        path.chmod(0o755 if inner.endswith(".sh") else 0o644)
    return root / name


def imported(source: Path, out: Path, sandbox: Sandbox) -> tuple[list[str], list[str]]:
    """The names of what was imported, and the lines on what was refused."""
    said: list[str] = []
    names = list(import_harbor(source, out, sandbox, said.append))
    return names, [line for line in said if ": refused: " in line]


def test_a_directory_runs_unchanged_and_holds(backend: str, tmp_path: Path) -> None:
    path = directory(tmp_path / "theirs", "mend-calc")
    with open_sandbox(backend, slots=2) as sandbox:
        assert imported(path.parent, tmp_path / "ours", sandbox) == (["mend-calc"], [])
    tasks = load_task_set(str(tmp_path / "ours"))
    task = tasks.find("mend-calc")
    assert task.files["app/calc.py"] == MENDED["environment/calc.py"].encode()
    assert "a comment that stays" in (tmp_path / "ours/mend-calc/task.toml").read_text()
    assert list(tasks.outputs(task)) == ["app/"]
    assert "check.py" not in task.prompt
    with open_sandbox(backend, image=task.image, slots=2) as sandbox:
        assert validate(tasks, sandbox, count=1, repeats=1) == []
        seen = sandbox.run(["sh", "-c", "cd /app && cat calc.py && ls /tests"], files=task.files)
        assert b"a - b" in seen.stdout
        assert b"check.py" not in seen.stdout, "agents never see the tests"
        half = Submission(files={"app/calc.py": b"def add(a, b):\n    return a + b\n"})
        assert tasks.grade(task, half, sandbox).score == 0.0, "the old file has to go too"


@pytest.mark.docker
def test_the_verifier_is_another_container_than_the_agents(tmp_path: Path, backend: str) -> None:
    """What an agent leaves outside the carried files does not reach the verifier, nor do files of its own making there."""
    if backend != "docker":
        pytest.skip("for the container engine")
    path = directory(tmp_path / "theirs", "mend-calc")
    with open_sandbox("docker", slots=2) as sandbox:
        imported(path, tmp_path / "ours", sandbox)
        tasks = load_task_set(str(tmp_path / "ours"))
        task = tasks.find("mend-calc")
        forged = {
            "logs/verifier/reward.txt": b"1",
            "tests/test.sh": b"echo 1 > /logs/verifier/reward.txt",
            "/tests/test.sh": b"echo 1 > /logs/verifier/reward.txt",
            "app/../tests/check.py": b"",
            "app/../../tests/check.py": b"",
        }
        grade = tasks.grade(task, Submission(files=forged), sandbox)
    assert (grade.score, grade.passed) == (0.0, False)
    assert "refused: /tests/test.sh, app/../../tests/check.py" in grade.log


def test_what_cannot_run_here_is_one_line_and_the_others_go_on(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    theirs = tmp_path / "theirs"
    directory(theirs, "good")
    directory(
        theirs,
        "needs-apt",
        {**MENDED, "environment/Dockerfile": "FROM x\nRUN apt-get update\nWORKDIR /app\n"},
    )
    directory(theirs, "compose", {**MENDED, "environment/docker-compose.yaml": "services: {}\n"})
    directory(theirs, "windows", toml=TOML + 'os = "windows"\n')
    directory(theirs, "steps", toml=TOML + '[[steps]]\nname = "one"\n')
    directory(theirs, "secret", toml=TOML + '[verifier.env]\nKEY = "${OPENAI_API_KEY}"\n')
    directory(theirs, "no-tests", {name: text for name, text in MENDED.items() if name != "tests/test.sh"})
    directory(
        theirs, "no-effect", {**MENDED, "solution/solve.sh": "#!/bin/sh\necho cannot reach the network >&2\n"}
    )
    directory(theirs, "always", {**MENDED, "tests/test.sh": "echo 1 > /logs/verifier/reward.txt\n"})
    directory(theirs, "silent", {**MENDED, "tests/test.sh": "exit 3\n"})
    directory(theirs, "root", {**MENDED, "environment/Dockerfile": "FROM x\nCOPY calc.py /app/\n"})
    names, refused = imported(theirs, tmp_path / "ours", bubblewrap_or_skip)
    assert names == ["good"]
    assert [path.name for path in (tmp_path / "ours").iterdir()] == ["good"]
    reasons = {
        "always": "doing nothing scores 1, not 0",
        "compose": "docker-compose",
        "needs-apt": "RUN apt-get update",
        "no-effect": "cannot reach the network",
        "no-tests": "there is no tests/test.sh",
        "root": "its working folder is /",
        "secret": "OPENAI_API_KEY of the host's environment",
        "silent": "its solution scores 0, not 1 (no reward was written)",
        "steps": "several steps",
        "windows": "Windows",
    }
    assert len(refused) == len(reasons)
    for line, (name, reason) in zip(sorted(refused), sorted(reasons.items()), strict=True):
        assert line.startswith(f"{name}: refused: ")
        assert reason in line
        assert "\n" not in line


@pytest.mark.parametrize(
    ("config", "workdir", "roots", "outputs"),
    [
        ({}, "/app", ["/app"], ["app/"]),
        ({"artifacts": ["/app/out.json"]}, "/app", ["/app"], ["app/out.json", "app/out.json/"]),
        ({"artifacts": ["report"]}, "/app", ["/app"], ["app/report", "app/report/"]),
        (
            {"artifacts": [{"source": "/data/a.csv"}]},
            "/app",
            ["/app", "/data"],
            ["data/a.csv", "data/a.csv/"],
        ),
        ({"artifacts": ["/app"]}, "/app/src", ["/app"], ["app/"]),
        (
            {"artifacts": ["/logs/artifacts"]},
            "/app",
            ["/app", "/logs/artifacts"],
            ["app/", "logs/artifacts/"],
        ),
    ],
)
def test_what_is_carried_is_what_the_task_declares(
    config: dict[str, object], workdir: str, roots: list[str], outputs: list[str]
) -> None:
    assert places(config, workdir) == (roots, outputs)


@pytest.mark.parametrize("config", [{}, {"artifacts": ["/etc/passwd"]}, {"artifacts": ["/a b/c"]}])
def test_a_folder_that_cannot_be_a_workspace_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(SourceError):
        places(config, "/")


def test_a_folder_that_was_not_imported_says_how_to(tmp_path: Path) -> None:
    directory(tmp_path, "theirs")
    with pytest.raises(TaskDirectoryError, match="mx tasks import harbor"):
        load_task_set(str(tmp_path))
