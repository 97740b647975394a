"""``mx replay``."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text

from mx_agents.bench.again import budget_of, read_row, replay
from mx_agents.cli.console import console, open_backends
from mx_agents.progress import waiting
from mx_agents.terminal import shortened, visible
from mx_tasks import load_task_set

SHOWN = 400


def run(spec: str, backend: str) -> int:
    """Run the episode again and print where it differs; 0 when it does not, else 1."""
    place, colon, number = spec.rpartition(":")
    path, row_number = (Path(place), int(number)) if colon and number.isdecimal() else (Path(spec), 1)
    row = read_row(path, row_number)
    screen = console()
    image = load_task_set(row["episode"]["task_set"]).find(row["episode"]["task"]).image
    with (
        waiting(screen, f"playing {row['episode']['task']} again"),
        open_backends(backend, 2, [image]) as sandboxes,
    ):
        done = replay(row, sandboxes, budget_of(path))
    about = f"{done.method} on {done.task}, {len(row['episode']['turns'])} turns"
    if not done.differences:
        screen.print(Text(f"the same, to the letter: {about}", style="green"))
        return 0
    screen.print(Text(f"{len(done.differences)} differences: {about}", style="yellow"))
    for where, recorded, now in done.differences:
        screen.print(Text(where, style="bold"))
        for word, value in (("recorded", recorded), ("now", now)):
            screen.print(Text(f"  {word}: {visible(shortened(str(value), SHOWN))}"), soft_wrap=True)
    return 1
