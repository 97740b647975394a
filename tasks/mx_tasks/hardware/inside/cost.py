"""Runs inside the grading sandbox: how large and how deep circuits are after the same synthesis."""

import json
from typing import Any, Dict, List, Set, Tuple

from .tools import run

SYNTHESIS_S = 8.0
STORAGE = ("$_DFF", "$_SDFF", "$_ALDFF", "$_DLATCH", "$_SR_", "$_FF_", "$dff", "$adff", "$dlatch", "$mem")
SYNTHESIS = """design -reset
read_rtlil {name}.il
memory_map
opt
techmap
opt
dffunmap
simplemap
abc -g AND
opt_clean
write_json {name}_gates.json
"""


def costs(names: List[str]) -> Dict[str, Tuple[int, int, int]]:
    """AND nodes, register bits and depth in AND nodes of each circuit. Raises LimitError."""
    script = "".join(SYNTHESIS.format(name=name) for name in names)
    run("synthesis", ["yosys", "-q", "-"], SYNTHESIS_S, text=script)
    found = {}
    for name in names:
        with open(f"{name}_gates.json") as stream:
            found[name] = _measure(json.load(stream)["modules"][name])
    return found


def _measure(module: Dict[str, Any]) -> Tuple[int, int, int]:
    nodes = registers = 0
    gates: Dict[object, Tuple[int, List[object]]] = {}
    for cell in module["cells"].values():
        pins = cell["connections"]
        if cell["type"].startswith(STORAGE):
            registers += len(pins.get("Q", [None]))
        elif "Y" in pins:
            weight = 0 if cell["type"] == "$_NOT_" else 1
            nodes += weight
            gates[pins["Y"][0]] = (weight, [bit for pin, bits in pins.items() if pin != "Y" for bit in bits])
    return nodes, registers, _depth(gates)


def _depth(gates: Dict[object, Tuple[int, List[object]]]) -> int:
    depth: Dict[object, int] = {}
    busy: Set[object] = set()
    stack = list(gates)
    while stack:
        bit = stack[-1]
        if bit in depth or bit not in gates:
            stack.pop()
            continue
        weight, inputs = gates[bit]
        waiting = [each for each in inputs if each in gates and each not in depth and each not in busy]
        if waiting:
            busy.add(bit)
            stack += waiting
            continue
        depth[bit] = weight + max([depth.get(each, 0) for each in inputs], default=0)
        busy.discard(bit)
        stack.pop()
    return max(depth.values(), default=0)
