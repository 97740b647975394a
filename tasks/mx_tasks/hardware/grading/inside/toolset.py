"""Runs inside the grading sandbox: the pinned tools, Yosys with its SystemVerilog front end and ABC, everywhere the same.

It is the distribution ``pyosys`` of PyPI. Its library is loaded by a process of its own, whose exit it would spoil.
"""

import os
from typing import List

from .pinned import COMMAND, PACKAGES, PYTHON
from .tools import Ran, run


def yosys(step: str, script: str, seconds: float) -> Ran:
    """Run Yosys' commands, a line each. Raises LimitError."""
    ran = run(step, COMMAND, seconds, text=script)
    return ran._replace(errors=ran.output + ran.errors)


def abc() -> List[str]:
    """The command that runs ABC."""
    return [f"{PACKAGES}/pyosys/yosys-abc"]


def missing() -> List[str]:
    """What of the set is not there."""
    needed = {"pyosys": f"{PACKAGES}/pyosys/libyosys.so", "the Python of pyosys": PYTHON}
    return [name for name, path in needed.items() if not os.path.exists(path)]
