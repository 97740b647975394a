"""What holds of the whole: rooms that import one way, a light import, stated public names, complete files."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("mx_envs", "mx_agents", "mx_tasks", "mx_sandboxes")
HEAVY = ("torch", "transformers", "peft", "docker", "stable_baselines3", "tensorboard")
FOLDERS = {"mx_envs": "mx_envs", "mx_agents": "agents", "mx_tasks": "tasks", "mx_sandboxes": "sandboxes"}


def modules_after(program: str) -> set[str]:
    """The modules that are loaded after a program ran in an interpreter of its own."""
    code = f"{program}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_rooms_import_one_way() -> None:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as c; c()",
        "--no-cache",
    ]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    assert not modules_after(f"import {package}") & set(HEAVY)


def test_listing_and_loading_task_sets_loads_nothing_heavy() -> None:
    loaded = modules_after(
        "import mx_tasks; mx_tasks.load_task_set('software:repair'); mx_tasks.task_set_names()"
    )
    assert not loaded & set(HEAVY)
    assert "mx_tasks.software.sets.micro" not in loaded


@pytest.mark.parametrize("package", PACKAGES)
def test_the_public_names_are_those_stated(package: str) -> None:
    module = importlib.import_module(package)
    stated = set(getattr(module, "__all__", ()))
    found = {
        name for name, item in vars(module).items() if not name.startswith("_") and not inspect.ismodule(item)
    }
    assert found - {"annotations"} <= stated
    assert all(hasattr(module, name) for name in stated)
    assert sorted(stated) == sorted(getattr(module, "__all__", ()))


def test_every_module_says_what_it_is_for() -> None:
    sources = [path for package, folder in FOLDERS.items() for path in sources_of(package, folder)]
    assert len(sources) > 20
    assert [str(path) for path in sources if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


def sources_of(package: str, folder: str) -> list[Path]:
    root = ROOT / folder if folder == package else ROOT / folder / package
    return [path for path in root.rglob("*.py") if "data" not in path.relative_to(root).parts]


def test_no_file_of_a_folder_shadows_a_users_own() -> None:
    for folder in ("agents", "tasks", "sandboxes", "tests"):
        assert not (ROOT / folder / "__init__.py").exists()


def test_the_licence_is_there_and_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    for package, folder in FOLDERS.items():
        home = ROOT / folder if folder == package else ROOT / folder / package
        assert (home / "py.typed").is_file()


def test_the_make_targets_that_people_use_exist() -> None:
    done = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True)
    for target in (
        "demo",
        "test",
        "test-newest",
        "test-oldest",
        "lock",
        "lint",
        "format",
        "clean",
        "wheel-test",
    ):
        assert f"make {target} " in done.stdout


def test_continuous_integration_runs_the_same_tests() -> None:
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert any(line.split("|")[0].strip() == "make test" for line in lines)
    assert "make lint" in lines


@pytest.mark.parametrize(
    "script", [".ci/run", "scripts/setup.sh", "scripts/demo.sh", "scripts/wheel_test.sh"]
)
def test_scripts_are_valid_and_can_be_run(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(path)], check=True)


def committed() -> list[tuple[str, str]]:
    """Every committed text file, with its text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    kinds = {".py", ".md", ".sh", ".toml", ".yaml", ""}
    texts = [path for path in paths if path.suffix in kinds and path.is_file() and path != Path(__file__)]
    return [(str(path.relative_to(ROOT)), path.read_text("utf-8")) for path in texts]


def test_no_line_installs_the_package_from_an_index_which_does_not_have_it() -> None:
    command = r"\b(pip3?|pipx|uv|uv pip|uv tool|poetry) (install|add|run)\b"
    named = re.compile(command + r"[^\n]*?(?<! of)[ '\"]mx[-_]envs([\[ '\"=<>~,;`]|$)", re.MULTILINE)
    assert [place for place, text in committed() if named.search(text)] == []


def test_the_extras_that_lines_install_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    lines = [line for _, text in committed() for line in re.findall(r"pip install[^\n]*", text)]
    named = {
        extra
        for line in lines
        for found in re.findall(r"[ '\"]\.\[([\w,-]+)\]", line)
        for extra in found.split(",")
    }
    assert "train" in named
    assert named <= set(extras)
