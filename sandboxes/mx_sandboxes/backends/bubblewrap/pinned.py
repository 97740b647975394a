"""Tools that a jail takes from this environment in pinned versions, so that they answer as those of the container image do.

Hardware tasks are graded by the distributions in :data:`PINNED`: programs and libraries, not only Python, so they are
shown to the jail as they are, read-only, with an interpreter for which they were built.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import stat
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path

from mx_sandboxes.extras import how_to_install
from mx_sandboxes.sandbox import SandboxUnavailableError

PINNED: dict[str, dict[str, tuple[str, str]]] = {
    "hdl": {"pyosys": ("0.70", "pyosys"), "bitwuzla": ("0.10.0", "bitwuzla*.so")},
}
"""For an image, distributions with their version and what is shown of their files."""
HOME = "/mx/eda"
"""Where a jail and the container image have them: ``python`` and ``site``."""
WAY_OUT = how_to_install("hardware")
SHARED = Path("/var/tmp")  # noqa: S108  folders of root's own in it, for jails that may not enter root's home


def check_pinned(image: str) -> None:
    """Raise SandboxUnavailableError where this environment lacks one of the image's distributions, or has another version."""
    for name, (version, _) in PINNED.get(image, {}).items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "none"
        if found != version:
            raise SandboxUnavailableError(
                f"the bubblewrap sandbox takes {name} {version} for image {image!r} from this environment, which has "
                f"{found}: {WAY_OUT}"
            )


def pinned_binds(image: str, seen: tuple[str, ...]) -> list[str]:
    """bubblewrap's arguments that show the image's distributions; ``seen`` are host folders that a jail has anyway.

    Raises SandboxUnavailableError.
    """
    if image not in PINNED:
        return []
    check_pinned(image)
    line = ["--dir", HOME, "--dir", f"{HOME}/site"]
    for name, (_, pattern) in PINNED[image].items():
        for path in _shown(name, pattern):
            line += ["--ro-bind", str(_reachable(path)), f"{HOME}/site/{path.name}"]
    return [*line, *_interpreter(seen)]


def _shown(name: str, pattern: str) -> list[Path]:
    root = Path(str(metadata.distribution(name).locate_file("")))
    found = sorted(root.glob(pattern))
    if not found:
        raise SandboxUnavailableError(f"{name} has no files {pattern} in {root}: {WAY_OUT}")
    return found


def _interpreter(seen: tuple[str, ...]) -> list[str]:
    """An interpreter of this one's version: the distribution's, or this environment's own."""
    wanted = ".".join(platform.python_version_tuple()[:2])
    system = Path("/usr/bin/python3")
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    if system.exists():
        said = subprocess.run([system, "-I", "-c", code], capture_output=True, check=False, cwd="/", env={})
        if said.stdout.decode().strip() == wanted:
            return ["--symlink", str(system), f"{HOME}/python"]
    prefix = Path(sys.base_prefix).resolve()
    program = f"bin/python{wanted}"
    if any(prefix.is_relative_to(place) for place in seen):
        return ["--symlink", str(prefix / program), f"{HOME}/python"]
    shown = ["--ro-bind", str(_reachable(prefix)), f"{HOME}/prefix"]
    return [*shown, "--symlink", f"{HOME}/prefix/{program}", f"{HOME}/python"]


def _reachable(path: Path) -> Path:
    """The path, or a copy of it where the throw-away user of a jail that root starts cannot reach it. Raises OSError."""
    if os.geteuid() != 0 or all(each.stat().st_mode & stat.S_IXOTH for each in path.parents):
        return path
    key = hashlib.sha256(repr((str(path), path.stat().st_mtime_ns, sys.version)).encode()).hexdigest()[:16]
    place = SHARED / f"mx-envs-{key}" / path.name
    if place.exists() and place.parent.stat().st_uid == 0:
        return place
    made = Path(tempfile.mkdtemp(dir=SHARED, prefix="mx-envs-making-"))
    copy = shutil.copytree if path.is_dir() else shutil.copy2
    copy(path, made / path.name)
    made.chmod(0o755)
    try:
        made.rename(place.parent)
    except OSError:  # another process was as fast
        shutil.rmtree(made)
    return place
