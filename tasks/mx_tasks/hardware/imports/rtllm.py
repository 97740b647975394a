"""RTLLM, versions 1 and 2, from the user's own copy.

Understood are folders with a description, a testbench, a verified design and data files, and rows (JSON lines, JSON or Parquet)
with an ``id`` (or ``name``), ``desc`` (``description``, ``prompt``), ``verified`` (``reference``) and ``testbench``: its text, or a
list of files with ``name`` and ``content``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mx_tasks.errors import TaskSetError
from mx_tasks.hardware.imports.adoption import Record
from mx_tasks.hardware.imports.rows import read_rows, row_files

PASSES = r"design\s+pass|test\s*(?:case)?s?\s+pass|all\s+\w*\s*pass|pass(?:ed)?!*\s*=*\s*$|===+\s*pass"
FAILS = r"===+\s*(?:error|fail)|test\s+fail|\bfailed\b|[1-9]\d*\s*/\s*\d+\s*failures|error:"
DESCRIPTION, BENCH = "design_description.txt", "testbench.v"
LARGEST_DATA = 2 << 20
LICENCE = "MIT"
_COLUMNS = (("id", "name", "task_id"), ("desc", "description", "prompt"), ("verified", "reference"))

_MODULE = re.compile(r"^[ \t]*module\s+(\w+)", re.MULTILINE)
_NAME = re.compile(r"module\s+name\s*:?\s*`?\s*(\w+)", re.IGNORECASE)


def read_rtllm(place: Path) -> list[Record]:
    """The records of a copy, in the order of their names. Raises TaskSetError where there are none."""
    records = [
        _folder_record(bench.parent)
        for bench in sorted(place.rglob(BENCH))
        if (bench.parent / DESCRIPTION).is_file() and _designs(bench.parent)
    ]
    if not records:
        records = [
            found for path in row_files(place) for row in read_rows(path) if (found := _row_record(row))
        ]
    if not records:
        raise TaskSetError(
            f"no RTLLM problem in {place}: give the repository, whose folders hold {DESCRIPTION}, {BENCH} and verified_*.v,"
            " or a .jsonl or .parquet file"
        )
    return sorted(records, key=lambda record: record.id)


def _designs(folder: Path) -> list[Path]:
    """The files of the verified design, its own first."""
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".v", ".sv") and path.name != BENCH]
    verified = [path for path in files if path.name.startswith("verified")]
    return verified or files


def _folder_record(folder: Path) -> Record:
    reference = "\n".join(_text(path) for path in _designs(folder))
    return _record(folder.name, _text(folder / DESCRIPTION), _text(folder / BENCH), reference, _data(folder))


def _row_record(row: Mapping[str, Any]) -> Record | None:
    """The problem in a row; nothing when the row is of another benchmark."""
    name, description, reference = (
        next((str(row[word]) for word in words if row.get(word)), "") for words in _COLUMNS
    )
    bench = row.get("testbench") or ""
    files = {BENCH: bench} if isinstance(bench, str) else {str(f["name"]): str(f["content"]) for f in bench}
    text = files.get(BENCH) or next(
        (text for path, text in files.items() if path.endswith((".v", ".sv"))), ""
    )
    if not (name and reference and text):
        return None
    return _record(name, description, text, reference, {n: t for n, t in files.items() if _is_data(n)})


def _record(name: str, description: str, bench: str, reference: str, data_files: Mapping[str, str]) -> Record:
    dut = _dut(name, description, bench)
    return Record(
        id=name,
        prompt=description.strip(),
        reference=reference,
        reference_top=_reference_top(reference, dut),
        dut=dut,
        testbench=bench,
        passes=PASSES,
        fails=FAILS,
        data_files=data_files,
        licence=LICENCE,
        source=f"RTLLM {name}",
        names_ports=True,
    )


def _dut(folder: str, description: str, bench: str) -> str:
    """The module that the testbench instantiates: the described one, the folder's name, or what stands where an instance does."""
    clean = _uncommented(bench)
    named = _NAME.search(description)
    candidates = [named.group(1)] if named else []
    for name in [*candidates, folder]:
        if re.search(rf"\b{re.escape(name)}\b\s*(?:#\s*\(.*?\)\s*)?\w+\s*\(", clean, re.DOTALL):
            return str(name)
    return next(_instances(clean), folder)


def _instances(bench: str) -> Iterator[str]:
    own = set(_MODULE.findall(bench))
    for found in re.finditer(
        r"^\s*(\w+)\s*(?:#\s*\((?:[^()]|\([^()]*\))*\)\s*)?(\w+)\s*\(\s*(?:\.|\w)", bench, re.MULTILINE
    ):
        if found.group(1) not in own | _WORDS and found.group(2) not in _WORDS:
            yield found.group(1)


def _reference_top(reference: str, dut: str) -> str:
    """The verified module that plays the design under test: of its name, of its name with an addition, else the top of the tree."""
    clean = _uncommented(reference)
    modules = _MODULE.findall(clean)
    if dut in modules or not modules:
        return dut
    bodies = dict(re.findall(r"\bmodule\s+(\w+)(.*?)\bendmodule", clean, re.DOTALL))
    tops = [
        name
        for name in modules
        if not any(re.search(rf"\b{name}\b", body) for own, body in bodies.items() if own != name)
    ]
    likely = [name for name in tops or modules if dut.lower() in name.lower() or name.lower() in dut.lower()]
    return str((likely or tops or modules)[0])


def _data(folder: Path) -> Mapping[str, str]:
    """Files that the testbench may read."""
    return {
        path.name: _text(path)
        for path in sorted(folder.iterdir())
        if path.is_file() and _is_data(path.name) and path.stat().st_size <= LARGEST_DATA
    }


def _is_data(name: str) -> bool:
    return (
        name not in (DESCRIPTION, BENCH)
        and Path(name).suffix.lower() not in (".v", ".sv", ".md", ".vcd", ".vvp", ".out")
        and name.lower() != "makefile"
    )


def _uncommented(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace")


_WORDS = frozenset(
    [
        "module",
        "if",
        "for",
        "while",
        "case",
        "casez",
        "casex",
        "repeat",
        "begin",
        "initial",
        "always",
        "else",
        "task",
        "function",
        "wait",
        "forever",
        "assign",
        "reg",
        "wire",
        "integer",
        "or",
        "and",
        "not",
        "xor",
        "nor",
        "nand",
        "xnor",
        "buf",
    ]
)
