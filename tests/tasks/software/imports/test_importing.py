"""Benchmarks of single functions come in whole, and what is broken in them is named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission
from mx_tasks.software.errors import SourceError
from mx_tasks.software.imports.importing import import_functions
from mx_tasks.software.sets.directories import DirectoryTasks

HUMAN_EVAL = {
    "task_id": "HumanEval/900",
    "prompt": "import math\n\n\ndef half(x):\n    return x / 2\n\n\ndef area(r):\n"
    "    '''The area of a circle.\n    >>> area(0)\n    0.0\n    '''\n",
    "entry_point": "area",
    "canonical_solution": "    return math.pi * r * r\n",
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert candidate(0) == 0.0\n"
    "    assert abs(candidate(2) - 12.566370614359172) < 1e-6\n"
    "    assert abs(candidate(half(4)) - 12.566370614359172) < 1e-6\n",
}
MBPP = {
    "task_id": 901,
    "text": "Write a function to swap a pair.",
    "code": "def swap(pair):\n    return (pair[1], pair[0])",
    "test_list": ["assert swap((1, 2)) == (2, 1)", "assert swap(('a', {3})) == ({3}, 'a')"],
    "test_setup_code": "",
}


def bring(box: Sandbox, kind: str, source: Path, out: Path) -> tuple[DirectoryTasks | None, list[str]]:
    said: list[str] = []
    ids = list(import_functions(kind, source, out, box, said.append))
    return (DirectoryTasks(out) if ids else None), said


@pytest.mark.parametrize(
    ("kind", "entry", "right"),
    [
        ("humaneval", HUMAN_EVAL, "import math\ndef area(r):\n    return math.pi * r ** 2\n"),
        ("mbpp", MBPP, "def swap(pair):\n    return tuple(reversed(pair))\n"),
    ],
)
def test_a_function_is_judged_where_it_is_not(
    box: Sandbox, tmp_path: Path, kind: str, entry: dict[str, object], right: str
) -> None:
    path = tmp_path / "data.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(entry).encode() + b"\n"))
    task_set, _ = bring(box, kind, path, tmp_path / "out")
    assert task_set is not None
    task = task_set.task("test", 0)
    name = "area" if kind == "humaneval" else "swap"
    equal = "class E:\n    def __eq__(self, other): return True\n    __hash__ = None\n    def __sub__(self, other): return 0\n"
    scores = [
        task_set.grade(task, Submission(f"```python\n{answer}\n```"), box).score
        for answer in (
            right,
            f"{equal}def {name}(x): return E()\n",
            f"import os\ndef {name}(x): os._exit(0)\n",
            f"def {name}(x):\n    while True: pass\n",
        )
    ]
    assert scores == [1.0, 0.0, 0.0, 0.0]


def test_a_test_that_calls_the_function_by_its_own_name_asks_the_reference(
    box: Sandbox, tmp_path: Path
) -> None:
    entry = {
        **HUMAN_EVAL,
        "task_id": "HumanEval/903",
        "test": "def check(candidate):\n    assert abs(candidate(2) - area(2)) < 1e-6\n    assert candidate(3) == area(3)\n",
    }
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(entry))
    task_set, said = bring(box, "humaneval", path, tmp_path / "out")
    assert task_set is not None, said
    task = task_set.task("test", 0)
    answers = (
        "import math\ndef area(r):\n    return math.pi * r * r\n",
        "def area(r):\n    return 3 * r * r\n",
    )
    given = [Submission(f"```python\n{answer}\n```") for answer in answers]
    assert [task_set.grade(task, one, box).score for one in given] == [1.0, 0.0]


def test_a_record_that_is_broken_is_refused_and_the_others_go_on(box: Sandbox, tmp_path: Path) -> None:
    wrong = {**HUMAN_EVAL, "task_id": "HumanEval/901", "canonical_solution": "    return 1\n"}
    less = {name: value for name, value in HUMAN_EVAL.items() if name != "test"}
    path = tmp_path / "data.jsonl"
    path.write_text("\n".join(map(json.dumps, [wrong, less, HUMAN_EVAL])))
    task_set, said = bring(box, "humaneval", path, tmp_path / "out")
    assert task_set is not None
    assert task_set.size("test") == 1
    assert any("HumanEval/901: its own solution passes none" in line for line in said)
    assert any("it has no test" in line for line in said)
    path.write_text("{\n")
    with pytest.raises(SourceError, match="line 1"):
        bring(box, "humaneval", path, tmp_path / "out")


def test_quixbugs_repository(box: Sandbox, tmp_path: Path) -> None:
    files = {
        "python_programs/twice.py": "def twice(x):\n    return x + 1\n",
        "correct_python_programs/twice.py": "def twice(x):\n    return x + x\n",
        "json_testcases/twice.json": "[[1], 2]\n[[2], 4]\n[[[3]], [3, 3]]\n",
        "python_programs/endless.py": "def endless(n):\n    while n:\n        pass\n    return 0\n",
        "correct_python_programs/endless.py": "def endless(n):\n    while n:\n        n -= 1\n    return 0\n",
        "json_testcases/endless.json": "[[0], 0]\n[[3], 0]\n[[4], 0]\n",
        "python_programs/follow.py": "def follow(node):\n    return node.successor.successor\n",
        "correct_python_programs/follow.py": "def follow(node):\n    return node.successor\n",
        "python_programs/node.py": "class Node:\n    def __init__(self, value=None, successor=None):\n"
        "        self.value = value\n        self.successor = successor\n",
        "correct_python_programs/node.py": "class Node:\n    pass\n",
        "python_testcases/test_follow.py": "import pytest\nfrom node import Node\n\n"
        "if pytest.use_correct:\n    from correct_python_programs.follow import follow\n"
        "else:\n    from python_programs.follow import follow\n\n\n"
        "def test_one():\n    last = Node(1)\n    assert follow(Node(2, last)) is last\n",
    }
    for name, text in files.items():
        path = tmp_path / "QuixBugs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    task_set, said = bring(box, "quixbugs", tmp_path / "QuixBugs", tmp_path / "out")
    assert task_set is not None, said
    assert [task_set.task("test", n).id for n in range(3)] == [
        "quixbugs-endless",
        "quixbugs-follow",
        "quixbugs-twice",
    ]


def test_a_graph_program_whose_record_lacks_the_node_gets_one(box: Sandbox, tmp_path: Path) -> None:
    test = (
        "import pytest\nfrom node import Node\n\nif pytest.use_correct:\n"
        "    from correct_python_programs.found import found\nelse:\n    from python_programs.found import found\n\n\n"
        "def test1():\n    end = Node('B')\n    assert found(Node('A', None, [end]), end)\n\n\n"
        "def test2():\n    assert not found(Node('A'), Node('B'))\n"
    )
    body = "    waiting = [start]\n    while {}:\n        node = waiting.pop()\n        if node is goal:\n            return True\n"
    code = "def found(start, goal):\n" + body + "        waiting.extend(node.successors)\n    return False\n"
    entry = {
        "name": "found",
        "buggy_code": code.format("True"),
        "fixed_code": code.format("waiting"),
        "test_files": {"python_testcases/test_found.py": test},
    }
    path = tmp_path / "quixbugs.jsonl"
    path.write_text(json.dumps(entry))
    task_set, said = bring(box, "quixbugs", path, tmp_path / "out")
    assert task_set is not None, said
    task = task_set.task("test", 0)
    assert "node.py" in task.files
    assert (
        task_set.grade(task, Submission(files={"found.py": entry["fixed_code"].encode()}), box).score == 1.0
    )  # type: ignore[attr-defined]
    assert task_set.grade(task, Submission(files=task.files), box).score == 0.0


BUCKETS = {
    "name": "bigger",
    "buggy_code": "def bigger(values, than):\n    return [v for v in values if v >= than]\n",
    "fixed_code": "def bigger(values, than):\n    return [v for v in values if v > than]\n",
    "test_files": {
        "python_testcases/test_bigger.py": "import pytest\nfrom load_testdata import load_json_testcases\n\n"
        "if pytest.use_correct:\n    from correct_python_programs.bigger import bigger\n"
        "else:\n    from python_programs.bigger import bigger\n\n\ntestdata = load_json_testcases(bigger.__name__)\n\n\n"
        '@pytest.mark.parametrize("input_data,expected", testdata)\n'
        "def test_bigger(input_data, expected):\n    assert list(bigger(*input_data)) == expected\n",
        "json_testcases/bigger.json": "[[[1, 2, 3], 1], [2, 3]]\n[[[1, 2], 0], [1, 2]]\n\n[[[5], 5], []]\n",
    },
}


@pytest.mark.parametrize(
    ("kind", "entry"), [("humaneval", HUMAN_EVAL), ("mbpp", MBPP), ("quixbugs", BUCKETS)]
)
def test_what_is_imported_is_judged_alike_by_the_grader_that_harbor_runs(
    box: Sandbox, tmp_path: Path, kind: str, entry: dict[str, object], judged_by_harbor: Any
) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(entry))
    task_set, said = bring(box, kind, path, tmp_path / "out")
    assert task_set is not None, said
    task = task_set.task("test", 0)
    judged_by_harbor(task_set, task)
