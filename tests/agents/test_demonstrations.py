"""The scripted demonstrators: each understands its family, and leaves something to learn."""

from __future__ import annotations

import random

import pytest

from mx_agents.errors import UsageError
from mx_agents.micro.demonstrations import DEMONSTRATORS, ScriptedDesigner, ScriptedExecutor, demonstrator_of
from mx_envs import Observation, designer_chat, workflow_label
from mx_sandboxes import Sandbox
from mx_tasks import load_task_set

TASKS = 60


def chat(text: str) -> Observation:
    return {"messages": ({"role": "user", "content": text},)}


@pytest.mark.parametrize("name", DEMONSTRATORS)
def test_answers_are_often_right_and_often_wrong(name: str, sandbox: Sandbox) -> None:
    task_set, demonstrator, rng = load_task_set(name), demonstrator_of(name), random.Random(0)
    scores: list[float] = []
    for index in range(TASKS):
        task = task_set.task("train", index)
        assert demonstrator.understands(task.prompt)
        whole = demonstrator.answer(task.prompt, rng)
        assert len(whole.splitlines()) == len(task.parts)
        answers = [(part.name, demonstrator.answer(part.prompt, rng)) for part in task.parts]
        scores += [score or 0.0 for score in task_set.grade_parts(task, answers, sandbox)]
    right = sum(score == 1.0 for score in scores) / len(scores)
    assert 0.2 < right < 0.9


@pytest.mark.parametrize("name", DEMONSTRATORS)
def test_designs_are_of_several_known_kinds(name: str) -> None:
    rng = random.Random(0)
    labels = {workflow_label(demonstrator_of(name).design(rng)) for _ in range(60)}
    assert len(labels) > 5
    assert "invalid" not in labels


@pytest.mark.parametrize("name", DEMONSTRATORS)
def test_the_scripted_policies_find_the_family_by_the_prompt(name: str) -> None:
    task = load_task_set(name).task("train", 0)
    (answer,) = ScriptedExecutor(0).act([chat(task.prompt)])
    assert len(answer.splitlines()) == len(task.parts)
    (design,) = ScriptedDesigner(0).act([Observation(messages=designer_chat(task, ""))])
    assert demonstrator_of(name).ROLE in design


def test_a_task_set_without_a_demonstrator_is_one_clear_error() -> None:
    with pytest.raises(UsageError, match="software:repair"):
        demonstrator_of("software:repair")
    assert ScriptedExecutor(0).act([chat("What is the weather?")]) == [""]
