"""What a user can get wrong with market data and their use; each message names the offending value and the way out."""

from __future__ import annotations

from mx_tasks.errors import TaskSetError


class TradingError(TaskSetError):
    """Something is wrong with market data, weights, costs, windows or a calendar."""


class DataError(TradingError):
    """Market data cannot be right: a row is named."""


class WeightsError(TradingError):
    """Target weights are not a finite number for each asset."""


class WindowError(TradingError):
    """A window of bars does not exist in the data."""
