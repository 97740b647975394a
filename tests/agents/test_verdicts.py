"""Nobody gains by having no verdict: a method that ends its sandbox where it would fail stands no better than one that fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mx_agents.bench import BenchConfig, Outcome, open_bench, summarise
from mx_agents.bench.summary import MOST_REPEATS, notes, ranking, tables
from mx_agents.bench.tables import as_csv, as_markdown
from mx_sandboxes import Sandbox
from mx_sandboxes.abuse.verdicts import ENDINGS
from mx_tasks import Budget, Grade, Split, Submission, Task, TaskNotFoundError, register
from mx_tasks.errors import check_split

WAYS = list(ENDINGS.values())
METHODS = '''
from mx_sandboxes.abuse.verdicts import ENDINGS

def honest(task, rng):
    """Hands in what it knows to be right, and a guess where it knows nothing."""
    number = int(task.id.rpartition("-")[2])
    return f"from mas import *\\nsubmit('{'yes' if number % 2 == 0 else 'no'}')"

def cheat(task, rng):
    """Hands in what it knows to be right, and ends its sandbox where it knows nothing."""
    number = int(task.id.rpartition("-")[2])
    if number % 2 == 0:
        return honest(task, rng)
    ending = list(ENDINGS.values())[number // 2]
    return f"def through(*words): pass\\n{ending}\\nfrom mas import *\\nsubmit('no')"
'''


class Coins:
    """The answer is yes, always; every other task knows it. One task for each way to end a sandbox, and one to pass."""

    name = "test:coins"
    fingerprint = "coins-1"

    def size(self, split: Split) -> int | None:
        check_split(split)
        return 2 * len(WAYS)

    def task(self, split: Split, index: int) -> Task:
        check_split(split)
        if not 0 <= index < 2 * len(WAYS):
            raise IndexError(index)
        return Task(
            id=f"coins-{split}-{index}",
            domain="software",
            prompt="Yes or no?",
            budget=Budget(calls=1, wall_s=2.0),
            split=split,
        )

    def find(self, task_id: str) -> Task:
        match task_id.split("-"):
            case ["coins", "train" | "validation" | "test" as split, index]:
                return self.task(split, int(index))
        raise TaskNotFoundError(task_id)

    def outputs(self, task: Task) -> Sequence[str]:
        return ()

    def grade(self, task: Task, submission: Submission, sandbox: Sandbox) -> Grade:
        right = submission.answer.strip() == "yes"
        return Grade(float(right), passed=right)


register("test:coins", Coins)


def test_who_ends_the_sandbox_where_it_would_fail_stands_no_better(tmp_path: Path, sandbox: Sandbox) -> None:
    (tmp_path / "methods.py").write_text(METHODS)
    honest, cheat = (f"{tmp_path / 'methods.py'}:{name}" for name in ("honest", "cheat"))
    config = BenchConfig(
        methods=(honest, cheat),
        tasks="test:coins",
        split="test",
        episodes=2 * len(WAYS),
        seeds=1,
        executor="scripted",
        budget=None,
        sandbox=sandbox.backend,
    )
    bench = open_bench(config, tmp_path / "run")
    bench.begin()
    outcomes = list(bench.run(sandbox, 2))
    rows = {row.method: row for row in bench.finish()}
    assert len(WAYS) >= 10
    assert rows[honest].success.mean == rows[cheat].success.mean == 0.5
    assert rows[honest].episodes == rows[cheat].episodes == 2 * len(WAYS)
    assert (rows[cheat].failed, rows[cheat].repeats) == (0, 0)
    assert rows[honest].score.mean >= rows[cheat].score.mean
    by_task = {(one.method, one.task): one for one in outcomes}
    designer = [json.loads(line) for line in (tmp_path / "run" / "episodes.jsonl").read_text().splitlines()]
    paid = {
        (row["method"], row["episode"]["task"]): row["episode"]["rewards"]["designer"] for row in designer
    }
    for number in range(1, 2 * len(WAYS), 2):
        task = f"coins-test-{number}"
        assert not by_task[cheat, task].failed, by_task[cheat, task].stop
        assert by_task[cheat, task].success == 0.0
        assert paid[cheat, task] <= paid[honest, task]


def outcome(method: str, task: int, success: float, stop: str = "submitted") -> Outcome:
    failed = stop in ("sandbox died", "grading failed")
    invalid = stop == "broke its sandbox"
    return Outcome(
        method, str(task), 0, success, success, 1, invalid, False, False, failed, stop, "single", tasks="t"
    )


def test_missing_verdicts_are_counted_shown_and_could_not_have_helped() -> None:
    honest = [outcome("honest", task, float(task < 6)) for task in range(10)]
    lucky = [outcome("lucky", task, 1.0, "submitted" if task < 5 else "sandbox died") for task in range(10)]
    lucky[5:] = [replace(one, success=0.0, score=0.0, repeats=1) for one in lucky[5:]]
    names = ["honest", "lucky"]
    assert ranking(honest + lucky, names) == ["lucky", "honest"]
    first, second = summarise(honest + lucky, names)
    assert (first.method, first.failed, first.repeats, first.suspect) == ("lucky", 5, 5, True)
    assert (first.success.mean, first.worst) == (1.0, 0.5)
    assert (second.failed, second.suspect, second.worst) == (0, False, 0.6)
    said = notes(honest + lucky, names)
    assert "lucky: 5 episodes without a verdict" in said[0]
    assert "MORE THAN ITS PEERS" in said[0]
    assert said[1].endswith("the order is another: honest 60.0 %, lucky 50.0 %")
    page = as_markdown(tables(honest + lucky, names))
    assert all(line in page for line in said)


def test_where_nothing_is_missing_nothing_is_said() -> None:
    outcomes = [outcome(name, task, float(task < 5)) for task in range(10) for name in ("a", "b")]
    assert notes(outcomes, ["a", "b"]) == []
    assert not any(row.suspect for row in summarise(outcomes, ["a", "b"]))


def test_a_method_without_any_verdict_is_told_of() -> None:
    outcomes = [outcome("a", 1, 1.0), outcome("b", 1, 0.0, "grading failed")]
    said = notes(outcomes, ["a", "b"])
    assert any(line.startswith("b: 1 episode without a verdict") for line in said)
    assert any("the order is another: a 100.0 %, b 0.0 %" in line for line in said)


def test_broken_sandboxes_are_failures_and_are_counted() -> None:
    outcomes = [outcome("a", 1, 1.0), outcome("a", 2, 0.0, "broke its sandbox")]
    (row,) = summarise(outcomes, ["a"])
    assert (row.success.mean, row.episodes, row.broke, row.failed) == (0.5, 2, 1, 0)
    assert notes(outcomes, ["a"]) == ["a: 1 episode broke the sandbox and count as failures"]


def test_an_episode_without_a_verdict_is_played_again_once(tmp_path: Path, sandbox: Sandbox) -> None:
    config = BenchConfig(
        methods=("single",),
        tasks="software:micro",
        split="test",
        episodes=2,
        seeds=1,
        executor="scripted",
        budget=None,
        sandbox="auto",
    )
    bench = open_bench(config, tmp_path / "run")
    bench.begin()
    list(bench.run(sandbox, 2))
    bench.finish()
    path = tmp_path / "run" / "episodes.jsonl"
    good, bad = (json.loads(line) for line in path.read_text().splitlines())
    bad["episode"] |= {"stop": "sandbox died", "grade": None}
    for played in range(1, 4):
        path.write_text("".join(json.dumps(row) + "\n" for row in [good, *[bad] * played]))
        again = open_bench(None, tmp_path / "run", resume=True)
        new = list(again.run(sandbox, 2))
        assert len(new) == (1 if played <= MOST_REPEATS else 0)
        (row,) = again.finish()
        assert row.repeats == (1 if new else played - 1)
        assert row.failed == (0 if new else 1)


def proven(method: str, task: int, proof: str, depth: int = 0) -> Outcome:
    return replace(outcome(method, task, float(proof == "proven")), proof=proof, depth=depth)


def test_what_a_proof_leaves_undecided_has_a_column_of_its_own_and_is_no_success() -> None:
    plain = [outcome("plain", task, 1.0) for task in range(4)]
    careful = [proven("careful", task, "proven") for task in range(4)]
    bold = [
        proven("bold", task, ("proven", "bounded", "refuted", "bounded")[task], 1000 - task)
        for task in range(4)
    ]
    rows = {row.method: row for row in summarise(plain + careful + bold, ["plain", "careful", "bold"])}
    assert [rows[name].bounded for name in ("plain", "careful", "bold")] == [None, 0.0, 0.5]
    assert (rows["bold"].success.mean, rows["bold"].depth, rows["careful"].depth) == (0.25, 997, None)
    page = as_markdown(tables(careful + bold, ["careful", "bold"]))
    assert "| Bounded % |" in page
    assert "| 50.0 (to 997 steps) |" in page
    assert "Bounded" not in as_markdown(tables(plain, ["plain"]))
    lines = as_csv(tables(plain + bold, ["plain", "bold"])).splitlines()
    assert lines[0].endswith(",bounded,bounded depth")
    assert sorted(line.rsplit(",", 2)[1:] for line in lines[1:]) == [["", ""], ["0.5", "997"]]
