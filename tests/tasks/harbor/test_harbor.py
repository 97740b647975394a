"""Our task directories carry what Harbor's own runner wants, and their plain verdict agrees with the host's."""

from __future__ import annotations

import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest

from mx_tasks.harbor.directory import read_directory

DATA = Path(str(resources.files("mx_tasks.software.sets.repair").joinpath("data")))
TASKS = sorted(path.parent.name for path in DATA.glob("*/task.toml"))


@pytest.mark.parametrize("name", TASKS)
def test_a_repair_task_has_all_of_a_harbor_directory(name: str) -> None:
    task = read_directory(DATA / name)
    assert task.config["schema_version"] == "1.4"
    assert task.config["verifier"]["environment_mode"] == "separate"
    assert task.config["artifacts"] == ["/app"]
    assert {"Dockerfile"} <= task.environment.keys()
    assert b"/logs/verifier/reward.txt" in task.tests["test.sh"]
    assert {"solve.sh", task.ours["source"]} <= task.solution.keys()
    assert task.tests["harbor_cases.py"] == read_directory(DATA / TASKS[0]).tests["harbor_cases.py"]


@pytest.mark.parametrize("name", TASKS[:3])
def test_the_plain_verdict_is_right(name: str, tmp_path: Path) -> None:
    task = read_directory(DATA / name)
    reward = tmp_path / "reward.txt"
    source = str(task.ours["source"])
    for files, wanted in ((task.environment, "0"), (task.solution, "1")):
        (tmp_path / source).write_bytes(files[source])
        line = [DATA / name / "tests" / "harbor_cases.py", DATA / name / "tests" / "cases.toml", tmp_path]
        subprocess.run(
            [sys.executable, *map(str, line), source.removesuffix(".py"), str(reward)],
            check=True,
            timeout=120,
        )
        assert reward.read_text().strip() == wanted
