"""Task directories in Harbor's form, read and written: what every domain's tasks look like on disk.

A directory holds ``task.toml`` (schema 1.4; ours under ``[metadata.mx]``), ``instruction.md``, ``environment/`` (what agents see,
with a Dockerfile), ``tests/`` (hidden; ``test.sh`` writes the reward) and ``solution/`` (``solve.sh``). The verifier is always
separate: it gets the declared artifacts, never the agents' container.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from mx_tasks.errors import TaskSetError

SCHEMA_VERSION = "1.4"
READABLE = frozenset({"1.0", "1.1", "1.2", "1.3", "1.4"})
LARGEST_DIRECTORY = 256 << 20
MOST_FILES = 20_000
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*")


class TaskDirectoryError(TaskSetError):
    """A task directory on disk is not as it should be; the message names the file and what is wrong."""


@dataclass(frozen=True, slots=True)
class TaskDirectory:
    """A task directory's contents; file names are relative to their folder, with ``/``.

    ``config`` is ``task.toml``. ``executable`` scripts (``*.sh``) get their mode when written.
    """

    name: str
    config: Mapping[str, Any]
    instruction: str
    environment: Mapping[str, bytes] = field(default_factory=dict)
    tests: Mapping[str, bytes] = field(default_factory=dict)
    solution: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def ours(self) -> dict[str, Any]:
        """The table ``[metadata.mx]``; empty for a directory that was not made by us."""
        table = self.config.get("metadata", {}).get("mx", {})
        return dict(table) if isinstance(table, Mapping) else {}


def read_directory(place: Path | Traversable) -> TaskDirectory:
    """Read a task directory. Raises TaskDirectoryError, which names the file at fault; links are not followed."""
    name = place.name
    try:
        text = place.joinpath("task.toml").read_text("utf-8")
        config = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TaskDirectoryError(f"{name}/task.toml: {_reason(error)}") from error
    version = str(config.get("schema_version", config.get("version", SCHEMA_VERSION)))
    if version not in READABLE:
        raise TaskDirectoryError(f"{name}/task.toml: schema_version {version!r} is not {SCHEMA_VERSION}")
    if config.get("steps"):
        raise TaskDirectoryError(f"{name}/task.toml: tasks of several steps are not supported")
    try:
        instruction = place.joinpath("instruction.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise TaskDirectoryError(f"{name}/instruction.md: {_reason(error)}") from error
    folders = {part: _files(place.joinpath(part), name) for part in ("environment", "tests", "solution")}
    return TaskDirectory(name, config, instruction, **folders)


def write_directory(task: TaskDirectory, root: Path) -> Path:
    """Write the directory ``root/name`` whole or not at all, in place of one of that name; returns its path.

    Raises TaskDirectoryError for a name that is none.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", task.name):
        raise TaskDirectoryError(f"{task.name!r} is no name for a task directory: letters, digits, . _ -")
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, prefix=".writing-") as scratch:
        made = Path(scratch) / task.name
        made.mkdir()
        made.joinpath("task.toml").write_text(toml_text(task.config), "utf-8")
        made.joinpath("instruction.md").write_text(task.instruction, "utf-8")
        for part in ("environment", "tests", "solution"):
            for name, data in getattr(task, part).items():
                _write(made / part, name, data)
        target = root / task.name
        if target.exists():
            shutil.rmtree(target)
        made.replace(target)
    return target


def fingerprint(task: TaskDirectory) -> str:
    """A hash of everything in the directory."""
    digest = hashlib.sha256(toml_text(task.config).encode() + b"\0" + task.instruction.encode())
    for part in ("environment", "tests", "solution"):
        for name, data in sorted(getattr(task, part).items()):
            digest.update(f"\0{part}/{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def base_config(name: str, description: str, *, keywords: tuple[str, ...] = ()) -> dict[str, Any]:
    """The tables that each of our ``task.toml`` begins with; ``name`` is ``org/name``. Raises TaskDirectoryError."""
    if not _NAME.fullmatch(name) or ".." in name:
        raise TaskDirectoryError(f"{name!r} is no task name of the form org/name")
    return {
        "schema_version": SCHEMA_VERSION,
        "artifacts": ["/app"],
        "task": {
            "name": name,
            "description": description,
            "authors": [{"name": "the mx-envs maintainers"}],
            "keywords": list(keywords),
        },
        "metadata": {"category": "software-engineering", "mx": {}},
        "agent": {"timeout_sec": 600.0},
        "verifier": {"environment_mode": "separate", "timeout_sec": 300.0},
        "environment": {"network_mode": "no-network", "cpus": 1, "memory_mb": 1024, "storage_mb": 1024},
    }


def toml_text(config: Mapping[str, Any]) -> str:
    """A mapping of tables as TOML, plain values first. Raises TypeError for a value that TOML has no form for."""
    return "\n".join(_table(config, ())).strip() + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    plain = {
        key: value for key, value in table.items() if not isinstance(value, Mapping) and value is not None
    }
    lines = [f"{_key(key)} = {_value(value)}" for key, value in plain.items()]
    if path and (lines or not table):
        lines.insert(0, f"\n[{'.'.join(map(_key, path))}]")
    for key, value in table.items():
        if isinstance(value, Mapping):
            lines += _table(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"TOML has no form for {value!r}")


def _files(folder: Path | Traversable, task: str) -> dict[str, bytes]:
    """Every regular file below a folder by its relative name."""
    found: dict[str, bytes] = {}
    size = 0
    waiting: list[tuple[str, Path | Traversable]] = [("", folder)] if folder.is_dir() else []
    while waiting:
        prefix, here = waiting.pop()
        for entry in sorted(here.iterdir(), key=lambda item: item.name):
            name = prefix + entry.name
            if isinstance(entry, Path) and entry.is_symlink():
                raise TaskDirectoryError(
                    f"{task}/{folder.name}/{name} is a symbolic link; copy the file instead"
                )
            if entry.is_dir():
                if entry.name not in ("__pycache__", ".git"):
                    waiting.append((name + "/", entry))
                continue
            found[name] = entry.read_bytes()
            size += len(found[name])
            if size > LARGEST_DIRECTORY or len(found) > MOST_FILES:
                raise TaskDirectoryError(
                    f"{task}/{folder.name} is larger than {LARGEST_DIRECTORY >> 20} MB or {MOST_FILES} files"
                )
    return found


def _write(folder: Path, name: str, data: bytes) -> None:
    path = folder / name
    if ".." in Path(name).parts or path.is_absolute() != folder.is_absolute():
        raise TaskDirectoryError(f"{name!r} leaves its folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    if name.endswith(".sh"):
        path.chmod(0o755)  # Harbor runs it


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is none"
    return str(error).partition("\n")[0]
