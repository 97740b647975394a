"""``report.html``: one self-contained file for a run, of a benchmark or of training. Nothing in it comes from the network."""

from __future__ import annotations

from pathlib import Path

from mx_agents.errors import UsageError
from mx_agents.report.bench_page import bench_page
from mx_agents.report.training_page import training_page
from mx_agents.runs.folder import existing_run_folder, read_config, write_text

__all__ = ["report_page", "write_report"]


def report_page(folder: Path, *, live: bool = False) -> str:
    """The page of a run; a ``live`` one asks the server that it came from for news. Raises UsageError."""
    config = read_config(folder)
    if config.get("kind") == "bench":
        return bench_page(folder, config, live=live)
    return training_page(folder, config, live=live)


def write_report(run_folder: Path, output: Path | None = None) -> Path:
    """Write the report of a run to ``output`` (``report.html`` in the run's folder) and return where it is.

    A run that is still going on or was cut short is reported as far as it has come. Raises UsageError when the folder is not a run
    or the file cannot be written.
    """
    folder = existing_run_folder(Path(run_folder))
    page = report_page(folder)
    target = output or folder / "report.html"
    try:
        write_text(target, page.encode(errors="replace").decode())  # models write lone surrogates too
    except OSError as error:
        raise UsageError(f"the report {str(target)!r} cannot be written: {error.strerror}") from None
    _write_picture(folder, target)
    return target


def _write_picture(folder: Path, page: Path) -> None:
    """Beside the page of a run that traded: ``trading.png``, one more for each further task set, where matplotlib is installed."""
    from mx_agents.bench.summary import last_rows
    from mx_agents.report.trading_section import draw, groups
    from mx_agents.runs.folder import read_lines

    if read_config(folder).get("kind") != "bench":
        return
    for number, chosen in enumerate(groups(last_rows(read_lines(folder / "episodes.jsonl"))), 1):
        picture = draw(chosen)
        if picture is not None:
            page.with_name("trading.png" if number == 1 else f"trading-{number}.png").write_bytes(picture)
