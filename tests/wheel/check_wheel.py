"""Uses the installed wheel as a stranger would; run by scripts/wheel_test.sh from outside the repository, not by pytest."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    import mx_agents
    import mx_envs
    import mx_sandboxes
    import mx_tasks

    outside = Path(sys.prefix)
    for package in (mx_agents, mx_envs, mx_sandboxes, mx_tasks):
        assert package.__file__ is not None
        assert Path(package.__file__).is_relative_to(outside), f"{package.__name__} is not the wheel's"
        assert (Path(package.__file__).parent / "py.typed").is_file()
    heavy = {"torch", "transformers", "peft", "docker"} & set(sys.modules)
    assert not heavy, f"importing the packages imported {heavy}"
    files = {str(path) for path in importlib.metadata.files("mx-envs") or ()}
    assert any(name.endswith("LICENSE") for name in files)
    assert any(name.endswith("/run_cases.py") for name in files)
    assert any(name.endswith("mx_agents/examples/my_policy.py") for name in files)
    for role in ("method", "policy", "sandbox"):
        began = time.monotonic()
        subprocess.run([Path(sys.prefix) / "bin" / "mx", "quickstart", "--role", role], check=True)
        assert time.monotonic() - began < 60, f"mx quickstart --role {role} took more than a minute"

    with mx_sandboxes.Sandboxes("auto") as sandboxes:
        for name in mx_tasks.task_set_names():
            try:
                task_set = mx_tasks.load_task_set(name)
            except mx_tasks.TaskSetError:  # its data is no part of the distribution
                continue
            task = task_set.task("train", 0)
            grade = task_set.grade(task, mx_tasks.Submission(""), sandboxes(task.image))
            assert grade.score <= 0.0, (name, grade)
            assert not grade.passed, (name, grade)


main()
