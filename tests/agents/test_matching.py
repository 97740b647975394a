"""One key for a dataset: any number of workers, in any order, and no call in a wrong episode."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.matching import Tasks
from mx_agents.programs import Programs
from mx_agents.runs.folder import read_lines
from mx_sandboxes import Sandbox

ECHO = """
class Echo:
    '''Says what it was asked, so that a call in a wrong episode is seen in the answer, too.'''
    def act(self, seen):
        return ["re: " + chat["messages"][-1]["content"] for chat in seen]
"""


class Dataset:
    """A run whose episodes share a key, and clients of it."""

    def __init__(self, sandbox: Sandbox, folder: Path, episodes: int, idle_s: float | None = None) -> None:
        (folder / "echo.py").write_text(ECHO)
        config = BenchConfig(
            methods=("external",), tasks="software:micro", split="test", episodes=episodes, seeds=1,
            executor=f"{folder}/echo.py:Echo", budget=None, sandbox="bubblewrap",
        )  # fmt: skip
        self.bench = open_bench(config, folder / "run")
        self.bench.begin()
        task_set = self.bench.task_sets["software:micro"]
        self.tasks = [task_set.find(task) for task in self.bench.task_ids["software:micro"]]
        self.bench.programs = self.programs = Programs(sandbox, idle_s=idle_s)
        self.programs.match([{"id": task.id, "prompt": task.prompt} for task in self.tasks])
        self.thread = threading.Thread(target=lambda: list(self.bench.run(sandbox, episodes)))
        self.thread.start()
        head = {"Authorization": f"Bearer {self.programs.key}"}
        self.http = httpx.Client(base_url=self.programs.url, headers=head, timeout=60)
        self.openai = openai.OpenAI(
            base_url=f"{self.programs.url}/v1", api_key=self.programs.key, max_retries=0
        )

    def chat(self, *messages: tuple[str, str], **more: Any) -> str:
        asked: Any = [{"role": role, "content": text} for role, text in messages]
        made: Any = self.openai.chat.completions.create
        text = made(model="m", messages=asked, **more).choices[0].message.content
        assert isinstance(text, str)
        return text

    def rows(self) -> dict[str, dict[str, Any]]:
        self.thread.join(60)
        rows = read_lines(self.bench.folder / "episodes.jsonl")
        return {row["episode"]["task"]: row["episode"] for row in rows}

    def wait_for(self, task: str) -> None:
        """Until the episode of a task is over and written."""
        for _ in range(1000):
            rows = read_lines(self.bench.folder / "episodes.jsonl")
            if any(row["episode"]["task"] == task for row in rows):
                return
            time.sleep(0.02)
        raise AssertionError(f"{task} did not end")

    def close(self) -> None:
        self.programs.close()
        self.thread.join(60)
        self.openai.close()
        self.http.close()


@pytest.fixture
def opened(bubblewrap_or_skip: Sandbox, tmp_path: Path) -> Iterator[Callable[..., Dataset]]:
    made: list[Dataset] = []

    def make(episodes: int, **more: Any) -> Dataset:
        made.append(Dataset(bubblewrap_or_skip, tmp_path, episodes, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


def spaced(text: str) -> str:
    return "  ".join(text.replace("\n", "\r\n\t").split(" "))


def streamed(data: Dataset, text: str) -> None:
    made: Any = data.openai.chat.completions.create
    for _ in made(model="m", stream=True, messages=[{"role": "user", "content": text}]):
        pass


def chained(data: Dataset, text: str) -> None:
    """The second response names the first, in which the task is."""
    first = data.openai.responses.create(model="m", input=text)
    assert text in first.output_text
    data.openai.responses.create(model="m", input="Is that right?", previous_response_id=first.id)


def conversed(data: Dataset, text: str) -> None:
    said = data.chat(("system", "You solve."), ("user", text))
    data.chat(("system", "You solve."), ("user", text), ("assistant", said), ("user", "Once more."))


METHODS: list[Callable[[Dataset, str], object]] = [
    lambda data, text: data.chat(("user", text)),
    lambda data, text: data.chat(("user", f"Solve this problem.\n\n{text}\n\nThink step by step.")),
    lambda data, text: data.chat(("system", f"You work on:\n{text}"), ("user", "Begin.")),
    lambda data, text: data.chat(("user", spaced(text))),
    lambda data, text: data.chat(("user", " ".join(text.split()))),
    lambda data, text: [
        data.chat(("system", name), ("user", text)) for name in ("Coder.", "Critic.", "Judge.")
    ],
    lambda data, text: data.chat(("user", text), n=3),
    lambda data, text: data.openai.responses.create(model="m", input=text, instructions="Answer."),
    lambda data, text: data.openai.completions.create(model="m", prompt=f"Q: {text}\nA:"),
    streamed,
    chained,
    conversed,
]
"""Twelve ways in which methods ask about a task."""


@pytest.mark.parametrize("seed", [0, 1])
def test_twelve_methods_fifty_tasks_ten_workers_and_no_call_in_a_wrong_episode(
    opened: Callable[..., Dataset], seed: int
) -> None:
    data = opened(50)
    work = [(place, task) for place, task in enumerate(data.tasks)]
    random.Random(seed).shuffle(work)

    def do(job: tuple[int, Any]) -> None:
        place, task = job
        METHODS[(place + seed) % 12](data, task.prompt)
        METHODS[(place * 5 + 1) % 12](data, task.prompt)

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(do, work))
    assert data.http.post("/mx/finish", json={}).json() == {"finished": True}
    rows = data.rows()
    assert len(rows) == 50
    for task in data.tasks:
        own = " ".join(task.prompt.split())
        others = [" ".join(each.prompt.split()) for each in data.tasks if each is not task]
        turns = rows[task.id]["turns"]
        assert len(turns) >= 2
        for turn in turns:
            said = " ".join(" ".join(message["content"].split()) for message in turn["messages"])
            assert own in said
            assert not any(other in said for other in others)
    assert set(data.programs.dataset.counts) == {"matched"}  # type: ignore[union-attr]


def test_what_belongs_to_no_task_or_to_several_is_refused_and_counted(opened: Callable[..., Dataset]) -> None:
    data = opened(3)
    first, second, third = data.tasks
    with pytest.raises(openai.BadRequestError, match="X-MX-Task") as none:
        data.chat(("user", "What is the capital of France?"))
    assert none.value.code == "no_task"
    with pytest.raises(openai.BadRequestError, match="2 tasks") as several:
        data.chat(("user", f"Example: {first.prompt}"), ("user", second.prompt))
    assert several.value.code == "ambiguous_task"
    named = data.openai.with_options(default_headers={"X-MX-Task": third.id})
    asked: Any = [{"role": "user", "content": "What is the capital of France?"}]
    named.chat.completions.create(model="m", messages=asked)
    with pytest.raises(openai.BadRequestError, match="in this run"):
        data.openai.with_options(default_headers={"X-MX-Task": "micro-9"}).models.list()
    assert data.http.post("/mx/submit", json={"answer": "x"}).status_code == 400
    head = {"X-MX-Task": first.id}
    assert data.http.get("/mx/task", headers=head).json()["prompt"] == first.prompt
    assert data.http.post("/mx/submit", json={"answer": "x"}, headers=head).json() == {"submitted": True}
    data.wait_for(first.id)
    with pytest.raises(openai.APIStatusError) as late:
        data.chat(("user", first.prompt))
    assert late.value.status_code == 410
    data.http.post("/mx/finish", json={})
    rows = data.rows()
    assert [rows[task.id]["submission"]["answer"][:3] for task in (first, second, third)] == ["x", "", "re:"]
    summary = data.programs.dataset.summary()  # type: ignore[union-attr]
    assert "0 matched, 3 named, 1 unmatched, 1 ambiguous, 1 late" in summary
    assert "capital of France" in summary


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (["sort a list"], ["sort a list"]),
        (["sort a list of pairs"], ["sort a list of pairs"]),  # the shorter one only stands in the longer
        (["sort a list of pairs, then sort a list"], ["sort a list of pairs", "sort a list"]),
        (["sort  a\nlist"], ["sort a list"]),
        (
            ["sort a list of\tpairs"],
            ["sort a list of pairs"],
        ),  # letter by letter only the shorter one is there
        (["sort a list", "sort  a list of\tpairs"], ["sort a list of pairs", "sort a list"]),
        (["sort", "a list"], []),  # two messages are two texts
        (["Sort a list"], []),
        (["", " "], []),
        (["twice"], ["twice", "twice"]),
        (["the\n  text"], ["the\n  text"]),
        (["the text"], ["the text "]),
        (["the \t text"], ["the\n  text", "the text "]),
    ],
)
def test_whose_a_request_is(said: list[str], found: list[str]) -> None:
    tasks = Tasks(["sort a list", "sort a list of pairs", "twice", "twice", "", "the\n  text", "the text "])
    assert sorted(tasks.of(said)) == sorted(found)


def test_mx_serve_tells_requests_apart_by_their_task(tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    words = [sys.executable, "-m", "mx_agents.cli", "serve", "--episodes", "4", "--port", "0", "--key", "k"]
    words += ["--sandbox", "bubblewrap", "--run", "run", "--match", "prompt", "--in-flight", "2"]
    program = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    url = next(line.strip().partition("=")[2] for line in program.stdout if "OPENAI_BASE_URL" in line)
    try:
        client = openai.OpenAI(base_url=url, api_key="k")
        listed = client.with_options(default_headers={}).get("/mx/task", cast_to=httpx.Response).json()
        for task in reversed(listed["tasks"]):
            asked: Any = [{"role": "user", "content": task["prompt"]}]
            client.chat.completions.create(model="m", messages=asked)
        client.post("/mx/finish", cast_to=httpx.Response, body={})
        out, _ = program.communicate(timeout=60)
        client.close()
    finally:
        program.kill()
        program.wait()
    assert "calls: 4 matched, 0 named, 0 unmatched" in out
    assert "4 matched" in (tmp_path / "run" / "matching.txt").read_text()
    assert len(read_lines(tmp_path / "run" / "results.jsonl")) == 4


@pytest.mark.parametrize(
    "more", [["--seeds", "2"], ["--executor", "scripted,random"], ["--episodes", "2000"]]
)
def test_what_cannot_be_told_apart_is_not_begun(
    tmp_path: Path, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    from mx_agents.cli import main

    run = ["--run", str(tmp_path / "run"), "--sandbox", "bubblewrap", "--port", "0"]
    with pytest.raises(SystemExit) as refused:
        main(["serve", "--match", "prompt", *run, *more])
    assert refused.value.code == 2
    assert "--match prompt" in capsys.readouterr().err
