"""Runs inside the grading sandbox: grade one answer against one reference, cheap steps first; or measure a reference.

stdin: a JSON object (see ``mx_tasks.hardware.grading.judge``). stdout: one JSON line that begins with the request's nonce. The
reference is written down only when nothing of the answer is read any more but its netlist.
"""

import json
import re
import shutil
import sys
from typing import Any, Dict, List, Tuple

from .bench import bench, prepare
from .cost import costs
from .edges import mended
from .formal import IDENTICAL, Question, Verdict, compare
from .netlist import Netlist, drawing, elaborate, parameters_of, write_variants
from .record import random_steps, record, renamed
from .simulate import compare_at_random, simulate
from .source import RefusedError
from .tools import LimitError, deadline, spent

TOOLS = ("iverilog", "vvp", "yosys")
CLOCK = re.compile(r"(^|_)cl(oc)?k|cl(oc)?k($|_)", re.IGNORECASE)
RANDOM_CYCLES = 100_000
EXHAUSTIVE_BITS = 16


def main() -> None:
    """Answer the request."""
    request = json.loads(sys.stdin.buffer.read())
    deadline[0] = float(request.get("cpu_s", 28.0))
    report: Dict[str, Any] = {"stage": "read"}
    try:
        missing = [tool for tool in TOOLS if not shutil.which(tool)]
        if missing:
            report["missing"] = missing
        else:
            DO[request["do"]](request, report)
    except RefusedError as error:
        report["refused"] = str(error)
    except LimitError as error:
        report["limit"] = str(error)
    report["cpu"] = {step: round(seconds, 4) for step, seconds in spent.items()}
    print(request["nonce"] + json.dumps(report))


