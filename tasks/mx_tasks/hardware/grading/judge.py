"""Grades Verilog: parse, elaborate to a netlist, simulate the netlist on hidden vectors, prove, measure; cheap steps first.

All of it is one job of the grading sandbox, driven by ``inside/grade.py``; the answer is never executed, only read by
tools, and what is simulated is its netlist, which can do nothing but compute. Outputs are compared here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

from mx_sandboxes import Completed, Limits, Reason, Sandbox, SandboxError
from mx_sandboxes.compiled import compiled
from mx_sandboxes.extras import how_to_install
from mx_tasks.hardware.rtl.circuit import (
    Circuit,
    Port,
    agrees,
    rescaled,
    scenarios_right,
    share_right,
    trivial_share,
)
from mx_tasks.task import GradingError

CPU_S = 28.0
LIMITS = Limits(
    wall_s=240.0,
    cpu_s=CPU_S + 2.0,
    memory_bytes=1 << 30,
    workspace_bytes=256 << 20,
    file_bytes=100 << 20,
    output_bytes=48 << 20,
    pids=24,
)
ELABORATES, TESTS, ALL_TESTS, PROVEN, REFUTED = 0.05, 0.45, 0.70, 0.90, 0.60
"""Score for an answer that elaborates; the most for some tests; for all; for a proof; the most after a refutation."""
IDENTICAL = "identical netlists"
"""How a proof was found where there was nothing to prove."""
LONGEST_ANSWER = 200_000
WAVE_BEFORE, WAVE_AFTER, WIDEST = 8, 3, 200
"""Steps of a waveform before and from the first mismatch on, and its longest line."""
INSTALL = f"apt-get install iverilog verilator and {how_to_install('hardware')}, or use Docker and run 'mx sandbox build hdl'"


class ToolsMissingError(GradingError):
    """The grading sandbox lacks a hardware tool; the message names the packages."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an answer did, stage by stage.

    ``share`` is of hidden scenarios, ``tests`` the same rescaled against the best trivial answer; ``proof`` is
    ``proven``, ``refuted``, ``bounded`` (neither; no difference is known within ``depth`` steps) or empty when it did not come to
    that; only what is proven has passed; costs are (AND nodes, register bits, depth); ``cpu`` seconds by step, of
    the tools alone, ``job_cpu_s`` of the whole job with the driver.
    """

    score: float
    passed: bool
    log: str
    share: float = 0.0
    tests: float = 0.0
    proof: str = ""
    method: str = ""
    depth: int = 0
    cost: tuple[int, int, int] | None = None
    reference_cost: tuple[int, int, int] | None = None
    outputs: tuple[str, ...] = ()
    trace: tuple[str, ...] = ()
    trace_outputs: tuple[tuple[str, ...], ...] = ()
    cpu: Mapping[str, float] = field(default_factory=dict)
    drawing: Mapping[str, Any] = field(default_factory=dict)
    job_cpu_s: float = 0.0


def grade_answer(circuit: Circuit, answer: str, sandbox: Sandbox) -> Verdict:
    """Grade a Verilog text. Raises ToolsMissingError, SandboxError; whatever the text is, the result is a verdict."""
    report = run_driver(grade_request(circuit, answer), sandbox)
    return replace(judge(circuit, report), job_cpu_s=float(report["job_cpu_s"]))


def grade_request(circuit: Circuit, answer: str) -> dict[str, Any]:
    """What the driver is asked about an answer."""
    return {
        "do": "grade",
        "answer": answer[:LONGEST_ANSWER],
        "top": circuit.top,
        "ports": circuit.ports,
        "clocks": circuit.clocks,
        "reset": circuit.reset,
        "steps": circuit.steps,
        "expected": circuit.expected,
        "reference": circuit.reference,
        "reference_top": circuit.reference_top,
        "starts": circuit.starts,
    }


def run_driver(request: Mapping[str, Any], sandbox: Sandbox) -> dict[str, Any]:
    """What the driver reports on a request. Raises ToolsMissingError, SandboxError."""
    nonce = secrets.token_hex(8)
    text = json.dumps({**request, "nonce": nonce, "cpu_s": CPU_S})
    done = sandbox.run(
        ["python", "-m", "inside.grade"],
        stdin=text.encode(),
        files=compiled(sandbox, _INSIDE),
        limits=LIMITS,
    )
    report = {**_report(done, nonce), "job_cpu_s": done.cpu_s}
    if "missing" in report:
        raise ToolsMissingError(
            f"hardware tasks need {', '.join(report['missing'])} in the sandbox: {INSTALL}"
        )
    return report


def driver_version() -> str:
    """A hash that changes when anything that runs inside does."""
    digest = hashlib.sha256()
    for name in sorted(_INSIDE):
        digest.update(name.encode() + b"\0" + _INSIDE[name] + b"\0")
    return digest.hexdigest()[:16]


def _report(done: Completed, nonce: str) -> dict[str, Any]:
    for line in done.stdout.decode("ascii", "replace").splitlines():
        if line.startswith(nonce):
            return dict(json.loads(line[len(nonce) :]))
    if done.reason in (Reason.SANDBOX_DIED, Reason.CLOSED):
        raise SandboxError(f"grading ended: {done.reason.value}")
    if done.reason is Reason.EXITED:
        tail = done.stderr.decode(errors="replace").strip()[-300:]
        return {"stage": "read", "limit": f"the grader stopped: {tail}"}
    return {"stage": "read", "limit": f"grading reached its limit of {done.reason.value}"}


def judge(circuit: Circuit, report: Mapping[str, Any]) -> Verdict:
    """The verdict on what the driver reported."""
    if "outputs" not in report:
        elaborated = report["stage"] == "elaborated"
        reason = report.get("refused") or report.get("limit") or "no reason given"
        return Verdict(
            ELABORATES if elaborated else 0.0, passed=False, log=f"refused: {reason}", cpu=_cpu(report)
        )
    outputs = tuple(report["outputs"])
    share = share_right(circuit, outputs)
    if not report.get("passed_tests") or share < 1.0:
        tests = rescaled(share, trivial_share(circuit))
        right, counted = scenarios_right(circuit, outputs)
        log = f"{right} of {counted} hidden scenarios are right ({tests:.2f} of the way up from the best answer without logic); "
        score = round(ELABORATES + (TESTS - ELABORATES) * tests, 6)
        log += first_mismatch(circuit, outputs)
        return Verdict(
            score,
            passed=False,
            log=log,
            share=share,
            tests=tests,
            outputs=outputs,
            cpu=_cpu(report),
            drawing=report.get("drawing", {}),
        )
    return _after_tests(circuit, report, outputs)


def _after_tests(circuit: Circuit, report: Mapping[str, Any], outputs: tuple[str, ...]) -> Verdict:
    proof, method = str(report.get("verdict", "bounded")), str(report.get("method", report.get("limit", "")))
    score, log = ALL_TESTS, f"all hidden tests; {proof}: {method}"
    depth = int(report.get("depth", 0)) if proof == "bounded" else 0
    if proof == "bounded":
        log += f"; known to be right for {depth} steps, which is no success"
    if proof == "refuted":
        score = REFUTED
        log += "".join("\n" + line for line in trace_lines(circuit, report))
    cost, reference_cost = _cost(report, "cost"), _cost(report, "reference_cost")
    if proof == "proven":
        score = PROVEN + 0.1 * _thrift(report, cost, reference_cost)
        if cost is not None and reference_cost is not None:
            log += f"\narea {area(cost)} (reference {area(reference_cost)}), depth {cost[2]} (reference {reference_cost[2]})"
    return Verdict(
        round(score, 6),
        passed=proof == "proven",
        log=log,
        share=1.0,
        tests=1.0,
        proof=proof,
        method=method,
        depth=depth,
        cost=cost,
        reference_cost=reference_cost,
        outputs=outputs,
        trace=tuple(report.get("trace", ())),
        trace_outputs=tuple(map(tuple, report.get("trace_outputs", ()))),
        cpu=_cpu(report),
        drawing=report.get("drawing", {}),
    )


def _thrift(
    report: Mapping[str, Any], cost: tuple[int, int, int] | None, reference: tuple[int, int, int] | None
) -> float:
    """1 for an answer no larger and no deeper than the reference, less for one that is; 0 where neither was measured."""
    if cost is None or reference is None:
        return float("no_cost" not in report)
    return 0.5 * _ratio(area(reference), area(cost)) + 0.5 * _ratio(reference[2], cost[2])


def area(cost: Sequence[int]) -> int:
    """AND nodes and four for each register bit."""
    return cost[0] + 4 * cost[1]


def first_mismatch(circuit: Circuit, outputs: Sequence[str]) -> str:
    """The first step whose outputs are wrong, in words and as a small waveform of the steps around it."""
    for place, want in enumerate(circuit.expected):
        have = outputs[place] if place < len(outputs) else ""
        if not agrees(have, want):
            told = f"first at step {place}: {have[:80] or '(nothing)'} instead of {want[:80]}"
            return "\n".join([told, *waveform(circuit, outputs, place)])
    return "no step is wrong"


def waveform(circuit: Circuit, outputs: Sequence[str], place: int) -> list[str]:
    """Inputs, outputs and expected outputs of the steps around a place: a row a signal, a column a step, hexadecimal."""
    span = range(max(0, place - WAVE_BEFORE), min(len(circuit.expected), place + WAVE_AFTER))
    rows = [("step", [str(step) for step in span])]
    rows += _signals(circuit.inputs, [circuit.steps[step] for step in span], "")
    seen = [outputs[step] if step < len(outputs) else "" for step in span]
    wanted = _signals(circuit.outputs, [circuit.expected[step] for step in span], "  expected ")
    for have, want in zip(_signals(circuit.outputs, seen, ""), wanted, strict=True):
        rows += [have, want]
    name_size = max(len(name) for name, _ in rows)
    size = max(len(cell) for _, cells in rows for cell in cells)
    lines = [f"{name:<{name_size}} " + " ".join(f"{cell:>{size}}" for cell in cells) for name, cells in rows]
    mark = " " * (name_size + 1 + (size + 1) * (place - span.start) + size - 1)
    return [line[:WIDEST] for line in [*lines, f"{mark}^"]]


def _signals(ports: Sequence[Port], rows: Sequence[str], prefix: str) -> list[tuple[str, list[str]]]:
    """Each port's values; ``x`` where a bit is unknown, or anything will do."""
    found, begin = [], 0
    for name, _, width in ports:
        cells = [row[begin : begin + width] for row in rows]
        found.append(
            (
                f"{prefix}{name}",
                [f"{int(cell, 2):x}" if cell and set(cell) <= {"0", "1"} else "x" for cell in cells],
            )
        )
        begin += width
    return found


