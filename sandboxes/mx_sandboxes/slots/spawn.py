"""Start processes that live as long as this process, whichever thread asked for them."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable
from typing import Any


class _Spawner:
    """Starts processes from one thread that lives as long as this process.

    Linux ties ``--die-with-parent`` to the parent's thread, and a slot must outlive the thread that first asked for it.
    """

    def __init__(self) -> None:
        self.pid = os.getpid()
        self._orders: queue.SimpleQueue[tuple[Callable[[], Any], queue.SimpleQueue[Any]]] = (
            queue.SimpleQueue()
        )
        threading.Thread(target=self._work, name="mx-sandbox-spawner", daemon=True).start()

    def _work(self) -> None:
        while True:
            order, answer = self._orders.get()
            try:
                answer.put((order(), None))
            except Exception as error:  # noqa: BLE001  handed to the thread that asked
                answer.put((None, error))
            del order, answer

    def do(self, order: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Do it there, wait, and return or raise what came of it."""
        answer: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._orders.put((order, answer))
        process, error = answer.get()
        if error is not None:
            raise error
        started: subprocess.Popen[bytes] = process
        return started


_spawner_lock = threading.Lock()
_spawner: _Spawner | None = None


def spawn(order: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """Start a process from the thread that lives as long as this process; raises what starting it raised."""
    global _spawner
    with _spawner_lock:
        if _spawner is None or _spawner.pid != os.getpid():  # a fork leaves threads behind
            _spawner = _Spawner()
        spawner = _spawner
    return spawner.do(order)
