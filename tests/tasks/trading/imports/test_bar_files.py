"""A hundred files and more, in the forms of vendors and people: each is read right by its values, or refused in one clear line."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mx_tasks.trading.imports.files import History, read_file
from mx_tasks.trading.market.errors import DataError

FILES: list[Any] = list(importlib.import_module("bar_files").bar_files())
MISTAKEN: list[Any] = list(importlib.import_module("bar_files_mistaken").mistaken())


@pytest.mark.parametrize("made", [*FILES, *MISTAKEN], ids=lambda made: made.name)
def test_a_file_is_read_right_or_refused(made: Any, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text(made.text)
    options: Any = made.options
    if made.refused:
        with pytest.raises(DataError) as error:
            read_file(path, **options)
        assert made.refused in str(error.value)
        assert "\n" not in str(error.value)
        return
    history = read_file(path, **options)
    _check(made, history)


def _check(made: Any, history: History) -> None:
    known, bars = made.truth, history.bars
    assert sorted(bars.symbols) == sorted(made.symbols)
    order = [bars.symbols.index(symbol) for symbol in made.symbols]
    seconds = bars.dates.astype("datetime64[s]").astype(np.int64)
    assert seconds.tolist() == known.seconds.tolist()
    assert (bars.dates.dtype == np.dtype("datetime64[s]")) == made.intraday
    for name in made.fields:
        assert getattr(bars, name)[:, order] == pytest.approx(known.values[name], rel=1e-6), name
    if "volume" not in made.fields:
        assert not bars.volume.any()
    assert history.fill == ("next_open" if "open" in made.fields else "next_close")
    assert history.frequency.bars_per_year == pytest.approx(known.year, rel=0.005)
    assert not history.actions
    assert 3 <= len(history.said) <= 5


def test_there_are_enough_of_them() -> None:
    assert len(FILES) >= 100
    assert len({made.name for made in [*FILES, *MISTAKEN]}) == len(FILES) + len(MISTAKEN)
    assert 20 <= sum(not made.refused for made in MISTAKEN) <= len(MISTAKEN) - 20
    assert 15 <= sum(bool(made.refused) for made in FILES) < len(FILES) / 3


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text)
    return path


def test_late_listings_and_ends_cut_nobody_else(tmp_path: Path) -> None:
    """One late listing cut 400 bars to 32, an asset that ended cut all others to 108."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2019-01-02") + np.arange(400)
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.01, (400, 3)), axis=0)), 2)
    there = {"OLD": range(400), "NEW": range(368, 400), "GONE": range(108)}
    rows = [
        f"{days[bar]},{name},{close[bar, place]}"
        for place, (name, bars) in enumerate(there.items())
        for bar in bars
    ]
    history = read_file(written(tmp_path, "\n".join(["date,symbol,close", *rows])))
    assert history.bars.count == 400
    assert history.bars.symbols == ("GONE", "NEW", "OLD")
    known = np.isfinite(history.bars.close)
    assert known.sum(axis=0).tolist() == [108, 32, 400]
    assert [(each.symbol, each.kind) for each in history.actions] == [("GONE", "delisting")]
    assert history.actions[0].value == close[107, 2]
    assert "NEW from 2020-01-05; GONE ends before 2019-04-20" in history.said[3]
    wide = ["date,OLD,NEW,GONE"]
    for bar in range(400):
        cells = [f"{close[bar, place]}" if bar in bars else "" for place, bars in enumerate(there.values())]
        wide.append(",".join([str(days[bar]), *cells]))
    same = read_file(written(tmp_path, "\n".join(wide)))
    assert np.isfinite(same.bars.close).sum(axis=0).tolist() == [400, 32, 108]


def test_rows_left_out_are_told(tmp_path: Path) -> None:
    rows = [
        f"{np.datetime64('2019-01-02') + day},{10 + day},{'' if day in (7, 9) else 20 - day / 9}"
        for day in range(60)
    ]
    history = read_file(written(tmp_path, "\n".join(["date,X,Y", *rows])))
    assert history.bars.count == 58
    assert history.said[4] == (
        "2 of 60 rows are left out because an asset that is listed has no bar there: most often Y (2 times), first Y on 2019-01-09"
    )
    with pytest.raises(DataError, match="say gaps='drop'"):
        read_file(
            written(
                tmp_path,
                "\n".join(
                    [
                        "date,X,Y",
                        *(row if n % 5 else row[: row.rindex(",") + 1] for n, row in enumerate(rows, 1)),
                    ]
                ),
            )
        )


