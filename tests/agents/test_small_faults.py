"""Costs, seats and command lines of programs: what a table says of them is what was played."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_agents.bench.again import read_row, replay
from mx_agents.bench.config import words_of
from mx_agents.bench.cost import tokens_by_agent
from mx_agents.bench.summary import notes
from mx_agents.runs.folder import read_lines
from mx_sandboxes import Sandbox


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("single,vote", ["single", "vote"]),
        (" single , vote,", ["single", "vote"]),
        ("program:python -c 'print(1,2)'", ["program:python -c 'print(1,2)'"]),
        ('single,program:python -c "f(1, 2)",vote', ["single", 'program:python -c "f(1, 2)"', "vote"]),
        ("program:run.sh --sizes 1,2,3,split", ["program:run.sh --sizes 1,2,3", "split"]),
        ("program:a --x=1,b,program:c 'd,e'", ["program:a --x=1,b", "program:c 'd,e'"]),
        ("optimiser:python s.py 3,4,my.py:Method", ["optimiser:python s.py 3,4", "my.py:Method"]),
        (
            "program:a b,hf:./model,openai:m@http://h/v1",
            ["program:a b", "hf:./model", "openai:m@http://h/v1"],
        ),
        ("program:python run.py 'a.py,b.py'", ["program:python run.py 'a.py,b.py'"]),
        ("it's,vote", ["it's", "vote"]),
        ("software:micro,hardware:micro", ["software:micro", "hardware:micro"]),
    ],
)
def test_a_comma_splits_no_command(text: str, parts: list[str]) -> None:
    assert list(words_of(text)) == parts


def turn(name: str, slot: int, answer: str = "abcd") -> dict[str, Any]:
    return {
        "name": name,
        "slot": slot,
        "messages": [{"role": "user", "content": "abcdefgh"}],
        "answer": answer,
    }


def test_two_agents_of_one_name_have_a_cost_row_each() -> None:
    turns = [turn("coder", 0), turn("coder", 3), turn("critic", 1), turn("coder", 0), turn("coder", 5)]
    assert tokens_by_agent(turns) == {
        "coder": [2, 12, 2],
        "coder (2)": [1, 6, 1],
        "critic": [1, 6, 1],
        "coder (3)": [1, 6, 1],
    }


COUNTING = """
from dataclasses import dataclass, field

@dataclass
class Said:
    text: str
    about: dict = field(default_factory=dict)

class Counting:
    '''Its server counts its own tokens, but for every second answer.'''
    tells_samples = True
    def __init__(self):
        self.asked = 0
    def sample(self, seen):
        self.asked += 1
        return [Said("a", {"usage": (1000, 500)} if self.asked % 2 else {}) for _ in seen]
    def act(self, seen):
        return [each.text for each in self.sample(seen)]
"""
TEAM = """
def team(task, rng):
    return "from mas import *\\nfor number in range(COUNT):\\n    Agent(f'role {number}')('hi')\\nsubmit('x')"
"""


def bench(folder: Path, sandbox: Sandbox, method: str, **more: Any) -> Any:
    options: dict[str, Any] = {"episodes": 1, "seeds": 1, "budget": 200, "split": "test"} | more
    config = BenchConfig(
        methods=(method,), tasks="software:micro", executor=f"{folder}/counting.py:Counting", sandbox="bubblewrap", **options
    )  # fmt: skip
    (folder / "counting.py").write_text(COUNTING)
    made = open_bench(config, folder / "run")
    made.begin()
    list(made.run(sandbox, 1))
    return made


def test_money_is_of_the_tokens_that_the_server_counted(tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    (tmp_path / "team.py").write_text(TEAM.replace("COUNT", "2"))
    price = {f"{tmp_path}/counting.py:Counting": (1.0, 10.0)}
    bench(tmp_path, bubblewrap_or_skip, f"{tmp_path}/team.py:team", prices=price)
    (row,) = read_lines(tmp_path / "run" / "episodes.jsonl")
    first, second = row["episode"]["turns"]
    assert (first["usage"], "usage" in second) == ([1000, 500], False)
    estimate = row["cost"]["in"] // 2, row["cost"]["out"] // 2  # two equal questions
    assert row["cost"]["counted"] == [1000 + estimate[0], 500 + estimate[1]]
    assert row["cost"]["money"] == pytest.approx((1000 + estimate[0] + 10 * (500 + estimate[1])) / 1e6)


@pytest.mark.parametrize(("roles", "said"), [(12, False), (64, False), (65, True), (90, True)])
def test_seats_grow_and_more_roles_than_that_are_said(
    tmp_path: Path, bubblewrap_or_skip: Sandbox, roles: int, said: bool
) -> None:
    (tmp_path / "team.py").write_text(TEAM.replace("COUNT", str(roles)))
    method = f"{tmp_path}/team.py:team"
    made = bench(tmp_path, bubblewrap_or_skip, method)
    (row,) = read_lines(tmp_path / "run" / "episodes.jsonl")
    seats = {turn["agent"] for turn in row["episode"]["turns"]}
    assert len(seats) == min(roles, 64)
    assert ("folded" in row["episode"]) == said
    assert any("more roles" in line for line in notes(made.outcomes, [method])) == said
    again = replay(read_row(tmp_path / "run", 1), bubblewrap_or_skip, (200, None))
    assert again.differences == []


def test_a_row_of_before_replays_with_the_seats_that_there_were(
    tmp_path: Path, bubblewrap_or_skip: Sandbox
) -> None:
    (tmp_path / "team.py").write_text(TEAM.replace("COUNT", "3"))
    bench(tmp_path, bubblewrap_or_skip, f"{tmp_path}/team.py:team")
    row = read_row(tmp_path / "run", 1)
    del row["seats"]
    assert replay(row, bubblewrap_or_skip, (200, None)).differences == []


def test_a_command_with_commas_plays(tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    (program,) = words_of(f"program:{sys.executable} -c 'print([1,2])'")
    bench(tmp_path, bubblewrap_or_skip, program)
    (row,) = read_lines(tmp_path / "run" / "episodes.jsonl")
    assert json.loads(row["episode"]["submission"]["answer"]) == [1, 2]
