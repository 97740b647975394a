"""Searches from outside: programs that try designs over HTTP, and choose one."""

from __future__ import annotations

from dataclasses import dataclass

from mx_agents.programs import Program


@dataclass(frozen=True, slots=True)
class Optimiser:
    """A search that runs outside: ``program`` is started for it; without one, whoever comes to the endpoint of ``mx serve``.

    What it finds on the validation split is what plays (see :mod:`mx_agents.bench.served`).
    """

    program: Program | None = None
