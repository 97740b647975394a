"""The commands of ``mx tasks``: what each takes. What a command needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mx_agents.cli.options import Json, Sandbox, Split, complete_tasks, example

app = typer.Typer(help="Look at the task sets, check them, make new ones.", no_args_is_help=True)
make_app = typer.Typer(help="Make tasks of real libraries.", no_args_is_help=True)
app.add_typer(make_app, name="make")

TaskSet = Annotated[
    str,
    typer.Argument(
        metavar="TASKSET",
        help="A task set, such as software:repair.",
        autocompletion=complete_tasks,
    ),
]


@app.command("list", epilog=example("mx tasks list"))
def tasks_list(as_json: Json = False) -> None:
    """List the task sets with the sizes of their splits."""
    from mx_agents.cli.tasks import list_sets

    list_sets(as_json=as_json)


@app.command("show", epilog=example("mx tasks show software:repair lru-cache"))
def tasks_show(
    task_set: TaskSet,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="A task's id; without it, the first.")
    ] = None,
    split: Split = "train",
) -> None:
    """Show a task as agents see it."""
    from mx_agents.cli.tasks import show

    show(task_set, task, split)


@app.command("validate", epilog=example("mx tasks validate software:micro --count 2"))
def tasks_validate(
    task_set: TaskSet,
    count: Annotated[int, typer.Option(min=1, help="Tasks of each split.")] = 5,
    sandbox: Sandbox = "auto",
) -> None:
    """Check that the right answer scores 1, no answer 0, each cheat 0; exit code 1 when one does not."""
    from mx_agents.cli.tasks import validate

    raise typer.Exit(validate(task_set, count, sandbox))


OUT_HELP = "The folder that the tasks go to; without it, one where task-set names find them."


@make_app.command("release-pair", epilog=example("mx tasks make release-pair parse 1.20.1 1.20.2"))
def make_release_pair(
    name: Annotated[str, typer.Argument(help="A package of the index, such as parse.")],
    old: Annotated[str, typer.Argument(help="The release with the bug; or an archive's path.")],
    new: Annotated[str, typer.Argument(help="The release that mends it; or an archive's path.")],
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
    split: Annotated[str, typer.Option(help="The split that they go to.")] = "test",
    sandbox: Sandbox = "auto",
) -> None:
    """Make tasks of what a release mended, judged by its own tests; whole, and hunk by hunk."""
    from mx_agents.cli.making import release_pair

    raise typer.Exit(release_pair(name, old, new, out, split, sandbox))


@make_app.command("mutation", epilog=example("mx tasks make mutation toolz --count 5"))
def make_mutation(
    library: Annotated[
        list[str], typer.Argument(help="Libraries: toolz, toolz==1.0.0, or an archive's path.")
    ],
    count: Annotated[int, typer.Option(min=1, help="Tasks of each library.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Chooses the bugs.")] = 0,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
    split: Annotated[str, typer.Option(help="The split that they go to.")] = "test",
    sandbox: Sandbox = "auto",
) -> None:
    """Plant bugs in a library that has its own tests."""
    from mx_agents.cli.making import mutation

    raise typer.Exit(mutation(library, count, seed, out, split, sandbox))


@app.command("import", epilog=example("mx tasks import humaneval HumanEval.jsonl --out humaneval"))
def tasks_import(
    kind: Annotated[str, typer.Argument(help="harbor, swe-bench, inspect, humaneval, mbpp or quixbugs.")],
    source: Annotated[
        Path,
        typer.Argument(
            help="The benchmark's own file, repository or task directories; for inspect FILE.py:NAME or MODULE:NAME."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The folder that the tasks go to.")],
    split: Annotated[
        str, typer.Option(help="The split that Harbor, SWE-bench and inspect tasks go to.")
    ] = "test",
    network: Annotated[
        str | None, typer.Option(help="The network of the builds of images, such as host; tasks have none.")
    ] = None,
    images: Annotated[
        str | None,
        typer.Option(
            help="SWE-bench: names of the images, with {id} or {instance_id}; without it, the official ones."
        ),
    ] = None,
    checkout: Annotated[
        Path | None,
        typer.Option(
            help="SWE-bench: a git repository on this machine, or a folder of them, instead of images."
        ),
    ] = None,
    sandbox: Sandbox = "auto",
) -> None:
    """Import tasks: each is validated, and refused with the reason when it does not hold."""
    from mx_agents.cli.making import import_tasks

    raise typer.Exit(
        import_tasks(
            kind, source, out, sandbox, network=network, split=split, images=images, checkout=checkout
        )
    )


@app.command("export", epilog=example("mx tasks export software:repair --out repair --split train"))
def tasks_export(
    task_set: TaskSet,
    out: Annotated[Path, typer.Option(help="The folder that the directories go to.")],
    split: Split = "test",
    count: Annotated[int, typer.Option(min=1, help="Tasks of the split.")] = 20,
) -> None:
    """Write tasks as Harbor's task directories, each with its verifier and solution."""
    from mx_agents.cli.making import export_set

    raise typer.Exit(export_set(task_set, out, split, count))
