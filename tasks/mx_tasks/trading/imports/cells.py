"""Numbers in cells, as different countries and vendors write them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np

from mx_tasks.trading.imports.tables import is_blank
from mx_tasks.trading.market.bars import Array
from mx_tasks.trading.market.errors import DataError

DECIMALS = (".", ",")
_LARGE = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_THOUSANDS = re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d+)?")
_WRITTEN = {
    ".": re.compile(r"[-+]?(\d*|\d{1,3}(,\d{2,3})*,\d{3})(\.\d*)?([eE][-+]?\d+)?"),
    ",": re.compile(r"[-+]?(\d*|\d{1,3}(\.\d{3})+)(,\d*)?([eE][-+]?\d+)?"),
}
"""Numbers with that decimal sign; the other one stands before three digits."""
_DECIMAL = re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),(\d{1,2}|\d{4,})")
_COMMA = re.compile(r"[-+]?\d+,\d+|[-+]?\d{1,3}(\.\d{3})+(,\d+)?")


def decimal_of(columns: Iterable[Sequence[str]]) -> str | None:
    """A comma where any cell of a table can only be a number with a decimal comma; None where none tells."""
    return "," if any(_DECIMAL.fullmatch(cell.strip()) for column in columns for cell in column) else None


def numbers(cells: Sequence[str], column: str, where: str, decimal: str | None = None) -> Array:
    """The numbers; NaN for blanks and what is none. Raises DataError where a comma may be of thousands or of decimals."""
    if decimal not in (None, *DECIMALS):
        raise DataError(f"the decimal sign is {' or '.join(map(repr, DECIMALS))}, not {decimal!r}")
    if decimal != ",":
        try:
            return np.array(cells, dtype=float)
        except ValueError:
            pass
    marked = [cell.strip().lstrip("$€£ ") for cell in cells]
    sign = decimal or _decimal(marked, column, where)
    return np.array([_number(cell, sign) for cell in marked])


def _decimal(cells: Sequence[str], column: str, where: str) -> str:
    """Whether a comma is decimal. Raises DataError where all may be either."""
    commas = [cell for cell in cells if "," in cell]
    if not commas:
        return "."
    may_be_thousands = all(_THOUSANDS.fullmatch(cell.rstrip("KMBT")) for cell in commas)
    may_be_decimal = all(_COMMA.fullmatch(cell.rstrip("KMBT")) for cell in commas)
    told = any(cell.count(",") > 1 or "." in cell for cell in commas) or len(commas) < len(
        [cell for cell in cells if not is_blank(cell)]
    )
    if told and may_be_decimal and not any("." in cell or cell.count(",") > 1 for cell in commas):
        told = _largest_step(cells, ".") < _largest_step(cells, ",")
    if may_be_thousands and may_be_decimal and not told:
        raise DataError(
            f"{where}: the commas of {column}, as in {commas[0]!r}, may be decimal or of thousands; say decimal=',' or decimal='.' "
            "(--decimal)"
        )
    return "." if may_be_thousands else ","


def _largest_step(cells: Sequence[str], decimal: str) -> float:
    """How many times its neighbour a number is at most, if that were the decimal sign."""
    values = np.array([_number(cell, decimal) for cell in cells])
    values = np.log(values[values > 0])
    return float(np.abs(np.diff(values)).max()) if len(values) > 1 else 0.0


def _number(cell: str, decimal: str) -> float:
    large = _LARGE.get(cell[-1:].upper(), 1.0)
    text = cell[:-1] if large != 1.0 else cell
    if not _WRITTEN[decimal].fullmatch(text):
        return float("nan")
    text = text.replace(".", "").replace(",", ".") if decimal == "," else text.replace(",", "")
    try:
        return float(text) * large
    except ValueError:
        return float("nan")
