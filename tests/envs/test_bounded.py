"""The endpoint over HTTP: whatever comes, nobody gets more than a share, and nobody a traceback."""

from __future__ import annotations

import json
import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from mx_envs.inside.endpoint import bounded
from mx_envs.inside.endpoint.desk import Desk
from mx_envs.inside.endpoint.plain import DEEPEST, NotPlain, read_json
from mx_envs.inside.endpoint.server import Endpoint

KEY = "key-1"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    desk = Desk({"id": "t", "prompt": "p"}, [], lambda name, arguments: "")
    server = Endpoint(lambda key: desk if key == KEY else None).start()
    yield server
    server.stop()


def ask(endpoint: Endpoint, data: bytes, seconds: float = 5.0) -> bytes:
    """What the endpoint says to these bytes, to the end of the connection or of the time."""
    said = b""
    with socket.create_connection((endpoint.server_name, endpoint.server_port), timeout=seconds) as stream:
        try:
            stream.sendall(data)
            stream.shutdown(socket.SHUT_WR)
            while part := stream.recv(65536):
                said += part
        except OSError:
            return said
    return said


def post(path: str, body: bytes, *heads: str, key: str = KEY) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {key}", *heads]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(said: bytes) -> int:
    return int(said.split(b" ", 2)[1]) if said.startswith(b"HTTP/1.") else 0


CHUNKED = "Transfer-Encoding: chunked"


@pytest.mark.parametrize(
    ("heads", "body", "wanted"),
    [
        ((CHUNKED,), b"-1\r\n" + b"x" * 1000, 400),
        ((CHUNKED,), b"+5\r\nhello\r\n0\r\n\r\n", 400),
        ((CHUNKED,), b"0x5\r\nhello\r\n0\r\n\r\n", 400),
        ((CHUNKED,), b"1_0\r\n", 400),
        ((CHUNKED,), b"\r\n", 400),
        ((CHUNKED,), b"ffffffff\r\n", 413),
        ((CHUNKED,), b"5\r\nhelloX\r\n0\r\n\r\n", 400),
        ((CHUNKED,), b"2\r\n{}\r\n0\r\n" + b"a: b\r\n" * 40, 400),
        ((CHUNKED, "Content-Length: 2"), b"2\r\n{}\r\n0\r\n\r\n", 400),
        (("Transfer-Encoding: gzip",), b"", 400),
        (("Content-Length: -1",), b"", 400),
        (("Content-Length: 99999999999999999999999",), b"", 413),
        (("Content-Length: 2", "Content-Length: 3"), b"{}", 400),
        (("Content-Length: ²",), b"", 400),
        (("Content-Length: 2", "Origin: http://evil.example"), b"{}", 403),
        (("Content-Length: 2", "Origin: null"), b"{}", 403),
    ],
)
def test_a_body_of_no_plain_length_is_refused(
    endpoint: Endpoint, heads: tuple[str, ...], body: bytes, wanted: int
) -> None:
    began = time.monotonic()
    said = ask(endpoint, post("/v1/chat/completions", body, *heads))
    assert status(said) == wanted, said[:200]
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1", "https://[::1]:8"])
def test_this_machine_s_own_pages_may_ask(endpoint: Endpoint, origin: str) -> None:
    said = ask(endpoint, post("/mx/submit", b'{"answer": "x"}', "Content-Length: 15", f"Origin: {origin}"))
    assert status(said) == 200


def test_chunks_are_read(endpoint: Endpoint) -> None:
    body = b'5;a=b\r\n{"ans\r\nA\r\nwer": "x"}\r\n0\r\nx: y\r\n\r\n'
    assert status(ask(endpoint, post("/mx/submit", body, CHUNKED))) == 200


def test_who_has_no_key_sends_nothing_large(endpoint: Endpoint) -> None:
    said = ask(endpoint, post("/v1/chat/completions", b"", "Content-Length: 30000000", key="other"))
    assert status(said) == 413
    said = ask(endpoint, post("/v1/chat/completions", b"{}", "Content-Length: 2", key="other"))
    assert status(said) == 401


