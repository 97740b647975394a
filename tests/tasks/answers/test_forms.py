"""Answers as people and models write them: what is taken of each. A right program in any of these forms must be found."""

from __future__ import annotations

from textwrap import indent

import pytest

from mx_tasks.answers.patches import files_in_answer
from mx_tasks.answers.programs import file_program, program

GIVEN = '''from typing import List


def scale(x):
    return 2 * x


def grow(values: List[int], by: int) -> List[int]:
    """ Add to each.
    >>> grow([1, 2], 3)
    [4, 5]
    """
    raise NotImplementedError
'''
RIGHT = "def grow(values, by):\n    return [value + by for value in values]\n"
WRONG = "def grow(values, by):\n    return values\n"
BODY = "    result = []\n    for value in values:\n        result.append(value + by)\n    return result\n"
USAGE = "print(grow([1, 2], 3))\n"
TESTS = "import unittest\n\nclass TestGrow(unittest.TestCase):\n    def test_it(self):\n"
"        self.assertEqual(grow([1], 1), [2])\n"
HELPER = "def plus(value, by):\n    return value + by\n"
WITH_HELPER = "def grow(values, by):\n    return [plus(value, by) for value in values]\n"
METHOD = RIGHT.replace("return [", "return [  # ``` is no fence here\n        ")


def fenced(text: str, fence: str = "```", info: str = "python") -> str:
    return f"{fence}{info}\n{text}{fence}\n"


