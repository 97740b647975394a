"""The fixed methods on tasks with parts and without, and a user's own."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mx_agents.episodes import Job, Played, play
from mx_agents.errors import PolicyError, UsageError
from mx_agents.methods import FIXED_METHODS, Method, MethodPolicy, load_method
from mx_agents.policies import RandomPolicy, ScriptedPolicy
from mx_agents.policy import Policy
from mx_envs import Observation, StopReason, software_v0
from mx_sandboxes import Sandbox
from mx_tasks import Task, TaskSet, load_task_set

CALLS = {"single": 1, "vote": 5, "debate": 6}


class Knowing:
    """Answers every question right, whole or by part; a critic's question too."""

    def __init__(self, task_set: TaskSet, task: Task) -> None:
        gold: str = task_set.gold(task).answer  # type: ignore[attr-defined]
        lines = gold.splitlines()
        self._answers = {part.prompt: line for part, line in zip(task.parts, lines, strict=False)}
        self._gold = gold
        self._parts = len(task.parts)

    def act(self, observations: list[Observation]) -> list[str]:
        return [self._answer(observation["messages"][-1]["content"]) for observation in observations]

    def _answer(self, question: str) -> str:
        if "Review it" in question:
            return "LGTM"
        asked = [line for prompt, line in self._answers.items() if prompt in question]
        return "\n".join(asked) if 0 < len(asked) < self._parts else self._gold


def one(jobs: list[Job[str]], task_set: TaskSet, sandbox: Sandbox, in_flight: int = 2) -> list[Played[str]]:
    def make_env() -> Any:
        return software_v0.raw_env(tasks=task_set, split="test", sandbox=sandbox)

    return list(play(iter(jobs), make_env, in_flight))


@pytest.mark.parametrize("set_name", ["software:micro", "software:repair"])
def test_with_an_executor_that_knows_every_fixed_method_passes(set_name: str, sandbox: Sandbox) -> None:
    task_set = load_task_set(set_name)
    task = task_set.task("test", 0)
    jobs = [
        Job(name, task.id, 0, MethodPolicy(method, task, random.Random(0)), Knowing(task_set, task))
        for name, method in FIXED_METHODS.items()
    ]  # type: ignore[list-item]
    played = {episode.key: episode.record for episode in one(jobs, task_set, sandbox, in_flight=3)}
    assert set(played) == set(FIXED_METHODS)
    for name, record in played.items():
        assert record.stop is StopReason.SUBMITTED, (name, record.error)
        assert record.grade.passed, name
        assert record.calls <= task.budget.calls
        assert record.calls == CALLS.get(name, record.calls)
    assert played["split"].calls == max(1, len(task.parts))
    assert played["reflect"].calls == 2  # a draft and a review that says LGTM


def test_the_label_of_each_fixed_method_is_its_name(sandbox: Sandbox) -> None:
    from mx_envs import workflow_label

    labels = {name: workflow_label(method.script) for name, method in FIXED_METHODS.items()}
    assert labels["single"] == "single"
    assert labels["vote"] == "vote(5)"
    assert labels["best_of"] == "split·best_of(3)"
    assert all(labels[name] == name for name in ("reflect", "debate", "split"))


MINE = """
class Mine:
    def design(self, task, rng):
        return f"from mas import *\\nsubmit({task.id!r})  # {rng.random()}"

def build():
    return Mine()

def design(task, rng):
    return f"submit({len(task.parts)})"

def number(task, rng):
    return 3

SCRIPT = "from mas import *"
nothing = 4
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Mine", "submit('micro-0-test-0')"),
        ("build", "submit('micro-0"),
        ("design", "submit("),
        ("SCRIPT", "from mas"),
    ],
)
def test_a_users_file_holds_a_method(mine: Path, name: str, expected: str) -> None:
    method = load_method(f"{mine}:{name}")
    assert isinstance(method, Method)
    task = load_task_set("software:micro").task("test", 0)
    design = method.design(task, random.Random(1))
    assert expected in design
    assert design == method.design(task, random.Random(1))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("singel", "did you mean 'single'"),
        ("plans", "there are: single, vote, cot, reflect, debate, plan, team, split"),
        ("{mine}:bild", "did you mean 'build'"),
        ("{mine}:nothing", "is no method"),
        ("missing.py:build", "no file 'missing.py'"),
    ],
)
def test_a_wrong_method_says_the_way_out(mine: Path, spec: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_method(spec.format(mine=mine))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "design"),
    [
        ("def method(task, rng):\n    return 'one'\ndef other(task, rng):\n    return 'two'\n", "one"),
        (
            "class Mine:\n    def design(self, task, rng):\n        return part()\ndef part():\n    return 'mine'\n",
            "mine",
        ),
        ("import random\nfrom pathlib import Path\ndef lonely(task, rng):\n    return 'alone'\n", "alone"),
    ],
)
def test_a_file_with_one_method_needs_no_name(tmp_path: Path, text: str, design: str) -> None:
    (tmp_path / "file.py").write_text(text)
    method = load_method(str(tmp_path / "file.py"))
    assert isinstance(method, Method)
    assert method.design(load_task_set("software:micro").task("test", 0), random.Random(1)) == design


def test_a_file_with_several_methods_asks_for_a_name(tmp_path: Path) -> None:
    (tmp_path / "two.py").write_text("def one(task, rng): ...\n\n\ndef two(task, rng): ...\n")
    with pytest.raises(UsageError, match=r"which method .* Write .*two.py:NAME; it has: one, two"):
        load_method(str(tmp_path / "two.py"))


def test_a_function_that_returns_no_text_is_named(mine: Path) -> None:
    method = load_method(f"{mine}:number")
    assert isinstance(method, Method)
    with pytest.raises(UsageError, match="returned a int"):
        method.design(load_task_set("software:micro").task("test", 0), random.Random(0))


def test_a_policy_is_a_method_too() -> None:
    assert isinstance(load_method("random"), RandomPolicy)


def test_open_questions_of_all_episodes_are_one_batch(sandbox: Sandbox) -> None:
    task_set = load_task_set("software:micro")
    sizes: list[int] = []

    class Counting:
        def act(self, observations: list[Observation]) -> list[str]:
            sizes.append(len(observations))
            return ["a"] * len(observations)

    executor: Policy = Counting()  # type: ignore[assignment]
    designer = ScriptedPolicy([FIXED_METHODS["single"].script], repeat=True)
    jobs = [Job(str(place), task_set.task("test", place).id, 0, designer, executor) for place in range(7)]
    played = one(jobs, task_set, sandbox, in_flight=3)
    assert sorted(episode.key for episode in played) == [str(place) for place in range(7)]
    assert sum(sizes) == 7
    assert max(sizes) == 3


def test_a_policy_that_forgets_an_answer_is_named(sandbox: Sandbox) -> None:
    class Mute:
        def act(self, observations: list[Observation]) -> list[str]:
            return []

    def jobs() -> Iterator[Job[str]]:
        yield Job("a", load_task_set("software:micro").task("test", 0).id, 0, Mute(), Mute())  # type: ignore[arg-type]

    with pytest.raises(PolicyError, match=r"Mute\.act gave 0 answers to 1 question:"):
        one(list(jobs()), load_task_set("software:micro"), sandbox)
