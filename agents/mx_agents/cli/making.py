"""``mx tasks make``, ``mx tasks import`` and ``mx tasks export``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mx_agents.cli.console import console, open_backend
from mx_agents.errors import UsageError
from mx_agents.policies.loading import load_attribute
from mx_agents.progress import going, waiting
from mx_agents.runs.folder import check_writable
from mx_agents.terminal import visible
from mx_sandboxes import Sandbox, SandboxError
from mx_tasks import check_split, load_task_set
from mx_tasks.cache import cache_folder
from mx_tasks.errors import did_you_mean
from mx_tasks.harbor.exporting import export_tasks
from mx_tasks.software.errors import SourceError
from mx_tasks.software.generate.making import make_pair, make_planted
from mx_tasks.software.imports.harbor_import import import_harbor
from mx_tasks.software.imports.importing import KINDS, import_functions
from mx_tasks.software.imports.inspect_import import import_inspect
from mx_tasks.software.imports.swe_bench import IMAGES, Where, import_swe_bench

Report = Callable[[str], None]
Work = Callable[[Sandbox, Report], Iterator[str]]


def release_pair(name: str, old: str, new: str, out: Path | None, split: str, backend: str) -> int:
    """Make a release pair's tasks; 0 when there are any, else 1. Raises UsageError."""
    if not name.strip():
        raise UsageError("a release pair needs the name of a package, such as parse")
    for archive in (old, new):
        _check_archive(archive)
    folder = out or cache_folder() / "tasks" / "release-pair" / f"{name}-{Path(new).name}"
    chosen = check_split(split)

    def work(sandbox: Sandbox, report: Report) -> Iterator[str]:
        return make_pair(name, old, new, folder, sandbox, report, split=chosen)

    return make_all([(f"{name} {old} to {new}", work)], folder, backend)


def mutation(libraries: list[str], count: int, seed: int, out: Path | None, split: str, backend: str) -> int:
    """Make mutation tasks of libraries; 0 when all gave some, else 1. Raises UsageError."""
    for library in libraries:
        _check_archive(library)
    chosen = check_split(split)

    def of(library: str) -> tuple[str, Work]:
        folder = out or cache_folder() / "tasks" / "mutation" / library / f"seed{seed}"

        def work(sandbox: Sandbox, report: Report) -> Iterator[str]:
            return make_planted(library, folder, sandbox, report, count=count, seed=seed, split=chosen)

        return library, work

    where = out or cache_folder() / "tasks" / "mutation"
    return make_all([of(library) for library in libraries], where, backend, each=count)


def _check_archive(text: str) -> None:
    """Raises UsageError for what is written like a path and is none; names of packages and versions are asked for elsewhere."""
    if not text.strip():
        raise UsageError("name a package, such as toolz, or write the path of an archive")
    if ("/" in text or text.endswith((".tar.gz", ".zip", ".whl"))) and not Path(text).expanduser().exists():
        raise UsageError(
            f"there is no archive {text!r}; write the path of one that is there, or a package's name"
        )


def import_tasks(
    kind: str,
    source: Path,
    out: Path,
    backend: str,
    *,
    network: str | None,
    split: str,
    images: str | None,
    checkout: Path | None,
) -> int:
    """Import tasks of somebody else's form; 0 when there are any, else 1."""
    kinds = (*KINDS, "harbor", "inspect", "swe-bench")
    if kind not in kinds:
        raise UsageError(
            f"there is no kind of source {kind!r}{did_you_mean(kind, kinds)}; there are: {', '.join(kinds)}"
        )
    if kind != "inspect" and not source.exists():
        raise UsageError(f"there is no {source}")
    chosen = check_split(split)
    if kind in KINDS and source.is_dir() and kind != "quixbugs":
        raise UsageError(f"{source} is a folder; name the file of {kind} in it")
    if checkout is not None and not checkout.is_dir():
        raise UsageError(f"there is no folder {checkout}")
    where = Where(images or IMAGES, checkout, network)

    samples = load_attribute(str(source), "inspect task") if kind == "inspect" else None

    def work(sandbox: Sandbox, report: Report) -> Iterator[str]:
        if kind == "inspect":
            name = str(source).rpartition(":")[2]
            return import_inspect(samples, name, out, sandbox, report, split=chosen)
        if kind == "harbor":
            return import_harbor(source, out, sandbox, report, network=network, split=chosen)
        if kind == "swe-bench":
            return import_swe_bench(source, out, sandbox, report, where=where, split=chosen)
        return import_functions(kind, source, out, sandbox, report)

    code = make_all([(f"{kind} {source}", work)], out, backend)
    if code == 0:
        console().print(Text(f"play them with --tasks {out if out.is_absolute() else f'./{out}'}"))
    return code


