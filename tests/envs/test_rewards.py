"""What episodes and turns pay."""

from __future__ import annotations

import pytest

from mx_envs import DefaultRewards, EpisodeRecord, Rewards, StopReason, software_v0
from mx_envs.episode.turns import parts_asked
from mx_envs.episode.wire import Question
from mx_tasks import Grade, Part, Submission, Task


def record(score=0.0, calls=0, answer="x", stop=StopReason.SUBMITTED):
    return EpisodeRecord(
        env="e",
        task="t",
        task_set="s",
        fingerprint="f",
        split="train",
        seed=None,
        design="",
        label="none",
        turns=(None,) * calls,
        submission=Submission(answer),
        stop=stop,
        grade=Grade(score, passed=score == 1.0),
    )


@pytest.mark.parametrize(
    ("episode", "designer", "executors"),
    [
        (record(1.0, 5), 0.9, 1.0),
        (record(0.5, 0), 0.5, 0.5),
        (record(0.0, 3), -0.06, 0.0),
        (record(answer=" "), -0.2, 0.0),
        (record(answer="", stop=StopReason.FINISHED), -0.2, 0.0),
        (record(answer="", stop=StopReason.INVALID), -0.2, 0.0),
        (record(answer="", calls=2, stop=StopReason.CRASHED), -0.2, 0.0),
        (record(answer="", stop=StopReason.TIME), -0.2, 0.0),
        (record(answer="", stop=StopReason.PROTOCOL), -0.2, 0.0),
        (record(answer="", calls=2, stop=StopReason.TRUNCATED), -0.04, 0.0),
        (record(answer="", stop=StopReason.SANDBOX_DIED), 0.0, 0.0),
    ],
)
def test_default_rewards(episode, designer, executors):
    assert DefaultRewards()(episode) == Rewards(pytest.approx(designer), executors)


def test_giving_up_is_never_worth_more_than_a_try_without_calls():
    model = DefaultRewards()
    assert model(record(answer="")).designer < model(record(answer="wrong")).designer


def test_a_reward_model_of_ones_own(play, bubblewrap, words):
    seen = []

    def model(episode):
        seen.append(episode.calls)
        return Rewards(designer=7.0, executors=-1.0)

    env = software_v0.env(tasks=words, sandbox=bubblewrap, rewards=model, executors=4)
    env.reset(seed=0)
    env.step("from mas import *\nsubmit(Agent('a')(task))")
    env.step("?")
    assert env.rewards == {
        "designer_0": 7.0,
        "executor_0": -1.0,
        "executor_1": 0.0,
        "executor_2": 0.0,
        "executor_3": 0.0,
    }
    assert seen == [1]
    assert env.unwrapped.episode.rewards == Rewards(7.0, -1.0)


@pytest.fixture
def paid(play, bubblewrap, words):
    def paid(script, answer):
        env = software_v0.env(tasks=words, sandbox=bubblewrap, turn_rewards=True)
        record = play(
            env, "from mas import *\na = Agent('a')\n" + script, answer, options={"index": 0}
        ).episode
        return [(turn.parts, turn.turn_reward) for turn in record.turns]

    return paid


def test_a_turn_is_paid_by_what_it_was_asked_for(paid):
    script = "a(task.parts[0]); a('Please: ' + task.parts[1] + '!'); a(task); a('hello'); a(task.parts[0], graded=False)"
    assert paid(script, lambda _: "enots") == [
        (("1",), 1.0),
        (("2",), 0.0),
        (("1", "2"), 0.5),
        ((), None),
        ((), None),
    ]


def test_a_call_of_a_tool_is_not_paid_and_the_answer_after_it_is(paid):
    answers = iter(['```tool\n{"name": "run", "arguments": {"command": "ls"}}\n```', "enots"])
    assert paid("Agent('b', tools=['run'])(task.parts[0])", lambda _: next(answers)) == [
        (("1",), None),
        (("1",), 1.0),
    ]


def test_only_the_newest_question_counts(paid):
    assert paid("a(task.parts[0]); a('and now?')", lambda _: "enots") == [(("1",), 1.0), ((), None)]


def test_the_reward_comes_right_after_the_step(bubblewrap, words):
    env = software_v0.env(tasks=words, sandbox=bubblewrap, turn_rewards=True, executors=2)
    env.reset(options={"index": 0})
    env.step("from mas import *\na = Agent('a')\nsubmit([a(part) for part in task.parts])")
    env.step("enots")
    assert env.rewards == {"designer_0": 0.0, "executor_0": 1.0, "executor_1": 0.0}
    env.step("wrong")
    assert env.rewards == {"designer_0": pytest.approx(0.46), "executor_0": 0.5, "executor_1": 0.0}
    assert [(turn.turn_reward, turn.team_reward) for turn in env.unwrapped.episode.turns] == [
        (1.0, 0.5),
        (0.0, 0.5),
    ]


def test_turns_are_not_paid_by_default(play, bubblewrap, words):
    env = software_v0.env(tasks=words, sandbox=bubblewrap)
    turns = play(env, "from mas import *\nsubmit(split(Agent('a')))").episode.turns
    assert [(turn.parts, turn.turn_reward) for turn in turns] == [(("1",), None), (("2",), None)]


def asked(prompts, text, role="user"):
    task = Task("t", "software", "\n".join(prompts), parts=tuple(Part(prompt, prompt) for prompt in prompts))
    return parts_asked(task, Question(0, "a", True, ({"role": role, "content": text},)))


def test_a_prompt_within_a_longer_ones_prompt_was_not_asked_for():
    prompts = ["add", "add twice", "stop"]
    assert asked(prompts, "add twice") == ("add twice",)
    assert asked(prompts, "add twice and add") == ("add", "add twice")
    assert asked(prompts, "nothing") == ()
    assert asked(prompts, "stop", role="tool") == ()
