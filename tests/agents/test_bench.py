"""The benchmark: fair, repeatable, safe to break off."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from mx_agents.bench import BenchConfig, Outcome, open_bench, summarise
from mx_agents.bench.summary import why_invalid
from mx_agents.errors import UsageError
from mx_agents.report import write_report
from mx_agents.runs.folder import read_config, read_lines
from mx_sandboxes import Sandbox

SMALL: dict[str, Any] = {
    "methods": ("single", "split", "best_of"), "tasks": "software:micro", "split": "test", "episodes": 4, "seeds": 2,
    "executor": "scripted", "budget": None, "sandbox": "auto",
}  # fmt: skip


def run(
    folder: Path, sandbox: Sandbox, *, stop_after: int | None = None, in_flight: int = 4, **changes: Any
) -> list[dict[str, Any]]:
    """Run a benchmark, or the beginning of one; its rows."""
    bench = open_bench(BenchConfig(**SMALL | changes), folder)
    bench.begin()
    playing = bench.run(sandbox, in_flight)
    for number, _ in enumerate(playing, 1):
        if number == stop_after:
            playing.close()  # type: ignore[attr-defined]
            break
    else:
        bench.finish()
        write_report(bench.folder)
    return rows(folder)


def rows(folder: Path) -> list[dict[str, Any]]:
    """The rows in a fixed order, without clocks."""
    found = [json.loads(line) for line in (folder / "episodes.jsonl").read_text().splitlines()]
    for row in found:
        del row["seconds"]
    return sorted(found, key=lambda row: (row["method"], row["episode"]["task"], row["repetition"]))


def test_every_method_meets_the_same_tasks_seeds_and_luck(tmp_path: Path, sandbox: Sandbox) -> None:
    found = run(tmp_path / "run", sandbox)
    assert len(found) == 3 * 4 * 2
    cells = {
        name: [(row["episode"]["task"], row["episode"]["seed"]) for row in found if row["method"] == name]
        for name in SMALL["methods"]
    }
    assert cells["single"] == cells["split"] == cells["best_of"]
    assert len(set(cells["single"])) == 8  # repeats differ in their seed
    answers = {
        name: [row["episode"]["submission"]["answer"] for row in found if row["method"] == name]
        for name in ("single", "split")
    }
    assert (
        answers["single"] == answers["split"]
    )  # the same executor in the same mood: only the workflow differs


def test_how_many_run_at_once_changes_nothing(tmp_path: Path, sandbox: Sandbox) -> None:
    assert run(tmp_path / "a", sandbox, in_flight=1) == run(tmp_path / "b", sandbox, in_flight=5)


def test_a_run_that_was_cut_short_ends_as_if_it_had_not_been(tmp_path: Path, sandbox: Sandbox) -> None:
    whole = run(tmp_path / "whole", sandbox)
    run(tmp_path / "cut", sandbox, stop_after=7)
    with (tmp_path / "cut" / "episodes.jsonl").open("a") as file:
        file.write('{"method": "sing')  # killed while writing
    bench = open_bench(None, tmp_path / "cut", resume=True)
    bench.begin()
    new = list(bench.run(sandbox, 4))
    bench.finish()
    assert len(new) < len(whole)
    assert rows(tmp_path / "cut") == whole
    whole_table, cut_table = ((tmp_path / name / "summary.md").read_text() for name in ("whole", "cut"))
    assert whole_table == cut_table


def test_an_episode_that_the_sandbox_failed_is_played_again(tmp_path: Path, sandbox: Sandbox) -> None:
    whole = run(tmp_path / "run", sandbox, seeds=1)
    path = tmp_path / "run" / "episodes.jsonl"
    failed = [json.loads(line) for line in path.read_text().splitlines()]
    failed[3]["episode"] |= {
        "stop": "sandbox died",
        "grade": failed[3]["episode"]["grade"] | {"score": 0.0, "passed": False},
    }
    path.write_text("".join(json.dumps(row) + "\n" for row in failed))
    bench = open_bench(None, tmp_path / "run", resume=True)
    assert len(list(bench.run(sandbox, 2))) == 1
    summary = bench.finish()
    assert sum(row.episodes for row in summary) == len(whole)
    assert sum(row.failed for row in summary) == 0
    page = write_report(tmp_path / "run").read_text()
    assert "sandbox died" not in page


def test_a_policy_that_gives_up_leaves_a_run_to_go_on_with(tmp_path: Path, backend: str) -> None:
    (tmp_path / "weak.py").write_text(WEAK)
    words = [
        sys.executable,
        "-m",
        "mx_agents.cli",
        "bench",
        "--executor",
        "weak.py:Weak",
        "--methods",
        "single",
        "--episodes",
        "9",
    ]
    words += ["--run", "a[/b]", "--sandbox", backend, "--in-flight", "1"]  # rich would trip over such a name
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "mx: no more"
    assert "mx bench --run 'a[/b]' --resume" in done.stdout
    assert len(rows(tmp_path / "a[" / "b]")) == 3


def test_a_budget_binds_every_method(tmp_path: Path, sandbox: Sandbox) -> None:
    found = run(tmp_path / "run", sandbox, budget=2, seeds=1)
    assert max(len(row["episode"]["turns"]) for row in found) == 2
    assert yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["budget"] == 2


def test_the_folder_holds_what_it_takes_to_repeat(tmp_path: Path, sandbox: Sandbox) -> None:
    run(tmp_path / "run", sandbox, seeds=1, episodes=2)
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    assert config["fingerprint"]
    assert {"python", "numpy", "pettingzoo"} <= set(config["versions"])
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "config.yaml", "tasks.jsonl", "episodes.jsonl", "results.jsonl", "report.html",
        "summary.md", "summary.csv", "summary.tex", "summary.json",
    }  # fmt: skip
    facts = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert len(facts) == 6
    assert {"task_hash", "image_digest", "design", "seed", "versions", "cost", "difficulty"} <= set(facts[0])
    assert len({row["task_hash"] for row in facts}) == 2
    [table] = json.loads((tmp_path / "run" / "summary.json").read_text())["tables"]
    assert {"method", "success", "behind", "p", "invalid", "abstained", "tokens_in"} <= set(table["rows"][0])


def test_resuming_with_another_configuration_is_refused(tmp_path: Path, sandbox: Sandbox) -> None:
    run(tmp_path / "run", sandbox, stop_after=1)
    with pytest.raises(UsageError, match="has split 'test', not 'train'"):
        open_bench(None, tmp_path / "run", resume=True, expected={"split": "train"})
    open_bench(None, tmp_path / "run", resume=True, expected={"split": "test", "methods": SMALL["methods"]})
    config = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())
    (tmp_path / "run" / "config.yaml").write_text(yaml.safe_dump(config | {"fingerprint": "other"}))
    with pytest.raises(UsageError, match="have changed since the run"):
        open_bench(None, tmp_path / "run", resume=True)


def test_bad_designs_count_and_are_told_apart(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "mine.py").write_text(
        "def broken(task, rng):\n    return 'this is no Python ('\n"
        "def crash(task, rng):\n    return '1 / 0'\n"
        "def shrug(task, rng):\n    return 'pass'\n"
    )
    names = tuple(f"{tmp_path / 'mine.py'}:{name}" for name in ("broken", "crash", "shrug"))
    bench = open_bench(BenchConfig(**SMALL | {"methods": names, "episodes": 2, "seeds": 1}), tmp_path / "run")
    bench.begin()
    list(bench.run(sandbox, 2))
    summary = {row.method.rpartition(":")[2]: row for row in bench.finish()}
    assert [summary[name].invalid.mean for name in ("broken", "crash", "shrug")] == [1.0, 1.0, 0.0]
    assert [summary[name].abstained.mean for name in ("broken", "crash", "shrug")] == [0.0, 0.0, 1.0]
    assert all(row.success.mean == 0.0 and row.episodes == 2 for row in summary.values())
    told = {line.split(": ")[0].rpartition(":")[2]: line for line in why_invalid(bench.outcomes)}
    assert told["crash"].endswith("2 invalid, 2 of them with: line 1: ZeroDivisionError: division by zero")
    assert set(told) == {"broken", "crash"}
    rows = [json.loads(line) for line in (tmp_path / "run" / "results.jsonl").read_text().splitlines()]
    assert {row["error"] for row in rows if row["method"] == names[1]} == {
        "line 1: ZeroDivisionError: division by zero"
    }
    page = write_report(tmp_path / "run").read_text()
    assert told["crash"] in page


def outcome(method: str, task: str, success: float, calls: int = 1) -> Outcome:
    return Outcome(
        method, task, 0, success, success, calls, False, False, False, False, "submitted", "single"
    )


def test_the_table_ranks_by_success_and_pairs_with_the_best() -> None:
    outcomes = [outcome("good", str(task), float(task % 4 > 0)) for task in range(40)]
    outcomes += [outcome("poor", str(task), float(task % 4 > 1)) for task in range(40)]
    good, poor = summarise(outcomes, ["poor", "good", "absent"])
    assert (good.method, good.success.mean, good.behind) == ("good", 0.75, None)
    assert poor.behind is not None
    assert poor.behind.mean == -0.25
    assert poor.behind.excludes(0)


def test_what_the_infrastructure_failed_is_counted_apart_and_is_no_zero() -> None:
    failed = replace(outcome("good", "b", 0.0), failed=True, stop="grading failed")
    (row,) = summarise([outcome("good", "a", 1.0), failed], ["good"])
    assert (row.success.mean, row.episodes, row.failed) == (1.0, 1, 1)
    assert summarise([failed], ["good"]) == []


def test_equal_success_is_ranked_by_fewer_calls() -> None:
    outcomes = [outcome("dear", "a", 1.0, calls=9), outcome("cheap", "a", 1.0, calls=1)]
    assert [row.method for row in summarise(outcomes, ["dear", "cheap"])] == ["cheap", "dear"]


WEAK = """
from mx_agents.errors import PolicyError

