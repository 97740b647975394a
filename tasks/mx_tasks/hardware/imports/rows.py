"""The rows of a published data set as people keep it: JSON lines, JSON, or Parquet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mx_tasks.errors import TaskSetError

SUFFIXES = (".jsonl", ".json", ".parquet")


def row_files(place: Path) -> list[Path]:
    """The file itself, or all of a folder that may hold rows, by name."""
    return sorted(p for p in place.rglob("*") if p.suffix in SUFFIXES) if place.is_dir() else [place]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a file. Raises TaskSetError, with the line named, when it is not what its name says."""
    rows = _parquet(path) if path.suffix == ".parquet" else _json(path)
    return [row for row in rows if isinstance(row, dict)]


def _json(path: Path) -> list[Any]:
    text = path.read_text("utf-8", "replace")
    if path.suffix == ".json":
        whole = _parsed(text, str(path))
        return whole if isinstance(whole, list) else [whole]
    lines = enumerate(text.split("\n"), 1)
    return [_parsed(line, f"line {number} of {path}") for number, line in lines if line.strip()]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise TaskSetError(f"{where} is no JSON: {error}") from None


def _parquet(path: Path) -> list[dict[str, Any]]:
    try:
        from pyarrow import parquet  # only where there is such a file
    except ModuleNotFoundError:
        raise TaskSetError(f"{path} needs pyarrow; fix: pip install pyarrow") from None
    try:
        rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    except Exception as error:  # noqa: BLE001  # pyarrow's own errors have no common base of their own
        raise TaskSetError(f"{path} is no Parquet file: {error}") from None
    return rows
