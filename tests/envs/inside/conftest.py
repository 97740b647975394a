"""A desk at an endpoint, for tests of what clients are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from mx_envs.inside.endpoint.asking import Said
from mx_envs.inside.endpoint.desk import Desk
from mx_envs.inside.endpoint.server import Endpoint

TASK = {"id": "t", "prompt": "", "parts": [], "files": []}


class Room:
    """A desk at an endpoint, whose questions are answered by a function of the chat, after a while."""

    def __init__(self) -> None:
        self.desk = Desk(TASK, [], lambda _, __: "")
        self.server = Endpoint({"k": self.desk}.get, heartbeat_s=60).start()
        self.http = httpx.Client(base_url=self.server.url, headers={"Authorization": "Bearer k"}, timeout=30)
        self.answer: Callable[[list[dict[str, str]]], str] = lambda chat: f"re: {chat[-1]['content']}"
        self.slow_s, self.silent = 0.0, False
        self.calls: list[Any] = []
        self.thread = threading.Thread(target=self._answer)
        self.thread.start()

    def _answer(self) -> None:
        while not self.desk.closed:
            for call in self.desk.take():
                self.calls.append(call)
                time.sleep(self.slow_s)
                said = None if self.silent else Said(self.answer(call.asking.messages))
                self.desk.give(call, [said] * call.asking.n)

    def chat(self, *messages: tuple[str, str], **more: Any) -> Any:
        asked = [{"role": role, "content": text} for role, text in messages]
        said = self.http.post("/v1/chat/completions", json={"model": "m", "messages": asked, **more})
        assert said.status_code == 200, said.text
        return said.json()["choices"][0]

    def close(self) -> None:
        self.desk.close("done")
        self.thread.join(10)
        self.http.close()
        self.server.stop()


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room()
    yield made
    made.close()
