"""What a trading run looks like: equity, drawdown, rolling Sharpe ratio, months, weights, costs, and who wanted what.

The pictures stand in the report as images, and the first of each task set beside it as a PNG file. Without matplotlib the report
has the tables alone. Tracks at other costs are the recorded decisions, run through the simulator again at those costs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from mx_agents.report.page import figure, folded, section, table
from mx_agents.report.trading_picture import draw_holdings, draw_tracks, short
from mx_tasks.trading.market.metrics import cost_drag, exposure, record, turnover
from mx_tasks.trading.market.reruns import FACTORS, returns_of

Row = dict[str, Any]
_BAR = re.compile(r"\bBar (\d+),")
MOST_ROWS = 200
MOST_PICTURES = 6
HEAD = (
    "Method", "Score", "0x costs", "Return", "2x costs", "Volatility", "Sharpe", "Sortino", "Drawdown", "Calmar", "Turnover",
    "Cost drag", "Exposure", "Faults",
)  # fmt: skip


def groups(rows: Sequence[Row]) -> list[list[Row]]:
    """For each task set and executor one episode of each method, on the first task that was traded."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        if not _state(row).get("acted"):
            continue
        chosen = found.setdefault((row.get("tasks", ""), row.get("executor", "")), {})
        first = next(iter(chosen.values()), row)
        if row["episode"]["task"] == first["episode"]["task"]:
            chosen.setdefault(row["method"], row)
    return [list(chosen.values()) for chosen in found.values()]


def traded(rows: Sequence[Row]) -> list[Row]:
    """One episode of each method on the first task of those that were traded."""
    found = groups(rows)
    return found[0] if found else []


def trading_section(rows: Sequence[Row]) -> tuple[str, bytes | None]:
    """The sections' HTML, empty where nothing was traded, and the first picture as PNG, None without matplotlib."""
    found = groups(rows)
    done = [_section(chosen, several=len(found) > 1) for chosen in found]
    return "".join(html for html, _ in done), done[0][1] if done else None


def draw(chosen: Sequence[Row]) -> bytes | None:
    """The picture of episodes of one task as PNG, the best method first; None without matplotlib."""
    best = sorted(chosen, key=lambda row: -_score(row))
    return draw_tracks({row["method"]: _state(row) for row in best})


def _section(chosen: Sequence[Row], *, several: bool) -> tuple[str, bytes | None]:
    picture = draw(chosen)
    body = []
    if picture is not None:
        body.append(
            figure("One task, every method", _image(picture, "value, drawdown, Sharpe ratio, costs, months"))
        )
    body.append(table(HEAD, [_figures(row) for row in chosen]))
    for row in chosen[:MOST_PICTURES]:
        held = draw_holdings(_state(row)) if len(chosen) > 1 else None
        image = _image(held, f"months, weights and turnover of {row['method']}") if held is not None else ""
        body.append(
            folded(f"Who wanted what, and what was filled: {short(row['method'])}", image + _intents(row))
        )
    body += [
        folded(f"Who wanted what, and what was filled: {short(row['method'])}", _intents(row))
        for row in chosen[MOST_PICTURES:]
    ]
    first = chosen[0]
    title = (
        f"Trading: {first.get('tasks', '')} · executor {first.get('executor', '')}" if several else "Trading"
    )
    lead = (
        f"Task {first['episode']['task']}. Realised tracks, luck included. In a world whose optimum is known the score is "
        "what the decisions could be expected to earn, 1 being the optimum. The benchmark holds equal shares of all assets, "
        "without costs. Turnover, costs and exposure are shares of the value: turnover over the whole track, exposure its mean."
    )
    return section(title, *body, lead=lead, wide=True), picture


def _image(picture: bytes, said: str) -> str:
    source = "data:image/png;base64," + base64.b64encode(picture).decode()
    return f'<img style="width:100%" alt="{escape(said, quote=True)}" src="{source}">'


def _state(row: Row) -> Mapping[str, Any]:
    """The log of a desk, or what a strategy program did in grading."""
    episode = row["episode"]
    state: Mapping[str, Any] = episode["submission"].get("service") or {}
    if not state.get("acted"):
        state = (episode.get("grade") or {}).get("trace") or state
    return state if "at costs" in state else {}


def _score(row: Row) -> float:
    grade = row["episode"].get("grade") or {}
    return float(grade.get("score", 0.0))


def _figures(row: Row) -> list[str]:
    """The track in numbers."""
    state = _state(row)
    found = record(returns_of(state), state.get("year", 252.0))
    grade = row["episode"].get("grade")
    return [
        f'<span title="{escape(row["method"], quote=True)}">{escape(short(row["method"]))}</span>',
        f"{_score(row):+.3f}" if grade else "-",
        *(f"{np.prod(1 + returns_of(state, factor)) - 1:+.2%}" for factor in FACTORS),
        f"{found.volatility:.1%}",
        f"{found.sharpe:.2f}",
        f"{found.sortino:.2f}",
        f"{found.drawdown:.2%}",
        f"{found.calmar:.2f}",
        f"{turnover(state):.2f}",
        f"{cost_drag(state):.2%}",
        f"{exposure(state):.2f}",
        str(len(state["faults"])),
    ]


def _intents(row: Row) -> str:
    """Bar by bar: what each agent said, what was intended, allowed and filled, and what it cost."""
    state, said = _state(row), _said(row["episode"]["turns"])
    lines = []
    days = state["dates"][1:]
    for number, date in enumerate(days[:MOST_ROWS]):
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
    symbols = escape(" ".join(state["symbols"]))
    shown = table(
        [
            "Bar",
            "Agents",
            f"Intended<br><small>{symbols}</small>",
            "After risk rules",
            "Held at close",
            "Cost",
            "Value",
        ],
        lines,
    )
    return shown + (f"<p>The first {MOST_ROWS} of {len(days)} bars.</p>" if len(days) > MOST_ROWS else "")


def _said(turns: Sequence[dict[str, Any]]) -> dict[int, list[tuple[str, str]]]:
    said: dict[int, list[tuple[str, str]]] = {}
    for turn in turns:
        found = [match for message in turn["messages"] for match in _BAR.findall(message["content"])]
        if found:
            said.setdefault(int(found[-1]), []).append((turn["name"], turn["answer"]))
    return said


def _weights(weights: Sequence[float]) -> str:
    return " ".join(f"{weight:.2f}" for weight in weights)
