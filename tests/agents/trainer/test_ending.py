"""What a run says of itself at its end: that nothing worked, that one arm did not, or who leads."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from mx_agents.trainer.ending import say_ending


def row(arm: str = "co-evolution", invalid: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"arm": arm, "episodes": 10, "invalid": invalid} | more


def results(*success: float, low: float = 0.1, high: float = 0.3) -> dict[str, Any]:
    found = [{"success": each, "greedy_success": each} for each in success]
    lead = {"a": "co-evolution", "b": "frozen designer", "mean": (low + high) / 2, "low": low, "high": high}
    return {"rows": found, "differences": [lead]}


def told(rows: list[dict[str, Any]], found: dict[str, Any]) -> tuple[int, str]:
    screen = Console(file=io.StringIO(), width=200)
    code = say_ending(screen, rows, found)
    return code, screen.file.getvalue()  # type: ignore[attr-defined]


SYNTAX, TIME = {"SyntaxError: invalid syntax": 9}, {"time limit": 4, "SyntaxError: invalid syntax": 6}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (
            [row(invalid_endings=SYNTAX), row(invalid_endings=TIME)],
            "all 20 episodes were invalid, 15 of them with: Syn",
        ),
        ([row(invalid_endings={"two\nlines": 10})], "10 of them with: two"),
        ([row("frozen designer"), row()], "all 20 episodes were invalid"),
        ([row(invalid_endings={"[red]x \x1b[2J": 1})], "[red]x"),
    ],
)
def test_a_run_in_which_nothing_worked_says_why_and_fails(rows: list[dict[str, Any]], words: str) -> None:
    code, said = told(rows, results(0.0, 0.0))
    assert code == 1
    assert words in said
    assert "\x1b" not in said
    assert "leads" not in said


def test_one_arm_that_did_not_work_is_named() -> None:
    code, said = told([row("frozen executor"), row(invalid=0.99)], results(0.4, 0.0))
    assert code == 0
    assert "frozen executor: all 10 episodes were invalid" in said
    assert "leads frozen designer by 20.0 points" in said


def test_nobody_leads_where_nothing_was_solved() -> None:
    code, said = told([row(invalid=0.2)], results(0.0, 0.0, low=-0.1, high=0.1))
    assert code == 0
    assert "No held-out task was solved" in said
    assert "leads" not in said


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.1, 0.3, "(10.0 to 30.0)"), (-0.1, 0.2, "may be chance"), (-0.3, -0.1, "it is behind")],
)
def test_a_lead_is_called_what_it_is(low: float, high: float, words: str) -> None:
    assert words in told([row(invalid=0.0)], results(0.4, 0.3, low=low, high=high))[1]
