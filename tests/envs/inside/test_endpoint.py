"""The endpoint: programs that know only OpenAI's API, and whose every completion is an executor's step."""

from __future__ import annotations

import ast
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from mx_envs import EpisodeRecord, Observation, StopReason, software_v0
from mx_envs.episode.approval import read_rules
from mx_envs.episode.module import INSIDE, needs_endpoint
from mx_envs.episode.served import ServedSandbox
from mx_envs.inside.endpoint.desk import Desk
from mx_envs.inside.endpoint.server import Endpoint
from mx_sandboxes import Sandbox

Program = Callable[["Client"], None]


class Client:
    """A program's side: OpenAI's own client, and plain HTTP for the rest."""

    def __init__(self, url: str, key: str) -> None:
        self.url, self.key = url, key
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
        self.http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30)

    def chat(self, text: str, system: str = "", key: str = "", **more: Any) -> Any:
        messages = [{"role": "system", "content": system}] if system else []
        client = self.openai if not key else self.openai.with_options(api_key=key)
        made: Any = client.chat.completions.create
        return made(
            model=more.pop("model", "m"), messages=[*messages, {"role": "user", "content": text}], **more
        )

    def say(self, text: str, system: str = "", **more: Any) -> str:
        content = self.chat(text, system, **more).choices[0].message.content
        assert isinstance(content, str)
        return content

    def submit(self, answer: str = "") -> None:
        assert self.http.post("/mx/submit", json={"answer": answer}).json() == {"submitted": True}

    def close(self) -> None:
        self.openai.close()
        self.http.close()


def echo(observation: Observation) -> str:
    return f"re: {observation['messages'][-1]['content']}"


class Stage:
    """Plays a program at the endpoint against an executor, through the AEC environment."""

    def __init__(self, sandbox: Sandbox, tasks: Any) -> None:
        self.served = ServedSandbox(sandbox, self._opened, patience_s=20.0)
        self.server = Endpoint(self.served.find, heartbeat_s=0.2).start()
        self.tasks, self.sandbox = tasks, sandbox
        self.faults: list[BaseException] = []

    def _opened(self, key: str, desk: Desk) -> Callable[[], None]:
        def run() -> None:
            client = Client(self.server.url, key)
            try:
                self.program(client)
            except BaseException as fault:  # raised again by whoever plays
                self.faults.append(fault)
                desk.close("the program failed")
            finally:
                client.close()

        thread = threading.Thread(target=run)
        thread.start()
        self.thread = thread
        return lambda: None

    def play(
        self, program: Program, executor: Callable[[Observation], str] = echo, **options: Any
    ) -> EpisodeRecord:
        self.program = program
        env = software_v0.env(tasks=self.tasks, sandbox=self.served, grading_sandbox=self.sandbox, **options)
        env.reset(seed=0, options={"index": 0})
        for agent in env.agent_iter():
            observation, _, terminated, truncated, _ = env.last()
            action = "# external program: test" if agent == "designer_0" else None
            env.step(None if terminated or truncated else action or executor(observation))
        record: EpisodeRecord = env.unwrapped.episode
        self.thread.join(20)
        env.close()
        if self.faults:
            raise self.faults[0]
        return record


@pytest.fixture
def stage(bubblewrap: Sandbox, words: Any) -> Iterator[Stage]:
    made = Stage(bubblewrap, words)
    yield made
    made.served.close()
    made.server.stop()


def test_a_completion_is_a_step_and_the_submission_is_graded(stage: Stage) -> None:
    def program(client: Client) -> None:
        task = client.http.get("/mx/task").json()
        assert task["prompt"].startswith("Reverse each word.")
        client.submit(client.say(task["prompt"], "You reverse."))

    record = stage.play(program, lambda seen: "enots\nrevir")
    assert (record.stop, record.grade.passed, record.label) == (StopReason.SUBMITTED, True, "external")
    assert [turn.name for turn in record.turns] == ["You reverse."]
    assert record.turns[0].parts == ("1", "2")


def test_roles_are_stable_seats_by_system_prompt_then_model_unless_named(stage: Stage) -> None:
    def program(client: Client) -> None:
        client.say("a", "Coder, it is 10:42.")
        client.say("b", "Critic.")
        client.say("c", "Coder, it is 10:43.")
        client.say("d", model="small")
        client.say("e", model="large")
        client.say("f", model="small")
        client.say("g", "Coder, it is 9.", extra_headers={"X-MX-Agent": "judge"})
        client.say("h", "Critic.", key=f"{client.key}:judge")
        client.submit()

    record = stage.play(program)
    assert [turn.slot for turn in record.turns] == [0, 1, 0, 2, 3, 2, 4, 4]
    assert [record.turns[place].name for place in (0, 1, 3, 6)] == [
        "Coder, it is 10:42.",
        "Critic.",
        "small",
        "judge",
    ]


