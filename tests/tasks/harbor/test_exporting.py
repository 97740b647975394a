"""Our tasks as Harbor's directories: another runner's verifier comes to the same verdict."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from mx_sandboxes import Limits, Sandbox
from mx_tasks import load_task_set
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, read_directory
from mx_tasks.harbor.exporting import as_harbor, export_tasks

VERDICT = (
    "mkdir -p /work/app /work/logs/verifier && cp -R /work/given/. /app/ && {solve}sh /tests/test.sh >&2; "
    "cat /logs/verifier/reward.txt"
)
LIMITS = Limits(wall_s=60, cpu_s=60, memory_bytes=1 << 30)


def reward(directory: TaskDirectory, sandbox: Sandbox, *, solved: bool) -> float:
    """What the exported verifier writes, as in a container whose /app is the workspace's."""
    given = {f"given/{name.removeprefix('workspace/')}": data for name, data in directory.environment.items()}
    given |= {f"tests/{name}": data for name, data in directory.tests.items()}
    given |= {f"solution/{name}": data for name, data in directory.solution.items()}
    script = VERDICT.format(solve="sh /solution/solve.sh && " if solved else "")
    done = sandbox.run(["sh", "-c", script], files=given, limits=LIMITS)
    assert done.stdout, done.stderr.decode()
    return float(done.stdout)


@pytest.mark.parametrize("name", ["software:micro", "software:repair"])
def test_the_verifier_of_a_directory_says_what_ours_says(name: str, bubblewrap_or_skip: Sandbox) -> None:
    task_set = load_task_set(name)
    directory = as_harbor(task_set, task_set.task("test", 0))
    assert {"Dockerfile"} < set(directory.environment)
    assert "test.sh" in directory.tests
    assert "solve.sh" in directory.solution
    assert reward(directory, bubblewrap_or_skip, solved=True) == 1.0
    assert reward(directory, bubblewrap_or_skip, solved=False) == 0.0


@pytest.mark.parametrize(
    "name",
    [
        "software:packages",
        "trading:micro",
        "hardware:fsm",
        "hardware:repair",
        "software:micro,software:repair",
    ],
)
def test_every_domain_is_written_whole(name: str, tmp_path: Path) -> None:
    results = list(export_tasks(load_task_set(name), "test", 2, tmp_path))
    assert [why for _, why in results] == ["", ""]
    for path in tmp_path.iterdir():
        directory = read_directory(path)
        assert directory.config["verifier"]["environment_mode"] == "separate"
        assert directory.config["artifacts"] == ["/app"]
        assert os.access(path / "tests" / "test.sh", os.X_OK)
        assert os.access(path / "solution" / "solve.sh", os.X_OK)


def test_what_needs_this_host_is_refused() -> None:
    for name, reason in (
        ("trading:regime", "the service market"),
        ("trading:strategy-regime", "no reference solutions"),
    ):
        task_set = load_task_set(name)
        with pytest.raises(TaskDirectoryError, match=reason):
            as_harbor(task_set, task_set.task("test", 0))


MODELS = """
import json, sys
from pathlib import Path
from harbor.models.task.task import Task
from harbor.models.task.verifier_mode import resolve_task_verifier_mode
for folder in sys.argv[1:]:
    task = Task(Path(folder))
    assert task.paths.test_path.is_file() and task.paths.solve_path.is_file()
    print(json.dumps([task.config.task.name, resolve_task_verifier_mode(task.config).value]))
"""


def test_harbors_own_models_take_them(tmp_path: Path) -> None:
    """``MX_HARBOR_PYTHON`` names an interpreter (3.12 or later) that has the package ``harbor``."""
    python = os.environ.get("MX_HARBOR_PYTHON")
    if not python:
        pytest.skip("MX_HARBOR_PYTHON names no interpreter with harbor")
    names = ("software:micro", "software:repair", "software:packages", "hardware:fsm", "trading:micro")
    for name in names:
        assert all(not why for _, why in export_tasks(load_task_set(name), "test", 1, tmp_path))
    folders = sorted(map(str, tmp_path.iterdir()))
    done = subprocess.run(
        [*python.split(), "-c", MODELS, *folders], capture_output=True, text=True, check=True
    )
    said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(said) == len(names)
    assert {mode for _, mode in said} == {"separate"}