def adopt(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """A published reference with its testbench: ports, recorded inputs, the testbench's words, the netlist's outputs and cost."""
    netlist = elaborate(mended(request["reference"]), request["reference_top"], "mx_gold")
    report.update(_facts(netlist))
    report["stage"] = "elaborated"
    if any(direction == "inout" for _, direction, _ in netlist.ports):
        raise RefusedError("it has an inout port")
    clocks = sorted(
        set(report["clock_ports"])
        | {
            name
            for name, direction, width in netlist.ports
            if direction == "input" and width == 1 and CLOCK.search(name)
        }
    )
    at_random = random_steps(netlist.ports, clocks, _called_reset(netlist))
    steps, said = at_random, ""
    if request["testbench"]:
        steps, said = record(request, netlist, parameters_of("mx_gold"))
    report.update({"stage": "recorded", "said": said, "clocks": clocks})
    outputs = simulate(["mx_gold"], netlist.ports, clocks, steps, request["nonce"])[0]
    if all(set(row) <= {"x"} for row in outputs):
        # the testbench drives nothing known: RTLLM's fixed_point_substractor asks for $random % (1 << 32)
        steps = at_random
        outputs = simulate(["mx_gold"], netlist.ports, clocks, steps, request["nonce"])[0]
    report.update({"steps": steps, "outputs": outputs})
    request = {**request, "steps": steps}
    if not netlist.latches:  # a latch whose gate and data change together may keep either
        _compare_with_source(request, netlist, clocks, report)


def _compare_with_source(
    request: Dict[str, Any], netlist: Netlist, clocks: List[str], report: Dict[str, Any]
) -> None:
    """Ask nothing where the reference's source, simulated as it is, contradicts its netlist: a memory beyond its end, a race.

    Icarus does not take every source that Yosys takes; then there is nothing to compare with.
    """
    source = "mx_src_" + request["reference_top"]
    with open(f"{source}.v", "w") as stream:
        stream.write(renamed(request["reference"], "mx_src_"))
    try:
        by_source = simulate([source], netlist.ports, clocks, request["steps"], request["nonce"])[0]
    except RuntimeError:
        return
    agreed = [
        "".join("x" if a != b and a in "01" and b in "01" else a for a, b in zip(have, want))
        for have, want in zip(report["outputs"], by_source)
    ]
    report["differing_steps"] = sum(a != b for a, b in zip(agreed, report["outputs"]))
    report["outputs"][: len(agreed)] = agreed


def _called_reset(netlist: Netlist) -> str:
    names = [name for name, direction, width in netlist.ports if direction == "input" and width == 1]
    return next((name for name in names if re.search("rst|reset", name, re.IGNORECASE)), "")


def measure(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """A reference's ports, clocks, outputs on the steps, and cost."""
    netlist = elaborate(mended(request["reference"]), request["reference_top"], "mx_gold")
    report.update(_facts(netlist))
    report["stage"] = "elaborated"
    ports = request.get("ports") or netlist.ports
    clocks = request.get("clocks") or report["clock_ports"]
    report["outputs"] = simulate(["mx_gold"], ports, clocks, request["steps"], request["nonce"])[0]
    report["cost"] = costs(["mx_gold"])["mx_gold"]


def grade(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """Elaborate, simulate, prove, measure."""
    ports = [tuple(port) for port in request["ports"]]
    reference = request.get("reference") or ""
    text = mended(request["answer"]) if mended(reference) != reference else request["answer"]
    answer = elaborate(text, request["top"], "mx_answer")
    if sorted(answer.ports) != sorted(ports):
        raise RefusedError("its ports are " + ", ".join(f"{d} {n}[{w}]" for n, d, w in answer.ports)[:300])
    report["stage"] = "elaborated"
    report["loops"] = answer.loops
    report["drawing"] = drawing(answer)
    report["outputs"] = _outputs(request, ports)
    report["stage"] = "simulated"
    if not _agree(report["outputs"], request["expected"]):
        return
    report["passed_tests"] = True
    if request.get("reference"):
        gold = elaborate(mended(request["reference"]), request["reference_top"], "mx_gold")._replace(
            ports=ports
        )
        verdict = _verdict(request, gold, answer)
        report["verdict"], report["method"], report["trace"] = verdict[:3]
        if verdict[0] == "refuted":
            report["trace_outputs"] = _trace(request, ports, verdict[2])
        report["stage"] = "compared"
        if verdict[0] == "proven":
            if request.get("given"):
                _add_costs_of_three(request, report)
            else:
                _add_costs(report)


def _add_costs(report: Dict[str, Any]) -> None:
    """What both circuits cost; nothing where they are the same, or where that takes too long."""
    if report["method"] == IDENTICAL:
        return
    try:
        found = costs(["mx_gold", "mx_answer"])
    except LimitError as error:
        report["no_cost"] = str(error)
    else:
        report["cost"], report["reference_cost"] = found["mx_answer"], found["mx_gold"]


def _add_costs_of_three(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """What the answer, the reference and the design that was to be improved cost; nothing where that takes too long."""
    elaborate(request["given"], request["top"], "mx_given")
    try:
        found = costs(["mx_gold", "mx_answer", "mx_given"])
    except LimitError as error:
        report["no_cost"] = str(error)
    else:
        report["cost"], report["reference_cost"] = found["mx_answer"], found["mx_gold"]
        report["given_cost"] = found["mx_given"]


def explain(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """What the agents' tools say: ports, outputs and cost of an answer, no reference."""
    answer = elaborate(request["answer"], request["top"], "mx_answer")
    report.update(_facts(answer))
    report["stage"] = "elaborated"
    ports = [tuple(port) for port in request["ports"]]
    if sorted(answer.ports) == sorted(ports) and request["steps"]:
        report["outputs"] = simulate(
            ["mx_answer"], ports, request["clocks"], request["steps"], request["nonce"]
        )[0]
    if request.get("cost"):
        report["cost"] = costs(["mx_answer"])["mx_answer"]


def _facts(netlist: Netlist) -> Dict[str, Any]:
    return {
        "ports": netlist.ports,
        "cells": netlist.cells,
        "clock_ports": sorted({clock[0] for clock in netlist.clocks if clock}),
        "async_resets": sorted({reset for reset in netlist.resets if reset}),
        "edges": sorted({clock[1] for clock in netlist.clocks if clock}),
        "registers": netlist.registers,
        "loops": netlist.loops,
    }


def _outputs(request: Dict[str, Any], ports: List[Tuple[str, str, int]]) -> List[str]:
    """The answer's outputs; where they are unknown, those of two other starts, if they are what is expected from both."""
    common = (ports, request["clocks"], request["steps"], request["nonce"])
    outputs = simulate(["mx_answer"], *common)[0]
    unknown = any("x" in row and not _agree([row], [want]) for row, want in zip(outputs, request["expected"]))
    if unknown and _agree([row.replace("x", "?") for row in outputs], request["expected"]):
        write_variants(["mx_answer"])
        both = simulate(["mx_answer_zero", "mx_answer_one"], *common)
        if all(_agree(each, request["expected"]) for each in both):
            return both[0]
    return outputs


def _agree(outputs: List[str], expected: List[str]) -> bool:
    """Whether all bits that are expected to be something are it; ``?`` is as good as any."""
    return len(outputs) == len(expected) and all(
        have == want or all(w in ("x", h) or h == "?" for h, w in zip(have, want))
        for have, want in zip(outputs, expected)
    )


def _verdict(request: Dict[str, Any], gold: Netlist, answer: Netlist) -> Tuple[str, str, List[str]]:
    reset = (str(request["reset"][0]), bool(request["reset"][1]))
    try:
        verdict = compare(Question(gold, answer, reset))
    except LimitError as error:
        verdict = Verdict("unproven", str(error), [])
    if verdict.verdict == "proven":
        return verdict
    write_variants(["mx_gold", "mx_answer"])
    if verdict.verdict == "refuted" and _confirmed(request, gold, verdict.steps):
        return verdict
    return _by_simulation(request, gold, verdict, reset)


def _confirmed(request: Dict[str, Any], gold: Netlist, steps: List[str]) -> bool:
    """Whether the way to the difference shows a difference in simulation too."""
    golds, answers = _trace_rows(request, gold.ports, steps)
    counted = _counted(request, gold.ports, steps)
    return any(
        counts and any(a == b != c for a, b, c in zip(row_a, row_b, row_c))
        for counts, row_a, row_b, row_c in zip(counted, golds[0], golds[1], answers)
    )


def _trace_rows(
    request: Dict[str, Any], ports: List[Tuple[str, str, int]], steps: List[str]
) -> Tuple[List[List[str]], List[str]]:
    circuits = ["mx_gold_zero", "mx_gold_mixed", "mx_answer_zero"]
    rows = simulate(circuits, ports, request["clocks"], steps, request["nonce"], "confirm")
    return rows[:2], rows[2]


def _trace(request: Dict[str, Any], ports: List[Tuple[str, str, int]], steps: List[str]) -> List[List[str]]:
    """Outputs of reference and answer along a way to a difference."""
    golds, answers = _trace_rows(request, ports, steps)
    return [golds[0], answers]


def _counted(request: Dict[str, Any], ports: List[Tuple[str, str, int]], steps: List[str]) -> List[bool]:
    """For each step whether outputs count: from the first clock edge in reset on."""
    reset, level = request["reset"]
    if not reset or not request["clocks"]:
        return [True] * len(steps)
    places, place = {}, 0
    for name, direction, width in ports:
        if direction == "input":
            places[name] = place
            place += width
    counts, seen, before = [], False, steps[0] if steps else ""
    for step in steps:  # an edge sees what was there before it
        edge = any(step[places[name]] != before[places[name]] for name in request["clocks"])
        seen = seen or (edge and before[places[reset]] == str(int(level)))
        before = step
        counts.append(seen)
    return counts


def _by_simulation(
    request: Dict[str, Any], gold: Netlist, verdict: Verdict, reset: Tuple[str, bool]
) -> Tuple[str, str, List[str]]:
    """What is left where there is no proof: all inputs where they are few, many random cycles elsewhere."""
    bits = sum(width for _, direction, width in gold.ports if direction == "input")
    exhaustive = not gold.registers and bits <= EXHAUSTIVE_BITS
    for start in ("zero",) if reset[0] else ("zero", "one"):
        done, wrong = compare_at_random(
            ("mx_gold_zero", "mx_gold_mixed"),
            f"mx_answer_{start}",
            gold.ports,
            request["clocks"],
            reset,
            RANDOM_CYCLES,
            request["nonce"],
            exhaustive=exhaustive,
        )
        if done and not wrong:
            break
    how = "all inputs" if exhaustive else "random inputs"
    if wrong:
        return "refuted", f"{how}, step {done}", []
    if not done:
        return "unproven", f"{verdict.method}; nothing simulated", []
    if exhaustive and done == 2**bits:
        return "proven", how, []
    return "unproven", f"{verdict.method}; no difference in {done} steps of {how}", []


DO = {
    "adopt": adopt,
    "measure": measure,
    "grade": grade,
    "explain": explain,
    "prepare": prepare,
    "bench": bench,
}
main()
