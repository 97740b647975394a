"""Options that several commands take, what shells complete in them, and the example under each command's help."""

from __future__ import annotations

from typing import Annotated

import typer


def _beginning(names: list[str], word: str) -> list[str]:
    return [name for name in names if name.startswith(word)]


def complete_sandbox(incomplete: str) -> list[str]:
    """Backends that begin so."""
    return _beginning(_backends(), incomplete)


def _backends() -> list[str]:
    from mx_sandboxes.opening import BACKENDS  # completion is to be quick where it needs none

    return ["auto", *BACKENDS]


def complete_split(incomplete: str) -> list[str]:
    """Splits that begin so."""
    return _beginning(["train", "validation", "test"], incomplete)


def complete_tasks(incomplete: str) -> list[str]:
    """Task sets, the last one of a list with commas."""
    from mx_tasks import task_set_names

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in task_set_names() if name.startswith(last)]


def complete_methods(incomplete: str) -> list[str]:
    """Methods, the last one of a list with commas."""
    from mx_agents.methods.fixed import FIXED_METHODS

    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in (*FIXED_METHODS, "search") if name.startswith(last)]


def complete_policy(incomplete: str) -> list[str]:
    """Policies by name or by the beginning of one."""
    names = ["scripted", "scripted:oracle", "scripted:noop", "random", "human", "replay:", "openai:", "hf:"]
    return _beginning(names, incomplete)


def complete_preset(incomplete: str) -> list[str]:
    """Presets that begin so."""
    from mx_agents.cli.presets import preset_abouts

    return _beginning(list(preset_abouts()), incomplete)


SCRIPTED = (
    "scripted (the default) imitates a middling model on the micro task sets, and answers nothing elsewhere"
)
"""What the default executor is and does."""
DESIGNER_HELP = (
    "Who designs: a method (single, vote, reflect, debate, split, best_of), human, hf:PATH, FILE.py:NAME, ...; scripted (the "
    "default) writes a random workflow."
)
EXECUTOR_HELP = (
    f"Who plays the roles: random, human, replay:FILE, openai:MODEL@URL, hf:PATH, FILE.py:NAME; {SCRIPTED}."
)


def check_sandbox(name: str) -> str:
    """The name of a backend. Raises UsageError for any other."""
    if name not in _backends():
        from mx_agents.errors import unknown

        raise unknown("sandbox", name, _backends())
    return name


Sandbox = Annotated[
    str,
    typer.Option(
        help="auto, or a backend: docker or bubblewrap.",
        autocompletion=complete_sandbox,
        callback=check_sandbox,
    ),
]
Split = Annotated[str, typer.Option(help="train, validation or test.", autocompletion=complete_split)]
Json = Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")]
Guide = Annotated[
    str | None,
    typer.Option(
        help="What the designer is told of designs: full, short, or a text; without it, what it was trained under."
    ),
]
Approve = Annotated[
    str | None,
    typer.Option(
        help="Who approves tool calls: RULES.yaml, human, or RULES.yaml,human for what it escalates."
    ),
]
Designer = Annotated[str, typer.Option(help=DESIGNER_HELP, autocompletion=complete_methods)]
Executor = Annotated[str, typer.Option(help=EXECUTOR_HELP, autocompletion=complete_policy)]
TaskSets = Annotated[str, typer.Option(help="Task sets, separated by commas.", autocompletion=complete_tasks)]


def check_host(host: str) -> str:
    """An address to listen at; an empty one would be every address of this machine. Raises UsageError."""
    if not host.strip():
        from mx_agents.errors import UsageError

        raise UsageError("--host names an address of this machine, such as 127.0.0.1")
    return host


def check_key(key: str | None) -> str | None:
    """A key as it may stand in a header. Raises UsageError."""
    if key is not None and (not key or not key.isascii() or not key.isprintable() or " " in key):
        from mx_agents.errors import UsageError

        raise UsageError(
            "--key must be one word of ASCII letters, figures and signs; without it a key is made"
        )
    return key


Host = Annotated[str, typer.Option(help="Where to listen.", callback=check_host)]


def example(line: str) -> str:
    """A command's example, as the text under its help."""
    return f"Example: {line}"
