"""Archives are unpacked without following, linking or filling anything."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate import archives
from mx_tasks.software.generate.archives import unpack


def tar(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def link(name: str, target: str, kind: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def test_only_regular_files_inside_come_out(tmp_path: Path) -> None:
    path = tar(
        tmp_path / "a.tar.gz",
        (tarfile.TarInfo("a-1/kept.py"), b"1"),
        (tarfile.TarInfo("../../escaped"), b"2"),
        (tarfile.TarInfo("/absolute"), b"3"),
        link("a-1/symlink", "/etc/passwd", tarfile.SYMTYPE),
        link("a-1/hardlink", "/etc/passwd", tarfile.LNKTYPE),
        link("a-1/pipe", "", tarfile.FIFOTYPE),
    )
    assert unpack(path) == {"kept.py": b"1"}


def test_a_zip_with_names_outside_is_harmless(tmp_path: Path) -> None:
    path = tmp_path / "a.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("pkg/__init__.py", "1")
        archive.writestr("../escaped", "2")
        evil = zipfile.ZipInfo("pkg/link")
        evil.external_attr = 0o120777 << 16
        archive.writestr(evil, "/etc/passwd")
    assert unpack(path) == {"pkg/__init__.py": b"1"}


def test_bombs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "LARGEST_TREE", 1 << 20)
    members = [(tarfile.TarInfo(f"a/{n}"), bytes(200_000)) for n in range(10)]
    with pytest.raises(SourceError, match="larger than"):
        unpack(tar(tmp_path / "bomb.tar.gz", *members))


@pytest.mark.parametrize("name", ["a.tar.gz", "a.zip", "a.exe"])
def test_what_is_no_archive_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not an archive")
    with pytest.raises(SourceError, match=name):
        unpack(tmp_path / name)
