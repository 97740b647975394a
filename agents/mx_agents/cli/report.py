"""``mx report``."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.progress import waiting
from mx_agents.report import write_pair, write_report


def run(folder: Path, second: Path | None, output: Path | None) -> int:
    """Write the report and say where it is; the exit code."""
    screen = console()
    with waiting(screen, f"writing the report of {folder}"):
        written = write_report(folder, output) if second is None else write_pair(folder, second, output)
    screen.print(Text(str(written)), soft_wrap=True)
    return 0
