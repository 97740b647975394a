"""Hardware tasks drawn from a seed, by kind, each with hidden vectors and a proof against a golden design."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from mx_sandboxes import Sandbox
from mx_tasks.hardware.generate.examples import check, listing, public_files
from mx_tasks.hardware.generate.families import families
from mx_tasks.hardware.generate.spec import Spec, second_design, table_design
from mx_tasks.hardware.generate.twist import twisted
from mx_tasks.hardware.generate.vectors import circuit
from mx_tasks.hardware.generate.wording import WORDINGS, instruction
from mx_tasks.hardware.grading.judge import ELABORATES, Verdict, driver_version, grade_answer
from mx_tasks.hardware.grading.picture import grade_of
from mx_tasks.hardware.rtl.answers import ANSWER_FORM, DESIGN_FILE, submitted, verilog_in
from mx_tasks.hardware.rtl.circuit import Circuit, trivial_share
from mx_tasks.hardware.rtl.tools import TOOLS
from mx_tasks.hardware.sets.drawn import DrawnDesigns, attacks, in_block
from mx_tasks.task import Grade, Part, Split, Submission, Task

VERSION = 1
EXAMPLES = 8
MOST_TRIVIAL = 0.85
"""Designs that an answer without logic gets right more often than this are not asked for."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A task as drawn: the design, its hidden vectors, its wording; for a repair the broken text and how often it is right."""

    spec: Spec
    circuit: Circuit
    wording: str
    seed: str
    broken: str = ""
    broken_share: float = 0.0


class GeneratedTasks(DrawnDesigns[Drawn]):
    """Designs of one kind to be written, or for ``repair`` of all kinds to be mended.

    ``seed`` chooses the tasks, ``wording`` (one of ``table``, ``prose``, ``data sheet``, ``terse``) fixes how they are described.
    The same arguments give the same tasks on every machine.
    """

    @property
    def about_set(self) -> str:
        """What it asks for, in a line."""
        return ABOUT[self.kind]

    def marks(self) -> object:
        """The generator's version and arguments, the grader's programs, and a sample of tasks with hidden vectors."""
        return (VERSION, self.kind, self.seed, self.wording, driver_version(), self._sample())

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        drawn = self.drawn(split, index)
        spec = drawn.spec
        files = public_files(spec, drawn.seed, EXAMPLES)
        lines = [instruction(spec, drawn.wording, drawn.seed), "", *listing(spec, drawn.seed, EXAMPLES)]
        if drawn.broken:
            files[DESIGN_FILE] = drawn.broken.encode()
            lines = [
                "`design.v` is meant to do the following, but it does not. Mend it.",
                "",
                *lines,
                "",
                f"`design.v`:\n\n```verilog\n{drawn.broken.strip()}\n```",
            ]
        prompt = "\n".join([*lines, "", ANSWER_FORM, ""])
        part = Part("design", prompt, check(spec, drawn.seed, EXAMPLES))
        return self._task(split, index, part, files, TOOLS, spec.level, f"family {spec.family}")

    def gold(self, task: Task) -> Submission:
        """The first golden design, as a model would hand it in."""
        return in_block(table_design(self._of(task).spec))

    def second_gold(self, task: Task) -> Submission:
        """The golden design of another structure."""
        return in_block(second_design(self._of(task).spec))

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Submissions that attack the grader; each must score 0."""
        return attacks(self._of(task).spec)

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Tests, then proof against the golden design. Raises SandboxError."""
        verdict = self.verdict(task, submission, sandbox)
        drawn = self._of(task)
        return grade_of(task, drawn.circuit, verdict)

    def verdict(self, task: Task, submission: Submission, sandbox: Sandbox) -> Verdict:
        """The grade with all that is known about it."""
        drawn = self._of(task)
        text = submitted(submission, drawn.spec.top, task.files)
        if drawn.broken and verilog_in(text, drawn.spec.top).split() == drawn.broken.split():
            return Verdict(0.0, passed=False, log="the file as it was given")
        verdict = grade_answer(drawn.circuit, text, sandbox)
        if drawn.broken and verdict.share <= drawn.broken_share < 1.0:
            return Verdict(
                min(verdict.score, ELABORATES),
                passed=False,
                log=f"no better than the file as given; {verdict.log}",
            )
        return verdict

    def _draw(self, split: Split, index: int) -> Drawn:
        for attempt in range(1000):
            seed = f"mx-hardware/{VERSION}/{self.kind}/{self.seed}/{split}/{index}/{attempt}"
            rng = random.Random(seed)
            family = rng.choice(families(self.kind, split))
            wording = self.wording or rng.choice(WORDINGS)
            if self.kind == "repair":
                made = twisted(family, f"{seed}/design", rng)
                if made is None:
                    continue
                spec, broken, share = made
                drawn = Drawn(spec, circuit(spec, f"{seed}/design/vectors"), wording, seed, broken, share)
            else:
                spec = family(random.Random(f"{seed}/design"))
                drawn = Drawn(spec, circuit(spec, f"{seed}/vectors"), wording, seed)
            if trivial_share(drawn.circuit) <= MOST_TRIVIAL:
                return drawn
        raise RuntimeError(f"no acceptable task at {split} {index} of {self.name}")


ABOUT: Mapping[str, str] = {
    "combinational": "Level 0: combinational logic to be written from a specification.",
    "sequential": "Level 1: registers, counters and shift registers.",
    "fsm": "Level 2: state machines and sequence detectors.",
    "arithmetic": "Level 3: accumulators, arithmetic units and pipelines.",
    "protocol": "Level 4: queues, arbiters, serial lines and checksums.",
    "composed": "Level 5: chains of modules that hand words on with valid and ready.",
    "repair": "Designs of levels 0 to 5 with one wrong choice, to be mended.",
}
"""The kinds, and what each asks for."""


def combinational(seed: int = 0, wording: str | None = None) -> GeneratedTasks:
    """Level 0: combinational logic."""
    return GeneratedTasks("combinational", seed, wording)


def sequential(seed: int = 0, wording: str | None = None) -> GeneratedTasks:
    """Level 1: registers, counters, shift registers."""
    return GeneratedTasks("sequential", seed, wording)


def fsm(seed: int = 0, wording: str | None = None) -> GeneratedTasks:
    """Level 2: state machines and sequence detectors."""
    return GeneratedTasks("fsm", seed, wording)


def arithmetic(seed: int = 0, wording: str | None = None) -> GeneratedTasks:
    """Level 3: accumulators, arithmetic units, pipelines."""
    return GeneratedTasks("arithmetic", seed, wording)


def protocol(seed: int = 0, wording: str | None = None) -> GeneratedTasks:
    """Level 4: queues, arbiters, serial lines, checksums."""
    return GeneratedTasks("protocol", seed, wording)


def composed(seed: int = 0, wording: str | None = None) -> GeneratedTasks:
    """Level 5: chains of modules with valid and ready."""
    return GeneratedTasks("composed", seed, wording)


def repair(seed: int = 0, wording: str | None = None) -> GeneratedTasks:
    """Designs of the other levels with one wrong choice, to be mended."""
    return GeneratedTasks("repair", seed, wording)
