"""Container images: what they are called, and how to build them."""

from __future__ import annotations

import contextlib
import difflib
import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mx_sandboxes.sandbox import SandboxError, SandboxUnavailableError

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

    A name with a colon or a slash is somebody's own image and is returned as it is. Raises ValueError for any other unknown name.
    """
    if ":" in name or "/" in name:
        return name
    if name not in image_names():
        close = difflib.get_close_matches(name, image_names(), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"no image is called {name!r}{hint} There are: {', '.join(image_names())}")
    return f"mx-envs/{name}:{hashlib.sha256(_context(name)).hexdigest()[:12]}"


def _context(name: str) -> bytes:
    """The build context as a tar file, the same bytes for the same content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        files = {path.name: path for path in (FOLDER / name).iterdir() if path.is_file()}
        files |= {f"inside/{path.name}": path for path in SERVER.glob("*.py")}
        for inner in sorted(files):
            data = files[inner].read_bytes()
            entry = tarfile.TarInfo(inner)
            entry.size, entry.mode = len(data), 0o644
            archive.addfile(entry, io.BytesIO(data))
    return stream.getvalue()


def build_image(
    name: str, *, base: str = BASE, network: str | None = None, log: Callable[[str], None] | None = None
) -> str:
    """Build an image with the Docker engine and return its tag.

    ``network`` is the build's network mode (``host`` where the engine's bridge reaches nothing); ``log`` gets the build's output.
    Raises SandboxUnavailableError when no engine answers, SandboxError when the build fails.
    """
    from mx_sandboxes.backends.docker.engine import (
        connect,  # the SDK is imported only where an engine is used
    )

    tag = image_tag(name)
    client = connect()
    try:
        answer: Any = client.api.build(
            fileobj=io.BytesIO(_context(name)),
            custom_context=True,
            tag=tag,
            buildargs={"BASE": base},
            network_mode=network,
            labels={LABEL: name},
            rm=True,
            forcerm=True,
            decode=True,
        )
        for line in answer:
            if log is not None and "stream" in line:
                log(line["stream"].rstrip("\n"))
            if "error" in line:
                raise SandboxError(
                    f"the image {name!r} could not be built from {base!r}: {line['error'].strip()}"
                )
    finally:
        client.close()
    return tag


def has_image(name: str) -> bool:
    """Whether an engine answers and has the image."""
    from mx_sandboxes.backends.docker.engine import connect, find_image

    try:
        client = connect()
    except SandboxUnavailableError:
        return False
    try:
        return find_image(client, name) is not None
    finally:
        client.close()


def image_digest(name: str) -> str | None:
    """The digest of an image's content, the same wherever the same image is; None when the engine does not have it.

    A run records it: packages are pinned to upstream versions, and the digest tells their revisions too.
    Raises SandboxUnavailableError when no engine answers.
    """
    import docker.errors  # only where an engine is used

    from mx_sandboxes.backends.docker.engine import connect

    client = connect()
    try:
        digest: str | None = client.images.get(image_tag(name)).id
    except docker.errors.ImageNotFound:
        return None
    finally:
        client.close()
    return digest


def prune() -> list[str]:
    """Remove containers whose owners have died, and images of earlier versions; returns the names of what is gone.

    Raises SandboxUnavailableError when no engine answers.
    """
    import docker.errors  # only where an engine is used

    from mx_sandboxes.backends.docker.engine import connect, remove_leftovers

    current = {image_tag(name) for name in image_names()}
    client = connect()
    try:
        removed = [f"{remove_leftovers(client)} containers"]
        for image in client.images.list(filters={"label": LABEL}):
            for tag in set(image.tags) - current:
                with contextlib.suppress(docker.errors.APIError):  # in use; the next call gets it
                    client.images.remove(tag)
                    removed.append(tag)
    finally:
        client.close()
    return removed[removed[0] == "0 containers" :]