def test_n_answers_are_n_steps_of_one_seat_and_usage_counts_them(stage: Stage) -> None:
    def program(client: Client) -> None:
        answer = client.chat("hello", n=3)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        assert {choice.message.content for choice in answer.choices} == {"re: hello"}
        assert answer.usage.completion_tokens == 9
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + 9
        client.submit()

    record = stage.play(program)
    assert [(turn.slot, turn.batch) for turn in record.turns] == [(0, 0)] * 3


def test_streams(stage: Stage) -> None:
    long = "word " * 400

    def program(client: Client) -> None:
        pieces = list(client.chat("chat", stream=True, stream_options={"include_usage": True}))
        text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
        assert text == long
        assert pieces[-2].choices[0].finish_reason == "stop"
        assert pieces[-1].usage.completion_tokens == 500
        with client.openai.responses.stream(model="m", input="response") as events:
            kinds = [event.type for event in events]
            assert events.get_final_response().output_text == long
        assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")
        client.submit()

    assert len(stage.play(program, lambda _: long).turns) == 2


TOOL = {
    "name": "add",
    "description": "Adds.",
    "parameters": {"type": "object", "properties": {"code": {"type": "string"}}},
}
CALL = 'Let me see.\n```tool\n{"name": "add", "arguments": {"code": "```python\\nx\\n```"}}\n```'


