"""``mx play``, ``mx train``, ``mx report`` and ``mx view``: what each takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mx_agents.cli.options import (
    Approve,
    Designer,
    Executor,
    Guide,
    Host,
    Sandbox,
    Split,
    complete_preset,
    complete_tasks,
    example,
)
from mx_agents.cli.presets import BARE, presets_help

app = typer.Typer()


@app.command(epilog=example("mx play software:micro --designer split --executor human"))
def play(
    task_set: Annotated[
        str,
        typer.Argument(
            metavar="TASKSET", help="A task set, such as software:micro.", autocompletion=complete_tasks
        ),
    ],
    designer: Designer = "scripted",
    executor: Executor = "scripted",
    task: Annotated[
        str | None, typer.Option(help="The id of a task; without it the seed chooses one.")
    ] = None,
    split: Split = "train",
    seed: Annotated[
        int, typer.Option(min=0, help="Chooses the task, and the luck of scripted policies.")
    ] = 0,
    sandbox: Sandbox = "auto",
    approve: Approve = None,
    guide: Guide = None,
) -> None:
    """Play one episode in the terminal, and watch it."""
    from mx_agents.cli.play import run

    raise typer.Exit(run(task_set, designer, executor, task, split, seed, sandbox, approve, guide))


@app.command(epilog=example("mx train --preset smoke --run runs/smoke") + f"\n\n{presets_help()}")
def train(
    overrides: Annotated[
        list[str] | None,
        typer.Argument(metavar="KEY=VALUE", help="Changes, such as steps=100: see mx settings."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"A configuration that comes with mx-envs (below); without it and --config, {BARE}.",
            autocompletion=complete_preset,
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="A configuration file (YAML).")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to train with.")] = 1,
    ablate: Annotated[bool, typer.Option("--ablate", help="Also train with either role frozen.")] = False,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps; same as steps=N.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes at once; without it, one more than processors.")
    ] = None,
    run: Annotated[
        Path | None, typer.Option(help="The run's folder; without it, a new one in runs/.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    sandbox: Sandbox = "auto",
) -> None:
    """Train designer and executor together."""
    from mx_agents.cli.train import run as run_train

    changes = [*(overrides or ()), *(() if steps is None else (f"steps={steps}",))]
    code = run_train(
        preset, config, changes, seeds, run, sandbox, ablate=ablate, resume=resume, workers=workers
    )
    raise typer.Exit(code)


@app.command(epilog=example("mx report runs/first"))
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, or of several runs.")],
    second: Annotated[
        Path | None, typer.Argument(metavar="[RUN]", help="Another run, to be put beside the first.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to; without it, into the run.")
    ] = None,
) -> None:
    """Write a run's report.html; of a folder of runs, an index.html that leads to each; of two runs, both side by side."""
    from mx_agents.cli.report import run as run_report

    raise typer.Exit(run_report(run, second, output))


@app.command(epilog=example("mx view runs"))
def view(
    run: Annotated[
        Path,
        typer.Argument(metavar="RUN", help="The folder of a run, which may still go on, or of several runs."),
    ],
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8800,
) -> None:
    """Show a run, or a folder of runs, in the browser and keep up with it."""
    from mx_agents.cli.view import run as run_view

    raise typer.Exit(run_view(run, host, port))
