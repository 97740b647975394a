"""What episodes and turns pay."""

from __future__ import annotations

import pytest

from mx_envs import DefaultRewards, EpisodeRecord, Rewards, StopReason, software_v0
from mx_envs.episode.turns import parts_asked
from mx_envs.episode.wire import Question
from mx_envs.faces import single
from mx_tasks import Grade, Part, Submission, Task


def record(score=0.0, calls=0, answer="x", stop=StopReason.SUBMITTED, tampered=False):
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
        grade=Grade(score, passed=score == 1.0, tampered=tampered),
    )


@pytest.mark.parametrize(
    ("episode", "designer", "executors"),
    [
        (record(1.0, 5), 0.9, 1.0),
        (record(0.5, 0), 0.5, 0.5),
        (record(0.5, 10), 0.4, 0.5),
        (record(1.0, 1000), 0.25, 1.0),
        (record(0.0, 3), 0.0, 0.0),
        (record(-0.5, 10), -0.5, -0.5),
        (record(0.0, 0, answer="?"), 0.0, 0.0),
        (record(answer=" "), 0.0, 0.0),
        (record(answer="", stop=StopReason.FINISHED), 0.0, 0.0),
        (record(answer="", stop=StopReason.INVALID), 0.0, 0.0),
        (record(answer="", calls=2, stop=StopReason.CRASHED), 0.0, 0.0),
        (record(answer="", stop=StopReason.TIME), 0.0, 0.0),
        (record(answer="", calls=2, stop=StopReason.TRUNCATED), 0.0, 0.0),
        (record(0.0, 2, tampered=True), -0.5, -0.5),
        (record(1.0, 2, tampered=True), -0.5, -0.5),
    ],
)
def test_default_rewards(episode, designer, executors):
    assert DefaultRewards()(episode) == Rewards(pytest.approx(designer), executors)


GIVING_UP = {
    "a question mark": record(0.0, 0, answer="?"),
    "a question mark after a call for the look of it": record(0.0, 1, answer="?"),
    "nothing": record(0.0, 0, answer=""),
    "blanks": record(0.0, 0, answer=" \n"),
    "no design": record(0.0, 0, answer="", stop=StopReason.INVALID),
    "a crash": record(0.0, 0, answer="", stop=StopReason.CRASHED),
    "waiting for the end": record(0.0, 0, answer="", stop=StopReason.TIME),
    "calls without an answer": record(0.0, 24, answer="", stop=StopReason.BUDGET),
    "killing the sandbox": record(0.0, 0, answer="", stop=StopReason.SANDBOX_DIED),
    "an answer that makes the grader fail": record(0.0, 0, stop=StopReason.GRADING_FAILED),
    "tampering": record(0.0, 0, tampered=True),
    "tampering that scored": record(1.0, 0, tampered=True),
}
"""What a policy does that does not try."""

FAILING = {
    "a wrong answer": lambda calls: record(0.0, calls),
    "a crash on a strange answer": lambda calls: record(0.0, calls, answer="", stop=StopReason.CRASHED),
    "calls used up": lambda calls: record(0.0, calls, answer="", stop=StopReason.BUDGET),
    "too slow": lambda calls: record(0.0, calls, answer="", stop=StopReason.TIME),
    "a design that does not parse": lambda calls: record(0.0, 0, answer="", stop=StopReason.INVALID),
}
"""How an honest try ends when it does not succeed."""


@pytest.mark.parametrize(
    "model", [DefaultRewards(), DefaultRewards(0.0), DefaultRewards(0.5), DefaultRewards(0.005, 1.0)]
)
@pytest.mark.parametrize("giving_up", GIVING_UP)
def test_a_try_with_any_chance_of_success_is_worth_more_than_giving_up(model, giving_up):
    """Over a grid of chances, prices, numbers of calls, partial scores and ways to fail."""
    instead = GIVING_UP[giving_up]
    paid = Rewards() if instead.failed else model(instead)
    for calls in (0, 1, 3, 24, 500):
        for score in (1.0, 0.5, 0.05):
            success = model(record(score, calls))
            for failing in FAILING.values():
                failure = model(failing(calls))
                for chance in (1e-9, 0.001, 0.02, 0.3, 1.0):
                    for role in ("designer", "executors"):
                        of_success, of_failure = getattr(success, role), getattr(failure, role)
                        worth = chance * of_success + (1 - chance) * of_failure
                        assert worth > getattr(paid, role)