def test_rows_without_any_price_are_told(tmp_path: Path) -> None:
    rows = [
        f"{np.datetime64('2019-01-02') + day},{'.' if day in (7, 9) else 20 - day / 9}" for day in range(60)
    ]
    history = read_file(written(tmp_path, "\n".join(["observation_date,DGS10", *rows])))
    assert history.bars.count == 58
    assert "2 of 60 rows hold no price at all and are left out" in history.said[1]
    text = "date,X,Year\n2020-01-02,1,2020\n2020-01-03,2,2020\n"
    with pytest.raises(DataError, match="Year is no asset"):
        read_file(written(tmp_path, text))


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("spike", "a spike of one bar: A on 2019-02-21 (100 times, and back)"),
        ("split", "a jump like a split's: A on 2019-02-21 (0.25 times)"),
        ("reverse split", "a jump like a split's: A on 2019-02-21 (10 times)"),
    ],
)
def test_doubts_are_told(what: str, said: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0001, 120)))
    if what == "spike":
        close[50] *= 100
    else:
        close[50:] *= 0.25 if what == "split" else 10
    rows = [f"{np.datetime64('2019-01-02') + day},{price:.5f}" for day, price in enumerate(close)]
    warnings = read_file(written(tmp_path, "\n".join(["date,close", *rows]))).warnings
    assert any(said in warning for warning in warnings), warnings
    quiet = [f"{np.datetime64('2019-01-02') + day},{100 + day % 7}" for day in range(120)]
    warnings = read_file(written(tmp_path, "\n".join(["date,close", *quiet]))).warnings
    assert not any("spike" in warning or "split's" in warning for warning in warnings)


def test_survivors_are_told(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, (1200, 6)), axis=0))
    rows = [
        f"{np.datetime64('2015-01-02') + day}," + ",".join(f"{x:.3f}" for x in row)
        for day, row in enumerate(close)
    ]
    warnings = read_file(written(tmp_path, "\n".join(["date,U,W,X,Y,Z,Q", *rows]))).warnings
    assert any("survivors alone" in warning for warning in warnings)


def test_the_years_of_bars_are_their_own(tmp_path: Path) -> None:
    """The same returns, daily, weekly and monthly, all had one Sharpe ratio."""
    from mx_tasks.trading.market.metrics import sharpe

    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0.001, 0.01, 150)))
    found = []
    for step in (1, 7, 30):
        rows = [f"{np.datetime64('2005-01-03') + step * bar},{price:.5f}" for bar, price in enumerate(close)]
        history = read_file(written(tmp_path, "\n".join(["date,close", *rows])))
        found.append(sharpe(np.diff(close) / close[:-1], history.frequency.bars_per_year))
    assert found[0] > 2 * found[1] > 4 * found[2] * 0.9


def test_own_columns_of_splits_and_dividends_are_applied(tmp_path: Path) -> None:
    rows = [
        "2020-01-02,100,101,99,100,50,1000,0,1",
        "2020-01-03,51,52,50,51,50,1000,0,2",
        "2020-01-06,50,51,49,50,49,1000,1.5,1",
        "2020-01-07,50,51,49,50.5,49,1000,0,1",
    ]
    head = "timestamp,open,high,low,close,adjusted_close,volume,dividend_amount,split_coefficient"
    history = read_file(written(tmp_path, "\n".join([head, *rows[::-1]])))
    assert [(a.date, a.kind, a.value) for a in history.actions] == [
        ("2020-01-03", "split", 2.0),
        ("2020-01-06", "dividend", 1.5),
    ]


def test_intraday_bars_go_through_every_part(tmp_path: Path) -> None:
    """Minutes of two assets: market, desk, resampled and dated windows, features."""
    from mx_envs.market.portfolio import PortfolioEnv
    from mx_tasks import load_task_set

    rng = np.random.default_rng(0)
    stamps = [
        np.datetime64("2024-01-02T14:30") + np.timedelta64(day, "D") + np.timedelta64(minute, "m")
        for day in range(7)
        for minute in range(150)
    ]
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, (len(stamps), 2)), axis=0))
    rows = [f"{stamp},{a:.4f},{b:.4f}" for stamp, (a, b) in zip(stamps, close, strict=True)]
    path = written(tmp_path, "\n".join(["datetime,X,Y", *rows]))
    for name in ("trading:real", "trading:dated", "trading:strategy-dated"):
        tasks: Any = load_task_set(f"{name}/{path}", salt="s", bars=5, windows=2)
        task = tasks.task("test", 0)
        assert "every minute" in task.prompt
        window = tasks.hidden(task)[0]
        assert window.market.rules.bars_per_year == pytest.approx(150 * 365.2425)
    env = PortfolioEnv(data=str(path), bars=30)
    env.reset(seed=0)
    assert env.step(env.action_space.sample())[4] is not None


