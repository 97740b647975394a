"""Which model plays which role: one table from roles to targets.

======================  ==============================================================================================
role                    ``designer``, ``executor`` (every agent of a design), or a pattern of agents' names (``critic*``)
target                  what plays it
======================  ==============================================================================================
a name of your own      weights that learn; roles with the same name share them and are told apart by their prompts
``frozen``              the weights that training starts from, as they are
a policy                ``openai:MODEL@URL``, ``hf:PATH``, ``FILE.py:NAME``, ``scripted``, ...: acts and does not learn
``method:NAME``         the designer alone: a fixed workflow (``method:debate``) or a method of your own
======================  ==============================================================================================

The weights of a name are a whole model, or with ``model.lora_rank`` an adapter on the one base. The first pattern that fits an
agent's name in the design decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

DESIGNER, EXECUTOR = "designer", "executor"
DEFAULT = {DESIGNER: DESIGNER, EXECUTOR: EXECUTOR}
FROZEN = "frozen"
METHOD = "method:"

Kind = Literal["designer", "executor", "both"]
"""What weights are for, which decides what micro models are warm-started on."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_POLICIES = ("scripted", "random", "human")


@dataclass(frozen=True, slots=True)
class Target:
    """What plays a role: ``what`` it is, and the weights' name or the spec."""

    what: Literal["learns", "frozen", "policy", "method"]
    name: str


def target_of(role: str, text: str) -> Target:
    """The target that a text means for a role. Raises ValueError for what is none."""
    if text.startswith(METHOD):
        if role != DESIGNER:
            raise ValueError(f"{text!r} writes designs; it can play the designer, not {role!r}")
        return Target("method", text.removeprefix(METHOD))
    if text == FROZEN:
        return Target("frozen", DESIGNER if role == DESIGNER else EXECUTOR)
    if ":" in text or text in _POLICIES or text.endswith(".py"):
        return Target("policy", text)
    if _NAME.fullmatch(text):
        return Target("learns", text)
    raise ValueError(
        f"{text!r} cannot play {role!r}: name weights that learn (letters, digits, - and _), frozen, a policy such as "
        "openai:MODEL@URL, or method:NAME"
    )


def targets(table: Mapping[str, str]) -> dict[str, Target]:
    """The targets of a table, ``designer`` and ``executor`` first. Raises ValueError."""
    return {role: target_of(role, text) for role, text in (DEFAULT | dict(table)).items()}


def weights(table: Mapping[str, str]) -> dict[str, Kind]:
    """The weights that learn, by name, and what each is for."""
    found: dict[str, Kind] = {}
    for role, target in targets(table).items():
        if target.what == "learns":
            kind: Kind = "designer" if role == DESIGNER else "executor"
            known = found.get(target.name, kind)
            found[target.name] = kind if known == kind else "both"
    return found


def role_of(agent: str, roles: Iterable[str]) -> str:
    """The role that plays an agent of that name in the design."""
    patterns = (role for role in roles if role not in DEFAULT)
    return next((pattern for pattern in patterns if fnmatchcase(agent, pattern)), EXECUTOR)
