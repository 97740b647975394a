"""Testbenches to be written, worth the share of certainly wrong designs that they tell from the right ones."""

from __future__ import annotations

import hashlib
import json
import random
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mx_sandboxes import Sandbox
from mx_tasks.cache import cache_folder
from mx_tasks.errors import SPLITS
from mx_tasks.hardware.generate.families import KINDS, Family
from mx_tasks.hardware.generate.mutants import mutants_of
from mx_tasks.hardware.generate.spec import Spec, second_design, table_design
from mx_tasks.hardware.generate.vectors import circuit
from mx_tasks.hardware.generate.wording import WORDINGS, instruction
from mx_tasks.hardware.grading.judge import LONGEST_ANSWER, driver_version, run_driver
from mx_tasks.hardware.rtl.answers import submitted
from mx_tasks.hardware.rtl.circuit import Circuit
from mx_tasks.hardware.rtl.tools import BENCH_TOOLS
from mx_tasks.hardware.sets.drawn import DrawnDesigns
from mx_tasks.task import Grade, GradingError, Part, Split, Submission, Task

VERSION = 1
KIND = "testbench"
BENCH_FILE = "tb.v"
LEVELS = ("combinational", "sequential", "fsm", "arithmetic", "protocol")
MUTANTS, TRIED, FEWEST = 20, 44, 5
"""Mutants that count at most; texts that are tried; fewer than this is no task."""
STEPS = 12 * 48
"""Steps on which a mutant must differ from the reference."""
SUCCESS = 0.9
"""The share of mutants that makes a testbench a success."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A task as drawn: the design that is to be tested, what tells mutants apart, and the wording."""

    spec: Spec
    circuit: Circuit
    wording: str
    seed: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """Designs as testbenches see them: both references, and mutants of which each is known to differ."""

    references: tuple[str, str]
    mutants: tuple[str, ...]


class TestbenchTasks(DrawnDesigns[Drawn]):
    """Testbenches to be written; ``seed`` chooses them, ``wording`` (as for the designs) fixes how the design is described."""

    __test__ = False  # the name is Verilog's, not pytest's

    def __init__(self, seed: int = 0, wording: str | None = None) -> None:
        super().__init__(KIND, seed, wording)
        self._known: dict[str, Prepared] = {}

    def marks(self) -> object:
        """The generator's version and arguments, the grader's programs, and a sample of tasks with their mutants."""
        sample = [
            (self.task(split, n).prompt, texts(self.drawn(split, n))) for split in SPLITS for n in range(2)
        ]
        return (VERSION, self.seed, self.wording, driver_version(), sample)

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        drawn = self.drawn(split, index)
        spec = drawn.spec
        prompt = asked(spec, instruction(spec, drawn.wording, drawn.seed))
        files = {"design.json": json.dumps({"top": spec.top, "ports": spec.ports}).encode()}
        part = Part("testbench", prompt)
        return self._task(split, index, part, files, BENCH_TOOLS, spec.level, f"family {spec.family}")

    def outputs(self, task: Task) -> Sequence[str]:  # noqa: ARG002  # the same file in every task
        """The testbench."""
        return (BENCH_FILE,)

    def gold(self, task: Task) -> Submission:
        """A testbench of recorded steps, each with what the model gives."""
        return Submission(f"```verilog\n{recorded(self._of(task).circuit)}```\n")

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """The share of mutants killed; 0 where a right design is rejected. Raises SandboxError, GradingError."""
        text = submitted(submission, "tb", task.files, BENCH_FILE)
        if not text.strip():
            return Grade(0.0, False, {"testbench": 0.0}, log="no testbench")
        prepared = self.prepared(task, sandbox)
        score, log = killed(prepared, text, self._of(task).spec.top, sandbox)
        return Grade(score, score >= SUCCESS, {"testbench": score}, log=log)

    def prepared(self, task: Task, sandbox: Sandbox) -> Prepared:
        """The designs that its testbenches run on, made once and kept by what they are made of. Raises GradingError."""
        if task.id not in self._known:
            self._known[task.id] = prepare(self._of(task), sandbox)
        return self._known[task.id]

    def _draw(self, split: Split, index: int) -> Drawn:
        seed = f"mx-hardware/{VERSION}/{KIND}/{self.seed}/{split}/{index}"
        rng = random.Random(seed)
        choices: list[Family] = [family for level in LEVELS for family in KINDS[level][split]]
        spec = rng.choice(choices)(random.Random(f"{seed}/design"))
        wording = self.wording or rng.choice(WORDINGS)
        return Drawn(spec, _cut(circuit(spec, f"{seed}/vectors")), wording, seed)


