"""Hidden tests' side of an out-of-process oracle: submitted functions run in a process of their own and are called with plain data.

The process that holds the tests imports nothing that was submitted. Before that other process starts, the test files are taken from
the disk and this one closes its memory to it. Values cross as in ``mx_values.py``. This is for Harbor's own runner, where one
container is all there is; mx-envs itself judges in jobs apart (``call_judge.py``).
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, Optional

CALL_S = 20.0
"""Seconds that an answer is waited for; the other side gives up much earlier, after seconds of processor time."""
MOST_TIMEOUTS = 1
LARGEST = 8 << 20
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from mx_rules import *  # type: ignore[import-not-found]  # noqa: E402  # for the tests, which take all from here
from mx_values import Decoder, Encoder  # type: ignore[import-not-found]  # noqa: E402  # they stand beside this file

with open(os.path.join(HERE, "mx_serve.json")) as _stream:
    SUPPORT: List[str] = json.load(_stream).get("support", [])


class CallError(Exception):
    """The submitted function raised, took too long, or gave what is no plain value."""


class Server:
    """The process that holds what was submitted."""

    def __init__(self) -> None:
        self.process: "Optional[subprocess.Popen[bytes]]" = None
        self.timeouts = 0
        self.buffer = b""

    def start(self) -> None:
        """Hide what it must not see, and start it."""
        ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE: no reading of this memory
        for name in os.listdir(HERE):
            if name.startswith("test_"):
                os.unlink(os.path.join(HERE, name))
        self.buffer = b""
        self.process = subprocess.Popen(
            [sys.executable, "-s", os.path.join(HERE, "mx_serve.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def call(self, name: str, args: Any, kwargs: Dict[str, Any]) -> Any:
        """What the submitted function gives. Raises CallError."""
        if self.timeouts >= MOST_TIMEOUTS:
            raise CallError("it took too long before")
        if self.process is None:
            self.start()
        process = self.process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        encoder = Encoder(SUPPORT)
        forms = [encoder.encode(list(args)), encoder.encode(kwargs)]
        request = json.dumps([name, *forms]).encode() + b"\n"
        try:
            process.stdin.write(request)
            process.stdin.flush()
            line = self.line(process.stdout.fileno())
            answer = json.loads(line)
            if answer[0] == "gave":
                return Decoder(SUPPORT, encoder.instances()).decode(answer[1])
            raised = str(answer[1])
            if answer[0] == "late":
                self.timeouts += 1
                self.stop()
        except (OSError, ValueError, KeyError, IndexError, TypeError, RecursionError) as error:
            self.stop()
            raise CallError("no answer (%s)" % type(error).__name__) from None
        raise CallError(raised)

    def line(self, fd: int) -> bytes:
        """Its next line, in time."""
        end = time.monotonic() + CALL_S
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([fd], [], [], max(0.0, end - time.monotonic()))
            if not ready:
                self.timeouts += 1
                self.stop()
                raise CallError("it took longer than %g s" % CALL_S)
            piece = os.read(fd, 1 << 16)
            self.buffer += piece
            if not piece or len(self.buffer) > LARGEST:
                raise ValueError("it ended")
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def stop(self) -> None:
        """End it with all that it started."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except OSError:
                pass
            self.process.wait()
            self.process = None


SERVER = Server()


def function(name: str) -> Callable[..., Any]:
    """A stand-in for a submitted function; calling it asks the other process."""

    def stand_in(*args: Any, **kwargs: Any) -> Any:
        return SERVER.call(name, args, kwargs)

    stand_in.__name__ = name
    return stand_in
