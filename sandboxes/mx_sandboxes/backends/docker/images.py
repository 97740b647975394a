"""Container images: built, looked for, removed."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mx_sandboxes.backends.docker.tags import BASE, FOLDER, LABEL, context_of, image_names, image_tag
from mx_sandboxes.sandbox import SandboxError, SandboxUnavailableError

INSIDE_PYTHON = "3.13"
"""The version of the base's Python."""


def _wheels(name: str) -> dict[str, bytes]:
    """The Python distributions that an image's ``wheels.txt`` names, fetched by this environment's pip.

    It knows the way to its index, which a build in the engine may not. They are pinned by hash, and so have no part in the
    image's name. Raises SandboxError.
    """
    wanted = FOLDER / name / "wheels.txt"
    if not wanted.exists():
        return {}
    with tempfile.TemporaryDirectory() as folder:
        line = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
        line += ["--only-binary=:all:", "--python-version", INSIDE_PYTHON, "-r", str(wanted), "-d", folder]
        for oldest in (26, 27, 28):
            line += ["--platform", f"manylinux_2_{oldest}_{platform.machine()}"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SandboxError(
                f"pip could not fetch what the image {name!r} needs: {done.stderr.strip()[-400:]}"
            )
        return {f"wheels/{path.name}": path.read_bytes() for path in Path(folder).glob("*.whl")}


def build_image(
    name: str, *, base: str = BASE, network: str | None = None, log: Callable[[str], None] | None = None
) -> str:
    """Build an image with the Docker engine and return its tag.

    ``network`` is the build's network mode (``host`` where the engine's bridge reaches nothing); ``log`` gets the
    build's output. Raises SandboxUnavailableError when no engine answers, SandboxError when the build fails.
    """
    from mx_sandboxes.backends.docker.connection import connect

    tag = image_tag(name)
    client = connect()
    try:
        answer: Any = client.api.build(
            fileobj=io.BytesIO(context_of(name, _wheels(name))),
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
    """Whether an engine answers and has the image; one that is there but cannot be talked to is logged, once."""
    from mx_sandboxes.backends.docker.connection import connect, find_image

    try:
        client = connect()
    except SandboxUnavailableError as error:
        if not isinstance(error.__cause__, (FileNotFoundError, ConnectionRefusedError)):
            _say_why_not(str(error))
        return False
    try:
        return find_image(client, name) is not None
    finally:
        client.close()


_told: set[str] = set()
"""The places whose engine was said not to answer: its faults may differ from one try to the next."""


def _say_why_not(said: str) -> None:
    """Something is where the engine would be, so whoever expects Docker hears why it is not used."""
    place = os.environ.get("DOCKER_HOST", "")
    if place not in _told:
        _told.add(place)
        logging.getLogger("mx_sandboxes").warning("Docker is not used: %s", said)


def image_digest(name: str) -> str | None:
    """The digest of an image's content, the same wherever the same image is; None when the engine does not have it.

    A run records it: packages are pinned to upstream versions, and the digest tells their revisions too.
    Raises SandboxUnavailableError when no engine answers.
    """
    import docker.errors  # only where an engine is used

    from mx_sandboxes.backends.docker.connection import connect

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

    from mx_sandboxes.backends.docker.connection import connect, remove_leftovers

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
