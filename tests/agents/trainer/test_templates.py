"""Chat templates as models come with them: what ends an answer, and what a template cannot spell."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from mx_agents.models import hugging_face
from mx_agents.models.hugging_face import HuggingFacePolicy
from mx_envs import Observation

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    + CHATML
)
DROPS_SYSTEM = CHATML.replace("%}<|im_start|>", "%}{% if m['role'] != 'system' %}<|im_start|>", 1).replace(
    "<|im_end|>\n{% endfor", "<|im_end|>\n{% endif %}{% endfor", 1
)
STRICT = (
    "{% for m in messages %}{% if m['role'] not in ['user', 'assistant'] or (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}" + CHATML
)
CHAT: Observation = {
    "messages": (
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "a + b"},
        {"role": "assistant", "content": "c"},
        {"role": "tool", "content": "found d"},
        {"role": "user", "content": "And now?"},
    )
}


def with_template(tokenizer: Any, template: str) -> Any:
    changed = copy.deepcopy(tokenizer)
    changed.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    changed.chat_template = template
    return changed


@pytest.fixture
def spoken(policy: HuggingFacePolicy, tokenizer: Any) -> Any:
    def make(template: str, **options: Any) -> HuggingFacePolicy:
        changed = with_template(tokenizer, template)
        policy.model.resize_token_embeddings(len(changed))
        return HuggingFacePolicy(policy.model, changed, max_new_tokens=40, **options)

    return make


@pytest.mark.parametrize("template", [CHATML, NO_SYSTEM, DROPS_SYSTEM, STRICT])
def test_the_template_s_end_of_turn_stops_and_is_taught(spoken: Any, template: str) -> None:
    policy = spoken(template)
    end = policy.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert {end, policy.tokenizer.eos_token_id} <= policy.end_ids
    assert policy.encode_answer("c")[-1] == end
    ended = [sample for sample in policy.sample([CHAT] * 60) if sample.output_ids[-1] == end]
    assert ended, "of three hundred tokens drawn at random forty times sixty, some are this one"
    assert all(end not in sample.output_ids[:-1] for sample in policy.sample([CHAT] * 60))
    assert all("<|im_end|>" not in sample.text for sample in ended)


@pytest.mark.parametrize("where", ["generation config", "configuration"])
def test_every_end_that_a_model_names_stops(policy: HuggingFacePolicy, where: str) -> None:
    config = policy.model.generation_config if where == "generation config" else policy.model.config
    config.eos_token_id = [0, 7, 9]
    assert HuggingFacePolicy(policy.model, policy.tokenizer).end_ids == {0, 7, 9}


@pytest.mark.parametrize(
    ("template", "fallbacks"),
    [
        (CHATML, ()),
        (NO_SYSTEM, ("system",)),
        (DROPS_SYSTEM, ("system",)),
        (STRICT, ("system", "tool", "order")),
    ],
)
def test_nothing_that_was_said_is_lost(spoken: Any, template: str, fallbacks: tuple[str, ...]) -> None:
    policy = spoken(template)
    assert policy.template.fallbacks == fallbacks
    text = policy.tokenizer.decode(policy.encode(CHAT))
    places = [text.find(message["content"]) for message in CHAT["messages"]]
    assert -1 not in places
    assert places == sorted(places)
    assert text.count("<|im_start|>assistant") == 2, "one that was said, one to come"


@pytest.mark.parametrize(
    "messages",
    [
        ({"role": "user", "content": "x"},),
        ({"role": "system", "content": "only this"},),
        (
            {"role": "system", "content": "s"},
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": "u"},
        ),
        ({"role": "user", "content": "x"}, {"role": "user", "content": "y"}),
    ],
)
@pytest.mark.parametrize("template", [CHATML, NO_SYSTEM, DROPS_SYSTEM])
def test_short_and_odd_chats_are_spelt_too(spoken: Any, template: str, messages: Any) -> None:
    policy = spoken(template)
    text = policy.tokenizer.decode(policy.encode({"messages": messages}))
    assert all(message["content"] in text for message in messages)


def test_options_reach_the_template(spoken: Any) -> None:
    template = CHATML + "{% if enable_thinking is defined and not enable_thinking %}<no thoughts>{% endif %}"
    plain, told = spoken(template), spoken(template, template_options={"enable_thinking": False})
    assert "<no thoughts>" not in plain.tokenizer.decode(plain.encode(CHAT))
    assert told.tokenizer.decode(told.encode(CHAT)).endswith("<no thoughts>")


def test_a_long_chat_says_that_it_was_cut(policy: HuggingFacePolicy) -> None:
    long: Observation = {"messages": ({"role": "user", "content": "a b c " * 1000},)}
    assert policy.room == policy.model.config.max_position_embeddings - policy.max_new_tokens
    with torch.no_grad():
        policy.sample([long, CHAT])
    assert policy.cut_prompts == 1


def test_a_fallback_is_said_once(spoken: Any, caplog: pytest.LogCaptureFixture) -> None:
    hugging_face._say.cache_clear()
    spoken(CHATML)
    ours = [record for record in caplog.records if record.name.startswith("mx_agents")]
    assert not ours  # what transformers says once in a process is not ours
    spoken(STRICT)
    spoken(STRICT)
    assert [
        record.getMessage().partition(":")[0]
        for record in caplog.records
        if record.name.startswith("mx_agents")
    ] == [
        "the template has no system role",
        "the template has no tool role",
        "the template wants user and assistant by turns",
    ]
