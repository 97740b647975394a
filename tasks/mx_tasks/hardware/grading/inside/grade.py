"""Runs inside the grading sandbox: grade one answer against one reference, cheap steps first; or measure a reference.

stdin: a JSON object (see ``mx_tasks.hardware.grading.judge``). stdout: one JSON line that begins with the request's
nonce. The reference is written down only when nothing of the answer is read any more but its netlist.
"""

import json
import re
import shutil
import sys
from typing import Any, Dict, List, Tuple

from . import toolset
from .bench import bench, prepare
from .cost import costs
from .edges import mended
from .formal import IDENTICAL, Question, Verdict, compare, from_start, write_for_replay
from .macros import RefusedError
from .netlist import Netlist, drawing, elaborate, parameters_of, write_variants
from .races import racing
from .record import random_steps, record, renamed
from .replay import replayed
from .simulate import compare_at_random, simulate
from .source import circuit
from .tools import LimitError, deadline, spent
from .written import Text, contradicted

TOOLS = ("iverilog", "vvp")
CLOCK = re.compile(r"(^|_)cl(oc)?k|cl(oc)?k($|_)", re.IGNORECASE)
RANDOM_CYCLES = 100_000
RACE = "a race: {name} is assigned with = by one clocked process and read by another at the same edge"
OTHERWISE = "its netlist is right, but its text, simulated as written, is not (a sensitivity list or the order of processes)"


def main() -> None:
    """Answer the request."""
    request = json.loads(sys.stdin.buffer.read())
    deadline[0] = float(request.get("cpu_s", 28.0))
    report: Dict[str, Any] = {"stage": "read"}
    try:
        missing = [tool for tool in TOOLS if not shutil.which(tool)] + toolset.missing()
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
    report["starts"] = request.get("starts", "open")
    netlist = elaborate(
        mended(request["reference"]), request["reference_top"], "mx_gold", starts=_keeps(request)
    )
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
    elif any(
        "x" in step for step in steps
    ):  # an input that is not driven yet may be anything: an answer's x there is no fault
        steps = [step.replace("x", "0") for step in steps]
        outputs = simulate(["mx_gold"], netlist.ports, clocks, steps, request["nonce"])[0]
    if all(set(row) <= {"x"} for row in outputs) and not _keeps(request):
        # nothing that drives it makes it known: then its own start values are what there is to go by
        elaborate(mended(request["reference"]), request["reference_top"], "mx_own")
        own = simulate(["mx_own"], netlist.ports, clocks, steps, request["nonce"])[0]
        if not all(set(row) <= {"x"} for row in own):
            outputs, report["starts"] = own, "own"
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


def _keeps(request: Dict[str, Any]) -> bool:
    """Whether the reference's own start values count."""
    return str(request.get("starts", "open")) != "open"


def _called_reset(netlist: Netlist) -> str:
    names = [name for name, direction, width in netlist.ports if direction == "input" and width == 1]
    return next((name for name in names if re.search("rst|reset", name, re.IGNORECASE)), "")


def measure(request: Dict[str, Any], report: Dict[str, Any]) -> None:
    """A reference's ports, clocks, outputs on the steps, and cost."""
    netlist = elaborate(
        mended(request["reference"]), request["reference_top"], "mx_gold", starts=_keeps(request)
    )
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
        gold = elaborate(
            mended(request["reference"]), request["reference_top"], "mx_gold", starts=_keeps(request)
        )._replace(ports=ports)
        _verdict(request, gold, answer, report)
        if report["verdict"] == "proven":
            _as_written(request, answer, report)
        report["stage"] = "compared"
        if report["verdict"] == "proven":
            if request.get("given"):
                _add_costs_of_three(request, report)
            else:
                _add_costs(report)


