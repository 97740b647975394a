"""The Docker backend as :mod:`mx_sandboxes.opening` sees it; the SDK is imported only where an engine is used."""

from __future__ import annotations

from mx_sandboxes.backends.docker.images import has_image
from mx_sandboxes.backends.door import Asked
from mx_sandboxes.sandbox import Capabilities, Sandbox, SandboxUnavailableError


def check(image: str) -> None:
    """Find out whether an engine answers and has the image. Raises SandboxUnavailableError."""
    if not has_image(image):
        raise SandboxUnavailableError(f"start a Docker engine and run 'mx sandbox build {image}'")


def opened(asked: Asked) -> Sandbox:
    """A sandbox whose slots are containers. Raises SandboxUnavailableError."""
    from mx_sandboxes.backends.docker.engine import open_docker

    return open_docker(
        image=asked.image, slots=asked.slots, limits=asked.limits, runtime=asked.runtime, cpus=asked.cpus
    )


def capabilities(asked: Asked) -> Capabilities:
    """What slots of the image would enforce. Raises SandboxUnavailableError."""
    from mx_sandboxes.backends.docker.engine import docker_capabilities

    return docker_capabilities(asked.image, runtime=asked.runtime, cpus=asked.cpus)
