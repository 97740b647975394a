"""Open a sandbox by its backend's name."""

from __future__ import annotations

import difflib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

from mx_sandboxes.backends.bubblewrap import door as bubblewrap
from mx_sandboxes.backends.bubblewrap.packages import check_packages
from mx_sandboxes.backends.docker import door as docker
from mx_sandboxes.backends.docker.tags import image_tag
from mx_sandboxes.backends.door import Asked, Door
from mx_sandboxes.sandbox import Capabilities, Limits, Sandbox, SandboxUnavailableError

Backend = Literal["auto", "docker", "bubblewrap"]
"""What names a backend, for type checkers."""
_DOORS: dict[str, Door] = {"docker": docker, "bubblewrap": bubblewrap}
"""The backends by name, in the order in which ``auto`` tries them."""
BACKENDS = tuple(_DOORS)


def open_sandbox(
    backend: str = "auto",
    *,
    image: str = "python",
    slots: int | None = None,
    limits: Limits | None = None,
    runtime: str | None = None,
    cpus: float | None = None,
    packages: Sequence[str] = (),
) -> Sandbox:
    """Open a sandbox.

    ``backend`` is ``docker``, ``bubblewrap``, or ``auto``: Docker when an engine answers and has the image, else
    bubblewrap. ``slots`` is how many jobs and sessions may run at once (default: twice the number of processors); they
    are made when they are needed. ``limits`` are those of jobs that name none. ``image`` names the tools that jobs find: a Docker
    image, or with bubblewrap this machine's own. ``packages`` are Python packages that jobs must find (``pytest``): our
    images have them, a bubblewrap jail gets them from this environment. ``runtime`` (such as ``runsc``) and ``cpus``
    (processors per slot) are for Docker.

    Raises SandboxUnavailableError, which names the ways to fix it; ValueError for an unknown backend or image.
    """
    slots = 2 * (os.cpu_count() or 1) if slots is None else slots
    limits = limits or Limits()
    packages = check_packages(packages)
    door = _DOORS[_check_backend(backend, image)]
    return door.opened(Asked(image, slots, limits, runtime, cpus, packages))


def capabilities(
    backend: str = "auto", image: str = "python", *, runtime: str | None = None, cpus: float | None = None
) -> Capabilities:
    """What a backend enforces on this machine, and how, before anything is run; the arguments are those of :func:`open_sandbox`.

    Raises SandboxUnavailableError where the backend does not work here, ValueError for an unknown backend or image.
    """
    door = _DOORS[_check_backend(backend, image)]
    return door.capabilities(Asked(image, runtime=runtime, cpus=cpus))


def _check_backend(backend: str, image: str) -> str:
    """The backend that is meant. Raises ValueError, SandboxUnavailableError."""
    image_tag(image)  # an unknown image is a mistake on either backend
    if backend not in ("auto", *BACKENDS):
        close = difflib.get_close_matches(str(backend), ("auto", *BACKENDS), 1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"unknown sandbox backend {backend!r}{hint} (there are auto, {', '.join(BACKENDS)})")
    return choose(image) if backend == "auto" else backend


@dataclass
class Sandboxes:
    """One sandbox for each image, opened when it is first asked for: ``sandboxes("hdl")``. A context manager; thread-safe.

    The fields are arguments of :func:`open_sandbox`.
    """

    backend: str = "auto"
    slots: int | None = None
    limits: Limits | None = None
    packages: Sequence[str] = ()
    _opened: dict[str, Sandbox] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, image: str) -> Sandbox:
        """The image's sandbox. Raises what :func:`open_sandbox` raises."""
        with self._lock:
            if image not in self._opened:
                self._opened[image] = open_sandbox(
                    self.backend, image=image, slots=self.slots, limits=self.limits, packages=self.packages
                )
            return self._opened[image]

    def close(self) -> None:
        """Close every sandbox."""
        with self._lock:
            for sandbox in self._opened.values():
                sandbox.close()
            self._opened.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def choose(image: str = "python") -> str:
    """The backend that ``auto`` means here. Raises SandboxUnavailableError, with each backend's way out, when none works."""
    ways: list[str] = []
    for name, door in _DOORS.items():
        try:
            door.check(image)
        except SandboxUnavailableError as error:
            ways.append(str(error))
        else:
            return name
    raise SandboxUnavailableError(f"no sandbox works here. Either {', or: '.join(ways)}")
