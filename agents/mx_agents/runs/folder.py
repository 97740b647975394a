"""A run is a folder. Files in it are written so that a kill at any instant loses at most the line in flight."""

from __future__ import annotations

import json
import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from mx_agents.errors import UsageError
from mx_sandboxes.backends.docker import images, tags

RECORDED_PACKAGES = ("mx-envs", "gymnasium", "pettingzoo", "numpy", "torch", "transformers", "peft")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that results depend on, where installed."""
    found = {"python": platform.python_version()}
    for name in RECORDED_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def new_run_folder(folder: Path) -> Path:
    """Make the folder of a new run. Raises UsageError when it holds something or cannot be written."""
    try:
        if folder.exists() and (not folder.is_dir() or any(map(_is_content, folder.iterdir()))):
            raise UsageError(
                f"the run folder {str(folder)!r} is not empty; go on with it by --resume, or name another"
            )
    except OSError as error:
        raise UsageError(f"the run folder {str(folder)!r} cannot be read: {error.strerror}") from None
    return check_writable(folder, "name another with --run")


def check_writable(folder: Path, way_out: str = "name another") -> Path:
    """Make a folder unless it is there, and see that files can be made in it. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UsageError(
            f"the folder {str(folder)!r} cannot be written: {error.strerror}; {way_out}"
        ) from None
    return folder


def _is_content(path: Path) -> bool:
    """Whether it is more than what a beginning that was broken off has left."""
    return not (path.name == ".writable" or (path.name.startswith(".config.yaml") and path.suffix == ".part"))


def existing_run_folder(folder: Path) -> Path:
    """The folder of a run that exists. Raises UsageError."""
    if not folder.is_dir():
        near = (
            [str(path) for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
        )
        from mx_agents.errors import did_you_mean

        raise UsageError(f"there is no run {str(folder)!r}{did_you_mean(str(folder), near)}")
    if not (folder / "config.yaml").is_file():
        raise UsageError(f"{str(folder)!r} is not a run: it has no config.yaml")
    return folder


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step."""
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


def write_config(folder: Path, config: dict[str, Any]) -> None:
    """Write ``config.yaml`` with the versions in it; on Docker also the digests of the images that are built."""
    found = versions() | (image_digests() if config.get("sandbox") == "docker" else {})
    write_text(
        folder / "config.yaml",
        yaml.safe_dump(config | {"versions": found}, sort_keys=False, allow_unicode=True),
    )


def image_digests() -> dict[str, str]:
    """The digests of our images that the engine has, as ``image python: sha256:...``. Raises SandboxUnavailableError."""
    found = {f"image {name}": images.image_digest(name) for name in tags.image_names()}
    return {name: digest for name, digest in found.items() if digest is not None}


def read_config(folder: Path) -> dict[str, Any]:
    """Read ``config.yaml``. Raises UsageError when it is no mapping."""
    path = folder / "config.yaml"
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise UsageError(f"{path} holds no configuration")
    return config


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; none where it is missing; a last line that a kill cut short is left out.

    Raises UsageError for a bad line before the last.
    """
    rows: list[dict[str, Any]] = []
    lines = path.read_bytes().split(b"\n") if path.is_file() else []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict):
                raise ValueError
        except ValueError:
            if number == len(lines):
                break
            raise UsageError(f"{path}, line {number}, is no row of JSON") from None
        rows.append(row)
    return rows


class Appender:
    """Appends rows to a JSON-lines file, each whole on disk before the next; cuts away a last line left half-written."""

    def __init__(self, path: Path) -> None:
        whole = path.read_bytes() if path.is_file() else b""
        kept = whole[: whole.rfind(b"\n") + 1]
        self._file = path.open("ab")
        if len(kept) != len(whole):
            os.truncate(path, len(kept))

    def add(self, line: str) -> None:
        """Append one row, given as JSON without line ends."""
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
