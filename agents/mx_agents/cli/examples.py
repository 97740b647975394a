"""``mx examples``: the files that the documentation names, for somebody who has the package and not the repository."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table
from rich.text import Text

import mx_agents
from mx_agents.cli.console import console
from mx_agents.errors import UsageError, unknown
from mx_agents.runs.folder import check_writable


def example_files() -> dict[str, Path]:
    """The examples by name: in the package, or beside it in a checkout."""
    package = Path(mx_agents.__file__).parent
    for folder in (package / "examples", package.parents[1] / "examples"):
        if folder.is_dir():
            return {path.name: path for path in sorted(folder.glob("*.py"))}
    raise UsageError(f"this installation of mx-envs has no examples beside {package}; install it again")


def run(names: Sequence[str], folder: Path) -> int:
    """List the examples, or write those that are named; the exit code."""
    files = example_files()
    screen = console()
    for name in names:
        if name not in files:
            raise unknown("example", name, files)
    if not names:
        table = Table("File", "What it is", title="Examples", title_justify="left")
        for name, path in files.items():
            about = ast.get_docstring(ast.parse(path.read_text("utf-8"))) or ""
            table.add_row(name, Text(about.partition("\n")[0].removeprefix(f"{name}: ")))
        screen.print(table)
        screen.print(f"Take some with: mx examples {' '.join(list(files)[:2])}")
        return 0
    for name in names:
        screen.print(Text(put(name, folder)), soft_wrap=True)
    return 0


def put(name: str, folder: Path) -> str:
    """Write an example into a folder; one that is there stays. What was done, in words. Raises UsageError."""
    target = check_writable(folder) / name
    data = example_files()[name].read_bytes()
    if target.exists():
        same = target.is_file() and target.read_bytes() == data
        return f"{target} is there already{'' if same else ', with changes, and stays as it is'}"
    target.write_bytes(data)
    return f"wrote {target}"
