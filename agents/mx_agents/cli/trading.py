"""``mx trading``: numeric learners and baselines on the simulated market."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from mx_agents.cli import trading_data
from mx_agents.cli.options import example
from mx_sandboxes.extras import how_to_install

app = typer.Typer(help="The simulated market: learners and baselines.", no_args_is_help=True)
app.add_typer(trading_data.app)  # more commands of the same group


@app.command(epilog=example("mx trading ppo --worlds regime --steps 20000"))
def ppo(
    worlds: Annotated[
        str,
        typer.Option(
            help="Worlds, separated by commas: no-edge, regime, mean-reversion, hidden-regime, pairs..."
        ),
    ] = "regime,mean-reversion,no-edge",
    steps: Annotated[int, typer.Option(min=4096, help="Training steps.")] = 200_000,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to train with.")] = 1,
    save: Annotated[
        Path | None,
        typer.Option(
            help="A folder for the models, named WORLD-SEED.zip: see mx trading baselines --ppo. Those that are there are not "
            "trained again."
        ),
    ] = None,
) -> None:
    """Train Stable-Baselines3's PPO in worlds whose optimum is known, and print how much of it is reached."""
    from mx_agents.cli.console import console
    from mx_agents.errors import UsageError
    from mx_agents.progress import going
    from mx_agents.runs.folder import check_writable

    try:
        from mx_agents.sb3 import train_or_read
    except ModuleNotFoundError as error:
        raise UsageError(f"PPO needs {error.name}; fix: {how_to_install('sb3')}") from None
    screen = console()
    names = [name.strip() for name in worlds.split(",") if name.strip()]
    if not names:
        raise UsageError("no world is named; --worlds takes some, such as regime,pairs")
    if save is not None:
        check_writable(save)
    table = Table("World", "Seed", "Earned a year", "Optimum", "Share", "Turnover a year")
    for world in names:
        for seed in range(seeds):
            with going(screen) as told:
                row = told.row(f"training in {world}, seed {seed}", steps, unit="steps")
                reached = train_or_read(world, steps, seed, save, row.set)
            share = f"{reached.share:.1%}" if reached.optimum > 1e-12 else "-"
            table.add_row(
                world,
                str(seed),
                f"{reached.earned:+.4f}",
                f"{reached.optimum:.4f}",
                share,
                f"{reached.turnover:.1f}",
            )
    screen.print(table)
    screen.print(
        "[dim]Log growth a year after costs that the decisions can be expected to earn, on 128 fresh paths.[/]"
    )
