"""Several windows one behind the other as one market: what a desk trades on where one window would be luck.

The windows are in the order of time and do not overlap, so that none tells what is to come in another. At a window's end all is
sold; the next one begins in cash, its bars numbered on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mx_tasks.trading.grading.arenas import State, Window
from mx_tasks.trading.market.desk import Desk


@dataclass
class Series:
    """A service like :class:`Desk`, over all windows."""

    windows: Sequence[Window]
    name: str = "market"
    desks: list[Desk] = field(init=False)
    place: int = 0

    def __post_init__(self) -> None:
        self.desks, offset = [], 0
        lengths = [window.market.last - window.first for window in self.windows]
        for place, window in enumerate(self.windows):
            more = sum(lengths[place + 1 :])
            self.desks.append(Desk(window.market, window.first, more=more, offset=offset))
            offset += lengths[place]

    @property
    def desk(self) -> Desk:
        """The window in play; the last one after its end."""
        while not self.desks[self.place].left and self.place + 1 < len(self.desks):
            self.place += 1
        return self.desks[self.place]

    def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """See :class:`mx_tasks.Service`."""
        done = self.desk.call(method, arguments)
        if method == "rebalance":  # the account there is that of the window which begins
            done = self.desk.account() | ({"fault": done["fault"]} if "fault" in done else {})
        if method in ("account", "rebalance"):
            done |= {"window": self.place + 1, "windows": len(self.desks)}
        return done

    def finish(self) -> Mapping[str, Any]:
        """Hold each window to its end; the logs by window, and all of them as one."""
        states = [desk.finish() for desk in self.desks]
        return chained(states) | {"windows": states}


def chained(states: Sequence[State]) -> dict[str, Any]:
    """The logs of windows as one log: what a window ends with, its selling paid, is what the next one begins with."""
    first, wealth = states[0], 1.0
    whole: dict[str, Any] = {
        "acted": any(state["acted"] for state in states),
        "acts": sum(state["acts"] for state in states),
        "first": first["first"],
        "year": first["year"],
        "symbols": max((state["symbols"] for state in states), key=len),
        "dates": first["dates"][:1],
        "values": [1.0],
        "costs": [],
        "carry": [],
        "benchmark": [1.0],
        "at costs": {factor: [1.0] for factor in first["at costs"]},
        "liquidation": 0.0,
        "faults": [],
        "intended": [],
        "edited": [],
        "held": [],
        "filled": [],
        "ends": [],
    }
    for state in states:
        whole["dates"] += state["dates"][1:]
        for name in ("intended", "edited", "held", "filled"):
            whole[name] += [_wide(row, len(whole["symbols"])) for row in state[name]]
        whole["faults"] += state["faults"]
        values, costs = list(state["values"][1:]), list(state["costs"])
        values[-1] -= state["liquidation"]
        costs[-1] += state["liquidation"]
        whole["values"] += [wealth * value for value in values]
        whole["costs"] += [wealth * cost for cost in costs]
        whole["carry"] += [wealth * carry for carry in state["carry"]]
        whole["benchmark"] += [whole["benchmark"][-1] * value for value in state["benchmark"][1:]]
        for factor, line in whole["at costs"].items():
            line += [line[-1] * value for value in state["at costs"][factor][1:]]
        wealth = whole["values"][-1]
        whole["ends"].append(len(whole["values"]) - 1)
    return whole


def _wide(row: Sequence[float] | None, assets: int) -> list[float] | None:
    """Weights with a 0 for each asset that its window has not."""
    return None if row is None else [*row, *[0.0] * (assets - len(row))]


def brief(log: Any) -> Any:
    """A log with numbers of seven digits, for a record."""
    if isinstance(log, float):
        return float(f"{log:.7g}")
    if isinstance(log, Mapping):
        return {name: brief(each) for name, each in log.items()}
    return [brief(each) for each in log] if isinstance(log, list | tuple) else log
