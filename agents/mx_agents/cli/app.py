"""The command line ``mx``, put together. What a command needs is imported when it runs, so that ``mx --help`` is instant."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mx_agents.cli import bench_commands, run_commands
from mx_agents.cli.options import Json, example
from mx_agents.cli.sandbox_commands import app as sandbox_app
from mx_agents.cli.task_commands import app as tasks_app
from mx_agents.cli.trading import app as trading_app


class Who(StrEnum):
    """Who somebody is that comes here."""

    METHOD = "method"
    POLICY = "policy"
    SANDBOX = "sandbox"


app = typer.Typer(
    name="mx",
    help="Environments in which a designer writes multi-agent programs, executors play their roles, and both can learn.",
    epilog=example("mx quickstart"),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"mx-envs {version('mx-envs')}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command(epilog=example("mx quickstart --role policy"))
def quickstart(
    context: typer.Context,
    role: Annotated[
        Who | None,
        typer.Option(
            help="method: benchmark it; policy: let it play; sandbox: run untrusted code. Without it you are asked."
        ),
    ] = None,
    folder: Annotated[Path, typer.Option(help="Where its file and its run go.")] = Path(),
) -> None:
    """Run a first real thing, sandboxed, in less than a minute, and tell what it was and what to try next."""
    from mx_agents.cli.quickstart import run

    raise typer.Exit(run(role.value if role else None, folder, context.find_root().command))


@app.command(epilog=example("mx doctor --quick"))
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the measurement of speed.")] = False,
    as_json: Json = False,
) -> None:
    """Tell in one screen what works on this machine, how fast, and the command that fixes what does not."""
    from mx_agents.cli.doctor import run

    raise typer.Exit(run(quick=quick, as_json=as_json))


@app.command(epilog=example("mx examples my_policy.py my_method.py"))
def examples(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="FILE", help="Which to write; without one, all are listed.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write into.")] = Path(),
) -> None:
    """List the example files that the documentation names, or write some."""
    from mx_agents.cli.examples import run

    raise typer.Exit(run(names or [], out))


@app.command(epilog=example("mx settings"))
def settings(as_json: Json = False) -> None:
    """List every environment variable and configuration key with its default."""
    from mx_agents.cli.settings import run

    raise typer.Exit(run(as_json=as_json))


app.add_typer(run_commands.app)
app.add_typer(bench_commands.app)
app.add_typer(tasks_app, name="tasks")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(trading_app, name="trading")
