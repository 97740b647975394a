"""Unpack released archives into memory without running, linking or trusting anything in them."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from mx_tasks.software.errors import SourceError

LARGEST_FILE = 16 << 20
LARGEST_TREE = 96 << 20
MOST_FILES = 8_000
ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".zip", ".whl")

Tree = dict[str, bytes]
"""File contents by name relative to the root, with ``/``."""


def unpack(path: Path) -> Tree:
    """The regular files of an archive or folder, without the single folder that an sdist has at its top.

    Links, devices and names that leave the archive are left out. Raises SourceError for what is no archive, and for one that is too
    large when unpacked.
    """
    if path.is_dir():
        return _folder(path)
    try:
        if path.name.endswith((".zip", ".whl")):
            tree = _zip(path)
        elif path.name.endswith(ENDINGS):
            tree = _tar(path)
        else:
            raise SourceError(f"{path.name} is no archive that can be read ({', '.join(ENDINGS)})")
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError, NotImplementedError) as error:
        raise SourceError(f"{path.name} cannot be unpacked: {error}") from error
    return tree if path.suffix == ".whl" else _without_top(tree)


class _Filling:
    """A tree that refuses to grow beyond the limits."""

    def __init__(self, name: str) -> None:
        self.name, self.tree, self.size = name, Tree(), 0

    def add(self, name: str, stream: io.BufferedIOBase | None, claimed: int) -> None:
        parts = PurePosixPath(name).parts
        if (
            stream is None
            or not parts
            or name.startswith("/")
            or ".." in parts
            or "\0" in name
            or "\\" in name
        ):
            return
        if claimed > LARGEST_FILE:
            return
        data = stream.read(LARGEST_FILE + 1)
        self.size += len(data)
        if len(data) > LARGEST_FILE or self.size > LARGEST_TREE or len(self.tree) >= MOST_FILES:
            raise SourceError(
                f"{self.name} is larger than {LARGEST_TREE >> 20} MB or {MOST_FILES} files when unpacked"
            )
        self.tree["/".join(parts)] = data


def _tar(path: Path) -> Tree:
    filling = _Filling(path.name)
    with tarfile.open(path, "r:*") as archive:
        for place, member in enumerate(archive):
            if place > 4 * MOST_FILES:
                raise SourceError(f"{path.name} has more than {4 * MOST_FILES} entries")
            if member.isreg():
                filling.add(member.name, archive.extractfile(member), member.size)  # type: ignore[arg-type]
    return filling.tree


def _zip(path: Path) -> Tree:
    filling = _Filling(path.name)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir() or (info.external_attr >> 28) not in (0, 0o10):
                continue
            with archive.open(info) as stream:
                filling.add(info.filename, stream, info.file_size)  # type: ignore[arg-type]
    return filling.tree


def _folder(path: Path) -> Tree:
    filling = _Filling(path.name)
    for entry in sorted(path.rglob("*")):
        if entry.is_file() and not entry.is_symlink() and not {"__pycache__", ".git"} & set(entry.parts):
            with entry.open("rb") as stream:
                filling.add(entry.relative_to(path).as_posix(), stream, entry.stat().st_size)
    return filling.tree


def _without_top(tree: Tree) -> Tree:
    tops = {name.partition("/")[0] for name in tree}
    if len(tops) != 1 or any("/" not in name for name in tree):
        return tree
    return {name.partition("/")[2]: data for name, data in tree.items()}
