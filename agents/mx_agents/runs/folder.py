"""A run is a folder. Files in it are written so that a kill at any instant loses at most the line in flight."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from mx_agents.errors import UsageError
from mx_envs.inside.endpoint.plain import DEEPEST, is_deeper
from mx_sandboxes.backends.docker import images, tags

LOCK = ".lock"
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
    return not (
        path.name in (".writable", LOCK) or (path.name.startswith(".config.yaml") and path.suffix == ".part")
    )


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


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Make of a disk that is full, or a file that cannot be written, one clear line. Raises UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written: {error.strerror or error}; what was written before is whole, and --resume goes on"
        ) from None


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Be the only writer of a run for as long as this lasts; the kernel ends it with the process, however that ends.

    Raises UsageError while another process is.
    """
    path = folder / LOCK
    while True:
        with writing(path):
            file = path.open("ab")
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UsageError(
                    f"another process is writing the run {str(folder)!r}; wait for its end, or name another folder"
                ) from None
            except OSError:  # a file system without locks
                pass
            if not _is_file(path, file.fileno()):  # whoever had it has removed it meanwhile
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_file(path: Path, fd: int) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(fd))
    except FileNotFoundError:
        return False


def write_text(path: Path, text: str) -> None:
    """Replace a file in one step. Raises UsageError."""
    part = path.with_name(f".{path.name}.part")
    with writing(path):
        try:
            part.write_text(text, encoding="utf-8")
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise


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
    except RecursionError:
        raise UsageError(f"{path} cannot be read: it is nested too deep") from None
    if not isinstance(config, dict):
        raise UsageError(f"{path} holds no configuration")
    return config


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSON-lines file; none where it is missing; a last line that a kill cut short is left out.

    Raises UsageError for a bad line before the last.
    """
    rows: list[dict[str, Any]] = []
    try:
        lines = path.read_bytes().split(b"\n") if path.is_file() else []
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            # beyond, nobody who writes rows nests, and those who read them would run out of stack
            deep = line.count(b"[") + line.count(b"{") > DEEPEST and is_deeper(row, DEEPEST)
            if not isinstance(row, dict) or deep:
                raise ValueError
        except (ValueError, RecursionError):
            if number == len(lines):
                break
            raise UsageError(f"{path}, line {number}, is no row of JSON") from None
        rows.append(row)
    return rows


class Appender:
    """Appends rows to a JSON-lines file, each whole on disk before the next; cuts away a last line left half-written.

    Raises UsageError where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):
            whole = path.read_bytes() if path.is_file() else b""
            self._size = whole.rfind(b"\n") + 1
            self._file = path.open("ab", buffering=0)
            if self._size != len(whole):
                os.truncate(path, self._size)

    def add(self, line: str) -> None:
        """Append one row, given as JSON without line ends; all of it or nothing."""
        data = memoryview(line.encode() + b"\n")
        size = len(data)
        with writing(self._path):
            try:
                while data:
                    data = data[self._file.write(data) or 0 :]
            except OSError:
                os.truncate(self._path, self._size)
                raise
        self._size += size

    def close(self) -> None:
        """Close the file."""
        self._file.close()
