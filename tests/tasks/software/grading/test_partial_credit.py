"""Partial credit is what was won over the best answer of somebody who has not understood the question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from mx_sandboxes import Limits, Sandbox
from mx_tasks import Submission
from mx_tasks.software.grading.calls import Served
from mx_tasks.software.grading.suite import Suite, grade_suite

SUM = "a = list(map(int, input().split()))\nprint(sum(a))\n"
PRIME = "n = int(input())\nprint('PRIME' if n > 1 and all(n % d for d in range(2, n)) else 'COMPOSITE')\n"
SUMS = {
    "1 2": "3",
    "20 30": "50",
    "100 1": "101",
    "70 7": "77",
    "15 15": "30",
    "40 10": "50",
    "200 22": "222",
}
PRIMES = {str(n): "PRIME" if n > 1 and all(n % d for d in range(2, n)) else "COMPOSITE" for n in range(2, 9)}


def programs(cases: Mapping[str, str], shown: tuple[str, ...] = ()) -> Suite:
    """A task of a program that reads and prints; the tests whose names are ``shown`` stand in its statement."""
    lines = ["from mx_oracle import function, same_output", "run = function('run')"]
    for number, (given, wanted) in enumerate(cases.items(), 1):
        lines += [f"def test_{number}():", f"    assert same_output(run({given!r}), {wanted!r})"]
    served = Served("solution.py", "solution", entries=("run",), program=True, shown=shown)
    return suite(lines, len(cases), served)


def functions(asserts: list[str], shown: tuple[str, ...] = ()) -> Suite:
    """A task of a function ``f``."""
    lines = ["from mx_oracle import alike, function", "f = function('f')"]
    for number, text in enumerate(asserts, 1):
        lines += [f"def test_{number}():", f"    {text}"]
    served = Served("solution.py", "solution", entries=("f",), shown=shown)
    return suite(lines, len(asserts), served)


def suite(lines: list[str], count: int, served: Served) -> Suite:
    return Suite(
        files={"solution.py": b"raise NotImplementedError\n"},
        tests={"mx_hidden/test_it.py": "\n".join(lines).encode()},
        sources=("solution.py",),
        fail_to_pass=tuple(f"mx_hidden/test_it.py::test_{number}" for number in range(1, count + 1)),
        served=served,
        limits=Limits(wall_s=30, cpu_s=30),
    )


def scores(box: Sandbox, task: Suite, answers: list[str]) -> list[float]:
    return [
        grade_suite(task, Submission(files={"solution.py": answer.encode()}), box).score for answer in answers
    ]


def table(cases: Mapping[str, str], otherwise: str) -> str:
    """A program that has some cases by heart."""
    return f"print({dict(cases)!r}.get(input().strip(), {otherwise!r}))\n"


@pytest.mark.parametrize("shown", [0, 2])
def test_no_constant_and_no_sample_earns_anything_of_a_program(box: Sandbox, shown: int) -> None:
    for cases in (SUMS, PRIMES):
        task = programs(cases, tuple(f"test_{number}" for number in range(1, shown + 1)))
        samples = dict(list(cases.items())[:shown])
        constants = [f"print({wanted!r})\n" for wanted in dict.fromkeys(cases.values())]
        learnt = [table(samples, wanted) for wanted in dict.fromkeys(cases.values())]
        others = [
            "print(input().split()[-1])", "print('3 ')",
            "import sys\nsys.stdout.write(sys.stdin.read())", table(samples, ""),
        ]  # fmt: skip
        paid = {
            answer: score
            for answer, score in zip(
                [*constants, *learnt, *others], scores(box, task, [*constants, *learnt, *others]), strict=True
            )
            if score
        }
        assert not paid


def test_what_is_right_in_part_earns_a_part_and_all_of_it_everything(box: Sandbox) -> None:
    task = programs(SUMS, ("test_1",))
    large_only = SUM.replace("print(sum(a))", "print(sum(a) if sum(a) > 60 else 0)")
    right, part = scores(box, task, [SUM, large_only])
    assert right == 1.0
    assert 0.0 < part <= 0.9
    assert part == 2 / 3  # of four that no guess passes one counts for nothing


def test_where_answers_are_of_two_kinds_there_is_all_or_nothing(box: Sandbox) -> None:
    task = programs(PRIMES)
    coins = [
        f"n = int(input())\nprint('PRIME' if {rule} else 'COMPOSITE')\n"
        for rule in ("n % 2", "hash(str(n)) % 3", "n < 8", "n in (2, 3)")
    ]
    assert scores(box, task, [PRIME, *coins]) == [1.0, 0.0, 0.0, 0.0, 0.0]


LENGTHS = [
    f"assert f({text!r}) == {wanted}"
    for text, wanted in (("a" * 12, 12), ("b" * 14, 14), ("c" * 15 + " ", 15), (" d" * 20, 39))
]
LISTS = [
    "assert f([3, 1]) == [1, 3]",
    "assert f([9, 7, 8]) == [7, 8, 9]",
    "assert f([5, 4]) == [4, 5]",
    "assert f(['b', 'a']) == ['a', 'b']",
    "assert f([2, 1, 2]) == [1, 2, 2]",
    "assert f([6, 4, 5, 3]) == [3, 4, 5, 6]",
    "assert f([6, 4, 5]) == [4, 5, 6]",
]
NEAR = [f"assert abs(f({n}) - {n * 3.7!r}) < 1e-6" for n in (2, 3, 4, 5)]
TABLE = [
    "want = {1: [11, 12], 2: [21, 22]}\n    assert f(1) == want[1]",
    "assert f(2) == [21, 22]",
    "assert alike(f(3), (31.5, 32))",
    "assert sorted(f(4)) == [41, 42]",
    "assert f(5) == [51, 52] or f(5) == [52, 51]",
]


@pytest.mark.parametrize(
    ("asserts", "constants", "right", "part"),
    [
        (LISTS, ["[1, 3]", "[7, 8, 9]", "[4, 5]", "['a', 'b']", "[1, 2, 2]", "a[0]", "a[0][::-1]", "[]", "None"],
         "sorted(a[0])", "sorted(a[0]) if len(a[0]) == 3 else a[0]"),
        (LENGTHS, ["12", "14", "len(a[0])", "a[0][0]", "15"], "len(a[0].strip())", "len(a[0].strip()) if a[0] != 'a' * 12 else 0"),
        (NEAR, ["7.4", "11.1", "14.8", "18.5", "0", "a[0]"], "3.7 * a[0]", "3.7 * a[0] if a[0] > 3 else 0"),
        (TABLE, ["[11, 12]", "[21, 22]", "[31.5, 32]", "(31.5, 32)", "[41, 42]", "[51, 52]", "[52, 51]", "[42, 41]"],
         "[10 * a[0] + 1 + a[0] // 3 % 2 * (a[0] == 3) * 0.5, 10 * a[0] + 2]", "[10 * a[0] + 1, 10 * a[0] + 2]"),
    ],
)  # fmt: skip
def test_no_constant_earns_anything_of_a_function(
    box: Sandbox, asserts: list[str], constants: list[str], right: str, part: str
) -> None:
    def answer(text: str) -> str:
        return f"def f(*a):\n    return {text}\n"

    task = functions(asserts)
    assert scores(box, task, list(map(answer, constants))) == [0.0] * len(constants)
    whole, some = scores(box, task, [answer(right), answer(part)])
    assert whole == 1.0
    assert 0.0 < some < 1.0


def test_what_was_right_before_and_is_broken_counts_against_what_is_mended(box: Sandbox) -> None:
    asserts = [f"assert f({n}) == {[n * 7, n]}" for n in range(20, 28)]
    task = functions(asserts)
    broken = "def f(n):\n    return [n * 7, n] if n {} else None\n"
    mended, kept = task.fail_to_pass[:5], task.fail_to_pass[5:]
    task = replace(
        task,
        files={"solution.py": broken.format(">= 25").encode()},
        fail_to_pass=mended,
        pass_to_pass=kept,
    )
    answers = [
        broken.format(rule) for rule in ("<= 99", "> 21", "< 25", "< 24", "in (21, 22, 23, 24, 25, 26)")
    ]
    assert scores(box, task, answers) == [1.0, 0.5, 0.25, 0.0, 0.5]


OLD = "def area(w, h):\n    return w + h\n\n\ndef name(w, h):\n    return f'{w} by {h}'\n"
SIZES = [(w, h) for w in (3, 5, 7) for h in (4, 6)]
LIBRARY_TESTS = "from lib import area, name\n\n" + "\n".join(
    f"def test_area_{w}_{h}():\n    assert area({w}, {h}) == {w * h}\n\n"
    f"def test_name_{w}_{h}():\n    assert name({w}, {h}) == '{w} by {h}'\n"
    for w, h in SIZES
)


def test_a_library_pays_for_what_is_mended_but_for_one_test_less_what_is_broken(box: Sandbox) -> None:
    task = Suite(
        files={"lib.py": OLD.encode()},
        tests={"test_lib.py": LIBRARY_TESTS.encode()},
        sources=("lib.py",),
        fail_to_pass=tuple(f"test_lib.py::test_area_{w}_{h}" for w, h in SIZES),
        pass_to_pass=tuple(f"test_lib.py::test_name_{w}_{h}" for w, h in SIZES),
        limits=Limits(wall_s=30, cpu_s=30, memory_bytes=512 << 20),
    )

    def score(area: str, name: str = "f'{w} by {h}'") -> float:
        code = OLD.replace("w + h", area).replace("f'{w} by {h}'", name)
        return grade_suite(task, Submission(files={"lib.py": code.encode()}), box).score

    assert score("w * h") == 1.0
    assert [score(text) for text in ("12", "42", "None", "w", "w + h")] == [0.0] * 5
    assert score("w * h if w > 4 else 0") == 3 / 5
    assert score("w * h", "f'{w} by {h}' if w > 4 else ''") == 3 / 5
    assert score("w * h if w > 4 else 0", "f'{w} by {h}' if w > 4 else ''") == 1 / 5
    assert score("w * h", "''") == 0.0
