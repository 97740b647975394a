"""Whatever a frame says of how it wants to be answered: it is settled, or it is one error of the wire."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mx_envs.episode.asked import settled
from mx_envs.episode.wire import WireError, read_frame
from mx_envs.inside.endpoint.sampling import EVERYTHING, Terms

NAMES = [
    "messages", "role", "content", "tool_calls", "function", "name", "arguments", "function_call", "tools", "functions",
    "tool_choice", "response_format", "json_schema", "schema", "type", "text", "temperature", "stop", "max_tokens", "seed", "n",
    "logit_bias", "model", "parameters", "refusal",
]  # fmt: skip
WORDS = ["user", "tool", "function", "json_schema", "json_object", "text", "auto"]
VALUES: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10**20)
    | st.floats(-9, 9)
    | st.sampled_from(WORDS)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(WORDS) | VALUES}, optional=dict.fromkeys(NAMES[2:8], VALUES)
    ),
    max_size=3,
)
REQUESTS = st.fixed_dictionaries({"messages": MESSAGES | VALUES}, optional=dict.fromkeys(NAMES[8:], VALUES))
TERMS = [
    None,
    Terms(()),
    Terms((EVERYTHING,)),
    Terms((EVERYTHING,), {"temperature": 0, "max_tokens": 5, "seed": None}),
]


@given(
    request=REQUESTS,
    sampling=st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4),
    terms=st.sampled_from(TERMS),
)
@settings(max_examples=300, deadline=None)
def test_a_frame_is_settled_or_refused(request: Any, sampling: Any, terms: Terms | None) -> None:
    question = {"slot": 0, "agent": "a", "messages": [{"role": "user", "content": "x"}], "call": 1}
    frame = {"op": "ask", "questions": [{**question, "request": request, "sampling": sampling}] * 2}
    with contextlib.suppress(WireError):
        read = read_frame(frame, 8)
        assert isinstance(read, list)
        for found in settled(read, terms):
            assert terms is None or all(
                found.sampling.get(name) == value for name, value in terms.pins.items() if value is not None
            )
            assert found.request is None or not {"model", "n", "stream"} & found.request.keys()
            assert found.messages