@pytest.mark.parametrize("stream", [False, True])
def test_tools_in_a_chat(stage: Stage, stream: bool) -> None:
    seen: list[Observation] = []

    def executor(observation: Observation) -> str:
        seen.append(observation)
        return CALL if len(seen) == 1 else "done"

    def program(client: Client) -> None:
        tools = [{"type": "function", "function": TOOL}]
        messages: list[Any] = [{"role": "user", "content": "go"}]
        completions: Any = client.openai.chat.completions
        if stream:
            with completions.stream(model="m", messages=messages, tools=tools) as events:
                first = list(events)[-1:] and events.get_final_completion()
        else:
            first = completions.create(model="m", messages=messages, tools=tools)
        message = first.choices[0].message
        assert first.choices[0].finish_reason == "tool_calls"
        assert message.content == "Let me see."
        call = message.tool_calls[0]
        assert json.loads(call.function.arguments) == {"code": "```python\nx\n```"}
        messages += [
            message.model_dump(exclude_none=True),
            {"role": "tool", "tool_call_id": call.id, "content": "3"},
        ]
        client.submit(
            completions.create(model="m", messages=messages, tools=tools).choices[0].message.content
        )

    record = stage.play(program, executor)
    assert record.submission.answer == "done"
    assert "add: Adds." in seen[0]["messages"][0]["content"]
    roles = [message["role"] for message in seen[1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool"]
    assert "```tool" in seen[1]["messages"][2]["content"]


def test_tools_in_responses(stage: Stage) -> None:
    answers = iter([CALL, "done"])

    def program(client: Client) -> None:
        tools: Any = [{"type": "function", **TOOL}]
        first = client.openai.responses.create(model="m", input="go", tools=tools, instructions="Be good.")
        call: Any = next(item for item in first.output if item.type == "function_call")
        output: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "3"}]
        second = client.openai.responses.create(
            model="m", input=output, previous_response_id=first.id, tools=tools, instructions="Be good."
        )
        client.submit(second.output_text)

    record = stage.play(program, lambda _: next(answers))
    assert record.submission.answer == "done"
    assert [message["role"] for message in record.turns[1].messages] == [
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert {turn.slot for turn in record.turns} == {0}


class Verdict(BaseModel):
    good: bool


def test_a_form_of_the_answer_is_asked_for_in_words_and_read_leniently(stage: Stage) -> None:
    def program(client: Client) -> None:
        completions: Any = client.openai.chat.completions
        parsed = completions.parse(
            model="m", messages=[{"role": "user", "content": "?"}], response_format=Verdict
        )
        assert parsed.choices[0].message.parsed == Verdict(good=True)
        told = client.openai.responses.parse(model="m", input="?", text_format=Verdict)
        assert told.output_parsed == Verdict(good=True)
        client.submit()

    record = stage.play(program, lambda _: 'Here it is:\n```json\n{"good": true}\n```\n')
    assert "JSON schema" in record.turns[0].messages[0]["content"]


def test_stop_names_and_parts_of_content(stage: Stage) -> None:
    def program(client: Client) -> None:
        parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
        messages: Any = [
            {"role": "developer", "content": "Hi."},
            {"role": "user", "name": "ann", "content": parts},
        ]
        answer = client.openai.chat.completions.create(model="m", messages=messages, stop=["END"])
        client.submit(str(answer.choices[0].message.content))

    record = stage.play(program, lambda _: "before END after")
    assert record.submission.answer == "before "
    assert record.turns[0].messages == (
        {"role": "system", "content": "Hi."},
        {"role": "user", "content": "ann: one\ntwo"},
    )


def test_calls_side_by_side_are_answered_as_they_come(stage: Stage) -> None:
    def program(client: Client) -> None:
        with ThreadPoolExecutor(20) as pool:
            said = list(
                pool.map(lambda number: client.say(str(number), f"role {chr(97 + number)}"), range(12))
            )
        client.submit("\n".join(said))

    record = stage.play(program)
    assert record.submission.answer.splitlines() == [f"re: {number}" for number in range(12)]
    assert record.calls == 12


def test_a_budget_that_is_used_up_refuses_once_for_all_and_is_not_tried_again(stage: Stage) -> None:
    def program(client: Client) -> None:
        patient = client.openai.with_options(max_retries=5)
        for _ in range(12):
            client.say("more")
        with pytest.raises(openai.PermissionDeniedError, match="used up"):
            patient.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
        client.submit("late")
        time.sleep(0.2)
        with pytest.raises(openai.APIStatusError, match="over") as refused:
            client.say("x")
        assert refused.value.status_code == 410

    record = stage.play(program)
    assert (record.calls, record.submission.answer) == (12, "late")


def test_a_client_that_times_out_and_tries_again_costs_no_second_step(stage: Stage) -> None:
    asked: list[str] = []

    def slow(observation: Observation) -> str:
        asked.append(observation["messages"][-1]["content"])
        time.sleep(0.8)
        return f"answer {len(asked)}"

    def program(client: Client) -> None:
        messages: Any = [{"role": "user", "content": "long"}]
        hasty = client.openai.with_options(max_retries=8, timeout=0.15)
        said = hasty.chat.completions.create(model="m", messages=messages)
        client.submit(str(said.choices[0].message.content))

    stage.server.heartbeat_s = 60.0
    record = stage.play(program, slow)
    assert (asked, record.submission.answer) == (["long"], "answer 1")


def test_an_idempotency_key_makes_any_client_s_retry_the_same_step(stage: Stage) -> None:
    def program(client: Client) -> None:
        def post(key: str) -> str:
            body = {"messages": [{"role": "user", "content": "x"}]}
            answer = client.http.post(
                "/v1/chat/completions", json=body, headers={"Idempotency-Key": key}
            ).json()
            return str(answer["id"])

        assert post("a") == post("a")
        with ThreadPoolExecutor(4) as pool:
            assert len(set(pool.map(post, ["b"] * 4))) == 1
        assert post("c") != post("d")
        client.submit()

    assert stage.play(program).calls == 4


def test_a_plain_client_that_was_cut_off_and_asks_again_gets_the_same_answer(stage: Stage) -> None:
    def program(client: Client) -> None:
        body = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.key}\r\n"
        with socket.create_connection(client.http.base_url.netloc.decode().split(":")) as raw:  # type: ignore[arg-type]
            raw.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            time.sleep(0.1)
        time.sleep(0.5)
        answer = client.http.post("/v1/chat/completions", content=body).json()
        client.submit(answer["choices"][0]["message"]["content"])

    def slow(observation: Observation) -> str:
        time.sleep(0.4)
        return "once"

    record = stage.play(program, slow)
    assert (record.calls, record.submission.answer) == (1, "once")


def test_two_equal_questions_are_two_steps(stage: Stage) -> None:
    def program(client: Client) -> None:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(lambda _: client.say("same"), range(3)))
        client.submit()

    assert stage.play(program).calls == 3


