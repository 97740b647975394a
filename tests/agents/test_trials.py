"""Searches from outside: candidates are scored on the validation split within a budget, and the test split is out of reach."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

import mx_agents
from mx_agents.bench import BenchConfig, open_bench
from mx_agents.errors import UsageError
from mx_agents.programs import Programs
from mx_agents.runs.folder import read_lines
from mx_sandboxes import Sandbox
from mx_tasks import load_task_set, tasks

NAIVE = "from mas import *\ncoder = Agent('coder', 'Write Python.')\nsubmit(coder(task))"
BROKEN = "from mas import *\nsubmit("
CAREFUL = NAIVE.replace("submit(coder(task))", "submit(split(lambda part: best_of(coder, part, 3)))")
EPISODE_CALLS = 16
MANY = 2000


def open_search(tmp_path: Path, **more: Any) -> Any:
    options: dict[str, Any] = {"run": tmp_path / "run", "sandbox": "bubblewrap", "calls": MANY} | more
    return mx_agents.open_trials("software:micro", **options)


@pytest.mark.usefixtures("bubblewrap_or_skip")
def test_a_better_design_scores_better_and_the_budget_is_kept_on_disk(tmp_path: Path) -> None:
    with open_search(tmp_path) as search:
        some = search.tasks[:6]
        naive, careful = (search.trial(each, tasks=some, repeats=2) for each in (NAIVE, CAREFUL))
        assert careful.score.mean > naive.score.mean
        assert naive.complete
        assert len(naive.rows) == 12
        assert search.calls_left == MANY - naive.calls - careful.calls
        again = search.trial(NAIVE, tasks=some, repeats=2)
        assert (again.score, again.calls) == (naive.score, 0)
        left = search.calls_left
    with open_search(tmp_path) as search:  # another process, a day later
        assert search.calls_left == left
        assert search.trial(CAREFUL, tasks=some).calls == 0
    rows = read_lines(tmp_path / "run" / "trials.jsonl")
    assert sum(row["calls"] for row in rows) == MANY - left
    assert {row["task"] for row in rows} == {task.id for task in some}


@pytest.mark.usefixtures("bubblewrap_or_skip")
@pytest.mark.parametrize("calls", [1, 5, 21])
def test_a_budget_is_never_exceeded_whatever_is_tried(tmp_path: Path, calls: int) -> None:
    with open_search(tmp_path, calls=calls) as search:
        results = [search.trial(each, repeats=3) for each in (BROKEN, CAREFUL, NAIVE, "", "vote")]
        assert search.calls_left == 0
        assert not results[-1].complete
        assert results[-1].score is None
    assert sum(row["calls"] for row in read_lines(tmp_path / "run" / "trials.jsonl")) == calls


@pytest.mark.usefixtures("bubblewrap_or_skip")
def test_methods_functions_files_and_programs_are_candidates_too(tmp_path: Path) -> None:
    (tmp_path / "design.py").write_text(NAIVE)
    program = tmp_path / "program.py"
    program.write_text("import openai, os\nprint(openai.OpenAI().chat.completions.create(model='m', messages=[{'role': 'user', "
                       "'content': os.environ['MX_TASK_PROMPT']}]).choices[0].message.content)")  # fmt: skip
    with open_search(tmp_path) as search:
        some = search.tasks[:2]
        told: list[Any] = [tmp_path / "design.py", NAIVE, "single", lambda task, rng: NAIVE]
        told.append(f"program:{sys.executable} {program}")
        results = [search.trial(each, tasks=some) for each in told]
    assert all(result.complete and result.score is not None for result in results)
    calls = [result.calls for result in results]
    assert calls == [2, 0, 2, 0, 2]  # an equal design is known, however it comes
    assert results[0].candidate == results[1].candidate


@pytest.mark.usefixtures("bubblewrap_or_skip")
def test_the_chosen_one_is_measured_on_the_test_split_and_ends_the_search(tmp_path: Path) -> None:
    with open_search(tmp_path, episodes=6) as search:
        search.trial(NAIVE, tasks=search.tasks[:1])
        row = search.choose(CAREFUL)
        assert row.tasks == 6
        with pytest.raises(UsageError, match="is over"):
            search.trial(NAIVE)
        assert search.choose(CAREFUL) == row
        with pytest.raises(UsageError, match="another"):
            search.choose(NAIVE)
    played = read_lines(tmp_path / "run" / "results.jsonl")
    assert {row["split"] for row in played} == {"test"}
    assert {row["design"] for row in played} == {CAREFUL}
    with open_search(tmp_path, episodes=6) as search, pytest.raises(UsageError, match="is over"):
        search.trial(NAIVE)


@pytest.mark.usefixtures("bubblewrap_or_skip")
def test_what_is_wrong_with_a_trial_is_said(tmp_path: Path) -> None:
    foreign = next(iter(tasks(load_task_set("software:micro"), "test", 1)))
    with open_search(tmp_path) as search:
        for wrong in ({"repeats": 0}, {"repeats": 10**6}, {"tasks": [foreign]}):
            with pytest.raises(UsageError):
                search.trial(NAIVE, **wrong)
        for wrong_candidate in (7, None, "no_such.py:NAME", tmp_path / "none.py"):
            with pytest.raises(UsageError):
                search.trial(wrong_candidate)
        with pytest.raises(UsageError, match="another process"), open_search(tmp_path):
            pass
    with pytest.raises(UsageError, match="search_calls"), open_search(tmp_path, calls=7):
        pass
    with (
        pytest.raises(UsageError, match="one task set"),
        mx_agents.open_trials("software:micro,hardware:micro", run=tmp_path / "b"),
    ):
        pass


# ------------------------------------------------------------------------------------------------ over HTTP


class Served:
    """A search at an endpoint, and a client with its key."""

    def __init__(self, sandbox: Sandbox, folder: Path, **more: Any) -> None:
        options: dict[str, Any] = {"search_calls": MANY, "episodes": 4, "executor": "scripted"} | more
        config = BenchConfig(
            methods=("optimiser",), tasks="software:micro", split="test", seeds=1, budget=None, sandbox="bubblewrap", **options
        )  # fmt: skip
        resume = (folder / "config.yaml").is_file()
        self.bench = open_bench(None if resume else config, folder, resume=resume)
        self.bench.begin()
        self.bench.programs = self.programs = Programs(sandbox)
        self.lines: list[str] = []
        self.bench.on_trial = self.lines.append
        self.faults: list[Exception] = []
        self.thread = threading.Thread(target=self._run, args=(sandbox,))
        self.thread.start()
        self.http = httpx.Client(
            base_url=self.programs.url, timeout=120, headers={"Authorization": f"Bearer {self.programs.key}"}
        )

    def _run(self, sandbox: Sandbox) -> None:
        try:
            list(self.bench.run(sandbox, 4))
            self.bench.finish()
        except UsageError as fault:  # looked at by the test
            self.faults.append(fault)

    def trial(self, candidate: object, **more: Any) -> Any:
        return self.http.post("/mx/trials", json={"candidate": candidate, **more})

    def close(self) -> None:
        self.programs.close()
        self.thread.join(60)
        self.http.close()


@pytest.fixture
def served(bubblewrap_or_skip: Sandbox, tmp_path: Path) -> Iterator[Served]:
    made = Served(bubblewrap_or_skip, tmp_path / "run")
    yield made
    made.close()


def test_a_search_over_http_ends_in_a_test_score(served: Served, tmp_path: Path) -> None:
    listed = served.http.get("/mx/trials").json()
    assert listed["calls_left"] == MANY
    first = served.trial(NAIVE, tasks=3).json()
    ids = [task["id"] for task in listed["tasks"][:2]]
    second = served.trial(CAREFUL, tasks=ids, repeats=2).json()
    assert (first["trial"], second["trial"]) == (1, 2)
    assert [row["task"] for row in second["results"]] == [*ids, *ids]
    assert second["calls_left"] == MANY - first["calls"] - second["calls"]
    broken = served.trial(BROKEN, tasks=1).json()
    assert broken["score"] == 0.0
    assert "SyntaxError" in broken["results"][0]["error"]
    assert len(served.http.get("/mx/trials").json()["trials"]) == 3
    assert served.http.post("/mx/submit", json={"answer": CAREFUL}).json() == {"submitted": True}
    served.thread.join(60)
    assert not served.faults
    rows = read_lines(tmp_path / "run" / "results.jsonl")
    assert [(row["split"], row["design"]) for row in rows] == [("test", CAREFUL)] * 4
    assert served.trial(NAIVE).status_code == 410
    assert [line.split()[:2] for line in served.lines] == [["trial", "1"], ["trial", "2"], ["trial", "3"]]


WRONG = [
    {"candidate": NAIVE, "tasks": "test"},
    {"candidate": NAIVE, "tasks": "train"},
    {"candidate": NAIVE, "tasks": ["micro-0-test-0"]},
    {"candidate": NAIVE, "tasks": ["micro-0-validation-0", "micro-0-test-0"]},
    {"candidate": NAIVE, "tasks": [["micro-0-test-0"]]},
    {"candidate": NAIVE, "tasks": 10**6},
    {"candidate": NAIVE, "tasks": True},
    {"candidate": NAIVE, "tasks": []},
    {"candidate": NAIVE, "split": "test"},
    {"candidate": NAIVE, "repeats": 0},
    {"candidate": NAIVE, "repeats": "3"},
    {"candidate": ""},
    {"candidate": {"method": "vote"}},
    {"candidate": "x" * 65_537},
    {},
]


def test_nothing_of_the_test_split_is_reachable_through_a_search(served: Served, tmp_path: Path) -> None:
    """Every route with the search's key, every wrong body, and a design that looks around where it runs."""
    task_set: Any = load_task_set("software:micro")
    hidden = list(tasks(task_set, "test", 40))
    answers = [served.http.post("/mx/trials", json=body) for body in WRONG]
    assert [answer.status_code for answer in answers] == [400] * len(WRONG)
    paths = ("/mx/task", "/mx/trials", "/mx/tools", "/mx/tasks", "/mx/episodes", "/v1/models")
    answers += [served.http.get(path) for path in paths]
    answers += [
        served.http.post("/mx/services/trials/list", json={}),
        served.http.post("/mx/tools/run", json={}),
    ]
    answers.append(served.trial(LOOKING, tasks=2))
    looked = answers[-1].json()["results"]
    assert [row["log"].strip() for row in looked] == ["looked at True found []"] * 2
    said = "\n".join(answer.text for answer in answers) + (tmp_path / "run" / "trials.jsonl").read_text()
    for task in hidden:
        for secret in (task.prompt, task_set.gold(task).answer):
            assert json.dumps(secret)[1:-1] not in said
    told = said
    for body in WRONG:  # what a refusal repeats came with the question
        told = told.replace("micro-0-test-0", "") if "micro-0-test-0" in json.dumps(body) else told
    assert not [task.id for task in hidden if task.id in told]