def _cut(whole: Circuit) -> Circuit:
    return replace(whole, steps=whole.steps[:STEPS], expected=whole.expected[:STEPS])


def asked(spec: Spec, description: str) -> str:
    """The prompt."""
    return PROMPT.format(top=spec.top, description=description)


PROMPT = """Write a self-checking Verilog testbench for the module `{top}`, which somebody else has written from the
description below. You do not see that design: it may be right, or wrong in one small thing, and its structure is its own.

--- description of the design ---
{description}
--- end of the description ---

The testbench is a module `tb` without ports. It instantiates `{top}` once, drives it, compares its outputs with what the
description demands, and prints exactly one verdict before it ends with `$finish`:

    $display("%s PASS", `NONCE);   // every output was as described
    $display("%s FAIL", `NONCE);   // some output was not

`NONCE` is a macro with a string that is given when the testbench is compiled (Icarus Verilog, -g2012). Outputs before the first
reset are unknown in right designs too. Change inputs away from the clock edge that is used.
Score: the share of wrong designs on which it says FAIL, and 0 if it does not say PASS on right designs of different structure.
A run without a verdict counts for nothing: an error, more than a second of processor time, a second verdict.
No files, plusargs, includes or names inside of the design.

Answer with the testbench in one ```verilog block, or write it to `tb.v` in the workspace.
"""


def texts(drawn: Drawn) -> list[str]:
    """Both golden designs, then mutants of them that may be none."""
    spec = drawn.spec
    found = mutants_of(spec, random.Random(f"{drawn.seed}/mutants"), TRIED)
    return [table_design(spec), second_design(spec), *found]


def prepare(drawn: Drawn, sandbox: Sandbox) -> Prepared:
    """Elaborate the designs and keep the mutants that differ from the reference in a known step.

    Kept in the cache folder under a hash of all that goes in. Raises GradingError where the references do not agree with the model
    or too few mutants differ: such a task has no verdict.
    """
    spec, vectors = drawn.spec, drawn.circuit
    request = {
        "do": "prepare",
        "designs": texts(drawn),
        "top": spec.top,
        "ports": spec.ports,
        "clocks": vectors.clocks,
        "steps": vectors.steps,
    }
    key = hashlib.sha256(json.dumps([driver_version(), request]).encode()).hexdigest()[:32]
    place = cache_folder() / "hardware" / f"testbench-{key}.json"
    try:
        kept = json.loads(place.read_text("utf-8"))
        return Prepared((kept[0], kept[1]), tuple(kept[2:]))
    except (OSError, ValueError, IndexError):
        pass  # not there, or broken off: made anew
    report = run_driver(request, sandbox)
    if report["stage"] != "prepared":
        raise GradingError(f"mutants cannot be made: {report.get('limit') or report.get('refused')}")
    prepared = _chosen(vectors, report["presented"])
    place.parent.mkdir(parents=True, exist_ok=True)
    unfinished = place.with_suffix(f".{secrets.token_hex(4)}")
    unfinished.write_text(json.dumps([*prepared.references, *prepared.mutants]), "utf-8")
    unfinished.replace(place)
    return prepared


