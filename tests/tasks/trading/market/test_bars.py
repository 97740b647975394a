"""Data that cannot be right is refused, with the row named."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mx_tasks.trading.market.bars import check_bars
from mx_tasks.trading.market.corporate import Action, action_table
from mx_tasks.trading.market.errors import DataError


def put(bars: Any, name: str, row: int, value: float) -> Any:
    column = getattr(bars, name).copy()
    column[row, 1] = value
    return replace(bars, **{name: column})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("close", np.nan, r"row 7 \(2020-01-13, A1\): close is nan"),
        ("open", -1.0, r"row 7 \(2020-01-13, A1\): open is -1.0"),
        ("low", 0.0, r"row 7 .*low is 0.0"),
        ("volume", -5.0, r"row 7 .*volume is -5.0, not a finite number 0 or more"),
        ("high", np.inf, r"row 7 .*high is inf"),
        ("high", 1.0, r"row 7 .*not between low"),
    ],
)
def test_a_bad_price_is_named(make_bars: Any, name: str, value: float, said: str) -> None:
    check_bars(make_bars())
    with pytest.raises(DataError, match=said):
        check_bars(put(make_bars(), name, 7, value))


def test_dates_repeat_or_go_back(make_bars: Any) -> None:
    bars = make_bars()
    dates = bars.dates.copy()
    dates[5] = dates[4]
    with pytest.raises(DataError, match=r"row 5: the date 2020-01-10 repeats"):
        check_bars(replace(bars, dates=dates))
    dates[5] = dates[0]
    with pytest.raises(DataError, match=r"row 5: the date 2020-01-06 comes after 2020-01-10"):
        check_bars(replace(bars, dates=dates))
    dates[5] = np.datetime64("NaT")
    with pytest.raises(DataError, match=r"row 5: the date is missing"):
        check_bars(replace(bars, dates=dates))


def test_shapes_and_symbols(make_bars: Any) -> None:
    bars = make_bars()
    with pytest.raises(DataError, match=r"close has the shape \(59, 3\)"):
        check_bars(replace(bars, close=bars.close[1:]))
    with pytest.raises(DataError, match="'A0' comes twice"):
        check_bars(replace(bars, symbols=("A0", "A0", "A1")))
    with pytest.raises(DataError, match="it needs 2 bars"):
        check_bars(bars.window(0, 1))


@pytest.mark.parametrize(
    ("action", "said"),
    [
        (Action("2020-01-10", "ZZ", "split", 2.0), "no asset 'ZZ'"),
        (Action("1999-01-10", "A0", "split", 2.0), "no bar of that date"),
        (Action("2020-01-10", "A0", "merger", 2.0), "'merger' is none of"),  # type: ignore[arg-type]
        (Action("2020-01-10", "A0", "split", 0.0), "no value for a split"),
        (Action("2020-01-10", "A0", "dividend", float("nan")), "no value for a dividend"),
    ],
)
def test_impossible_corporate_actions(make_bars: Any, action: Action, said: str) -> None:
    with pytest.raises(DataError, match=said):
        action_table(make_bars(), [action])