LOOKING = """
import os, re
from mas import *
seen = []
for folder, _, names in os.walk('/'):
    if not folder.startswith(('/proc', '/sys', '/dev', '/usr', '/lib')):
        for name in set(names) - {'design.py'}:
            try:
                seen.append(open(os.path.join(folder, name), errors='replace').read(200000))
            except OSError:
                pass
text = '\\n'.join([*seen, *map(str, os.environ.items()), repr(vars(task))])
print('looked at', len(text) > 500, 'found', sorted(set(re.findall('micro-[0-9]+-(?:test|train)-[0-9]+', text))))
submit('x')
"""


META = f"""
class Meta:
    honours = {{"seed"}}
    def act(self, seen):
        return [{NAIVE!r} for _ in seen]
"""


def test_the_designer_answers_completions_and_each_costs_a_call(
    bubblewrap_or_skip: Sandbox, tmp_path: Path
) -> None:
    (tmp_path / "meta.py").write_text(META)
    made = Served(bubblewrap_or_skip, tmp_path / "run", designer=f"{tmp_path}/meta.py:Meta", search_calls=4)
    try:
        ask = openai.OpenAI(
            base_url=f"{made.programs.url}/v1", api_key=made.programs.key, max_retries=0
        ).chat.completions.create
        message: Any = [{"role": "user", "content": "Write a better one."}]
        assert ask(model="m", messages=message, seed=1).choices[0].message.content == NAIVE
        assert len(ask(model="m", messages=message, n=2).choices) == 2
        with pytest.raises(openai.BadRequestError, match="temperature"):
            ask(model="m", messages=message, temperature=0)
        assert made.http.get("/mx/trials").json()["calls_left"] == 1
        with pytest.raises(openai.PermissionDeniedError):
            ask(model="m", messages=message, n=2)
        assert made.trial(NAIVE).json()["calls"] == 1
        with pytest.raises(openai.PermissionDeniedError):
            ask(model="m", messages=message)
    finally:
        made.close()
    assert len(read_lines(tmp_path / "run" / "designer.jsonl")) == 3
    again = Served(bubblewrap_or_skip, tmp_path / "run")  # what was spent is spent
    try:
        assert again.http.get("/mx/trials").json()["calls_left"] == 0
        assert again.http.post("/mx/submit", json={}).status_code == 200
        again.thread.join(60)
        assert "handed in no design" in str(again.faults[0])
    finally:
        again.close()


