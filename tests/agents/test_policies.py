"""Scripted, random, replaying and human policies, and finding policies by name."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from mx_agents.episodes import answers_of
from mx_agents.errors import PolicyError, ReplayDifferenceError, UsageError
from mx_agents.policies import RandomPolicy, ScriptedPolicy, load_policy
from mx_agents.policies.human import HumanPolicy, HumanQuitError
from mx_agents.policies.replay import ReplayPolicy
from mx_envs import Observation
from mx_sandboxes import Sandbox


def chat(*contents: str) -> Observation:
    roles = ("user", "assistant")
    return {"messages": tuple({"role": roles[i % 2], "content": text} for i, text in enumerate(contents))}  # type: ignore[misc]


def test_a_function_answers_each_observation() -> None:
    policy = ScriptedPolicy(lambda observation: observation["messages"][-1]["content"].upper())
    assert policy.act([chat("a"), chat("b")]) == ["A", "B"]


def test_a_list_answers_in_order_and_says_when_it_is_over() -> None:
    policy = ScriptedPolicy(["one", "two"])
    assert policy.act([chat("a")]) + policy.act([chat("b")]) == ["one", "two"]
    with pytest.raises(PolicyError, match="2 answers"):
        policy.act([chat("c")])
    assert ScriptedPolicy(["again"], repeat=True).act([chat("a")] * 3) == ["again"] * 3


def test_one_text_is_no_script() -> None:
    with pytest.raises(TypeError, match="repeat=True"):
        ScriptedPolicy("hello")


def test_random_text_depends_on_the_seed_alone() -> None:
    asked = [chat("a")] * 5
    assert RandomPolicy(3).act(asked) == RandomPolicy(3).act(asked)
    assert RandomPolicy(3).act(asked) != RandomPolicy(4).act(asked)
    assert all(len(text) <= 7 for text in RandomPolicy(0, max_characters=7).act(asked))


RECORD = {
    "design": "submit(1)",
    "turns": [
        {"messages": [{"role": "user", "content": "2+2"}], "answer": "4"},
        {"messages": [{"role": "user", "content": "2+2"}], "answer": "five"},
        {"messages": [{"role": "user", "content": "capital of France?"}], "answer": "Paris"},
    ],
}


def test_replay_gives_recorded_answers_whatever_the_order_of_asking() -> None:
    policy = ReplayPolicy([RECORD])
    assert policy.act([chat("capital of France?"), chat("2+2"), chat("2+2")]) == ["Paris", "4", "five"]


def test_replay_says_where_the_episode_differs() -> None:
    with pytest.raises(
        ReplayDifferenceError, match=r"message 1 .* character 12: recorded user 'France\?', now user 'Spain"
    ):
        ReplayPolicy([RECORD]).act([chat("capital of Spain?")])
    with pytest.raises(ReplayDifferenceError, match="2 times, and it is asked once more"):
        ReplayPolicy([RECORD]).act([chat("2+2")] * 3)


def test_replay_hands_a_designer_the_designs_in_order(tmp_path: Path) -> None:
    (tmp_path / "episodes.jsonl").write_text(
        json.dumps(RECORD) + "\n" + json.dumps({"episode": RECORD}) + "\n"
    )
    policy = load_policy(f"replay:{tmp_path}", role="designer")
    assert policy.act([chat("design!"), chat("design!")]) == ["submit(1)"] * 2
    with pytest.raises(ReplayDifferenceError, match="no further design"):
        policy.act([chat("design!")])


def test_a_file_that_is_no_record_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "episodes.jsonl").write_text(json.dumps(RECORD) + "\n[1]\n")
    with pytest.raises(UsageError, match=r"episodes\.jsonl, line 2"):
        load_policy(f"replay:{tmp_path / 'episodes.jsonl'}")
    with pytest.raises(UsageError, match="no record"):
        load_policy(f"replay:{tmp_path / 'missing.jsonl'}")


class Terminal:
    """A person who types these lines, and what they saw."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
        self.seen = io.StringIO()
        self.policy = HumanPolicy(Console(file=self.seen, width=80))
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))


def test_a_person_answers_with_lines_ended_by_an_empty_one(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "\na + b\nb - a\n\nc\n")
    assert terminal.policy.act([chat("first?"), chat("second?")]) == ["a + b\nb - a", "c"]
    assert "first?" in terminal.seen.getvalue()
    assert "/quit" in terminal.seen.getvalue()


