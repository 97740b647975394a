"""How a program wants its answers made: each parameter is honoured, pinned or refused by name, and usage is what was charged."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import openai
import pytest

from mx_envs import EpisodeRecord, Observation, software_v0
from mx_envs.inside.endpoint.sampling import Terms
from mx_sandboxes import Sandbox
from tests.envs.inside.test_endpoint import Client, Stage

LONG = "word " * 40


@pytest.fixture
def stage(bubblewrap: Sandbox, words: Any) -> Iterator[Stage]:
    made = Stage(bubblewrap, words)
    yield made
    made.served.close()
    made.server.stop()


def test_max_tokens_ends_the_answer_and_says_so_in_every_form(stage: Stage) -> None:
    def program(client: Client) -> None:
        for name in ("max_tokens", "max_completion_tokens"):
            answer = client.chat("x", **{name: 5})
            assert answer.choices[0].finish_reason == "length"
            assert len(answer.choices[0].message.content) == 20
            assert answer.usage.completion_tokens == 5
        pieces = list(client.chat("x", max_tokens=5, stream=True, stream_options={"include_usage": True}))
        assert [piece.choices[0].finish_reason for piece in pieces if piece.choices][-1] == "length"
        assert pieces[-1].usage.completion_tokens == 5
        told = client.openai.responses.create(model="m", input="x", max_output_tokens=5)
        assert (told.status, told.incomplete_details.reason) == ("incomplete", "max_output_tokens")
        older = client.openai.completions.create(model="m", prompt="x", max_tokens=5)
        assert (older.choices[0].finish_reason, len(older.choices[0].text)) == ("length", 20)
        whole = client.chat("x", max_tokens=500)
        assert whole.choices[0].finish_reason == "stop"
        client.submit()

    record = stage.play(program, lambda _: LONG)
    assert [len(turn.answer) for turn in record.turns] == [20] * 5 + [len(LONG)]


def test_a_stop_within_the_limit_is_a_stop_and_what_is_cut_is_not_charged(stage: Stage) -> None:
    def program(client: Client) -> None:
        first = client.chat("x", stop="END", max_tokens=100)
        late = client.chat("x", stop=["END"], max_tokens=1)
        assert (first.choices[0].finish_reason, late.choices[0].finish_reason) == ("stop", "length")
        assert first.usage.completion_tokens == 2
        client.submit()

    record = stage.play(program, lambda _: "before END and more and more")
    assert [turn.answer for turn in record.turns] == ["before ", "befo"]


def test_no_character_is_cut_in_two(stage: Stage) -> None:
    def program(client: Client) -> None:
        client.submit(client.say("x", max_tokens=1))

    assert stage.play(program, lambda _: "äöüäöü").submission.answer == "äö"


def asked(record: EpisodeRecord) -> list[dict[str, Any]]:
    return [dict(turn.sampling) for turn in record.turns]


def test_whoever_steps_is_told_what_was_asked_for(stage: Stage) -> None:
    def program(client: Client) -> None:
        client.say("x", temperature=0, top_p=0.1, seed=7, presence_penalty=1.5, extra_body={"top_k": 3})
        client.say("y")
        client.submit()

    record = stage.play(program)
    assert asked(record) == [
        {"temperature": 0, "top_p": 0.1, "seed": 7, "presence_penalty": 1.5, "top_k": 3},
        {},
    ]
    assert ["sampling" in turn for turn in record.as_dict()["turns"]] == [True, False]


def test_drafts_of_one_request_have_seeds_of_their_own_the_same_each_time(stage: Stage) -> None:
    def program(client: Client) -> None:
        client.chat("x", n=3, seed=7)
        client.chat("x", n=3, seed=7)
        client.chat("x", n=3, seed=8)
        client.submit()

    seeds = [each["seed"] for each in asked(stage.play(program))]
    assert seeds[:3] == seeds[3:6]
    assert seeds[0] == 7
    assert len(set(seeds)) == 6


UNHONOURED = [
    {"temperature": 0.5},
    {"top_p": 0.3},
    {"seed": 3},
    {"logprobs": True},
    {"logprobs": True, "top_logprobs": 2},
    {"frequency_penalty": 0.1},
    {"logit_bias": {"50256": -100}},
    {"extra_body": {"top_k": 5}},
    {"extra_body": {"guided_regex": "a+"}},
    {"reasoning_effort": "high"},
]


@pytest.mark.parametrize("wanted", UNHONOURED, ids=str)
def test_what_the_executor_does_not_honour_is_refused_by_name_and_not_charged(
    stage: Stage, wanted: dict[str, Any]
) -> None:
    name = next(iter(wanted.get("extra_body", wanted)))

    def program(client: Client) -> None:
        with pytest.raises(openai.BadRequestError, match=f"--pin {name}") as refused:
            client.chat("x", **wanted)
        assert (refused.value.code, refused.value.param) == ("unsupported_parameter", name)
        client.say("y", temperature=1, top_p=1.0, logprobs=False, logit_bias={}, user="u", seed=None)
        client.submit()

    record = stage.play(program, terms=Terms(()))
    assert record.calls == 1


def test_what_is_pinned_holds_whatever_is_asked_for(stage: Stage) -> None:
    def program(client: Client) -> None:
        client.say("x", temperature=0.7, top_p=0.2, max_completion_tokens=900)
        client.say("y")
        client.submit()

    pins = {"temperature": 0, "top_p": None, "max_tokens": 2}
    record = stage.play(program, terms=Terms((), pins))
    assert asked(record) == [{"temperature": 0, "max_tokens": 2}] * 2
    assert record.turns[0].asked == {"temperature": 0.7, "top_p": 0.2, "max_tokens": 900}
    assert [len(turn.answer) for turn in record.turns] == [5, 5]


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 3},
        {"temperature": "hot"},
        {"temperature": True},
        {"top_p": -0.1},
        {"max_tokens": 0},
        {"max_tokens": 2.5},
        {"seed": "x"},
        {"stop": [1]},
        {"top_logprobs": 21},
    ],
    ids=str,
)
def test_a_wrong_value_is_refused_by_its_name(stage: Stage, wrong: dict[str, Any]) -> None:
    def program(client: Client) -> None:
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat("x", extra_body=wrong)
        assert refused.value.param == next(iter(wrong))
        client.submit()

    assert stage.play(program).calls == 0


def test_tools_that_only_openais_servers_have_are_refused_in_responses(stage: Stage) -> None:
    def program(client: Client) -> None:
        tools: Any = [{"type": "web_search"}]
        with pytest.raises(openai.BadRequestError, match="web_search"):
            client.openai.responses.create(model="m", input="x", tools=tools)
        client.submit()

    assert stage.play(program).calls == 0


def budgeted(tasks: Any, **budget: int) -> Any:
    """The same tasks with another budget."""

    class Budgeted:
        def __getattr__(self, name: str) -> Any:
            return getattr(tasks, name)

        def task(self, split: Any, index: int) -> Any:
            task = tasks.task(split, index)
            return replace(task, budget=replace(task.budget, **budget))

    return Budgeted()


def test_a_request_for_which_the_calls_are_not_enough_is_refused_whole_and_not_charged(stage: Stage) -> None:
    def program(client: Client) -> None:
        client.chat("x", n=2)
        with pytest.raises(openai.PermissionDeniedError, match="used up"):
            client.chat("x", n=2)
        client.chat("x")
        client.submit()

    stage.tasks = budgeted(stage.tasks, calls=3)
    assert stage.play(program).calls == 3


def spent(record: EpisodeRecord) -> int:
    """Tokens of all turns, a quarter of their bytes and 4 a message."""
    texts = [len(message["content"].encode()) for turn in record.turns for message in turn.messages]
    return sum(4 + -(-size // 4) for size in texts) + sum(
        -(-len(turn.answer.encode()) // 4) for turn in record.turns
    )


@pytest.mark.parametrize("tokens", [1, 10, 100, 137, 200])
@pytest.mark.parametrize(
    "design",
    [
        'vote(Agent("a", "x"), "What?", 5)',
        'debate([Agent("a", "x"), Agent("b", "y")], "What?", 2)',
        'parallel([(Agent("a", "x"), "short"), (Agent("b", "y"), "long " * 60), (Agent("c", "z"), "short")])',
        'chain([Agent("a", "x"), Agent("b", "y")], "What?")',
    ],
)
def test_a_budget_of_tokens_is_never_exceeded_batch_or_not(
    bubblewrap: Sandbox, words: Any, play: Callable[..., Any], design: str, tokens: int
) -> None:
    env = software_v0.env(tasks=budgeted(words, tokens=tokens), sandbox=bubblewrap)
    seen: list[Observation] = []

    def executor(observation: Observation) -> str:
        seen.append(observation)
        return LONG

    record = play(env, f"from mas import *\ntry:\n    {design}\nfinally:\n    submit('x')", executor).episode
    env.close()
    assert spent(record) <= tokens
    assert bool(record.turns) == (tokens >= 100)
