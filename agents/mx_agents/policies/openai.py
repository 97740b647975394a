"""A policy behind an OpenAI-compatible endpoint: vLLM, Ollama, llama.cpp, ``transformers serve``, or a vendor's.

Every question gets exactly one answer: a request is sent again only after it failed, all tries of a question carry one
``Idempotency-Key``, and once a question has its answer nothing more is sent for it.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import uuid
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import httpx

from mx_agents.errors import PolicyError
from mx_agents.event_loop import LoopThread
from mx_envs import Observation

RETRIED_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 529})
TOO_LONG_STATUSES = frozenset({400, 413, 422})
REFUSALS = frozenset({400, 404, 413, 422})
"""Statuses that say that a request is wrong: where the server answers others, whoever asked is told, and the run goes on."""
PROBE = "Answer with yes."
FINISHES = ("stop", "length", "content_filter")
LONGEST_WAIT_S = 60.0


@dataclass(slots=True)
class Usage:
    """What a policy has used so far: questions answered, requests sent, failures tried again, tokens as the server counts."""

    questions: int = 0
    requests: int = 0
    retries: int = 0
    too_long: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer; ``about`` is what the server says of it (see :class:`mx_envs.episode.spoken.Spoken`), ``used`` the parameters that
    were sent and the model that answered.
    """

    text: str
    about: dict[str, Any] = field(default_factory=dict)
    used: dict[str, Any] = field(default_factory=dict)


class OpenAIPolicy:
    """A model at ``url`` (with its ``/v1``) as a policy; batches are asked concurrently.

    The key comes from ``api_key`` or the environment variable ``OPENAI_API_KEY``; local servers need none. ``timeout_s`` bounds one
    try; ``retries`` are made after 408/409/425/429/5xx, time-outs, cut connections and answers that are no completion.
    ``options`` go into every request (``top_p``, ``stop``, ...). A question longer than the
    model's context is answered with "". A program's request is forwarded as it came, but for its model.
    Other questions carry ``temperature``, ``max_tokens``, and the seed that the harness made for them, ``seed`` where it made none.
    """

    honours = frozenset({"*"})
    tells_samples = True

    def __init__(
        self,
        model: str,
        url: str,
        *,
        api_key: str | None = None,
        temperature: float = 1.0,
        max_tokens: int = 2048,
        seed: int | None = None,
        concurrency: int = 16,
        retries: int = 6,
        timeout_s: float = 120.0,
        backoff_s: float = 0.5,
        options: dict[str, Any] | None = None,
    ) -> None:
        self.usage = Usage()
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._body = {"model": model, "temperature": temperature, "max_tokens": max_tokens, **(options or {})}
        if seed is not None:
            self._body["seed"] = seed
        self._concurrency = concurrency
        self._retries = retries
        self._backoff_s = backoff_s
        key = api_key if api_key is not None else os.environ.get("OPENAI_API_KEY", "")
        self._key = key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._loop = LoopThread("openai policy")
        self._client = httpx.AsyncClient(
            headers=headers, timeout=timeout_s, limits=httpx.Limits(max_connections=concurrency)
        )
        self._end = weakref.finalize(self, _shut_down, self._loop, self._client)

    def act(self, observations: Sequence[Observation]) -> list[str]:
        """Ask all at once, at most ``concurrency`` in flight. Raises PolicyError when the endpoint will not answer."""
        return [completion.text for completion in self.sample(observations)]

    def sample(self, observations: Sequence[Observation]) -> list[Completion]:
        """The same, with what the server says of each answer."""
        answers: list[Completion] = self._loop.run(self._ask_all(observations))
        return answers

    def close(self) -> None:
        """Close the connections; a closed policy cannot act."""
        self._end()

    async def _ask_all(self, observations: Sequence[Observation]) -> list[Completion]:
        gate = asyncio.Semaphore(self._concurrency)

        async def ask(observation: Observation) -> Completion:
            async with gate:
                return await self._ask(observation)

        tasks = [asyncio.create_task(ask(observation)) for observation in observations]
        try:
            return await asyncio.gather(*tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise

    async def _ask(self, observation: Observation) -> Completion:
        body = self._request(observation)
        key = str(uuid.uuid4())
        failure = _Failure("")
        for attempt in range(self._retries + 1):
            if attempt:
                self.usage.retries += 1
                await asyncio.sleep(failure.wait_s or self._backoff(attempt))
            headers = {"Idempotency-Key": key, "x-stainless-retry-count": str(attempt)}
            outcome = await self._try(body, headers)
            if isinstance(outcome, Completion):
                self.usage.questions += 1
                used = {name: value for name, value in body.items() if name not in ("messages", "tools")}
                return replace(outcome, used=used | outcome.used)
            failure = outcome
        raise PolicyError(f"{self._url} failed {self._retries + 1} times, at last with: {failure.message}")

    def _request(self, observation: Observation) -> dict[str, Any]:
        """The body for a question: a program's request as it came, or the chat with this policy's own parameters."""
        asked = dict(observation.get("sampling") or {})
        given = observation.get("request")
        if given is None:
            return self._body | asked | {"messages": _as_messages(observation)}
        body = {**given, "model": self._body["model"]}
        if "seed" in given:  # of the second and later ones of n answers it is another one
            body["seed"] = asked.get("seed", given["seed"])
        names = [name for name in ("max_completion_tokens", "max_tokens") if name in given] or ["max_tokens"]
        if "max_tokens" in asked:  # as asked, or what a budget has left
            body = {name: value for name, value in body.items() if name not in names}
            body[names[0]] = asked["max_tokens"]
        return body

    async def _try(self, body: dict[str, Any], headers: dict[str, str]) -> Completion | _Failure:
        self.usage.requests += 1
        try:
            response = await self._client.post(self._url, json=body, headers=headers)
        except httpx.TransportError as error:
            return _Failure(f"{type(error).__name__} {error}".strip())
        if response.status_code in RETRIED_STATUSES:
            return _Failure(f"status {response.status_code}: {self._said(response)}", _retry_after(response))
        too_long = response.status_code in TOO_LONG_STATUSES and "context" in response.text.lower()
        self.usage.too_long += too_long
        if too_long or (response.status_code in REFUSALS and await self._answers_others()):
            refusal = {"status": response.status_code, "body": self._without_key(response.text)}
            return Completion("", {"error": refusal})
        if response.status_code != httpx.codes.OK:
            raise PolicyError(
                f"{self._url} refused with status {response.status_code}: {self._said(response)}"
            )
        return self._read(response)

    async def _answers_others(self) -> bool:
        """Whether the server answers this policy at all: then it refuses the question, and no design can end a run with one."""
        if self.usage.questions:
            return True
        self.usage.requests += 1
        body = self._body | {"messages": [{"role": "user", "content": PROBE}]}
        try:
            response = await self._client.post(self._url, json=body)
        except httpx.TransportError:
            return False
        return response.status_code == httpx.codes.OK

    def _said(self, response: httpx.Response) -> str:
        """The beginning of an answer, for people; a server that repeats the key does not put it on their screens."""
        return self._without_key(response.text)[:300]

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "(the key)") if self._key else text

    def _read(self, response: httpx.Response) -> Completion | _Failure:
        try:
            answer = response.json()
            choice = answer["choices"][0]
            message = choice["message"]
            content = message.get("content") if message.get("tool_calls") else message["content"]
            calls = [each["function"] for each in message.get("tool_calls") or ()]
            blocks = [_call_block(call["name"], call.get("arguments")) for call in calls]
            counted = answer.get("usage") or {}
            prompt_tokens = int(counted.get("prompt_tokens") or 0)
            completion_tokens = int(counted.get("completion_tokens") or 0)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return _Failure(f"no completion in the answer: {self._said(response)!r}")
        if content is not None and not isinstance(content, str):
            return _Failure(f"the completion's content is no text: {self._without_key(repr(content))[:200]}")
        self.usage.prompt_tokens += prompt_tokens
        self.usage.completion_tokens += completion_tokens
        text = "\n".join(part for part in (content, *blocks) if part)
        return Completion(text, _about(choice, counted), {"model": answer.get("model")})

    def _backoff(self, attempt: int) -> float:
        wait = self._backoff_s * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        return float(min(LONGEST_WAIT_S, wait))

    def usage_as_dict(self) -> dict[str, int]:
        """The usage so far, for records."""
        return asdict(self.usage)


