"""Reading a design without running it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mx_envs import workflow_label
from mx_envs.episode.design import script_of

AGENT = "from mas import *\na = Agent('a')\n"


@pytest.mark.parametrize(
    ("script", "label"),
    [
        ("submit(a(task))", "single"),
        ("submit(Agent('b')(task))", "single"),
        ("x = a(task)\nsubmit(a(x))", "custom"),
        ("for part in task.parts: a(part)", "custom"),
        ("submit(split(a))", "split"),
        ("import mas\nmas.submit(mas.split(a))", "split"),
        ("submit(split(lambda p: best_of(a, p, 3)))", "split·best_of(3)"),
        ("submit(split(lambda p: best_of(a, p, n=2)))", "split·best_of(2)"),
        ("n = 3\nsubmit(vote(a, task, n))", "vote"),
        ("submit(vote(a, task, 5))", "vote(5)"),
        ("submit(reflect(a, Agent('c'), task))", "reflect"),
        ("submit(debate([a, a], task))", "debate"),
        ("submit('1')", "custom"),
    ],
)
def test_labels(script, label):
    assert workflow_label(AGENT + script) == label


def test_labels_without_agents_and_without_sense():
    assert workflow_label("print(1)") == "none"
    assert workflow_label("") == "none"
    for nonsense in ("def (", "x\0y", "(" * 3000, "x" * 100_000, "\ud800", "Sure! Here is the script."):
        assert workflow_label(nonsense) == "invalid"


@pytest.mark.parametrize(
    "text",
    [
        "-" * 60_000 + "1",
        "[" * 60_000,
        "a" + ".b" * 30_000,
        "f" + "()" * 30_000,
        "not " * 15_000 + "1",
        "lambda:" * 9_000 + "1",
    ],
)
def test_no_text_breaks_the_host(text):
    code = f"from mx_envs import workflow_label\nprint(workflow_label({text!r}))"
    done = subprocess.run([sys.executable, "-"], input=code.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr[-500:]


def test_a_fenced_script_is_found():
    script = "from mas import *\nsubmit('x')\n"
    assert script_of(f"Here you are:\n```python\n{script}```\nGood luck!") == script
    assert script_of(f"```\n{script}```") == script
    assert script_of(script) == script


def test_a_script_that_holds_a_fence_is_left_alone():
    script = 's = """\n```python\nx\n```\n"""\n'
    assert script_of(script) == script
