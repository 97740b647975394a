"""Runs inside the grading sandbox: how large and how deep circuits are after the same synthesis."""

import json
from typing import Dict, List, Tuple

from .measure import SYNTHESIS, measured
from .toolset import yosys

SYNTHESIS_S = 8.0


def costs(names: List[str]) -> Dict[str, Tuple[int, int, int]]:
    """AND nodes, register bits and depth in AND nodes of each circuit. Raises LimitError."""
    script = "".join(
        f"design -reset\nread_rtlil {name}.il\nrename {name} mx_circuit\n{SYNTHESIS}write_json {name}_gates.json\n"
        for name in names
    )
    yosys("synthesis", script, SYNTHESIS_S)
    found = {}
    for name in names:
        with open(f"{name}_gates.json") as stream:
            found[name] = measured(json.load(stream)["modules"]["mx_circuit"])
    return found
