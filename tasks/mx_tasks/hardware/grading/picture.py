"""What a report draws of a grade: the steps around the first mismatch beside the golden, the answer's netlist, area and depth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mx_tasks.hardware.grading.judge import Verdict, area
from mx_tasks.hardware.rtl.circuit import Circuit, Port, agrees
from mx_tasks.task import Grade, Task

BEFORE, AFTER = 10, 6
"""Steps of a waveform before the first mismatch, and from it on."""


def grade_of(task: Task, circuit: Circuit, verdict: Verdict) -> Grade:
    """The grade of a verdict, with what a report may draw of it."""
    parts = {part.name: verdict.score for part in task.parts}
    trace = {"hardware": pictured(circuit, verdict)} if verdict.outputs else {}
    return Grade(verdict.score, verdict.passed, parts, log=verdict.log, trace=trace)


def pictured(circuit: Circuit, verdict: Verdict) -> dict[str, Any]:
    """Plain JSON: ``wave``, ``drawing``, ``costs`` (area and depth of answer and golden), ``proof``, ``method`` and ``depth``."""
    found: dict[str, Any] = {"proof": verdict.proof, "method": verdict.method, "share": verdict.share}
    if verdict.proof == "bounded":
        found["depth"] = verdict.depth
    found["wave"] = _wave(circuit, verdict)
    found["drawing"] = dict(verdict.drawing)
    found["clocks"] = list(circuit.clocks)
    if verdict.cost is not None and verdict.reference_cost is not None:
        pair = (verdict.cost, verdict.reference_cost)
        found["costs"] = {"area": [area(cost) for cost in pair], "depth": [cost[2] for cost in pair]}
    return found


def _wave(circuit: Circuit, verdict: Verdict) -> dict[str, Any]:
    """Values step by step: around the first wrong one, along the counterexample, or, of what is right, from the beginning."""
    steps, wanted, given = circuit.steps, circuit.expected, verdict.outputs
    title = "hidden vectors"
    if verdict.trace and len(verdict.trace_outputs) == 2:
        steps, (wanted, given), title = verdict.trace, verdict.trace_outputs, "counterexample of the proof"
    wrong = next(
        (n for n, want in enumerate(wanted) if not agrees(given[n] if n < len(given) else "", want)), None
    )
    first = max(0, wrong - BEFORE) if wrong is not None else 0
    last = min(len(steps), first + BEFORE + AFTER)
    rows = [
        [name, "clock" if name in circuit.clocks else "input", width, values]
        for name, width, values in _values(circuit.inputs, steps[first:last])
    ]
    have = _values(circuit.outputs, [given[n] if n < len(given) else "" for n in range(first, last)])
    want = _values(circuit.outputs, wanted[first:last])
    for (name, width, values), (_, _, golden) in zip(have, want, strict=True):
        rows.append([name, "output", width, values])
        if wrong is not None:
            rows.append([name, "golden", width, golden])
    return {"title": title, "first": first, "wrong": wrong, "rows": rows}


def _values(ports: Sequence[Port], rows: Sequence[str]) -> list[tuple[str, int, list[str]]]:
    """Each port's values in hexadecimal, ``x`` where a bit is unknown."""
    found, begin = [], 0
    for name, _, width in ports:
        cells = [row[begin : begin + width] for row in rows]
        values = [f"{int(cell, 2):x}" if cell and set(cell) <= {"0", "1"} else "x" for cell in cells]
        found.append((name, width, values))
        begin += width
    return found
