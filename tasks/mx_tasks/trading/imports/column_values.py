"""What the values of columns betray where their names say nothing: bars taken for assets, volumes, counters, assets in blocks."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from mx_tasks.trading.imports.cells import decimal_of, numbers
from mx_tasks.trading.imports.tables import is_blank
from mx_tasks.trading.market.bars import Array

FEWEST = 10
"""Rows below which values tell nothing."""
MOST = 12
"""Columns above which a table holds assets."""
NEAR = 0.1
"""The span of a bar, in logarithms, of most bars at most."""
RESTLESS = {True: 0.1, False: 0.3}
"""How far, in logarithms, most bars move at least of what is no price: of whole numbers, and of others."""


def counts(cells: Sequence[str]) -> bool:
    """Whether whole numbers go up or down by one from row to row, as nothing but a counter does."""
    if not all(cell.isdecimal() for cell in cells):
        return False
    steps = {int(after) - int(before) for before, after in pairwise(cells)}
    return steps in ({1}, {-1}) or (not steps and bool(cells))


def blocks(cells: Sequence[str]) -> tuple[str, str] | None:
    """The first two of several values each of which fills rows that stand together, two or more; None of other columns."""
    if any(is_blank(cell) for cell in cells):
        return None
    places = [place for place in range(1, len(cells)) if cells[place] != cells[place - 1]]
    edges = [0, *places, len(cells)]
    values = [cells[place] for place in edges[:-1]]
    short = min(end - start for start, end in pairwise(edges)) if cells else 0
    if len(values) < 2 or len(set(values)) < len(values) or short < 2 or len(cells) < FEWEST:
        return None
    return values[0], values[1]


def no_asset(columns: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Why columns that would each be read as the closes of an asset are none; empty where nothing speaks against it."""
    decimal = decimal_of(cells for _, cells in columns) or "."
    if len(columns[0][1]) < FEWEST:
        return ""
    found = {name: numbers(cells, name, "", decimal) for name, cells in columns}
    for name, cells in columns:
        if counts(cells) and {cells[0], cells[-1]} & {"0", "1"}:
            return f"{name!r} counts the rows"
        whole = all(cell.strip().isdecimal() for cell in cells if not is_blank(cell))
        if _median_move(found[name]) > RESTLESS[whole]:
            return f"{name!r} moves like a volume, not like closes"
    bar = _bar(found) if len(columns) <= MOST else None
    return (
        f"{bar[0]!r} is never below, {bar[1]!r} never above {bar[2]!r}, all near each other: highs, lows and closes of one asset?"
        if bar
        else ""
    )


def _median_move(values: Array) -> float:
    values = values[np.isfinite(values) & (values > 0)]
    return float(np.median(np.abs(np.diff(np.log(values))))) if len(values) >= FEWEST else 0.0


def _bar(columns: dict[str, Array]) -> tuple[str, str, str] | None:
    """Three columns that may be high, low and close, by name."""
    values = np.stack(list(columns.values()))
    values = values[:, np.isfinite(values).all(axis=0) & (values > 0).all(axis=0)]
    names = list(columns)
    if values.shape[1] < FEWEST:
        return None
    for high, one in enumerate(values):
        for low, two in enumerate(values):
            if high == low or (one < two).any() or not 0 < float(np.median(np.log(one / two))) < NEAR:
                continue
            for between, three in enumerate(values):
                if between not in (high, low) and (two <= three).all() and (three <= one).all():
                    return names[high], names[low], names[between]
    return None
