"""What a server behind ``openai:`` is asked when a program, or a design, asks the executor."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.bench.config import read_pins
from mx_agents.errors import UsageError
from mx_agents.runs.folder import read_lines
from mx_sandboxes import Sandbox


class Recorder(ThreadingHTTPServer):
    """A server that notes every request and answers with a count of its own."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bodies: list[dict[str, Any]] = []
        self.choice: dict[str, Any] = {"message": {"content": "enots\nrevir"}, "finish_reason": "stop"}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Recorder

    def log_message(self, *_: object) -> None:
        """Nothing is told."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.bodies.append(body)
        if body.get("temperature") == 1.7:
            self._say(400, {"error": {"message": "too hot", "param": "temperature", "code": "hot"}})
            return
        usage = {"prompt_tokens": 1000 + len(self.server.bodies), "completion_tokens": 77, "total_tokens": 0}
        self._say(200, {"model": "m-1", "choices": [self.server.choice], "usage": usage})

    def _say(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server() -> Iterator[Recorder]:
    made = Recorder()
    thread = threading.Thread(target=made.serve_forever, args=(0.05,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def bench(server: Recorder, sandbox: Sandbox, folder: Path, method: str, **more: Any) -> list[dict[str, Any]]:
    """The rows of a small run of one method."""
    options: dict[str, Any] = {"episodes": 1, "seeds": 1, "budget": 20, "split": "test"} | more
    config = BenchConfig(
        methods=(method,),
        tasks="software:micro",
        executor=f"openai:m@{server.url}",
        sandbox="bubblewrap",
        **options,
    )
    made = open_bench(config, folder)
    made.begin()
    list(made.run(sandbox, 2))
    rows: list[dict[str, Any]] = read_lines(folder / "episodes.jsonl")
    return rows


def program(folder: Path, lines: str) -> str:
    """A program with OpenAI's client; it hands in what it prints."""
    path = folder / "program.py"
    path.write_text(f"import json, openai\nclient = openai.OpenAI(max_retries=0)\n{lines}\n")
    return f"program:{sys.executable} {path}"


TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
ASKED = {
    "messages": [
        {"role": "system", "content": "You reverse."},
        {"role": "user", "content": [{"type": "text", "text": "go"}], "name": "ann"},
    ],
    "temperature": 0, "max_tokens": 5, "top_p": 0.1, "seed": 7, "logprobs": True, "top_logprobs": 1, "tools": [TOOL],
    "tool_choice": "auto", "presence_penalty": 0.5, "response_format": {"type": "json_object"}, "stop": ["END"], "user": "u",
}  # fmt: skip


def test_a_program_s_request_reaches_the_server_as_it_came(
    server: Recorder, sandbox: Sandbox, tmp_path: Path
) -> None:
    entry = {"token": "e", "logprob": -0.5, "bytes": [101], "top_logprobs": []}
    server.choice = {
        "message": {"content": "cut"},
        "finish_reason": "length",
        "logprobs": {"content": [entry]},
    }
    lines = f"""answer = client.chat.completions.create(model="gpt-x", **json.loads({json.dumps(json.dumps(ASKED))}))
choice = answer.choices[0]
print(choice.finish_reason, choice.logprobs.content[0].logprob, answer.usage.prompt_tokens, answer.usage.completion_tokens)"""
    (row,) = bench(server, sandbox, tmp_path / "run", program(tmp_path, lines))
    assert server.bodies == [{"model": "m", **ASKED}]
    assert row["episode"]["submission"]["answer"] == "length -0.5 1001 77"
    (turn,) = row["episode"]["turns"]
    assert (turn["sampling"]["temperature"], turn["used"]["seed"], turn["used"]["model"]) == (0, 7, "m-1")


