"""APPS, CodeContests and LiveCodeBench in their publishers' own forms: loaded, or refused with a reason that is true."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest

from mx_sandboxes import Sandbox
from mx_tasks import Submission, Task
from mx_tasks.software.imports import programs
from mx_tasks.software.imports.importing import import_functions
from mx_tasks.software.sets.directories import DirectoryTasks
from mx_tasks.validate import validate

CASES = [
    ("1 2 3\n", "6\n2.0\n"),
    ("4\n", "4\n4.0\n"),
    ("20 30\n", "50\n25.0\n"),
    ("7 7 7\n", "21\n7.0\n"),
    ("11 12\n", "23\n11.5\n"),
]
STATEMENT = "Read numbers, print their sum and mean.\n\n-----Input-----\n1 2 3\n\n-----Output-----\n6\n2.0\n"
RIGHT = "import sys\na = [int(x) for x in sys.stdin.read().split()]\nprint(sum(a))\nprint(sum(a)/len(a))\n"
SHORT = "a = list(map(int, input().split()))\nprint(sum(a))\nprint(sum(a) / len(a))\n"


def columns(cases: list[tuple[Any, Any]]) -> dict[str, list[Any]]:
    return {"input": [given for given, _ in cases], "output": [wanted for _, wanted in cases]}


def packed(tests: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(tests)))).decode()


def live_tests(cases: list[tuple[str, str]], kind: str = "stdin") -> list[dict[str, str]]:
    return [{"input": given, "output": wanted, "testtype": kind} for given, wanted in cases]


APPS = {
    "problem_id": 17,
    "question": STATEMENT,
    "input_output": json.dumps(
        {"inputs": [given for given, _ in CASES], "outputs": [wanted for _, wanted in CASES]}
    ),
    "solutions": json.dumps(["print('nothing')", SHORT, "print 1"]),
    "starter_code": "",
}
CONTESTS = {
    "name": "17_A. Sums",
    "description": "Read numbers, print their sum and mean.",
    "public_tests": columns(CASES[:1]),
    "private_tests": columns(CASES[1:3]),
    "generated_tests": columns(CASES[3:]),
    "solutions": {"language": [2, 3], "solution": ["int main() {}", RIGHT]},
    "input_file": "",
}
ROWS = {
    **CONTESTS,
    "public_tests": [{"input": given, "output": wanted} for given, wanted in CASES[:1]],
    "private_tests": [{"input": given, "output": wanted} for given, wanted in CASES[1:]],
    "generated_tests": [],
    "solutions": [{"language": "PYTHON3", "solution": RIGHT}],
}
LIVE = {
    "question_title": "Sums",
    "question_content": STATEMENT,
    "platform": "atcoder",
    "question_id": "abc999_a",
    "starter_code": "",
    "public_test_cases": json.dumps(live_tests(CASES[:1])),
    "private_test_cases": packed(live_tests(CASES[1:])),
    "metadata": "{}",
}
GROUPS = [([1, 1, 2], 2), ([5, 6, 7], 3), ([9] * 13, 1), (list(range(40)), 40), (list(range(15, 32)), 17)]
COUNT = "class Solution:\n    def countKinds(self, nums: List[int]) -> int:\n        "
LIVE_FUNCTION = {
    **LIVE,
    "question_title": "count-kinds",
    "question_content": "How many kinds of numbers are there?\n\nExample 1:\n\nInput: nums = [1,1,2]\nOutput: 2\n",
    "platform": "leetcode",
    "starter_code": COUNT,
    "public_test_cases": json.dumps(live_tests([("[1, 1, 2]", "2")], "functional")),
    "private_test_cases": packed(live_tests([(json.dumps(n), str(w)) for n, w in GROUPS[1:]], "functional")),
    "metadata": json.dumps({"func_name": "countKinds"}),
}
APPS_FUNCTION = {
    "problem_id": 2_900,
    "question": "Count the kinds of numbers in a list and say how often the first one is there.",
    "input_output": json.dumps(
        {
            "fn_name": "kinds",
            "inputs": [[n] for n, _ in GROUPS],
            "outputs": [[[w, n.count(n[0])]] for n, w in GROUPS],
        }
    ),
    "solutions": json.dumps(["def kinds(nums):\n    return (len(set(nums)), nums.count(nums[0]))\n"]),
    "starter_code": "def kinds(nums):\n\t",
}
APPS_CLASS = {
    **APPS_FUNCTION,
    "problem_id": 2_901,
    "solutions": json.dumps(
        [
            "class Solution:\n    def kinds(self, nums: List[int]) -> List[int]:\n        return [len(set(nums)), "
            "nums.count(nums[0])]\n"
        ]
    ),
    "starter_code": "\nclass Solution:\n    def kinds(self, nums: List[int]) -> List[int]:\n        ",
}
KEYED = {
    **APPS_FUNCTION,
    "problem_id": 2_902,
    "question": "Turn a table round.",
    "input_output": json.dumps(
        {"fn_name": "turned", "inputs": [[{"1": "a", "2": "b"}], [{"7": "x"}], [{"5": "q", "-3": "z"}]],
         "outputs": [[{"10": "a", "20": "b"}], [{"70": "x"}], [{"50": "q", "-30": "z"}]]}
    ),
    "solutions": json.dumps(["def turned(table):\n    return {10 * k: v for k, v in table.items()}\n"]),
    "starter_code": "def turned(table):\n\t",
}  # fmt: skip


FUNCTIONAL = packed(live_tests([("[1]", "1")], "functional"))
NONE: dict[str, list[str]] = {"input": [], "output": []}
SAME = json.dumps({"inputs": ["1 2 3", "4 4", "8"], "outputs": ["6\n2.0", "8\n8", "8\n8.0"]})


def one_case(given: str, wanted: str) -> str:
    return json.dumps({"inputs": [given], "outputs": [wanted]})


def bring(
    box: Sandbox, kind: str, entry: dict[str, Any], folder: Path
) -> tuple[DirectoryTasks | None, list[str]]:
    said: list[str] = []
    path = folder / "data.jsonl"
    path.write_text(json.dumps(entry))
    ids = list(import_functions(kind, path, folder / "out", box, said.append))
    return (DirectoryTasks(folder / "out") if ids else None), said


def the_task(box: Sandbox, kind: str, entry: dict[str, Any], folder: Path) -> tuple[DirectoryTasks, Task]:
    task_set, said = bring(box, kind, entry, folder)
    assert task_set is not None, said
    return task_set, task_set.task("test", 0)


def fenced(code: str) -> str:
    return f"Here it is.\n```python\n{code}```\n"


@pytest.mark.parametrize(
    ("kind", "entry"),
    [("apps", APPS), ("code-contests", CONTESTS), ("code-contests", ROWS), ("livecodebench", LIVE)],
)
def test_programs_are_run_on_inputs_and_compared_apart(
    box: Sandbox, tmp_path: Path, kind: str, entry: dict[str, Any]
) -> None:
    task_set, task = the_task(box, kind, entry, tmp_path)
    right = "a = [int(x) for x in input().split()]\nprint(sum(a))\nprint(f'{sum(a) / len(a):.3f}  ')\n"
    answers = {
        f"```python\n{right}```": 1.0,
        f"```\n{right}```\nTry it:\n```bash\necho 1 2 | python solution.py\n```": 1.0,
        f"```python\nprint(1)\n```\nNo:\n```python\n{right}```\nA test:\n```python\nassert 1 + 1 == 2\n```": 1.0,
        right: 1.0,
        "```python\nimport sys\nsys.setrecursionlimit(10000)\ndef main():\n    a = list(map(int, sys.stdin.readline().split()))\n"
        "    print(sum(a))\n    print(sum(a) / len(a))\nif __name__ == '__main__':\n    main()\n```": 1.0,
        "```python\nprint(6, 2.0)\n```": 0.0,
        "```python\nprint(50)\nprint(25.0)\n```": 0.0,
        "```python\nprint(*{'1 2 3': (6, 2.0)}.get(input(), (50, 25.0)), sep='\\n')\n```": 0.0,
        "```python\nwhile True: pass\n```": 0.0,
        "```python\nimport os\nos._exit(0)\n```": 0.0,
        f"```python\n{right}raise SystemExit(3)\n```": 0.0,
        "```python\nimport glob\nfor name in glob.glob('**/*', recursive=True):\n    print(open(name).read())\n```": 0.0,
        "no idea": 0.0,
    }
    scores = {answer: task_set.grade(task, Submission(answer), box).score for answer in answers}
    assert {answer: score for answer, score in scores.items() if score != answers[answer]} == {}


def test_the_modules_that_a_harness_imports_are_there(box: Sandbox, tmp_path: Path) -> None:
    answers = {
        "apps": "a = sorted(map(int, sys.stdin.readline().split()))\nprint(sum(a))\nprint(sum(a) / len(a) + floor(0.5))",
        "livecodebench": "a = deque(map(int, stdin.readline().split()))\nprint(reduce(add, a))\nprint(mean(a))",
        "code-contests": "",
    }
    for kind, entry in (("apps", APPS), ("livecodebench", LIVE), ("code-contests", CONTESTS)):
        folder = tmp_path / kind
        folder.mkdir()
        task_set, task = the_task(box, kind, entry, folder)
        there = answers[kind] or answers["apps"]
        assert task_set.grade(task, Submission(fenced(f"{there}\n")), box).passed is bool(answers[kind]), kind


FUNCTION_ANSWERS = [
    ("class Solution:\n    def {f}(self, nums: List[int]):\n        return {e}\n", True),
    ("class Solution(object):\n    def h(self, n): return n\n    def {f}(self, nums):\n        return self.h({e})\n", True),
    ("class Solution:\n    n = 0\n    def {f}(self, nums):\n        self.n += 1\n        return {e}\n", True),
    ("def {f}(nums):\n    return {e}\n", True),
    ("{f} = lambda nums: {e}\n", True),
    ("class Solution:\n    def {f}(self, nums):\n        return None\n", False),
    ("class Solution:\n    def other(self, nums):\n        return {e}\n", False),
    ("class Solution:\n    def {f}(nums):\n        return {e}\n", False),
    ("class Solution:\n    def {f}(self, nums):\n        yield {e}\n", False),
    ("class E:\n    def __eq__(self, other): return True\nclass Solution:\n    def {f}(self, nums): return E()\n", False),
    ("def {f}(nums):\n    print({e})\n", False),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "entry", "name", "expression"),
    [
        ("livecodebench", LIVE_FUNCTION, "countKinds", "len(set(nums))"),
        ("apps", APPS_FUNCTION, "kinds", "[len(set(nums)), nums.count(nums[0])]"),
        ("apps", APPS_CLASS, "kinds", "(len(set(nums)), nums.count(nums[0]))"),
    ],
)
def test_functions_are_called_alone_or_of_a_class(
    box: Sandbox, tmp_path: Path, kind: str, entry: dict[str, Any], name: str, expression: str
) -> None:
    task_set, task = the_task(box, kind, entry, tmp_path)
    assert f"def {name}(" in task.prompt
    wrong = []
    for text, right in FUNCTION_ANSWERS:
        grade = task_set.grade(
            task, Submission(fenced(text.replace("{f}", name).replace("{e}", expression))), box
        )
        if (grade.passed, grade.score) != (right, float(right)):
            wrong.append((text, grade.score, grade.log))
    assert not wrong
    body = f"        return {expression}\n" if "class" in task.prompt else f"    return {expression}\n"
    head = next(line for line in task.prompt.splitlines() if f"def {name}(" in line)
    whole = ("class Solution:\n" if head.startswith(" ") else "") + f"{head}\n{body}"
    assert task_set.grade(
        task, Submission(f"<think>\ndef {name}(nums): return 1\n</think>\n{whole}"), box
    ).passed


def test_keys_of_tables_are_the_numbers_that_json_has_no_word_for(box: Sandbox, tmp_path: Path) -> None:
    task_set, task = the_task(box, "apps", KEYED, tmp_path)
    answers = (
        "{k * 10: v for k, v in t.items()}",
        "[{10 * k: v for k, v in t.items()}]",
        "{str(10 * k): v for k, v in t.items()}",
    )
    grades = [
        task_set.grade(task, Submission(fenced(f"def turned(t):\n    return {text}\n")), box)
        for text in answers
    ]
    assert [grade.passed for grade in grades] == [True, True, False]


def test_a_record_without_a_solution_is_there_and_says_that_nothing_validated_it(
    box: Sandbox, tmp_path: Path
) -> None:
    for kind, entry in (
        ("livecodebench", LIVE),
        ("apps", {**APPS, "solutions": ""}),
        ("apps", {**APPS_FUNCTION, "solutions": "[]"}),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        task_set, said = bring(box, kind, entry, folder)
        assert task_set is not None, said
        assert any("not validated" in line for line in said)
        task = task_set.task("test", 0)
        assert "not validated: the record has no solution" in task_set.judged_by(task)
        assert "not validated" in task_set.grade(task, Submission("no"), box).log
        gold = task_set.gold(task)
        assert gold == Submission()
    assert validate(task_set, box, repeats=1) == []


@pytest.mark.parametrize(
    ("kind", "change", "why"),
    [
        ("apps", {"solutions": json.dumps(["print(1)"])}, "none of its solutions passes"),
        ("apps", {"input_output": json.dumps({"fn_name": "a b", "inputs": [[1]], "outputs": [1]})}, "no function's name"),
        ("apps", {"input_output": json.dumps({"fn_name": "f", "inputs": [1], "outputs": [1]})}, "not with a list"),
        ("apps", {"input_output": json.dumps({"inputs": ["1"], "outputs": []})}, "cannot be read"),
        ("apps", {"input_output": "{}"}, "cannot be read"),
        ("apps", {"input_output": ""}, "it has no tests"),
        ("apps", {"input_output": json.dumps({"inputs": [], "outputs": []})}, "no inputs"),
        ("apps", {"input_output": one_case("1 2 3", "6\n2.0")}, "shows all of its tests"),
        ("apps", {"input_output": SAME}, "one constant"),
        ("apps", {"question": f"{STATEMENT}\nIf there are several answers, print any of them."}, "any of several answers"),
        ("livecodebench", {"question_title": "", "question_id": ""}, "without a name"),
        ("livecodebench", {"private_test_cases": base64.b64encode(zlib.compress(pickle.dumps(print))).decode()}, "builtins.print"),
        ("livecodebench", {"private_test_cases": "AAAA"}, "cannot be read"),
        ("livecodebench", {"private_test_cases": FUNCTIONAL}, "of the kinds functional, stdin"),
        ("livecodebench", {"public_test_cases": "[]", "private_test_cases": FUNCTIONAL}, "no func_name"),
        ("code-contests", {"input_file": "input.txt"}, "the file input.txt"),
        ("code-contests", {"solutions": {"language": [1, 2], "solution": ["print 1", "int main;"]},
                           "description": "Print any of the possible answers."}, "any of several answers"),
        ("code-contests", {"private_tests": NONE, "generated_tests": NONE}, "shows all"),
    ],
)  # fmt: skip
def test_what_is_refused_is_refused_for_a_reason_that_is_true(
    box: Sandbox, tmp_path: Path, kind: str, change: dict[str, Any], why: str
) -> None:
    entry: dict[str, Any] = {
        **{"apps": APPS, "code-contests": CONTESTS, "livecodebench": LIVE}[kind],
        **change,
    }
    task_set, said = bring(box, kind, entry, tmp_path)
    assert task_set is None
    assert why in said[0]


def test_several_answers_are_taken_where_different_solutions_agree(box: Sandbox, tmp_path: Path) -> None:
    entry = {
        **APPS,
        "question": f"{STATEMENT} Print any of the answers.",
        "solutions": json.dumps([SHORT, RIGHT]),
    }
    assert bring(box, "apps", entry, tmp_path)[0] is not None


def test_what_is_left_out_is_said(box: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        programs, "MOST_TESTS", 8
    )  # all 150 of a record take minutes, and this is about the rest
    cases = [(f"{n} {n + 1}\n", f"{2 * n + 1}\n{n + 0.5}\n") for n in range(28)]
    entry = {**LIVE, "private_test_cases": packed(live_tests(cases))}
    task_set, task = the_task(box, "livecodebench", entry, tmp_path)
    assert "21 of the suite's 29 left out" in task_set.judged_by(task)


@pytest.mark.parametrize(
    ("kind", "entry"), [("apps", APPS), ("apps", APPS_CLASS), ("code-contests", CONTESTS)]
)
def test_what_is_imported_is_judged_alike_by_the_grader_that_harbor_runs(
    box: Sandbox, tmp_path: Path, kind: str, entry: dict[str, Any], judged_by_harbor: Any
) -> None:
    task_set, task = the_task(box, kind, entry, tmp_path)
    judged_by_harbor(task_set, task)
