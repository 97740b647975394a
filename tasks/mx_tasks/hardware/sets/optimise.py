"""Working designs to be made smaller or shallower: proven to be the same circuit first, measured by the same tool then."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass

from mx_sandboxes import Sandbox
from mx_tasks.hardware.generate.examples import check, public_files
from mx_tasks.hardware.generate.spec import second_design, table_design
from mx_tasks.hardware.generate.vectors import circuit
from mx_tasks.hardware.generate.waste import WASTE, Goal, Wasteful
from mx_tasks.hardware.grading.judge import (
    ELABORATES,
    IDENTICAL,
    PROVEN,
    Verdict,
    area,
    driver_version,
    grade_request,
    judge,
    run_driver,
)
from mx_tasks.hardware.grading.picture import grade_of
from mx_tasks.hardware.rtl.answers import ANSWER_FORM, DESIGN_FILE, submitted, verilog_in
from mx_tasks.hardware.rtl.circuit import Circuit
from mx_tasks.hardware.rtl.tools import TOOLS
from mx_tasks.hardware.sets.drawn import DrawnDesigns, attacks, in_block
from mx_tasks.task import Grade, Part, Split, Submission, Task

VERSION = 1
EXAMPLES = 8
KIND = "optimise"
SAME, BELOW = 0.10, 0.80
"""Score for a design that is proven equal and not better; what the way up to the target comes near to."""
NOISE = 0.10
"""The share of what is given that must be gone before anything counts: reordering alone moves figures by a little less."""
Cost = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A task as drawn: the designs with their goal, and the hidden vectors."""

    wasteful: Wasteful
    circuit: Circuit
    seed: str


class OptimiseTasks(DrawnDesigns[Drawn]):
    """Designs that work and waste, to be improved; ``seed`` chooses them. The same arguments give the same tasks everywhere."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__(KIND, seed)

    def marks(self) -> object:
        """The generator's version and seed, the grader's programs, and a sample of tasks."""
        return (VERSION, self.seed, driver_version(), self._sample())

    def made(self, split: Split, index: int) -> Task:
        """The task at that place of a split."""
        drawn = self.drawn(split, index)
        spec, goal = drawn.wasteful.spec, drawn.wasteful.goal
        given = second_design(spec)
        prompt = instruction(goal, given)
        files = public_files(spec, drawn.seed, EXAMPLES)
        files |= {DESIGN_FILE: given.encode(), "given.v": given.encode()}
        files["goal.json"] = json.dumps(dataclasses.asdict(goal)).encode()
        part = Part("design", prompt, check(spec, drawn.seed, EXAMPLES))
        return self._task(split, index, part, files, TOOLS, spec.level, f"family {spec.family}")

    def gold(self, task: Task) -> Submission:
        """The better design that is known."""
        return in_block(table_design(self._of(task).wasteful.spec))

    def cheats(self, task: Task) -> Mapping[str, Submission]:
        """Submissions that must score 0: attacks on the tools, and small designs that are no circuit of that behaviour."""
        given = Submission(files={DESIGN_FILE: task.files[DESIGN_FILE]})
        return {**attacks(self._of(task).wasteful.spec), "as given": given}

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Proof, then improvement. Raises SandboxError, GradingError."""
        verdict = self.verdict(task, submission, sandbox)
        return grade_of(task, self._of(task).circuit, verdict)

    def verdict(self, task: Task, submission: Submission, sandbox: Sandbox) -> Verdict:
        """The grade with all that is known about it."""
        drawn = self._of(task)
        spec = drawn.wasteful.spec
        text = submitted(submission, spec.top, task.files)
        if verilog_in(text, spec.top).split() == second_design(spec).split():
            return Verdict(0.0, passed=False, log="the design as it was given")
        return improved(drawn.circuit, drawn.wasteful.goal, text, second_design(spec), sandbox)

    def _draw(self, split: Split, index: int) -> Drawn:
        seed = f"mx-hardware/{VERSION}/{KIND}/{self.seed}/{split}/{index}"
        rng = random.Random(seed)
        wasteful = rng.choice(WASTE[split])(random.Random(f"{seed}/design"))
        return Drawn(wasteful, circuit(wasteful.spec, f"{seed}/vectors"), seed)


def instruction(goal: Goal, given: str) -> str:
    """What is asked: the target in words, the rules, the design."""
    other = "depth" if goal.measure == "area" else "area"
    return "\n".join(
        [
            f"`design.v` works, but it wastes {goal.measure}. Write a design that does the same with {goal.words()}.",
            "",
            "Same module name, same ports, and the same outputs for all inputs and all time from the first clock edge in reset on"
            " (for ever, where there is no clock): a proof decides, before anything is measured.",
            "Area is the number of AND nodes after synthesis plus 4 for each register bit, depth the longest path in AND nodes; the"
            f" tool `synthesise` measures both. The {other} may come to at most {goal.other} % of what it is now.",
            "",
            f"`design.v`:\n\n```verilog\n{given.strip()}\n```",
            "",
            ANSWER_FORM,
            "",
        ]
    )


def improved(circuit: Circuit, goal: Goal, text: str, given: str, sandbox: Sandbox) -> Verdict:
    """Grade a design against the better one and the one that was given. Raises ToolsMissingError, SandboxError."""
    report = run_driver({**grade_request(circuit, text), "given": given}, sandbox)
    verdict = judge(circuit, report)
    if verdict.proof != "proven":
        return dataclasses.replace(verdict, score=min(verdict.score, ELABORATES), passed=False)
    if verdict.cost is None or verdict.reference_cost is None:
        log = f"{verdict.log}; not measured: {report.get('no_cost', 'no reason given')}"
        return dataclasses.replace(verdict, score=SAME, passed=False, log=log)
    before: Cost = tuple(report["given_cost"])
    known = verdict.reference_cost
    score, reached = reward(goal, known if verdict.method == IDENTICAL else verdict.cost, before, known)
    log = (
        f"proven: {verdict.method}\narea {area(before)} -> {area(verdict.cost)} (known: {area(known)}), "
        f"depth {before[2]} -> {verdict.cost[2]} (known: {known[2]}); "
        f"target {'reached' if reached else 'missed'}: {goal.words()}"
    )
    return dataclasses.replace(verdict, score=score, passed=reached, log=log)


def reward(goal: Goal, answer: Cost, given: Cost, known: Cost) -> tuple[float, bool]:
    """The score of a design that is proven equal, and whether it reaches the target.

    ``SAME`` for no gain, towards ``BELOW`` up to the target, from 0.9 there up to 1 for what the known better design costs or less.
    """
    have, before, best = (_measured(goal.measure, cost) for cost in (answer, given, known))
    other = "depth" if goal.measure == "area" else "area"
    if 100 * _measured(other, answer) > goal.other * _measured(other, given):
        return SAME, False
    limit = goal.limit(before)
    if have > limit:
        start = (1.0 - NOISE) * before
        gain = max(0.0, (start - have) / (start - limit)) if start > limit else 0.0
        return round(SAME + (BELOW - SAME) * gain, 6), False
    full = best * (1.0 + NOISE / 2)
    above = (limit - have) / (limit - full) if limit > max(full, have) else float(have <= full)
    return round(PROVEN + (1.0 - PROVEN) * min(1.0, above), 6), True


def _measured(measure: str, cost: Cost) -> int:
    return area(cost) if measure == "area" else cost[2]