def test_a_held_request_is_kept_alive(stage: Stage) -> None:
    def program(client: Client) -> None:
        hasty = client.openai.with_options(timeout=0.5)
        messages: Any = [{"role": "user", "content": "x"}]
        whole = hasty.chat.completions.create(model="m", messages=messages)
        pieces = hasty.chat.completions.create(model="m", messages=messages, stream=True)
        streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces)
        client.submit(f"{whole.choices[0].message.content} {streamed}")

    def slow(observation: Observation) -> str:
        time.sleep(1.0)
        return "late"

    assert stage.play(program, slow).submission.answer == "late late"


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"not json", None),
        (b"[1]", None),
        (b"{}", "messages"),
        (b'{"messages": []}', "messages"),
        (b'{"messages": [{"role": "wizard", "content": "x"}]}', "messages"),
        (b'{"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}', "messages"),
        (b'{"messages": [{"role": "user", "content": "x"}], "n": 0}', "n"),
        (b'{"messages": [{"role": "user", "content": "x"}], "stop": 3}', "stop"),
        (b'{"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}', "tools"),
        (json.dumps({"messages": [{"role": "user", "content": "x"}] * 4097}).encode(), "messages"),
    ],
)
def test_what_is_wrong_with_a_request_is_said_in_openais_shape(
    stage: Stage, body: bytes, param: str | None
) -> None:
    def program(client: Client) -> None:
        answer = client.http.post("/v1/chat/completions", content=body)
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["type"], error["param"]) == ("invalid_request_error", param)
        client.submit()

    assert stage.play(program).calls == 0


def test_a_wrong_key_or_place_is_refused(stage: Stage) -> None:
    def program(client: Client) -> None:
        with pytest.raises(openai.AuthenticationError, match="Bearer"):
            client.say("x", key="mx-guess")
        with pytest.raises(openai.NotFoundError):
            client.openai.embeddings.create(model="m", input="x")
        assert [model.id for model in client.openai.models.list()] == ["executor"]
        assert client.openai.models.retrieve("any").id == "any"
        client.submit()

    assert stage.play(program).calls == 0


@pytest.mark.parametrize(
    "route",
    [
        "/chat/completions",
        "/v1/chat/completions/",
        "/v1//chat/completions",
        "/v1/v1/chat/completions",
        "/v1/chat/completions/chat/completions",
        "/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
    ],
)
def test_however_a_client_joins_base_url_and_route_it_is_answered(stage: Stage, route: str) -> None:
    def program(client: Client) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
        assert client.http.post(route, json=body).json()["choices"][0]["message"]["content"] == "re: x"
        assert client.http.post("/mx/tools/chat/completions", json={}).json()["result"].startswith("error")
        client.submit()

    assert stage.play(program).calls == 1


def test_many_threads_ask_for_json_objects_as_searches_over_agents_do(stage: Stage) -> None:
    def ask(client: Client, number: int) -> str:
        more = {
            "stop": None,
            "response_format": {"type": "json_object"},
            "max_tokens": 4096,
            "temperature": 0.5,
        }
        return client.say(f'{{"answer": {number}}}', "You are a helpful assistant.", timeout=60, **more)

    def program(client: Client) -> None:
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda number: ask(client, number), range(8)))
        assert [json.loads(answer)["answer"] for answer in answers] == list(range(8))
        client.submit()

    played = stage.play(program)
    assert played.calls == 8
    assert {turn.agent for turn in played.turns} == {"executor_0"}


def test_workspace_tools_over_http_and_mcp(stage: Stage) -> None:
    def program(client: Client) -> None:
        names = [tool["function"]["name"] for tool in client.http.get("/mx/tools").json()["tools"]]
        assert {"run", "read_file", "write_file", "edit"} <= set(names)
        listed = client.http.post("/mx/tools/run", json={"command": "cat notes.txt; ls"}).json()["result"]
        assert listed.startswith("exit code 0\nto do\n")
        assert "design.py" not in listed

        def mcp(method: str, **params: Any) -> Any:
            sent = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            return client.http.post("/mcp", json=sent).json()["result"]

        assert mcp("initialize", protocolVersion="2025-03-26")["protocolVersion"] == "2025-03-26"
        notified = client.http.post("/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"})
        assert notified.status_code == 202
        assert {tool["name"] for tool in mcp("tools/list")["tools"]} == {*names, "task", "submit"}
        mcp("tools/call", name="write_file", arguments={"name": "notes.txt", "text": "done\n"})
        wrong = mcp("tools/call", name="rm", arguments={})
        assert wrong["isError"]
        mcp("tools/call", name="submit", arguments={"answer": ""})

    record = stage.play(program)
    assert (record.grade.passed, record.submission.files) == (True, {"notes.txt": b"done\n"})


