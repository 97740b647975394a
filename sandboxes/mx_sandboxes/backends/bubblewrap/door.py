"""The bubblewrap backend as :mod:`mx_sandboxes.opening` sees it."""

from __future__ import annotations

from mx_sandboxes.backends.bubblewrap.jail import check_bubblewrap, open_bubblewrap
from mx_sandboxes.backends.bubblewrap.packages import check_tools
from mx_sandboxes.backends.door import Asked
from mx_sandboxes.limits import cgroups
from mx_sandboxes.limits.capabilities import of_bubblewrap
from mx_sandboxes.sandbox import Capabilities, Sandbox


def check(image: str) -> None:
    """Start a jail and end it, and look for the image's tools on this machine. Raises SandboxUnavailableError."""
    check_tools(image)
    check_bubblewrap()


def opened(asked: Asked) -> Sandbox:
    """A sandbox whose slots are jails. Raises SandboxUnavailableError."""
    return open_bubblewrap(slots=asked.slots, limits=asked.limits, image=asked.image, packages=asked.packages)


def capabilities(asked: Asked) -> Capabilities:
    """What jails would enforce. Raises SandboxUnavailableError."""
    check(asked.image)
    return of_bubblewrap(asked.image, cgroups.find())
