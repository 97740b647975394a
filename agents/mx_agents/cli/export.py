"""``mx export``."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.progress import waiting
from mx_agents.runs.exports import export
from mx_agents.runs.folder import check_writable, existing_run_folder


def run(folder: Path, form: str, output: Path | None) -> int:
    """Write a run's episodes in another's format and say where; the exit code."""
    screen = console()
    target = output or folder / form
    existing_run_folder(folder)
    check_writable(target, "name another with --output")
    with waiting(screen, f"writing the episodes of {folder} as {form}"):
        count = export(folder, form, target)
    screen.print(Text(f"{count} episodes in {target}"), soft_wrap=True)
    return 0