def trace_lines(circuit: Circuit, report: Mapping[str, Any]) -> list[str]:
    """The way to the difference, a line a step: inputs, the reference's outputs, the answer's."""
    rows = report.get("trace_outputs") or [[], []]
    names = ", ".join(name for name, direction, _ in circuit.ports if direction == "input")
    lines = (
        [f"counterexample ({names}: reference's outputs, answer's outputs):"] if report.get("trace") else []
    )
    lines += [f"  {step}: {a} {b}" for step, a, b in zip(report.get("trace", []), *rows, strict=False)]
    return lines[:12] + (["  ...", *lines[-3:]] if len(lines) > 12 else [])


def _ratio(reference: int, answer: int) -> float:
    return min(1.0, reference / answer) if answer > 0 else 1.0


def _cost(report: Mapping[str, Any], name: str) -> tuple[int, int, int] | None:
    found = report.get(name)
    return None if found is None else (int(found[0]), int(found[1]), int(found[2]))


def _cpu(report: Mapping[str, Any]) -> dict[str, float]:
    return {str(step): float(seconds) for step, seconds in report.get("cpu", {}).items()}


_INSIDE = {
    f"inside/{entry.name}": entry.read_bytes()
    for entry in resources.files("mx_tasks.hardware.grading").joinpath("inside").iterdir()
    if entry.name.endswith(".py")
}