@dataclass(frozen=True, slots=True)
class _Failure:
    """A try that may be repeated; ``wait_s`` is what the server asked for."""

    message: str
    wait_s: float | None = field(default=None)


def _shut_down(loop: LoopThread, client: httpx.AsyncClient) -> None:
    loop.run(client.aclose())
    loop.close()


def _as_messages(observation: Observation) -> list[dict[str, str]]:
    """The chat as the protocol wants it: a tool result without a call id goes as the user's."""
    return [
        {"role": "user" if message["role"] == "tool" else message["role"], "content": message["content"]}
        for message in observation["messages"]
    ]


def _about(choice: dict[str, Any], counted: dict[str, Any]) -> dict[str, Any]:
    """What a server says of an answer, as far as it has the forms that it should have."""
    finish, logprobs = choice.get("finish_reason"), choice.get("logprobs")
    entries = logprobs.get("content") if isinstance(logprobs, dict) else None
    numbers = [counted.get(name) for name in ("prompt_tokens", "completion_tokens")]
    return {
        **({"finish_reason": finish} if finish in FINISHES else {}),
        **({"usage": tuple(numbers)} if all(type(number) is int for number in numbers) else {}),
        **({"logprobs": entries} if isinstance(entries, list) else {}),
    }


def _call_block(name: Any, arguments: Any) -> str:
    """A native tool call in the one text form that executors' calls have; arguments that are no JSON stay a text."""
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        read = arguments
    call = {"name": str(name), "arguments": {} if read is None else read}
    return f"```tool\n{json.dumps(call, ensure_ascii=False)}\n```"


def _retry_after(response: httpx.Response) -> float | None:
    try:
        return min(LONGEST_WAIT_S, max(0.0, float(response.headers.get("retry-after", ""))))
    except ValueError:
        return None
