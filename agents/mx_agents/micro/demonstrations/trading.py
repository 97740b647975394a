"""Scripted demonstrators for trading: the micro family, and a desk's trader.

Both know what to do and do it badly. The micro trader trades on any deviation as if trading cost nothing more often than not, and
slips now and then. A desk's trader misreads the market in one question of eight.
"""

from __future__ import annotations

import random
import re

from mx_tasks.trading.market.desk import QUESTION
from mx_tasks.trading.sets.micro import COSTS, INSTRUCTION, TARGETS, optimal, read_part

COST_BLIND = 0.4
SLIP = 0.02
MISREAD = 0.125
_SHOWN = re.compile(r"\b(regime|deviation|spread|signal(?:_\d)?) ([-+][\d.]*\d)")
_MOVES = re.compile(r"(?:bars ([^\n]*)|delisted), held")
PART = re.compile(r"^\d+\. cost \d: [-\d ]+$", re.MULTILINE)

ROLE = "Trade."
IMPORT = "from mas import *"
TRADER = f'trader = Agent("trader", "{ROLE}")'
WHOLE_TASK = 0.5
SOLVERS = {"{agent}": 0.55, "best_of({agent}, {what}, {count})": 0.3, "vote({agent}, {what}, {count})": 0.15}


def understands(prompt: str) -> bool:
    """Whether it is a prompt of trading."""
    return INSTRUCTION in prompt or PART.search(prompt) is not None or QUESTION in prompt


def answer(question: str, rng: random.Random) -> str:
    """Targets for each path of the question, one line each; weights for a desk's question; consent to a review."""
    if "Say LGTM" in question:
        return "LGTM"
    if QUESTION in question:
        return _weights(question, rng)
    return "\n".join(_targets(part, rng) for part in PART.findall(question))


def design(rng: random.Random) -> str:
    """A random design: the whole task at once or split, one draft or several."""
    solver = rng.choices(list(SOLVERS), list(SOLVERS.values()))[0]
    count = rng.randint(2, 5)
    if rng.random() < WHOLE_TASK:
        body = solver.format(agent="trader", what="task", count=count)
        body = "trader(task)" if body == "trader" else body
    else:
        body = solver.format(agent="trader", what="part", count=count)
        body = "split(trader)" if body == "trader" else f"split(lambda part: {body})"
    return "\n".join([IMPORT, TRADER, f"submit({body})"])


def desk(rng: random.Random) -> str:
    """A random desk: one trader or several who vote."""
    body = rng.choice(["trader", "lambda question: vote(trader, question, 3)"])
    return "\n".join([IMPORT, TRADER, f"market.trade({body})"])


def _targets(part: str, rng: random.Random) -> str:
    cost, path = read_part(part)
    if rng.random() < COST_BLIND:
        cost = min(COSTS)
    return " ".join(
        rng.choice(list(TARGETS)) if rng.random() < SLIP else target for target in optimal(cost, path)
    )


def _weights(question: str, rng: random.Random) -> str:
    """Long in a good regime or below the anchor; with nothing but prices, where they have risen."""
    shown = {name: float(value) for name, value in _SHOWN.findall(question)}
    if "signal_1" in shown:
        return _by_signals(shown, rng)
    held = [float(value) for value in re.findall(r"held (-?[\d.]+)", question)] or [0.0]
    if "deviation" in shown:
        return _by_deviation(shown["deviation"], held[0], rng)
    if "spread" in shown and len(held) == 2:
        return _by_spread(shown["spread"], held, rng)
    rising = (
        [max(shown.values()) > 0]
        if shown
        else ["+" in moves.split(", ")[-1] for moves in _MOVES.findall(question)]
    )
    rising = [not up if rng.random() < MISREAD else up for up in rising]
    lowest = re.search(r"each from (-?[\d.]+) to", question)
    short, share = float(lowest.group(1)) if lowest else 0.0, 1 / max(1, len(rising))
    return " ".join(f"{share if up else max(short, -1.0) * share:.2f}" for up in rising)


def _by_signals(shown: dict[str, float], rng: random.Random) -> str:
    """Towards what the signals say of three assets, as if trading cost nothing."""
    first, second = shown["signal_1"], shown.get("signal_2", 0.0)
    if rng.random() < MISREAD:
        first, second = second, first
    wanted = (0.4 * first + 0.1 * second, 0.2 * second - 0.3 * first, 0.1 * first - 0.2 * second)
    return " ".join(f"{weight:.2f}" for weight in wanted)


def _by_spread(spread: float, held: list[float], rng: random.Random) -> str:
    """Against the spread with both, and hold on where it is small."""
    if rng.random() < MISREAD:
        spread = -spread
    if abs(spread) < 1:
        return f"{held[0]:.2f} {held[1]:.2f}"
    return "-1.00 1.00" if spread > 0 else "1.00 -1.00"


def _by_deviation(deviation: float, held: float, rng: random.Random) -> str:
    if rng.random() < MISREAD:
        deviation = -deviation
    if abs(deviation) < 2:
        return f"{held:.2f}"
    return "-1.00" if deviation > 0 else "1.00"
