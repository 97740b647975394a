"""The spaces of texts and chats."""

from __future__ import annotations

import pickle
import time

import gymnasium
import pytest
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate

from mx_envs import Chat, Text
from mx_envs.faces.spaces import observation_space


@pytest.mark.parametrize("text", ["", "x", "\N{PILE OF POO}", "\0", "日本語", "\ud800", "a\nb"])
def test_every_text_is_in_the_space(text):
    assert text in Text()
    assert ({"role": "user", "content": text},) in Chat()


@pytest.mark.parametrize("thing", [None, 1, b"x", ["x"]])
def test_nothing_else_is(thing):
    assert thing not in Text()
    assert thing not in Chat()


@pytest.mark.parametrize(
    "message", ["x", {}, {"role": "user"}, {"role": "root", "content": "x"}, {"role": "user", "content": 1}]
)
def test_a_chat_is_of_messages(message):
    assert (message,) not in Chat()


def test_checking_does_not_look_at_the_characters():
    text, space = "x" * 10_000_000, Text()
    began = time.perf_counter()
    for _ in range(1000):
        assert text in space
    assert time.perf_counter() - began < 1.0  # looking would take minutes


@pytest.mark.parametrize("make", [Text, Chat, observation_space])
def test_samples_follow_the_seed_and_are_in_the_space(make):
    first, second = make(), make()
    first.seed(3)
    second.seed(3)
    samples = [first.sample() for _ in range(30)]
    assert samples == [second.sample() for _ in range(30)]
    assert all(sample in first for sample in samples)
    assert any(sample != samples[0] for sample in samples)
    assert pickle.loads(pickle.dumps(first)) == second == first
    assert list(first.from_jsonable(first.to_jsonable(samples))) == samples


def test_samples_are_of_more_than_ascii():
    space = Text()
    space.seed(0)
    assert any(not space.sample().isascii() for _ in range(10))


def test_a_text_is_gymnasium_s_own_to_whoever_converts_spaces():
    space = Text()
    assert isinstance(space, gymnasium.spaces.Text)
    assert len(space.character_set) == len(space.characters) == 0x110000
    assert "\N{SNOWMAN}" in space.character_set
    assert space.character_index("\N{SNOWMAN}") == 0x2603
    batched = batch_space(space, 3)
    texts = ["", "a" * 1000, "\N{SNOWMAN}"]
    assert concatenate(space, texts, create_empty_array(space, 3)) == tuple(texts)
    assert tuple(texts) in batched
    assert list(iterate(batched, tuple(texts))) == texts
    with pytest.raises(NotImplementedError, match="no fixed length"):
        gymnasium.spaces.flatten_space(space)
    assert pickle.loads(pickle.dumps(space)) == space
    assert space != gymnasium.spaces.Text(5)
