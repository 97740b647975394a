"""Verdicts on designs written by hand: right ones in many styles, wrong ones that look right, in several widths and styles of reset.

python benchmarks/hardware_styles.py [--backend NAME] [--only WORD,...] [--at-once N] [--short]

Each case of ``hardware_corpus`` is asked at several widths and in four styles of reset. A right design that is not proven, or a
wrong one that is, is printed with its text; the exit code is 1 where a verdict is false. Wrong designs meet hidden vectors that ask
nothing, so that the proof is what is tried. ``--short``: one width and style a case.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from statistics import quantiles
from time import perf_counter

from hardware_corpus import machines, registers, traps
from hardware_corpus.case import Written, written

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks.hardware.grading.judge import Verdict, grade_answer, run_driver
from mx_tasks.hardware.rtl.circuit import Circuit

CASES = (*registers.CASES, *machines.CASES, *traps.CASES)


@dataclass(frozen=True)
class Asked:
    """A design to be graded: where it is from, its way, ``right`` or ``wrong``, what it is held to."""

    case: str
    way: str
    kind: str
    circuit: Circuit
    text: str


def circuit_of(one: Written, sandbox: Sandbox) -> Circuit:
    """The reference with recorded outputs on random inputs. Raises ValueError where the reference itself is refused."""
    asked = {
        "do": "adopt",
        "reference": one.reference,
        "reference_top": "RefModule",
        "dut": "TopModule",
        "starts": "open",
    }
    asked |= {"testbench": "", "data_files": {}, "bench_needs_reference": False, "bench_tops": []}
    found = run_driver(asked, sandbox)
    if "steps" not in found:
        raise ValueError(f"{one.name}: the reference is refused: {found}")
    outputs = list(found["outputs"])
    if one.reset[0]:  # outputs count from the first full clock cycle in reset on
        outputs[:4] = ["x" * len(row) for row in outputs[:4]]
    return Circuit(
        "TopModule", tuple(map(tuple, found["ports"])), tuple(found["clocks"]), one.reset, tuple(found["steps"]),
        tuple(outputs), 16 if found["registers"] else 1, one.reference, "RefModule", found["starts"],
    )  # fmt: skip


def cases(given: argparse.Namespace) -> list[Written]:
    """The cases that were chosen."""
    words = [word for word in given.only.split(",") if word]
    found = [(case.name, one) for case in CASES for one in islice(written(case), 1 if given.short else None)]
    return [one for name, one in found if not words or any(word in name for word in words)]


def designs(given: argparse.Namespace, sandbox: Sandbox) -> Iterator[Asked]:
    """All designs to be graded."""
    for one in cases(given):
        circuit = circuit_of(one, sandbox)
        blind = replace(circuit, expected=tuple("x" * len(row) for row in circuit.expected))
        for way, text in one.right.items():
            yield Asked(one.name, way, "right", circuit, text)
        for way, text in one.wrong.items():
            yield Asked(one.name, way, "wrong", blind, text)


def told(asked: Asked, sandbox: Sandbox) -> tuple[Asked, Verdict, float]:
    """A design's verdict, and the seconds it took."""
    began = perf_counter()
    verdict = grade_answer(asked.circuit, asked.text, sandbox)
    return asked, verdict, perf_counter() - began


def complaint(asked: Asked, verdict: Verdict) -> str:
    """What is wrong with a verdict: ``FALSE PASS``, ``FALSE FAIL`` or ``unproven``; empty where nothing is."""
    if asked.kind == "right":
        return {"proven": "", "bounded": "unproven"}.get(verdict.proof, "FALSE FAIL")
    return "FALSE PASS" if verdict.proof == "proven" else ""


def main(argv: list[str] | None = None) -> int:
    """Print the tables; 1 where a verdict is false."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--only", default="", help="words in names of cases, parted by commas")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--at-once", type=int, default=2)
    given = parser.parse_args(argv)
    if not cases(given):
        parser.error(f"no case is called {given.only!r}; there are: {', '.join(case.name for case in CASES)}")
    counts: Counter[tuple[str, str]] = Counter()
    complaints: Counter[str] = Counter()
    seconds: list[float] = []
    with (
        open_sandbox(given.backend, image="hdl", slots=given.at_once) as sandbox,
        ThreadPoolExecutor(given.at_once) as pool,
    ):
        asked = designs(given, sandbox)
        while batch := list(islice(asked, 8 * given.at_once)):
            for one, verdict, took in pool.map(lambda each: told(each, sandbox), batch):
                counts[one.kind, verdict.proof or "refused"] += 1
                seconds.append(took)
                said = complaint(one, verdict)
                complaints[said] += bool(said)
                if said:
                    print(
                        f"{said}: {one.case}: {one.way} ({one.kind}): {verdict.log}\n{one.text}", flush=True
                    )
        backend = sandbox.backend
    return report(counts, complaints, seconds, backend)


def report(
    counts: Counter[tuple[str, str]], complaints: Counter[str], seconds: list[float], backend: str
) -> int:
    """Print the table; 1 where a verdict is false."""
    columns = ("proven", "bounded", "refuted", "refused")
    print(f"\n{backend}\n{'':20}" + "".join(f"{each:>9}" for each in columns))
    for kind in sorted({kind for kind, _ in counts}):
        print(f"{kind:20}" + "".join(f"{counts[kind, each]:9}" for each in columns))
    false = complaints["FALSE PASS"] + complaints["FALSE FAIL"]
    right = sum(number for (kind, _), number in counts.items() if kind == "right")
    print(f"{right} right, of them unproven {complaints['unproven']}; false verdicts: {false}")
    if len(seconds) > 1:
        marks = quantiles(seconds, n=20)
        print(f"seconds a grade: median {marks[9]:.2f}, 95 % {marks[18]:.2f}, worst {max(seconds):.2f}")
    return int(false > 0)


if __name__ == "__main__":
    sys.exit(main())