def _as_written(request: Dict[str, Any], answer: Netlist, report: Dict[str, Any]) -> None:
    """Take a proof back where the answer's text is a race, or simulates otherwise than its netlist."""
    said = Text(request["answer"], request["top"])
    meant = Text(request["reference"], request["reference_top"])
    name = racing(circuit(*said))
    if name and not racing(circuit(*meant)):
        report.update({"verdict": "bounded", "method": RACE.format(name=name), "depth": 0})
        return
    shown = contradicted(answer, said, meant, request["clocks"], request["steps"], request["nonce"])
    if shown is not None:
        report.update({"verdict": "refuted", "method": OTHERWISE, "depth": 0})
        report.update({"trace": shown.steps, "trace_outputs": [shown.wanted, shown.given]})


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
    if _agree(outputs, request["expected"]) or not _agree(
        [row.replace("x", "?") for row in outputs], request["expected"]
    ):
        return outputs
    write_variants(["mx_answer"])
    both = simulate(["mx_answer_zero", "mx_answer_one"], *common)
    right = [_agree(each, request["expected"]) for each in both]
    enough = any(right) if request.get("starts") == "own" else all(right)
    return both[right.index(True)] if enough else outputs


def _agree(outputs: List[str], expected: List[str]) -> bool:
    """Whether all bits that are expected to be something are it; ``?`` is as good as any."""
    return len(outputs) == len(expected) and all(
        have == want or all(w in ("x", h) or h == "?" for h, w in zip(have, want))
        for have, want in zip(outputs, expected)
    )


def _verdict(request: Dict[str, Any], gold: Netlist, answer: Netlist, report: Dict[str, Any]) -> None:
    """The verdict, how it was found, and the way to a difference."""
    reset = (str(request["reset"][0]), bool(request["reset"][1]))
    question = Question(gold, answer, reset, str(request.get("starts", "open")))
    try:
        verdict = compare(question)
    except LimitError as error:
        verdict = Verdict("bounded", str(error), [])
    if verdict.verdict == "refuted":
        verdict = _believed(request, question, verdict, report)
    if verdict.verdict == "bounded":
        verdict = _by_simulation(request, gold, answer, verdict, reset)
    report["verdict"], report["method"], report["depth"] = verdict.verdict, verdict.method, verdict.depth


def _believed(
    request: Dict[str, Any], question: Question, verdict: Verdict, report: Dict[str, Any]
) -> Verdict:
    """The refutation if the simulator shows it too, from that start or from another one; else how far that went."""
    assert verdict.asked is not None
    asked = verdict.asked
    names = (question.reference.name, question.answer.name)
    write_for_replay(question)
    for begin in (None, 0, 1):
        way = verdict if begin is None else from_start(asked, begin)
        shown = replayed(asked, names, way, request["clocks"], request["nonce"]) if way.steps else None
        if shown is not None:
            report["trace"], report["trace_outputs"] = way.steps, [shown.reference, shown.answer]
            return way
    return Verdict("bounded", f"{verdict.method} found a difference that the simulator does not show", [])


def _by_simulation(
    request: Dict[str, Any], gold: Netlist, answer: Netlist, verdict: Verdict, reset: Tuple[str, bool]
) -> Verdict:
    """What is left where there is no proof: many random cycles. They can refute, and never prove."""
    write_variants([answer.name])
    answers = [f"{answer.name}_{start}" for start in ("zero", "one")]
    common = (gold.ports, request["clocks"], reset, RANDOM_CYCLES, request["nonce"])
    done, wrong = compare_at_random(gold.name, answers, *common, either=request.get("starts") == "own")
    if wrong:
        return verdict._replace(verdict="refuted", method=f"random inputs, step {done}")
    depth = max(verdict.depth, done)
    return verdict._replace(
        method=f"{verdict.method}; no difference in {done} steps of random inputs", depth=depth
    )


DO = {
    "adopt": adopt,
    "measure": measure,
    "grade": grade,
    "explain": explain,
    "prepare": prepare,
    "bench": bench,
}
main()
