"""The pictures of a trading run, drawn by matplotlib: what each method's track was, and what one of them held."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mx_tasks.trading.market.metrics import drawdowns
from mx_tasks.trading.market.reruns import FACTORS, returns_of

State = Mapping[str, Any]
COLOURS = ("#3366cc", "#dc7633", "#2e8b57", "#a569bd", "#c0392b", "#7f8c8d", "#b7950b", "#16a085")
ROLLING = 20
STEEPEST = 20.0
"""Where the rolling Sharpe ratio is cut: a few bars of one sign would hide all the rest."""
MOST_ASSETS = 8
LONGEST_NAME = 28
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def draw_tracks(states: Mapping[str, State]) -> bytes | None:
    """Value, drawdown, rolling Sharpe ratio and costs of each method, and what the first one held; None without matplotlib."""
    states = {short(name): state for name, state in states.items()}
    sheet = _sheet(13, 15)
    if sheet is None:
        return None
    axes = sheet.subplots(4, 2)
    _tracks(axes[0][0], axes[0][1], axes[1][0], states)
    _at_costs(axes[1][1], states)
    _waterfall(axes[2][0], states)
    name, state = next(iter(states.items()))
    _months(axes[2][1], f" of {name}", state)
    _weights(axes[3][0], f" of {name}", state)
    _turnover(axes[3][1], f" of {name}", state)
    return _png(sheet, axes)


def draw_holdings(state: State) -> bytes | None:
    """The months, the weights and the turnover of one method; None without matplotlib."""
    sheet = _sheet(13, 3.6)
    if sheet is None:
        return None
    axes = sheet.subplots(1, 3)
    _months(axes[0], "", state)
    _weights(axes[1], "", state)
    _turnover(axes[2], "", state)
    return _png(sheet, axes)


def short(name: str) -> str:
    """A method's name without the folders of its file."""
    last = name.rpartition("/")[2] or name
    return last if len(last) <= LONGEST_NAME else last[: LONGEST_NAME - 1] + "…"


def _sheet(width: float, height: float) -> Any:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return None
    sheet = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(sheet)
    return sheet


def _png(sheet: Any, axes: Any) -> bytes:
    for axis in axes.ravel():
        axis.title.set_fontweight("bold")
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    data = io.BytesIO()
    sheet.savefig(data, format="png", dpi=100, metadata={"Software": None})
    return data.getvalue()


