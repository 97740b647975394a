"""What a trading run looks like: equity, drawdown, rolling Sharpe ratio, months, weights, costs, and who wanted what.

The picture is drawn by matplotlib, once: it stands in the report as an image and beside it as ``trading.png``. Without
matplotlib the report has the tables alone.
"""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from mx_agents.report.page import figure, folded, section, table
from mx_tasks.trading.metrics import drawdowns, record

Row = dict[str, Any]
COLOURS = ("#3366cc", "#dc7633", "#2e8b57", "#a569bd", "#c0392b", "#7f8c8d", "#b7950b", "#16a085")
ROLLING = 20
STEEPEST = 20.0
"""Where the rolling Sharpe ratio is cut: a few bars of one sign would hide all the rest."""
_BAR = re.compile(r"\bBar (\d+),")
MOST_ROWS = 60


def traded(rows: Sequence[Row]) -> list[Row]:
    """One episode of each method on the first task that they share, of those that traded."""
    acted = [row for row in rows if row["episode"]["submission"].get("service", {}).get("acted")]
    if not acted:
        return []
    task = acted[0]["episode"]["task"]
    chosen: dict[str, Row] = {}
    for row in acted:
        if row["episode"]["task"] == task:
            chosen.setdefault(row["method"], row)
    return list(chosen.values())


def trading_section(rows: Sequence[Row]) -> tuple[str, bytes | None]:
    """The section's HTML, empty where nothing was traded, and the picture as PNG, None without matplotlib."""
    chosen = traded(rows)
    if not chosen:
        return "", None
    picture = draw(chosen)
    body = []
    if picture is not None:
        source = "data:image/png;base64," + base64.b64encode(picture).decode()
        image = f'<img style="width:100%" alt="equity, drawdown, weights and costs of each method" src="{source}">'
        body.append(figure("One task, every method", image))
    body.append(_figures(chosen))
    body += [folded(f"Who wanted what: {escape(row['method'])}", _intents(row)) for row in chosen]
    lead = (
        f"Task {chosen[0]['episode']['task']}. Realised tracks, luck included: scores are made of what decisions could be "
        "expected to earn. The benchmark holds equal shares of all assets, without costs."
    )
    return section("Trading", *body, lead=lead, wide=True), picture


def _state(row: Row) -> dict[str, Any]:
    state: dict[str, Any] = row["episode"]["submission"]["service"]
    return state


def _returns(state: dict[str, Any]) -> Any:
    values = np.array(state["values"], dtype=float)
    values[-1] -= state["liquidation"]
    return values[1:] / np.maximum(values[:-1], 1e-12) - 1


def _turnover(state: dict[str, Any]) -> Any:
    return np.abs(np.array(state["edited"]) - np.array(state["held"])).sum(axis=1)


def _figures(chosen: Sequence[Row]) -> str:
    """The tracks in numbers, with costs as they were, without, and twice."""
    lines = []
    for row in chosen:
        state = _state(row)
        returns, costs = _returns(state), np.array(state["costs"])
        costs[-1] += state["liquidation"]
        found = record(returns)
        drag = costs / np.maximum(np.array(state["values"][:-1]), 1e-12)
        exposure = np.abs(np.array(state["filled"])).sum(axis=1).mean()
        lines.append(
            [
                escape(row["method"]),
                *(f"{np.prod(1 + returns + (1 - factor) * drag) - 1:+.2%}" for factor in (0, 1, 2)),
                f"{found.volatility:.1%}",
                f"{found.sharpe:.2f}",
                f"{found.sortino:.2f}",
                f"{found.drawdown:.2%}",
                f"{found.calmar:.2f}",
                f"{_turnover(state).sum():.2f}",
                f"{exposure:.2f}",
                str(len(state["faults"])),
            ]
        )
    head = [
        "Method",
        "No costs",
        "Return",
        "Twice the costs",
        "Volatility",
        "Sharpe",
        "Sortino",
        "Drawdown",
        "Calmar",
    ]
    return table([*head, "Turnover", "Exposure", "Faults"], lines)


def _intents(row: Row) -> str:
    """Bar by bar: what each agent said, what was intended, allowed and filled, and what it cost."""
    state, said = _state(row), _said(row["episode"]["turns"])
    lines = []
    for number, date in enumerate(state["dates"][1 : MOST_ROWS + 1]):
        bar = state["first"] + number
        agents = "<br>".join(f"{escape(name)}: {escape(answer[:80])}" for name, answer in said.get(bar, ()))
        intended = state["intended"][number]
        lines.append(
            [
                f"{bar} <small>{escape(date)}</small>",
                agents,
                "held" if intended is None else _weights(intended),
                _weights(state["edited"][number]),
                _weights(state["filled"][number]),
                f"{state['costs'][number]:.5f}",
                f"{state['values'][number + 1]:.4f}",
            ]
        )
    return table(["Bar", "Agents", "Intended", "After risk rules", "Held at close", "Cost", "Value"], lines)


def _said(turns: Sequence[dict[str, Any]]) -> dict[int, list[tuple[str, str]]]:
    said: dict[int, list[tuple[str, str]]] = {}
    for turn in turns:
        found = [match for message in turn["messages"] for match in _BAR.findall(message["content"])]
        if found:
            said.setdefault(int(found[-1]), []).append((turn["name"], turn["answer"]))
    return said


