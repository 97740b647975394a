"""Runs inside the grading sandbox: a circuit's text to a netlist of word-level cells, and what can be read off it."""

import json
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from .macros import RefusedError
from .meaning import DIVIDE, without_signs, write_divisions
from .source import circuit
from .tools import run
from .toolset import yosys

ELABORATION_S = 8.0
LARGEST_CELLS = 60_000
LARGEST_DRAWN = 60
FLIP_FLOPS = frozenset(
    [
        "$dff",
        "$dffe",
        "$sdff",
        "$sdffe",
        "$sdffce",
        "$adff",
        "$adffe",
        "$aldff",
        "$aldffe",
        "$dffsr",
        "$dffsre",
    ]
)
LATCHES = frozenset(["$dlatch", "$adlatch", "$dlatchsr", "$sr"])
MEMORIES = frozenset(["$mem", "$mem_v2"])
CELLS = (
    FLIP_FLOPS
    | LATCHES
    | MEMORIES
    | frozenset(
        [
            "$not",
            "$pos",
            "$neg",
            "$buf",
            "$and",
            "$or",
            "$xor",
            "$xnor",
            "$reduce_and",
            "$reduce_or",
            "$reduce_xor",
            "$reduce_xnor",
            "$reduce_bool",
            "$logic_not",
            "$logic_and",
            "$logic_or",
            "$shl",
            "$shr",
            "$sshl",
            "$sshr",
            "$shift",
            "$shiftx",
            "$lt",
            "$le",
            "$eq",
            "$ne",
            "$eqx",
            "$nex",
            "$ge",
            "$gt",
            "$add",
            "$sub",
            "$mul",
            "$div",
            "$mod",
            "$divfloor",
            "$modfloor",
            "$pow",
            "$mux",
            "$pmux",
            "$bmux",
            "$demux",
            "$tribuf",
            "$bweqx",
            "$bwmux",
            "$concat",
            "$slice",
            "$lut",
            "$macc",
            "$alu",
            "$fa",
            "$lcu",
            "$_AND_",
            "$_OR_",
            "$_XOR_",
            "$_XNOR_",
            "$_NAND_",
            "$_NOR_",
            "$_NOT_",
            "$_BUF_",
            "$_MUX_",
            "$_TBUF_",
            "$_ANDNOT_",
            "$_ORNOT_",
        ]
    )
)
OUTPUT_PINS = frozenset({"Y", "Q", "RD_DATA", "CO", "X"})
FRONT_ENDS = (
    """read_verilog -sv -nodisplay -noassert -noassume {source}
hierarchy -check -top {top}
setattr -unset always_comb -unset always_latch -unset always_ff */p:*
""",
    """read_slang --ignore-assertions --ignore-timing --allow-use-before-declare --top {top} {source}
hierarchy -check -top {top}
""",
)
"""Yosys' own reader of Verilog, and slang, which knows all of SystemVerilog. The second is asked where the first breaks off."""
ELABORATE = """proc -norom
bwmuxmap
flatten
{divisions}
delete */t:$scopeinfo */t:$print */t:$check */t:$assert */t:$assume */t:$cover */t:$live */t:$fair
opt_clean
check
memory -nomap
opt_clean
{starts}
rename {top} {name}
write_json {name}.json
write_rtlil {name}.il
write_verilog -noattr {name}.v
"""


FORGET = "setattr -unset init t:$*dff* t:$*dlatch* %u t:$sr %u %x:+[Q] w:* %i"
"""Makes registers forget the start values that they name."""
VARIANTS = {
    "zero": "setundef -zero -init",
    "one": "setundef -one -init",
    "mixed": "setundef -one\nsetundef -zero -init",
}
"""Circuits without unknowns: registers start at 0, 1, 0; unknown constants are 0, 1, 1."""


IMPLICIT = re.compile(r"Identifier `\\([^']*[.$][^']*)' is implicitly declared")
"""How Yosys' reader says that it took ``$random`` or ``tb.dut.q`` for the name of a wire."""


