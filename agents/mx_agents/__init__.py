"""Policies, multi-agent methods, the benchmark, the co-evolution trainer, the command line.

``mx_agents.trial`` scores one candidate design on the validation split, ``mx_agents.open_trials`` opens a search for many.
"""

from __future__ import annotations

import typing

__all__ = ["open_trials", "trial"]


def __getattr__(name: str) -> typing.Any:
    """What is named above, imported when it is asked for: ``import mx_agents`` stays light."""
    if name not in __all__:
        raise AttributeError(f"module 'mx_agents' has no attribute {name!r}")
    from mx_agents.bench import trials

    return getattr(trials, name)
