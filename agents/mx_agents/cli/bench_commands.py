"""``mx bench`` and ``mx serve``, and what is done with their runs: what each takes."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mx_agents.cli.options import (
    EXECUTOR_HELP,
    Approve,
    Executor,
    Guide,
    Host,
    Json,
    Sandbox,
    Split,
    TaskSets,
    check_key,
    complete_methods,
    complete_policy,
    example,
)

app = typer.Typer()

METHODS = "single,vote,reflect,debate,split"


class Match(StrEnum):
    """What ``mx serve`` tells episodes apart by."""

    KEY = "key"
    PROMPT = "prompt"


Episodes = Annotated[int, typer.Option(help="Number of tasks of each set.")]
Budget = Annotated[int | None, typer.Option(help="Executor calls per episode; without it, each task's own.")]
Tokens = Annotated[int | None, typer.Option(help="Tokens per episode; without it, no limit.")]
Pin = Annotated[
    list[str] | None,
    typer.Option(
        help="NAME=VALUE: how all answers to programs are made, whatever they ask for; NAME alone: the executor's own.",
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Option(
        help="PATTERN=EXECUTOR: who answers for the models that programs name, gpt-4o*=openai:MODEL@URL; others: the executor.",
    ),
]
Prices = Annotated[Path | None, typer.Option(help="YAML: EXECUTOR: [IN, OUT], money per million tokens.")]
Run = Annotated[Path | None, typer.Option(help="The run's folder; without it, a new one in runs/.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in that folder.")]
Matching = Annotated[
    Match,
    typer.Option(
        help="prompt: one key for all episodes; a request belongs to the one whose task text it contains."
    ),
]
SearchDesigner = Annotated[
    str | None,
    typer.Option(help="Who answers the own questions of a search from outside; without it, the executor."),
]
InFlight = Annotated[int, typer.Option(min=1, max=256, help="Episodes at once.")]


class ExportForm(StrEnum):
    """What ``mx export`` writes."""

    ATIF = "atif"
    TRAJ = "traj"
    PREDS = "preds"


def _shared(pins: list[str] | None, models: list[str] | None, *values: object) -> dict[str, object]:
    """The options that a benchmark and a served one have in common, by name."""
    from mx_agents.bench.config import read_models, read_pins

    names = ("tasks", "split", "episodes", "seeds", "executor", "budget", "tokens", "approve", "sandbox")
    return dict(zip(names, values, strict=True)) | {
        "pins": read_pins(pins or ()),
        "models": read_models(models or ()),
    }


@app.command(
    epilog=example(
        "mx bench --methods single,vote,split --tasks software:micro --episodes 20 --run runs/first"
    )
)
def bench(
    context: typer.Context,
    methods: Annotated[
        str,
        typer.Option(
            help="Methods, separated by commas; your own: FILE.py:NAME.", autocompletion=complete_methods
        ),
    ] = METHODS,
    tasks: TaskSets = "software:micro",
    split: Split = "test",
    episodes: Episodes = 50,
    seeds: Annotated[int, typer.Option(help="How often each method plays each task.")] = 1,
    executor: Annotated[
        str, typer.Option(help=f"Separated by commas. {EXECUTOR_HELP}", autocompletion=complete_policy)
    ] = "scripted",
    budget: Budget = None,
    tokens: Tokens = None,
    pin: Pin = None,
    models: Models = None,
    search_calls: Annotated[
        int, typer.Option(help="Executor calls that a searching method may use on the validation split.")
    ] = 200,
    prices: Prices = None,
    approve: Approve = None,
    guide: Guide = None,
    designer: SearchDesigner = None,
    sandbox: Sandbox = "auto",
    run: Run = None,
    resume: Resume = False,
    in_flight: InFlight = 8,
    as_json: Json = False,
) -> None:
    """Compare methods on the same tasks, executor, budget and seeds; print means with 95 % intervals."""
    from mx_agents.bench.config import read_prices, words_of
    from mx_agents.cli.bench import run as run_bench

    given = _given(context)
    options = _shared(
        pin, models, tasks, split, episodes, seeds, executor, budget, tokens, approve, sandbox
    ) | {
        "methods": words_of(methods),
        "search_calls": search_calls,
        "prices": read_prices(prices) if prices is not None else {},
        "guide": guide,
        "designer": designer,
    }
    raise typer.Exit(
        run_bench(
            options,
            given,
            run,
            resume=resume,
            in_flight=in_flight,
            extras=_extras(context, given),
            as_json=as_json,
        )
    )


@app.command(epilog=example("mx serve --tasks software:repair --executor human --port 8700"))
def serve(
    context: typer.Context,
    tasks: TaskSets = "software:micro",
    split: Split = "test",
    episodes: Episodes = 1,
    seeds: Annotated[int, typer.Option(help="How often each task is played.")] = 1,
    executor: Executor = "scripted",
    budget: Budget = None,
    tokens: Tokens = None,
    pin: Pin = None,
    models: Models = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one.")] = 8700,
    key: Annotated[
        str | None,
        typer.Option(
            help="The key that plays one episode after another; random without it.", callback=check_key
        ),
    ] = None,
    approve: Approve = None,
    match: Matching = Match.KEY,
    search_calls: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Serve a search instead: POST /mx/trials scores designs on the validation split within so many calls.",
        ),
    ] = None,
    designer: SearchDesigner = None,
    idle: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            help="Seconds of silence after which a program's last completion is its submission; 0: it submits itself. Without "
            "it 0, and 60 with --match prompt.",
        ),
    ] = None,
    sandbox: Sandbox = "auto",
    run: Run = None,
    resume: Resume = False,
    in_flight: InFlight = 8,
) -> None:
    """Serve episodes to any program that speaks OpenAI's API: each of its completions is an executor's step."""
    from mx_agents.cli.serve import Serving
    from mx_agents.cli.serve import serve as serve_bench

    options = _shared(pin, models, tasks, split, episodes, seeds, executor, budget, tokens, approve, sandbox)
    options["methods"] = ("external",) if search_calls is None else ("optimiser",)
    options |= {"designer": designer} | ({} if search_calls is None else {"search_calls": search_calls})
    given = _given(context)
    silence = (60.0 if match is Match.PROMPT else 0.0) if idle is None else idle
    at = Serving(host, port, key, silence or None, match is Match.PROMPT)
    extras = _extras(context, given)
    raise typer.Exit(
        serve_bench(options, given, run, resume=resume, in_flight=in_flight, at=at, extras=extras)
    )


@app.command(
    epilog=example("mx trial my_design.py --tasks software:repair --search-calls 500 --run runs/search")
)
def trial(
    candidate: Annotated[
        str,
        typer.Argument(
            help="A design's script, SCRIPT.py; or a method: vote, FILE.py:NAME, program:COMMAND.",
        ),
    ],
    run: Annotated[Path, typer.Option(help="The search's folder; its budget and trials are in it.")],
    repeats: Annotated[int, typer.Option(min=1, max=100, help="How often each task is played.")] = 1,
    choose: Annotated[
        bool, typer.Option("--choose", help="End the search with it, and measure it on --split.")
    ] = False,
    tasks: Annotated[str, typer.Option(help="A task set.")] = "software:micro",
    executor: Executor = "scripted",
    search_calls: Annotated[
        int, typer.Option(help="Executor calls of the whole search, over all its trials.")
    ] = 200,
    split: Split = "test",
    episodes: Episodes = 50,
    seeds: Annotated[int, typer.Option(help="How often the chosen one plays each task.")] = 1,
    budget: Budget = None,
    tokens: Tokens = None,
    sandbox: Sandbox = "auto",
    in_flight: InFlight = 8,
    as_json: Json = False,
) -> None:
    """Score one candidate design on the validation split, within a search's budget; go on in the same folder with the next."""
    from mx_agents.cli.trial import run as run_trial

    measured = {"split": split, "episodes": episodes, "seeds": seeds}
    episode = {"budget": budget, "tokens": tokens, "sandbox": sandbox, "in_flight": in_flight}
    search = {"tasks": tasks, "executor": executor, "calls": search_calls, "run": run}
    options = {**search, **measured, **episode}
    raise typer.Exit(run_trial(candidate, repeats=repeats, choose=choose, as_json=as_json, **options))


