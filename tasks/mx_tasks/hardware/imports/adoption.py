"""Published problems with a reference design and a testbench, made gradable, or refused with the reason.

The published testbench is run once on the published reference, which must pass it; the inputs that it drives become the hidden
vectors, and the outputs of the reference's netlist what is expected. Its verdict on an answer is never asked for: a testbench that
shares a simulator with the answer believes whatever the answer prints.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mx_sandboxes import Sandbox
from mx_tasks.hardware.grading.judge import driver_version, grade_answer, run_driver
from mx_tasks.hardware.rtl.circuit import Circuit, Port
from mx_tasks.side_by_side import in_order

SCENARIO = 16
AT_ONCE = 4
MOST_DIFFERING = 0.1
"""Share of steps at which a reference's source may contradict its netlist; these are left out."""
FLAGS = re.IGNORECASE | re.MULTILINE
RESET = re.compile(
    r"^(?:i_)?(?:(?P<low>n_?(?:a|s)?(?:rst|reset)|(?:a|s)?_?(?:rst|reset|clr|clear)_?(?:n|b|ni|n_i))|"
    r"(?:a|s)?_?(?:rst|reset|clr|clear|ar|r)(?:_?i|_?p)?|.*_(?P<low2>rst_?n|reset_?n)|.*_(?:rst|reset))$",
    re.IGNORECASE,
)


NAMES_STARTS = re.compile(
    r"\binitially\b|\binitial(?:ly|ise[ds]?|ize[ds]?)?\s+(?:value|state|content|to|at|with)|\bpower(?:s|ed|ing)?[- ]?(?:up|on)\b|"
    r"\b(?:start|begin)s?\s+(?:at|with|from|in)\s+(?:0\b|zero|all|the\s+state)",
    re.IGNORECASE,
)
"""Words of a task that names what registers start with."""


@dataclass(frozen=True, slots=True)
class Record:
    """A published problem as its files have it.

    ``dut`` is the module that its testbench instantiates; ``passes`` and ``fails`` are what a passing and a failing run
    prints (regular
    expressions); ``bench_needs_reference`` says that the testbench also instantiates the reference by its own name.
    """

    id: str
    prompt: str
    reference: str
    reference_top: str
    dut: str
    testbench: str
    passes: str
    fails: str = r"(?!)"
    data_files: Mapping[str, str] = field(default_factory=dict)
    bench_needs_reference: bool = False
    bench_tops: tuple[str, ...] = ()
    difficulty: int = 0
    licence: str = ""
    source: str = ""
    names_ports: bool = False


@dataclass(frozen=True, slots=True)
class Adopted:
    """A record that is gradable (``circuit``) or refused (``reason``)."""

    record: Record
    circuit: Circuit | None
    reason: str = ""


class RefusalError(ValueError):
    """A record that cannot be graded; the message says why."""


def adopt_all(records: Sequence[Record], sandbox: Sandbox, *, cache: Path | None = None) -> list[Adopted]:
    """Adopt records, several at a time; what was found is kept in the folder ``cache`` for the next time. Raises SandboxError."""
    return list(in_order(lambda record: _remembered(record, sandbox, cache), records, AT_ONCE))


def _remembered(record: Record, sandbox: Sandbox, cache: Path | None) -> Adopted:
    if cache is None:
        return adopt(record, sandbox)
    key = hashlib.sha256(json.dumps([driver_version(), asdict(record)], sort_keys=True).encode()).hexdigest()
    path = cache / f"{key[:32]}.json"
    try:
        return _from_json(record, json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, KeyError, TypeError):
        found = adopt(record, sandbox)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.part")
    circuit = None if found.circuit is None else asdict(found.circuit)
    partial.write_text(json.dumps({"circuit": circuit, "reason": found.reason}), "utf-8")
    partial.replace(path)
    return found


def _from_json(record: Record, kept: Mapping[str, Any]) -> Adopted:
    fields = kept["circuit"]
    if fields is None:
        return Adopted(record, None, str(kept["reason"]))
    tuples = {name: tuple(fields[name]) for name in ("clocks", "reset", "steps", "expected")}
    ports = tuple((str(name), str(direction), int(width)) for name, direction, width in fields["ports"])
    return Adopted(record, Circuit(**{**fields, **tuples, "ports": ports}))


