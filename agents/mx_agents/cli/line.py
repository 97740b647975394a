"""One command line run within this program."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer


def invoke(command: Any, words: Sequence[str]) -> int:
    """Run the words of a command line by ``command``, which is all of ``mx``; its exit code. What goes wrong comes through."""
    try:
        with command.make_context("mx", list(words)) as context:
            command.invoke(context)
    except typer.Exit as end:
        return int(end.exit_code)
    return 0
