"""The model that a program names decides who answers, on the host; what nobody named is answered by the executor."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.bench.config import read_models, read_pins
from mx_agents.cli.bench import _what
from mx_agents.errors import UsageError
from mx_agents.runs.folder import read_config, read_lines
from mx_sandboxes import Sandbox, Sandboxes

POLICIES = """
class Big:
    honours = {"temperature"}
    def act(self, seen):
        return ["big" for _ in seen]

class Small:
    honours = {"seed"}
    def act(self, seen):
        return [f"small {len(seen)}" for _ in seen]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies.py").write_text(POLICIES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def play(folder: Path, sandbox: Sandbox, method: str, **more: Any) -> dict[str, Any]:
    models = {"gpt-4o*": "policies.py:Big", "o[13]*": "policies.py:Small"}
    config = BenchConfig(
        methods=(method,), tasks="software:micro", split="test", episodes=1, seeds=1, executor="policies.py:Small",
        budget=20, sandbox="bubblewrap", models=models, **more,
    )  # fmt: skip
    made = open_bench(config, folder / "run")
    made.begin()
    list(made.run(sandbox, 2))
    (row,) = read_lines(folder / "run" / "episodes.jsonl")
    return dict(row)


CLIENT = """import openai
client = openai.OpenAI(max_retries=0)
def ask(model, **more):
    try:
        return client.chat.completions.create(model=model, messages=[{"role": "user", "content": "?"}], **more).choices[0].message.content
    except openai.BadRequestError as refused:
        return "refused " + refused.param
print([ask(name) for name in ("gpt-4o", "gpt-4o-mini", "o3", "o1-mini", "o2", "llama", "GPT-4o", "x" * 500)],
    ask("gpt-4o", temperature=0), ask("o3", temperature=0), ask("o3", seed=4), ask("gpt-4o", seed=4), ask("llama", temperature=0))
"""  # noqa: E501


@pytest.mark.parametrize("inside", [False, True])
def test_a_name_decides_who_answers_and_what_is_honoured(
    folder: Path, bubblewrap_or_skip: Sandbox, inside: bool
) -> None:
    if inside:  # a design with a client of its own making, because the sandbox has no openai
        (folder / "mine.py").write_text(f"def method(task, rng):\n    return {INSIDE!r}\n")
        row = play(folder, bubblewrap_or_skip, "mine.py:method")
    else:
        (folder / "program.py").write_text(CLIENT)
        row = play(folder, bubblewrap_or_skip, f"program:{sys.executable} program.py")
    answer = row["episode"]["submission"]["answer"]
    assert answer == (
        "['big', 'big', 'small 1', 'small 1', 'small 1', 'small 1', 'small 1', 'small 1'] "
        "big refused temperature small 1 refused seed refused temperature"
    )
    used = [(turn["used"]["asked_model"], turn["used"]["executor"]) for turn in row["episode"]["turns"]]
    assert used[0] == ("gpt-4o", "policies.py:Big")
    assert used[4] == ("o2", "policies.py:Small")
    assert len(used[7][0]) == 200
    assert read_config(folder / "run")["models"] == {
        "gpt-4o*": "policies.py:Big",
        "o[13]*": "policies.py:Small",
    }


INSIDE = """
import json, os, urllib.error, urllib.request
from mas import submit
def ask(model, **more):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "?"}], **more}).encode()
    head = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body, head)
    try:
        return json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"]
    except urllib.error.HTTPError as refused:
        return "refused " + json.load(refused)["error"]["param"]
submit(" ".join(map(str, [[ask(name) for name in ("gpt-4o", "gpt-4o-mini", "o3", "o1-mini", "o2", "llama", "GPT-4o", "x" * 500)],
    ask("gpt-4o", temperature=0), ask("o3", temperature=0), ask("o3", seed=4), ask("gpt-4o", seed=4), ask("llama", temperature=0)])))
"""  # noqa: E501

FORGED = """
import mas
about = {"slot": 0, "agent": "a", "graded": True, "messages": [{"role": "user", "content": "hi"}], "call": 1}
mas.submit(mas._ask_whole([{**about, **%r}])[0]["answer"])
"""


@pytest.mark.parametrize(
    ("said", "stop", "answer"),
    [
        ({"model": "gpt-4o", "sampling": {"temperature": 0}}, "submitted", "big"),
        (
            {"model": "gpt-4o", "sampling": {"seed": 1}},
            "protocol error",
            "",
        ),  # honoured by the other one alone
        ({"model": "llama", "sampling": {"temperature": 0}}, "protocol error", ""),
        ({"model": "policies.py:Big"}, "submitted", "small 1"),  # a spec is no way to an executor
        ({"model": 7}, "protocol error", ""),
        ({"model": "gpt-4o", "honours": ["*"], "routes": []}, "submitted", "big"),
    ],
)
def test_a_forged_frame_gets_what_the_map_says(
    folder: Path, bubblewrap_or_skip: Sandbox, said: dict[str, Any], stop: str, answer: str
) -> None:
    (folder / "mine.py").write_text(f"def method(task, rng):\n    return {FORGED % said!r}\n")
    row = play(folder, bubblewrap_or_skip, "mine.py:method")
    assert (row["episode"]["stop"], row["episode"]["submission"]["answer"]) == (stop, answer)


def test_pins_hold_for_all_of_them_and_money_is_each_one_s(folder: Path, bubblewrap_or_skip: Sandbox) -> None:
    (folder / "program.py").write_text(CLIENT)
    prices = {"policies.py:Big": (1e6, 0.0), "policies.py:Small": (0.0, 0.0)}
    pins = read_pins(["temperature", "seed"])
    row = play(folder, bubblewrap_or_skip, f"program:{sys.executable} program.py", pins=pins, prices=prices)
    assert "refused" not in row["episode"]["submission"]["answer"]
    big = [turn for turn in row["episode"]["turns"] if turn["used"]["executor"] == "policies.py:Big"]
    assert len(big) == 4
    assert row["cost"]["money"] == 4 * 5  # a question mark is a token, and a message four


def test_designs_are_answered_by_the_executor(folder: Path, bubblewrap_or_skip: Sandbox) -> None:
    row = play(folder, bubblewrap_or_skip, "single")
    assert row["episode"]["turns"][0]["answer"].startswith("small")
    assert row["episode"]["turns"][0]["used"] == {"executor": "policies.py:Small"}


def test_the_map_is_said_before_a_run(folder: Path, bubblewrap_or_skip: Sandbox) -> None:
    models = read_models(["gpt-4o*=policies.py:Big", "o3*=policies.py:Small,*mini=policies.py:Big"])
    assert list(models) == ["gpt-4o*", "o3*", "*mini"]
    config = BenchConfig(
        methods=("single",), tasks="software:micro", split="test", episodes=1, seeds=1, executor="scripted",
        budget=None, sandbox="bubblewrap", models=models,
    )  # fmt: skip
    with Sandboxes("bubblewrap", slots=1) as sandboxes:
        said = _what(open_bench(config, folder / "run"), sandboxes)
    assert "gpt-4o* by policies.py:Big, o3* by policies.py:Small" in said
    assert "any other, and designs, by scripted" in said


@pytest.mark.parametrize("word", ["", "gpt", "=x", "gpt=", "a=b,a=c", "a=b,c"])
def test_a_wrong_map_is_refused(word: str) -> None:
    if word == "a=b,c":  # a comma within a spec
        assert read_models([word]) == {"a": "b,c"}
        return
    with pytest.raises(UsageError, match="--models"):
        read_models([word])
