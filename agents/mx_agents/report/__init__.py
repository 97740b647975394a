"""``report.html``: one self-contained file for a run, of a benchmark or of training. Nothing in it comes from the network."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from mx_agents.errors import UsageError
from mx_agents.report.bench_page import bench_page
from mx_agents.report.folder import FILES, RunEntry, entry_of, is_run, runs_in
from mx_agents.report.index_page import index_page, pair_page
from mx_agents.report.training_page import training_page
from mx_agents.runs.folder import existing_run_folder, read_config, write_text

__all__ = ["report_page", "write_pair", "write_report"]


def report_page(folder: Path, *, live: bool = False) -> str:
    """The page of a run; a ``live`` one asks the server that it came from for news. Raises UsageError."""
    config = read_config(folder)
    if config.get("kind") == "bench":
        return bench_page(folder, config, live=live)
    return training_page(folder, config, live=live)


def write_report(run_folder: Path, output: Path | None = None) -> Path:
    """Write the report of a run to ``output`` (``report.html`` in the run's folder) and return where it is.

    A run that is still going on or was cut short is reported as far as it has come. Of a folder of runs an ``index.html`` is
    written, and with it the reports that it leads to. Raises UsageError when the folder is neither or the file cannot be written.
    """
    folder = Path(run_folder)
    if folder.is_dir() and not is_run(folder):
        return _write_index(folder, output)
    page = report_page(existing_run_folder(folder))
    target = output or folder / "report.html"
    _write(target, page)
    _write_picture(folder, target)
    return target


def write_pair(first: Path, second: Path, output: Path | None = None) -> Path:
    """Write two runs side by side to ``output`` (``FIRST--SECOND.html`` here) and return where it is. Raises UsageError."""
    entries = [entry_of(existing_run_folder(folder)) for folder in (first, second)]
    target = output or Path(f"{first.resolve().name}--{second.resolve().name}.html")
    _write(target, pair_page(entries[0], entries[1]))
    return target


def _write_index(folder: Path, output: Path | None) -> Path:
    """The index of a folder of runs, a report of each that has none of its present state, and pages of two side by side."""
    entries = runs_in(folder)
    target = output or folder / "index.html"
    beside = target.parent / f"{target.stem}-pairs"
    for entry in entries:
        if entry.kind != "unreadable" and not _is_reported(entry.folder):
            write_report(entry.folder)

    def pair(first: RunEntry, second: RunEntry) -> str:
        name = f"{first.name}--{second.name}.html".replace("/", "_")
        beside.mkdir(exist_ok=True)
        _write(beside / name, pair_page(first, second))
        return quote(f"{beside.name}/{name}")

    def run(entry: RunEntry) -> str:
        return quote(Path(os.path.relpath(entry.folder / "report.html", target.parent)).as_posix())

    _write(target, index_page(folder, entries, run_link=run, pair_link=pair))
    return target


def _is_reported(folder: Path) -> bool:
    """Whether the run's report is newer than all that it reports."""
    page = folder / "report.html"
    news = (folder / name for name in FILES)
    return page.is_file() and all(
        path.stat().st_mtime <= page.stat().st_mtime for path in news if path.is_file()
    )


def _write(target: Path, page: str) -> None:
    """Raises UsageError when the file cannot be written."""
    try:
        write_text(target, page.encode(errors="replace").decode())  # models write lone surrogates too
    except OSError as error:
        raise UsageError(
            f"the report {str(target)!r} cannot be written: {error.strerror}; name another place with --output"
        ) from None


def _write_picture(folder: Path, page: Path) -> None:
    """Beside the page of a run that traded: ``trading.png``, one more for each further task set, where matplotlib is installed."""
    from mx_agents.bench import last_rows
    from mx_agents.report.trading_section import draw, groups
    from mx_agents.runs.folder import read_lines

    if read_config(folder).get("kind") != "bench":
        return
    for number, chosen in enumerate(groups(last_rows(read_lines(folder / "episodes.jsonl"))), 1):
        picture = draw(chosen)
        if picture is not None:
            page.with_name("trading.png" if number == 1 else f"trading-{number}.png").write_bytes(picture)
