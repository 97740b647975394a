"""VerilogEval, versions 1 and 2, from the user's own copy.

Understood are the repository (or its ``dataset_spec-to-rtl`` folder) of version 2 with its ``ProbNNN_*_prompt.txt``,
``_ref.sv`` and ``_test.sv``, the ``VerilogEval_*.jsonl`` of version 1 with its descriptions beside it, and rows (JSON lines, JSON
or Parquet) with the fields ``id``, ``prompt``, ``reference``, ``testbench``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mx_tasks.errors import TaskSetError
from mx_tasks.hardware.imports.adoption import Record
from mx_tasks.hardware.imports.rows import read_rows, row_files

PASSES = r"Mismatches:\s*0 in [1-9]\d* samples"
"""Said at the end, also by a testbench that its own TIMEOUT ends early (as that of Prob082_lfsr32 does)."""
LICENCE = "MIT"


def read_verilog_eval(place: Path) -> list[Record]:
    """The records of a copy, in the order of their ids. Raises TaskSetError where there are none."""
    found = list(_folder_records(place)) if place.is_dir() else []
    if not found:
        found = [record for path in row_files(place) for record in _row_records(path)]
    if not found:
        raise TaskSetError(
            f"no VerilogEval problem in {place}: give the repository, its dataset_spec-to-rtl folder, or a .jsonl or .parquet file"
        )
    return sorted({record.id: record for record in found}.values(), key=lambda record: record.id)


def _folder_records(place: Path) -> Iterator[Record]:
    folder = next(
        (each for each in (place / "dataset_spec-to-rtl", place) if list(each.glob("*_ref.sv"))), None
    )
    if folder is None:
        return
    for reference in sorted(folder.glob("*_ref.sv")):
        stem = reference.name.removesuffix("_ref.sv")
        prompt, test = folder / f"{stem}_prompt.txt", folder / f"{stem}_test.sv"
        if prompt.is_file() and test.is_file():
            yield _version_2(stem, _text(prompt), _text(reference), _text(test))


def _version_2(name: str, prompt: str, reference: str, testbench: str) -> Record:
    return Record(
        id=name,
        prompt=prompt.strip(),
        reference=reference,
        reference_top="RefModule",
        dut="TopModule",
        testbench=testbench,
        passes=PASSES,
        bench_needs_reference=True,
        bench_tops=("tb",),
        licence=LICENCE,
        source=f"VerilogEval v2 {name}",
    )


def _row_records(path: Path) -> Iterator[Record]:
    """The problems in a file of rows; nothing in one that holds something else."""
    descriptions = _descriptions(path.parent) | _descriptions(path.parent.parent)
    for row in read_rows(path):
        if {"reference", "testbench", "prompt"} <= row.keys():
            yield _version_2(
                str(row.get("id") or row["task_id"]), row["prompt"], row["reference"], row["testbench"]
            )
        elif {"canonical_solution", "test", "prompt"} <= row.keys():
            yield _version_1(row, descriptions)


def _version_1(row: dict[str, Any], descriptions: dict[str, str]) -> Record:
    name = str(row["task_id"])
    head = str(row["prompt"])
    said = row.get("detail_description") or descriptions.get(name, "")
    text = f"{str(said).strip()}\n\nComplete this module:\n\n{head.strip()}"
    return Record(
        id=name,
        prompt=text.strip(),
        reference=f"{head}\n{row['canonical_solution']}",
        reference_top="top_module",
        dut="top_module",
        testbench=str(row["test"]),
        passes=PASSES,
        bench_tops=("tb",),
        licence=LICENCE,
        source=f"VerilogEval v1 {name}",
    )


def _descriptions(folder: Path) -> dict[str, str]:
    found = {}
    for path in [*folder.glob("*escription*.jsonl"), *folder.glob("descriptions/*.jsonl")]:
        for row in read_rows(path):
            if "detail_description" in row:
                found[str(row["task_id"])] = re.sub(r"\s*\n\s*", "\n", str(row["detail_description"]))
    return found


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace")
