"""Pictures of hardware answers: mismatches marked, cells drawn once, loops end, large circuits are named as such, names escaped."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mx_agents.report.hardware_section import bars, hardware_section
from mx_agents.report.schematic import schematic
from mx_agents.report.waveform import waveform

WAVE: dict[str, Any] = {
    "title": "hidden vectors",
    "first": 5,
    "wrong": 7,
    "rows": [
        ["clk", "clock", 1, ["0", "1", "0", "1"]],
        ["d<b>", "input", 4, ["3", "3", "a", "a"]],
        ["q", "output", 4, ["x", "0", "1", "1"]],
        ["q", "golden", 4, ["x", "0", "2", "2"]],
    ],
}


def counter() -> dict[str, Any]:
    """q <= q + d, asynchronous reset."""
    add = {"kind": "$add", "in": {"A": [10, 11], "B": [4, 5]}, "out": {"Y": [8, 9]}, "parameters": {}}
    register = {
        "kind": "$adff",
        "in": {"CLK": [2], "ARST": [3], "D": [8, 9]},
        "out": {"Q": [10, 11]},
        "parameters": {"CLK_POLARITY": "0", "ARST_POLARITY": "1", "ARST_VALUE": "10"},
    }
    ports = [["clk", "input", [2]], ["rst", "input", [3]], ["d", "input", [4, 5]], ["q", "output", [10, 11]]]
    return {"count": 2, "ports": ports, "cells": [add, register], "names": {"q": [10, 11]}}


def texts(picture: str) -> list[str]:
    return ["".join(each.itertext()) for each in ET.fromstring(picture).iter() if each.tag.endswith("text")]


def test_a_waveform_shows_values_and_marks_the_first_wrong_step() -> None:
    root = ET.fromstring(waveform(WAVE))
    said = texts(waveform(WAVE))
    assert {"5", "6", "7", "8", "d<b>[3:0]", "q[3:0]", "golden", "a", "1", "2", "x"} <= set(said)
    marks = [each for each in root.iter("rect") if each.get("opacity")]
    step = next(each for each in root.iter("text") if each.text == "7")
    (mark,) = marks
    assert (
        float(mark.get("x", 0))
        < float(step.get("x", 0))
        < float(mark.get("x", 0)) + float(mark.get("width", 0))
    )
    assert "no step is wrong" in waveform({**WAVE, "wrong": None})


def test_a_schematic_draws_cells_registers_and_wires() -> None:
    picture = schematic(counter())
    said = texts(picture)
    assert said.count("q[1:0]") == 3  # what it holds, what it takes in, the output
    assert "+" in said
    assert "↓clk, async rst: 2" in said
    assert "clk" not in said
    assert len(list(ET.fromstring(picture).iter("path"))) == 4


def test_a_loop_of_logic_is_drawn_and_a_large_circuit_is_not() -> None:
    loop = [{"kind": "$not", "in": {"A": [bit]}, "out": {"Y": [bit ^ 1]}, "parameters": {}} for bit in (6, 7)]
    assert "<svg" in schematic({"count": 2, "ports": [["y", "output", [6]]], "cells": loop, "names": {}})
    assert "Too large to be drawn: 400 cells" in schematic({"count": 400})


@given(st.data())
def test_any_netlist_is_drawn(data: st.DataObject) -> None:
    """Whatever is wired to whatever, loops and half-driven pins included."""
    bit = st.one_of(st.integers(2, 14), st.sampled_from(["0", "1", "x"]))
    word = st.lists(bit, min_size=1, max_size=3)
    cells = []
    for number in range(data.draw(st.integers(0, 8))):
        kind = data.draw(st.sampled_from(["$and", "$mux", "$adff", "$mem_v2", "$odd"]))
        pins = {pin: data.draw(word) for pin in ("A", "B", "CLK", "ARST")}
        cells.append(
            {
                "kind": kind,
                "in": pins,
                "out": {"Y": [2 + number, 20 + number]},
                "parameters": {"ARST_VALUE": "1x"},
            }
        )
    ports = [["<i>", "input", [12, 13]], ["o", "output", data.draw(word)]]
    ET.fromstring(schematic({"count": len(cells), "ports": ports, "cells": cells, "names": {"n&": [2, 20]}}))


def test_the_section_takes_hardware_episodes_only_wrong_ones_first() -> None:
    def row(task: str, wrong: int | None, **more: Any) -> dict[str, Any]:
        found = {"proof": "", "share": 0.5, "wave": {**WAVE, "wrong": wrong}, "drawing": counter(), **more}
        grade = {"score": 0.5, "trace": {"hardware": found}}
        return {"method": "single", "episode": {"task": task, "grade": grade}}

    rows = [row("right", None, proof="proven", costs={"area": [9, 4], "depth": [2, 2]}), row("wrong", 7)]
    page = hardware_section([*rows, {"method": "m", "episode": {"task": "t", "grade": None}}])
    assert page.index("wrong · single") < page.index("right · single")
    assert page.count("<svg") == 5
    assert hardware_section([{"method": "m", "episode": {"task": "t", "grade": {"score": 0.0}}}]) == ""
    assert {"9", "4", "2"} <= set(texts(bars({"area": [9, 4], "depth": [2, 2]})))


def test_a_verdict_is_not_rounded_up_and_a_bound_is_no_proof() -> None:
    def said(**found: Any) -> str:
        trace = {"hardware": {"wave": WAVE, "drawing": counter(), **found}}
        return hardware_section(
            [{"method": "m", "episode": {"task": "t", "grade": {"score": 0.4, "trace": trace}}}]
        )

    assert "99.9 % of hidden scenarios" in said(proof="", share=0.99996)
    assert "bounded: right for 200,000 steps, not proven" in said(proof="bounded", share=1.0, depth=200_000)
    assert "proven" in said(proof="proven", share=1.0)