FORMS: dict[str, str] = {
    # fences
    "python": fenced(RIGHT),
    "py": fenced(RIGHT, info="py"),
    "Python": fenced(RIGHT, info="Python"),
    "python3": fenced(RIGHT, info="python3"),
    "python3.11": fenced(RIGHT, info="python3.11"),
    "py3": fenced(RIGHT, info="py3"),
    "ipython": fenced(RIGHT, info="ipython"),
    "no language": fenced(RIGHT, info=""),
    "a space before the language": fenced(RIGHT, info=" python"),
    "a title": fenced(RIGHT, info='python title="solution.py"'),
    "attributes": fenced(RIGHT, info="{.python .numberLines}"),
    "a file after a colon": fenced(RIGHT, info="python:solution.py"),
    "the file as the language": fenced(RIGHT, info="solution.py"),
    "another language's name": fenced(RIGHT, info="code"),
    "tildes": fenced(RIGHT, "~~~"),
    "tildes without language": fenced(RIGHT, "~~~", ""),
    "four backticks": fenced(RIGHT, "````"),
    "five tildes": fenced(RIGHT, "~~~~~"),
    "longer closing fence": f"```python\n{RIGHT}`````\n",
    "indented fence": indent(fenced(RIGHT), "  "),
    "deeply indented fence": indent(fenced(RIGHT), "        "),
    "tabbed fence": indent(fenced(RIGHT), "\t"),
    "in a list": "1. This is it:\n" + indent(fenced(RIGHT), "   "),
    "as a list's item": "- ```python\n" + indent(RIGHT, "  ") + "  ```\n",
    "closing fence not indented": "  ```python\n" + indent(RIGHT, "  ") + "```\n",
    "never closed": f"```python\n{RIGHT}",
    "no line end at the end": f"```python\n{RIGHT}```",
    "spaces after fences": f"```python  \n{RIGHT}```  \n",
    "line ends of other systems": fenced(RIGHT).replace("\n", "\r\n"),
    "old line ends": fenced(RIGHT).replace("\n", "\r"),
    "byte order mark": "\ufeff" + fenced(RIGHT),
    "a fence in a comment": fenced(METHOD),
    # prose
    "prose around": f"Sure! Here it is:\n\n{fenced(RIGHT)}\nIt adds to each value.",
    "a heading": f"## Solution\n\n{fenced(RIGHT)}\n## Complexity\n\nO(n)",
    "inline code in prose": f"Use `grow` as ``this``:\n{fenced(RIGHT)}",
    # raw
    "raw code": RIGHT,
    "raw code with the prompt": GIVEN.replace("    raise NotImplementedError\n", BODY),
    "raw code after prose": f"Here is the function.\n\n{RIGHT}",
    "raw code before prose": f"{RIGHT}\nThis adds the number to each of the values, as asked.",
    "raw code between prose": f"Let's see: it's simple.\n\n{RIGHT}\nThat's it.",
    "raw code from a fence of the prompt's": f"{RIGHT}```\n\nIt works.",
    "raw code with imports": f"import math\nfrom typing import List\n\n{RIGHT}",
    "on one line": "```python def grow(values, by): return [value + by for value in values]```",
    # completions
    "body": BODY,
    "body that lost its first indentation": BODY.lstrip(),
    "body not indented": "result = []\nfor value in values:\n    result.append(value + by)\nreturn result\n",
    "body in a fence": fenced(BODY),
    "body in a fence without language": fenced(BODY, info=""),
    "body not indented in a fence": fenced("return [value + by for value in values]\n"),
    "body of one line": "    return [value + by for value in values]",
    "body and then more": BODY + "\n\nprint(grow([1], 2))\n",
    "body and then prose": BODY + "\n\nThis function's loop adds to each value.\n",
    # several blocks
    "then a usage": fenced(RIGHT) + "Use it:\n" + fenced(USAGE),
    "then a test": fenced(RIGHT) + "A test:\n" + fenced(TESTS),
    "then its output": fenced(RIGHT) + "Output:\n" + fenced("[4, 5]\n", info=""),
    "then a command": fenced(RIGHT) + "Run it:\n" + fenced("python solution.py\n", info="bash"),
    "after a command": "Install:\n" + fenced("pip install nothing\n", info="sh") + fenced(RIGHT),
    "usage in the same block": fenced(RIGHT + "\nif __name__ == '__main__':\n    " + USAGE),
    "a wrong draft first": "First try:\n"
    + fenced(WRONG)
    + "No, that changes nothing. Better:\n"
    + fenced(RIGHT),
    "three drafts": fenced(WRONG) + fenced(WRONG) + fenced(RIGHT),
    "a draft that was cut off": fenced(RIGHT)
    + "Or shorter:\n```python\ndef grow(values, by):\n    return [value +",
    "the question quoted": fenced(GIVEN) + "becomes\n" + fenced(RIGHT),
    "helpers in a block of their own": fenced(HELPER) + "and with it\n" + fenced(WITH_HELPER),
    "helpers in a block after": fenced(WITH_HELPER) + "where\n" + fenced(HELPER),
    "a lambda": fenced("grow = lambda values, by: [value + by for value in values]\n"),
    "an alias": fenced("def add(values, by):\n    return [v + by for v in values]\n\ngrow = add\n"),
    "another fence's example within": "````markdown\n" + fenced(WRONG) + "````\n" + fenced(RIGHT),
    # thoughts
    "thought first": f"<think>\nMaybe\n{fenced(WRONG)}</think>\n{fenced(RIGHT)}",
    "thought with the last draft": f"<think>\n{fenced(WRONG)}\n</think>\n\n{RIGHT}",
    "thought opened by the prompt": f"Hmm, perhaps\n{fenced(WRONG)}Yes.\n</think>\n{fenced(RIGHT)}",
    "thinking": f"<thinking>{WRONG}</thinking>\n{fenced(RIGHT)}",
    "answer, then a thought that was cut off": f"{fenced(RIGHT)}\n<think>\nor\n{fenced(WRONG)}",
}
OTHERS: dict[str, str] = {
    "nothing": "",
    "prose": "I would add the number to each of the values.",
    "only a thought": f"<think>\n{fenced(RIGHT)}\n</think>\nI do not know.",
    "a thought without an end": f"<think>\nPerhaps\n{fenced(RIGHT)}",
    "a right draft, then a wrong one": fenced(RIGHT) + "Or rather:\n" + fenced(WRONG),
    "only a usage": fenced(USAGE),
    "a refusal in a fence": fenced("I cannot do this.\n", info=""),
    "the file as given": fenced(GIVEN),
    "another function": fenced(RIGHT.replace("grow", "shrink")),
}