def _chosen(vectors: Circuit, presented: Mapping[str, Mapping[str, object]]) -> Prepared:
    found = [(str(each["text"]), tuple(map(str, each["outputs"]))) for each in presented.values()]  # type: ignore[call-overload]
    if len(found) < 2 or any(_differs(vectors, outputs) for _, outputs in found[:2]):
        raise GradingError("a golden design does not agree with its model")
    different: dict[tuple[str, ...], tuple[int, str]] = {}
    for text, outputs in found[2:]:
        steps = _differs(vectors, outputs)
        if steps and outputs not in different:
            different[outputs] = (steps, text)
    if len(different) < FEWEST:
        raise GradingError(f"only {len(different)} mutants differ")
    ranked = sorted(different.values())
    chosen = [ranked[n * len(ranked) // MUTANTS] for n in range(MUTANTS)] if len(ranked) > MUTANTS else ranked
    return Prepared((found[0][0], found[1][0]), tuple(text for _, text in chosen))


def _differs(vectors: Circuit, outputs: Sequence[str]) -> int:
    """In how many steps a bit is certainly another than it must be."""
    return sum(
        any(w + h in ("01", "10") for w, h in zip(want, have, strict=False))
        for want, have in zip(vectors.expected, outputs, strict=False)
    )


def killed(prepared: Prepared, text: str, top: str, sandbox: Sandbox) -> tuple[float, str]:
    """The share of mutants on which a testbench says FAIL, 0 unless it says PASS on both references; and the log.

    The nonce is the same in all runs of one grading, so that chance made of it falls the same way on right and wrong designs.
    """
    report = run_driver(
        {
            "do": "bench",
            "testbench": text[:LONGEST_ANSWER],
            "top": top,
            "designs": [*prepared.references, *prepared.mutants],
            "references": len(prepared.references),
            "verdict": secrets.token_hex(12),
        },
        sandbox,
    )
    said = list(report.get("said", ()))
    right, wrong = said[: len(prepared.references)], said[len(prepared.references) :]
    if not said or "refused" in report:
        return 0.0, f"refused: {report.get('refused') or report.get('limit')}"
    if right != ["pass"] * len(prepared.references):
        return 0.0, f"a right design is not passed: {', '.join(right)}"
    share = wrong.count("fail") / len(prepared.mutants)
    rest = sorted({each for each in wrong if each not in ("pass", "fail")})
    log = (
        f"{wrong.count('fail')} of {len(prepared.mutants)} wrong designs found, {wrong.count('pass')} passed"
    )
    return round(share, 6), log + "".join(f"\n{each}" for each in rest[:4])


def recorded(vectors: Circuit) -> str:
    """A testbench that drives recorded steps and compares every bit that is known."""
    ins = sum(width for _, _, width in vectors.inputs)
    outs = sum(width for _, _, width in vectors.outputs)
    lines = ["`timescale 1ns/1ns", "module tb;"]
    for name, direction, width in vectors.ports:
        kind = "reg" if direction == "input" else "wire"
        lines.append(f"  {kind} [{width - 1}:0] {name}{' = 0' if name in vectors.clocks else ''};")
    pins = ", ".join(f".{name}({name})" for name, _, _ in vectors.ports)
    have = "{" + ", ".join(name for name, _, _ in vectors.outputs) + "}"
    lines += [
        f"  {vectors.top} checked ({pins});",
        "  integer wrong = 0;",
        f"  task step(input [{ins - 1}:0] given, input [{outs - 1}:0] want, input [{outs - 1}:0] known);",
        "    begin",
        *_driven(vectors, ins),
        "      #1;",
        f"      if ((({have} ^ want) & known) !== {outs}'d0) wrong = wrong + 1;",
        "    end",
        "  endtask",
        "  initial begin",
    ]
    for given, want in zip(vectors.steps, vectors.expected, strict=True):
        value = want.replace("x", "0")
        known = "".join("0" if bit == "x" else "1" for bit in want)
        lines.append(
            f"    step({ins}'h{int(given, 2):x}, {outs}'h{int(value, 2):x}, {outs}'h{int(known, 2):x});"
        )
    lines += [
        '    if (wrong == 0) $display("%s PASS", `NONCE); else $display("%s FAIL", `NONCE);',
        "    $finish;",
        "  end",
        "endmodule",
        "",
    ]
    return "\n".join(lines)


def _driven(vectors: Circuit, place: int) -> list[str]:
    clocks, others = [], []
    for name, _, width in vectors.inputs:
        bits = f"given[{place - 1}:{place - width}]"
        place -= width
        if name in vectors.clocks:
            clocks.append(f"      {name} = {bits};")
        else:
            others.append(f"      {name} <= {bits};")
    return [*clocks, *others]
