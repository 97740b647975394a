"""Runs inside the grading sandbox: a testbench on designs that it does not know apart, and which mutants are certainly wrong.

A testbench is a program and may lie. So it is compiled with one design at a time, under the same names, and runs in an
empty folder with the same arguments: all that can differ between two runs is what the design's outputs do. Designs are
netlists whose inner names are gone. What reads files, arguments or names, or reaches into the design, is refused before.
"""

import os
import shutil
from typing import Any, Dict, List

from .macros import RefusedError
from .netlist import elaborate, expanded
from .simulate import simulate
from .source import FORBIDDEN_DIRECTIVES, Token, tokens
from .tools import LimitError, run
from .toolset import yosys

RUN_S = 1.0
COMPILE_S = 3.0
MOST_OUTPUT = 1 << 20
SYSTEM = frozenset(
    [
        "$display", "$displayb", "$displayh", "$displayo", "$write", "$writeb", "$writeh", "$writeo",
        "$strobe", "$strobeb", "$strobeh", "$monitor", "$monitorb", "$monitorh", "$monitoron", "$monitoroff",
        "$finish", "$stop", "$error", "$warning", "$info", "$fatal", "$time", "$stime", "$realtime", "$timeformat",
        "$random", "$urandom", "$urandom_range", "$signed", "$unsigned", "$clog2", "$bits", "$size", "$high", "$low",
        "$left", "$right", "$countones", "$onehot", "$onehot0", "$isunknown", "$rtoi", "$itor", "$sformat", "$sformatf",
        "$dumpfile", "$dumpvars", "$dumpon", "$dumpoff", "$",
    ]
)  # fmt: skip
METHODS = frozenset(
    ["push_back", "push_front", "pop_back", "pop_front", "size", "delete", "insert", "num", "exists", "len"]
)
"""What may stand behind a dot: methods of queues and arrays."""
FORBIDDEN = frozenset(
    ["bind", "config", "defparam", "export", "import", "library", "incdir", "program", "$root", "$unit"]
)
LINES = ("`timescale", "`default_nettype", "`resetall", "`undef")
PRESENTED = """design -reset
read_rtlil {name}.il
rename -hide w:*
rename -hide c:*
rename {name} {top}
write_verilog -noattr {name}_shown.v
"""


def prepare(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """Both reference designs and every mutant as presented to testbenches, and what each does on the steps.

    A text that cannot be elaborated, or has other ports, is none.
    """
    ports = [tuple(port) for port in request["ports"]]
    names: List[str] = []
    for place, text in enumerate(request["designs"]):
        name = f"mx_d{place}"
        try:
            if sorted(elaborate(text, request["top"], name).ports) == sorted(ports):
                names.append(name)
        except (RefusedError, LimitError):  # a text that Yosys breaks off on is no mutant either
            continue
    script = "".join(PRESENTED.format(name=name, top=request["top"]) for name in names)
    if yosys("present", script, 8.0).code != 0:
        raise RefusedError("designs cannot be presented")
    outputs = simulate(names, ports, request["clocks"], request["steps"], request["nonce"])
    report["presented"] = {}
    for name, rows in zip(names, outputs):
        with open(f"{name}_shown.v") as stream:
            report["presented"][name[4:]] = {"text": stream.read(), "outputs": rows}
    report["stage"] = "prepared"


def bench(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """What the testbench says of each design: ``pass``, ``fail``, or why it says nothing. The first two must pass."""
    os.makedirs("expand")
    text = checked(request["testbench"], request["top"], request["verdict"])
    said: List[str] = []
    report["said"] = said
    report["stage"] = "elaborated"
    for place, design in enumerate(request["designs"]):
        said.append(_verdict(text, design, request["verdict"]))
        if place < request["references"] and said[-1] != "pass":
            return
    report["stage"] = "simulated"


def checked(text: str, top: str, verdict: str) -> str:
    """The testbench after macro expansion, or RefusedError when it has what no testbench needs."""
    _check_directives(tokens(text))
    text = expanded(f'`define NONCE "{verdict}"\n{text}', "expand")
    solid: List[Token] = []
    kept: List[str] = []
    skipping = False
    for token in tokens(text):
        if skipping and "\n" not in token.text:
            continue
        skipping = False
        if token.kind == "directive":
            if token.text not in LINES:
                raise RefusedError(f"the directive {token.text}")
            skipping = True
            continue
        kept.append(token.text)
        if token.kind != "space":
            _check(solid, token, top)
            solid.append(token)
    if "module tb" not in " ".join(token.text for token in solid if token.kind == "name"):
        raise RefusedError("there is no module tb")
    return "`timescale 1ns/1ps\n" + "".join(kept) + "\n"


def _check_directives(found: List[Token]) -> None:
    for kind, piece in found:
        if kind == "directive" and (
            piece.startswith("``") or piece == "`include" or piece in FORBIDDEN_DIRECTIVES
        ):
            raise RefusedError(f"the directive {piece}")


def _check(before: List[Token], token: Token, top: str) -> None:
    last = before[-1] if before else Token("other", "")
    if token.kind == "system" and token.text not in SYSTEM:
        raise RefusedError(f"the system task or function {token.text}")
    if token.kind == "escaped":
        raise RefusedError(f"an escaped identifier: {token.text[:40]}")
    if token.text in FORBIDDEN:
        raise RefusedError(token.text)
    if token.kind == "name" and last.text == "." and len(before) > 1:
        behind = before[-2]
        if (behind.kind == "name" or behind.text in ("]", ")")) and token.text not in METHODS:
            raise RefusedError(f"the hierarchical name {behind.text}.{token.text}")
    if token.text == top and last.text in ("module", "macromodule"):
        raise RefusedError(f"a module {top} of its own")
    if token.kind == "string" and "%m" in token.text.lower():
        raise RefusedError("%m")


def _verdict(text: str, design: str, verdict: str) -> str:
    """One run. Only a line that is exactly the verdict, once, from a run that ends well, says anything."""
    for folder in ("sources", "empty"):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
    for name, source in (("tb.v", text), ("dut.v", "`timescale 1ns/1ps\n" + design)):
        with open(f"sources/{name}", "w") as stream:
            stream.write(source)
    try:
        argv = ["iverilog", "-g2012", "-s", "tb", "-o", "run.vvp", "tb.v", "dut.v"]
        made = run("compile", argv, COMPILE_S, folder="sources")
        if made.code != 0:
            return "it does not compile: " + (made.errors.strip().splitlines() or ["?"])[0][:200]
        os.remove("sources/tb.v")
        os.remove("sources/dut.v")
        ran = run("simulate", ["vvp", "-n", "../sources/run.vvp", "-none"], RUN_S, folder="empty")
    except LimitError as error:
        return f"no verdict: {error}"
    if ran.code != 0:
        return f"no verdict: the simulator ended with code {ran.code}"
    if len(ran.output) > MOST_OUTPUT:
        return "no verdict: too much output"
    lines = [line.strip() for line in ran.output.splitlines() if verdict in line]
    if lines in ([f"{verdict} PASS"], [f"{verdict} FAIL"]):
        return "pass" if lines[0].endswith("PASS") else "fail"
    return f"no verdict: {len(lines)} lines with the nonce" + (
        f", the first {lines[0][:60]}" if lines else ""
    )
