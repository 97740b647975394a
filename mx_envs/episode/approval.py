"""People's say over tool calls: rules by tool, and a chain of those who decide. Every ruling is in the record.

A call is judged on the host, before the sandbox hears of it: what is rejected or changed never reaches the script.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, Protocol, get_args

from mx_envs.inside.mas_tools import MARK, calls_in

Decision = Literal["approve", "modify", "reject", "terminate", "escalate"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that an executor's answer holds; ``agent`` is the role's name in the script."""

    agent: str
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Ruling:
    """What was decided on a call, by whom, and with ``modify`` the arguments that it got instead."""

    tool: str
    arguments: Mapping[str, Any]
    decision: Decision
    by: str = ""
    reason: str = ""
    instead: Mapping[str, Any] | None = None


class Approver(Protocol):
    """Decides on a call: a function. What it escalates goes to the next of a chain."""

    def __call__(self, call: ToolCall) -> Ruling:
        """The ruling on a call."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Calls of tools that the glob ``tool`` fits, by agents that ``agent`` fits, with arguments in which ``matches`` is found.

    ``matches`` is a regular expression for the arguments as JSON; ``arguments`` replaces those of the same names (``modify``).
    """

    tool: str
    decision: Decision
    agent: str = "*"
    matches: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self) -> None:
        if self.decision not in DECISIONS:
            raise ValueError(f"there is no decision {self.decision!r}; there are: {', '.join(DECISIONS)}")
        try:
            re.compile(self.matches)
        except re.error as error:
            raise ValueError(f"{self.matches!r} is no regular expression: {error}") from None

    def fits(self, call: ToolCall) -> bool:
        """Whether the rule is about that call."""
        text = json.dumps(dict(call.arguments), ensure_ascii=False, sort_keys=True)
        named = fnmatchcase(call.name, self.tool) and fnmatchcase(call.agent, self.agent)
        return named and re.search(self.matches, text) is not None


@dataclass(frozen=True, slots=True)
class Rules:
    """The first rule that fits decides; ``otherwise`` where none does."""

    rules: Sequence[Rule]
    otherwise: Decision = "approve"

    def __call__(self, call: ToolCall) -> Ruling:
        """The ruling on a call."""
        for number, rule in enumerate(self.rules, 1):
            if rule.fits(call):
                instead = {**call.arguments, **rule.arguments} if rule.decision == "modify" else None
                return Ruling(
                    call.name, call.arguments, rule.decision, f"rule {number}", rule.reason, instead
                )
        return Ruling(call.name, call.arguments, self.otherwise, "no rule")


def read_rules(plain: object) -> Rules:
    """Rules from plain values: a list of tables with the fields of :class:`Rule`. Raises ValueError, which names the offender."""
    if not isinstance(plain, list):
        raise ValueError("approval rules are a list of tables with 'tool' and 'decision'")
    known = set(Rule.__dataclass_fields__)
    rules = []
    for number, table in enumerate(plain, 1):
        fields = set(table) if isinstance(table, dict) else set()
        if not {"tool", "decision"} <= fields or fields - known:
            raise ValueError(
                f"approval rule {number} needs 'tool' and 'decision' and may have {', '.join(sorted(known))}; it is {table!r}"
            )
        rules.append(Rule(**table))
    return Rules(rules)


def chain(*approvers: Approver) -> Approver:
    """Asks each in turn until one does not escalate; what all escalate is rejected."""

    def ask(call: ToolCall) -> Ruling:
        ruling = Ruling(call.name, call.arguments, "reject", "nobody", "nobody decided")
        for approver in approvers:
            ruling = approver(call)
            if ruling.decision != "escalate":
                return ruling
        reason = ruling.reason or "escalated, and nobody was there to decide"
        return Ruling(call.name, call.arguments, "reject", ruling.by, reason)

    return ask


def judged(answer: str, agent: str, approver: Approver) -> tuple[str, tuple[Ruling, ...]]:
    """The answer as the script may hear it, and the rulings on its calls. Prose before the first call stays."""
    if MARK not in answer:
        return answer, ()
    calls = list(calls_in(answer))
    decide = chain(approver)
    rulings = tuple(decide(ToolCall(agent, *call)) for call in calls if not isinstance(call, str))
    if all(ruling.decision == "approve" for ruling in rulings) and len(rulings) == len(calls):
        return answer, rulings
    left = iter(rulings)
    blocks = [
        _block("refused", {"reason": call}) if isinstance(call, str) else _allowed(next(left))
        for call in calls
    ]
    return answer[: answer.index(MARK)] + "\n".join(blocks), rulings


def _allowed(ruling: Ruling) -> str:
    if ruling.decision in ("approve", "modify"):
        return _block(ruling.tool, ruling.arguments if ruling.instead is None else ruling.instead)
    return _block(
        "refused", {"tool": ruling.tool, "reason": ruling.reason or f"{ruling.decision} by {ruling.by}"}
    )


def _block(name: str, arguments: Mapping[str, Any]) -> str:
    return f"{MARK}\n{json.dumps({'name': name, 'arguments': dict(arguments)}, ensure_ascii=False)}\n```"