@app.command(epilog=example("mx compare runs/first runs/second"))
def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a benchmark run.")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="Another one.")],
    as_json: Json = False,
) -> None:
    """Say where two benchmark runs differ: configuration, versions, success by method, and tasks that went another way."""
    from mx_agents.cli.compare import run as run_compare

    raise typer.Exit(run_compare(first, second, as_json=as_json))


@app.command(epilog=example("mx replay runs/first/episodes.jsonl:3"))
def replay(
    episode: Annotated[
        str, typer.Argument(metavar="EPISODE", help="RUN/episodes.jsonl, with :N for its Nth line (1).")
    ],
    sandbox: Sandbox = "auto",
) -> None:
    """Run a recorded episode again, with the recorded answers, and say where it differs; exit code 1 when it does."""
    from mx_agents.cli.replay import run as run_replay

    raise typer.Exit(run_replay(episode, sandbox))


@app.command(epilog=example("mx export runs/first --format preds"))
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
    from mx_agents.cli.export import run as run_export

    raise typer.Exit(run_export(run, form.value, output))


def _given(context: typer.Context) -> set[str]:
    """The options that the user gave, defaults left out."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {
        name
        for name, source in sources.items()
        if source is not None and not source.name.startswith("DEFAULT")
    } | ({"pins"} if context.params.get("pin") else set())


def _extras(context: typer.Context, given: set[str]) -> list[str]:
    """Options that the user gave and that a run's folder does not hold, as words of a command line."""
    names = [name for name in ("host", "port", "key", "match", "idle", "in_flight") if name in given]
    return [word for name in names for word in (f"--{name.replace('_', '-')}", str(context.params[name]))]
