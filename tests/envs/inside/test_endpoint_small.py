"""What clients of many makes send, and how models of many makes answer."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from typing import Any

import pytest

Room = Any
"""A desk at an endpoint; see conftest.py."""


# ------------------------------------------------------------------------------------------------ seats

SAME_SEAT = [
    [("system", "Coder."), ("user", "a")],
    [("system", "Coder."), ("user", "a"), ("assistant", "b"), ("system", "Be brief."), ("user", "c")],
    [("system", "Coder."), ("system", "Today is Monday."), ("user", "a")],
    [
        ("developer", "Coder."),
        ("user", "a"),
        ("assistant", "b"),
        ("developer", "Two calls left."),
        ("user", "c"),
    ],
    [("user", "hello"), ("system", "Coder."), ("user", "a")],
    [("system", ""), ("system", "Coder."), ("user", "a")],
]


def test_a_remark_of_the_system_s_moves_no_agent_to_another_seat(room: Room) -> None:
    for chat in SAME_SEAT:
        room.chat(*chat)
    room.chat(("system", "Critic."), ("user", "a"))
    assert [call.slot for call in room.calls] == [0] * len(SAME_SEAT) + [1]


def test_without_a_system_prompt_at_the_beginning_the_model_decides(room: Room) -> None:
    room.chat(("user", "a"))
    room.chat(("user", "a"), ("assistant", "b"), ("system", "Be brief."), ("user", "c"))
    room.chat(("user", "a"), ("tool", "b"), ("system", "Critic."), ("user", "c"))
    assert [call.slot for call in room.calls] == [0, 0, 0]


# ------------------------------------------------------------------------------------------------ retries


def raw_post(room: Room, body: bytes) -> socket.socket:
    host, _, port = room.server.url.removeprefix("http://").partition(":")
    raw = socket.create_connection((host, int(port)))
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Length: {len(body)}\r\n\r\n"
    raw.sendall(head.encode() + body)
    return raw


@pytest.mark.parametrize("pause", [0.0, 0.05, 0.5, 1.3])
@pytest.mark.parametrize("tries", [1, 3])
def test_a_plain_client_that_gave_up_waiting_and_asks_again_is_one_call(
    room: Room, pause: float, tries: int
) -> None:
    room.slow_s = 2.2  # longer than all that give up
    body = json.dumps({"messages": [{"role": "user", "content": "long"}]}).encode()
    for _ in range(tries):
        with raw_post(room, body):
            time.sleep(0.2)
        time.sleep(pause / tries)
    said = room.http.post("/v1/chat/completions", content=body).json()
    assert said["choices"][0]["message"]["content"] == "re: long"
    assert len(room.calls) == 1


def test_two_clients_that_wait_for_equal_questions_have_two_calls(room: Room) -> None:
    room.slow_s = 0.3
    body = json.dumps({"messages": [{"role": "user", "content": "same"}]}).encode()
    with raw_post(room, body), raw_post(room, body):
        room.http.post("/v1/chat/completions", content=body)
    assert len(room.calls) == 3


# ------------------------------------------------------------------------------------------------ bodies

PLAIN = json.dumps({"messages": [{"role": "user", "content": "packed"}]}).encode()


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        ("x-gzip", gzip.compress(PLAIN, mtime=0)),
        ("GZIP", gzip.compress(PLAIN, mtime=0)),
        ("deflate", zlib.compress(PLAIN)),
        ("identity", PLAIN),
    ],
)
def test_packed_bodies_are_read(room: Room, coding: str, data: bytes) -> None:
    said = room.http.post("/v1/chat/completions", content=data, headers={"Content-Encoding": coding})
    assert said.json()["choices"][0]["message"]["content"] == "re: packed"


@pytest.mark.parametrize(
    ("coding", "data", "status"),
    [
        ("br", PLAIN, 415),
        ("gzip, gzip", gzip.compress(gzip.compress(PLAIN, mtime=0), mtime=0), 415),
        ("gzip", PLAIN, 400),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-9], 400),
        ("gzip", b"", 400),
        ("deflate", b"\x00" * 20, 400),
        ("gzip", gzip.compress(b" " * (33 << 20), mtime=0), 413),
    ],
)
def test_badly_packed_bodies_are_refused(room: Room, coding: str, data: bytes, status: int) -> None:
    said = room.http.post("/v1/chat/completions", content=data, headers={"Content-Encoding": coding})
    assert said.status_code == status
    assert said.json()["error"]["message"]


@pytest.mark.parametrize("count", [257, 4096])
def test_long_conversations_are_heard(room: Room, count: int) -> None:
    assert room.chat(*[("user", "x")] * count)["message"]["content"] == "re: x"


# ------------------------------------------------------------------------------------------------ tools


def tool(name: str, **fields: str) -> dict[str, Any]:
    properties = {field: {"type": kind} for field, kind in fields.items()}
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": properties}}}  # fmt: skip


TWO = [tool("look", place="string"), tool("add", a="integer", b="integer")]
LOOK = {"name": "look", "arguments": {"place": "here"}}


@pytest.mark.parametrize(
    ("said", "calls", "rest"),
    [
        (f"<tool_call>\n{json.dumps(LOOK)}\n</tool_call>", [LOOK], None),
        (f"I look.<tool_call>{json.dumps(LOOK)}</tool_call>", [LOOK], "I look."),
        (f"<tool_call>{json.dumps(LOOK)}", [LOOK], None),  # a model that ends with its end token
        (f"<tool_call>{json.dumps(LOOK)}</tool_call>\n<tool_call>{json.dumps(LOOK)}</tool_call>", [LOOK] * 2, None),
        (f"```tool\n{json.dumps(LOOK)}\n```<tool_call>{json.dumps(LOOK)}</tool_call>", [LOOK] * 2, None),
        ('<tool_call>{"name": "look", "parameters": {"place": "here"}}</tool_call>', [LOOK], None),
        ('<tool_call>{"name": "jump"}</tool_call>', [], '<tool_call>{"name": "jump"}</tool_call>'),
        ("<tool_call>look here</tool_call>", [], "<tool_call>look here</tool_call>"),
        (f"<tool_call>{json.dumps(LOOK)} and more", [], f"<tool_call>{json.dumps(LOOK)} and more"),
    ],
)  # fmt: skip
def test_calls_as_hermes_models_write_them(room: Room, said: str, calls: list[Any], rest: str | None) -> None:
    room.answer = lambda _: said
    choice = room.chat(("user", "go"), tools=TWO)
    found = [call["function"] for call in choice["message"].get("tool_calls") or []]
    assert [{**call, "arguments": json.loads(call["arguments"])} for call in found] == calls
    assert choice["message"]["content"] == rest
    assert choice["finish_reason"] == ("tool_calls" if calls else "stop")


ANSWER = {"name": "final_answer"}
ONE = [tool("final_answer", answer="string")]
NAMED = {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize(
    ("tools", "choice", "said", "call"),
    [
        (ONE, "required", "42", {"name": "final_answer", "arguments": {"answer": "42"}}),
        (ONE, "required", '{"answer": "42"}', {"name": "final_answer", "arguments": {"answer": "42"}}),
        (ONE, "required", 'Here:\n```json\n{"answer": "42"}\n```', {**ANSWER, "arguments": {"answer": "42"}}),
        (TWO, "required", json.dumps(LOOK), LOOK),
        (TWO, NAMED, '{"a": 1, "b": 2}', {"name": "add", "arguments": {"a": 1, "b": 2}}),
        (TWO, {"type": "function", "name": "look"}, "behind", {"name": "look", "arguments": {"place": "behind"}}),
        (TWO, "required", "42", None),  # nobody knows which
        (TWO, NAMED, "42", None),
        (ONE, "auto", "42", None),
        (ONE, None, "42", None),
        (ONE, "none", "42", None),
        (ONE, "required", "  ", None),
    ],
)  # fmt: skip
def test_where_a_call_is_demanded_an_answer_is_read_as_one(
    room: Room, tools: Any, choice: Any, said: str, call: Any
) -> None:
    room.answer = lambda _: said
    message = room.chat(("user", "go"), tools=tools, **({"tool_choice": choice} if choice else {}))["message"]
    found = [each["function"] for each in message.get("tool_calls") or []]
    assert [{**each, "arguments": json.loads(each["arguments"])} for each in found] == (
        [call] if call else []
    )
    assert message["content"] == (None if call else said)


@pytest.mark.parametrize(
    "kind", ["web_search", "file_search", "code_interpreter", "computer_use_preview", "mcp"]
)
def test_tools_of_other_people_s_servers_are_refused_by_name(room: Room, kind: str) -> None:
    said = room.http.post("/v1/responses", json={"model": "m", "input": "x", "tools": [{"type": kind}]})
    assert (said.status_code, said.json()["error"]["code"]) == (400, "unsupported_parameter")
    assert kind in said.json()["error"]["message"]