def _tracks(equity: Any, below: Any, rolling: Any, states: Mapping[str, State]) -> None:
    benchmark = next(iter(states.values()))["benchmark"]
    equity.plot(benchmark, color="#999999", linestyle="--", label="equal shares held")
    window = ROLLING
    for place, (name, state) in enumerate(states.items()):
        colour, returns = COLOURS[place % len(COLOURS)], returns_of(state)
        equity.plot(np.concatenate([[1.0], np.cumprod(1 + returns)]), color=colour, label=name)
        below.plot(np.concatenate([[0.0], drawdowns(returns)]) * 100, color=colour)
        window = max(3, min(ROLLING, len(returns) // 2))
        year = state.get("year", 252.0)
        ratios = [
            _ratio(returns[max(0, end - window) : end], year) for end in range(window, len(returns) + 1)
        ]
        rolling.plot(range(window, len(returns) + 1), ratios, color=colour)
    equity.set_title("Value against the benchmark")
    equity.legend(frameon=False, fontsize=9)
    below.set_title("Drawdown, per cent")
    rolling.set_title(f"Sharpe ratio a year, rolling {window} bars")
    rolling.axhline(0, color="#bbbbbb", linewidth=0.8)
    for axis in (equity, below, rolling):
        axis.set_xlabel("bar")
        for end in next(iter(states.values())).get("ends", ())[:-1]:
            axis.axvline(end, color="#dddddd", linewidth=0.8, zorder=0)


def _ratio(returns: Any, year: float) -> float:
    deviation = float(np.std(returns, ddof=1))
    ratio = float(np.mean(returns)) / deviation * year**0.5 if deviation > 1e-12 else 0.0
    return min(STEEPEST, max(-STEEPEST, ratio))


def _bars(axis: Any, states: Mapping[str, State], heights: Any, bottoms: Any, names: Sequence[str]) -> None:
    """Groups of bars, one bar for each method, in per cent."""
    width = 0.8 / len(states)
    for place, name in enumerate(states):
        spots = np.arange(len(names)) + (place - (len(states) - 1) / 2) * width
        colour = COLOURS[place % len(COLOURS)]
        axis.bar(
            spots,
            100 * np.array(heights[place]),
            width * 0.9,
            bottom=100 * np.array(bottoms[place]),
            color=colour,
            label=name,
        )
    axis.set_xticks(range(len(names)), names)
    axis.axhline(0, color="#888888", linewidth=0.8)


def _at_costs(axis: Any, states: Mapping[str, State]) -> None:
    """The recorded decisions at none, one and two times the costs."""
    heights = [
        [float(np.prod(1 + returns_of(state, factor)) - 1) for factor in FACTORS] for state in states.values()
    ]
    _bars(axis, states, heights, np.zeros_like(heights), [f"{factor}x costs" for factor in FACTORS])
    axis.set_title("The same decisions at other costs, per cent in all")


def _waterfall(axis: Any, states: Mapping[str, State]) -> None:
    """From the gross result down to the net one."""
    heights, bottoms = [], []
    for state in states.values():
        net = state["values"][-1] - state["liquidation"] - 1
        trading, carry, selling = -sum(state["costs"]), sum(state["carry"]), -state["liquidation"]
        gross = net - trading - carry - selling
        heights.append((gross, trading, carry, selling, net))
        bottoms.append((0.0, gross, gross + trading, gross + trading + carry, 0.0))
    _bars(axis, states, heights, bottoms, ("gross", "trading", "carry", "selling", "net"))
    axis.set_title("From gross to net, per cent of the start")


def _months(axis: Any, of: str, state: State) -> None:
    """A year's months in a row; windows, where they are not in the order of time; weeks, for less than three months."""
    returns = returns_of(state)
    dates = np.array([day[:10] for day in state["dates"][1 : len(returns) + 1]], dtype="datetime64[D]")
    months = dates.astype("datetime64[M]").astype(int)
    if (np.diff(dates).astype(int) < 0).any():
        ends = np.array(state["ends"])
        group = np.searchsorted(ends, np.arange(len(returns)), side="right")
        what, grid, down, across = "Windows", *_in_rows(group, returns, "window")
    elif len(set(months.tolist())) < 3:
        what, grid, down, across = (
            "Weeks",
            *_in_rows(dates.astype("datetime64[W]").astype(int), returns, "week"),
        )
    else:
        years = months // 12
        grid = np.full((int(years[-1] - years[0]) + 1, 12), np.nan)
        for month in sorted(set(months.tolist())):
            grid[month // 12 - years[0], month % 12] = np.prod(1 + returns[months == month]) - 1
        what, across = "Months", list(MONTHS)
        down = [str(1970 + year) for year in range(int(years[0]), int(years[-1]) + 1)]
    grid = 100 * grid
    limit = max(0.1, float(np.nanmax(np.abs(grid))))
    axis.imshow(grid, cmap="RdYlGn", vmin=-1.3 * limit, vmax=1.3 * limit, aspect="auto")
    for (row, column), value in np.ndenumerate(grid):
        if np.isfinite(value):
            axis.text(column, row, f"{value:+.1f}", ha="center", va="center", fontsize=8)
    axis.set_xticks(range(len(across)), across, fontsize=8)
    axis.set_yticks(range(len(down)), down, fontsize=8)
    axis.set_title(f"{what}{of}, per cent")


def _in_rows(group: Any, returns: Any, what: str) -> tuple[Any, list[str], list[str]]:
    names = list(dict.fromkeys(group.tolist()))
    values = [np.prod(1 + returns[group == each]) - 1 for each in names]
    return np.array([values]), [what], [str(number) for number in range(1, len(names) + 1)]


def _weights(axis: Any, of: str, state: State) -> None:
    filled = np.array(state["filled"])
    size = np.abs(filled).mean(axis=0)
    shown = np.sort(np.argsort(-size)[:MOST_ASSETS])
    for place, asset in enumerate(shown):
        spots = range(1, len(filled) + 1)
        axis.step(spots, filled[:, asset], where="mid", label=state["symbols"][asset], color=COLOURS[place])
    more = "" if len(shown) == filled.shape[1] else f", the {len(shown)} largest of {filled.shape[1]}"
    axis.set_title(f"Weights{of}{more}")
    axis.set_xlabel("bar")
    low, high = min(0.0, float(filled.min())), max(1.0, float(filled.max()))
    axis.set_ylim(low - 0.05 * (high - low), high + 0.2 * (high - low))  # the names stand above
    axis.legend(frameon=False, ncols=4, fontsize=8, loc="upper left")


def _turnover(axis: Any, of: str, state: State) -> None:
    traded = np.abs(np.array(state["edited"]) - np.array(state["held"])).sum(axis=1)
    axis.bar(range(1, len(traded) + 1), 100 * traded, color="#7f8c8d", width=1.0)
    axis.set_title(f"Turnover{of}, per cent a bar")
    axis.set_xlabel("bar")
