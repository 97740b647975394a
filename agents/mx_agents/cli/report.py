"""``mx report``."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.errors import UsageError
from mx_agents.progress import waiting
from mx_agents.report import write_report


def run(folder: Path, second: Path | None, output: Path | None) -> int:
    """Write the report and say where it is; the exit code."""
    screen = console()
    if second is not None:
        raise UsageError("two runs side by side are not there yet")
    with waiting(screen, f"writing the report of {folder}"):
        written = write_report(folder, output)
    screen.print(Text(str(written)), soft_wrap=True)
    return 0
