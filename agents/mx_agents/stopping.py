"""Signals that ask a program to end, as one exception in its main thread; while it is being cleaned up after, others wait.

Only the standard library is imported, so that a program can listen from its very beginning.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AGAIN_S = 2.0
"""How long after a signal it is raised again where somebody swallowed it, as a bare ``except`` of a library may."""


class StoppedError(KeyboardInterrupt):
    """A signal asked the program to end; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Listener:
    """Turns signals of this process into one StoppedError in the main thread; while that is being cleaned up after, others wait."""

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._timer: threading.Timer | None = None

    def start(self) -> None:
        """Listen. Without effect outside the main thread, where nobody can; a signal that is ignored stays so."""
        if threading.current_thread() is not threading.main_thread():
            return
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._arrived)

    def stop(self, *, restore: bool) -> None:
        """Listen no more. Without ``restore`` the process is about to end, and signals are ignored."""
        for number, before in self._before.items():
            signal.signal(number, before if restore else signal.SIG_IGN)
        if self._timer is not None:
            self._timer.cancel()

    def _arrived(self, number: int, _: FrameType | None) -> None:
        self._timer = threading.Timer(AGAIN_S, os.kill, (os.getpid(), number))
        self._timer.daemon = True
        self._timer.start()
        if not _being_cleaned_up():
            raise StoppedError(number)


def _being_cleaned_up() -> bool:
    """Whether the code that a signal met is already on its way out because of one."""
    error: BaseException | None = sys.exception()
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False
