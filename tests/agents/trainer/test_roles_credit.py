"""A task that its plan decides: whoever writes the plan learns from what came of it, whatever the plan itself would score."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from mx_agents.models.hugging_face import HuggingFacePolicy, Sample
from mx_agents.trainer.config import ExecutorCredit
from mx_agents.trainer.credit import Call, executor_advantages
from mx_agents.trainer.learner import Learner, LearnerConfig
from mx_agents.trainer.rollout import Execution, Job, execute, executor_calls
from mx_envs import Observation, software_v0
from mx_sandboxes import Sandbox
from mx_tasks import Grade, Split, Submission, Task, TaskNotFoundError

HEAD = 'from mas import *\nplanner = Agent("planner", "You plan.")\ncoder = Agent("coder", "You code.")\n'
DESIGNS = {
    "planner": 'submit(coder(f"{task}\\nPLAN:{planner(task)}"))',
    "chain": "submit(chain([planner, coder], task))",
    "critic": 'x = coder(task)\nsubmit(coder.fresh()(f"{task}\\nPLAN:{planner(str(task))}"))',
}
STEPS, EXECUTIONS = 16, 16


class Plans:
    """Right is what the coder writes after a good plan, and nothing else; a plan handed in itself is wrong."""

    name, fingerprint = "test:plans", "plans-1"

    def size(self, split: Split) -> int | None:
        return 1

    def task(self, split: Split, index: int) -> Task:
        return Task(id="plan", domain="software", prompt="Do it.", split=split)

    def find(self, task_id: str) -> Task:
        raise TaskNotFoundError(task_id)

    def outputs(self, task: Task) -> Sequence[str]:
        return ()

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        right = submission.answer == "done well"
        return Grade(float(right), passed=right)

    def grade_parts(self, *_: Any) -> list[float | None]:
        return []


def good(plan: str) -> bool:
    """About half of what a model with random weights says."""
    return bool(plan) and ord(plan[0]) % 2 == 0


def played(policy: HuggingFacePolicy) -> Callable[[Sequence[Observation]], list[Sample]]:
    """The planner is the policy; the coder does as it is told."""

    def sampler(observations: Sequence[Observation]) -> list[Sample]:
        planning = [each["messages"][0]["content"] == "You plan." for each in observations]
        plans = iter(policy.sample([each for each, own in zip(observations, planning, strict=True) if own]))
        return [
            next(plans) if own else Sample([1], [2], [-1.0], coded(each["messages"][-1]["content"]))
            for each, own in zip(observations, planning, strict=True)
        ]

    return sampler


def coded(question: str) -> str:
    told = question.partition("PLAN:")[2] or question.partition("The work so far:\n")[2]
    return "done well" if "\n" in question and good(told) else "done badly"


def planners(executions: Sequence[Execution]) -> list[bool]:
    return [turn.name == "planner" for each in executions for turn in each.record.turns]


def learnt(
    envs: Sequence[Any], policy: HuggingFacePolicy, design: str, credit: Callable[[list[Call]], list[float]]
) -> tuple[float, float]:
    """Success in the first and in the last three steps."""
    config = LearnerConfig(minibatches=1, warmup_updates=0, learning_rate=5e-2, final_learning_rate=1.0)
    learner = Learner(policy, list(policy.model.parameters()), config)
    success = []
    for step in range(STEPS):
        jobs = [Job(0, 0, number, HEAD + DESIGNS[design]) for number in range(EXECUTIONS)]
        executions = execute(envs, jobs, played(policy))
        success.append(sum(each.record.grade.passed for each in executions) / EXECUTIONS)
        calls = list(executor_calls(executions, step))
        own = [place for place, planner in enumerate(planners(executions)) if planner]
        advantages = credit(calls)
        learner.update(
            [calls[place].sample for place in own], [advantages[place] for place in own], random.Random(step)
        )
    return sum(success[:3]) / 3, sum(success[-3:]) / 3


@pytest.fixture
def envs(bubblewrap_or_skip: Sandbox) -> Any:
    made = [
        software_v0.parallel_env(
            tasks=Plans(), sandbox=bubblewrap_or_skip, grading_sandbox=bubblewrap_or_skip, turn_rewards=True
        )
        for _ in range(4)
    ]
    yield made
    for env in made:
        env.close()


@pytest.mark.parametrize("credit", ["turn", "leave-one-out", "question"])
@pytest.mark.parametrize("design", DESIGNS)
def test_a_planner_learns_from_what_came_of_its_plan(
    envs: Any, policy: HuggingFacePolicy, design: str, credit: ExecutorCredit
) -> None:
    policy.max_new_tokens = 1
    before, after = learnt(envs, policy, design, lambda calls: executor_advantages(calls, credit))
    assert before < 0.6
    assert after > 0.85


def test_paid_for_the_plan_itself_it_would_not(envs: Any, policy: HuggingFacePolicy) -> None:
    """The control: a plan graded as if it were an answer is always wrong, and teaches nothing."""
    policy.max_new_tokens = 1
    _, after = learnt(envs, policy, "planner", lambda calls: [0.0 if call.unit else 1.0 for call in calls])
    assert after < 0.6


def test_a_planner_s_advantage_is_its_team_s(envs: Any) -> None:
    plans = iter(["ba", "ab"])

    def sampler(observations: Sequence[Observation]) -> list[Sample]:
        return [
            Sample([len(each["messages"][-1]["content"])], [2], [-1.0],
                   next(plans) if each["messages"][0]["content"] == "You plan." else coded(each["messages"][-1]["content"]))
            for each in observations
        ]  # fmt: skip

    executions = execute(
        envs[:1], [Job(0, 0, number, HEAD + DESIGNS["planner"]) for number in (0, 1)], sampler
    )
    calls = list(executor_calls(executions, 0))
    assert [(call.local_reward, call.team_reward) for call in calls] == [
        (None, 1.0), (1.0, 1.0), (None, 0.0), (0.0, 0.0),
    ]  # fmt: skip
    for credit in ("turn", "leave-one-out"):
        advantages = executor_advantages(calls, credit)
        assert advantages[0] == -advantages[2] > 0, credit
        assert advantages[1] == -advantages[3] > 0, credit
