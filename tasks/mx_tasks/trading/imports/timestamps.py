"""Columns of dates and times, whatever their form: told apart by all of their values, and refused where two readings fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from mx_tasks.trading.market.errors import DataError

ORDERS = ("day-first", "month-first")
EARLIEST, LATEST = 1900, 2100
EPOCH_YEARS = (1973, 2040)
"""Before: may be counted from midnight. After: from another year."""
UNITS = (("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9))
SERIALS = (15_000, 51_136)
"""Days since 1899-12-30 that Excel writes: 1941 to 2040."""
UNIX_DAYS = 22_000
"""Days since 1970 until 2030, which are serial numbers until 1960."""
OTHER_TICKS = (
    (1.1e17, 1.4e17, "100 nanoseconds since 1601"),
    (6.2e17, 6.7e17, "100 nanoseconds since the year 1"),
)
"""What ranges of nanoseconds since 1970, of months in 1974 and of 1990, may be instead: Windows' file times and .NET's ticks."""
DAY = 86_400
MONDAY = 3
"""The weekday on which days since 1970 begin."""
WEEKS = 15
"""Days from which the days of a week that none is on tell something."""
_WEEK = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
EXACT = 10
"""Digits that a time in scientific notation has to have."""
_DIGITS = re.compile(r"\d+")
_FLOAT = re.compile(r"\d+(\.\d*)?([eE][-+]?\d+)?")
_TIME = r"(?:[T ,]+(\d{1,2}):?(\d{2})(?::?(\d{2})(?:[.,](\d{1,9}))?)?\s*([AaPp][Mm])?)?"
_ZONE = r"\s*(Z|UTC|GMT|(?:GMT|UTC)?[-+]\d{2}:?\d{2}|(?:GMT|UTC)?[-+]\d{2})?"
_YEAR_FIRST = re.compile(rf"(\d{{4}})([-./])(\d{{1,2}})\2(\d{{1,2}}){_TIME}{_ZONE}")
_YEAR_LAST = re.compile(rf"(\d{{1,2}})([-./])(\d{{1,2}})\2(\d{{4}}){_TIME}{_ZONE}")
_MONTH = re.compile(r"(\d{4})-(\d{2})")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:[T ]*(\d{2})(?::?(\d{2})(?::?(\d{2}))?)?)?(?:\.0)?" + _ZONE)
_NAMED = (
    "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%Y-%b-%d", "%d-%B-%Y", "%a %b %d %Y",
    "%d-%b-%Y %H:%M:%S", "%b %d, %Y %H:%M", "%a, %d %b %Y %H:%M:%S",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Times:
    """When each row was: days where all are dates, else seconds of UTC. ``said`` tells how they were read."""

    values: NDArray[np.datetime64]
    said: str


class _NoDateError(ValueError):
    """A cell does not have the form that the others have."""


def read_times(texts: Sequence[str], where: str, order: str | None = None, zone: str | None = None) -> Times:
    """The times in cells. ``order`` says which number comes first where that cannot be told; ``zone`` where clocks stood.

    Raises DataError for cells that are no dates, and where two readings are possible.
    """
    if order not in (None, *ORDERS):
        raise DataError(f"dates are {' or '.join(ORDERS)}, not {order!r}")
    cells = [text.strip() for text in texts]
    seconds, said, local = _seconds(cells, where, order)
    if zone is not None:
        seconds, said = _in_zone(seconds, local, where, zone, said)
    of_day = np.unique((seconds + local.offset) % DAY)
    midnight = len(of_day) == 1 and of_day[0] == 0
    if midnight or _is_daily(seconds + local.offset):
        days = (seconds + local.offset) // DAY
        doubt = _doubt_of_week(days, local) if zone is None else ""
        if doubt:
            raise DataError(f"{where}: {doubt}")
        if not midnight:
            said += f", one a day: their dates{'' if local.zoned else ' in UTC'}"
        return Times(days.astype("datetime64[D]"), said)
    if not local.zoned and zone is None:
        said += ", no time zone told: taken as UTC (timezone= says another)"
    return Times(seconds.astype("datetime64[s]"), said)


def _in_zone(
    seconds: NDArray[np.int64], local: _Local, where: str, zone: str, said: str
) -> tuple[NDArray[np.int64], str]:
    """Local clocks as UTC; of what is told in UTC the days there. Raises DataError where a time zone would be passed over."""
    place = _place(zone)
    if not local.instant:
        moved = _moved(seconds, place)
        _check_zone(seconds, local, where, zone)
        return moved, f"{said}, clocks of {zone}"
    ahead = _ahead(seconds, place)
    daily, same = _is_daily(seconds + ahead), ((seconds + ahead) // DAY == seconds // DAY).all()
    if not daily or (same and not _doubt_of_week(seconds // DAY, local)):
        why = "the days are the same" if daily else "the times bring their own and are no days"
        raise DataError(f"{where}: timezone={zone!r} (--timezone) has no use here: {why}; leave it out")
    local.offset, local.zoned = ahead, True
    return seconds, f"{said}, days of {zone}"


def _doubt_of_week(days: NDArray[np.int64], local: _Local) -> str:
    """What speaks against counted days that lack two days of the week, but no weekend: they may be of another place or count."""
    known = np.unique(days)
    lacking = sorted(set(range(7)) - set(((known + MONDAY) % 7).tolist()))
    if not (local.instant or local.counted) or len(known) < WEEKS or np.median(np.diff(known)) > 2:
        return ""
    if len(lacking) != 2 or lacking == [5, 6]:
        return ""
    said = f"counted so, no row is on a {_WEEK[lacking[0]]} or {_WEEK[lacking[1]]}"
    if local.instant and lacking == [4, 5]:
        return (
            f"{said} of UTC, as with days that begin east of it; say timezone='Europe/Berlin' or another one's, or timezone='UTC' "
            "where that is right (--timezone)"
        )
    return f"{said}: they may be counted from another day; write them as 2020-01-31"


def _check_zone(seconds: NDArray[np.int64], local: _Local, where: str, zone: str) -> None:
    """Raises DataError where a time zone would be passed over, or would move days that have no clock."""
    why = "the times bring their own" if local.zoned else ""
    if not why and not (seconds % DAY).any():
        why = "the rows are days, without a clock"
    if why:
        raise DataError(f"{where}: timezone={zone!r} (--timezone) has no use here: {why}; leave it out")


@dataclass(slots=True)
class _Local:
    """How local clocks stood to UTC, where cells tell."""

    offset: NDArray[np.int64]
    zoned: bool = False
    instant: bool = False
    """Whether the times are told in UTC, so that days elsewhere may be others."""
    counted: bool = False
    """Whether days are numbers that are counted from a first one."""


def _seconds(cells: list[str], where: str, order: str | None) -> tuple[NDArray[np.int64], str, _Local]:
    first = next((cell for cell in cells if cell), "")
    if order is not None and not _YEAR_LAST.fullmatch(first):
        raise DataError(
            f"{where}: dates={order!r} (--dates) has no use here: {first!r} does not end with the year; leave it out"
        )
    none = _Local(np.zeros(len(cells), dtype=np.int64))
    if _FLOAT.fullmatch(first):
        return _of_numbers(cells, where, none)
    for form, said, read in _forms(cells, where, order):
        if form.fullmatch(first):
            return _of_texts(cells, where, said, read)
    found = next((each for each in _NAMED if _strptime(first, each) is not None), None)
    if found is None:
        two = re.fullmatch(r"\d{1,2}[-./]\d{1,2}[-./]\d{2}", first)
        more = "; write years with four digits" if two else ""
        raise DataError(f"{where}, row {cells.index(first)}: {first!r} is no date such as 2020-01-31{more}")
    values = []
    for number, cell in enumerate(cells):
        when = _strptime(cell, found)
        if when is None:
            raise _wrong(where, number, cell)
        values.append(int(when.replace(tzinfo=UTC).timestamp()))
    return np.array(values, dtype=np.int64), f"dates such as {first!r}", none


Form = tuple["re.Pattern[str]", str, Callable[[str], tuple[int, int | None]]]


def _forms(cells: list[str], where: str, order: str | None) -> list[Form]:
    def year_first(cell: str) -> tuple[int, int | None]:
        found = _match(_YEAR_FIRST, cell)
        return _stamp(int(found[1]), int(found[3]), int(found[4]), found.groups()[4:])

    def year_last(cell: str) -> tuple[int, int | None]:
        found = _match(_YEAR_LAST, cell)
        one, two = int(found[1]), int(found[3])
        day, month = (one, two) if way == "day-first" else (two, one)
        return _stamp(int(found[4]), month, day, found.groups()[4:])

    def month_alone(cell: str) -> tuple[int, int | None]:
        found = _match(_MONTH, cell)
        return _stamp(int(found[1]), int(found[2]), 1, ())

    way = "day-first"
    if cells and _YEAR_LAST.fullmatch(next((cell for cell in cells if cell), "")):
        way = _order(cells, where, order)
    return [
        (_YEAR_FIRST, "dates with the year first", year_first),
        (_YEAR_LAST, f"dates, {way}", year_last),
        (_MONTH, "months", month_alone),
        (_COMPACT, "dates of digits", _compact),
    ]


def _compact(cell: str) -> tuple[int, int | None]:
    found = _match(_COMPACT, cell)
    clock = (found[4], found[5], found[6], None, None, found[7])
    return _stamp(int(found[1]), int(found[2]), int(found[3]), clock)


def _order(cells: list[str], where: str, order: str | None) -> str:
    """Whether days or months come first, by numbers above 12. Raises DataError where none is, unless it is said."""
    pairs = [(int(found[1]), int(found[3])) for found in map(_YEAR_LAST.fullmatch, cells) if found]
    day_first = any(one > 12 for one, _ in pairs)
    month_first = any(two > 12 for _, two in pairs)
    if day_first and month_first:
        raise DataError(
            f"{where}: some dates have the day first and some the month; write them as 2020-01-31"
        )
    if order is None and not (day_first or month_first):
        raise DataError(
            f"{where}: {cells[0]!r} may be day-first or month-first, no date tells; say dates='day-first' or "
            "dates='month-first' (--dates)"
        )
    told = "day-first" if day_first else "month-first" if month_first else order or ""
    if order is not None and told != order:
        raise DataError(f"{where}: the dates are {told}, not {order}: a number above 12 stands there")
    return told


def _of_texts(
    cells: list[str], where: str, said: str, read: Callable[[str], tuple[int, int | None]]
) -> tuple[NDArray[np.int64], str, _Local]:
    stamps, offsets, zoned = [], [], False
    for number, cell in enumerate(cells):
        try:
            stamp, offset = read(cell)
        except (ValueError, OverflowError):
            raise _wrong(where, number, cell) from None
        stamps.append(stamp)
        offsets.append(offset or 0)
        zoned = zoned or offset is not None
    local = _Local(np.array(offsets, dtype=np.int64), zoned, instant=zoned and not any(offsets))
    return np.array(stamps, dtype=np.int64), said + (", with their time zones" if zoned else ""), local


def _match(form: re.Pattern[str], cell: str) -> re.Match[str]:
    found = form.fullmatch(cell)
    if found is None:
        raise _NoDateError(cell)
    return found


def _stamp(year: int, month: int, day: int, clock: Sequence[str | None]) -> tuple[int, int | None]:
    """Seconds of UTC, and how far ahead of it the clock stood where that is told."""
    told: list[str | None] = [*clock, *[None] * (6 - len(clock))]
    hour, minute, second, _, half, zone = told
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    if not EARLIEST <= year <= LATEST:
        raise _NoDateError(str(year))
    when = datetime(year, month, day, hours, int(minute or 0), int(second or 0), tzinfo=UTC)
    offset = _offset(zone) if zone else None
    return int(when.timestamp()) - (offset or 0), offset


def _offset(zone: str) -> int:
    digits = re.sub(r"[^-+\d]", "", zone)
    if not digits:
        return 0
    sign = -1 if digits[0] == "-" else 1
    numbers = digits[1:]
    return sign * (int(numbers[:2]) * 3600 + int(numbers[2:] or 0) * 60)


def _of_numbers(cells: list[str], where: str, local: _Local) -> tuple[NDArray[np.int64], str, _Local]:
    """Dates written as digits alone, epochs by their size, or Excel's serial numbers. Raises DataError for other numbers."""
    for number, cell in enumerate(cells):
        if not _FLOAT.fullmatch(cell):
            raise _wrong(where, number, cell)
        if (
            "e" in cell.lower()
            and len(_DIGITS.findall(cell.lower().partition("e")[0].replace(".", ""))[0]) < EXACT
        ):
            raise DataError(
                f"{where}, row {number}: {cell!r} is a time that a spreadsheet has rounded; write it out"
            )
    compact = _compact_numbers(cells)
    if compact is not None:
        return compact, "dates of digits, such as 20200131", local
    values = np.array([float(cell) for cell in cells])
    local.counted = True
    for name, unit in UNITS:
        low, high = (_year_start(year) * unit for year in EPOCH_YEARS)
        if (values >= low).all() and (values < high).all():
            _check_ticks(values, cells[0], where)
            exact = [int(cell) if _DIGITS.fullmatch(cell) else int(float(cell)) for cell in cells]
            local.instant = True
            return (
                np.array([each // unit for each in exact], dtype=np.int64),
                f"{name} since 1970 (UTC)",
                local,
            )
    if (values >= SERIALS[0]).all() and (values < SERIALS[1]).all():
        if (values < UNIX_DAYS).all():
            raise DataError(
                f"{where}: {cells[0]!r} may be days since 1970, or Excel's number of a day before 1960; write them as 2020-01-31"
            )
        return np.round((values - 25_569) * DAY).astype(np.int64), "Excel's serial numbers", local
    row = int(np.argmax((values < SERIALS[0]) | (values >= _year_start(LATEST) * 10**9)))
    raise DataError(
        f"{where}, row {row}: {cells[row]!r} is no date such as 2020-01-31, nor 20200131, seconds since 1970 or a serial number "
        "of Excel's, as all the rows have to be"
    )


def _check_ticks(values: NDArray[np.float64], first: str, where: str) -> None:
    """Raises DataError for what may be another clock's ticks."""
    for low, high, what in OTHER_TICKS:
        if (values >= low).all() and (values < high).all():
            raise DataError(
                f"{where}: {first!r} may be nanoseconds since 1970, or {what}; write times as 2020-01-31 14:30"
            )


def _compact_numbers(cells: list[str]) -> NDArray[np.int64] | None:
    """Seconds of dates such as 20200131, with or without a clock's digits; None where any cell is none."""
    if {len(cell.removesuffix(".0")) for cell in cells} - {8, 10, 12, 14}:
        return None
    try:
        return np.array([_compact(cell)[0] for cell in cells], dtype=np.int64)
    except ValueError:
        return None


def _year_start(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def _place(zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise DataError(f"there is no time zone {zone!r}; one is America/New_York") from None


def _moved(seconds: NDArray[np.int64], place: ZoneInfo) -> NDArray[np.int64]:
    """The times of UTC at which clocks there showed these."""
    start = datetime(1970, 1, 1)  # clocks of the zone, which is put on below
    return np.array(
        [int((start + timedelta(seconds=int(each))).replace(tzinfo=place).timestamp()) for each in seconds],
        dtype=np.int64,
    )


def _ahead(seconds: NDArray[np.int64], place: ZoneInfo) -> NDArray[np.int64]:
    """How far clocks there were ahead of UTC."""
    told = [datetime.fromtimestamp(int(each), place).utcoffset() or timedelta() for each in seconds]
    return np.array([int(each.total_seconds()) for each in told], dtype=np.int64)


def _is_daily(seconds: NDArray[np.int64]) -> bool:
    """Whether rows are at one hour of each day, but for the clock's change."""
    of_day = seconds % DAY
    days = np.unique(seconds // DAY)
    return len(of_day) > 1 and int(np.ptp(of_day)) <= 3600 and len(days) >= len(np.unique(seconds))


def _strptime(cell: str, form: str) -> datetime | None:
    try:
        return datetime.strptime(cell, form)  # a date alone
    except ValueError:
        return None


def _wrong(where: str, number: int, cell: str) -> DataError:
    return DataError(
        f"{where}, row {number}: {cell!r} is no date such as 2020-01-31, or not of the others' form"
    )
