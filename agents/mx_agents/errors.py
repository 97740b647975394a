"""The errors of this room, and the one way they come about: somebody asked for what does not exist or does not work.

::

    UsageError              what was asked for makes no sense; the message names the value and the way out
    PolicyError             a policy cannot act (its endpoint refused, its record ran out)
    └── ReplayDifferenceError   an episode went another way than the record that is replayed
"""

from __future__ import annotations

from collections.abc import Iterable

from mx_tasks.errors import did_you_mean

__all__ = ["PolicyError", "ReplayDifferenceError", "UsageError", "did_you_mean", "unknown"]


class UsageError(ValueError):
    """What was asked for does not exist or cannot be done; the message names the value and the way out."""


class PolicyError(RuntimeError):
    """A policy cannot act, and asking again would not help."""


class ReplayDifferenceError(PolicyError):
    """A replayed episode asked something that the record does not hold; the message says where they part."""


def unknown(kind: str, name: str, known: Iterable[str], more: str = "") -> UsageError:
    """The error for a name that does not exist, with the nearest that does and all of them."""
    names = list(known)
    listed = ", ".join(names) or "none"
    return UsageError(f"there is no {kind} {name!r}{did_you_mean(name, names)}; there are: {listed}{more}")
