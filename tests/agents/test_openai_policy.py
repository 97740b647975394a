"""The endpoint client against a real server on the loopback, faults included."""

from __future__ import annotations

import collections
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mx_agents.errors import PolicyError
from mx_agents.policies import load_policy
from mx_agents.policies.openai import OpenAIPolicy
from mx_envs import Observation
from mx_envs.inside.mas_tools import calls_in

Fault = Callable[["Handler"], None]


class Endpoint(ThreadingHTTPServer):
    """Answers "re: QUESTION"; the faults queued for a question come first."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.faults: dict[str, list[Fault]] = collections.defaultdict(list)
        self.requests: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.answered: collections.Counter[str] = collections.Counter()
        self.lock = threading.Lock()
        self.delay_s = 0.0
        self.in_flight = self.most_in_flight = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        question = body["messages"][-1]["content"]
        with self.server.lock:
            self.server.requests.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.server.in_flight += 1
            self.server.most_in_flight = max(self.server.most_in_flight, self.server.in_flight)
            fault = self.server.faults[question].pop(0) if self.server.faults[question] else None
        try:
            time.sleep(self.server.delay_s)
            if fault is not None:
                fault(self)
                return
            with self.server.lock:
                self.server.answered[question] += 1
            self.reply(200, completion(f"re: {question}"))
        finally:
            with self.server.lock:
                self.server.in_flight -= 1

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def completion(content: Any) -> bytes:
    answer = {"choices": [{"message": {"role": "assistant", "content": content}}]}
    return json.dumps(answer | {"usage": {"prompt_tokens": 5, "completion_tokens": 2}}).encode()


def status(code: int, body: bytes = b"{}", **headers: str) -> Fault:
    return lambda handler: handler.reply(
        code, body, {name.replace("_", "-"): value for name, value in headers.items()}
    )


def cut(handler: Handler) -> None:
    """Half an answer, then a reset."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.close_connection = True


def hang(handler: Handler) -> None:
    time.sleep(0.8)
    handler.close_connection = True


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def policy(endpoint: Endpoint) -> Iterator[OpenAIPolicy]:
    made = OpenAIPolicy(
        "tiny", endpoint.url, api_key="secret", retries=3, timeout_s=0.3, backoff_s=0.01, concurrency=4
    )
    yield made
    made.close()


def ask(*questions: str) -> list[Observation]:
    return [{"messages": ({"role": "user", "content": question},)} for question in questions]


def test_a_batch_is_answered_in_order_within_the_limit_of_concurrency(
    endpoint: Endpoint, policy: OpenAIPolicy
) -> None:
    endpoint.delay_s = 0.02
    questions = [f"q{number}" for number in range(20)]
    assert policy.act(ask(*questions)) == [f"re: {question}" for question in questions]
    assert 2 <= endpoint.most_in_flight <= 4
    body, headers = endpoint.requests[0]
    assert body["model"] == "tiny"
    assert headers["authorization"] == "Bearer secret"


