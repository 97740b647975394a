"""Approvers by name, as the command line spells them: files of rules, and the person at the terminal."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from mx_agents.errors import UsageError
from mx_agents.terminal import visible
from mx_envs.episode.approval import Approver, Decision, Ruling, ToolCall, chain, read_rules

EXAMPLE = "- {tool: bash, decision: reject}"


def load_approver(spec: str) -> Approver:
    """Who decides: YAML files of rules and ``human``, separated by commas; each gets what those before it escalate.

    Raises UsageError.
    """
    return chain(*(_one(name.strip()) for name in spec.split(",")))


def _one(name: str) -> Approver:
    if name == "human":
        return ask_person
    path = Path(name)
    if not path.is_file():
        raise UsageError(
            f"there are no approval rules {name!r}; an approver is a YAML file of rules, or human"
        )
    try:
        return read_rules(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{name} holds no approval rules: {error}; such as: {EXAMPLE}") from None


_at_the_terminal = threading.Lock()


def ask_person(call: ToolCall) -> Ruling:
    """Show a call at the terminal and ask, one at a time; the end of input rejects."""
    with _at_the_terminal:
        return _ask(call)


def _ask(call: ToolCall) -> Ruling:
    screen = Console(highlight=False)
    text = json.dumps(dict(call.arguments), ensure_ascii=False, indent=1)
    screen.print(Text(f"\n{visible(call.agent)} calls {visible(call.name)} {visible(text)}", style="bold"))
    try:
        while True:
            key = screen.input("a approve, m modify, r reject, t terminate: ").strip().lower()[:1]
            if key == "m":
                changed = _changed(screen.input("arguments in JSON: "), screen)
                if changed is not None:
                    return Ruling(call.name, call.arguments, "modify", "human", "", changed)
            elif key == "a":
                return Ruling(call.name, call.arguments, "approve", "human")
            elif key in ("r", "t"):
                decision: Decision = "reject" if key == "r" else "terminate"
                return Ruling(call.name, call.arguments, decision, "human", screen.input("why: ").strip())
    except EOFError:
        return Ruling(call.name, call.arguments, "reject", "human", "nobody answered")


def _changed(text: str, screen: Console) -> dict[str, object] | None:
    try:
        changed = json.loads(text)
    except ValueError as error:
        screen.print(Text(f"no JSON: {error}"))
        return None
    if not isinstance(changed, dict):
        screen.print("arguments are an object")
        return None
    return changed
