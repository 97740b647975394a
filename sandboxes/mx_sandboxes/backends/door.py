"""What each backend's folder has a module ``door`` for: the three things that opening a sandbox asks of a backend."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from mx_sandboxes.sandbox import Capabilities, Limits, Sandbox


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sandbox is to be like; the fields are arguments of :func:`mx_sandboxes.open_sandbox`."""

    image: str
    slots: int = 1
    limits: Limits = field(default_factory=Limits)
    runtime: str | None = None
    cpus: float | None = None
    packages: tuple[str, ...] = ()


class Door(Protocol):
    """A backend as seen from outside: a module with these functions."""

    def check(self, image: str) -> None:
        """Find out whether jobs would find the image's tools. Raises SandboxUnavailableError, whose text is a way to that."""

    def opened(self, asked: Asked) -> Sandbox:
        """Open a sandbox. Raises SandboxUnavailableError."""

    def capabilities(self, asked: Asked) -> Capabilities:
        """What it would enforce here, and how. Raises SandboxUnavailableError."""
