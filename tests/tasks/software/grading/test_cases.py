"""Hidden tests as data: what agrees, what is refused, what a report can and cannot do."""

from __future__ import annotations

import math

import pytest

from mx_sandboxes import Sandbox
from mx_tasks.software.grading.cases import Case, CaseReport, agree, load_cases, run_cases


def run(sandbox: Sandbox, source: str, *cases: Case) -> CaseReport:
    return run_cases(sandbox, "submitted", {"submitted.py": source.encode()}, cases)


@pytest.mark.parametrize(
    ("value", "want", "same"),
    [
        (1, 1, True),
        (1, True, False),
        (1, 1.0, False),
        ("1", 1, False),
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        (math.nan, math.nan, True),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        ([1, 2], (1, 2), False),
        ([1, [2, 0.1 + 0.2]], [1, [2, 0.3]], True),
        ([1], [1, 2], False),
        ({"b": 1, "a": [2]}, {"a": [2], "b": 1}, True),
        ({"a": 1}, {"a": True}, False),
        (b"x", "x", False),
        (None, None, True),
    ],
)
def test_agreement_is_strict_about_types(value: object, want: object, same: bool) -> None:
    assert agree(value, want) is same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[case]]\nname = 'a'\ngive = 'f()'", "one of want and raises"),
        ("[[case]]\nname = 'a'\ngive = 'f()'\nwant = '1'\nraises = 'OSError'", "one of want and raises"),
        ("[[case]]\nname = 'a'\ngive = 'f()'\nwant = '1'\nwnat = '2'", "wnat"),
        ("[[case]]\nname = 'a'\nwant = '1'", "give"),
        ("[[case]]\nname = 'a'\ngive = 'f()'\nwant = 'open(1)'", "malformed"),
    ],
)
def test_wrong_cases_are_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_cases(text)


PLAIN_VALUES = [
    0,
    -5,
    1 << 200,
    0.5,
    math.inf,
    True,
    None,
    "",
    "a\nb\x00\u20ac\ud800",
    b"\x00\xff",
    [],
    (),
    {},
]
PLAIN_VALUES += [[1, (2, "x"), {"k": [None]}], {(1, "a"): 2, 3: {}}]


def test_every_plain_value_comes_back_as_it_was(sandbox: Sandbox) -> None:
    cases = [
        Case(repr(value), give=f"same({value!r})", want=value) for value in PLAIN_VALUES if value != math.inf
    ]
    cases.append(Case("inf", give="same(float('inf'))", want=math.inf))
    report = run(sandbox, "def same(x):\n    return x\n", *cases)
    assert report == CaseReport((True,) * len(cases), report.notes, tampered=False)


def test_what_has_no_plain_form_fails_with_a_reason(sandbox: Sandbox) -> None:
    gives = ["object()", "{1, 2}", "1j", "10 ** 5000", "len", "deep", "'x' * 100000"]
    deep = "deep = []\nfor _ in range(100):\n    deep = [deep]\n"
    report = run(sandbox, deep, *(Case(give, give=give, want=0) for give in gives))
    assert report.passed == (False,) * len(gives)
    assert not report.tampered
    assert "cannot be compared" in report.notes[0]


def test_exceptions_count_only_from_the_call_and_by_identity(sandbox: Sandbox) -> None:
    source = """
class Own(ValueError): pass
Fake = type("KeyError", (Exception,), {})
def fail(kind): raise kind("no")
"""
    calls = Case("do", do="fail(KeyError)", give="1", raises="KeyError")
    cases = (
        Case("built-in", give="fail(KeyError)", raises="KeyError"),
        Case("by base", give="fail(KeyError)", raises="LookupError"),
        Case("own", give="fail(Own)", raises="submitted.Own"),
        Case("own by base", give="fail(Own)", raises="ValueError"),
        Case("named like one", give="fail(Fake)", raises="KeyError"),
        Case("another", give="fail(OSError)", raises="KeyError"),
        Case("none", give="1", raises="KeyError"),
        Case("a value was wanted", give="fail(KeyError)", want=1),
        Case("value without a form", give="object()", raises="TypeError"),
        calls,
    )
    assert run(sandbox, source, *cases).passed == (True,) * 4 + (False,) * 6


def test_a_module_that_fails_to_import_raises_nothing_that_counts(sandbox: Sandbox) -> None:
    report = run(sandbox, "raise ValueError('no')", Case("a", give="f()", raises="ValueError"))
    assert report.passed == (False,)
    assert "import" in report.notes[0]


def test_cases_do_not_see_each_other(sandbox: Sandbox) -> None:
    source = (
        "seen = []\ndef note(x):\n    seen.append(x)\n    open('left', 'a').close()\n    return len(seen)\n"
    )
    report = run(sandbox, source, *(Case(str(n), give=f"note({n})", want=1) for n in range(3)))
    assert report.passed == (True, True, True)


def test_one_endless_case_costs_only_itself(sandbox: Sandbox) -> None:
    source = "def f(n):\n    while n == 1:\n        pass\n    return n\n"
    report = run(sandbox, source, *(Case(str(n), give=f"f({n})", want=n) for n in range(3)))
    assert report.passed == (True, False, True)


def test_a_module_that_loops_everywhere_is_given_up_soon(sandbox: Sandbox) -> None:
    source = "def f(n):\n    while n:\n        pass\n    return n\n"
    report = run(sandbox, source, *(Case(str(n), give=f"f({n})", want=n) for n in range(30)))
    assert report.passed == (True,) + (False,) * 29
    assert not report.tampered
    assert "left out" in report.notes[-1]


def test_a_module_that_silences_assertions_is_seen_by_the_canary(sandbox: Sandbox) -> None:
    source = "import builtins\nclass Quiet(Exception): pass\nbuiltins.AssertionError = Quiet\ndef f():\n    return 7\n"
    report = run(sandbox, source, Case("right", give="f()", want=7))
    assert report.tampered


def test_hostile_messages_stay_out_of_the_log(sandbox: Sandbox) -> None:
    source = "def f():\n    raise ValueError('\\x1b[2J' + 'x' * 100000 + '\\ud800')\n"
    (note,) = run(sandbox, source, Case("a", give="f()", want=1)).notes
    assert note.isascii()
    assert note.isprintable()
    assert len(note) < 500
