"""Tools of executors: what each does, which role has which, and what a task brings."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mx_envs import software_v0
from mx_tasks import Budget, Grade, Submission, Task, Tool

STATS = b"""def total(items):
    result = 0
    for item in items[1:]:
        result += item
    return result


def empty():
    result = 0
    return result
"""
VISIBLE = b"""import stats

def test_total():
    assert stats.total([1, 2]) == 3

def test_none():
    assert stats.total([]) == 0
"""
COUNT = Tool(
    "count",
    "counts the lines of a file",
    {"name": {"type": "string"}, "less": {"type": "integer", "default": 0}},
    "print(len(open(arguments['name']).readlines()) - arguments['less'])",
)


@pytest.fixture
def library(make_words: Any) -> Any:
    """A task whose submission is all that is in two places of the workspace, and that brings a tool."""

    class Library(make_words):
        def task(self, split: Any, index: int) -> Task:
            files = {
                "stats.py": STATS,
                "pkg/a.py": b"a = 1\n",
                "pkg/b.py": b"b = 1\n",
                "test_stats.py": VISIBLE,
            }
            return replace(super().task(split, index), parts=(), files=files, tools=(COUNT,))

        def outputs(self, task: Task) -> tuple[str, ...]:
            return ("stats.py", "pkg/")

        def grade(self, task: Task, submission: Submission, sandbox: Any) -> Grade:
            self.graded.append(submission)
            return Grade(1.0, passed=True)

    return Library(Budget(calls=30, wall_s=60.0))


def call(tool: str, /, **arguments: object) -> str:
    return f"```tool\n{json.dumps({'name': tool, 'arguments': arguments})}\n```"


@pytest.fixture
def use(play: Callable[..., Any], library: Any, sandbox: Any) -> Callable[..., list[str]]:
    """Let an agent with these tools make calls, one answer each; what it was told of each."""

    def used(answers: list[str], tools: str = "'*',") -> list[str]:
        left, heard = list(answers), []

        def answer(observation: Any) -> str:
            heard.append(observation["messages"][-1]["content"])
            return left.pop(0) if left else "done"

        design = f"from mas import *\nAgent('coder', tools=({tools}))('go')\nsubmit('x')"
        record = play(software_v0.env(tasks=library, sandbox=sandbox), design, answer).episode
        assert record.stop.value == "submitted", record.error
        return heard[1:]

    return used


def test_bash_runs_in_a_fresh_process_and_shows_head_and_tail(use: Any) -> None:
    changed, gone, long, late = use(
        [
            call("bash", command="cd pkg; X=1; echo $X; exit 3"),
            call("bash", command="pwd; echo $X"),
            call("bash", command="echo first; seq 100000; echo last"),
            call("bash", command="sleep 60", timeout=0.3),
        ]
    )
    assert changed == "exit code 3\n1\n"
    assert gone.split() == ["exit", "code", "0", "/work"]
    assert len(long) < 5000
    assert "first\n1\n2\n" in long
    assert long.endswith("100000\nlast\n")
    assert "characters left out" in long
    assert late.startswith("exit code 124 (ended after 0.3 s)")


def test_edit_changes_the_one_place_that_matches(use: Any) -> None:
    twice, none, near, right, new, again, seen = use(
        [
            call("edit", name="stats.py", old="result = 0", new="result = 1"),
            call("edit", name="stats.py", old="nowhere", new=""),
            call("edit", name="stats.py", old="    for item in items[1:]:\n    pass", new=""),
            call("edit", name="stats.py", old="items[1:]", new="items"),
            call("edit", name="deep/new.py", old="", new="x = '```'\n"),
            call("edit", name="stats.py", old="", new=""),
            call("bash", command="cat stats.py deep/new.py"),
        ]
    )
    assert "occurs 2 times in stats.py, at lines 2, 9" in twice
    assert none.startswith("error: 'old' does not occur in stats.py")
    assert "near: 3:     for item in items[1:]:" in near
    assert right == "stats.py edited at line 3"
    assert new == "deep/new.py written"
    assert again.startswith("error: 'stats.py' exists")
    assert seen.endswith(STATS.decode().replace("items[1:]", "items") + "x = '```'\n")


def test_view_and_search_stay_in_the_workspace(use: Any) -> None:
    listed, some, found, outside, link, bad = use(
        [
            call("view"),
            call("view", name="stats.py", start=2, end=3),
            call("search", pattern=r"^\s*return", path="."),
            call("view", name="../etc/passwd"),
            call("bash", command="ln -s /etc/passwd link; ln -s / top") + "\n" + call("view", name="link"),
            call("search", pattern="("),
        ]
    )
    assert listed.split() == ["stats.py", "test_stats.py", "pkg/a.py", "pkg/b.py"]
    assert some.splitlines() == [
        "    2      result = 0",
        "    3      for item in items[1:]:",
        "(10 lines in all)",
    ]
    assert found.splitlines() == ["stats.py:5:     return result", "stats.py:10:     return result"]
    assert outside == "error: '../etc/passwd' is not in the workspace"
    assert link.endswith("[view]\nerror: 'link' is not in the workspace")
    assert bad.startswith("error: '(' is no regular expression")


def test_test_runs_the_visible_tests_and_leaves_nothing(use: Any) -> None:
    failed, passed, listed = use(
        [
            call("test"),
            call("edit", name="stats.py", old="items[1:]", new="items") + call("test", select="total"),
            call("bash", command="ls -A"),
        ]
    )
    if "there is no pytest" in failed:
        pytest.skip("the sandbox has no pytest")
    assert failed.startswith("1 passed, 1 failed, 0 skipped\n\ntest_stats::test_total\n")
    assert "assert 2 == 3" in failed
    assert passed.endswith("[test]\n1 passed, 0 failed, 0 skipped")
    assert "report.xml" not in listed
    assert "__pycache__" not in listed


def test_a_role_has_only_its_tools(use: Any, library: Any) -> None:
    calls = [
        call("bash", command="touch x"),
        call("edit", name="stats.py", old="items[1:]", new="items"),
        call("write_file", name="stats.py", text=""),
        call("submit"),
        call("count", name="stats.py"),
        call("view", name="stats.py") + call("run", command="rm stats.py"),
        call("test", select="total --junitxml=stats.py"),
        call("test", answer="x"),
        call("view", name="stats.py"),
    ]
    heard = use(calls, "'view', 'search', 'test'")
    for refused in heard[:5]:
        assert refused.startswith("error: no tool")
    assert "error: no tool 'run'" in heard[5]
    assert heard[8].startswith("    1  def total(items):")
    assert library.graded == [Submission("x", {"stats.py": STATS})]


def test_a_task_brings_tools(use: Any) -> None:
    heard = use(
        [call("count", name="stats.py"), call("count", name="stats.py", less=4), call("count")], "'count',"
    )
    assert heard[:2] == ["10\n", "6\n"]
    assert heard[2] == "error: the argument 'name' is missing"


def test_a_call_is_read_whatever_is_in_it_and_around_it(use: Any) -> None:
    fenced, broken, loose, strings, refused = use(
        [
            "I look.\n" + call("bash", command="echo '```'; echo two") + "\nThen I go on.",
            "```tool\n{name: bash}\n```",
            '```tool {"name": "bash", "arguments": {"command": "echo a\necho b"}}```',
            '```tool\n{"name": "bash", "arguments": "{\\"command\\": \\"echo c\\"}"}\n```',
            call("refused", reason="not today"),
        ],
        "'bash',",
    )
    assert fenced == "exit code 0\n```\ntwo\n"
    assert broken.startswith("error: not a call")
    assert loose == "exit code 0\na\nb\n"
    assert strings == "exit code 0\nc\n"
    assert refused == "the call was refused: not today"


def test_a_submission_is_the_folders_changes(use: Any, library: Any) -> None:
    use(
        [
            call(
                "bash",
                command="rm pkg/a.py; echo 'c = 1' > pkg/c.py; mkdir pkg/d; touch pkg/d/e; ln -s /etc/passwd pkg/f; rm test*",
            )
        ]
    )
    [submission] = library.graded
    assert submission.files == {"stats.py": STATS, "pkg/c.py": b"c = 1\n", "pkg/d/e": b""}
    assert submission.removed == ("pkg/a.py",)


def test_submit_ends_the_program(play: Any, library: Any, sandbox: Any) -> None:
    design = "from mas import *\nAgent('coder', tools=('submit',))('go')\nsubmit('never')"
    record = play(
        software_v0.env(tasks=library, sandbox=sandbox), design, lambda _: call("submit", answer="now")
    ).episode
    assert record.submission.answer == "now"


def test_an_unknown_tool_is_a_crash_that_names_those_that_there_are(
    play: Any, library: Any, sandbox: Any
) -> None:
    record = play(
        software_v0.env(tasks=library, sandbox=sandbox), "from mas import *\nAgent('a', tools=('bush',))"
    ).episode
    assert "no tool 'bush'; there are bash, run, view" in record.error
    assert "count" in record.error