class Netlist(NamedTuple):
    """A circuit after elaboration. Its files are NAME.il, NAME.v and NAME.json in the working folder.

    ``ports`` are (name, direction, width); ``clocks`` (port, positive edge) of all registers, None where a clock is no port;
    ``resets`` likewise of asynchronous resets and loads.
    """

    name: str
    ports: List[Tuple[str, str, int]]
    cells: Dict[str, int]
    clocks: Set[Optional[Tuple[str, bool]]]
    resets: Set[Optional[Tuple[str, bool]]]
    plain_clock: bool
    unknowns: bool
    floating: bool
    loops: bool
    memory_bits: int

    @property
    def registers(self) -> bool:
        """Whether it stores anything."""
        return any(kind in self.cells for kind in FLIP_FLOPS | LATCHES | MEMORIES)

    @property
    def waits_for_clock(self) -> bool:
        """Whether a pulse of a reset between two edges of the clock is not what one across an edge is."""
        others = FLIP_FLOPS - {"$adff", "$adffe"} | MEMORIES
        return bool(self.resets) and (len(self.resets) > 1 or any(kind in self.cells for kind in others))

    @property
    def loads(self) -> bool:
        """Whether it has registers that take something over whatever the clock does."""
        return "$aldff" in self.cells or "$aldffe" in self.cells

    @property
    def latches(self) -> bool:
        """Whether it has level-sensitive storage."""
        return any(kind in self.cells for kind in LATCHES)


def elaborate(text: str, top: str, name: str, *, starts: bool = True) -> Netlist:
    """Check a text and turn it into a netlist called ``name``; without ``starts``, registers forget theirs.

    Raises RefusedError, LimitError.
    """
    folder = f"read_{name}"
    os.makedirs(folder)  # the tools read it in an empty folder
    with open(f"{folder}/answer.v", "w") as stream:
        stream.write(circuit(text, top))
    write_divisions()
    forget = "" if starts else FORGET
    errors = []
    for front_end in FRONT_ENDS:
        script = (front_end + ELABORATE).format(
            source=f"{folder}/answer.v", top=top, name=name, starts=forget, divisions=DIVIDE
        )
        ran = yosys("elaborate", script, ELABORATION_S)
        taken_for_wires = IMPLICIT.search(ran.errors)
        if ran.code == 0 and taken_for_wires is None:
            break
        errors.append(f"{taken_for_wires.group(1)}" if taken_for_wires else _first_error(ran.errors))
    else:
        raise RefusedError("; ".join(dict.fromkeys(errors)))
    if "multiple conflicting drivers" in ran.errors:
        raise RefusedError("a signal with more than one driver")
    for path in (f"{name}.il", f"{name}.v"):
        without_signs(path)
    with open(f"{name}.json") as stream:
        module = json.load(stream)["modules"][name]
    return _read(name, module, loops="found logic loop" in ran.errors)


def drawing(netlist: Netlist) -> Dict[str, Any]:
    """What a picture of the circuit needs: ports, cells with their pins, names; only the number of cells of a large one."""
    count = sum(netlist.cells.values())
    if count > LARGEST_DRAWN:
        return {"count": count}
    with open(f"{netlist.name}.json") as stream:
        module = json.load(stream)["modules"][netlist.name]
    cells = [_drawn(str(cell["type"]), cell) for _, cell in sorted(module["cells"].items())]
    ports = [[port, at["direction"], at["bits"]] for port, at in module["ports"].items()]
    names = {
        name: at["bits"]
        for name, at in module.get("netnames", {}).items()
        if not at.get("hide_name") and "$" not in name
    }
    return {"count": count, "ports": ports, "cells": cells, "names": names}


