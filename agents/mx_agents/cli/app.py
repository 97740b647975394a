"""The commands of ``mx``: what each takes. What a command needs is imported when it runs, so that ``mx --help`` is instant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mx_agents.cli.options import Sandbox, Split
from mx_agents.cli.sandbox_commands import app as sandbox_app
from mx_agents.cli.task_commands import app as tasks_app
from mx_agents.cli.trading import app as trading_app

app = typer.Typer(
    name="mx",
    help="Environments in which a designer writes multi-agent programs, executors play their roles, and both can learn.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(tasks_app, name="tasks")
app.add_typer(sandbox_app, name="sandbox")
app.add_typer(trading_app, name="trading")


class ExportForm(StrEnum):
    """What ``mx export`` writes."""

    ATIF = "atif"
    TRAJ = "traj"
    PREDS = "preds"


METHODS = "single,vote,reflect,debate,split"
DESIGNER_HELP = "Who designs: a method (single, vote, reflect, debate, split, best_of), scripted, human, hf:PATH, FILE.py:NAME, ..."
EXECUTOR_HELP = (
    "Who plays the roles: scripted, random, human, replay:FILE, openai:MODEL@URL, hf:PATH, FILE.py:NAME."
)


@app.command()
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the measurement of speed.")] = False,
) -> None:
    """Tell in one screen what works on this machine, how fast, and the command that fixes what does not."""
    from mx_agents.cli.doctor import run

    raise typer.Exit(run(quick=quick))


@app.command()
def play(
    task_set: Annotated[str, typer.Argument(metavar="TASKSET", help="A task set, such as software:micro.")],
    designer: Annotated[str, typer.Option(help=DESIGNER_HELP)] = "scripted",
    executor: Annotated[str, typer.Option(help=EXECUTOR_HELP)] = "scripted",
    task: Annotated[
        str | None, typer.Option(help="The id of a task; without it the seed chooses one.")
    ] = None,
    split: Split = "train",
    seed: Annotated[
        int, typer.Option(min=0, help="Chooses the task, and the luck of scripted policies.")
    ] = 0,
    sandbox: Sandbox = "auto",
    approve: Annotated[
        str | None,
        typer.Option(
            help="Who approves tool calls: RULES.yaml, human, or RULES.yaml,human for what it escalates."
        ),
    ] = None,
) -> None:
    """Play one episode in the terminal, and watch it."""
    from mx_agents.cli.play import run

    raise typer.Exit(run(task_set, designer, executor, task, split, seed, sandbox, approve))


@app.command()
def bench(
    context: typer.Context,
    methods: Annotated[
        str, typer.Option(help="Methods, separated by commas; your own: FILE.py:NAME.")
    ] = METHODS,
    tasks: Annotated[str, typer.Option(help="Task sets, separated by commas.")] = "software:micro",
    split: Split = "test",
    episodes: Annotated[int, typer.Option(help="Number of tasks of each set.")] = 50,
    seeds: Annotated[int, typer.Option(help="How often each method plays each task.")] = 1,
    executor: Annotated[str, typer.Option(help=f"Separated by commas. {EXECUTOR_HELP}")] = "scripted",
    budget: Annotated[
        int | None, typer.Option(help="Executor calls per episode; without it, each task's own.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens per episode; without it, no limit.")] = None,
    search_calls: Annotated[
        int, typer.Option(help="Executor calls that a searching method may use on the validation split.")
    ] = 200,
    prices: Annotated[
        Path | None, typer.Option(help="YAML: EXECUTOR: [IN, OUT], money per million tokens.")
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option(
            help="Who approves tool calls: RULES.yaml, human, or RULES.yaml,human for what it escalates."
        ),
    ] = None,
    sandbox: Sandbox = "auto",
    run: Annotated[
        Path | None, typer.Option(help="The run's folder; without it, a new one in runs/.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    in_flight: Annotated[int, typer.Option(min=1, max=256, help="Episodes at once.")] = 8,
) -> None:
    """Compare methods on the same tasks, executor, budget and seeds; print means with 95 % intervals."""
    from mx_agents.bench.config import read_prices, words_of
    from mx_agents.cli.bench import run as run_bench

    given = _given(context)
    options = {
        "methods": words_of(methods),
        "tasks": tasks,
        "split": split,
        "episodes": episodes,
        "seeds": seeds,
        "executor": executor,
        "budget": budget,
        "tokens": tokens,
        "search_calls": search_calls,
        "prices": read_prices(prices) if prices else {},
        "approve": approve,
        "sandbox": sandbox,
    }
    raise typer.Exit(run_bench(options, given, run, resume=resume, in_flight=in_flight))


@app.command()
def serve(
    context: typer.Context,
    tasks: Annotated[str, typer.Option(help="Task sets, separated by commas.")] = "software:micro",
    split: Split = "test",
    episodes: Annotated[int, typer.Option(help="Number of tasks of each set.")] = 1,
    seeds: Annotated[int, typer.Option(help="How often each task is played.")] = 1,
    executor: Annotated[str, typer.Option(help=EXECUTOR_HELP)] = "scripted",
    budget: Annotated[
        int | None, typer.Option(help="Executor calls per episode; without it, each task's own.")
    ] = None,
    tokens: Annotated[int | None, typer.Option(help="Tokens per episode; without it, no limit.")] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8700,
    key: Annotated[
        str | None, typer.Option(help="The key that plays one episode after another; random without it.")
    ] = None,
    approve: Annotated[
        str | None,
        typer.Option(
            help="Who approves tool calls: RULES.yaml, human, or RULES.yaml,human for what it escalates."
        ),
    ] = None,
    idle: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="Seconds of silence after which a program's last completion is its submission; 0: it submits itself.",
        ),
    ] = 0.0,
    sandbox: Sandbox = "auto",
    run: Annotated[
        Path | None, typer.Option(help="The run's folder; without it, a new one in runs/.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")] = False,
    in_flight: Annotated[int, typer.Option(min=1, max=256, help="Episodes at once.")] = 8,
) -> None:
    """Serve episodes to any program that speaks OpenAI's API: each of its completions is an executor's step."""
    from mx_agents.cli.bench import Serving
    from mx_agents.cli.bench import serve as serve_bench

    options = {
        "methods": ("external",),
        "tasks": tasks,
        "split": split,
        "episodes": episodes,
        "seeds": seeds,
        "executor": executor,
        "budget": budget,
        "tokens": tokens,
        "approve": approve,
        "sandbox": sandbox,
    }
    given = _given(context)
    at = Serving(host, port, key, idle or None)
    code = serve_bench(options, given, run, resume=resume, in_flight=in_flight, at=at)
    raise typer.Exit(code)


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a benchmark run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another one.")],
) -> None:
    """Say where two benchmark runs differ: configuration, versions, success by method, and tasks that went another way."""
    from mx_agents.cli.compare import run as run_compare

    raise typer.Exit(run_compare(first, second))


@app.command()
def replay(
    episode: Annotated[
        str, typer.Argument(metavar="EPISODE", help="RUN/episodes.jsonl, with :N for its Nth line (1).")
    ],
    sandbox: Sandbox = "auto",
) -> None:
    """Run a recorded episode again, with the recorded answers, and say where it differs; exit code 1 when it does."""
    from mx_agents.cli.replay import run as run_replay

    raise typer.Exit(run_replay(episode, sandbox))


@app.command()
def train(
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Changes.")] = None,
    preset: Annotated[
        str | None, typer.Option(help="A configuration that comes with mx-envs, such as micro.")
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


@app.command()
def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where to; without it, into the run.")
    ] = None,
) -> None:
    """Write a run's report.html."""
    from mx_agents.report import write_report

    typer.echo(write_report(run, output))


