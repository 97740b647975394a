"""A strategy program against hidden windows: a fresh sandbox for each, one bar at a time, nothing told in between."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np

from mx_sandboxes import Limits, Reason, Sandbox, SandboxError, Session, SessionEndedError
from mx_tasks.trading.market.bars import FIELDS
from mx_tasks.trading.market.desk import Desk
from mx_tasks.trading.market.simulator import Market

DEADLINE_S = 2.0
"""Seconds for the answer to a bar; a later one is a fault."""
FIT_S = 20.0
WAITING = 4.0
"""Times the processor's time that may pass on the clock: a machine at work on other things is no fault of a program."""
DIGITS = 7
_RUNNER = resources.files("mx_tasks.trading.grading").joinpath("inside", "run_strategy.py").read_bytes()


@dataclass(slots=True)
class Played:
    """A strategy on one window: the market's log, what went wrong, and how long each bar took."""

    state: Mapping[str, Any]
    answered: int
    errors: list[str] = field(default_factory=list)
    latency_s: list[float] = field(default_factory=list)


def play_program(
    source: bytes,
    market: Market,
    first: int,
    sandbox: Sandbox,
    *,
    deadline_s: float = DEADLINE_S,
    purge: int = 0,
) -> Played:
    """Run ``strategy.py`` from the close of bar ``first`` to the market's end.

    An answer that is late, missing or no weights keeps the last target and counts as a fault. Whatever the program does, the window
    is played to its end. ``fit`` is kept from the newest ``purge`` bars before the first decision. Raises SandboxError when the
    sandbox itself fails.
    """
    desk = Desk(market, first)
    played = Played({}, 0)
    rows = _rows(market)
    limit = FIT_S + deadline_s + 0.05 * desk.left
    session = sandbox.session(
        ["python", "run_strategy.py"],
        files={"strategy.py": source, "run_strategy.py": _RUNNER},
        limits=Limits(wall_s=WAITING * limit, cpu_s=limit),
    )
    try:
        _stream(session, desk, rows, played, deadline_s, purge)
    except SessionEndedError as ended:
        if ended.completed.reason is Reason.SANDBOX_DIED:  # not the program's doing
            raise SandboxError(f"the sandbox died under a strategy: {ended.completed.cause}") from ended
        played.errors.append(f"the program ended ({ended.completed.reason.value}) with {desk.left} bars left")
        while desk.left:  # a missed answer keeps the target
            desk.rebalance(None)
    finally:
        session.close()
    played.state = desk.finish()
    return played


def _rows(market: Market) -> list[list[float]]:
    """Each bar as one flat list of few digits, which is quick to send."""
    bars = market.bars
    table = np.column_stack([*(getattr(bars, name) for name in FIELDS), *bars.extra.values()])
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(table == 0, 0, np.floor(np.log10(np.abs(table))))
        scale = 10.0 ** (DIGITS - 1 - size)
        rounded: list[list[float]] = np.where(
            np.isfinite(table), np.round(table * scale) / scale, 0.0
        ).tolist()
    return rounded


def _stream(
    session: Session, desk: Desk, rows: list[list[float]], played: Played, deadline_s: float, purge: int
) -> None:
    bars = desk.market.bars
    known = desk.first + 1 - purge
    past = {str(row): _happened(desk.market, row) for row in range(desk.first + 1)}
    session.send(
        {
            "symbols": list(bars.symbols),
            "extra": list(bars.extra),
            "rows": rows[:known],
            "happened": {row: each for row, each in past.items() if each and int(row) < known},
        }
    )
    ready = session.receive()
    if not (isinstance(ready, dict) and ready.get("ready") is True):
        played.errors.append(_error(ready))
        while desk.left:
            desk.rebalance(None)
        return
    frame: dict[str, Any] = {}
    if purge:
        late = {str(row - known): past[str(row)] for row in range(known, desk.first + 1) if past[str(row)]}
        frame = {"purged": rows[known : desk.first + 1], "happened": late}
    while desk.left:
        account = desk.account()
        frame["account"] = {"weights": account["weights"], "value": account["value"], "left": account["left"]}
        began = time.perf_counter()
        session.send(frame)
        answer = session.receive()
        took = time.perf_counter() - began
        played.latency_s.append(took)
        wanted = answer.get("w") if isinstance(answer, dict) else None
        if took > deadline_s:
            played.errors.append(f"bar {desk.row}: no answer within {deadline_s:g} s")
            wanted = None
        elif wanted is None:
            played.errors.append(f"bar {desk.row}: {_error(answer)}")
        done = desk.rebalance(wanted)
        played.answered += "fault" not in done
        frame = {"row": rows[desk.row]} | _happened(desk.market, desk.row)


def _happened(market: Market, row: int) -> dict[str, list[float]]:
    """Splits and dividends of a bar, where there are any."""
    table = market.table
    if table is None or ((table.split[row] == 1).all() and not table.dividend[row].any()):
        return {}
    return {"split": table.split[row].tolist(), "dividend": table.dividend[row].tolist()}


def _error(answer: Any) -> str:
    return ascii(answer.get("error") if isinstance(answer, dict) else "the answer is no object")[:200]