def _weights(weights: Sequence[float]) -> str:
    return " ".join(f"{weight:.2f}" for weight in weights)


def draw(chosen: Sequence[Row]) -> bytes | None:
    """The picture as PNG; None without matplotlib."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        return None
    sheet = Figure(figsize=(13, 11), layout="constrained")
    FigureCanvasAgg(sheet)
    axes = sheet.subplots(3, 2)
    _draw_tracks(axes[0][0], axes[0][1], axes[1][0], chosen)
    _draw_months(axes[1][1], chosen[0])
    _draw_weights(axes[2][0], chosen[0])
    _draw_costs(axes[2][1], chosen)
    for axis in axes.ravel():
        axis.title.set_fontweight("bold")
        for side in ("top", "right"):
            axis.spines[side].set_visible(False)
    data = io.BytesIO()
    sheet.savefig(data, format="png", dpi=110, metadata={"Software": None})
    return data.getvalue()


def _draw_tracks(equity: Any, below: Any, rolling: Any, chosen: Sequence[Row]) -> None:
    benchmark = _state(chosen[0])["benchmark"]
    equity.plot(benchmark, color="#999999", linestyle="--", label="equal shares held")
    window = ROLLING
    for place, row in enumerate(chosen):
        state, colour = _state(row), COLOURS[place % len(COLOURS)]
        returns = _returns(state)
        equity.plot(np.concatenate([[1.0], np.cumprod(1 + returns)]), color=colour, label=row["method"])
        below.plot(np.concatenate([[0.0], drawdowns(returns)]) * 100, color=colour)
        window = max(3, min(ROLLING, len(returns) // 2))
        ratios = [_ratio(returns[max(0, end - window) : end]) for end in range(window, len(returns) + 1)]
        rolling.plot(range(window, len(returns) + 1), ratios, color=colour)
    equity.set_title("Value against the benchmark")
    equity.legend(frameon=False)
    below.set_title("Drawdown, per cent")
    rolling.set_title(f"Sharpe ratio a year, rolling {window} bars")
    rolling.axhline(0, color="#bbbbbb", linewidth=0.8)
    for axis in (equity, below, rolling):
        axis.set_xlabel("bar")


def _ratio(returns: Any) -> float:
    deviation = float(np.std(returns, ddof=1))
    ratio = float(np.mean(returns)) / deviation * 252**0.5 if deviation > 1e-12 else 0.0
    return min(STEEPEST, max(-STEEPEST, ratio))


def _draw_months(axis: Any, row: Row) -> None:
    """Months by year; for less than two months, weeks."""
    state = _state(row)
    returns = _returns(state)
    dates = np.array(state["dates"][1 : len(returns) + 1], dtype="datetime64[D]")
    months = dates.astype("datetime64[M]").astype(int)
    short = len(set(months.tolist())) < 3
    group = dates.astype("datetime64[W]").astype(int) if short else months
    names = sorted(set(group.tolist()))
    values = [float(np.prod(1 + returns[group == name]) - 1) * 100 for name in names]
    width = max(1, min(12, len(values)))
    grid = np.full((-(-len(values) // width), width), np.nan)
    grid.flat[: len(values)] = values
    limit = max(0.1, float(np.nanmax(np.abs(grid))))
    axis.imshow(grid, cmap="RdYlGn", vmin=-limit, vmax=limit, aspect="auto")
    for place, value in enumerate(values):
        axis.text(place % width, place // width, f"{value:+.1f}", ha="center", va="center", fontsize=8)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_title(f"{'Weeks' if short else 'Months'} of {row['method']}, per cent, in order")


def _draw_weights(axis: Any, row: Row) -> None:
    state = _state(row)
    filled = np.array(state["filled"])
    for asset, symbol in enumerate(state["symbols"][:8]):
        axis.step(
            range(1, len(filled) + 1), filled[:, asset], where="mid", label=symbol, color=COLOURS[asset % 8]
        )
    axis.bar(range(1, len(filled) + 1), _turnover(state), color="#bbbbbb", alpha=0.6, label="turnover")
    axis.set_title(f"Weights held and turnover of {row['method']}")
    axis.set_xlabel("bar")
    axis.legend(frameon=False, ncols=4, fontsize=8)


def _draw_costs(axis: Any, chosen: Sequence[Row]) -> None:
    """From the gross result down to the net one."""
    names = ("gross", "trading", "carry", "selling", "net")
    width = 0.8 / len(chosen)
    for place, row in enumerate(chosen):
        state = _state(row)
        net = state["values"][-1] - state["liquidation"] - 1
        trading, carry, selling = -sum(state["costs"]), sum(state["carry"]), -state["liquidation"]
        gross = net - trading - carry - selling
        bottoms = (0.0, gross, gross + trading, gross + trading + carry, 0.0)
        heights = (gross, trading, carry, selling, net)
        spots = np.arange(5) + (place - (len(chosen) - 1) / 2) * width
        axis.bar(
            spots,
            np.array(heights) * 100,
            width * 0.9,
            bottom=np.array(bottoms) * 100,
            color=COLOURS[place % len(COLOURS)],
            label=row["method"],
        )
    axis.set_xticks(range(5), names)
    axis.axhline(0, color="#888888", linewidth=0.8)
    axis.set_title("From gross to net, per cent of the start")
