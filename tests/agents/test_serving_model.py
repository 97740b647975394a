"""A real server as the executor: ``transformers serve`` with a tiny model, behind a proxy that injects faults."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from mx_agents.episodes import Job, play
from mx_agents.methods import FIXED_METHODS, MethodPolicy
from mx_agents.policies.openai import OpenAIPolicy
from mx_envs import software_v0
from mx_sandboxes import Sandbox
from mx_tasks import load_task_set

pytestmark = pytest.mark.train

FAULTS = ("429", "500", "cut", "slow", "malformed")


def free_port() -> int:
    with socket.socket() as link:
        link.bind(("127.0.0.1", 0))
        return int(link.getsockname()[1])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A causal language model of a few thousand parameters, in Hugging Face's format."""
    pytest.importorskip("torch")
    from mx_agents.micro.model import build_model, train_tokenizer

    folder = tmp_path_factory.mktemp("tiny") / "model"
    tokenizer = train_tokenizer(["a + b", "def f(a, b): return a * b", "Write Python."] * 20, 300)
    tokenizer.chat_template = (
        tokenizer.chat_template or "{% for m in messages %}{{ m['content'] }}\n{% endfor %}"
    )
    tokenizer.save_pretrained(folder)
    build_model(len(tokenizer), seed=0).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[str]:
    """``transformers serve`` on the loopback."""
    pytest.importorskip("fastapi", reason="needs transformers[serving]")
    pytest.importorskip("uvicorn", reason="needs transformers[serving]")
    pytest.importorskip("transformers.cli", reason="transformers of version 4 serve nothing by this name")
    port = free_port()
    program = "from transformers.cli.transformers import main; main()"
    words = [sys.executable, "-c", program, "serve", str(model), "--port", str(port), "--device", "cpu"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    log = model.parent / "serve.log"
    with log.open("wb") as said:
        process = subprocess.Popen(words, stdout=said, stderr=said, env=environment)
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.3)
        else:
            pytest.fail(f"transformers serve did not start: {log.read_text()[-2000:]}")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


class Proxy(ThreadingHTTPServer):
    """Passes requests on, and injects a fault into every second one, before or after the model has answered."""

    daemon_threads = True

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream = upstream
        self.chance = random.Random(0)
        self.lock = threading.Lock()
        self.injected: Counter[str] = Counter()
        self.delivered: Counter[str] = Counter()
        self.answers: dict[str, str] = {}
        self.plan = [name for name in FAULTS for _ in range(3)]
        self.chance.shuffle(self.plan)
        self.number = 0

    def fault(self) -> str | None:
        with self.lock:
            self.number += 1
            if self.number % 2 == 0 or not self.plan:
                return None
            name = self.plan.pop()
            self.injected[name] += 1
            return name

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients leave when a proxy is slow."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        key = self.headers["idempotency-key"]
        fault = self.server.fault()
        if fault in ("429", "500"):
            self.reply(int(fault), b'{"error": {"message": "injected"}}', {"retry-after": "0.01"})
            return
        upstream = f"{self.server.upstream}{self.path}"
        answer = httpx.post(upstream, content=body, headers={"content-type": "application/json"}, timeout=60)
        if fault == "slow":
            time.sleep(4.0)
        if fault == "cut":
            self.send_response(200)
            self.send_header("content-length", str(len(answer.content) + 1))
            self.end_headers()
            self.wfile.write(answer.content[:20])
            self.close_connection = True
            return
        if fault == "malformed":
            self.reply(200, answer.content[:-10])
            return
        if fault is None:
            with self.server.lock:
                self.server.delivered[key] += 1
                self.server.answers[key] = answer.json()["choices"][0]["message"]["content"]
        self.reply(answer.status_code, answer.content)

    def reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with Proxy(server) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def test_no_step_is_lost_and_none_doubled_whatever_the_server_does(
    proxy: Proxy, model: Path, bubblewrap_or_skip: Sandbox
) -> None:
    url = f"http://127.0.0.1:{proxy.server_address[1]}/v1"
    policy = OpenAIPolicy(
        str(model), url, max_tokens=8, retries=8, timeout_s=3.0, backoff_s=0.01, concurrency=2
    )
    task_set = load_task_set("software:micro")
    tasks = [task_set.task("test", number) for number in range(4)]
    vote = FIXED_METHODS["vote"]
    jobs = [Job(task.id, task.id, 0, MethodPolicy(vote, task, random.Random(0)), policy) for task in tasks]
    played = list(
        play(
            iter(jobs),
            lambda: software_v0.raw_env(tasks=task_set, split="test", sandbox=bubblewrap_or_skip),
            2,
        )
    )
    policy.close()
    answers = [turn.answer for episode in played for turn in episode.record.turns]
    assert len(answers) == 4 * 5  # no step lost
    assert policy.usage.questions == 20
    assert set(proxy.delivered.values()) == {1}  # none doubled
    assert len(proxy.delivered) + proxy.injected["slow"] >= 20
    assert set(proxy.injected) == set(FAULTS), json.dumps(proxy.injected)
    assert policy.usage.retries >= sum(proxy.injected.values()) - proxy.injected["slow"]
    assert Counter(answers) == Counter(
        proxy.answers.values()
    )  # and every answer is the one that was given to its question
