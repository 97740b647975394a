"""A shell inside a slot, for people who want to see what a job sees: the same jail, the same limits, more time."""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mx_sandboxes.sandbox import Completed, Limits, Sandbox, Session, SessionEndedError

PROGRAM = Path(__file__).with_name("shell_inside.py")
TIME_S = 3600.0
"""Wall and CPU seconds that a shell has; all other limits are a job's own."""
SOON_S, LATE_S = 0.01, 0.2


def run_shell(sandbox: Sandbox, source: int = 0, sink: int = 1, *, limits: Limits | None = None) -> int | str:
    """Join a shell in a slot to two descriptors of ours until it ends.

    On a terminal it is interactive; otherwise it reads commands from ``source`` to its end. Returns the shell's exit code, or in
    words what ended it (such as ``memory``).
    """
    limits = replace(limits or Limits(), wall_s=TIME_S, cpu_s=TIME_S)
    interactive = os.isatty(source)
    columns, rows = shutil.get_terminal_size()
    program = ["python", "-c", PROGRAM.read_text()]
    with sandbox.session(program, limits=limits, env={"MX_TERMINAL": "1"}) as session:
        try:
            session.send({"interactive": interactive, "size": [rows, columns]})
            terminal = session.receive()["terminal"] is True
            with _raw(source, wanted=interactive and terminal):
                return _join(session, source, sink)
        except SessionEndedError as error:
            return _words(error.completed)


def _join(session: Session, source: int, sink: int) -> int:
    """Carry bytes both ways: one question, one answer."""
    ended, pause = False, SOON_S
    while True:
        data = b""
        if not ended and select.select([source], [], [], pause)[0]:
            data = os.read(source, 1 << 15)
            ended = not data
            session.send({"in": data.decode("latin-1"), "eof": ended})
        else:
            session.send({"in": "", "eof": False})
        answer = session.receive()
        found = answer["out"].encode("latin-1")
        while found:
            found = found[os.write(sink, found) :]
        if answer["end"] is not None:
            return int(answer["end"])
        pause = SOON_S if data or answer["out"] else min(LATE_S, pause * 1.5)


def _words(completed: Completed) -> str:
    return completed.reason.value


@contextmanager
def _raw(source: int, *, wanted: bool) -> Iterator[None]:
    """Every key goes through as it is, Ctrl-C too, where the shell has a terminal of its own."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(source)
    tty.setraw(source)
    try:
        yield
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
        sys.stdout.flush()
