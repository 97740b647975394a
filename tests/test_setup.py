"""Set-up: what it says when it cannot go on, which PyTorch it takes, and what the lock holds."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SETUP = ROOT / "scripts" / "setup.sh"
TOOLS = [
    "bash",
    "cat",
    "cut",
    "dirname",
    "du",
    "env",
    "grep",
    "id",
    "mktemp",
    "rm",
    "sed",
    "sort",
    "tail",
    "uname",
]


def program(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def set_up(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the set-up with nothing on PATH but a few core programs and what the test put into ``tmp_path / "bin"``."""
    tools = tmp_path / "bin"
    tools.mkdir(exist_ok=True)
    for name in TOOLS:
        found = next(Path(folder) / name for folder in ("/usr/bin", "/bin") if (Path(folder) / name).exists())
        if not (tools / name).exists():
            (tools / name).symlink_to(found)
    command = ["/bin/bash", str(SETUP), str(tmp_path / "venv")]
    environment = {"PATH": str(tools), "HOME": str(tmp_path), **variables}
    return subprocess.run(
        command, env=environment, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )


def test_without_a_recent_python(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "python3", 'test "$1" = -c && exit 1; echo Python 3.9.2')
    done = set_up(tmp_path)
    assert done.returncode == 2
    assert "no Python 3.11 or newer found" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_named_python_that_is_not_there(tmp_path: Path) -> None:
    done = set_up(tmp_path, PYTHON="python9.9")
    assert done.returncode == 2
    assert "python9.9" in done.stderr


def test_without_venv_and_without_a_way_to_install_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    case = 'case "$2" in *ensurepip*) exit 1 ;; *print*) echo 3.12 ;; esac'
    program(tmp_path / "bin", "python3", f"{case}\nexit 0")
    done = set_up(tmp_path)
    assert done.returncode == 2
    assert "Install the package python3.12-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_an_older_python3_beside_a_newer_one(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "python3", "exit 1")
    newer = 'case "$2" in *ensurepip*) exit 1 ;; *print*) echo 3.13 ;; esac'
    program(tmp_path / "bin", "python3.13", f"{newer}\nexit 0")
    assert "python3.13-venv" in set_up(tmp_path).stderr


def test_a_system_package_that_cannot_be_installed_is_named_and_not_fatal(tmp_path: Path) -> None:
    venv = tmp_path / "venv" / "bin"
    venv.mkdir(parents=True)
    program(venv, "python", "exit 0")
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "python3", "exit 0")
    done = set_up(tmp_path, SYSTEM_PACKAGES="bubblewrap:no-such-bwrap")
    assert done.returncode == 0, done.stderr
    assert "could not install the system package bubblewrap" in done.stderr
    assert os.linesep.join(done.stderr.splitlines()[-1:]).startswith("setup:")


def stand_in(tmp_path: Path) -> Path:
    """An environment whose Python writes down what it is asked and installs nothing; returns where it writes."""
    asked, folder = tmp_path / "asked", tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    case = 'case "$*" in *"-m pip --version"*) exit 0 ;; *torch==*) exit 1 ;; esac'
    program(folder, "python", f'echo "$*" >>"{asked}"\n{case}\nexit 0')
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "python3", "exit 0")
    return asked


@pytest.mark.parametrize("torch", ["torch", "torch>=2.4", "torch==2.*", "torch~=2.13", "latest", "2", "cpu"])
def test_a_torch_that_is_no_exact_version_is_refused_before_anything_is_fetched(
    tmp_path: Path, torch: str
) -> None:
    asked = stand_in(tmp_path)
    done = set_up(tmp_path, TORCH=torch)
    assert done.returncode == 2
    assert f"TORCH={torch} names no exact version" in done.stderr
    assert "pip install" not in asked.read_text()


@pytest.mark.parametrize("torch", ["", "torch==2.13.0", "2.14.1", "torch==2.15.0rc1"])
def test_a_plain_version_asks_for_the_cpu_build_and_for_nothing_else(tmp_path: Path, torch: str) -> None:
    asked = stand_in(tmp_path)
    done = set_up(tmp_path, TORCH=torch)
    assert done.returncode == 2, "no build is to be had, and setup goes on"
    installs = [line for line in asked.read_text().splitlines() if "pip install" in line]
    assert installs
    assert all(re.search(r"torch==[0-9.a-z]+\+cpu\b", line) and "--no-deps" in line for line in installs)
    for way in ("TORCH=none", "TORCH=cuda", "TORCH_INDEX=URL"):
        assert f"{way} " in done.stderr


def test_what_was_chosen_once_stands(tmp_path: Path) -> None:
    asked = stand_in(tmp_path)
    first = set_up(tmp_path, TORCH="none")
    assert first.returncode == 0, first.stderr
    assert "left out" in first.stderr
    again = set_up(tmp_path)
    assert again.returncode == 0, again.stderr
    assert "left out" in again.stderr
    assert "torch==" not in asked.read_text()


def test_each_stage_is_one_line_with_its_size_and_how_long_it_took(tmp_path: Path) -> None:
    stand_in(tmp_path)
    done = set_up(tmp_path, TORCH="none")
    stages = [line for line in done.stderr.splitlines() if line.startswith("==> ")]
    assert [line[:7] for line in stages][:2] == ["==> 2/3", "==> 3/3"]
    assert re.search(r"\.\.\. \d+ packages: \d+ MB in \d+ s$", stages[1])


def locked() -> dict[str, Requirement]:
    """What requirements.lock names, by package."""
    text = (ROOT / "requirements.lock").read_text("utf-8").replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert all(re.search(r" --hash=sha256:[0-9a-f]{64}\b", line) for line in lines)
    found = [Requirement(line.partition(" --hash")[0]) for line in lines]
    assert len({item.name for item in found}) == len(found), "one version of each for every Python"
    return {canonicalize_name(item.name): item for item in found}


def test_the_lock_names_exact_versions_and_no_place_and_no_cuda() -> None:
    text = (ROOT / "requirements.lock").read_text("utf-8")
    assert not re.search(r"https?:|file:|--index|--find-links|--extra|(^|\s)/\w", text)
    for name, item in locked().items():
        assert re.fullmatch(r"==[^*,]+", str(item.specifier)), name
        assert not re.match(r"torch$|nvidia|cuda|triton", name)


def test_the_lock_meets_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    pins = locked()
    for line in [
        *project["dependencies"],
        *extras["train"],
        *extras["dev"],
        *extras["sb3"],
        *extras["trading"],
    ]:
        wanted = Requirement(line)
        if wanted.name == "torch":
            continue
        (pin,) = pins[canonicalize_name(wanted.name)].specifier
        assert wanted.specifier.contains(pin.version), f"{line}: the lock has {pin.version}; fix: make lock"


def test_what_is_pinned_as_torch_is_what_the_project_allows() -> None:
    pinned = re.search(
        r"^PINNED_TORCH=torch==(\S+)$", (ROOT / "scripts" / "torch.sh").read_text(), re.MULTILINE
    )
    assert pinned
    train = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["train"]
    (wanted,) = (Requirement(line) for line in train if line.startswith("torch"))
    assert wanted.specifier.contains(pinned[1])
