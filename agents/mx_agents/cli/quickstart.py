"""``mx quickstart``: a first real thing for each of the three who come here, sandboxed, in less than a minute."""

from __future__ import annotations

import os
import runpy
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.cli.examples import put
from mx_agents.cli.line import invoke
from mx_agents.errors import UsageError

RUN = "runs/quickstart"


@dataclass(frozen=True, slots=True)
class Role:
    """Who somebody is, the file that they start from, what is run with it, and what may come next."""

    about: str
    file: str
    command: str
    next: tuple[str, ...]


ROLES = {
    "method": Role(
        "I have a multi-agent method and want to benchmark it beside others",
        "my_method.py",
        "mx bench --methods single,split,my_method.py --tasks software:micro --episodes 4 --in-flight 4 --run {run}",
        (
            "your own method: change design() in my_method.py and run the command again with another --run",
            "a real model: --executor openai:MODEL@URL; more tasks: mx tasks list",
            "read every episode: mx view {run}",
        ),
    ),
    "policy": Role(
        "I have a model, an endpoint or a function and want to let it play",
        "my_policy.py",
        "mx play software:micro --designer split --executor my_policy.py --seed 3",
        (
            "your own policy: change answer() in my_policy.py and run the command again",
            "an endpoint: --executor openai:MODEL@URL; yourself: --executor human",
            "a score with an interval: mx bench --methods split --executor my_policy.py,scripted --episodes 20",
        ),
    ),
    "sandbox": Role(
        "I want to run untrusted code on this machine",
        "my_sandbox.py",
        "{python} my_sandbox.py",
        (
            "your own code: change UNTRUSTED in my_sandbox.py",
            "attack it: mx sandbox test --family leaks; look around inside: mx sandbox shell",
            "what is enforced here, by whom: mx doctor",
        ),
    ),
}


def run(role: str | None, folder: Path, whole: Any) -> int:
    """Run the first thing of a role, asking which where a person is there; the exit code. Raises UsageError.

    ``whole`` is the command that is all of ``mx``.
    """
    if role is None:
        role = _ask()
    chosen, screen = ROLES[role], console()
    screen.print(Text(put(chosen.file, folder)), soft_wrap=True)
    words = {"run": _new(folder), "python": Path(sys.executable).name}
    command = chosen.command.format(**words)
    screen.print(Text(f"$ {command}", style="bold"), soft_wrap=True)
    code = _in(folder, lambda: _do(whole, command, chosen.file))
    if code:
        return code
    source = (folder / chosen.file).read_text(encoding="utf-8").strip().splitlines()
    screen.print(
        Text(f"\nThat was {chosen.file}, {len(source)} lines, and the command above: {command}"),
        soft_wrap=True,
    )
    screen.print(Text("Next:"))
    for line in chosen.next:
        screen.print(Text(f"  {line.format(**words)}"), soft_wrap=True)
    return 0


def _ask() -> str:
    if not sys.stdin.isatty():
        names = "|".join(ROLES)
        raise UsageError(f"who are you? Say it with --role {names}, for there is no terminal to ask at")
    for number, role in enumerate(ROLES.values(), 1):
        typer.echo(f"  {number}  {role.about}")
    while True:
        answer = str(typer.prompt("Who are you?", default="1")).strip()
        if answer.isdecimal() and 1 <= int(answer) <= len(ROLES):
            return list(ROLES)[int(answer) - 1]
        typer.echo(f"A number from 1 to {len(ROLES)}, please.")


def _new(folder: Path) -> str:
    """A run that is not there yet."""
    number, name = 1, RUN
    while (folder / name).exists():
        number += 1
        name = f"{RUN}-{number}"
    return name


def _do(whole: Any, command: str, file: str) -> int:
    words = shlex.split(command)
    if words[0] == "mx":
        return invoke(whole, words[1:])
    runpy.run_path(file, run_name="__main__")
    return 0


def _in(folder: Path, work: Callable[[], int]) -> int:
    """Do something in a folder, as if its user had gone there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        return work()
    finally:
        os.chdir(before)
