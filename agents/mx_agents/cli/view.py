"""``mx view``."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.errors import UsageError
from mx_agents.progress import waiting
from mx_agents.report.live import Viewer


def run(folder: Path, host: str, port: int) -> int:
    """Serve until somebody ends it."""
    try:
        viewer = Viewer(folder, host, port)
    except OSError as error:
        raise UsageError(
            f"nothing can be served at {host}:{port}: {error.strerror}; choose another --port"
        ) from None
    screen = console()
    with viewer:
        with waiting(screen, f"reading {folder}"):
            viewer.report()
        screen.print(Text(f"{viewer.url}  (Ctrl-C ends it)"), soft_wrap=True)
        viewer.serve_forever()
    return 0
