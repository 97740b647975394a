"""What hardware answers look like: the first mismatch beside the golden, the circuit that was built, its area and depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from mx_agents.report.page import figure, folded, section
from mx_agents.report.schematic import schematic
from mx_agents.report.waveform import waveform

Row = dict[str, Any]
MOST = 12
"""Episodes that are drawn."""
TWICE = "Registers are drawn twice: as what they hold, left, and as what they take in, right."
OPEN = 2
"""Of these, how many stand open."""


def hardware_section(rows: Sequence[Row]) -> str:
    """The section's HTML, empty where no circuit was simulated."""
    drawn = [row for row in rows if _details(row)]
    if not drawn:
        return ""
    chosen = sorted(drawn, key=_interest)[:MOST]
    lead = (
        "The answer's netlist, which is what is graded, simulated beside the golden design. Mismatches come first; "
        f"{len(chosen)} of {len(drawn)} answers that became circuits."
    )
    body = [_episode(row, place) for place, row in enumerate(chosen)]
    return section("Circuits", *body, lead=lead, wide=True)


def _details(row: Row) -> Mapping[str, Any]:
    found = ((row["episode"].get("grade") or {}).get("trace") or {}).get("hardware") or {}
    return found if isinstance(found, Mapping) else {}


def _interest(row: Row) -> tuple[int, str, str]:
    """What is looked at first: refuted by proof, wrong in tests, larger than the golden, all else."""
    found = _details(row)
    order = 3
    if found["proof"] == "refuted":
        order = 0
    elif found["wave"]["wrong"] is not None:
        order = 1
    elif any(own > golden for own, golden in found.get("costs", {}).values()):
        order = 2
    return order, str(row["episode"]["task"]), str(row["method"])


def _episode(row: Row, place: int) -> str:
    found, grade = _details(row), row["episode"]["grade"]
    wave = found["wave"]
    said = f"{row['episode']['task']} · {row['method']} · score {grade['score']:.2f}"
    verdict = (
        found["proof"] or f"{int(1000 * found['share']) / 10:g} % of hidden scenarios"
    )  # never rounded up
    if verdict == "bounded":
        verdict = f"bounded: right for {found.get('depth', 0):,} steps, not proven"
    parts = [
        figure(f"Waveform: {wave['title']}", f'<div class="scroll">{waveform(wave)}</div>', _caption(wave))
    ]
    if found.get("costs"):
        parts.append(
            figure(
                "Area and depth",
                bars(found["costs"]),
                "AND nodes and four for each register bit; AND levels.",
            )
        )
    if found.get("drawing"):
        picture = f'<div class="scroll">{schematic(found["drawing"])}</div>'
        parts.append(
            figure(
                "Schematic of the answer",
                picture,
                TWICE,
            )
        )
    opened = " open" if place < OPEN else ""
    inside = folded(f"{said} · {verdict}", f'<div class="circuit">{"".join(parts)}</div>')
    return inside.replace("<details>", f"<details{opened}>", 1)


def _caption(wave: Mapping[str, Any]) -> str:
    if wave["wrong"] is None:
        return "No step is wrong. Values are hexadecimal; two steps make a clock cycle."
    return f"The first wrong step is {wave['wrong']}. Values are hexadecimal; x is unknown, in the golden: anything will do."


def bars(costs: Mapping[str, Sequence[int]]) -> str:
    """Answer over golden, a pair of bars a measure."""
    left, tall, wide = 150, 20, 360
    drawn, y = [], 6.0
    for name, (own, golden) in costs.items():
        longest = max(own, golden, 1)
        for label, value, colour in (
            (f"{name}, answer", own, "var(--bad)" if own > golden else "var(--c0)"),
            (f"{name}, golden", golden, "var(--c2)"),
        ):
            length = wide * value / longest
            drawn.append(
                f'<text x="{left - 8}" y="{y + 14:.0f}" text-anchor="end">{escape(label)}</text>'
                f'<rect x="{left}" y="{y:.0f}" width="{max(length, 1):.1f}" height="{tall - 4}" rx="2" fill="{colour}"/>'
                f'<text class="value" x="{left + length + 6:.1f}" y="{y + 13:.0f}">{value}</text>'
            )
            y += tall
        y += 10
    width = left + wide + 60
    return (
        f'<svg class="bars" viewBox="0 0 {width} {y:.0f}" width="{width}" height="{y:.0f}" role="img" '
        f'aria-label="Area and depth">{"".join(drawn)}</svg>'
    )
