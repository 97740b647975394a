"""What a synthesised circuit costs, read off Yosys' JSON: the grader and the tool ``synthesise`` measure alike."""

from typing import Any, Dict, List, Set, Tuple

STORAGE = ("$_DFF", "$_SDFF", "$_ALDFF", "$_DLATCH", "$_SR_", "$_FF_", "$dff", "$adff", "$dlatch", "$mem")
SYNTHESIS = """setattr -unset src
setattr -unset src */c:* */w:*
rename -enumerate -pattern mx%
memory_map
opt
techmap
opt
dffunmap
simplemap
abc -g AND
opt_clean
"""


def measured(module: Dict[str, Any]) -> Tuple[int, int, int]:
    """AND nodes, register bits and depth in AND nodes."""
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