class Weak:
    asked = 0
    def act(self, observations):
        self.asked += 1
        if self.asked > 3:
            raise PolicyError("no more")
        return ["a"] * len(observations)
"""

SLOW = """
import time

class Slow:
    def act(self, observations):
        time.sleep(0.1)
        return ["a"] * len(observations)
"""


def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(tmp_path: Path, backend: str) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    words = [
        sys.executable,
        "-m",
        "mx_agents.cli",
        "bench",
        "--executor",
        "slow.py:Slow",
        "--methods",
        "single,split",
    ]
    words += ["--episodes", "200", "--run", "run", "--sandbox", backend, "--in-flight", "2"]
    program = subprocess.Popen(
        words,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs, and what they start, ignore the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    done = tmp_path / "run" / "episodes.jsonl"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (done.exists() and done.read_text().count("\n") >= 4):
        time.sleep(0.05)
    os.kill(program.pid, signal.SIGINT)
    _, err = program.communicate(timeout=60)
    assert program.returncode == 130, err
    assert err.splitlines()[-1] == "  mx bench --run run --resume --in-flight 2"
    assert "Traceback" not in err
    assert len(rows(tmp_path / "run")) >= 4
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_bench_in_the_terminal(tmp_path: Path, backend: str) -> None:
    words = [
        sys.executable,
        "-m",
        "mx_agents.cli",
        "bench",
        "--methods",
        "single,best_of",
        "--episodes",
        "3",
        "--sandbox",
        backend,
    ]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
    assert "best_of" in done.stdout
    assert "report.html" in done.stdout
    [folder] = (tmp_path / "runs").iterdir()
    assert folder.name.startswith("bench-")
    again = [*words[:3], "bench", "--run", str(folder), "--resume"]
    assert (
        "best_of"
        in subprocess.run(again, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True).stdout
    )


PROGRAM = """
import json, os, sys, urllib.request
body = {"model": "m", "messages": [{"role": "user", "content": sys.stdin.read()}]}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode())
request.add_header("Authorization", "Bearer " + os.environ["OPENAI_API_KEY"])
answer = json.load(urllib.request.urlopen(request))["choices"][0]["message"]["content"]
print(answer)
"""


def test_a_program_outside_plays_beside_methods_in_the_same_run(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "mine.py").write_text(PROGRAM)
    (tmp_path / "bad.py").write_text("import sys\nsys.exit('broken')")
    mine, bad = (f"program:{sys.executable} {tmp_path / name}.py" for name in ("mine", "bad"))
    found = run(tmp_path / "run", sandbox, methods=("single", mine, bad), episodes=2, seeds=1)
    answers = {
        name: [row["episode"]["submission"]["answer"].strip() for row in found if row["method"] == name]
        for name in ("single", mine)
    }
    assert answers["single"] == answers[mine]  # the same executor in the same mood, asked over HTTP
    assert {row["episode"]["label"] for row in found if row["method"] == mine} == {"external"}
    ended = {(row["episode"]["stop"], row["episode"]["error"]) for row in found if row["method"] == bad}
    assert ended == {("crashed", "broken")}


def test_task_sets_and_executors_are_crossed_and_told_apart(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    bench = open_bench(
        BenchConfig(
            **SMALL
            | {
                "methods": ("single",),
                "tasks": "software:micro,software:repair",
                "executor": "scripted, random",
            }
            | {"episodes": 2, "seeds": 1, "prices": {"random": (2.0, 4.0)}}
        ),
        tmp_path / "run",
    )
    bench.begin()
    outcomes = list(bench.run(bubblewrap_or_skip, 4))
    bench.finish()
    assert len(outcomes) == bench.total == 8
    assert [(table.tasks, table.executor) for table in bench.tables()] == [
        ("software:micro", "scripted"), ("software:repair", "scripted"),
        ("software:micro", "random"), ("software:repair", "random"),
    ]  # fmt: skip
    for outcome in outcomes:
        paid = (outcome.tokens_in * 2.0 + outcome.tokens_out * 4.0) / 1e6
        assert outcome.money == (pytest.approx(paid) if outcome.executor == "random" else None)
    assert (tmp_path / "run" / "summary.csv").read_text().count("\n") == 5


def test_tool_calls_of_a_benchmark_are_approved_and_the_rulings_are_kept(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    (tmp_path / "rules.yaml").write_text("- {tool: bash, decision: reject, reason: not here}\n")
    (tmp_path / "design.py").write_text(
        "DESIGN = \"from mas import *\\nsubmit(Agent('a', tools=('bash',))(task))\"\ndef design(task, rng): return DESIGN\n"
    )
    (tmp_path / "executor.py").write_text(
        "class Executor:\n    def act(self, chats):\n        return [self.one(chat['messages'][-1]['content']) for chat in chats]\n"
        "    def one(self, said):\n        if 'refused' in said: return said\n"
        '        return \'```tool\\n{"name": "bash", "arguments": {"command": "ls"}}\\n```\'\n'
    )
    config = BenchConfig(
        methods=(f"{tmp_path}/design.py:design",), tasks="software:micro", split="test", episodes=1, seeds=1,
        executor=f"{tmp_path}/executor.py:Executor", budget=None, sandbox="auto", approve=str(tmp_path / "rules.yaml"),
    )  # fmt: skip
    bench = open_bench(config, tmp_path / "run")
    bench.begin()
    list(bench.run(bubblewrap_or_skip, 1))
    [row] = read_lines(tmp_path / "run" / "episodes.jsonl")
    [ruling] = row["episode"]["turns"][0]["rulings"]
    assert (ruling["decision"], ruling["reason"]) == ("reject", "not here")
    assert row["episode"]["submission"]["answer"] == "the call was refused: not here"
    assert read_config(tmp_path / "run")["approve"].endswith("rules.yaml")
    with pytest.raises(UsageError, match="no approval rules"):
        open_bench(replace(config, approve="none.yaml"), tmp_path / "other")


def test_a_budget_of_tokens_binds(tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    free = run(tmp_path / "free", bubblewrap_or_skip, methods=("best_of",), episodes=1, seeds=1)
    bound = run(tmp_path / "bound", bubblewrap_or_skip, methods=("reflect",), episodes=1, seeds=1, tokens=1)
    assert len(free[0]["episode"]["turns"]) > 1
    assert (len(bound[0]["episode"]["turns"]), bound[0]["episode"]["stop"]) == (0, "budget")


def test_a_search_on_a_market_finds_a_desk_that_trades(tmp_path: Path, sandbox: Sandbox) -> None:
    changes: dict[str, Any] = {
        "methods": ("search",), "tasks": "trading:regime", "episodes": 2, "seeds": 1, "search_calls": 200
    }  # fmt: skip
    bench = open_bench(BenchConfig(**SMALL | changes), tmp_path / "run")
    bench.begin()
    for key in bench.searching:
        bench.search(key, sandbox, 2)
    list(bench.run(sandbox, 2))
    (found,) = bench.finish()
    assert (found.abstained.mean, found.invalid.mean) == (0.0, 0.0)
    assert found.calls.mean >= 16  # a question a bar


def test_a_search_stays_within_its_calls_and_is_not_made_twice(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    changes: dict[str, Any] = {"methods": ("search",), "episodes": 2, "seeds": 1, "search_calls": 40}
    run(tmp_path / "a", bubblewrap_or_skip, stop_after=1, **changes)
    trials = (tmp_path / "a" / "trials.jsonl").read_text()
    rows_of_trials = [json.loads(line) for line in trials.splitlines()]
    assert all(row["task"].startswith("micro-0-validation") for row in rows_of_trials)
    assert 40 <= sum(row["calls"] for row in rows_of_trials) < 40 + 4 * 16  # the last round may end above
    bench = open_bench(None, tmp_path / "a", resume=True)
    list(bench.run(bubblewrap_or_skip, 2))
    assert (tmp_path / "a" / "trials.jsonl").read_text() == trials
    assert len({row["episode"]["design"] for row in rows(tmp_path / "a")}) == 1


def test_a_replay_is_the_same_to_the_letter_or_says_where_it_differs(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    from mx_agents.bench.again import budget_of, read_row, replay

    run(tmp_path / "run", bubblewrap_or_skip, methods=("reflect",), episodes=1, seeds=1)
    row = read_row(tmp_path / "run", 1)
    assert replay(row, bubblewrap_or_skip, budget_of(tmp_path / "run")).differences == []
    changed = json.loads(json.dumps(row))
    changed["episode"]["grade"]["score"] += 0.5
    [(name, recorded, now)] = replay(changed, bubblewrap_or_skip, (None, None)).differences
    assert (name, recorded["score"] - now["score"]) == ("grade", pytest.approx(0.5))
    changed["episode"]["turns"][0]["messages"][-1]["content"] += "?"
    assert "differs from the record" in replay(changed, bubblewrap_or_skip, (None, None)).differences[0][2]
    with pytest.raises(UsageError, match="holds 1 episodes"):
        read_row(tmp_path / "run", 2)


def test_two_runs_are_compared_by_configuration_method_and_task(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    from mx_agents.bench.compare import compare

    run(tmp_path / "a", bubblewrap_or_skip, methods=("single", "split"), seeds=1)
    run(tmp_path / "b", bubblewrap_or_skip, methods=("single", "best_of"), seeds=1, executor="random")
    same = compare(tmp_path / "a", tmp_path / "a")
    assert same.settings == []
    assert all(row.change.mean == 0.0 and not row.gained and not row.lost for row in same.methods)
    other = compare(tmp_path / "a", tmp_path / "b")
    assert {name for name, _, _ in other.settings} == {"methods", "executor"}
    assert (other.only_first, other.only_second) == (("split",), ("best_of",))
    assert [row.method for row in other.methods] == ["single"]


def test_mx_serve_plays_episodes_with_whoever_comes_with_a_key(tmp_path: Path, backend: str) -> None:
    import httpx
    import openai

    words = [sys.executable, "-m", "mx_agents.cli", "serve", "--episodes", "3", "--port", "0", "--key", "k"]
    words += ["--sandbox", backend, "--run", "run"]
    program = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert program.stdout is not None
    url = next(line.strip().partition("=")[2] for line in program.stdout if "OPENAI_BASE_URL" in line)
    try:
        with httpx.Client(base_url=url.removesuffix("/v1"), timeout=90) as http:

            def play(key: str) -> str:
                head = {"Authorization": f"Bearer {key}"}
                task = http.get("/mx/task", headers=head).json()
                with openai.OpenAI(base_url=url, api_key=key) as client:
                    said = client.responses.create(model="m", input=task["prompt"]).output_text
                assert http.post("/mx/submit", json={"answer": said}, headers=head).status_code == 200
                return str(task["id"])

            played = [play("k"), play("k")]  # one after another
            given = http.post("/mx/episodes", headers={"Authorization": "Bearer k"}).json()
            assert given["base_url"] == url
            played.append(play(given["key"]))
            assert http.post("/mx/episodes", headers={"Authorization": "Bearer guess"}).status_code == 401
        out, _ = program.communicate(timeout=60)
    finally:
        program.kill()
        program.wait()
    assert program.returncode == 0, out
    assert sorted(played) == [f"micro-0-test-{number}" for number in range(3)]
    assert [len(row["episode"]["turns"]) for row in rows(tmp_path / "run")] == [1, 1, 1]
    assert (tmp_path / "run" / "keys.jsonl").stat().st_mode & 0o077 == 0
