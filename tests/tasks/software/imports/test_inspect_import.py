"""inspect_ai's samples as tasks: which scorers are honoured, and what is refused by name."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import load_task_set
from mx_tasks.software.errors import SourceError
from mx_tasks.software.grading.inside.compare_texts import right
from mx_tasks.software.imports.inspect_import import import_inspect
from mx_tasks.validate import validate


@dataclass
class Sample:
    """What of inspect's own is read."""

    input: Any
    target: Any = ""
    choices: list[str] | None = None
    id: Any = None
    files: dict[str, str] | None = None
    sandbox: Any = None
    setup: str | None = None
    metadata: dict[str, Any] = field(default_factory=lambda: {"topic": "sums", "deep": {"no": 1}})


def scorer(name: str, **options: Any) -> Any:
    """A scorer as inspect's registry marks it."""
    return SimpleNamespace(
        __registry_info__=SimpleNamespace(name=f"inspect_ai/{name}"), __registry_params__=options
    )


def imported(made: object, folder: Path, sandbox: Sandbox) -> tuple[list[str], list[str]]:
    """The names of what holds, and what was said of the others."""
    said: list[str] = []
    return list(import_inspect(made, "quiz", folder, sandbox, said.append)), said


def test_samples_hold_and_what_cannot_be_honoured_is_one_line(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    chat = [
        SimpleNamespace(role="system", content="Be brief."),
        SimpleNamespace(role="user", content="2 + 2?"),
    ]
    picture = [SimpleNamespace(role="user", content=[SimpleNamespace(type="image", image="x.png")])]
    samples = [
        Sample("What is 6 x 7?", "42", id=1, files={"table.txt": "6 x 7", "data.bin": "data:;base64,AAE="}),
        Sample(chat, ["4", "four"], id="chat"),
        Sample("Which are even?", ["A", "C"], choices=["2", "3", "4"], id="pick"),
        Sample("Say 42", "42", id="in the question"),
        Sample("x", "y", setup="apt-get install", id="setup"),
        Sample("x", "y", sandbox="docker", id="sandbox"),
        Sample(picture, "cat", id="picture"),
        Sample("no target", id="none"),
    ]
    names, said = imported(lambda: samples, tmp_path / "quiz", bubblewrap_or_skip)
    assert names == ["1", "chat", "pick"]
    reasons = ("its own question scores 1", "its setup", "its sandbox", "image", "no target")
    assert len(said) == len(reasons)
    for line, reason in zip(said, reasons, strict=True):
        assert ": refused: " in line
        assert reason in line
    tasks = load_task_set(str(tmp_path / "quiz"))
    assert validate(tasks, bubblewrap_or_skip, count=5, repeats=1) == []
    assert tasks.find("1").files == {"table.txt": b"6 x 7", "data.bin": b"\0\1"}
    assert tasks.find("chat").prompt == "Be brief.\n\n2 + 2?\n"
    assert "B) 3" in tasks.find("pick").prompt


def test_scorers_are_honoured_or_refused_by_name(tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    def task(*scorers: Any) -> Any:
        return SimpleNamespace(
            dataset=[Sample("Name a colour of the sky.", "Blue", id="sky")], scorer=list(scorers)
        )

    assert imported(task(scorer("includes", ignore_case=False)), tmp_path / "a", bubblewrap_or_skip)[0] == [
        "sky"
    ]
    assert '"ignore_case": false' in (tmp_path / "a/sky/tests/target.json").read_text()
    for scorers in ([scorer("model_graded_qa")], [scorer("match"), scorer("includes")]):
        with pytest.raises(
            SourceError, match=r"cannot be honoured; there are: exact, match, includes, choice"
        ):
            imported(task(*scorers), tmp_path / "b", bubblewrap_or_skip)
    for made in (42, "text", [], {"input": 1}):
        with pytest.raises(SourceError):
            imported(made, tmp_path / "c", bubblewrap_or_skip)


@pytest.mark.parametrize(
    ("name", "options", "targets", "answer", "wanted"),
    [
        ("match", {}, ["42"], "It is 42.", True),
        ("match", {}, ["42"], "42 it is", False),
        ("match", {"location": "begin"}, ["42"], "42 it is", True),
        ("match", {"location": "any"}, ["paris"], "In Paris, I think", True),
        ("match", {"location": "exact"}, ["Paris"], "paris!", True),
        ("match", {"ignore_case": False}, ["Paris"], "paris", False),
        ("match", {"numeric": True}, ["1000"], "So it costs $1,000.00", True),
        ("match", {"numeric": True}, ["1000"], "So it costs 100", False),
        ("match", {}, ["a", "b"], "b", True),
        ("includes", {}, ["BLUE"], "a blue sky", True),
        ("includes", {"ignore_case": False}, ["BLUE"], "a blue sky", False),
        ("exact", {}, ["The Eiffel Tower"], "eiffel tower.", True),
        ("exact", {}, ["The Eiffel Tower"], "the eiffel tower in Paris", False),
        ("choice", {}, ["B"], "I think.\nANSWER: B", True),
        ("choice", {}, ["B"], "ANSWER: A\nno, ANSWER: B", True),
        ("choice", {}, ["B"], "ANSWER: A, B", False),
        ("choice", {}, ["AC"], "ANSWER: C and A", True),
        ("choice", {}, ["B"], "b", True),
        ("choice", {}, ["B"], "It may be A or B", False),
        ("choice", {}, ["A"], "A dog", False),
        ("includes", {}, [""], "  ", False),
    ],
)
def test_texts_are_compared_as_the_scorers_do(
    name: str, options: dict[str, Any], targets: list[str], answer: str, wanted: bool
) -> None:
    assert right(name, options, targets, answer) is wanted


def test_inspects_own_objects_are_read(tmp_path: Path) -> None:
    """``MX_INSPECT_PYTHON`` names an interpreter that has inspect_ai and mx-envs' own packages."""
    python = os.environ.get("MX_INSPECT_PYTHON")
    if not python:
        pytest.skip("MX_INSPECT_PYTHON names no interpreter with inspect_ai")
    script = (
        "from inspect_ai import Task\nfrom inspect_ai.dataset import MemoryDataset, Sample\n"
        "from inspect_ai.scorer import match\nfrom mx_tasks.software.imports.inspect_import import import_inspect\n"
        "import sys, pathlib\n"
        "task = Task(dataset=MemoryDataset([Sample(input='2+2?', target='4')]), scorer=match(numeric=True))\n"
        "print(list(import_inspect(task, 'own', pathlib.Path(sys.argv[1]), None, print)))\n"
    )
    done = subprocess.run([python, "-c", script, str(tmp_path)], check=True, capture_output=True, text=True)
    assert "['own-1']" in done.stdout