FAULTS: dict[str, Fault] = {
    "too many": status(429, retry_after="0.01"),
    "server error": status(503),
    "cut": cut,
    "time-out": hang,
    "not JSON": status(200, b"<html>busy</html>"),
    "no choices": status(200, b'{"choices": []}'),
    "a list": status(200, b"[1]"),
    "content of a wrong kind": status(200, completion(["parts"])),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_tried_again_and_only_that_question(
    endpoint: Endpoint, policy: OpenAIPolicy, name: str
) -> None:
    endpoint.faults["b"] = [FAULTS[name], FAULTS[name]]
    assert policy.act(ask("a", "b", "c")) == ["re: a", "re: b", "re: c"]
    assert endpoint.answered == {"a": 1, "b": 1, "c": 1}
    tries = [headers for body, headers in endpoint.requests if body["messages"][0]["content"] == "b"]
    assert len({headers["idempotency-key"] for headers in tries}) == 1
    assert [headers["x-stainless-retry-count"] for headers in tries] == ["0", "1", "2"]
    assert (policy.usage.questions, policy.usage.requests, policy.usage.retries) == (3, 5, 2)
    assert (policy.usage.prompt_tokens, policy.usage.completion_tokens) == (15, 6)


def test_the_servers_wish_to_wait_is_respected(endpoint: Endpoint, policy: OpenAIPolicy) -> None:
    endpoint.faults["a"] = [status(429, retry_after="0.2")]
    begin = time.monotonic()
    policy.act(ask("a"))
    assert time.monotonic() - begin >= 0.2


def test_an_endpoint_that_never_answers_ends_with_its_last_fault(
    endpoint: Endpoint, policy: OpenAIPolicy
) -> None:
    endpoint.faults["a"] = [status(500, b"out of memory")] * 10
    with pytest.raises(PolicyError, match="failed 4 times, at last with: status 500: out of memory"):
        policy.act(ask("a"))
    assert len(endpoint.requests) == 4


def test_a_refusal_is_not_tried_again_and_stops_the_batch(endpoint: Endpoint, policy: OpenAIPolicy) -> None:
    endpoint.delay_s = 0.02
    endpoint.faults["q0"] = [status(401, b"bad key")]
    with pytest.raises(PolicyError, match="status 401: bad key"):
        policy.act(ask(*(f"q{number}" for number in range(100))))
    assert len(endpoint.requests) < 20
    assert policy.act(ask("later")) == ["re: later"]


def test_a_question_over_the_models_context_is_an_empty_answer(
    endpoint: Endpoint, policy: OpenAIPolicy
) -> None:
    endpoint.faults["long"] = [status(400, b'{"error": {"code": "context_length_exceeded"}}')]
    assert policy.act(ask("long", "short")) == ["", "re: short"]
    assert policy.usage.too_long == 1


def test_no_content_is_an_empty_answer(endpoint: Endpoint, policy: OpenAIPolicy) -> None:
    endpoint.faults["a"] = [status(200, completion(None))]
    assert policy.act(ask("a")) == [""]


def test_native_tool_calls_become_the_one_text_form(endpoint: Endpoint, policy: OpenAIPolicy) -> None:
    calls = [
        {"id": "1", "type": "function", "function": {"name": "bash", "arguments": '{"command": "ls"}'}},
        {"id": "2", "type": "function", "function": {"name": "view", "arguments": "{broken"}},
    ]
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    endpoint.faults["a"] = [status(200, json.dumps({"choices": [{"message": message}]}).encode())]
    [answer] = policy.act(ask("a"))
    first, second = calls_in(answer)
    assert first == ("bash", {"command": "ls"})
    assert "not a call" in str(second)
    message["content"] = "I look."
    endpoint.faults["a"] = [status(200, json.dumps({"choices": [{"message": message}]}).encode())]
    assert policy.act(ask("a"))[0] == "I look.\n" + answer


def test_tool_results_go_as_the_users_words(endpoint: Endpoint, policy: OpenAIPolicy) -> None:
    policy.act([{"messages": ({"role": "tool", "content": "exit code 0"},)}])
    assert endpoint.requests[0][0]["messages"] == [{"role": "user", "content": "exit code 0"}]


def test_a_spec_names_model_and_url(endpoint: Endpoint) -> None:
    policy = load_policy(f"openai:org/model@{endpoint.url}", seed=5)
    assert policy.act(ask("hello")) == ["re: hello"]
    assert endpoint.requests[0][0]["model"] == "org/model"
    assert endpoint.requests[0][0]["seed"] == 5
    policy.close()  # type: ignore[attr-defined]


def test_nobody_there_is_a_policy_error() -> None:
    policy = OpenAIPolicy("m", "http://127.0.0.1:9/v1", retries=1, backoff_s=0.01)
    with pytest.raises(PolicyError, match="ConnectError"):
        policy.act(ask("a"))
    policy.close()
