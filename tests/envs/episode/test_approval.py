"""People's say over tool calls."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mx_envs import StopReason, software_v0
from mx_envs.episode.approval import Rule, Rules, Ruling, ToolCall, chain, judged, read_rules

DESIGN = """
from mas import *
coder = Agent('coder', tools=('bash', 'edit'))
coder('go')
submit('done')
"""


def call(tool: str, /, **arguments: object) -> str:
    return f"```tool\n{json.dumps({'name': tool, 'arguments': arguments})}\n```"


def played(play: Any, tasks: Any, sandbox: Any, approver: Any, answers: list[str]) -> tuple[Any, list[str]]:
    left, heard = list(answers), []

    def answer(observation: Any) -> str:
        heard.append(observation["messages"][-1]["content"])
        return left.pop(0) if left else "done"

    env = software_v0.env(tasks=tasks, sandbox=sandbox, approver=approver)
    return play(env, DESIGN, answer).episode, heard[1:]


def test_rules_approve_modify_and_reject_and_the_record_says_so(
    play: Any, words: Any, bubblewrap: Any
) -> None:
    rules = read_rules(
        [
            {"tool": "bash", "decision": "reject", "matches": "rm ", "reason": "nothing is removed"},
            {
                "tool": "bash",
                "decision": "modify",
                "matches": "sleep",
                "arguments": {"command": "echo instead"},
            },
            {"tool": "edi*", "decision": "escalate", "agent": "cod?r"},
        ]
    )
    answers = [
        call("bash", command="rm notes.txt"),
        "I wait. " + call("bash", command="sleep 9") + call("bash", command="cat notes.txt"),
        call("edit", name="notes.txt", old="to do", new="done"),
        "```tool\nrm -r /\n```",
    ]
    record, heard = played(play, words, bubblewrap, rules, answers)
    assert heard[0] == "the call was refused: nothing is removed"
    assert heard[1] == "[bash]\nexit code 0\ninstead\n\n[bash]\nexit code 0\nto do\n"
    assert heard[2] == "the call was refused: escalated, and nobody was there to decide"
    assert heard[3].startswith("the call was refused: error: not a call")
    rulings = [[(ruling.decision, ruling.by) for ruling in turn.rulings] for turn in record.turns]
    assert rulings == [
        [("reject", "rule 1")],
        [("modify", "rule 2"), ("approve", "no rule")],
        [("reject", "rule 3")],
        [],
        [],
    ]
    assert record.turns[1].answer == answers[1]  # what the executor said; the script heard another call
    plain = json.loads(record.to_json())
    assert plain["turns"][1]["rulings"][0]["instead"] == {"command": "echo instead"}


def test_terminate_ends_the_episode_without_a_grade(play: Any, words: Any, bubblewrap: Any) -> None:
    rules = Rules([Rule("*", "terminate", matches="secret", reason="no secrets")])
    record, heard = played(play, words, bubblewrap, rules, [call("bash", command="cat secret")])
    assert (record.stop, record.error, heard) == (StopReason.TERMINATED, "bash: no secrets", [])
    assert record.grade.score == 0.0
    assert not words.graded
    assert record.turns[0].rulings[0].decision == "terminate"


def test_what_one_escalates_the_next_decides() -> None:
    asked = []

    def person(ruled: ToolCall) -> Ruling:
        asked.append(ruled)
        return Ruling(ruled.name, ruled.arguments, "approve", "person")

    both = chain(Rules([Rule("bash", "escalate")]), person)
    text = call("bash", command="ls")
    assert judged(text, "coder", both) == (text, (Ruling("bash", {"command": "ls"}, "approve", "person"),))
    assert asked == [ToolCall("coder", "bash", {"command": "ls"})]
    judged(call("edit"), "coder", both)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("approve", "a list of tables"),
        ([{"tool": "bash"}], "rule 1 needs 'tool' and 'decision'"),
        ([{"tool": "bash", "decision": "allow"}], "no decision 'allow'"),
        ([{"tool": "bash", "decision": "reject", "when": 1}], "may have agent, arguments"),
        ([{"tool": "bash", "decision": "reject", "matches": "("}], "no regular expression"),
    ],
)
def test_wrong_rules_are_named(rules: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_rules(rules)
