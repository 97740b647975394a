"""``mx sandbox``: images, a look inside, what is left over."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mx_agents.cli.console import console, open_backend
from mx_agents.errors import UsageError
from mx_agents.terminal import visible
from mx_sandboxes import Limits, SandboxError, SandboxUnavailableError
from mx_sandboxes.backends.docker import images, tags
from mx_sandboxes.limits import cgroups


def build(names: Sequence[str], base: str | None, network: str | None, *, every: bool) -> None:
    """Build images and print what they are called in the engine. Raises UsageError when that fails."""
    screen = console()
    names = tags.image_names() if every else names
    for name in names:
        _check(name)
    for name in names:
        try:
            tag = images.build_image(
                name,
                base=base or tags.BASE,
                network=network,
                log=lambda line: screen.print(Text(visible(line), style="dim")),
            )
        except SandboxError as error:
            raise UsageError(str(error)) from None
        screen.print(f"[green]✓[/] {tag}")


def list_images() -> None:
    """Print the images and whether they are built. Raises SandboxUnavailableError when no engine answers."""
    from mx_sandboxes.backends.docker.connection import connect

    connect().close()
    table = Table("Image", "Built", "Name in the engine", title="Images", title_justify="left")
    for name in tags.image_names():
        built = images.has_image(name)
        mark = (
            Text("yes", style="green") if built else Text(f"no; fix: mx sandbox build {name}", style="yellow")
        )
        table.add_row(name, mark, tags.image_tag(name))
    console().print(table)


def shell(image: str, backend: str) -> int:
    """Put the user into a slot; returns the exit code. Raises UsageError, SandboxUnavailableError."""
    from mx_sandboxes.shell.shell import TIME_S, run_shell

    _check(image)
    screen = Console(stderr=True, highlight=False)
    limits = Limits()
    with open_backend(backend, slots=1, image=image) as sandbox:
        screen.print(
            f"[dim]A job's view of {sandbox.backend}"
            + (f", image {image}" if sandbox.backend == "docker" else "")
            + f": {limits.memory_bytes >> 20} MiB of memory, {limits.pids} processes, {limits.workspace_bytes >> 20} MiB of disk; "
            f"up to {TIME_S / 60:.0f} minutes. Leave with: exit[/]"
        )
        try:
            end = run_shell(sandbox, limits=limits)
        except KeyboardInterrupt:  # where a slot has no terminal of its own, Ctrl-C is the host's
            return 130
    if isinstance(end, str):
        screen.print(f"[yellow]The sandbox ended the shell: {end}[/]")
        return 1
    return end if end >= 0 else 128 - end


def prune() -> None:
    """Remove what killed programs and older versions left behind, and say what it was."""
    screen = console()
    removed = [f"the control groups {name}" for name in cgroups.remove_leftovers()]
    try:
        removed += images.prune()
    except SandboxUnavailableError as error:
        screen.print(Text(f"containers and images: not looked at ({error})", style="yellow"))
    for name in removed:
        screen.print(Text(f"removed {name}"))
    if not removed:
        screen.print("nothing to remove")


def _check(image: str) -> None:
    try:
        tags.image_tag(image)
    except ValueError as error:
        raise UsageError(str(error)) from None
