"""What becomes of a training that looks unearned, asked of the person at the terminal."""

from __future__ import annotations

import sys
from typing import Literal

from rich.console import Console
from rich.text import Text

Answer = Literal["go on", "never ask again", "stop"]
ANSWERS: dict[str, Answer] = {"g": "go on", "a": "never ask again", "s": "stop"}


def asked(what: str, screen: Console) -> Answer:
    """Say what is suspicious and ask what to do; ``stop`` where nobody is there to answer."""
    if not (screen.is_terminal and sys.stdin.isatty()):
        return "stop"
    screen.print(Text(what, style="bold yellow"), soft_wrap=True)
    while True:
        try:
            key = screen.input("g go on, a go on and ask no more, s stop: ").strip().lower()[:1]
        except EOFError:
            return "stop"
        if key in ANSWERS:
            return ANSWERS[key]
