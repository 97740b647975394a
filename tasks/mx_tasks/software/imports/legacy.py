"""Terminal-Bench's older task directories (``task.yaml``, ``run-tests.sh``, ``solution.sh``) in Harbor's form."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from mx_tasks.harbor.directory import TaskDirectoryError, base_config, toml_text
from mx_tasks.software.errors import SourceError

SERVICE = "client"
"""The one container that such a task may have."""
_TEST_SH = """#!/bin/bash
# The verdict of run-tests.sh: pytest's own exit code and its short summary must both say that all has passed.
export TEST_DIR=/tests
bash /tests/run-tests.sh > /logs/verifier/output.txt 2>&1
code=$?
cat /logs/verifier/output.txt
if [ $code -eq 0 ] && grep -q '^PASSED ' /logs/verifier/output.txt && ! grep -qE '^(FAILED|ERROR) ' /logs/verifier/output.txt; then
  echo 1 > /logs/verifier/reward.txt
else
  echo 0 > /logs/verifier/reward.txt
fi
"""
_PARTS = ("tests", "solution.sh", "run-tests.sh", "task.yaml", "docker-compose.yaml", "docker-compose.yml")


def legacy_directories(source: Path) -> Iterator[Path]:
    """The folders below one that hold a ``task.yaml`` and no ``task.toml``."""
    found = sorted({path.parent for path in source.rglob("task.yaml")})
    yield from (path for path in found if not (path / "task.toml").exists())


def as_harbor(path: Path, folder: Path) -> Path:
    """Write the directory anew in Harbor's form below ``folder``; returns its place. Raises SourceError where it has none."""
    about = _read(path)
    _check(path, about)
    made = folder / path.name
    made.joinpath("environment").mkdir(parents=True)
    for entry in sorted(path.iterdir()):
        if entry.name not in _PARTS:
            copy = shutil.copytree if entry.is_dir() else shutil.copy2
            copy(entry, made / "environment" / entry.name)
    tests = made / "tests"
    shutil.copytree(path / "tests", tests) if (path / "tests").is_dir() else tests.mkdir()
    shutil.copy2(path / "run-tests.sh", tests / "run-tests.sh")
    tests.joinpath("test.sh").write_text(_TEST_SH)
    if (path / "solution.sh").is_file():
        made.joinpath("solution").mkdir()
        shutil.copy2(path / "solution.sh", made / "solution" / "solve.sh")
    made.joinpath("instruction.md").write_text(str(about["instruction"]).strip() + "\n", "utf-8")
    made.joinpath("task.toml").write_text(toml_text(_config(path.name, about)), "utf-8")
    return made


def _read(path: Path) -> dict[str, Any]:
    try:
        about = yaml.safe_load((path / "task.yaml").read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SourceError(f"its task.yaml cannot be read ({' '.join(str(error).split())[:120]})") from error
    if not isinstance(about, dict) or not str(about.get("instruction") or "").strip():
        raise SourceError("its task.yaml has no instruction")
    return about


def _check(path: Path, about: Mapping[str, Any]) -> None:
    """Raise SourceError for what has no form in Harbor's."""
    if str(about.get("parser_name", "pytest")) != "pytest":
        raise SourceError(
            f"its results are read by the parser {about['parser_name']}, and only pytest's is known"
        )
    if not (path / "run-tests.sh").is_file():
        raise SourceError("there is no run-tests.sh")
    if not (path / "Dockerfile").is_file():
        raise SourceError("there is no Dockerfile")
    for name in ("docker-compose.yaml", "docker-compose.yml"):
        if (path / name).is_file():
            _check_compose(path / name)


def _check_compose(file: Path) -> None:
    try:
        services = dict(yaml.safe_load(file.read_text("utf-8"))["services"])
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError, ValueError) as error:
        raise SourceError(f"its {file.name} cannot be read ({type(error).__name__})") from error
    if set(services) - {SERVICE}:
        raise SourceError(
            f"it needs containers side by side ({', '.join(sorted(services))}), which it cannot have here"
        )


def _config(name: str, about: Mapping[str, Any]) -> dict[str, Any]:
    try:
        config = base_config(
            f"terminal-bench/{name}", str(about["instruction"]).strip().partition("\n")[0][:200]
        )
    except TaskDirectoryError as error:
        raise SourceError(str(error)) from error
    config.pop("artifacts")
    config["environment"]["memory_mb"] = 2048
    tags = [str(tag) for tag in about.get("tags") or ()]
    config["metadata"] = {
        "category": str(about.get("category", "")),
        "difficulty": str(about.get("difficulty", "")),
        "tags": tags,
    }
    config["agent"]["timeout_sec"] = float(about.get("max_agent_timeout_sec") or 600.0)
    config["verifier"] = {"timeout_sec": float(about.get("max_test_timeout_sec") or 300.0)}
    return config