def test_empty_lines_inside_a_code_block_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "```python\na = 1\n\nb = 2\n```\n\nnever read\n")
    assert terminal.policy.act([chat("file?")]) == ["```python\na = 1\n\nb = 2\n```"]


def test_a_conversation_shows_only_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "yes\n\nno\n\n")
    terminal.policy.act([chat("ready?")])
    terminal.policy.act([chat("ready?", "yes", "sure?")])
    seen = terminal.seen.getvalue()
    assert seen.count("ready?") == 1
    assert seen.count("sure?") == 1


@pytest.mark.parametrize("typed", ["/quit\n", "half an answer\n/quit\n", ""])
def test_a_person_can_leave(monkeypatch: pytest.MonkeyPatch, typed: str) -> None:
    with pytest.raises(HumanQuitError):
        Terminal(monkeypatch, typed).policy.act([chat("stay?")])


def test_a_role_is_shown_again_only_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(monkeypatch, "a\n\nb\n\nc\n\n")
    coder: Observation = {
        "messages": ({"role": "system", "content": "You code."}, {"role": "user", "content": "one"})
    }
    again: Observation = {
        "messages": ({"role": "system", "content": "You code."}, {"role": "user", "content": "two"})
    }
    critic: Observation = {
        "messages": ({"role": "system", "content": "You nag."}, {"role": "user", "content": "three"})
    }
    terminal.policy.act([coder, again, critic])
    seen = terminal.seen.getvalue()
    assert (seen.count("You code."), seen.count("You nag."), seen.count("three")) == (1, 1, 1)


@pytest.mark.train
def test_a_folder_of_hugging_faces_is_a_policy(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="needs the train extra")
    pytest.importorskip("transformers")
    from mx_agents.micro.model import ModelSize, build_model, train_tokenizer

    tokenizer = train_tokenizer(["1. + a b"] * 10)
    build_model(len(tokenizer), seed=0, size=ModelSize(16, 1, 1, 32, 64)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    answers = load_policy(f"hf:{tmp_path}", seed=1).act([chat("1. + a b"), chat("2. - a b")])
    assert len(answers) == 2
    assert answers == load_policy(f"hf:{tmp_path}", seed=1).act([chat("1. + a b"), chat("2. - a b")])


BUILDERS = """
class Shout:
    def __init__(self, seed=0):
        self.seed = seed
    def act(self, observations):
        return [f"{self.seed}!"] * len(observations)

def build(seed, role):
    return lambda observation: f"{role} {seed}"

def answer(observation):
    return observation["messages"][-1]["content"][::-1]

made = Shout(9)
nothing = 3
"""


@pytest.mark.parametrize(
    ("name", "expected"), [("Shout", "7!"), ("build", "executor 7"), ("answer", "cba"), ("made", "9!")]
)
def test_a_users_file_makes_a_policy(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "mine.py").write_text(BUILDERS)
    policy = load_policy(f"{tmp_path / 'mine.py'}:{name}", seed=7)
    assert policy.act([chat("abc")]) == [expected]
    assert load_policy(str(tmp_path / "mine.py"), seed=7).act([chat("abc")]) == ["7!"]  # its one class


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("randon", "did you mean 'random'"),
        ("opnai:m@http://x", "did you mean 'openai'"),
        ("openai:qwen", "is not openai:MODEL@URL"),
        ("nowhere/mine.py:build", "no file 'nowhere/mine.py'"),
        ("{folder}/mine.py:biuld", "did you mean 'build'"),
        ("{folder}/mine.py:nothing", "made a int, which is no policy"),
        ("json:lods", "did you mean 'loads'"),
        ("not_a_module:x", "no module 'not_a_module'"),
        (":build", "write file.py:name or module:name"),
    ],
)
def test_a_wrong_name_says_the_way_out(tmp_path: Path, spec: str, message: str) -> None:
    (tmp_path / "mine.py").write_text(BUILDERS)
    with pytest.raises(UsageError) as caught:
        load_policy(spec.format(folder=tmp_path))
    assert message in str(caught.value)