def adopt(record: Record, sandbox: Sandbox) -> Adopted:
    """Make a record gradable or say why it is not. Raises SandboxError only when the sandbox fails."""
    try:
        circuit = _circuit(record, sandbox)
    except RefusalError as error:
        return Adopted(record, None, str(error))
    own = grade_answer(circuit, gold_text(record), sandbox)
    if own.score < 1.0:
        return Adopted(record, None, f"its reference scores {own.score:g}, not 1: {own.log[:300]}")
    return Adopted(record, circuit)


def gold_text(record: Record) -> str:
    """The reference under the name that an answer has to have."""
    if record.reference_top == record.dut:
        return record.reference
    return re.sub(rf"(?<![\w$`\\]){re.escape(record.reference_top)}(?![\w$])", record.dut, record.reference)


def _circuit(record: Record, sandbox: Sandbox) -> Circuit:
    if not record.reference.strip():
        raise RefusalError("it comes without a reference design")
    report = run_driver(
        {
            "do": "adopt",
            "reference": record.reference,
            "reference_top": record.reference_top,
            "dut": record.dut,
            "testbench": record.testbench,
            "data_files": dict(record.data_files),
            "bench_needs_reference": record.bench_needs_reference,
            "bench_tops": list(record.bench_tops),
            "starts": "named" if NAMES_STARTS.search(record.prompt) else "open",
        },
        sandbox,
    )
    reason = report.get("refused") or report.get("limit")
    if reason:
        raise RefusalError(f"its reference is refused: {reason}")
    said = str(report["said"])
    if record.testbench and (
        re.search(record.fails, said, FLAGS) or not re.search(record.passes, said, FLAGS)
    ):
        raise RefusalError(f"its reference does not pass its own testbench: {_last_line(said)}")
    steps, outputs = tuple(report["steps"]), tuple(report["outputs"])
    if not steps or len(outputs) != len(steps):
        raise RefusalError("its testbench drives nothing into the design")
    differing = int(report.get("differing_steps", 0))
    if differing > MOST_DIFFERING * len(steps):
        raise RefusalError(
            f"its netlist and its source simulate differently at {differing} of {len(steps)} steps"
        )
    ports: tuple[Port, ...] = tuple((str(n), str(d), int(w)) for n, d, w in report["ports"])
    if all(set(row) <= {"x"} for row in outputs):
        raise RefusalError("its outputs are unknown at every step")
    clocks, reset = tuple(report["clocks"]), _reset(ports, report)
    expected = tuple(row.replace("z", "x") for row in outputs)
    counted = tuple(map(_counted, expected, _in_use(ports, clocks, reset, steps)))
    if all(set(row) <= {"x"} for row in counted):
        counted, reset = expected, ("", 1)  # what is called a reset is never used as one
    return Circuit(
        top=record.dut,
        ports=ports,
        clocks=clocks,
        reset=reset,
        steps=steps,
        expected=counted,
        scenario=SCENARIO if report["registers"] else 1,
        reference=record.reference,
        reference_top=record.reference_top,
        starts=str(report["starts"]),
    )


def _counted(row: str, counts: bool) -> str:
    return row if counts else "x" * len(row)


def _in_use(
    ports: Sequence[Port], clocks: Sequence[str], reset: tuple[str, int], steps: Sequence[str]
) -> Iterator[bool]:
    """For each step whether outputs count: from the first edge of a clock in reset on, as they do in a proof."""
    places, place = {}, 0
    for name, direction, width in ports:
        if direction == "input":
            places[name] = place
            place += width
    seen, before = not reset[0] or not clocks, steps[0]
    for step in steps:  # an edge sees what was there before it
        edge = any(step[places[name]] != before[places[name]] for name in clocks)
        seen = seen or (edge and before[places[reset[0]]] == str(reset[1]))
        before = step
        yield seen


def _reset(ports: Iterable[Port], report: Mapping[str, Any]) -> tuple[str, int]:
    """The reset's port and level: the asynchronous one of the netlist, else the input that is called like one."""
    if not report["registers"]:
        return "", 1
    for name, level in report["async_resets"]:
        return str(name), int(level)
    for name, direction, width in ports:
        found = RESET.match(name) if direction == "input" and width == 1 else None
        if found is not None:
            return name, 0 if found["low"] or found["low2"] else 1
    return "", 1


def _last_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search("mismatch|fail|error|timeout", line, re.IGNORECASE)]
    return (telling or lines or ["it prints nothing"])[-1][:200]