def test_half_sent_requests_are_given_up(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "HEAD_S", 0.5)
    monkeypatch.setattr(bounded, "BODY_S", 0.5)
    address = (endpoint.server_name, endpoint.server_port)
    before = threading.active_count()
    halves = [b"POST /v1/chat", post("/v1/chat/completions", b"", "Content-Length: 100")]
    streams = [socket.create_connection(address, timeout=5) for _ in range(60)]
    try:
        for number, stream in enumerate(streams):
            stream.sendall(halves[number % 2])
        trickle = streams[0]
        end = time.monotonic() + 10
        while threading.active_count() > before and time.monotonic() < end:
            time.sleep(0.1)
            try:
                trickle.sendall(b"x")  # a byte now and then does not buy time
            except OSError:
                continue
        assert threading.active_count() <= before
    finally:
        for stream in streams:
            stream.close()
    assert status(ask(endpoint, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n")) == 200


def test_connections_beyond_the_bound_are_closed_and_places_come_back() -> None:
    class Small(Endpoint):
        most_connections = 4

    server = Small(lambda key: None).start()
    try:
        address = (server.server_name, server.server_port)
        held = [socket.create_connection(address, timeout=5) for _ in range(4)]
        time.sleep(0.3)
        assert ask(server, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n") == b""
        for stream in held:
            stream.close()
        end = time.monotonic() + 10
        while not ask(server, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n") and time.monotonic() < end:
            time.sleep(0.1)
        assert time.monotonic() < end
    finally:
        server.stop()


def test_an_endless_head_is_cut_off(endpoint: Endpoint) -> None:
    said = ask(endpoint, b"GET /health HTTP/1.1\r\n" + b"a: " + b"b" * 60000 + b"\r\n" + b"c: d\r\n" * 60000)
    assert status(said) in (0, 400, 431)


JUNK = [
    b"[" * 100_000,
    b'{"messages": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"a":' * 90_000,
    b"\xff\xfe{}",
    b"1" * 10_000,
    b'{"id": ' + b"1" * 5000 + b', "method": "ping"}',
    b'{"x": 1e999}',
    b'{"x": NaN}',
    b'"\\ud800"',
    b"null",
    b'[{"jsonrpc": "2.0", "id": {}, "method": "tools/call", "params": []}]',
    b'{"messages": [{"role": "user", "content": [[[]]]}], "tools": [[]]}',
    b'{"messages": [{"role": 1, "content": {"a": 1}}], "n": "many"}',
    b'{"messages": "x", "stream": [], "tools": {"a": "b"}}',
    b'{"input": {"a": [1]}, "tools": 5}',
    b'{"prompt": [[1], {"a": 2}], "n": -1}',
]


@pytest.mark.parametrize(
    "path", ["/v1/chat/completions", "/v1/responses", "/v1/completions", "/mcp", "/mx/submit"]
)
def test_no_body_makes_a_traceback(
    endpoint: Endpoint, path: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(path)
    bodies = [*JUNK, *(bytes(rng.randrange(256) for _ in range(rng.randrange(200))) for _ in range(20))]
    for body in bodies:
        said = ask(endpoint, post(path, body, f"Content-Length: {len(body)}"), seconds=0.5)
        if said:  # a question that could be read is held until somebody answers
            assert status(said) in (200, 202, 400, 403, 404, 410, 500), said[:100]
    assert capfd.readouterr().err == ""


def test_json_of_anybody_is_a_plain_value_or_one_error() -> None:
    rng = random.Random(0)
    good = json.dumps({"a": [1, 2.5, None, True, "x\ud800"], "b": {"c": [[]]}}).encode()
    assert read_json(good) == json.loads(good)
    deep: object = 1
    for _ in range(DEEPEST):
        deep = [deep]
    assert read_json(json.dumps(deep)) == deep
    for bad in (json.dumps([deep]), *JUNK[:9]):
        if bad == JUNK[8]:
            continue
        with pytest.raises(NotPlain):
            read_json(bad)
    for _ in range(3000):
        data = bytearray(good)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            read_json(bytes(data))
        except NotPlain:
            continue
