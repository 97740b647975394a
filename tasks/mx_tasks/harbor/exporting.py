"""Tasks of ours, of every domain, as directories that Harbor's runner can run: instruction, environment, verifier, solution."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from mx_tasks.errors import TaskSetError
from mx_tasks.harbor.directory import TaskDirectory, TaskDirectoryError, base_config, write_directory
from mx_tasks.harbor.here import ANSWER
from mx_tasks.task import Split, Submission, Task, TaskSet, tasks

CATEGORIES = {"software": "software-engineering", "hardware": "hardware-design", "trading": "finance"}
PACKAGES = {
    "python": "python3 python3-pytest",
    "hdl": "python3 python3-pytest python3-pip iverilog verilator",
    "trading": "python3 python3-numpy python3-pandas",
}
"""What a task's image is made of, from Debian's archive."""
MORE = {
    "hdl": "RUN python3 -m pip install --no-cache-dir --only-binary :all: --no-deps --target /mx/eda/site"
    " pyosys==0.70 bitwuzla==0.10.0 \\\n && ln -s /usr/bin/python3 /mx/eda/python\n",
}
"""What else goes into it: the versions that our own sandboxes have (``wheels.txt`` of the image)."""
GRADERS = {"trading": " python3-numpy"}
"""What a domain's graders need, which run in the sandbox's place there and on the host here."""
LEFT_OUT = ("abuse", "images", "__pycache__")
"""Folders of the packages that no grader needs."""
HOW = """

---
The task's files are in /app. Work on them there{outputs}. An answer in words, or in blocks as the task asks for, goes into \
/app/{answer}.
"""
_DOCKERFILE = """FROM debian:trixie-slim
RUN apt-get update && apt-get install -y --no-install-recommends {packages} \\
 && rm -rf /var/lib/apt/lists/*
{more}COPY workspace /app
WORKDIR /app
"""
_TEST_SH = """#!/bin/sh
# The verdict of mx-envs, in Harbor's own form.
mkdir -p /logs/verifier
echo 0 > /logs/verifier/reward.txt
exec python3 -I /tests/grade.py
"""
_GRADE = """import sys
from pathlib import Path

sys.path.insert(0, "/tests/mx.zip")
from mx_tasks.harbor.here import main  # noqa: E402

main(Path("/tests/task.json"), Path("/app"), Path("/logs/verifier/reward.txt"))
"""
_SOLVE_SH = """#!/bin/sh
set -e
cp -R /solution/files/. /app/
{removals}"""


def export_tasks(task_set: TaskSet, split: Split, count: int, folder: Path) -> Iterator[tuple[str, str]]:
    """Write the first tasks of a split; gives each one's name, and why it was left out or nothing.

    Raises TaskSetError where the split is empty.
    """
    chosen = list(tasks(task_set, split, count))
    if not chosen:
        raise TaskSetError(f"the split {split!r} of {task_set.name} has no tasks")
    for task in chosen:
        try:
            write_directory(as_harbor(task_set, task), folder)
        except (TaskDirectoryError, TaskSetError) as error:
            yield task.id, str(error)
            continue
        yield task.id, ""


def as_harbor(task_set: TaskSet, task: Task) -> TaskDirectory:
    """The directory of a task. Raises TaskDirectoryError where Harbor's runner could not run it."""
    owner: Any = task_set.owner(task.id) if hasattr(task_set, "owner") else task_set
    if hasattr(owner, "directory"):
        directory: TaskDirectory = owner.directory(task)  # it has the form already
        return directory
    if task.services:
        raise TaskDirectoryError(
            f"it needs the service {', '.join(task.services)} of the host, which Harbor's runner has not"
        )
    if not hasattr(owner, "gold"):
        raise TaskDirectoryError(
            f"{owner.name} has no reference solutions, so nothing could be validated there"
        )
    if task.image not in PACKAGES:
        raise TaskDirectoryError(f"its image {task.image} is none that Debian's archive has")
    gold: Submission = owner.gold(task)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", task.id).strip("-.")
    config = base_config(
        f"mx-envs/{name}", task.prompt.strip().partition("\n")[0][:200], keywords=(task.domain,)
    )
    config["metadata"] |= {"category": CATEGORIES.get(task.domain, task.domain)}
    config["metadata"]["mx"] = {
        "form": "exported", "set": owner.name, "task": task.id, "split": task.split, "difficulty": task.difficulty,
        "domain": task.domain, "origin": task.source, "licence": task.licence,
    }  # fmt: skip
    config["agent"]["timeout_sec"] = max(600.0, task.budget.wall_s)
    outputs = list(owner.outputs(task))
    what = f"; what counts is {', '.join(outputs)}" if outputs else ""
    files = {**({ANSWER: gold.answer.encode()} if gold.answer else {}), **gold.files}
    removals = "".join(f"rm -f '/app/{each}'\n" for each in gold.removed)
    about = {"set": owner.name, "task": task.id}
    return TaskDirectory(
        name=name,
        config=config,
        instruction=task.prompt.rstrip() + HOW.format(outputs=what, answer=ANSWER),
        environment={
            "Dockerfile": _DOCKERFILE.format(
                packages=PACKAGES[task.image] + GRADERS.get(task.domain, ""), more=MORE.get(task.image, "")
            ).encode(),
            **{f"workspace/{inner}": data for inner, data in (task.files or {".keep": b""}).items()},
        },
        tests={
            "test.sh": _TEST_SH.encode(),
            "grade.py": _GRADE.encode(),
            "task.json": (json.dumps(about) + "\n").encode(),
            "mx.zip": _packages(),
        },
        solution={
            "solve.sh": _SOLVE_SH.format(removals=removals).encode(),
            **{f"files/{inner}": data for inner, data in files.items()},
        },
    )


@cache
def _packages() -> bytes:
    """This package and the one below it as an archive that Python imports from, the same bytes for the same sources."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for package in ("mx_sandboxes", "mx_tasks"):
            for name, data in _below(resources.files(package), package):
                archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _below(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        if entry.name in LEFT_OUT:
            continue
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            yield from _below(entry, name)
        elif not name.endswith((".pyc", ".typed")):
            yield name, entry.read_bytes()
