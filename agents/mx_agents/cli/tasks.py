"""``mx tasks``."""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

from rich.console import Console, RenderableType
from rich.markdown import Markdown
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from mx_agents.cli.console import console
from mx_agents.errors import UsageError
from mx_agents.progress import waiting
from mx_agents.terminal import shortened, visible
from mx_sandboxes import Sandboxes
from mx_tasks import SPLITS, Task, TaskSet, TaskSetError, check_split, load_task_set, task_set_names

LONGEST_FILE = 4_000


def list_sets(*, as_json: bool = False) -> None:
    """Print the task sets with the sizes of their splits."""
    screen = console()
    with waiting(screen, "looking at the task sets"):
        rows = [_about_set(name) for name in task_set_names()]
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=1) + "\n")
        return
    table = Table("Task set", *SPLITS, "About", title="Task sets", title_justify="left")
    for row in rows:
        sizes = row["sizes"] or dict.fromkeys(SPLITS, "-")
        cells = ["unlimited" if sizes[split] is None else str(sizes[split]) for split in SPLITS]
        table.add_row(
            row["name"], *cells, Text(row["about"] or row["missing"], style="dim" if row["missing"] else "")
        )
    screen.print(table)


def _about_set(name: str) -> dict[str, Any]:
    """A set's name, what it asks for, and the sizes of its splits (None: no end); or why it is not here."""
    try:
        task_set = load_task_set(name)
    except TaskSetError as error:  # one that is read from the user's own copy, which is not there
        return {"name": name, "about": "", "sizes": None, "missing": str(error).removeprefix(f"{name} is ")}
    about = (
        getattr(task_set, "about_set", "")
        or (inspect.getdoc(inspect.getmodule(type(task_set))) or "").partition("\n")[0]
    )
    sizes = {split: task_set.size(split) for split in SPLITS}
    return {"name": name, "about": about.replace("``", ""), "sizes": sizes, "missing": ""}


def show(set_name: str, task_id: str | None, split: str) -> None:
    """Print a task as agents see it."""
    first = check_split(split)
    with waiting(console(), f"loading {set_name}"):
        task_set = load_task_set(set_name)
    if task_id is not None:
        task = task_set.find(task_id)
    else:
        try:
            task = task_set.task(first, 0)
        except IndexError:
            others = [f"--split {name}" for name in SPLITS if task_set.size(name) != 0]
            raise UsageError(
                f"the split {split!r} of {set_name} has no tasks; try {' or '.join(others)}"
            ) from None
    screen = console()
    screen.print(task_panel(task))
    for name, data in sorted(task.files.items()):
        _show_file(screen, name, data.decode(errors="replace"), task.prompt)
    checks = [part for part in task.parts if part.check]
    if checks:
        source = "\n\n".join(f"# part {part.name}\n{visible(part.check)}" for part in checks)
        screen.print(Panel(_python(source), title="public tests", title_align="left", border_style="dim"))
    source = f"{task.source}, {task.licence}" if task.source else ""
    screen.print(Text(f"budget: {task.budget.calls} calls, {task.budget.wall_s:g} s · {source}", style="dim"))
    owner = task_set.owner(task.id) if hasattr(task_set, "owner") else task_set
    if hasattr(owner, "judged_by"):
        screen.print(Text(visible(f"judged by {owner.judged_by(task)}"), style="dim"))
    _show_refused(screen, task_set)


def _show_refused(screen: Console, task_set: TaskSet) -> None:
    """Print which records of a published benchmark are left out, and why."""
    for record, why in getattr(task_set, "refused", {}).items():
        screen.print(Text(visible(f"left out: {record}: {why}"), style="yellow"))


def _show_file(screen: Console, name: str, text: str, prompt: str) -> None:
    """Print a public file, or only its name when the prompt has shown it."""
    if text.strip() in prompt:
        screen.print(Text(f"file: {name}, as in the prompt", style="dim"))
        return
    shown = shortened(visible(text), LONGEST_FILE)
    body = _python(shown) if name.endswith(".py") else Text(shown)
    screen.print(Panel(body, title=Text(name), title_align="left", border_style="dim"))


def _python(source: str) -> Syntax:
    return Syntax(source, "python", word_wrap=True, background_color="default")


def task_panel(task: Task) -> Panel:
    """A task's prompt with what it is called."""
    title = f"{task.id} · {task.domain}, {task.split} · difficulty {task.difficulty}"
    return Panel(prose(task.prompt), title=Text(title, style="bold"), title_align="left", border_style="cyan")


def prose(text: str) -> RenderableType:
    """A text for the terminal: as Markdown where it holds blocks of code."""
    return Markdown(visible(text), hyperlinks=False) if "```" in text else Text(visible(text))


def validate(set_name: str, count: int, backend: str) -> int:
    """Validate tasks of a set in a sandbox; 0 when all are as they should be, else 1."""
    from mx_tasks.validate import validate as validate_set

    task_set = load_task_set(set_name)
    screen = console()
    with waiting(screen, f"validating {set_name}"), Sandboxes(backend) as sandboxes:
        findings = validate_set(task_set, sandboxes, count=count)
    _show_refused(screen, task_set)
    if not findings:
        screen.print(f"[green]✓[/] {set_name}: gold scores 1, nothing scores 0, every cheat 0")
        return 0
    table = Table(title=f"{len(findings)} findings in {set_name}", title_justify="left", show_header=False)
    for finding in findings:
        table.add_row(Text(visible(str(finding))))
    screen.print(table)
    return 1