OPTIMISER = """
import json, os, urllib.request
def post(path, body):
    head = {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]}
    request = urllib.request.Request(os.environ["MX_URL"] + path, json.dumps(body).encode(), head)
    return json.load(urllib.request.urlopen(request))
designs = json.loads(%r)
print([post("/mx/trials", {"candidate": design, "tasks": 6})["score"] for design in designs])
"""


def test_an_optimiser_as_a_program_competes_with_methods_and_its_best_is_kept(
    bubblewrap_or_skip: Sandbox, tmp_path: Path
) -> None:
    program = tmp_path / "optimiser.py"
    program.write_text(OPTIMISER % json.dumps([NAIVE, CAREFUL, BROKEN]))
    name = f"optimiser:{sys.executable} {program}"
    config = BenchConfig(
        methods=("single", name), tasks="software:micro", split="test", episodes=5, seeds=1, executor="scripted",
        budget=None, sandbox="bubblewrap", search_calls=MANY,
    )  # fmt: skip
    bench = open_bench(config, tmp_path / "run")
    bench.begin()
    list(bench.run(bubblewrap_or_skip, 4))
    bench.finish()
    rows = read_lines(tmp_path / "run" / "results.jsonl")
    assert {row["design"] for row in rows if row["method"] == name} == {CAREFUL}
    program.write_text("raise SystemExit('no luck')")
    fresh = open_bench(config, tmp_path / "b")
    fresh.begin()
    with pytest.raises(UsageError, match="no luck"):
        list(fresh.run(bubblewrap_or_skip, 4))


@pytest.mark.usefixtures("bubblewrap_or_skip")
def test_mx_trial_scores_files_in_one_folder_and_chooses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mx_agents.cli import main

    def mx(*words: str) -> dict[str, Any]:
        with pytest.raises(SystemExit) as done:
            main(["trial", *words, "--run", str(tmp_path / "run"), "--sandbox", "bubblewrap", "--json"])
        assert done.value.code in (0, None)
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    (tmp_path / "a.py").write_text(NAIVE)
    first = mx(str(tmp_path / "a.py"), "--search-calls", "40", "--episodes", "3")
    assert first["calls_left"] == 0
    assert not first["complete"]
    assert mx(str(tmp_path / "a.py"))["calls"] == 0
    assert mx(str(tmp_path / "a.py"), "--choose")["tasks"] == 3
