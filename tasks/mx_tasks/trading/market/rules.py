"""What trading costs, and what is allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from typing import Literal

from mx_tasks.trading.market.errors import TradingError

Fill = Literal["next_open", "next_close"]
FILLS = ("next_open", "next_close")


@dataclass(frozen=True, slots=True)
class Costs:
    """Shares of the value traded, and yearly rates.

    ``impact`` is the cost, as a share, of trading as much as the bar's whole volume; it grows with the square root of the share of
    volume. ``quadratic`` is the cost of trading the start's value once, of settled positions; it grows with the square of the
    trade. ``borrow`` is paid on shorts, ``interest`` earned on cash, ``margin`` paid on borrowed cash.
    """

    commission: float = 0.0
    half_spread: float = 0.0005
    impact: float = 0.0
    borrow: float = 0.0
    interest: float = 0.0
    margin: float = 0.0
    quadratic: float = 0.0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if not (math.isfinite(value) and 0 <= value < 1):
                raise TradingError(f"the cost {each.name} is a share from 0 to below 1, not {value}")

    @property
    def trade(self) -> float:
        """What a unit of traded value costs, without impact."""
        return self.commission + self.half_spread

    @property
    def said(self) -> str:
        """What trading costs, in words."""
        parts = [f"{self.trade:.2%} of the value traded"] if self.trade or not self.quadratic else []
        if self.quadratic:
            parts.append(f"{self.quadratic:g} times the square of a trade in units of the start's value")
        return " and ".join(parts) + (", more for large trades" if self.impact else "")

    def times(self, factor: float) -> Costs:
        """All of it ``factor`` times, for a look at its weight; what cash earns stays."""
        scaled = {
            each.name: getattr(self, each.name) * factor for each in fields(self) if each.name != "interest"
        }
        return replace(self, **scaled)


@dataclass(frozen=True, slots=True)
class Rules:
    """The allowed weights, the fill, and ruin.

    A weight is in [``min_weight``, ``max_weight``], the sum of their sizes at most ``max_gross``. Decided on the bars up to t, a
    trade is filled at the open of t + 1, or its close for data that have closes only. Below ``ruin`` of the start's
    value all is over. ``settled``: weights are positions in shares of the start's value, gains and losses are settled in cash
    at each bar, so that a position stays what it was traded to. ``participation``: the most that is traded in a bar, as a
    share of its volume; None for all of it where costs know an impact, else for as much as is wanted. Nothing is traded in a
    bar without volume of an asset that has some otherwise.
    """

    min_weight: float = 0.0
    max_weight: float = 1.0
    max_gross: float = 1.0
    fill: Fill = "next_open"
    ruin: float = 0.05
    bars_per_year: float = 252.0
    settled: bool = False
    participation: float | None = None

    def __post_init__(self) -> None:
        if self.fill not in FILLS:
            raise TradingError(
                f"fill is one of {', '.join(FILLS)}, not {self.fill!r}: nobody can trade at a price that decided the trade"
            )
        if not -10 <= self.min_weight <= 0 <= self.max_weight <= 10 or self.max_weight == self.min_weight:
            raise TradingError(
                f"weights from {self.min_weight} to {self.max_weight} do not contain 0 or are over 10"
            )
        if not 0 < self.max_gross <= 10:
            raise TradingError(f"max_gross is above 0 and at most 10, not {self.max_gross}")
        if self.participation is not None and not 0 < self.participation <= 1:
            raise TradingError(f"participation is a share above 0 and at most 1, not {self.participation}")
        if not 0 <= self.ruin < 1 or not self.bars_per_year > 0:
            raise TradingError(
                f"ruin is in [0, 1) and bars_per_year above 0, not {self.ruin}, {self.bars_per_year}"
            )
