"""Whether bars fall on an exchange's trading days, by exchange_calendars."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from mx_tasks.errors import did_you_mean
from mx_tasks.trading.market.bars import Bars
from mx_tasks.trading.market.errors import DataError, TradingError


def check_calendar(bars: Bars, calendar: str, *, complete: bool = False) -> Bars:
    """The bars, if each is on a trading day of the calendar (such as ``XNYS``), and with ``complete`` no such day is missing.

    Raises DataError with the date named, TradingError for a calendar that does not exist or without the package.
    """
    try:
        import exchange_calendars
    except ModuleNotFoundError:
        raise TradingError("calendars need a package; fix: pip install exchange-calendars") from None
    names = exchange_calendars.get_calendar_names(include_aliases=True)
    if calendar not in names:
        raise TradingError(f"there is no calendar {calendar!r}{did_you_mean(calendar, names)}")
    first, last = str(bars.dates[0])[:10], str(bars.dates[-1])[:10]
    try:
        with warnings.catch_warnings():  # what its own dependencies deprecate is not the caller's business
            warnings.simplefilter("ignore")
            days = _sessions(exchange_calendars, calendar, first, last)
    except ValueError as error:
        raise TradingError(f"the calendar {calendar!r} does not cover {first} to {last}: {error}") from None
    dates = bars.dates.astype("datetime64[D]")
    extra = ~np.isin(dates, days)
    if extra.any():
        row = int(np.argmax(extra))
        raise DataError(f"row {row}: {bars.dates[row]} is no trading day of {calendar}")
    missing = days[~np.isin(days, dates)]
    if complete and len(missing):
        raise DataError(f"{len(missing)} trading days of {calendar} have no bar; the first is {missing[0]}")
    return bars


def _sessions(package: Any, calendar: str, first: str, last: str) -> Any:
    """The trading days between two dates."""
    found = package.get_calendar(calendar, start=first, end=str(np.datetime64(last, "D") + 7))
    sessions = found.sessions_in_range(found.date_to_session(first, "next"), last)
    return np.array([str(day)[:10] for day in sessions], dtype="datetime64[D]")
