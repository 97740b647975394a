"""What a wording has to say: every port, reset values, latency, number bases; and a design written from a table's words alone is right."""

from __future__ import annotations

import importlib
import random
import re
from types import ModuleType

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission
from mx_tasks.hardware.generate.families import KINDS
from mx_tasks.hardware.generate.wording import WORDINGS, instruction
from mx_tasks.hardware.sets.generated import GeneratedTasks

FAMILIES = [family for kind in KINDS.values() for each in kind.values() for family in each]


@pytest.fixture(scope="module")
def again() -> ModuleType:
    """The script that validates tasks once more."""
    return importlib.import_module("hardware_generator")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_wording_tells_of_every_port_and_of_the_reset(family: object) -> None:
    for seed in range(6):
        spec = family(random.Random(f"wording {seed}"))  # type: ignore[operator]
        for text in (spec.terse, "\n".join(spec.prose)):
            told = set(re.findall(r"\w+", text))
            assert {name for name, _, _ in spec.ports} - told <= {spec.clock, getattr(spec.reset, "name", "")}
            if spec.reset is not None:
                assert re.search(r"\breset\b", text, re.IGNORECASE), text
            assert "rotate " not in re.sub(r"rotate[sd]? (the word )?left", "", text)
        for wording in WORDINGS:
            text = instruction(spec, wording, "w")
            assert spec.clock in text
            if spec.reset is not None:
                assert (
                    f"The reset {spec.reset.name} is active {'high' if spec.reset.level else 'low'}" in text
                )
            assert spec.latency in text


def test_a_waveform_names_its_base_and_shows_nothing_before_reset() -> None:
    for kind in KINDS:
        task = GeneratedTasks(kind, wording="data sheet").task("train", 0)
        assert "in hexadecimal" in task.prompt
        assert "decimal" in task.prompt.partition("Examples (")[2]
        if kind != "combinational":
            spec = GeneratedTasks(kind, wording="data sheet").drawn("train", 0).spec
            rows = task.prompt.partition("```\n")[2].partition("```")[0].splitlines()
            firsts = {row.split()[0]: row.split()[1] for row in rows}
            assert all(firsts[name] == "-" for name, _ in spec.outs)


@pytest.mark.eda
@pytest.mark.parametrize("kind", [*KINDS, "repair"])
def test_a_design_from_the_words_of_the_table_alone_passes(
    hdl: Sandbox, again: ModuleType, kind: str
) -> None:
    tasks = GeneratedTasks(kind, 3, "table")
    for split in ("train", "test"):
        task = tasks.task(split, 1)  # type: ignore[arg-type]
        grade = tasks.grade(task, Submission(again.from_words(task.prompt.partition("\nExamples (")[0])), hdl)
        assert grade.passed, grade.log
        assert grade.score >= 0.9


@pytest.mark.eda
def test_different_mutants_fail_the_hidden_vectors(hdl: Sandbox, again: ModuleType) -> None:
    """The script that examines a task, on the kinds where much has to happen before a difference shows."""
    assert hdl is not None  # the tools are there
    for kind in ("sequential", "fsm", "protocol"):
        found = again.examine(again.Place(kind, "train", 0, 0, graded=False))
        assert found["problems"] == []
        assert found["different"] >= 10
