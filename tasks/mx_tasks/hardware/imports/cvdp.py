"""CVDP records from the user's own copy: JSON lines with a prompt, files, and a reference where the publisher gives one.

Its harness is cocotb in Docker, which is not run here: a record with a reference design is graded by hidden random vectors and by
proof against that reference; one without is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mx_tasks.errors import TaskSetError
from mx_tasks.hardware.imports.adoption import Record
from mx_tasks.hardware.imports.rows import read_rows, row_files

LICENCE = "see the user's copy"
_MODULE = re.compile(r"^[ \t]*module\s+(\w+)", re.MULTILINE)
_VERILOG = (".v", ".sv")


def read_cvdp(place: Path) -> list[Record]:
    """The records of a copy. Raises TaskSetError where there are none. A record without a reference has an empty one."""
    rows = [row for path in row_files(place) for row in read_rows(path)]
    records = [_record(row) for row in rows if "input" in row and "id" in row]
    if not records:
        raise TaskSetError(f"no CVDP record in {place}: give its .jsonl file")
    return sorted(records, key=lambda record: record.id)


def _record(row: Mapping[str, Any]) -> Record:
    given = _files(row["input"].get("context"))
    output = row.get("output") or {}
    wanted = {name: text for name, text in _files(output.get("context")).items() if text.strip()}
    if not wanted and _MODULE.search(str(output.get("response") or "")):
        wanted = {"answer.sv": str(output["response"])}
    reference = "\n".join({**{name: text for name, text in given.items() if wanted}, **wanted}.values())
    top = _top(row, wanted, reference)
    listings = [f"`{name}`:\n\n```verilog\n{text.strip()}\n```" for name, text in given.items()]
    return Record(
        id=str(row["id"]),
        prompt="\n\n".join([str(row["input"]["prompt"]).strip(), *listings]),
        reference=reference,
        reference_top=top,
        dut=top,
        testbench="",
        passes="",
        licence=LICENCE,
        source=f"CVDP {', '.join(map(str, row.get('categories', [])))}",
        names_ports=True,
    )


def _files(context: object) -> dict[str, str]:
    if not isinstance(context, dict):
        return {}
    return {str(name): str(text or "") for name, text in context.items() if str(name).endswith(_VERILOG)}


def _top(row: Mapping[str, Any], wanted: Mapping[str, str], reference: str) -> str:
    """The top level that the harness names, else the first module of the reference's files."""
    harness = json.dumps(row.get("harness", {}))
    named = re.search(r"TOPLEVEL\s*=\s*(\w+)", harness)
    modules = _MODULE.findall("\n".join(wanted.values())) or _MODULE.findall(reference)
    if named and named.group(1) in _MODULE.findall(reference):
        return named.group(1)
    return modules[0] if modules else "none"