WRONG = """
import asyncio

class Base:
    def act(self, observations):
        return [self.one(each) for each in observations]

    def one(self, observation):
        return "a"

class Nothing(Base):
    def act(self, observations):
        [self.one(each) for each in observations]

class Lazy(Base):
    def act(self, observations):
        return (self.one(each) for each in observations)

class Bare(Base):
    def act(self, observations):
        return "ab"

class Generous(Base):
    def act(self, observations):
        return ["a"] * 9

class Bytes(Base):
    def one(self, observation):
        return b"a"

class Number(Base):
    def one(self, observation):
        return 3

class Broken(Base):
    def one(self, observation):
        raise KeyError("boom")

class BrokenLater(Base):
    async def act(self, observations):
        await asyncio.sleep(0)
        raise OSError

class Mute(Base):
    tells_samples = True

    def sample(self, observations):
        pass

class Foreign(Base):
    def sample(self, population, k):
        raise AssertionError("a method of its own, which nobody is to call")

class Later(Base):
    def __init__(self):
        self.loops = set()

    async def act(self, observations):
        self.loops.add(asyncio.get_running_loop())
        await asyncio.sleep(0.01)
        assert len(self.loops) == 1
        return await asyncio.gather(*(self.soon(each) for each in observations))

    async def soon(self, observation):
        return observation["messages"][-1]["content"].upper()

class Particular(Base):
    def __init__(self, path, temperature):
        pass
"""
SAID = {
    "Nothing": "Nothing.act gave a NoneType where a list of 2 texts was asked for: does it lack a return?",
    "Lazy": "Lazy.act gave a generator where a list of 2 texts was asked for: make a list of it",
    "Bare": "Bare.act gave a str where a list of 2 texts was asked for: put it into a list",
    "Generous": "Generous.act gave 9 answers to 2 questions: it owes one for each, in order",
    "Bytes": "Bytes.act gave a bytes for answer 1 of 2: a text is owed",
    "Number": "Number.act gave a int for answer 1 of 2: a text is owed",
    "Mute": "Mute.sample gave a NoneType where a list of 2 texts was asked for: does it lack a return?",
    "Broken": "Broken.act raised KeyError: 'boom' (",
    "BrokenLater": "BrokenLater.act raised OSError (",
}


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    (tmp_path / "wrong.py").write_text(WRONG)
    return tmp_path / "wrong.py"


@pytest.mark.parametrize("name", SAID)
def test_each_way_to_be_wrong_has_its_own_words(wrong: Path, name: str) -> None:
    policy = load_policy(f"{wrong}:{name}")
    with pytest.raises(PolicyError) as caught:
        answers_of(policy, [chat("a"), chat("b")])
    assert str(caught.value).startswith(SAID[name])
    assert "\n" not in str(caught.value)
    if name.startswith("Broken"):
        line = (
            WRONG.splitlines().index(
                '        raise KeyError("boom")' if name == "Broken" else "        raise OSError"
            )
            + 1
        )
        assert str(caught.value).endswith(f"({wrong}, line {line})")
        assert caught.value.__cause__ is not None


def test_a_policy_may_be_asynchronous_and_keeps_its_loop(wrong: Path) -> None:
    policy = load_policy(f"{wrong}:Later")
    for _ in range(3):
        assert answers_of(policy, [chat("a"), chat("b")])[0] == ["A", "B"]

    async def notebook() -> list[str]:
        return answers_of(policy, [chat("c")])[0]

    assert asyncio.run(notebook()) == ["C"]


def test_a_method_that_is_called_sample_makes_no_sampler(wrong: Path) -> None:
    assert answers_of(load_policy(f"{wrong}:Foreign"), [chat("a")]) == (["a"], [None])


def test_a_policy_that_wants_arguments_is_told_how_it_is_made(wrong: Path) -> None:
    with pytest.raises(UsageError, match="Particular wants path, temperature, which nobody gives it"):
        load_policy(f"{wrong}:Particular")


def test_a_wrong_policy_ends_a_benchmark_with_one_line_and_keeps_what_was_played(
    wrong: Path, bubblewrap_or_skip: Sandbox
) -> None:
    source = WRONG + (
        "\nclass Tires(Base):\n    left = 2\n    def one(self, observation):\n"
        "        Tires.left -= 1\n        return 'a' if Tires.left >= 0 else None\n"
    )
    wrong.write_text(source)
    line = [
        sys.executable,
        "-m",
        "mx_agents.cli",
        "bench",
        "--methods",
        "single",
        "--tasks",
        "software:micro",
        "--episodes",
        "4",
    ]
    line += [
        "--executor",
        f"{wrong}:Tires",
        "--sandbox",
        "bubblewrap",
        "--in-flight",
        "1",
        "--run",
        str(wrong.parent / "run"),
    ]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1] == "mx: Tires.act gave a NoneType for answer 1 of 1: a text is owed"
    assert "Traceback" not in done.stderr
    assert "Broken off after 2 of 4 episodes." in done.stdout
    assert "--resume" in done.stdout
