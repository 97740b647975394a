"""Published benchmarks from the user's own copy: ``hardware:verilog-eval``, ``hardware:rtllm``, ``hardware:cvdp``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from mx_sandboxes import Sandbox, open_sandbox
from mx_tasks.cache import cache_folder
from mx_tasks.errors import TaskSetError, check_split, did_you_mean
from mx_tasks.hardware.grading.judge import Verdict, driver_version, grade_answer
from mx_tasks.hardware.grading.picture import grade_of
from mx_tasks.hardware.imports.adoption import Adopted, Record, adopt_all, gold_text
from mx_tasks.hardware.imports.cvdp import read_cvdp
from mx_tasks.hardware.imports.rtllm import read_rtllm
from mx_tasks.hardware.imports.verilog_eval import read_verilog_eval
from mx_tasks.hardware.rtl.answers import ANSWER_FORM, DESIGN_FILE, submitted
from mx_tasks.hardware.rtl.circuit import Circuit
from mx_tasks.hardware.rtl.tools import TOOLS
from mx_tasks.task import Budget, Grade, Part, Split, Submission, Task, TaskNotFoundError

IMAGE = "hdl"


class ImportedTasks:
    """A published benchmark whose every task's reference passes here; ``refused`` tells why the other records are left out.

    The copy is read from ``folder``, or from where the environment variable ``MX_VERILOG_EVAL`` (``MX_RTLLM``, ``MX_CVDP``) says;
    the first time, each testbench is run on its reference in ``sandbox``, and what that gives is
    kept in the user's cache folder (not with ``cache=False``). All tasks are in the split ``test``.
    """

    def __init__(
        self,
        name: str,
        read: Callable[[Path], list[Record]],
        folder: str | Path | None,
        sandbox: str | Sandbox = "auto",
        cache: bool = True,
    ) -> None:
        variable = "MX_" + name.rpartition(":")[2].upper().replace("-", "_")
        given = folder or os.environ.get(variable)
        if given is None:
            raise TaskSetError(
                f"{name} is read from your own copy: set {variable} to its folder, or give folder="
            )
        place = Path(given).expanduser()
        if not place.exists():
            raise TaskSetError(f"{name} is read from your own copy: there is no {place}")
        self.name = name
        adopted = _adopted(read(place), sandbox, cache_folder() / "hardware" if cache else None)
        self.refused: Mapping[str, str] = {a.record.id: a.reason for a in adopted if a.circuit is None}
        self._records = {a.record.id: a.record for a in adopted if a.circuit is not None}
        self._circuits = {a.record.id: a.circuit for a in adopted if a.circuit is not None}
        if not self._circuits:
            raise TaskSetError(f"no record of {place} can be graded: {self.refused}")
        self.fingerprint = _fingerprint(adopted)

    def size(self, split: Split) -> int:
        """Number of tasks in a split: all are in ``test``."""
        return len(self._circuits) if check_split(split) == "test" else 0

    def task(self, split: Split, index: int) -> Task:
        """The task at a place in a split, in the order of the records' ids."""
        if not 0 <= index < self.size(split):
            raise IndexError(
                f"the split {split!r} of {self.name} has {self.size(split)} tasks; there is none at {index}"
                + ("" if split == "test" else " (a benchmark's tasks are all in the split 'test')")
            )
        return self.find(list(self._circuits)[index])

    def find(self, task_id: str) -> Task:
        """The task of that id. Raises TaskNotFoundError, with the reason when the record was refused."""
        if task_id in self.refused:
            raise TaskNotFoundError(f"{task_id} of {self.name} cannot be graded: {self.refused[task_id]}")
        if task_id not in self._circuits:
            raise TaskNotFoundError(
                f"no task {task_id!r} in {self.name}{did_you_mean(task_id, self._circuits)}; there are {len(self._circuits)}"
            )
        record, circuit = self._records[task_id], self._circuits[task_id]
        prompt = _prompt(record, circuit)
        return Task(
            id=task_id,
            domain="hardware",
            prompt=prompt,
            parts=(Part("design", prompt),),
            image=IMAGE,
            tools=TOOLS,
            budget=Budget(calls=16, wall_s=60.0),
            difficulty=record.difficulty,
            split="test",
            source=record.source,
            licence=record.licence,
        )

    def outputs(self, task: Task) -> Sequence[str]:  # noqa: ARG002  # the same file in every task
        """The design."""
        return (DESIGN_FILE,)

    def gold(self, task: Task) -> Submission:
        """The published reference, under the name that an answer has to have."""
        return Submission(f"```verilog\n{gold_text(self._records[task.id])}\n```\n")

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        """Tests, then proof against the reference. Raises SandboxError."""
        verdict = self.verdict(task, submission, sandbox)
        return grade_of(task, self.circuit(task.id), verdict)

    def verdict(self, task: Task, submission: Submission, sandbox: Sandbox) -> Verdict:
        """The grade with all that is known about it."""
        circuit = self.circuit(task.id)
        return grade_answer(circuit, submitted(submission, circuit.top, task.files), sandbox)

    def circuit(self, task_id: str) -> Circuit:
        """What a task's answers are graded against. Raises TaskNotFoundError."""
        if task_id not in self._circuits:
            self.find(task_id)
        return self._circuits[task_id]

    def grade_parts(
        self, task: Task, answers: Sequence[tuple[str, str]], sandbox: Sandbox
    ) -> Sequence[float | None]:
        """The score of each answer; the task's only part is the whole."""
        return [self.grade(task, Submission(answer), sandbox).score for _, answer in answers]


def _adopted(records: Sequence[Record], sandbox: str | Sandbox, cache: Path | None) -> list[Adopted]:
    if not isinstance(sandbox, str):
        return adopt_all(records, sandbox, cache=cache)
    with open_sandbox(sandbox, image=IMAGE) as opened:
        return adopt_all(records, opened, cache=cache)


def _prompt(record: Record, circuit: Circuit) -> str:
    lines = [record.prompt.strip(), ""]
    if record.names_ports:
        ports = "\n".join(f"- {d} {n}{f' ({w} bits)' if w > 1 else ''}" for n, d, w in circuit.ports)
        lines += [f"Call the top module `{circuit.top}`. Its ports:\n{ports}", ""]
    return "\n".join([*lines, ANSWER_FORM, ""])


def _fingerprint(adopted: Sequence[Adopted]) -> str:
    text = repr([driver_version(), [(a.record, a.circuit, a.reason) for a in adopted]])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def verilog_eval(
    folder: str | Path | None = None, sandbox: str | Sandbox = "auto", cache: bool = True
) -> ImportedTasks:
    """VerilogEval v1 or v2 from the user's copy. Raises TaskSetError."""
    return ImportedTasks("hardware:verilog-eval", read_verilog_eval, folder, sandbox, cache)


def rtllm(
    folder: str | Path | None = None, sandbox: str | Sandbox = "auto", cache: bool = True
) -> ImportedTasks:
    """RTLLM from the user's copy. Raises TaskSetError."""
    return ImportedTasks("hardware:rtllm", read_rtllm, folder, sandbox, cache)


def cvdp(
    folder: str | Path | None = None, sandbox: str | Sandbox = "auto", cache: bool = True
) -> ImportedTasks:
    """CVDP from the user's copy; only records that come with a reference. Raises TaskSetError."""
    return ImportedTasks("hardware:cvdp", read_cvdp, folder, sandbox, cache)
