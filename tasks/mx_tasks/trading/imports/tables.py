"""Files as tables of text: comma, semicolon or tab; one header row, several (as pandas writes them), or none; CSV, .gz, Parquet."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import dataclass
from pathlib import Path

from mx_tasks.trading.market.errors import DataError

Name = str | tuple[str, str]
"""A column's name; of a header of two rows both names."""
DELIMITERS = (",", ";", "\t", "|")
_NUMBER = re.compile(r"[-+]?[\d.,]*\d[\d.,]*(e[-+]?\d+)?", re.IGNORECASE)
_PAIR = re.compile(r"\(\s*'([^']*)'\s*,\s*'([^']*)'\s*\)")
_TOLD = re.compile(r'"?sep=([,;|\t])"?\r?\n', re.IGNORECASE)
BLANK = frozenset(("", "nan", "null", "none", "na", "n/a", "-", "nat", "#n/a", "."))


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below named columns; ``header`` says whether the file itself names them."""

    where: str
    names: tuple[Name, ...]
    rows: list[list[str]]
    header: bool = True

    def column(self, name: Name) -> list[str]:
        """The cells of a column, in the file's order."""
        place = self.names.index(name)
        return [row[place] for row in self.rows]


def is_blank(text: str) -> bool:
    """Whether a cell says that there is nothing."""
    return text.strip().lower() in BLANK


def is_number(text: str) -> bool:
    """Whether a cell can be a number, in any country's way of writing it."""
    return bool(_NUMBER.fullmatch(text.strip().lstrip("$€£")))


def read_table(path: Path, headerless: bool = False) -> Table:
    """The table in a file. Raises DataError."""
    if not path.is_file():
        raise DataError(f"there is no file {str(path)!r}")
    if path.suffix in (".parquet", ".pq"):
        return _parquet(path)
    if path.suffix in (".xlsx", ".xls", ".json", ".feather", ".h5", ".hdf5"):
        raise DataError(f"{path}: {path.suffix} files are not read; save it as CSV or Parquet")
    return parse_table(path.read_bytes(), path.name, headerless)


def parse_table(data: bytes, name: str, headerless: bool = False) -> Table:
    """The table in the bytes of a CSV file of that name. Raises DataError."""
    try:
        text = (gzip.decompress(data) if name.endswith(".gz") else data).decode("utf-8-sig")
        told = _TOLD.match(text)  # Excel's line that says how the others are cut
        text = text[told.end() :] if told else text
        lines = [line for line in text.splitlines() if line.strip()]
        delimiter = told[1] if told else _delimiter(lines)
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), delimiter=delimiter)]
    except (OSError, UnicodeDecodeError, csv.Error, EOFError) as error:
        raise DataError(f"{name} is no CSV file: {error}") from None
    rows = [row for row in rows if any(row)]
    if not rows:
        raise DataError(f"{name} has no rows")
    if headerless or _all_values(rows[0]):
        names: list[Name] = [f"column {place}" for place in range(len(rows[0]))]
        return _checked(name, names, rows, header=False)
    several = _several(rows)
    if several is not None:
        return _checked(name, *several)
    return _checked(name, list(rows[0]), rows[1:])


def _delimiter(lines: list[str]) -> str:
    """The sign that cuts the first lines into equally many cells, most of them."""
    first = lines[:5]
    counts = {sign: [line.count(sign) for line in first] for sign in DELIMITERS}
    even = {sign: found[0] for sign, found in counts.items() if found and found[0] and len(set(found)) == 1}
    best = even or {sign: found[0] for sign, found in counts.items() if found}
    if best.get(";"):  # commas then are decimal ones, or stand in names
        return ";"
    return max(best, key=lambda sign: best[sign]) if best else ","


def _all_values(row: list[str]) -> bool:
    """Whether a first row has no name in it: numbers and dates only."""
    return len(row) > 1 and all(cell and (is_number(cell) or cell[0].isdigit()) for cell in row)


def _several(rows: list[list[str]]) -> tuple[list[Name], list[list[str]]] | None:
    """Names and rows below two header rows and the row that names their index, as pandas writes columns of two levels."""
    if len(rows) < 3:
        return None
    one, two = rows[0], rows[1]
    words = [cell for cell in two[1:] if cell]
    if len(one) != len(two) or not words or any(is_number(cell) for cell in words) or two[0][:1].isdigit():
        return None
    index, start = "Date", 2
    if rows[2][0] and not any(rows[2][1:]):  # pandas puts the index's name on a row of its own
        index, start = rows[2][0], 3
    pairs: list[Name] = [(a, b) for a, b in zip(_spread(one[1:]), two[1:], strict=True)]
    return [index, *pairs], rows[start:]


def _spread(row: list[str]) -> list[str]:
    """A header row whose names stand for the blank cells behind them, too, as spreadsheets write cells that are merged."""
    found: list[str] = []
    for cell in row:
        found.append(cell or (found[-1] if found else ""))
    return found


def _checked(name: str, names: list[Name], rows: list[list[str]], header: bool = True) -> Table:
    """The table without nameless empty columns. Raises DataError for doubles, and for rows longer or shorter than the header."""
    while names and names[-1] == "" and all(len(row) < len(names) or not row[len(names) - 1] for row in rows):
        names = names[:-1]
        rows = [row[: len(names)] for row in rows]
    if not rows:
        raise DataError(f"{name} has no rows")
    repeated = [each for each in names if names.count(each) > 1 and each != ""]
    if repeated:
        raise DataError(f"{name}: the column {_said(repeated[0])} comes twice; give each its own name")
    for number, row in enumerate(rows):
        if len(row) != len(names):
            than = "more" if len(row) > len(names) else "fewer"
            raise DataError(f"{name}, row {number}: there are {than} values than the {len(names)} columns")
    return Table(name, tuple(names), rows, header)


def _said(name: Name) -> str:
    return repr(name) if isinstance(name, str) else " ".join(map(repr, name))


def _parquet(path: Path) -> Table:
    try:
        from pyarrow import parquet  # only where there is such a file
    except ModuleNotFoundError:
        raise DataError(f"{path} needs pyarrow; fix: pip install pyarrow") from None
    try:
        table = parquet.read_table(path)
        columns = [column.to_pylist() for column in table.columns]
    except Exception as error:  # noqa: BLE001  # pyarrow's own errors have no common base of their own
        raise DataError(f"{path} is no Parquet file: {error}") from None
    names: list[Name] = []
    for each in table.column_names:
        pair = _PAIR.fullmatch(each)
        names.append((pair[1], pair[2]) if pair else ("Date" if each.startswith("__index_level_0") else each))
    rows = [["" if cell is None else str(cell) for cell in row] for row in zip(*columns, strict=True)]
    return _checked(path.name, names, rows)
