"""A task as a source makes it, and the Harbor directory that it becomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from mx_tasks.harbor.directory import TaskDirectory, base_config
from mx_tasks.task import Split

WORKSPACE = "workspace/"
HIDDEN = "files/"
EXPECTED = "expected.json"
FORM = "hidden tests"
"""``form`` in ``[metadata.mx]``: the task is judged by the suite in ``tests/files`` and the ids in ``tests/expected.json``."""
UNVALIDATED = "unvalidated"
"""There in ``[metadata.mx]`` where a task has no reference solution: why nothing shows that it can be met."""

_HARBOR_GRADER = (
    resources.files("mx_tasks.software.grading").joinpath("inside", "harbor_grade.py").read_bytes()
)
_DOCKERFILE = """FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-pytest patch \\
 && rm -rf /var/lib/apt/lists/* && ln -sf /usr/bin/python3 /usr/local/bin/python
COPY workspace /app
COPY workspace /opt/original
WORKDIR /app
"""
_TEST_SH = """#!/bin/sh
# The verdict: the original tree, the sources of the submission, the hidden tests; the reward is written for Harbor.
mkdir -p /logs/verifier
echo 0 > /logs/verifier/reward.txt
python3 /tests/harbor_grade.py /opt/original /app /tests /logs/verifier/reward.txt
"""
_SOLVE_SH = """#!/bin/sh
cp -R /solution/files/. /app/
{removals}"""


@dataclass(frozen=True, slots=True)
class MadeTask:
    """A task that is judged by hidden tests.

    ``tree`` is public, ``tests`` hidden, both by file name; ``gold`` holds the files that mend it (None: to be removed).
    ``sources`` are the files, or folders with a ``/`` at the end, that a submission may change; ``fail_to_pass`` and
    ``pass_to_pass`` pytest ids; ``config`` the text of the pytest.ini, ``arguments`` pytest's besides; ``shape`` tells tasks apart
    that may not be in two splits.
    """

    id: str
    kind: str
    title: str
    statement: str
    tree: Mapping[str, bytes]
    tests: Mapping[str, bytes]
    gold: Mapping[str, bytes | None]
    sources: tuple[str, ...]
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    config: str
    python: str
    origin: str
    licence: str
    shape: str
    split: Split = "test"
    difficulty: int = 3
    wall_s: float = 60.0
    calls: int = 24
    arguments: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def files_when_mended(self) -> dict[str, bytes]:
        """The tree as the reference solution leaves it."""
        return {name: data for name, data in {**self.tree, **self.gold}.items() if data is not None}


def as_directory(task: MadeTask) -> TaskDirectory:
    """The directory that carries the task, for us and for Harbor."""
    config = base_config(f"mx-envs/{task.id}", task.title, keywords=("python", "repair", task.kind))
    config["metadata"]["mx"] = {
        "form": FORM,
        "kind": task.kind,
        "split": task.split,
        "difficulty": task.difficulty,
        "calls": task.calls,
        "python": task.python,
        "origin": task.origin,
        "licence": task.licence,
        "shape": task.shape,
        **task.about,
    }
    expected = {
        "fail_to_pass": list(task.fail_to_pass),
        "pass_to_pass": list(task.pass_to_pass),
        "sources": list(task.sources),
        "config": task.config,
        "arguments": list(task.arguments),
        "wall_s": task.wall_s,
    }
    removals = "".join(f"rm -f '/app/{name}'\n" for name, data in task.gold.items() if data is None)
    return TaskDirectory(
        name=task.id,
        config=config,
        instruction=task.statement,
        environment={
            "Dockerfile": _DOCKERFILE.encode(),
            **{WORKSPACE + name: data for name, data in task.tree.items()},
        },
        tests={
            "test.sh": _TEST_SH.encode(),
            "harbor_grade.py": _HARBOR_GRADER,
            EXPECTED: (json.dumps(expected, indent=1) + "\n").encode(),
            **{HIDDEN + name: data for name, data in task.tests.items()},
        },
        solution={
            "solve.sh": _SOLVE_SH.format(removals=removals).encode(),
            **{HIDDEN + name: data for name, data in task.gold.items() if data is not None},
        },
    )


def shape_of(*parts: str) -> str:
    """A short hash of what makes two tasks the same exercise."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
