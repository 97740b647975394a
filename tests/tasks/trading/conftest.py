"""What the trading tests share: random markets with everything that can happen in one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mx_tasks.trading.market.bars import Bars


def random_bars(seed: int = 0, count: int = 60, assets: int = 3) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (count, assets)), axis=0))
    opened = np.vstack([close[:1], close[:-1]]) * np.exp(rng.normal(0, 0.01, (count, assets)))
    spread = np.exp(np.abs(rng.normal(0, 0.004, (count, assets))))
    return Bars(
        dates=np.datetime64("2020-01-06") + np.arange(count),
        symbols=tuple(f"A{number}" for number in range(assets)),
        open=opened,
        high=np.maximum(opened, close) * spread,
        low=np.minimum(opened, close) / spread,
        close=close,
        volume=rng.uniform(1e4, 1e6, (count, assets)),
    )


@pytest.fixture
def make_bars() -> Any:
    return random_bars