def test_tool_calls_over_http_and_mcp_are_approved_before_they_are_made(stage: Stage) -> None:
    rules = read_rules(
        [
            {"tool": "write*", "decision": "reject", "reason": "read only"},
            {
                "tool": "run",
                "decision": "modify",
                "matches": "date",
                "arguments": {"command": "echo a clock"},
            },
            {"tool": "run", "decision": "terminate", "matches": "curl", "reason": "no network"},
            {"tool": "edit", "decision": "escalate"},
        ]
    )

    def program(client: Client) -> None:
        def use(name: str, /, **arguments: str) -> str:
            sent = {"name": name, "arguments": arguments}
            body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": sent}
            over_mcp = client.http.post("/mcp", json=body).json()["result"]["content"][0]["text"]
            assert client.http.post(f"/mx/tools/{name}", json=arguments).json()["result"] == over_mcp
            return str(over_mcp)

        assert use("write_file", name="notes.txt", text="done\n") == "error: the call was refused: read only"
        assert use("run", command="date") == "exit code 0\na clock\n"
        assert use("run", command="cat notes.txt") == "exit code 0\nto do\n"
        assert "nobody was there to decide" in use("edit", name="notes.txt", old="to do", new="done")
        refused = client.http.post("/mx/tools/run", json={"command": "curl x"})
        assert "no network" in refused.text
        assert client.http.post("/mx/tools/run", json={"command": "ls"}).status_code == 410

    record = stage.play(program, approver=rules)
    assert (record.stop, record.error) == (StopReason.TERMINATED, "run: no network")
    decisions = [ruling.decision for ruling in record.rulings]
    assert decisions == ["reject"] * 2 + ["modify"] * 2 + ["approve"] * 2 + ["reject"] * 2 + ["terminate"]
    assert json.loads(record.to_json())["rulings"][2]["instead"] == {"command": "echo a clock"}
    assert (record.grade.score, record.submission.files) == (0.0, {}), "nothing of it was changed"


def test_a_program_that_never_calls_again_runs_out_of_time(stage: Stage) -> None:
    stage.served.patience_s = 0.3
    record = stage.play(lambda client: None)
    assert (record.stop, record.grade.score) == (StopReason.TIME, 0.0)


def test_a_program_that_knows_no_submission_hands_in_its_last_completion_when_it_falls_silent(
    stage: Stage,
) -> None:
    stage.served.idle_s = 0.5

    def program(client: Client) -> None:
        client.say("draft")
        time.sleep(0.1)  # not yet silence
        client.say("final")

    record = stage.play(program)
    assert (record.stop, record.calls) == (StopReason.SUBMITTED, 2)
    assert record.submission.answer == "re: final"


def test_silence_before_the_first_completion_is_no_submission(stage: Stage) -> None:
    stage.served.idle_s, stage.served.patience_s = 0.1, 0.6
    record = stage.play(lambda client: None)
    assert (record.stop, record.submission.answer) == (StopReason.TIME, "")


@pytest.mark.parametrize("stream", [False, True])
def test_the_older_completions_without_a_chat(stage: Stage, stream: bool) -> None:
    def program(client: Client) -> None:
        make: Any = client.openai.completions.create
        asked = {"model": "m", "prompt": ["once"], "stop": "ce", "n": 2, "max_tokens": 9, "stream": stream}
        if stream:
            texts = ["", ""]
            for event in make(**asked):
                texts[event.choices[0].index] += event.choices[0].text
        else:
            answer = make(**asked)
            texts = [choice.text for choice in answer.choices]
            assert answer.usage.completion_tokens > 0
        with pytest.raises(openai.BadRequestError, match="one text"):
            make(model="m", prompt=["two", "prompts"])
        client.submit("|".join(texts) + make(model="m", prompt="x", echo=True).choices[0].text)

    record = stage.play(program)
    assert (record.calls, record.submission.answer) == (3, "re: on|re: onxre: x")


