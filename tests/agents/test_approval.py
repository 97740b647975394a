"""Approvers from the command line."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from mx_agents.approval import load_approver
from mx_agents.errors import UsageError
from mx_envs.episode.approval import ToolCall

CALL = ToolCall("coder", "bash", {"command": "ls"})


@pytest.mark.parametrize(
    ("typed", "decision", "reason", "instead"),
    [
        ("x\na\n", "approve", "", None),
        ("r\ntoo risky\n", "reject", "too risky", None),
        ("t\nover\n", "terminate", "over", None),
        ('m\n[]\nm\n{\nm\n{"command": "pwd"}\n', "modify", "", {"command": "pwd"}),
        ("", "reject", "nobody answered", None),
    ],
)
def test_rules_escalate_to_the_person_at_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, decision: str, reason: str, instead: object
) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text("- {tool: 'b*', decision: escalate}\n- {tool: view, decision: approve}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    ruling = load_approver(f"{rules},human")(CALL)
    assert (ruling.decision, ruling.by, ruling.reason, ruling.instead) == (decision, "human", reason, instead)


def test_a_file_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are no approval rules"):
        load_approver("rules.yaml")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("- {tool: bash, decision: maybe}\n")
    with pytest.raises(UsageError, match=r"wrong\.yaml.*there is no decision 'maybe'"):
        load_approver(str(wrong))