def export_set(set_name: str, out: Path, split: str, count: int) -> int:
    """Write tasks as Harbor's directories; 0 when all could be, else 1."""
    screen = console()
    named = (
        f"./{set_name}" if Path(set_name).is_dir() and not set_name.startswith((".", "/", "~")) else set_name
    )
    chosen, task_set = check_split(split), load_task_set(named)
    check_writable(out, "name another with --out")
    with waiting(screen, f"writing tasks of {set_name}") as row:
        results = []
        for result in export_tasks(task_set, chosen, count, out):
            results.append(result)
            row.set(about=f"{len(results)} so far")
    for task_id, why in results:
        if why:
            screen.print(Text.assemble(("✗ ", "red"), f"{task_id}: {visible(why)}"), soft_wrap=True)
    written = [task_id for task_id, why in results if not why]
    screen.print(
        Text(f"{len(written)} task director{'y' if len(written) == 1 else 'ies'} in {out}"), soft_wrap=True
    )
    return int(len(written) < len(results))


def make_all(jobs: list[tuple[str, Work]], folder: Path, backend: str, *, each: int | None = None) -> int:
    """Do every job; one that cannot be done is one line, and the others go on. 0 when all could, else 1."""
    screen = console()
    failed = 0
    check_writable(folder, "name another with --out")
    with open_backend(backend) as sandbox:
        screen.print(Text(f"making tasks in {folder} · {sandbox.backend}"))
        for title, work in jobs:
            failed += not _one(screen, title, work, sandbox, each)
    return min(1, failed)


def _one(screen: Console, title: str, work: Work, sandbox: Sandbox, each: int | None) -> bool:
    made: list[str] = []
    with _progress(screen, title, each) as (report, advance):
        try:
            for task_id in work(sandbox, report):
                made.append(task_id)
                advance()
        except (SourceError, SandboxError) as error:
            screen.print(Text.assemble(("✗ ", "red"), visible(str(error)).partition("\n")[0]), soft_wrap=True)
            if not made:
                return False
    shown = ", ".join(made[:6]) + (f" and {len(made) - 6} more" if len(made) > 6 else "")
    count = f"{len(made)} task{'s' if len(made) != 1 else ''}"
    screen.print(
        Text.assemble(("✓ ", "green") if made else ("✗ ", "red"), f"{title}: {count}: {shown}"),
        soft_wrap=True,
    )
    return bool(made)


@contextmanager
def _progress(
    screen: Console, title: str, total: int | None
) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """A row that says what is going on, and a line for each task that was refused."""
    with going(screen) as told:
        row = told.row(title, total, unit="tasks")

        def report(line: str) -> None:
            if ": refused: " in line or line.startswith("left out"):
                screen.print(Text.assemble(("· ", "yellow"), visible(line)), soft_wrap=True)
            row.set(about=line)

        yield report, row.advance


def known_folders() -> list[Path]:
    """Folders of tasks that were made before."""
    root = cache_folder() / "tasks"
    return sorted({path.parent.parent for path in root.glob("*/*/**/task.toml")}) if root.is_dir() else []
