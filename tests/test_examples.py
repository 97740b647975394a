"""The example programs, unmodified, each in a process of its own: every completion of theirs is an executor's step.

``MX_PROGRAM_PYTHONS`` lists interpreters of environments in which frameworks are installed (they cannot share one); an example is
run by the first that has what it imports. Without one it is skipped, except where ``MX_REQUIRE`` lists ``programs``.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mx_agents.bench import BenchConfig, open_bench
from mx_sandboxes import Sandbox

EXAMPLES = [
    path
    for path in sorted((Path(__file__).parents[1] / "examples").glob("*.py"))
    if not path.stem.startswith(
        ("my_", "search_")
    )  # beginnings of one's own; searches, which play no episode
]
REQUIRED = ("openai_plain", "autogen_team", "agents_sdk")
"""Those that continuous integration runs."""

EXECUTOR = """
class Executor:
    def act(self, observations):
        return [self.answer(chat["messages"]) for chat in observations]

    def answer(self, messages):
        system = messages[0]["content"]
        if "final_answer" in system:
            return '```tool\\n{"name": "final_answer", "arguments": {"answer": "a + b"}}\\n```'
        if "run:" in system and messages[-1]["role"] != "tool":
            return '```tool\\n{"name": "run", "arguments": {"command": "echo hello"}}\\n```'
        return "LGTM" if "eview" in system and "corrected" not in system else "a + b"
"""


def python_for(example: Path) -> str:
    """An interpreter that can run the example; skips or fails where there is none."""
    tree = ast.parse(example.read_text("utf-8"))
    modules = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    modules += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    line = ";".join(f"import {name}" for name in sorted(set(modules)))
    for python in [sys.executable, *os.environ.get("MX_PROGRAM_PYTHONS", "").split(":")]:
        if python and subprocess.run([python, "-c", line], capture_output=True, check=False).returncode == 0:
            return python
    if "programs" in os.environ.get("MX_REQUIRE", "").split(",") and example.stem in REQUIRED:
        pytest.fail(f"MX_REQUIRE lists programs, and none of MX_PROGRAM_PYTHONS can run {example.name}")
    return pytest.skip(f"{example.name} needs {', '.join(sorted(set(modules)))}; see MX_PROGRAM_PYTHONS")


@pytest.mark.parametrize("example", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_a_program_plays_an_episode(example: Path, tmp_path: Path, bubblewrap_or_skip: Sandbox) -> None:
    python = python_for(example)
    (tmp_path / "executor.py").write_text(EXECUTOR)
    config = BenchConfig(
        methods=(f"program:{python} {example}",), tasks="software:micro", split="test", episodes=1, seeds=1,
        executor=f"{tmp_path / 'executor.py'}:Executor", budget=None, sandbox="auto",
    )  # fmt: skip
    bench = open_bench(config, tmp_path / "run")
    bench.begin()
    list(bench.run(bubblewrap_or_skip, 1))
    text = (tmp_path / "run" / "episodes.jsonl").read_text()
    [outcome] = bench.outcomes
    assert outcome.stop == "submitted", text[-2000:]
    assert outcome.calls >= 1
    assert '"answer": "a + b' in text
