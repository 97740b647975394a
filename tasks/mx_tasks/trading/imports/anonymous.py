"""Windows of real histories without names and dates: symbols renamed, prices rebased, dates shifted by whole weeks.

That keeps a model from reciting what it knows of a name or a year. It hides nothing from whoever has the bars: two returns
find the place (see :mod:`mx_tasks.trading.cheats.lookup`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mx_tasks.trading.imports.sources import History
from mx_tasks.trading.market.bars import Bars
from mx_tasks.trading.market.corporate import Action, action_table
from mx_tasks.trading.market.errors import WindowError
from mx_tasks.trading.market.rules import Costs, Rules
from mx_tasks.trading.market.simulator import Market, make_market
from mx_tasks.trading.market.windows import Span

SHIFT_WEEKS = 1500
CAPITAL = 1e6


def anonymous_market(
    history: History, span: Span, rng: np.random.Generator, costs: Costs, rules: Rules
) -> Market:
    """The window as a market of its own, in which nothing but the moves is what it was. Raises WindowError."""
    if not 0 <= span.start < span.stop <= history.bars.count or len(span) < 2:
        raise WindowError(f"rows {span.start} to {span.stop} are no window of {history.bars.count} bars")
    bars = history.bars.window(span.start, span.stop)
    order = rng.permutation(
        np.flatnonzero(np.isfinite(bars.close[0]))
    )  # what was delisted before is not there
    scale = 100 / bars.close[0, order]
    names = {bars.symbols[old]: f"S{new:02d}" for new, old in enumerate(order)}
    weeks = int(rng.integers(-SHIFT_WEEKS, SHIFT_WEEKS))
    days = np.timedelta64(7 * weeks, "D")
    prices = {name: getattr(bars, name)[:, order] * scale for name in ("open", "high", "low", "close")}
    renamed = Bars(
        dates=bars.dates + days,
        symbols=tuple(names[bars.symbols[old]] for old in order),
        volume=bars.volume[:, order] / scale,
        **prices,
    )
    known = {str(date)[:10] for date in bars.dates[1:]}
    factor = dict(zip((bars.symbols[old] for old in order), scale, strict=True))
    actions = [
        Action(
            str(np.datetime64(action.date, "D") + days),
            names[action.symbol],
            action.kind,
            action.value if action.kind == "split" else float(action.value * factor[action.symbol]),
        )
        for action in history.actions
        if action.date[:10] in known and action.symbol in names
    ]
    own = replace(rules, fill=history.fill)
    return make_market(renamed, costs, own, action_table(renamed, actions), capital=CAPITAL)
