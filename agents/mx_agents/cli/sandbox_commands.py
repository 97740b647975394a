"""The commands of ``mx sandbox``: what each takes. What a command needs is imported when it runs."""

from __future__ import annotations

from typing import Annotated

import typer

from mx_agents.cli.options import Sandbox, example

app = typer.Typer(
    help="The sandboxes: their container images, a look inside, what is left over.", no_args_is_help=True
)


@app.command("build", epilog=example("mx sandbox build python hdl"))
def sandbox_build(
    image: Annotated[list[str] | None, typer.Argument(help="The images' names; without one: python.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every image.")] = False,
    base: Annotated[str | None, typer.Option(help="The base image.")] = None,
    network: Annotated[str | None, typer.Option(help="The build's network, such as host.")] = None,
) -> None:
    """Build images: python (software), hdl (hardware), trading."""
    from mx_agents.cli.sandbox import build

    build(image or ["python"], base, network, every=every)


@app.command("list", epilog=example("mx sandbox list"))
def sandbox_list() -> None:
    """List the images and whether they are built."""
    from mx_agents.cli.sandbox import list_images

    list_images()


@app.command("shell", epilog=example("mx sandbox shell --sandbox bubblewrap"))
def sandbox_shell(
    image: Annotated[str, typer.Option(help="The image, for Docker.")] = "python",
    sandbox: Sandbox = "auto",
) -> None:
    """Look around inside a sandbox, as a job with a job's limits; commands may also be piped in."""
    from mx_agents.cli.sandbox import shell

    raise typer.Exit(shell(image, sandbox))


@app.command("test", epilog=example("mx sandbox test --family leaks"))
def sandbox_test(
    backend: Annotated[
        str | None, typer.Option(help="docker or bubblewrap; without it, both where they work.")
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(
            help="processes, resources, leaks, escapes, files, verdicts, tricks or floods; may be repeated. Without it, all."
        ),
    ] = None,
    image: Annotated[str, typer.Option(help="The image that the jobs run in, for Docker.")] = "python",
    details: Annotated[
        bool, typer.Option("--details", help="List the attacks that were stopped too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
) -> None:
    """Attack the sandboxes of this machine and tell what got through; exit code 1 when anything did."""
    from mx_agents.cli.sandbox_test import run

    raise typer.Exit(run(backend, family, image, details=details, as_json=as_json))


@app.command("prune", epilog=example("mx sandbox prune"))
def sandbox_prune() -> None:
    """Remove containers and control groups that killed programs left behind, and images that are out of date."""
    from mx_agents.cli.sandbox import prune

    prune()
