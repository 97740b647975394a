"""Runs inside the grading sandbox: values that may be unknown, as two literals: whether a bit may be 1, and whether it may be 0.

A known bit's two literals are each other's inverse, so that a circuit without unknowns is built once, not twice. Selections
are exact: a choice that is unknown between equal values is known.
"""

from typing import NamedTuple

from .aig import FALSE, TRUE, Aig


class Bit(NamedTuple):
    """``one``: it may be 1; ``zero``: it may be 0."""

    one: int
    zero: int

    @property
    def known(self) -> bool:
        """Whether it is always known."""
        return self.one == self.zero ^ 1


UNKNOWN = Bit(TRUE, TRUE)
ZERO, ONE = Bit(FALSE, TRUE), Bit(TRUE, FALSE)


def known(literal: int) -> Bit:
    """A literal as a known bit."""
    return Bit(literal, literal ^ 1)


def invert(a: Bit) -> Bit:
    """Not."""
    return Bit(a.zero, a.one)


def both(graph: Aig, a: Bit, b: Bit) -> Bit:
    """And."""
    return Bit(graph.land(a.one, b.one), graph.lor(a.zero, b.zero))


def either(graph: Aig, a: Bit, b: Bit) -> Bit:
    """Or."""
    return Bit(graph.lor(a.one, b.one), graph.land(a.zero, b.zero))


def differ(graph: Aig, a: Bit, b: Bit) -> Bit:
    """Exclusive or."""
    if a.known and b.known:
        return known(graph.xor(a.one, b.one))
    return Bit(
        graph.lor(graph.land(a.one, b.zero), graph.land(a.zero, b.one)),
        graph.lor(graph.land(a.one, b.one), graph.land(a.zero, b.zero)),
    )


def choose(graph: Aig, choice: Bit, a: Bit, b: Bit) -> Bit:
    """``b`` where ``choice``, else ``a``."""
    if choice.known and a.known and b.known:
        return known(graph.mux(choice.one, a.one, b.one))
    return Bit(
        graph.lor(graph.land(choice.zero, a.one), graph.land(choice.one, b.one)),
        graph.lor(graph.land(choice.zero, a.zero), graph.land(choice.one, b.zero)),
    )


def contradicts(graph: Aig, wanted: Bit, literal: int) -> int:
    """Where a wanted bit is known and the literal is the other value."""
    return graph.lor(graph.land(wanted.one ^ 1, literal), graph.land(wanted.zero ^ 1, literal ^ 1))
