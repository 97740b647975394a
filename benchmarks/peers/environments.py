"""A virtual environment for each peer, made once under the user's cache folder, with the versions that were measured.

Run: python benchmarks/peers/environments.py NAME prints its interpreter, after making the environment where it is missing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

PACKAGES = {
    "llm_sandbox": ["llm-sandbox[docker]==0.3.46"],
    "swe_rex": ["swe-rex==1.4.0", "aiohttp>=3.9"],
    "inspect_ai": ["inspect-ai==0.3.285", "docker>=7.0", "pytest>=8.3", "anyio>=4"],
}


def cache() -> Path:
    """Where environments are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mx-envs" / "peers"


def interpreter(name: str) -> Path:
    """A peer's interpreter. Raises RuntimeError when its packages cannot be installed, KeyError for no such peer."""
    words = " ".join([*PACKAGES[name], sys.version.split()[0]])
    folder = cache() / f"{name}-{hashlib.sha256(words.encode()).hexdigest()[:8]}"
    python = folder / "bin" / "python"
    if not (folder / "ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        _pip(python, *PACKAGES[name])
        (folder / "ready").touch()
    return python


def packages_for(name: str, python: str) -> Path:
    """A folder with a peer's packages for another version of Python, such as a container's. Raises RuntimeError."""
    folder = interpreter(name).parents[1] / f"packages-{python}"
    if not folder.exists():
        part = folder.with_name(f"{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        only = ["--only-binary=:all:", "--python-version", python, "--implementation", "cp"]
        _pip(interpreter(name), "--target", str(part), *only, *PACKAGES[name])
        part.rename(folder)
    return folder


def _pip(python: Path, *words: str) -> None:
    command = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"pip could not install {words[-1]}: {done.stderr.strip().splitlines()[-1:]}")


if __name__ == "__main__":
    print(interpreter(sys.argv[1]))