def test_what_costs_less_is_worth_more_only_where_it_bought_something():
    model = DefaultRewards()
    assert model(record(1.0, 2)).designer > model(record(1.0, 8)).designer
    assert model(record(0.0, 2)).designer == model(record(0.0, 8)).designer
    assert model(record(1.0, 1000)).designer > 0


@pytest.mark.parametrize(
    ("prices", "word"),
    [
        ({"cost_per_call": -0.1}, "-0.1"),
        ({"least_share": 0.0}, "least share"),
        ({"least_share": 1.5}, "1.5"),
        ({"tampering": 0.0}, "tampering"),
        ({"tampering": 0.3}, "0.3"),
    ],
)
def test_prices_with_which_not_trying_would_pay_are_refused(prices, word):
    with pytest.raises(ValueError, match=word):
        DefaultRewards(**prices)


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("submit('?')", ""),
        ("Agent('a')('anything'); submit('?')", "x"),
        ("submit()", ""),
        ("raise SystemExit(3)", ""),
        ("def", ""),
        ("submit(split(lambda part: best_of(Agent('a'), part, 3)))", "wrong"),
        ("a = Agent('a')\nwhile True: a('more')", "wrong"),
    ],
)
def test_failing_pays_the_same_however_it_came_about(play, bubblewrap, words, script, answer):
    env = software_v0.env(tasks=words, sandbox=bubblewrap)
    record = play(env, f"from mas import *\n{script}", lambda _: answer).episode
    assert (record.grade.score, record.rewards) == (0.0, Rewards(0.0, 0.0))


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
    assert paid("submit([a(part) for part in task.parts])", lambda _: "enots") == [
        (("1",), 1.0),
        (("2",), 0.0),
    ]
    assert paid(
        "submit([a('Please: ' + part + '!') for part in map(str, task.parts)])", lambda _: "enots"
    ) == [
        (("1",), 1.0),
        (("2",), 0.0),
    ]
    assert paid("submit(a(task))", lambda _: "enots") == [(("1", "2"), 0.5)]
    assert paid("a('hello'); submit(a(task.parts[0], graded=False))", lambda _: "enots") == [((), None)] * 2


def test_a_call_of_a_tool_is_not_paid_and_the_answer_after_it_is(paid):
    answers = iter(['```tool\n{"name": "run", "arguments": {"command": "ls"}}\n```', "enots"])
    assert paid("submit(Agent('b', tools=['run'])(task.parts[0]))", lambda _: next(answers)) == [
        (("1",), None),
        (("1",), 1.0),
    ]


def test_only_the_newest_question_counts(paid):
    assert paid("submit(a(task.parts[0])); a('and now?')", lambda _: "enots") == [(("1",), 1.0)]
    assert paid("x = a(task.parts[0]); a('and now?'); submit(x)", lambda _: "enots") == [
        (("1",), 1.0),
        ((), None),
    ]


