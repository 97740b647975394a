"""What the commands share: the console and an open sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from mx_agents.errors import UsageError
from mx_agents.terminal import console
from mx_sandboxes import Sandbox, Sandboxes, open_sandbox

__all__ = ["console", "open_backend", "open_backends"]


def open_backend(backend: str, slots: int | None = None, image: str = "python") -> Sandbox:
    """Open a sandbox. Raises UsageError for a backend that does not exist, SandboxUnavailableError for one that does not work."""
    try:
        return open_sandbox(backend, image=image, slots=slots)
    except ValueError as error:
        raise UsageError(str(error)) from None


def open_backends(backend: str, slots: int, images: Iterable[str]) -> Sandboxes:
    """Open the sandboxes of all these images. Raises as :func:`open_backend` does."""
    sandboxes = Sandboxes(backend, slots=slots)
    try:
        for image in sorted(set(images)):
            sandboxes(image)
    except ValueError as error:
        sandboxes.close()
        raise UsageError(str(error)) from None
    except BaseException:
        sandboxes.close()
        raise
    return sandboxes
