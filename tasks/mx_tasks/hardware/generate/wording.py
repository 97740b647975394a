"""The four ways in which a drawn design is asked for: a formal table, prose, a data sheet with a waveform, terse with conventions."""

from __future__ import annotations

from mx_tasks.hardware.generate.spec import Spec
from mx_tasks.hardware.generate.vectors import example_rows

WORDINGS = ("table", "prose", "data sheet", "terse")
WAVE_CYCLES = 10


def instruction(spec: Spec, wording: str, seed: str) -> str:
    """The specification in that wording, ports and conventions included. Raises KeyError for another wording."""
    return {"table": _table, "prose": _prose, "data sheet": _data_sheet, "terse": _terse}[wording](
        spec, seed
    ).strip()


def _table(spec: Spec, _: str) -> str:
    lines = [
        f"Write the Verilog module `{spec.top}` that this table defines. Expressions are Verilog's.",
        "",
        *_ports(spec),
        "",
    ]
    if spec.registers:
        lines += ["Register | bits | after reset | at each clock edge becomes", "--- | --- | --- | ---"]
        lines += [
            f"{name} | {width} | {value} | `{spec.updates[name]}`"
            for (name, width), value in zip(spec.registers, spec.start, strict=True)
        ]
        lines += ["", "All registers change together: the expressions read the values from before the edge."]
    if spec.wires:
        lines += ["", "Wire | bits | is always", "--- | --- | ---"]
        lines += [f"{name} | {width} | `{value}`" for name, width, value in spec.wires]
    lines += ["", "Output | bits | is always", "--- | --- | ---"]
    lines += [f"{name} | {width} | `{spec.drives[name]}`" for name, width in spec.outs]
    return "\n".join([*lines, "", *_clocking(spec)])


def _prose(spec: Spec, _: str) -> str:
    return "\n".join(
        [f"Write the Verilog module `{spec.top}`.", "", *_ports(spec), "", *spec.prose, *_clocking(spec)]
    )


def _data_sheet(spec: Spec, seed: str) -> str:
    lines = [
        f"# {spec.title}: `{spec.top}`",
        "",
        "## Ports",
        "",
        "Port | direction | bits",
        "--- | --- | ---",
    ]
    lines += [f"{name} | {direction} | {width}" for name, direction, width in spec.ports]
    lines += ["", "## Operation", "", *(f"- {sentence}" for sentence in [*spec.prose, *_clocking(spec)])]
    lines += ["", "## Example", "", "```", *waveform(spec, seed), "```"]
    if spec.clock:
        lines.append(
            "Each column is one clock cycle; inputs and outputs are shown just before the edge that ends it, in hexadecimal; "
            "- is not defined."
        )
    else:
        lines.append("Each column is one set of inputs with its outputs, in hexadecimal.")
    return "\n".join([*lines, "", "Write it in Verilog."])


def _terse(spec: Spec, _: str) -> str:
    ports = ", ".join(
        f"{'in' if d == 'input' else 'out'} {n}{f'[{w - 1}:0]' if w > 1 else ''}" for n, d, w in spec.ports
    )
    lines = [
        f"`{spec.top}`({ports}): {spec.terse}.",
        "",
        "Conventions: Verilog; words are unsigned unless said otherwise, bit 0 is the least significant;",
    ]
    if spec.clock:
        lines.append(
            "state changes at the clock's edge only; an output that is not said to be registered follows its sources at once;"
        )
        lines.append("resets win over everything.")
        lines += _clocking(spec)
    else:
        lines.append("no clock: outputs follow inputs at once.")
    return "\n".join(lines)


def _ports(spec: Spec) -> list[str]:
    return [
        f"- {direction} {name}{f' ({width} bits)' if width > 1 else ''}"
        for name, direction, width in spec.ports
    ]


def _clocking(spec: Spec) -> list[str]:
    if not spec.clock:
        return ["There is no clock: the outputs follow the inputs at once."]
    lines = [f"Registers change at the rising edge of {spec.clock}."]
    if spec.reset is not None:
        reset = spec.reset
        kind = (
            f"asynchronous: while it is {reset.level}, all state is at its reset value at once, whatever the clock does"
            if reset.asynchronous
            else f"synchronous: an edge at which it is {reset.level} sets all state to its reset value, whatever the other inputs are"
        )
        lines.append(f"The reset {reset.name} is active {'high' if reset.level else 'low'} and {kind}.")
    return [*lines, *([spec.latency] if spec.latency else [])]


def waveform(spec: Spec, seed: str) -> list[str]:
    """Rows of values, a column a cycle (or a vector)."""
    rows = example_rows(spec, f"{seed}/waveform", WAVE_CYCLES)
    columns = [{**inputs, **outs} for inputs, outs in rows]
    names = [name for name, _, _ in spec.ports if name != spec.clock]
    longest = max(map(len, names))
    cells = {name: [f"{column[name]:x}" for column in columns] for name in names}
    if spec.clock:  # what stands before the first edge in reset
        for name, _ in spec.outs:
            cells[name][0] = "-"
    size = max(len(cell) for row in cells.values() for cell in row)
    return [f"{name:<{longest}}  " + " ".join(f"{cell:>{size}}" for cell in cells[name]) for name in names]
