"""Anthropic's Messages API at the endpoint: plain and streamed, with tools, and what is refused. ``examples/anthropic_tools.py`` is
the same with Anthropic's own client.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

Room = Any
"""A desk at an endpoint; see conftest.py."""
PLACE = {"type": "object", "properties": {"place": {"type": "string"}}}
LOOK = {"name": "look", "description": "Look.", "input_schema": PLACE}
CALL = '```tool\n{"name": "look", "arguments": {"place": "here"}}\n```'


def post(room: Room, path: str = "/v1/messages", **body: Any) -> Any:
    asked = {"model": "claude-x", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]} | body
    return room.http.post(path, json=asked, headers={"Authorization": "", "X-Api-Key": "k"})


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def test_a_message_is_answered(room: Room) -> None:
    said = post(room, system="Be brief.").json()
    assert said["content"] == [{"type": "text", "text": "re: hi"}]
    assert {name: said[name] for name in ("type", "role", "model", "stop_reason", "stop_sequence")} == {
        "type": "message", "role": "assistant", "model": "claude-x", "stop_reason": "end_turn", "stop_sequence": None,
    }  # fmt: skip
    assert said["usage"]["input_tokens"] > 0
    assert said["usage"]["output_tokens"] == 2
    (call,) = room.calls
    assert call.asking.prompt == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]
    assert call.asking.sampling == {"max_tokens": 100}


@pytest.mark.parametrize(
    "path", ["/v1/messages", "/messages", "/v1/v1/messages?beta=true", "/key/k/v1/messages"]
)
def test_however_a_client_joins_it(room: Room, path: str) -> None:
    assert post(room, path).json()["content"][0]["text"] == "re: hi"


@pytest.mark.parametrize(
    ("given", "sampling"),
    [
        ({"temperature": 0.5, "top_p": 0.9, "top_k": 4}, {"temperature": 0.5, "top_p": 0.9, "top_k": 4}),
        ({"stop_sequences": ["END", "STOP"]}, {"stop": ["END", "STOP"]}),
        ({"stop_sequences": []}, {}),
        ({"metadata": {"user_id": "u"}, "service_tier": "auto", "stream": False}, {}),
        ({"thinking": {"type": "disabled"}}, {}),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    ],
)  # fmt: skip
def test_what_is_asked_of_an_answer_is_read_under_the_endpoint_s_names(room: Room, given: Any, sampling: Any) -> None:  # fmt: skip
    assert post(room, **given).status_code == 200
    assert room.calls[0].asking.sampling == {"max_tokens": 100, **sampling}


def test_what_nobody_honours_is_refused_by_name_in_anthropic_s_form(room: Room) -> None:
    from mx_envs.inside.endpoint.sampling import Terms

    room.desk.terms = Terms(["temperature"])
    assert post(room, temperature=0.5).status_code == 200
    for name, value in (
        ("thinking", {"type": "enabled"}),
        ("top_k", 4),
        ("context_management", {"edits": []}),
    ):
        said = post(room, **{name: value})
        error = said.json()["error"]
        assert (said.status_code, error["type"], error["code"]) == (
            400, "invalid_request_error", "unsupported_parameter",
        )  # fmt: skip
        assert name in error["message"]


HISTORY = [
    {"role": "user", "content": [{"type": "text", "text": "go"}, {"type": "text", "text": "on"}]},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"place": "here"}},
            {"type": "tool_use", "id": "toolu_2", "name": "look", "input": {"place": "there"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "nothing"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "a key"}]},
            {"type": "text", "text": "and now?"},
        ],
    },
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("before", ["", "I look."])
def test_tools(room: Room, stream: bool, before: str) -> None:
    room.answer = lambda _: f"{before}{CALL}"
    said = post(room, messages=HISTORY, tools=[LOOK], stream=stream)
    asked = room.calls[0].asking.prompt
    assert [message["role"] for message in asked] == ["user", "assistant", "tool", "tool", "user"]
    assert [message["content"] for message in asked[2:]] == ["nothing", "a key", "and now?"]
    assert asked[1]["content"].count("```tool") == 2
    assert "hm" not in asked[1]["content"]
    if not stream:
        blocks, reason = said.json()["content"], said.json()["stop_reason"]
    else:
        seen = events(said.text)
        assert [seen[0]["type"], seen[-1]["type"]] == ["message_start", "message_stop"]
        blocks = [dict(each["content_block"]) for each in seen if each["type"] == "content_block_start"]
        for each in seen:
            if each["type"] == "content_block_delta" and each["delta"]["type"] == "text_delta":
                blocks[each["index"]]["text"] += each["delta"]["text"]
            elif each["type"] == "content_block_delta":
                blocks[each["index"]]["input"] = json.loads(each["delta"]["partial_json"])
        reason = next(each["delta"]["stop_reason"] for each in seen if each["type"] == "message_delta")
    assert reason == "tool_use"
    assert blocks[-1] == {
        "type": "tool_use", "id": "toolu_mx1_0", "name": "look", "input": {"place": "here"},
    }  # fmt: skip
    assert blocks[:-1] == ([{"type": "text", "text": before}] if before else [])


@pytest.mark.parametrize(
    ("choice", "said", "calls"),
    [
        ({"type": "any"}, "behind", 1),
        ({"type": "tool", "name": "look"}, '{"place": "here"}', 1),
        ({"type": "auto"}, "behind", 0),
        ({"type": "none"}, CALL, 0),
        ({"type": "auto"}, CALL * 2, 2),
        ({"type": "auto", "disable_parallel_tool_use": True}, CALL * 2, 1),
    ],
)
def test_what_choice_of_tools_there_is(room: Room, choice: Any, said: str, calls: int) -> None:
    room.answer = lambda _: said
    content = post(room, tools=[LOOK], tool_choice=choice).json()["content"]
    assert sum(block["type"] == "tool_use" for block in content) == calls


def test_a_stream_of_text(room: Room) -> None:
    room.answer = lambda _: "long " * 500
    seen = events(post(room, stream=True).text)
    deltas = [each["delta"] for each in seen if each["type"] == "content_block_delta"]
    assert "".join(delta["text"] for delta in deltas) == "long " * 500
    assert [each["type"] for each in seen[:2]] == ["message_start", "content_block_start"]
    assert seen[-2]["usage"]["output_tokens"] == 625


def test_tokens_are_counted_without_a_call(room: Room) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "x" * 400}]}
    assert room.http.post("/v1/messages/count_tokens", json=body).json() == {"input_tokens": 104}
    assert room.calls == []


WRONG: list[dict[str, Any]] = [
    {"messages": "hi"},
    {"messages": []},
    {"messages": ["hi"]},
    {"messages": [{"role": "tool", "content": "x"}]},
    {"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]},
    {"messages": [{"role": "user", "content": [7]}]},
    {"messages": [{"role": "user", "content": 7}]},
    {"max_tokens": None},
    {"max_tokens": 0},
    {"max_tokens": "many"},
    {"temperature": 1.5},
    {"temperature": "hot"},
    {"stop_sequences": 7},
    {"system": 7},
    {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
    {"tools": [{"input_schema": {}}]},
    {"tools": [7]},
    {"tool_choice": "any"},
]


@pytest.mark.parametrize("body", WRONG, ids=[json.dumps(body)[:60] for body in WRONG])
def test_what_is_wrong_is_said_in_anthropic_s_form_and_costs_nothing(room: Room, body: Any) -> None:
    said = post(room, **body)
    assert said.status_code == 400
    assert (said.json()["type"], said.json()["error"]["type"]) == ("error", "invalid_request_error")
    assert said.json()["error"]["message"]
    assert room.calls == []


def test_a_wrong_key_and_the_end_of_the_episode(room: Room) -> None:
    wrong = room.http.post("/v1/messages", json={}, headers={"Authorization": "", "X-Api-Key": "guess"})
    assert (wrong.status_code, wrong.json()["error"]["type"]) == (401, "authentication_error")
    room.desk.close("it was submitted")
    assert post(room).status_code == 410


def test_a_budget_that_is_used_up_is_refused_once_for_all(room: Room) -> None:
    room.silent = True
    said = post(room)
    assert (said.status_code, said.json()["error"]["type"]) == (403, "permission_error")