def _drawn(kind: str, cell: Dict[str, Any]) -> Dict[str, Any]:
    pins: Dict[str, Dict[str, object]] = {"input": {}, "output": {}}
    for pin, bits in cell["connections"].items():
        way = cell.get("port_directions", {}).get(pin, "output" if pin in OUTPUT_PINS else "input")
        pins["output" if way == "output" else "input"][pin] = bits
    kept = {
        name: str(value)[-64:]
        for name, value in cell.get("parameters", {}).items()
        if name.endswith(("_POLARITY", "RST_VALUE"))
    }
    return {"kind": kind, "in": pins["input"], "out": pins["output"], "parameters": kept}


def parameters_of(name: str) -> List[str]:
    """Names of the top module's parameters, as far as the netlist still knows them."""
    with open(f"{name}.json") as stream:
        return sorted(json.load(stream)["modules"][name].get("parameter_default_values", {}))


def write_variants(names: List[str]) -> None:
    """Write NAME_zero.v, NAME_one.v and NAME_mixed.v of these circuits, whose modules have those names. Raises LimitError."""
    script = ""
    for name in names:
        for variant, commands in VARIANTS.items():
            script += f"design -reset\nread_rtlil {name}.il\n{commands}\nrename {name} {name}_{variant}\n"
            script += f"write_verilog -noattr {name}_{variant}.v\n"
    ran = yosys("variants", script, ELABORATION_S)
    if ran.code != 0:
        raise RefusedError(_first_error(ran.errors or ran.output))
    for name in names:
        for variant in VARIANTS:
            _start_memories(f"{name}_{variant}.v", "1" if variant == "one" else "0")


MEMORY = re.compile(r"^  reg \[(\d+):0\] (\\\S+ |\w+) ?\[(\d+):0\];$", re.MULTILINE)


def _start_memories(path: str, bit: str) -> None:
    """Give the words of memories that start unknown the value of all-0 or all-1."""
    with open(path) as stream:
        text = stream.read()
    added = ""
    for place, (width, memory, depth) in enumerate(MEMORY.findall(text)):
        if (
            f"{memory.strip()} [" not in text.split("initial begin", 1)[-1].split("end", 1)[0]
            or "initial begin" not in text
        ):
            index = f"mx_i{place}"
            loop = f"for ({index} = 0; {index} <= {depth}; {index} = {index} + 1)"
            value = f"{{{int(width) + 1}{{1'b{bit}}}}}"
            added += f"  integer {index};\n  initial {loop} {memory} [{index}] = {value};\n"
    if added:
        with open(path, "w") as stream:
            stream.write(text.replace("endmodule", added + "endmodule"))


def expanded(text: str, folder: str) -> str:
    """The text after macro expansion in a folder of its own. Raises RefusedError, LimitError."""
    with open(f"{folder}/macros.v", "w") as stream:
        stream.write(text)
    ran = run("expand", ["iverilog", "-E", "-g2012", "-o", "expanded.v", "macros.v"], 2.0, folder=folder)
    if ran.code != 0:
        raise RefusedError(f"macros: {ran.errors.strip()[:200]}")
    with open(f"{folder}/expanded.v", errors="replace") as stream:
        return "".join(line for line in stream if not line.startswith("`line "))


def _first_error(log: str) -> str:
    for line in log.splitlines():
        if "ERROR" in line:
            said = line.partition("ERROR:")[2].strip()
            return (
                "Yosys: "
                + re.sub(r"read_mx_\w+/answer\.v", "design.v", line.partition("ERROR:")[0] + said)[:300]
            )
    return "Yosys: " + (log.strip().splitlines() or ["no reason given"])[-1][:300]


