"""Scripted demonstrators for the micro hardware family.

Formulas become right-hand sides of ``assign``: operators, precedence and the mistakes of a hurried writer are those of
:mod:`~mx_agents.micro.demonstrations.software`, because Verilog's precedence of these operators is Python's.
"""

from __future__ import annotations

import random

from mx_agents.micro.demonstrations import software
from mx_tasks.hardware.sets.micro import INSTRUCTION

ROLE = "Write Verilog."
answer = software.answer


def understands(prompt: str) -> bool:
    """Whether it is a whole task of this family; a part by itself reads as one of software's, and has the same answer."""
    return INSTRUCTION in prompt


def design(rng: random.Random) -> str:
    """A random design in software's manner, with a role of its own."""
    return software.design(rng).replace(software.ROLE, ROLE)
