"""What the container images are called: a name changes when anything that goes into its image does."""

from __future__ import annotations

import difflib
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent / "images"
SERVER = Path(__file__).parents[2] / "inside"
BASE = "debian:trixie-slim"
LABEL = "mx-envs"
PLAIN = "mx-envs/plain:1"
"""Stands for no image at all: Python, a shell, and folders such as ``/app`` in the workspace, which a bubblewrap jail has."""


def image_names() -> tuple[str, ...]:
    """The names of the images that can be built."""
    return tuple(sorted(path.parent.name for path in FOLDER.glob("*/Dockerfile")))


def image_tag(name: str) -> str:
    """The full name of an image: it changes when anything that goes into the image does.

    A name with a colon or a slash is somebody's own image and is returned as it is. Raises ValueError for any other
    unknown name.
    """
    if ":" in name or "/" in name:
        return name
    if name not in image_names():
        close = difflib.get_close_matches(name, image_names(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no image is called {name!r}{hint} There are: {', '.join(image_names())}")
    return f"mx-envs/{name}:{hashlib.sha256(context_of(name)).hexdigest()[:12]}"


def context_of(name: str, wheels: Mapping[str, bytes] | None = None) -> bytes:
    """The build context as a tar file, the same bytes for the same content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        files = {path.name: path for path in (FOLDER / name).iterdir() if path.is_file()}
        files |= {f"inside/{path.name}": path for path in SERVER.glob("*.py")}
        contents = {inner: path.read_bytes() for inner, path in files.items()} | dict(wheels or {})
        for inner, data in sorted(contents.items()):
            entry = tarfile.TarInfo(inner)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()
