"""The command that goes on where one was broken off."""

from __future__ import annotations

import shlex
from collections.abc import Sequence


def name_way_on(stop: BaseException, command: Sequence[str]) -> None:
    """Note the command that goes on, for the command line to print."""
    if not getattr(stop, "__notes__", None):
        stop.add_note(shlex.join(command))
