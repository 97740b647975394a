"""Grades a task of ours in somebody else's runner: what ``tests/test.sh`` of an exported directory calls there.

The directory brings this package along as ``tests/mx.zip``. Jobs are plain processes here: the container is the sandbox,
and what is submitted runs as the same user as this grader. In mx-envs itself grading is another job of a fresh workspace, with
limits.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from mx_sandboxes import Capabilities, Completed, Job, Limits, Reason, SandboxError, Session
from mx_tasks.registry import load_task_set
from mx_tasks.task import Submission

ANSWER = "answer.md"
_MEMORY_ROOM = 256 << 20


class Here:
    """Runs jobs as processes of this container, each in a folder of its own."""

    backend = "here"

    @property
    def capabilities(self) -> Capabilities:
        """Raises SandboxError: nothing is enforced here."""
        raise SandboxError("a verifier's container is nobody's sandbox but its runner's")

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        files: Mapping[str, bytes] | None = None,
        collect: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        fresh: bool = False,  # noqa: ARG002
    ) -> Completed:
        """See :meth:`mx_sandboxes.Sandbox.run`."""
        limits = limits or Limits()
        line = [sys.executable if argv[0] == "python" else argv[0], *argv[1:]]
        with tempfile.TemporaryDirectory() as place:
            for name, data in (files or {}).items():
                path = Path(place, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            plain = {
                "PATH": os.environ.get("PATH", ""),
                "HOME": place,
                "LANG": "C.UTF-8",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            began = time.monotonic()
            try:
                done = subprocess.run(
                    line, input=stdin, capture_output=True, cwd=place, timeout=limits.wall_s, check=False,
                    env={**plain, "PYTHONHASHSEED": "0", **(env or {})}, preexec_fn=lambda: _bound(limits),
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return Completed(Reason.WALL_TIME, None, wall_s=time.monotonic() - began)
            except OSError as error:
                return Completed(Reason.EXITED, 127, stderr=str(error).encode())
            found = {name: _read(Path(place, name)) for name in collect}
            kept = {name: data for name, data in found.items() if data is not None}
        reason = Reason.EXITED if done.returncode >= 0 else Reason.SIGNALLED
        return Completed(reason, done.returncode, done.stdout, done.stderr, kept, time.monotonic() - began)

    def run_batch(self, jobs: Iterable[Job]) -> Iterator[Completed]:
        """One job after the other."""
        for job in jobs:
            yield self.run(
                job.argv,
                stdin=job.stdin,
                files=job.files,
                collect=job.collect,
                env=job.env,
                limits=job.limits,
            )

    def run_as_completed(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Completed]]:
        """One job after the other."""
        yield from enumerate(self.run_batch(jobs))

    def session(
        self,
        argv: Sequence[str],  # noqa: ARG002
        *,
        files: Mapping[str, bytes] | None = None,  # noqa: ARG002
        env: Mapping[str, str] | None = None,  # noqa: ARG002
        limits: Limits | None = None,  # noqa: ARG002
    ) -> Session:
        """Raises SandboxError: no task that is exported needs one."""
        raise SandboxError("a verifier's container has no sessions")

    def warm(self, slots: int | None = None, limits: Limits | None = None) -> None:
        """Nothing is to be made ready."""

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _bound(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (int(limits.cpu_s) + 1,) * 2)
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes + _MEMORY_ROOM,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.file_bytes,) * 2)


def _read(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() and not path.is_symlink() else None


def submission_in(folder: Path, given: Mapping[str, bytes], outputs: Sequence[str]) -> Submission:
    """What agents left in a folder: the answer file, and of the task's outputs what is not as it was given."""
    answer = (_read(folder / ANSWER) or b"").decode(errors="replace")
    found: dict[str, bytes] = {}
    for output in outputs:
        inner = sorted((folder / output).rglob("*")) if output.endswith("/") else [folder / output]
        for path in inner:
            data = _read(path)
            if data is not None:
                found[str(path.relative_to(folder))] = data
    mine = tuple(output for output in outputs if output.endswith("/"))
    changed = {name: data for name, data in found.items() if given.get(name) != data}
    removed = tuple(name for name in given if mine and name.startswith(mine) and name not in found)
    return Submission(answer, changed, removed=removed)


def main(about: Path, folder: Path, reward: Path) -> None:
    """Grade what is in a folder and write the reward."""
    asked = json.loads(about.read_text())
    task_set = load_task_set(asked["set"])
    task = task_set.find(asked["task"])
    submission = submission_in(folder, task.files, task_set.outputs(task))
    score = 0.0
    if not submission.blank:
        grade = task_set.grade(task, submission, Here())
        sys.stdout.write(f"{grade.log}\n")
        score = 0.0 if grade.tampered else max(0.0, grade.score)
    reward.write_text(f"{score:g}\n")
