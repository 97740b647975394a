"""Two jobs at the same time in two slots, of which one holds what the other tries to get at."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mx_sandboxes.abuse.case import LONG, Case, Staged, printed, source
from mx_sandboxes.sandbox import Sandbox, SessionEndedError

HOLD = """
import os, socket, time
def ready():
    channel = os.environ.get("MX_CHANNEL")
    if channel is None:  # no session: live on as a daemon
        if os.fork(): os._exit(0)
        os.setsid()
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3): os.dup2(null, fd)
        time.sleep(4)
        os._exit(0)
    stream = socket.socket(fileno=int(channel))
    while True:
        stream.sendall(b"\\0\\0\\0\\4true")
        if not stream.recv(4096): break
"""


def meanwhile(holder: str, visitor: str, *, alive: bool = True) -> Callable[[Sandbox, Staged], str | None]:
    """One job holds something in one slot while another, in the next slot, tries to get at it."""

    def play(sandbox: Sandbox, staged: Staged) -> str | None:
        with sandbox.session(["python", "-c", source(HOLD + holder, staged)], limits=LONG) as session:
            try:
                session.receive()
                found = printed(sandbox.run(["python", "-c", source(visitor, staged)], limits=LONG))
                session.send(True)
                if session.receive() is not True and alive:
                    return "the other job changed its answer"
            except SessionEndedError as error:
                said = error.completed.stderr.decode("utf-8", "replace")[-200:]
                return f"the other job was ended: {error.completed.reason.value} {said}"
        return found

    return play


def pair(name: str, aim: str, holder: str, visitor: str, **more: Any) -> Case:
    """Two jobs at the same time; the control plays them as a daemon and its successor."""
    return Case(
        name, aim, HOLD + holder, after=visitor, play=meanwhile(holder, visitor), in_play=True, **more
    )