def test_old_clients_functions_and_fields_that_nobody_knows(stage: Stage) -> None:
    """What requests of clients from before tools, of plain HTTP and of other makers' servers carry."""
    odd = {
        "functions": [{"name": "look", "parameters": {"type": "object", "properties": {}}}],
        "function_call": "auto",
        "max_completion_tokens": 50, "temperature": 0, "top_p": 1, "seed": 3, "user": "u", "logprobs": False,
        "logit_bias": {}, "stop": None, "response_format": {"type": "text"}, "best_of": 1, "extra": {"a": [1]},
    }  # fmt: skip

    def program(client: Client) -> None:
        said: dict[str, Any] = {}
        parts = [{"type": "text", "text": "call it"}]
        messages = [{"role": "system", "content": parts}, {"role": "user", "content": "go"}]
        said = client.http.post("/chat/completions", json={"messages": messages, **odd}).json()
        choice = said["choices"][0]
        assert choice["finish_reason"] == "function_call"
        messages += [choice["message"], {"role": "function", "name": "look", "content": "seen"}]
        said = client.http.post("/v1/chat/completions", json={"messages": messages, **odd}).json()
        client.submit(said["choices"][0]["message"]["content"])

    def executor(observation: Observation) -> str:
        last = observation["messages"][-1]
        return (
            last["content"] if last["role"] == "tool" else '```tool\n{"name": "look", "arguments": {}}\n```'
        )

    record = stage.play(program, executor)
    assert (record.calls, record.submission.answer) == (2, "seen")


def test_turn_rewards_reach_the_executor_of_a_program(stage: Stage) -> None:
    def program(client: Client) -> None:
        client.submit(client.say("1. stone"))

    record = stage.play(program, lambda _: "enots", turn_rewards=True)
    assert [(turn.parts, turn.turn_reward) for turn in record.turns] == [(("1",), 1.0)]


INSIDE_PROGRAM = """
import json, os, urllib.request
from concurrent.futures import ThreadPoolExecutor

def ask(text, role):
    body = {"model": "openai", "messages": [{"role": "system", "content": role}, {"role": "user", "content": text}]}
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode())
    request.add_header("Authorization", "Bearer " + os.environ["OPENAI_API_KEY"])
    return json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"]

assert os.environ["OPENAI_DEFAULT_MODEL"] == "executor"
prompt = os.environ["MX_TASK_PROMPT"]
with ThreadPoolExecutor(4) as pool:
    drafts = list(pool.map(lambda n: ask(f"{prompt}\\n{n}", "coder"), range(4)))
review = ask(drafts[0], "critic")
HAND_IN
"""
SUBMITS = {
    "over http": 'u = os.environ["MX_URL"]\nr = urllib.request.Request(u + "/mx/submit", json.dumps({"answer": review}).encode())\n'
    "urllib.request.urlopen(r)\nimport time; time.sleep(9)",
    "by mas": "from mas import Agent, submit\nsubmit(Agent('judge')(review))",
    "in a file": "open('notes.txt', 'w').write('done\\n')",
}


@pytest.mark.parametrize("way", SUBMITS)
def test_a_program_inside_the_sandbox_finds_the_endpoint(
    sandbox: Sandbox, words: Any, play: Callable[..., Any], way: str
) -> None:
    env = software_v0.env(tasks=words, sandbox=sandbox)
    played = play(env, INSIDE_PROGRAM.replace("HAND_IN", SUBMITS[way]), lambda seen: "enots\nrevir")
    record = played.episode
    env.close()
    assert (record.error, record.grade.passed) == ("", True)
    assert [turn.name for turn in record.turns][:5] == ["coder"] * 4 + ["critic"]
    if way == "by mas":
        assert (record.turns[-1].name, record.turns[-1].slot) == ("judge", 2)


def test_a_fault_of_a_program_inside_is_told_with_its_line(
    bubblewrap: Sandbox, words: Any, play: Callable[..., Any]
) -> None:
    env = software_v0.env(tasks=words, sandbox=bubblewrap)
    record = play(env, "import os\nos.environ['OPENAI_BASE_URL']\nraise ValueError('no')").episode
    missing = play(env, "import autogen").episode
    env.close()
    assert (record.stop, record.error) == (StopReason.CRASHED, "line 3: ValueError: no")
    assert missing.error == "line 1: ModuleNotFoundError: No module named 'autogen'"


def test_only_programs_of_their_own_kind_get_the_endpoint() -> None:
    assert needs_endpoint("import crewai")
    assert needs_endpoint("from mas import *\nimport os\nos.environ['OPENAI_API_KEY']")
    assert not needs_endpoint("from mas import *\nimport json\nsubmit('x')")
    assert not needs_endpoint("import openai because")


def test_what_runs_inside_is_python_3_9_and_of_the_standard_library() -> None:
    import sys

    for path in [INSIDE / "program.py", *(INSIDE / "endpoint").glob("*.py")]:
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        names = {
            alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
        }
        names |= {str(n.module) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level}
        own = {"mas", "mas_tools", "endpoint"}
        assert {name.partition(".")[0] for name in names} - own <= sys.stdlib_module_names
