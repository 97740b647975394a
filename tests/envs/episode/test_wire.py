"""Frames from untrusted code: read, or refused with a reason; nothing else."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mx_envs.episode.wire import Question, WireError, read_frame

words = st.sampled_from(
    [
        "op",
        "ask",
        "submit",
        "questions",
        "answer",
        "slot",
        "agent",
        "messages",
        "role",
        "content",
        "user",
        "graded",
    ]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | words
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(words | st.text(), inner), max_leaves=20
)
messages = st.fixed_dictionaries({"role": words | leaves, "content": values})
questions = st.fixed_dictionaries(
    {"slot": leaves, "agent": leaves, "messages": st.lists(messages) | values},
    optional={"graded": values, "tools": values},
)
asks = st.fixed_dictionaries({"op": st.just("ask"), "questions": st.lists(questions) | values})


@settings(max_examples=100, deadline=None)
@given(values | asks | st.fixed_dictionaries({"op": words, "answer": values}))
def test_any_frame_is_read_or_refused(frame):
    try:
        said = read_frame(frame, 3)
    except WireError:
        return
    if isinstance(said, str):
        said.encode()
        return
    assert said
    for question in said:
        assert isinstance(question, Question)
        assert 0 <= question.slot < 3
        for message in question.messages:
            message["content"].encode()


def test_a_question_as_mas_asks_it():
    messages = [
        {"role": "system", "content": "be brief", "extra": 1},
        {"role": "user", "content": "lone \ud800"},
    ]
    frame = {
        "op": "ask",
        "questions": [{"slot": 4, "agent": "a" * 100, "graded": False, "tools": True, "messages": messages}],
    }
    (question,) = read_frame(frame, 3)
    assert (question.slot, question.agent, question.graded, question.tools) == (1, "a" * 64, False, True)
    assert question.messages == (
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "lone ?"},
    )
    assert question.last_user_message == "lone ?"
