"""Runs inside the grading sandbox: run a published testbench on the published reference and record what it drives.

The reference stands in for the design under test, behind a module of the design's name that writes down its inputs
whenever one changes.
"""

import os
import random
import re
from typing import Any, Dict, List, Tuple

from .macros import RefusedError
from .netlist import Netlist
from .source import tokens
from .tools import run

RUN_S = 20.0
LARGEST_RECORD = 3_000_000
"""Characters of recorded steps that are kept."""

Ports = List[Tuple[str, str, int]]


def record(request: Dict[str, Any], netlist: Netlist, parameters: List[str]) -> Tuple[List[str], str]:
    """Inputs at the end of every time at which an input changed, and what the testbench printed.

    Raises RefusedError when the testbench does not compile with the reference, LimitError.
    """
    os.makedirs("bench")
    for name, text in request["data_files"].items():
        with open(f"bench/{os.path.basename(name)}", "w") as stream:
            stream.write(text)
    reference = renamed(request["reference"], "mx_ref_")
    recorder = _recorder(request["dut"], "mx_ref_" + request["reference_top"], netlist.ports, parameters)
    sources = {"tb.v": request["testbench"], "dut.v": reference, "recorder.v": recorder}
    if request["bench_needs_reference"]:
        sources["reference.v"] = request["reference"]
    refused = _compiled(sources, request["bench_tops"])
    if (
        refused
    ):  # some of SystemVerilog is Yosys' only: then its netlist, which says the same in plain Verilog
        with open(f"{netlist.name}.v") as stream:
            text = stream.read()
        for name, top in (
            ("dut.v", "mx_ref_" + request["reference_top"]),
            ("reference.v", request["reference_top"]),
        ):
            if name in sources:
                sources[name] = re.sub(rf"\b{netlist.name}\b", top, text)
        if _compiled(sources, request["bench_tops"]):
            raise RefusedError(f"the testbench does not compile with the reference: {refused}")
    ran = run("record", ["vvp", "-n", "mx.vvp", "-none"], RUN_S, folder="bench")
    return _steps(netlist.ports), ran.output[-4000:] + ran.errors[-1000:]


def _compiled(sources: Dict[str, str], tops: List[str]) -> str:
    """Compile what is to be simulated to mx.vvp; why not, where that fails. Raises LimitError."""
    for name, text in sources.items():
        with open(f"bench/{name}", "w") as stream:
            stream.write(text)
    options = [option for top in tops for option in ("-s", top)]
    compiled = run("record", ["iverilog", "-g2012", *options, "-o", "mx.vvp", *sources], 6.0, folder="bench")
    return "" if compiled.code == 0 else _line(compiled.errors or compiled.output)


def renamed(text: str, prefix: str) -> str:
    """The text with every module that it defines renamed, so that it can stand beside another copy."""
    found = tokens(text)
    solid = [n for n, token in enumerate(found) if token.kind != "space"]
    modules = {
        found[solid[n + 1]].text
        for n in range(len(solid) - 1)
        if found[solid[n]].text in ("module", "macromodule")
    }
    return "".join(prefix + t.text if t.kind == "name" and t.text in modules else t.text for t in found)


def _recorder(name: str, inner: str, ports: Ports, parameters: List[str]) -> str:
    def declared(direction: str, width: int, port: str) -> str:
        return f"{direction} [{width - 1}:0] {port}" if width > 1 else f"{direction} {port}"

    head = "#(" + ", ".join(f"parameter {each} = 0" for each in parameters) + ") " if parameters else ""
    inputs = [port for port, direction, _ in ports if direction == "input"]
    outputs = [port for port, direction, _ in ports if direction == "output"]
    zero = "1'b0"  # of a circuit without inputs, the beginning is recorded
    return "\n".join(
        [
            f"module {name} {head}({', '.join(declared(d, w, p) for p, d, w in ports)});",
            f"  {inner} mx_inner ({', '.join(f'.{port}({port})' for port in inputs + outputs)});",
            "  integer mx_file;",
            '  initial mx_file = $fopen("mx_steps.txt", "w");',
            f"  wire [{max(1, sum(w for _, d, w in ports if d == 'input')) - 1}:0] mx_in = {{{', '.join(inputs) or zero}}};",
            "  reg mx_started = 0;",
            "  initial mx_started <= 1;",
            '  always @(mx_in or mx_started) $fstrobe(mx_file, "%b", mx_in);',
            "endmodule",
            "",
        ]
    )


def _steps(ports: Ports) -> List[str]:
    width = sum(w for _, direction, w in ports if direction == "input")
    if width == 0:
        return [""]
    inputs: List[str] = []
    try:
        with open("bench/mx_steps.txt") as stream:
            for line in stream:
                row = line.strip()
                if len(row) == width and inputs[-1:] != [row]:
                    inputs.append(row.replace("z", "x"))
                if len(inputs) * width > LARGEST_RECORD:
                    break
    except OSError:
        pass  # the testbench never made an instance: nothing is recorded
    return inputs


def random_steps(ports: Ports, clocks: List[str], reset: str) -> List[str]:
    """Random inputs for a reference that comes without a testbench; an input that looks like a reset is active at first."""
    rng = random.Random("mx/random steps")
    inputs = [(name, width) for name, direction, width in ports if direction == "input"]
    steps = []
    for cycle in range(400):
        values = {name: f"{rng.getrandbits(width):0{width}b}" for name, width in inputs}
        if re.search("rst|reset", reset, re.IGNORECASE) and reset in values:
            active = "0" if re.search("n$|^n|_n", reset, re.IGNORECASE) else "1"
            values[reset] = active if cycle < 3 or rng.random() < 0.02 else str(1 - int(active))
        for level in "01" if clocks else "0":
            values.update(dict.fromkeys(clocks, level))
            steps.append("".join(values[name] for name, _ in inputs))
    return steps


def _line(text: str) -> str:
    lines = (
        [line for line in text.splitlines() if "error" in line.lower()] or text.strip().splitlines() or ["?"]
    )
    return re.sub(r"\s+", " ", lines[0])[:240]