RIGHT = "enots\nrevir"
B = "b = Agent('b', 'You review.')\n"
WORKFLOWS = {
    "a planner that was shown the task": (
        "plan = b(task)\nsubmit(a(f'{task}\\nThe plan: {plan}'))",
        ["Reverse each.", RIGHT],
        [None, 1.0],
    ),
    "a planner of the same name": (
        "plan = a.fresh()(task)\nsubmit(a(f'{task}\\nThe plan: {plan}'))",
        ["Reverse each.", RIGHT],
        [None, 1.0],
    ),
    "a planner for each part": (
        "submit([a(f'{part}: {b(str(part))}') for part in task.parts])",
        ["turn it", "enots", "turn it", "wrong"],
        [None, 1.0, None, 0.0],
    ),
    "a critic by hand": (
        "x = a(task)\ny = b(f'{task}\\nReview: {x}')\nsubmit(x)",
        [RIGHT, "It is wrong."],
        [1.0, None],
    ),
    "the first links of a chain": (
        "submit(chain([a, b, a.fresh()], task))",
        ["hm", "aha", RIGHT],
        [None, None, 1.0],
    ),
    "a chain whose last link passes on what it got": (
        "submit(chain([a, b], task))",
        [RIGHT, RIGHT],
        [1.0, 1.0],
    ),
    "a judge by hand": (
        "x, y = a(task), a.fresh()(task)\nsubmit(x if '1' in b(f'{task}\\n{x}\\n{y}\\n1 or 2?') else y)",
        ["no\nno", RIGHT, "2"],
        [0.0, 1.0, None],
    ),
    "drafts that were not chosen": (
        "submit(vote(a, task, 3))",
        ["no\nno", RIGHT, RIGHT],
        [0.0, 1.0, 1.0],
    ),
    "drafts of a part": (
        "submit(split(lambda part: vote(a, part, 2)))",
        ["enots", "no", "no", "revir"],
        [1.0, 0.0, 0.0, 1.0],
    ),
    "an answer that was rewritten before it was handed in": (
        "submit(a(task).upper())",
        ["enots\nRIVER"],
        [None],
    ),
    "an answer that nobody handed in": ("a(task)\nsubmit('enots\\nno')", [RIGHT], [None]),
    "a crash after the answer": ("a(task)\nraise SystemExit(1)", [RIGHT], [None]),
    "trimmed": ("submit(a(task).strip())", [f"{RIGHT}\n\n"], [1.0]),
}
"""A script, the answers in the order of its questions, and what each is due."""


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_turn_is_paid_only_for_what_was_taken_from_it(paid, name):
    script, answers, due = WORKFLOWS[name]
    given = iter(answers)
    assert [reward for _, reward in paid(B + script, lambda _: next(given))] == due


def test_work_in_files_is_not_the_answer_s(paid):
    """Beside changed files the answer alone is not what was handed in."""
    script = "open('notes.txt', 'w').write('done')\nsubmit(a(task))"
    assert paid(script, lambda _: RIGHT) == [(("1", "2"), None)]


@pytest.mark.parametrize("face", ["aec", "parallel", "single"])
def test_what_was_paid_for_a_turn_that_nothing_was_taken_from_is_taken_back(bubblewrap, words, face):
    """The sum of an executor's rewards is what its turns are due and the team's result, on every face."""
    script = "from mas import *\nx = Agent('a')(task)\nsubmit(Agent('b')('Better: ' + str(task)))"
    answers = ["enots\nno", "no\nrevir"]
    options = {"tasks": words, "sandbox": bubblewrap, "turn_rewards": True}
    if face == "single":
        env = single.software(**options)
        env.reset(options={"index": 0})
        total = sum(env.step(action)[1] for action in (script, *answers))
        env.close()
        assert total == pytest.approx(0.5 + 0.5 * 0.96)
        return
    if face == "aec":
        env = software_v0.env(**options)
        env.reset(options={"index": 0})
        totals = dict.fromkeys(env.agents, 0.0)
        for action in (script, *answers):
            env.step(action)
            for agent, reward in env.rewards.items():
                totals[agent] += reward
    else:
        env = software_v0.parallel_env(**options)
        env.reset(options={"index": 0})
        totals = dict.fromkeys(env.agents, 0.0)
        for agent, action in zip(("designer_0", "executor_0", "executor_1"), (script, *answers), strict=True):
            for who, reward in env.step({agent: action})[1].items():
                totals[who] += reward
    env.close()
    assert totals["executor_0"] == pytest.approx(0.5), "the draft: the team's result alone"
    assert totals["executor_1"] == pytest.approx(0.5 + 0.5)


def test_the_reward_comes_right_after_the_step(bubblewrap, words):
    env = software_v0.env(tasks=words, sandbox=bubblewrap, turn_rewards=True, executors=2)
    env.reset(options={"index": 0})
    env.step("from mas import *\na = Agent('a')\nsubmit([a(part) for part in task.parts])")
    env.step("enots")
    assert env.rewards == {"designer_0": 0.0, "executor_0": 1.0, "executor_1": 0.0}
    env.step("wrong")
    assert env.rewards == {"designer_0": pytest.approx(0.48), "executor_0": 0.5, "executor_1": 0.0}
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