def is_right(text: str | None) -> bool:
    """Whether a program's function does what was asked, when run as the publisher's harness would."""
    if text is None:
        return False
    space: dict[str, object] = {"__name__": "solution"}
    try:
        exec(GIVEN[: GIVEN.index("def grow")], space)
        exec(text, space)
        return space["grow"]([1, 2], 3) == [4, 5]  # type: ignore[operator]
    except Exception:  # noqa: BLE001  whatever it is, it is not right
        return False


@pytest.mark.parametrize("form", FORMS)
def test_a_right_program_is_found_in_every_form(form: str) -> None:
    assert is_right(program(FORMS[form], ["grow"], GIVEN)), program(FORMS[form], ["grow"], GIVEN)


@pytest.mark.parametrize("form", OTHERS)
def test_what_is_no_right_answer_is_made_none(form: str) -> None:
    assert not is_right(program(OTHERS[form], ["grow"], GIVEN))


def test_there_are_many_forms() -> None:
    assert len(FORMS) >= 60


FILE = "import re\n\nLIMIT = 3\n\n\ndef one(x):\n    return x - LIMIT\n\n\n@staticmethod\ndef two(x):\n    return one(x)\n"
FIXED = FILE.replace("x - LIMIT", "x + LIMIT")
PIECE = "def one(x):\n    return x + LIMIT\n"


@pytest.mark.parametrize(
    "answer",
    [
        fenced(FIXED),
        fenced(FIXED, info=""),
        FIXED,
        f"`lib.py`:\n{fenced(FIXED, info='')}",
        fenced(FIXED) + fenced("from lib import one\nprint(one(1))\n"),
        fenced(FIXED) + "Run\n" + fenced("python lib.py\n", info="bash"),
        fenced(PIECE),
        "Only `one` has to change:\n" + fenced(PIECE, info=""),
        PIECE,
        fenced("--- a/lib.py\n+++ b/lib.py\n@@ -6,2 +6,2 @@\n def one(x):\n-    return x - LIMIT\n"
        "+    return x + LIMIT\n", info="diff"),
        fenced("--- a/lib.py\n+++ b/lib.py\n@@ -6,2 +6,2 @@\n def one(x):\n-    return x - LIMIT\n"
        "+    return x + LIMIT\n", info=""),
        "--- a/lib.py\n+++ b/lib.py\n@@ -6,2 +6,2 @@\n def one(x):\n-    return x - LIMIT\n+    return x + LIMIT\n",
        "--- a/lib.py\n+++ b/lib.py\n@@ -6,2 +6,2 @@\n def one(x):\n-    return x - LIMIT\n+    return x + LIMIT",
    ],
)  # fmt: skip
def test_a_file_is_handed_in_whole_in_part_or_as_a_diff(answer: str) -> None:
    found = files_in_answer(answer, {"lib.py": FILE.encode(), "test_lib.py": b""}, ["lib.py"])
    assert found["lib.py"] is not None
    assert found["lib.py"].decode().strip() == FIXED.strip()


def test_a_part_brings_what_it_adds() -> None:
    made = file_program(fenced("import math\n\n\ndef two(x):\n    return math.floor(one(x))\n"), FILE)
    assert made is not None
    space: dict[str, object] = {}
    exec(made, space)
    assert space["two"](5) == 2  # type: ignore[operator]


@pytest.mark.parametrize("answer", ["done", "I changed it.", "See lib.py", "", "None", "ok, fixed"])
def test_words_are_no_file(answer: str) -> None:
    assert files_in_answer(answer, {"lib.py": FILE.encode()}, ["lib.py"]) == {}