@pytest.mark.parametrize(("own", "asked"), [(None, "executor"), ("gpt-9", "gpt-9")])
def test_a_program_finds_the_name_of_the_model_it_is_to_ask_for(
    own: str | None,
    asked: str,
    server: Recorder,
    sandbox: Sandbox,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("OPENAI_DEFAULT_MODEL", raising=False)
    if own:
        monkeypatch.setenv("OPENAI_DEFAULT_MODEL", own)
    (row,) = bench(
        server,
        sandbox,
        tmp_path / "run",
        program(tmp_path, 'import os\nprint(os.environ["OPENAI_DEFAULT_MODEL"])'),
    )
    assert row["episode"]["submission"]["answer"] == asked


def test_n_answers_are_n_requests_with_seeds_of_their_own_and_one_prompt(
    server: Recorder, sandbox: Sandbox, tmp_path: Path
) -> None:
    lines = """answer = client.chat.completions.create(model="x", n=3, seed=7, messages=[{"role": "user", "content": "?"}])
print(len(answer.choices), answer.usage.completion_tokens)"""
    (row,) = bench(server, sandbox, tmp_path / "run", program(tmp_path, lines))
    seeds = [body["seed"] for body in server.bodies]
    assert 7 in seeds
    assert len(set(seeds)) == 3
    assert row["episode"]["submission"]["answer"] == "3 231"


def test_what_the_server_refuses_is_told_to_the_program_and_the_run_goes_on(
    server: Recorder, sandbox: Sandbox, tmp_path: Path
) -> None:
    lines = """message = [{"role": "user", "content": "?"}]
try:
    client.chat.completions.create(model="x", temperature=1.7, messages=message)
except openai.BadRequestError as refused:
    print(refused.param, refused.code)
print(client.chat.completions.create(model="x", messages=message).choices[0].message.content)"""
    (row,) = bench(server, sandbox, tmp_path / "run", program(tmp_path, lines))
    assert row["episode"]["submission"]["answer"].split() == ["temperature", "hot", "enots", "revir"]


def test_pins_hold_at_the_server_too(server: Recorder, sandbox: Sandbox, tmp_path: Path) -> None:
    lines = """print(client.chat.completions.create(model="x", temperature=0.9, top_p=0.5, max_completion_tokens=900,
    messages=[{"role": "user", "content": "?"}]).choices[0].message.content)"""
    pins = read_pins(["temperature=0", "top_p", "max_completion_tokens=9"])
    bench(server, sandbox, tmp_path / "run", program(tmp_path, lines), pins=pins)
    (body,) = server.bodies
    assert (body["temperature"], body.get("top_p"), body["max_tokens"]) == (0, None, 9)
    assert "max_completion_tokens" not in body


@pytest.mark.parametrize("method", ["vote", "cot", "debate"])
def test_drafts_and_repetitions_ask_with_seeds_of_their_own_and_a_second_run_with_the_same(
    server: Recorder, sandbox: Sandbox, tmp_path: Path, method: str
) -> None:
    bench(server, sandbox, tmp_path / "a", method, seeds=3)
    first = sorted(body["seed"] for body in server.bodies)
    server.bodies.clear()
    bench(server, sandbox, tmp_path / "b", method, seeds=3)
    assert len(set(first)) == len(first) >= 15
    assert sorted(body["seed"] for body in server.bodies) == first


@pytest.mark.parametrize("word", ["temperature=9", "1=2", "=3", "max_tokens=none"])
def test_a_wrong_pin_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match="--pin"):
        read_pins([word])


FORGED = """
import mas
about = {"slot": 0, "agent": "a", "graded": True, "messages": [{"role": "user", "content": "hi"}], "call": 1}
def forged(**more):
    return mas._ask_whole([{**about, **more}])[0]["answer"]
"""


def forging(folder: Path, lines: str) -> str:
    """A method whose design writes frames of its own."""
    path = folder / "methods.py"
    path.write_text(f"def method(task, rng):\n    return {FORGED + lines!r}\n")
    return f"{path}:method"


def test_a_forged_frame_chooses_no_model_no_pinned_value_and_no_prompt_that_is_not_recorded(
    server: Recorder, sandbox: Sandbox, tmp_path: Path
) -> None:
    request = {
        "model": "dear",
        "models": ["dear"],
        "provider": {"order": ["dear"]},
        "n": 50,
        "stream": True,
        "temperature": 2,
    }
    request |= {
        "messages": [{"role": "user", "content": "hidden " + "long " * 100}],
        "max_tokens": 10**6,
    }
    lines = f"forged(request={request!r}, sampling={{'temperature': 2}})\nmas.submit('x')"
    (row,) = bench(
        server,
        sandbox,
        tmp_path / "run",
        forging(tmp_path, lines),
        pins=read_pins(["temperature=0"]),
        tokens=500,
    )
    (body,) = server.bodies
    assert (body["model"], body["temperature"]) == ("m", 0)
    assert not {"models", "provider", "n", "stream"} & body.keys()
    assert body["max_tokens"] < 500 - 100  # what the budget has left after the prompt that was really sent
    (turn,) = row["episode"]["turns"]
    assert turn["messages"][0]["content"].startswith("hidden long")
    assert turn["sampling"]["temperature"] == 0


@pytest.mark.parametrize(
    "said",
    [
        "sampling={'temperature': 1.7}",
        "request={'messages': [{'role': 'user', 'content': 'hi'}], 'temperature': 1.7}",
    ],
)
def test_a_design_ends_no_run_with_what_its_server_refuses(
    server: Recorder, sandbox: Sandbox, tmp_path: Path, said: str
) -> None:
    (row,) = bench(server, sandbox, tmp_path / "run", forging(tmp_path, f"mas.submit(repr(forged({said})))"))
    assert row["episode"]["submission"]["answer"] == "''"
    assert row["episode"]["stop"] == "submitted"


@pytest.mark.parametrize(
    "said",
    [
        "request={'messages': 3}",
        "request={'messages': [{'role': ['user'], 'content': 'hi'}]}",
        "request={'messages': [{'role': 'user', 'content': 'hi', 'tool_calls': 3}]}",
        "request=[]",
        "sampling={'stop': 7}",
        "sampling={'max_tokens': 'many'}",
    ],
)
def test_a_frame_that_asks_for_nothing_that_there_is_ends_its_episode_alone(
    server: Recorder, sandbox: Sandbox, tmp_path: Path, said: str
) -> None:
    (row,) = bench(server, sandbox, tmp_path / "run", forging(tmp_path, f"forged({said})\nmas.submit('x')"))
    assert (row["episode"]["stop"], row["episode"]["grade"]["score"], server.bodies) == (
        "protocol error",
        0.0,
        [],
    )
