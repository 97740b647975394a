"""The market as a script in the sandbox meets it: one bar after another, on the host's clock.

What comes in is untrusted: weights that cannot be read keep the present target and count as a fault.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mx_tasks.service import ServiceError
from mx_tasks.trading.market.bars import FIELDS, Array
from mx_tasks.trading.market.reruns import FACTORS, before_fill, run_again
from mx_tasks.trading.market.simulator import Market, Portfolio, allowed

NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_PLAIN = re.compile(rf"({NUMBER})\s*(%?)")
LONGEST_TEXT = 20_000
QUESTION = "Set the target weight"


@dataclass
class Desk:
    """One episode's market, from the close of bar ``first`` to the end of its data.

    The log of each bar: what was intended, what the risk rules made of it, what was filled, its cost, and the value after it.
    """

    market: Market
    first: int
    row: int = field(init=False)
    portfolio: Portfolio = field(init=False)
    name: str = "market"
    faults: list[str] = field(default_factory=list)
    intended: list[list[float] | None] = field(default_factory=list)
    edited: list[list[float]] = field(default_factory=list)
    held: list[list[float]] = field(default_factory=list)
    filled: list[list[float]] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    carry: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=lambda: [1.0])
    more: int = 0
    """Bars left in markets that come after this one."""
    offset: int = 0
    """Added to the numbers of bars that are shown: bars before this market's."""
    _acts: int = 0
    _targets: list[list[float] | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not 0 <= self.first < self.market.last:
            raise ValueError(f"no bar is left to trade on after bar {self.first} of {self.market.bars.count}")
        self.row = self.first
        self.portfolio = Portfolio.start(self.market)

    @property
    def left(self) -> int:
        """Bars left to trade on; none after ruin."""
        ruined = self.portfolio.value <= self.market.rules.ruin
        return 0 if ruined else self.market.last - self.row

    def call(self, method: str, arguments: Mapping[str, Any]) -> Any:
        """See :class:`mx_tasks.Service`."""
        match method:
            case "observe":
                return self.observe(arguments.get("n", 1))
            case "account":
                return self.account()
            case "question":
                return self.question()
            case "rebalance":
                return self.rebalance(arguments.get("weights"))
        raise ServiceError(f"the market has no {method!r}; it has observe, account, question, rebalance")

    def observe(self, n: object = 1) -> list[dict[str, Any]]:
        """The newest n bars, oldest first; no more than there are."""
        if type(n) is not int or n < 1:
            raise ServiceError(f"observe(n) takes a number of bars, 1 or more, not {n!r:.50}")
        bars = self.market.bars
        return [
            {"bar": row + self.offset, **{name: _known(getattr(bars, name)[row]) for name in FIELDS}}
            | {name: float(column[row]) for name, column in bars.extra.items()}
            | self._happened(row)
            for row in range(max(0, self.row + 1 - n), self.row + 1)
        ]

    def _happened(self, row: int) -> dict[str, Any]:
        """The corporate actions before the open of a bar, by asset; nothing where there were none."""
        table, symbols = self.market.table, self.market.bars.symbols
        if table is None:
            return {}
        split, dividend = table.split[row], table.dividend[row]
        found: dict[str, Any] = {
            "split": {symbols[asset]: float(split[asset]) for asset in np.flatnonzero(split != 1)},
            "dividend": {symbols[asset]: float(dividend[asset]) for asset in np.flatnonzero(dividend)},
            "delisted": [symbol for symbol, when in zip(symbols, table.delisted, strict=True) if when == row],
        }
        return {name: each for name, each in found.items() if each}

    def account(self) -> dict[str, Any]:
        """What is held now."""
        weights = self.portfolio.weights
        return {
            "assets": list(self.market.bars.symbols),
            "weights": weights.tolist(),
            "cash": 1.0 if self.market.rules.settled else float(1 - weights.sum()),
            "value": float(self.portfolio.value),
            "bar": self.row + self.offset,
            "left": self.left + self.more,
            "faults": len(self.faults),
        }

    def rebalance(self, wanted: object) -> dict[str, Any]:
        """Trade towards the weights at the next fill, move on to the next close; the account there."""
        if not self.left:
            raise ServiceError("the market has closed: no bar is left to trade on")
        self._acts += 1
        weights, fault = read_weights(wanted, self.market.bars.symbols)
        self._step(weights, fault)
        return self.account() | ({"fault": fault} if fault else {})

    def hold(self) -> None:
        """One bar on without a trade, as a decision."""
        self._acts += 1
        self._step(None, "")

    def question(self) -> str:
        """The present in a few lines."""
        bars, rules, row = self.market.bars, self.market.rules, self.row
        weights = self.portfolio.weights
        extra = "".join(f" {name} {column[row]:+g}." for name, column in bars.extra.items())
        lines = [
            f"{QUESTION} of {', '.join(bars.symbols)}: each from {rules.min_weight:g} to {rules.max_weight:g}, "
            f"their sizes at most {rules.max_gross:g} in all. Bar {row + self.offset}, {self.left + self.more} left.{extra}"
        ]
        for asset, symbol in enumerate(bars.symbols):
            lines.append(f"{symbol}: {self._price(asset)}, held {weights[asset]:.3f}")
        lines += [f"Before the open: {name} {each}." for name, each in self._happened(row).items()]
        lines.append(f"Trading costs {self.market.costs.said}. Answer with the weights alone.")
        return "\n".join(lines)

    def _price(self, asset: int) -> str:
        """An asset's close and its last moves, in which splits and dividends are none."""
        row, close = self.row, self.market.bars.close[self.row, asset]
        if not np.isfinite(close):
            return "delisted" if np.isfinite(self.market.bars.close[:row, asset]).any() else "not listed yet"
        past = np.cumprod(self.market.grown(slice(max(1, row - 19), row + 1))[:, asset])[::-1]
        moves = [
            f"{past[0] / (past[back] if back < len(past) else 1) - 1:+.2%}"
            for back in (1, 5, 20)
            if back <= len(past)
        ]
        return f"close {close:.2f}, last 1, 5, 20 bars {', '.join(moves) or 'new'}"

    def finish(self) -> Mapping[str, Any]:
        """Hold the last target to the end, sell, and give the whole log."""
        acts = self._acts
        while self.left:
            self._step(None, "")
        sold = float(self.portfolio.liquidation(self.row))
        bars = self.market.bars
        return {
            "acted": acts > 0,
            "acts": acts,
            "first": self.first,
            "year": self.market.rules.bars_per_year,
            "symbols": list(bars.symbols),
            "dates": [str(date) for date in bars.dates[self.first : self.row + 1]],
            "intended": self.intended,
            "edited": self.edited,
            "held": self.held,
            "filled": self.filled,
            "costs": self.costs,
            "carry": self.carry,
            "values": self.values,
            "liquidation": sold,
            "benchmark": self._benchmark(),
            "at costs": {
                str(factor): run_again(self.market, self.first, self._targets, factor) for factor in FACTORS
            },
            "faults": list(self.faults),
        }

    def _benchmark(self) -> list[float]:
        """Equal shares of all assets bought at the first close and held, without costs."""
        market = self.market
        grown = market.grown(slice(self.first + 1, self.row + 1))
        return [1.0, *np.cumprod(grown, axis=0).mean(axis=1).tolist()]

    def _step(self, wanted: Array | None, fault: str) -> None:
        """One bar on: to the weights; after a fault to the last target; else, and before there is a target, without a trade."""
        self.row += 1
        held = before_fill(self.portfolio, self.row)
        if wanted is not None:
            target, _ = allowed(self.market.rules, wanted, np.ones(len(held)))
        elif fault and self.edited:
            target = np.array(self.edited[-1])
        else:
            target = held
        self._targets.append(None if target is held else target.tolist())
        step = self.portfolio.step(self.row, target)
        if fault:
            self.faults.append(f"bar {self.row - 1}: {fault}")
        self.intended.append(None if wanted is None else wanted.tolist())
        self.edited.append(target.tolist())
        self.held.append(held.tolist())
        self.filled.append(self.portfolio.weights.tolist())
        self.costs.append(float(step.trade_cost))
        self.carry.append(float(step.carry))
        self.values.append(float(step.value))


def _known(row: Array) -> list[float | None]:
    """The numbers of a bar; None for what a delisted asset has no more."""
    return [value if math.isfinite(value) else None for value in row.tolist()]


def read_weights(wanted: object, symbols: Sequence[str]) -> tuple[Array | None, str]:
    """The weights in what a model or its script gave, or None and what is wrong with it. Never raises.

    Taken: a list with a number for each asset, a dict by asset (missing ones are 0), a number for a single asset, or a text with
    ``A: 0.5`` for each asset or with the numbers alone; percent signs count.
    """
    if isinstance(wanted, str):
        return _from_text(wanted[-LONGEST_TEXT:], symbols)
    if isinstance(wanted, Mapping):
        unknown = [name for name in wanted if name not in symbols]
        if unknown:
            return None, f"there is no asset {str(unknown[0])[:40]!r}"
        wanted = [wanted.get(symbol, 0.0) for symbol in symbols]
    elif isinstance(wanted, int | float):
        wanted = [wanted]
    if not isinstance(wanted, list | tuple):
        return None, f"weights are numbers, not a {type(wanted).__name__}"
    if len(wanted) != len(symbols):
        return None, f"{len(wanted)} weights for {len(symbols)} assets"
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in wanted):
        return None, "a weight is no number"
    try:
        values = [float(value) for value in wanted]
    except OverflowError:
        return None, "a weight is not finite"
    if not all(math.isfinite(value) and abs(value) < 1e9 for value in values):
        return None, "a weight is not finite"
    return np.array(values), ""


def _from_text(text: str, symbols: Sequence[str]) -> tuple[Array | None, str]:
    named = {}
    for symbol in symbols:
        found = re.findall(rf"(?<!\w){re.escape(symbol)}(?!\w)[\"']?\s*[:=]?\s*({NUMBER})\s*(%?)", text)
        if found:
            named[symbol] = _value(*found[-1])
    if named:
        return read_weights([named.get(symbol, 0.0) for symbol in symbols], symbols)
    for line in reversed(text.splitlines()):
        numbers = [_value(*pair) for pair in _PLAIN.findall(line)]
        if numbers:
            return read_weights(numbers[-1:] if len(symbols) == 1 else numbers, symbols)
    return None, "there is no number in the answer"


def _value(digits: str, percent: str) -> float:
    return float(digits) / (100 if percent else 1)
