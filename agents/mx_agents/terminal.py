"""The terminal: the console that all commands print on, and texts of models on it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

NO_TERMINAL = 120
"""Columns where the output is no terminal, wide enough for a table; ``COLUMNS`` says otherwise."""


def console(*, stderr: bool = False) -> Console:
    """The terminal, or what stands in for it; rich itself obeys ``COLUMNS`` and ``NO_COLOR``."""
    from rich.console import Console

    made = Console(highlight=False, stderr=stderr)
    if made.is_terminal or os.environ.get("COLUMNS", "").isdecimal():
        return made
    return Console(highlight=False, stderr=stderr, width=NO_TERMINAL)


def visible(text: str) -> str:
    """The text without what a terminal would obey: control characters and text direction marks become a replacement character."""
    return "".join(
        sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text
    )


def shortened(text: str, most: int) -> str:
    """The text, or its beginning and how much is missing."""
    return text if len(text) <= most else f"{text[:most]}\n... {len(text) - most:,} characters more"