@app.command()
def view(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, which may still go on.")],
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8800,
) -> None:
    """Show a run in the browser and keep up with it."""
    from mx_agents.cli.view import run as run_view

    raise typer.Exit(run_view(run, host, port))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a benchmark run.")],
    form: Annotated[
        ExportForm, typer.Option("--format", help="ATIF v1.8 trajectories, .traj.json, or preds.jsonl.")
    ] = ExportForm.ATIF,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The folder to write into; without it, in the run.")
    ] = None,
) -> None:
    """Write a run's episodes in the formats of Harbor, mini-swe-agent and SWE-bench."""
    from mx_agents.exports import export as write

    folder = output or run / form.value
    typer.echo(f"{write(run, form.value, folder)} episodes in {folder}")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line. Mistakes of the user end with one line on stderr and exit code 2."""
    try:
        app(args=argv, prog_name="mx")
    except Exception as error:
        if not _is_users(error):
            raise
        sys.stderr.write(f"mx: {str(error).strip()}\n")
        sys.exit(2)


def _is_users(error: Exception) -> bool:
    """Whether the message is all that a user needs: what was asked for does not exist or does not work here."""
    from mx_agents.errors import PolicyError, UsageError
    from mx_sandboxes import SandboxUnavailableError
    from mx_tasks import TaskNotFoundError, TaskSetError
    from mx_tasks.trading.market.errors import TradingError

    return isinstance(
        error,
        UsageError | PolicyError | TaskSetError | TaskNotFoundError | TradingError | SandboxUnavailableError,
    )


def _given(context: typer.Context) -> set[str]:
    """The options that the user gave, defaults left out."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {
        name
        for name, source in sources.items()
        if source is not None and not source.name.startswith("DEFAULT")
    }