def test_a_files_name_may_bring_options(tmp_path: Path) -> None:
    from mx_envs.market.portfolio import PortfolioEnv
    from mx_tasks.trading.imports.sources import open_history

    rows = [f"0{1 + n % 9}/0{1 + n // 9}/2019,{100 + n % 7}" for n in range(50)]
    rows.sort(key=lambda row: (row[3:5], row[:2]))
    path = written(tmp_path, "\n".join(["date,close", *rows]))
    with pytest.raises(DataError, match="day-first or month-first"):
        open_history(str(path))
    history, _ = open_history(f"{path}?dates=day-first&gaps=drop")
    assert str(history.bars.dates[1]) == "2019-01-02"
    assert PortfolioEnv(data=f"{path}?dates=day-first", bars=10).source.assets == 1
    with pytest.raises(DataError, match="did you mean 'dates'"):
        open_history(f"{path}?date=day-first")


def test_frames_that_pandas_wrote(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    made = next(each for each in FILES if each.name == "yfinance, several, new").truth
    index = pandas.DatetimeIndex(made.seconds.astype("datetime64[s]"), name="Date")
    parts = []
    for place, symbol in enumerate(made.symbols):
        columns = {name: column[:, place] for name, column in made.values.items()}
        parts.append(pandas.DataFrame(columns, index=index).assign(symbol=symbol))
    wide = pandas.DataFrame(made.values["close"], index=index, columns=list(made.symbols))
    levels = pandas.MultiIndex.from_product([["Close", "Open"], made.symbols], names=["Price", "Ticker"])
    pair = np.column_stack([made.values["close"], made.values["open"]])
    frames = {
        "long": pandas.concat(parts),
        "wide": wide,
        "zones": wide.tz_localize("America/New_York"),
        "both": pandas.DataFrame(pair, index=index, columns=levels),
    }
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv")
        frame.to_parquet(tmp_path / f"{name}.parquet")
        for ending in ("csv", "parquet"):
            bars = read_file(tmp_path / f"{name}.{ending}").bars
            order = [bars.symbols.index(symbol) for symbol in made.symbols]
            assert bars.close[:, order] == pytest.approx(made.values["close"]), (name, ending)
            assert str(bars.dates[0]) == "2019-01-02"


@pytest.mark.parametrize(
    "name", ["layout", "dates", "timezone", "price", "symbol", "prices", "gaps", "decimal"]
)
def test_an_option_that_is_none_is_one_clear_error(name: str, tmp_path: Path) -> None:
    text = "datetime;close\n2020-01-02 09:00;1,5\n2020-01-02 10:00;2,5\n"
    options: Any = {name: "nonsense"}
    with pytest.raises(DataError, match="nonsense"):
        read_file(written(tmp_path, text), **options)


TABLES = {
    "wide": "date,AAPL,MSFT\n2020-01-02,1,2\n2020-01-03,2,3\n2020-01-06,3,4\n",
    "pairs": "date,AAPL_close,MSFT_close\n2020-01-02,1,2\n2020-01-03,2,3\n2020-01-06,3,4\n",
    "two header rows": "Price,Close,Close\nTicker,A,B\nDate,,\n2020-01-02,1,2\n2020-01-03,2,3\n2020-01-06,3,4\n",
    "no header": "1577923200000,1,2,1,2,5\n1578009600000,2,3,1,2.5,5\n1578268800000,2,4,1,3,5\n",
    "long": "date,ticker,close\n2020-01-02,X,2\n2020-01-03,X,3\n2020-01-06,X,4\n",
    "zones": "datetime,close\n2020-01-02T09:00+01:00,1\n2020-01-02T10:00+01:00,2\n2020-01-02T11:00+01:00,3\n",
}
USED = {
    "wide": {("layout", "wide"), ("price", "AAPL")},
    "pairs": {("layout", "wide")},
    "two header rows": {("layout", "wide")},
    "no header": {("layout", "long")},
    "long": {("layout", "long"), ("price", "close"), ("symbol", "ticker")},
    "zones": {("layout", "long"), ("layout", "wide"), ("price", "close")},
}
"""Options that say something of those tables; the others have no use there."""


@pytest.mark.parametrize("table", list(TABLES))
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("layout", "long"),
        ("layout", "wide"),
        ("dates", "day-first"),
        ("timezone", "Asia/Tokyo"),
        ("price", "AAPL"),
        ("price", "close"),
        ("symbol", "AAPL"),
        ("symbol", "ticker"),
        ("symbol", "elsewhere"),
    ],
)
def test_no_option_is_passed_over(table: str, name: str, value: str, tmp_path: Path) -> None:
    """``--symbol`` on a wide file was dropped without a word; so were others that a form of file has no use for."""
    path, options = written(tmp_path, TABLES[table]), {name: value}
    assert read_file(path).bars.count == 3
    if (name, value) in USED[table]:
        assert read_file(path, **options).bars.count == 3  # type: ignore[arg-type]
        return
    with pytest.raises(DataError) as error:
        read_file(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(error.value)
    assert value in str(error.value) or name == "layout"


@pytest.mark.parametrize("option", ["price", "symbol"])
def test_an_option_without_use_names_its_value_and_a_way_out(option: str, tmp_path: Path) -> None:
    path = written(tmp_path, TABLES["wide"])
    options: Any = {option: "MSFT", "layout": "wide"}
    with pytest.raises(DataError, match=rf"{option}='MSFT' \(--{option}\) has no use here.*leave it out"):
        read_file(path, **options)
    text = "date,ticker,level\n2020-01-02,X,2\n2020-01-03,X,3\n2020-01-06,X,4\n"
    history = read_file(written(tmp_path, text), symbol="ticker", price="level")
    assert (history.bars.symbols, history.bars.close[:, 0].tolist()) == (("X",), [2.0, 3.0, 4.0])
    with pytest.raises(DataError, match="say price='COLUMN'"):
        read_file(written(tmp_path, text), symbol="ticker")


def test_a_zone_moves_no_day(tmp_path: Path) -> None:
    """Dates without a clock, told to be of Tokyo, were read as those of the day before."""
    path = written(tmp_path, TABLES["wide"])
    with pytest.raises(DataError, match=r"timezone='Asia/Tokyo' .* without a clock; leave it out"):
        read_file(path, timezone="Asia/Tokyo")
    hours = "datetime,close\n2020-01-02 09:00,1\n2020-01-02 10:00,2\n2020-01-02 11:00,2\n"
    assert (
        str(read_file(written(tmp_path, hours), timezone="Asia/Tokyo").bars.dates[0]) == "2020-01-02T00:00:00"
    )


@pytest.mark.parametrize(
    ("cells", "decimal", "read"),
    [
        (("1.5", "2.5"), ",", None),
        (("1,5", "2,5"), ".", None),
        (("1,234.5", "2,345.5"), ".", 1234.5),
        (("12,34,567.5", "12,34,568.5"), ".", 1234567.5),
        (("1.234,5", "2.345,5"), ",", 1234.5),
        (("1.2345,5", "2.345,5"), ",", None),
        (("1,2345.5", "2,345.5"), ".", None),
        (("1,5", "2,5"), None, 1.5),
    ],
)
def test_a_decimal_sign_that_is_wrong_makes_no_number_ten_times_as_large(
    cells: tuple[str, str], decimal: str | None, read: float | None, tmp_path: Path
) -> None:
    path = written(tmp_path, "\n".join(["date;close", f"2020-01-02;{cells[0]}", f"2020-01-03;{cells[1]}"]))
    if read is None:
        with pytest.raises(DataError, match="not a number"):
            read_file(path, decimal=decimal)
        return
    assert read_file(path, decimal=decimal).bars.close[0, 0] == read


def test_a_pinned_source_takes_no_options(tmp_path: Path) -> None:
    from mx_tasks.trading.imports.files import Reading
    from mx_tasks.trading.imports.sources import open_history

    with pytest.raises(DataError, match=r"'bokeh' is pinned.*takes no symbol"):
        open_history("bokeh", reading=Reading(symbol="AAPL"))
    with pytest.raises(DataError, match="takes no gaps"):
        open_history("bokeh?gaps=drop")
    with pytest.raises(DataError, match="takes no actions"):
        open_history("bokeh", tmp_path / "actions.csv")
    with pytest.raises(DataError, match="dates is given twice"):
        open_history(f"{tmp_path}/a.csv?dates=day-first&dates=month-first")
