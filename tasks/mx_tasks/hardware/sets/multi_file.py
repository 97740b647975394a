"""Level 6: designs of several files with a bug in one of them to be mended, or waste in one of them to be cut."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Sequence

from mx_sandboxes import Sandbox
from mx_tasks.hardware.generate.assembly import Assembly, assembled
from mx_tasks.hardware.generate.examples import listing, public_files
from mx_tasks.hardware.generate.wording import WORDINGS, instruction
from mx_tasks.hardware.grading.judge import ELABORATES, Verdict, driver_version, grade_answer
from mx_tasks.hardware.rtl.files import FILES_FORM, design_files
from mx_tasks.hardware.rtl.tools import FILE_TOOLS
from mx_tasks.hardware.sets.drawn import DrawnDesigns
from mx_tasks.hardware.sets.optimise import improved
from mx_tasks.task import Grade, Part, Split, Submission, Task

VERSION = 1
EXAMPLES = 8
KIND = "multi-file"
ATTEMPTS = 1000
BUG = """A design of {files} files. Its top module is `{top}`; it wires the other modules up as it should.
One of the other modules does not do what was asked for. Find it and mend it."""
WASTED = """A design of {files} files that works; its top module is `{top}`. One of the other modules wastes area.
Change the design so that the whole has {target} and still does the same.
Area is the number of AND nodes after synthesis plus 4 for each register bit; the tool `synthesise` measures it. Equal outputs
for all inputs and all time from the first clock edge in reset on are proven before anything is measured."""


class MultiFileTasks(DrawnDesigns[Assembly]):
    """Designs of two or three modules and a top, a file each.

    ``seed`` chooses them, ``wording`` fixes how modules are described.
    """

    def __init__(self, seed: int = 0, wording: str | None = None) -> None:
        super().__init__(KIND, seed, wording)

    def marks(self) -> object:
        """The generator's version and arguments, the grader's programs, and a sample of tasks."""
        return (VERSION, self.seed, self.wording, driver_version(), self._sample())

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        drawn = self.drawn(split, index)
        seed = self._seed(split, index)
        names = sorted(drawn.given)
        files = public_files(drawn.spec, seed, EXAMPLES)
        facts = json.loads(files["examples.json"])
        files["examples.json"] = json.dumps({**facts, "files": names}).encode()
        files |= {name: text.encode() for name, text in drawn.given.items()}
        if drawn.goal is not None:
            files |= {f"given/{name}": text.encode() for name, text in drawn.given.items()}
            files["goal.json"] = json.dumps(dataclasses.asdict(drawn.goal)).encode()
        prompt = self._prompt(drawn, seed)
        families = f"families {', '.join(spec.family for spec in drawn.modules.values())}"
        return self._task(split, index, Part("design", prompt), files, FILE_TOOLS, 6, families)

    def outputs(self, task: Task) -> Sequence[str]:
        """The design's files."""
        return sorted(self._of(task).given)

    def gold(self, task: Task) -> Submission:
        """The one file that is to be changed, as it should be."""
        drawn = self._of(task)
        return Submission(f"{drawn.at}\n```verilog\n{drawn.gold[drawn.at]}```\n")

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Tests and proof of the whole; for waste the improvement of the whole. Raises SandboxError, GradingError."""
        verdict = self.verdict(task, submission, sandbox)
        parts = {part.name: verdict.score for part in task.parts}
        return Grade(verdict.score, verdict.passed, parts, log=verdict.log)

    def verdict(self, task: Task, submission: Submission, sandbox: Sandbox) -> Verdict:
        """The grade with all that is known about it."""
        drawn = self._of(task)
        texts = design_files(submission, task.files, sorted(drawn.given))
        if all(texts[name].split() == text.split() for name, text in drawn.given.items()):
            return Verdict(0.0, passed=False, log="the files as they were given")
        whole = "\n".join(texts[name] for name in sorted(texts))
        if drawn.goal is not None:
            given = "\n".join(drawn.given[name] for name in sorted(drawn.given))
            return improved(drawn.circuit, drawn.goal, whole, given, sandbox)
        verdict = grade_answer(drawn.circuit, whole, sandbox)
        if verdict.share <= drawn.broken_share:
            log = f"no better than the files as given; {verdict.log}"
            return Verdict(min(verdict.score, ELABORATES), passed=False, log=log)
        return verdict

    def _seed(self, split: Split, index: int) -> str:
        return f"mx-hardware/{VERSION}/{KIND}/{self.seed}/{split}/{index}"

    def _draw(self, split: Split, index: int) -> Assembly:
        for attempt in range(ATTEMPTS):
            seed = f"{self._seed(split, index)}/{attempt}"
            made = assembled(random.Random(seed), split, seed)
            if made is not None:
                return made
        raise RuntimeError(f"no acceptable task at {split} {index} of {self.name}")

    def _prompt(self, drawn: Assembly, seed: str) -> str:
        rng = random.Random(f"{seed}/wording")
        about = {"files": len(drawn.given), "top": drawn.spec.top}
        lines = (
            [BUG.format(**about)]
            if drawn.goal is None
            else [WASTED.format(**about, target=drawn.goal.words())]
        )
        for name, spec in drawn.modules.items():
            wording = self.wording or rng.choice(WORDINGS)
            if (
                drawn.goal is None
            ):  # else a description could give the better design away, and the files say all
                description = instruction(spec, wording, f"{seed}/{name}")
                lines += ["", f"--- what was asked for in `{name}` ---", description, "---"]
        if drawn.goal is None:
            lines += ["", *listing(drawn.spec, seed, EXAMPLES)]
        lines += ["", "The files:"]
        for name in sorted(drawn.given):
            lines += ["", f"`{name}`:\n\n```verilog\n{drawn.given[name].strip()}\n```"]
        return "\n".join([*lines, "", FILES_FORM, ""])
