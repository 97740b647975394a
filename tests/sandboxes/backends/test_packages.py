"""Packages of the host's environment inside: those that were asked for, and nothing else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mx_sandboxes import Limits, Sandbox, SandboxUnavailableError, open_sandbox
from mx_sandboxes.backends.bubblewrap.packages import archive

LIMITS = Limits(wall_s=60, cpu_s=60)
CASES = b"import pytest\n@pytest.mark.parametrize('n', range(5))\ndef test_n(n, tmp_path): assert n < 4\n"


@pytest.fixture(scope="module")
def with_pytest(backend: str) -> Iterator[Sandbox]:
    with open_sandbox(backend, slots=1, packages=["pytest"], limits=LIMITS) as opened:
        yield opened


@pytest.mark.parametrize("argv", [["python", "-m", "pytest", "-q"], ["sh", "-c", "python -m pytest -q"]])
@pytest.mark.parametrize("env", [{}, {"PYTHONPATH": "src"}])
def test_pytest_runs_where_it_was_asked_for(
    with_pytest: Sandbox, argv: list[str], env: dict[str, str]
) -> None:
    done = with_pytest.run(argv, files={"test_cases.py": CASES}, env=env)
    assert done.exit_code == 1, done
    assert b"1 failed, 4 passed" in done.stdout


def test_a_jail_has_this_environment_s_version_and_no_other_package(with_pytest: Sandbox) -> None:
    if with_pytest.backend != "bubblewrap":
        pytest.skip("an image has its own")
    done = with_pytest.run(["python", "-c", "import pytest; print(pytest.__version__, pytest.__file__)"])
    assert done.stdout.decode() == f"{pytest.__version__} /mx/packages.zip/pytest/__init__.pyc\n"
    names = ("torch", "pettingzoo", "gymnasium", "mx_sandboxes", "mx_tasks", "hypothesis")
    code = f"import importlib.util as u; print([n for n in {names!r} if u.find_spec(n)])"
    assert with_pytest.run(["python", "-c", code]).stdout == b"[]\n"
    assert (
        with_pytest.run(["sh", "-c", "echo x > /mx/packages.zip || chmod 777 /mx/packages.zip"]).exit_code
        == 1
    )


def test_only_packages_on_the_list_can_be_asked_for() -> None:
    with pytest.raises(ValueError, match="did you mean 'pytest'"):
        open_sandbox("bubblewrap", packages=["pytset"])
    with pytest.raises(ValueError, match="not the string"):
        open_sandbox("bubblewrap", packages="pytest")


def test_a_package_that_is_nowhere_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mx_sandboxes.backends.bubblewrap.packages.PACKAGES",
        {"pytest": ("no-such-thing",), "nowhere": ("no-such",)},
    )
    with pytest.raises(SandboxUnavailableError, match="pip install nowhere"):
        archive(("nowhere",), sys.executable)


def test_an_unreadable_cache_is_made_anew(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    archive.cache_clear()
    first = archive(("pytest",), sys.executable)
    assert first is not None
    (cached,) = tmp_path.rglob("*.zip")
    cached.write_bytes(b"rubbish")
    archive.cache_clear()
    assert archive(("pytest",), sys.executable) == first == cached.read_bytes()
    cached.chmod(0o600)
    code = "import sys; sys.path.insert(0, sys.argv[1]); import pytest; print(pytest.__file__)"
    done = subprocess.run([sys.executable, "-I", "-c", code, str(cached)], capture_output=True, check=True)
    assert done.stdout.startswith(str(cached).encode())


def test_a_missing_tool_of_an_image_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "mx_sandboxes.backends.bubblewrap.packages.TOOLS",
        {"hdl": {"sh": "dash", "no-such-tool": "some-package"}},
    )
    with pytest.raises(SandboxUnavailableError, match=r"lacks no-such-tool: apt-get install some-package"):
        open_sandbox("bubblewrap", image="hdl")
