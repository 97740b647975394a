"""Packages of the host's environment that the embedded sandbox may be given: pure Python, named one by one, never all of them.

A container image brings its packages along. A bubblewrap jail sees the distribution's Python, in which there may be
no pytest: then ``packages=("pytest",)`` takes the distribution ``pytest`` and what it needs out of this environment,
and nothing else: one archive, byte-compiled for the interpreter inside, read-only, on ``sys.path`` after the
program's own folder.
"""

from __future__ import annotations

import base64
import contextlib
import difflib
import functools
import hashlib
import io
import json
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path, PurePosixPath

from mx_sandboxes.backends.bubblewrap.pinned import check_pinned
from mx_sandboxes.backends.docker.tags import PLAIN
from mx_sandboxes.sandbox import SandboxUnavailableError

PLACE = "/mx/packages.zip"
"""Where a jail has the archive."""
PACKAGES: dict[str, tuple[str, ...]] = {
    "pytest": ("pytest", "pluggy", "iniconfig", "packaging", "pygments", "exceptiongroup", "tomli"),
}
"""What may be asked for, and the distributions that make it up: the first must be there, the others as far as it needs them."""
TOOLS: dict[str, dict[str, str]] = {
    "hdl": {"iverilog": "iverilog", "vvp": "iverilog", "verilator": "verilator"},
}
"""The programs that an image stands for, and the distribution's packages that have them where a jail takes the host's."""
NEEDED_LEXERS = ("__init__", "_mapping", "diff", "python", "special")
COMPILE = """
import base64, importlib.util, json, marshal, sys
made = {}
for name, text in json.load(sys.stdin).items():
    try:
        code = compile(base64.b64decode(text), "/mx/packages.zip/" + name, "exec", dont_inherit=True)
    except SyntaxError:
        continue
    made[name + "c"] = base64.b64encode(importlib.util.MAGIC_NUMBER + b"\\1" + bytes(11) + marshal.dumps(code)).decode()
json.dump(made, sys.stdout)
"""
"""Run by the interpreter inside's twin on the host: byte code that is taken as it is, without a look at the source's time."""


def check_packages(packages: Sequence[str]) -> tuple[str, ...]:
    """The names, sorted. Raises ValueError for a bare string and for one that is not on the list."""
    if isinstance(packages, str):
        raise ValueError(f"packages is a sequence of names such as ('pytest',), not the string {packages!r}")
    for name in packages:
        if name not in PACKAGES:
            close = difflib.get_close_matches(str(name), PACKAGES, 1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(
                f"no package {name!r} can be given to a sandbox{hint} (there are: {', '.join(PACKAGES)})"
            )
    return tuple(sorted(set(packages)))


def check_tools(image: str) -> None:
    """Raise SandboxUnavailableError where a jail on this machine would lack a program of the image."""
    if (":" in image or "/" in image) and image != PLAIN:
        raise SandboxUnavailableError(
            f"the image {image} is somebody's own, and the bubblewrap sandbox has only this machine's programs: start a Docker "
            "engine that has it"
        )
    wanted = TOOLS.get(image, {})
    missing = [name for name in wanted if shutil.which(name, path="/usr/bin:/bin") is None]
    if missing:
        packages = sorted({wanted[name] for name in missing})
        raise SandboxUnavailableError(
            f"the bubblewrap sandbox takes the tools of image {image!r} from this machine, which lacks {', '.join(missing)}: "
            f"apt-get install {' '.join(packages)}"
        )
    check_pinned(image)


@functools.cache
def archive(packages: tuple[str, ...], python: str) -> bytes | None:
    """The zip archive of these packages for that interpreter; None where each of them is that interpreter's own already.

    Raises SandboxUnavailableError, which names the way to get what is missing.
    """
    names: list[str] = []
    for package in packages:
        if _is_installed(PACKAGES[package][0]):
            names += [name for name in PACKAGES[package] if _is_installed(name)]
        elif not _has(python, package):
            raise SandboxUnavailableError(
                f"the sandbox cannot be given {package}, which is neither in this environment nor in {python}'s own: "
                f"pip install {package}"
            )
    if not names:
        return None
    sources = {name: data for one in sorted(set(names)) for name, data in _files(one).items()}
    key = hashlib.sha256(repr((Path(python).stat().st_mtime_ns, COMPILE)).encode())
    for name, data in sources.items():
        key.update(name.encode() + b"\0" + data)
    return _cached(f"packages-{key.hexdigest()[:32]}.zip", sources, python)


def _is_installed(distribution: str) -> bool:
    try:
        return bool(metadata.distribution(distribution).files)
    except metadata.PackageNotFoundError:
        return False


def _has(python: str, module: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({module!r}) is None)"
    return subprocess.run([python, "-I", "-c", code], check=False, env={}, cwd="/").returncode == 0


def _files(distribution: str) -> dict[str, bytes]:
    """A distribution's Python files and what tells of its entry points, by their names in the archive."""
    found = metadata.distribution(distribution)
    chosen = {}
    for path in found.files or ():
        name = PurePosixPath(path)
        lexer = name.parts[:2] == ("pygments", "lexers") and name.stem not in NEEDED_LEXERS
        wanted = name.suffix == ".py" or name.name in ("METADATA", "entry_points.txt")
        if wanted and not lexer and ".." not in name.parts and not name.is_absolute():
            chosen[str(name)] = Path(str(found.locate_file(path))).read_bytes()
    return chosen


def _cached(name: str, sources: dict[str, bytes], python: str) -> bytes:
    """The archive out of this user's cache; made there where it is not."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mx-envs"
    with contextlib.suppress(OSError, zipfile.BadZipFile):
        data = (folder / name).read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as found:
            if (folder / name).stat().st_uid == os.geteuid() and set(sources) <= set(found.namelist()):
                return data
    data = _zip(sources, python)
    with contextlib.suppress(OSError):  # a home that cannot be written: then it is made anew by each process
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd, path = tempfile.mkstemp(dir=folder)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
        Path(path).replace(folder / name)
    return data


def _zip(sources: dict[str, bytes], python: str) -> bytes:
    asked = {name: base64.b64encode(data).decode() for name, data in sources.items() if name.endswith(".py")}
    done = subprocess.run(
        [python, "-I", "-c", COMPILE],
        input=json.dumps(asked).encode(),
        capture_output=True,
        check=True,
        env={},
        cwd="/",
    )
    compiled = {name: base64.b64decode(text) for name, text in json.loads(done.stdout).items()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in sorted({**sources, **compiled}.items()):
            made.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()