def _read(name: str, module: Dict[str, Any], loops: bool) -> Netlist:
    cells: Dict[str, int] = {}
    inputs: Dict[int, str] = {}
    ports = [(port, str(at["direction"]), len(at["bits"])) for port, at in module["ports"].items()]
    for port, at in module["ports"].items():
        if at["direction"] == "input":
            inputs.update({bit: port for bit in at["bits"] if isinstance(bit, int) and len(at["bits"]) == 1})
    clocks: Set[Optional[Tuple[str, bool]]] = set()
    resets: Set[Optional[Tuple[str, bool]]] = set()
    memory_bits = 0
    for cell in module["cells"].values():
        kind = str(cell["type"])
        cells[kind] = cells.get(kind, 0) + 1
        clocks |= _clocks(kind, cell, inputs)
        resets |= _resets(kind, cell, inputs)
        if kind in MEMORIES:
            memory_bits += int(cell["parameters"]["SIZE"], 2) * int(cell["parameters"]["WIDTH"], 2)
    alien = sorted(set(cells) - CELLS)
    if alien:
        raise RefusedError(f"a cell that is no circuit: {alien[0]}")
    if sum(cells.values()) > LARGEST_CELLS:
        raise RefusedError(f"more than {LARGEST_CELLS} cells")
    clock_bits, data_bits, driven = _bits(module)
    undriven = any(isinstance(bit, int) and bit not in driven for bit in data_bits)
    plain_clock = not any(isinstance(bit, int) and bit in data_bits for bit in clock_bits)
    unknowns = "x" in data_bits or undriven
    return Netlist(
        name, ports, cells, clocks, resets, plain_clock, unknowns, "z" in data_bits, loops, memory_bits
    )


def _bits(module: Dict[str, Any]) -> Tuple[Set[object], Set[object], Set[object]]:
    """Bits that clock something, bits that are read otherwise, and bits that something drives."""
    clocking: Set[object] = set()
    read: Set[object] = set()
    driven: Set[object] = set()
    for cell in module["cells"].values():
        kind = str(cell["type"])
        for pin, bits in cell["connections"].items():
            if (
                cell.get("port_directions", {}).get(pin, "output" if pin in OUTPUT_PINS else "input")
                == "output"
            ):
                driven.update(bits)
            elif pin in ("CLK", "RD_CLK", "WR_CLK") and kind in FLIP_FLOPS | MEMORIES:
                clocking.update(bits)
            else:  # a memory's unused pins are unknown without any harm
                read.update(set(bits) - {"x"} if kind in MEMORIES else bits)
    for at in module["ports"].values():
        (driven if at["direction"] == "input" else read).update(at["bits"])
    return clocking, read, driven


def _port(bit: object, inputs: Dict[int, str], positive: bool) -> Optional[Tuple[str, bool]]:
    return (inputs[bit], positive) if isinstance(bit, int) and bit in inputs else None


def _clocks(kind: str, cell: Dict[str, Any], inputs: Dict[int, str]) -> Set[Optional[Tuple[str, bool]]]:
    if kind in FLIP_FLOPS:
        positive = _flag(cell, "CLK_POLARITY")
        return {_port(cell["connections"]["CLK"][0], inputs, positive)}
    if kind not in MEMORIES:
        return set()
    found: Set[Optional[Tuple[str, bool]]] = set()
    for side in ("RD", "WR"):
        enabled = str(cell["parameters"].get(f"{side}_CLK_ENABLE", ""))[::-1]
        polarity = str(cell["parameters"].get(f"{side}_CLK_POLARITY", ""))[::-1]
        for place, bit in enumerate(cell["connections"].get(f"{side}_CLK", [])):
            if enabled[place : place + 1] == "1":
                found.add(_port(bit, inputs, polarity[place : place + 1] == "1"))
            elif side == "WR":
                found.add(None)
    return found


def _resets(kind: str, cell: Dict[str, Any], inputs: Dict[int, str]) -> Set[Optional[Tuple[str, bool]]]:
    pins = {"$adff": "ARST", "$adffe": "ARST", "$adlatch": "ARST", "$aldff": "ALOAD", "$aldffe": "ALOAD"}
    if kind in ("$dffsr", "$dffsre"):
        return {None}
    if kind not in pins:
        return set()
    pin = pins[kind]
    return {_port(cell["connections"][pin][0], inputs, _flag(cell, f"{pin}_POLARITY"))}


def _flag(cell: Dict[str, Any], name: str) -> bool:
    return "1" in str(cell["parameters"].get(name, "1"))
