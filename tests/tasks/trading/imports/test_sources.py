"""Real bars: your files, pinned packages, anonymous windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mx_tasks.trading.imports.anonymous import anonymous_market
from mx_tasks.trading.imports.sources import SOURCES, History, load_source, read_file
from mx_tasks.trading.market.corporate import Action
from mx_tasks.trading.market.errors import DataError, WindowError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Portfolio
from mx_tasks.trading.market.windows import Span

LONG = """date,symbol,open,high,low,close,volume
2020-01-02,A,10,11,9,10.5,100
2020-01-03,A,10.5,12,10,11,100
2020-01-06,A,11,12,10,11.5,100
2020-01-02,B,20,21,19,20.5,100
2020-01-03,B,20.5,22,20,21,100
2020-01-06,B,21,22,20,21.5,100
"""


def written(folder: Path, text: str, name: str = "bars.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_row_for_each_date_and_symbol(tmp_path: Path) -> None:
    history = read_file(written(tmp_path, LONG))
    assert history.bars.symbols == ("A", "B")
    assert history.fill == "next_open"
    assert history.bars.close.tolist() == [[10.5, 20.5], [11, 21], [11.5, 21.5]]


def test_a_column_for_each_asset_is_filled_at_the_close(tmp_path: Path) -> None:
    history = read_file(written(tmp_path, "Date,X,Y\n1/2/2020,1,2\n1/13/2020,1.1,2.1\n"))
    assert history.fill == "next_close"
    assert history.bars.symbols == ("X", "Y")
    assert str(history.bars.dates[0]) == "2020-01-02"


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"date": ["2020-01-02", "2020-01-03"], "close": [1.0, 2.0]})
    parquet.write_table(table, tmp_path / "bars.parquet")
    assert read_file(tmp_path / "bars.parquet").bars.close.tolist() == [[1.0], [2.0]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has no rows"),
        ("when,close\n1,2\n", "no column date; it has when, close"),
        ("time,close\n1,2\n2,2\n", "row 0: '1' is no date"),
        ("date,close\n2020-01-02,1\n2020-01-02,2\n", "row 1: the date 2020-01-02 repeats"),
        (
            "date,close\n2020-01-03,1\n2020-01-02,2\n2020-01-06,2\n",
            "row 1: the date 2020-01-02 comes after 2020-01-03",
        ),
        ("date,close\n2020-01-02,1\n2020-01-03,\n", r"row 1 \(2020-01-03, A\): close is '', not a number"),
        ("date,close\n2020-01-02,1\n2020-01-03,nan\n", r"row 1 \(2020-01-03, A\): close is 'nan'"),
        ("date,close\n2020-01-02,1\n2020-01-03,-4\n", r"row 1 .*close is -4"),
        ("date,close\nyesterday,1\n2020-01-03,-4\n", "row 0: 'yesterday' is no date"),
        ("date,close\n2020-01-02,1\n", "share 1 dates"),
        ("date\n2020-01-02\n", "no column of closes"),
        ("date,X,X\n2020-01-02,1,2\n2020-01-03,1,2\n", "the column 'X' comes twice"),
        ("date,close\n2020-01-02,1\n2020-01-03,1,2\n", "row 1: there are more values than the 2 columns"),
        (
            "date,X,Y\n2020-01-02,1,2\n2020-01-03,1\n",
            "row 1: there are fewer values than the 3 columns",
        ),
        ("date,X,Y\n2020-01-02,1,2\n2020-01-03,1,inf\n", r"row 1 \(2020-01-03, Y\): close is inf"),
        ("date,X,Y\n2020-01-02,1,2\n2020-01-03,1,2\n", "row 1 .*the row is padded"),
        (LONG.replace("21,22,20,21.5,100", "21,21,21,21,0"), "row 2 .* B.*the row is padded"),
        (LONG.replace("21,22,20,21.5", "21,22,0,21.5"), r"B, row 5 \(2020-01-06, B\): low is 0.0"),
        (LONG.replace("21.5,100", "21.5,-1"), r"row 5 .*volume is -1.0, not a finite number 0 or more"),
        (LONG.replace("2020-01-06,B", "2020-01-03,B"), "bars.csv, B, row 5: the date 2020-01-03 repeats"),
        (LONG.replace("11,12,10,11.5", "11,11,10,11.5"), "are not between low"),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_file(written(tmp_path, text))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        read_file(tmp_path / "nothing.csv")
    for name in ("bars.csv.gz", "bars.csv"):
        (tmp_path / name).write_bytes(b"\xff\xfe\x00junk")
        with pytest.raises(DataError, match="is no CSV file"):
            read_file(tmp_path / name)


def test_an_unknown_source_is_named() -> None:
    with pytest.raises(DataError, match="did you mean 'bokeh'"):
        load_source("boke")


def test_data_that_is_not_the_pinned_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "bokeh_sampledata"
    (package / "_data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(DataError, match="pip install 'bokeh-sampledata'"):
        load_source("bokeh")
    (package / "_data" / "stocks.csv.gz").write_bytes(b"other")
    with pytest.raises(DataError, match="is not the pinned data"):
        load_source("bokeh")


@pytest.mark.parametrize("name", list(SOURCES))
def test_pinned_sources_where_they_are_installed(name: str) -> None:
    try:
        history = load_source(name)
    except DataError as error:
        pytest.skip(str(error))
    assert history.bars.count > 1000
    if name == "bokeh":
        splits = [(action.date, action.symbol) for action in history.actions if action.kind == "split"]
        assert splits == [("2000-06-21", "AAPL"), ("2005-02-28", "AAPL"), ("2003-02-18", "MSFT")]


def test_splits_and_dividends_are_found_in_adjusted_closes(tmp_path: Path) -> None:
    rows = [
        f"A,2020-01-0{day},{p},{p},{p},{p},{adj},1"
        for day, p, adj in ((2, 100, 49), (3, 50, 49), (6, 49, 49), (7, 48, 48))
    ]
    text = "\n".join(["Ticker,Date,Open,High,Low,Close,Adj Close,Volume", *rows])
    history = read_file(written(tmp_path, text), prices="both")
    kinds = [(action.kind, action.date, round(action.value, 2)) for action in history.actions]
    assert kinds == [("split", "2020-01-03", 2.0), ("dividend", "2020-01-06", 1.0)]
    assert "estimates" in history.warnings[0]
    raw = read_file(written(tmp_path, text))
    assert not raw.actions
    assert "adjusted closes are there and not used" in raw.warnings[0]
    assert read_file(written(tmp_path, text), prices="adjusted").bars.close[:, 0].tolist() == [49, 49, 49, 48]


def test_windows_are_anonymous_and_their_moves_the_same(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    text = "date,symbol,open,high,low,close,volume\n" + "".join(
        f"{np.datetime64('2020-01-06') + day},{name},{p},{p},{p},{p},1000\n"
        for name in ("IBM", "MSFT")
        for day, p in enumerate(np.round(100 * np.exp(np.cumsum(rng.normal(0, 0.02, 30))), 4))
    )
    history = read_file(written(tmp_path, text))
    history = History(history.bars, (Action("2020-01-14", "IBM", "dividend", 2.0),))
    worths, shown = [], []
    for seed in range(6):
        market = anonymous_market(history, Span(3, 25), np.random.default_rng(seed), Costs(), Rules())
        portfolio = Portfolio.start(market)
        for row in range(1, market.last + 1):
            portfolio.step(row, np.full(2, 0.5))
        worths.append(portfolio.value)
        shown.append(str(market.bars.dates[0]))
        assert market.bars.close[0].tolist() == [100.0, 100.0]
        assert set(market.bars.symbols) == {"S00", "S01"}
        shift = (market.bars.dates[0] - history.bars.dates[3]).astype(int)
        assert shift % 7 == 0
    assert np.ptp(worths) < 1e-9
    assert len(set(shown)) > 3
    with pytest.raises(WindowError, match="no window of 30 bars"):
        anonymous_market(history, Span(3, 40), np.random.default_rng(0), Costs(), Rules())
