"""Records: the same seed and the same policies give the same bytes, whatever the backend and the interface."""

from __future__ import annotations

import json

import pytest

from mx_envs import Episode, EpisodeRecord, Setting, StopReason, software_v0
from mx_tasks import load_task_set

DESIGNS = {
    "split": "from mas import *\ncoder = Agent('coder', 'Write.')\nsubmit(split(lambda part: best_of(coder, part, 2)))",
    "tools": "from mas import *\nprint(run('echo hi').output)\nsubmit(Agent('a', tools=['run'])(task))",
    "crash": "from mas import *\nprint(object())\nAgent('a')(task)\nraise KeyError(object())",
    "crash deep": "def f(n):\n    return f(n + 1)\nf(0)",
    "sets": "print({'a', 'b', 'c', 'd', 'e'}, hash('x'))",
    "random": "import random\nfrom mas import *\nsubmit(str(random.Random(3).random()))",
    "syntax": "if True\n    pass",
    "exit": "import sys\nsys.exit('no more')",
    "hang": "print('start', flush=True)\nwhile True: pass",
    "nothing": "",
}


@pytest.mark.parametrize("name", DESIGNS)
def test_records_are_byte_identical_on_both_backends(name, play, bubblewrap, docker, shout, make_words):
    from mx_tasks import Budget

    def record(sandbox):
        env = software_v0.env(
            tasks=make_words(Budget(calls=6, wall_s=1.0)), sandbox=sandbox, turn_rewards=True
        )
        return play(env, DESIGNS[name], shout, seed=11).episode.to_json()

    assert record(bubblewrap) == record(docker)


@pytest.mark.parametrize("name", DESIGNS)
def test_records_are_byte_identical_from_run_to_run(name, play, bubblewrap, shout, make_words):
    from mx_tasks import Budget

    def record():
        env = software_v0.env(tasks=make_words(Budget(calls=6, wall_s=1.0)), sandbox=bubblewrap)
        return play(env, DESIGNS[name], shout, seed=11).episode.to_json()

    assert record() == record()


def test_a_record_holds_the_whole_episode_as_json(play, bubblewrap, words):
    env = software_v0.env(tasks=words, sandbox=bubblewrap, turn_rewards=True)
    unwrapped = play(
        env, "from mas import *\nprint('hello')\nsubmit(split(Agent('coder', 'Reverse.')))", seed=5
    )
    record = json.loads(unwrapped.episode.to_json())
    assert record["env"] == "mx/Software-v0"
    assert record["task_set"] == "test:words"
    assert record["fingerprint"] == "words-1"
    assert (record["seed"], record["split"], record["stop"], record["label"]) == (
        5,
        "train",
        "submitted",
        "split",
    )
    assert record["log"] == "hello\n"
    assert record["grade"] == {
        "score": 1.0,
        "passed": True,
        "parts": {"1": 1.0, "2": 1.0},
        "tampered": False,
        "abstained": False,
        "log": "",
    }
    assert record["rewards"] == {"designer": 0.96, "executors": 1.0}
    assert [turn["name"] for turn in record["turns"]] == ["coder", "coder"]
    assert record["turns"][0]["messages"][0] == {"role": "system", "content": "Reverse."}
    assert (record["turns"][0]["turn_reward"], record["turns"][0]["team_reward"]) == (1.0, 1.0)
    assert unwrapped.timing.start_s > 0
    assert unwrapped.timing.design_s > 0


def test_a_design_is_executed_many_times_by_resetting_to_its_task(play, bubblewrap, shout):
    env = software_v0.env(tasks="micro", sandbox=bubblewrap)
    task = {"task": "micro-0-train-3"}
    first = play(env, DESIGNS["split"], shout, options=task).episode
    again = play(env, DESIGNS["split"], shout, options=task).episode
    other = play(env, DESIGNS["split"], lambda _: "a + b", options=task).episode
    assert first == again
    assert (other.task, other.design, other.calls) == (first.task, first.design, first.calls)
    assert other.turns != first.turns


def test_many_environments_share_a_pool(bubblewrap, words):
    envs = [
        software_v0.raw_env(tasks=words, sandbox=bubblewrap) for _ in range(4)
    ]  # as many as the pool has slots
    for seed, env in enumerate(envs):
        env.reset(seed=seed)
        env.step("from mas import *\nsubmit(split(Agent('a')))")
    while any(env.unwrapped.episode is None for env in envs):
        for env in envs:
            if env.unwrapped.episode is None:
                env.step(env.last()[0]["messages"][-1]["content"][3:][::-1])
    assert [env.unwrapped.episode.grade.score for env in envs] == [1.0] * 4
    for env in envs:
        env.close()


def test_an_episode_needs_no_environment(bubblewrap, words):
    setting = Setting(words, sandbox=bubblewrap, grading=bubblewrap, executors=2)
    episode = Episode(setting, words.task("train", 0))
    episode.start("from mas import *\nsubmit(split(Agent('a')))")
    left, right = episode.pending
    assert episode.calls_left == 10
    episode.answer(right, "revir")
    episode.answer(left, "enots")
    assert isinstance(episode.record, EpisodeRecord)
    assert [turn.answer for turn in episode.record.turns] == ["enots", "revir"]
    assert episode.record.grade.score == 1.0
    with pytest.raises(ValueError, match="not waiting"):
        episode.answer(left, "late")
    with pytest.raises(RuntimeError, match="has been started"):
        episode.start("")


def test_a_truncated_episode_keeps_the_answers_it_got_and_is_not_graded(bubblewrap, words):
    episode = Episode(Setting(words, sandbox=bubblewrap, grading=bubblewrap), words.task("train", 0))
    episode.start("from mas import *\nsubmit(split(Agent('a')))")
    episode.answer(episode.pending[1], "second")
    episode.truncate()
    assert episode.record.stop is StopReason.TRUNCATED
    assert [turn.answer for turn in episode.record.turns] == ["second"]
    assert (episode.record.grade.score, words.graded) == (0.0, [])


def test_repair_tasks_run_through_the_same_path(play, bubblewrap):
    task_set = load_task_set("software:repair")
    env = software_v0.env(tasks="repair", sandbox=bubblewrap)
    task = task_set.task("train", 0)
    play(
        env, "from mas import *\nsubmit(Agent('fixer')(task))", lambda _: "no idea", options={"task": task.id}
    )
    assert env.unwrapped.episode.grade.score < 1.0
    assert env.unwrapped.episode.stop is StopReason.SUBMITTED
    play(
        env,
        "from mas import *\nsubmit(Agent('fixer')(task))",
        lambda _: task_set.gold(task).answer,
        options={"task": task.id},
    )
    diff = env.unwrapped.episode.diff
    assert diff.startswith(f"--- a/{task_set.outputs(task)[0]}\n"), (
        "a file in an answer is shown as what it changes"
    )
