"""Scripted demonstrators for the micro software family: imperfect on purpose, so that there is something left to learn.

The executor's demonstrator translates prefix notation into Python like a hurried programmer who is unsure of the precedence of
``&``, ``^`` and ``|``: where Python needs parentheses around or inside them it leaves them out more often than not, elsewhere now
and then, and sometimes it swaps the operands of a subtraction. A small model that learns from it adds mistakes of its own.
The designer's demonstrator writes a random workflow over :mod:`mas`, good ones and wasteful ones alike.
"""

from __future__ import annotations

import random
import re

from mx_tasks.formula import Formula, needs_parentheses, parse_prefix

FORGET_PARENTHESES = {"arithmetic": 0.3, "bitwise": 0.55}
"""How often needed parentheses are left out, by whether a bitwise operator is inside or outside of them."""
SWAP_OPERANDS = 0.05
QUESTION_LINE = re.compile(r"^\d+\. ([-*+&^| a-d]+)$", re.MULTILINE)

ROLE = "Write Python."
IMPORT = "from mas import *"
CODER = f'coder = Agent("coder", "{ROLE}")'
WHOLE_TASK = 0.5
SOLVERS = {"{agent}": 0.55, "best_of({agent}, {what}, {count})": 0.3, "vote({agent}, {what}, {count})": 0.15}
"""A novice's habits: how often the whole task is asked for at once, and how often a prompt is worked on in each way."""


def understands(prompt: str) -> bool:
    """Whether it is a prompt of this family."""
    return QUESTION_LINE.search(prompt) is not None


def answer(question: str, rng: random.Random) -> str:
    """Python for each formula of the question, one a line, with a hurried programmer's mistakes."""
    return "\n".join(hurried_python(parse_prefix(text), rng) for text in QUESTION_LINE.findall(question))


def hurried_python(formula: Formula, rng: random.Random) -> str:
    """A Python expression that means to be the formula."""
    children = formula.children()
    if children is None:
        return formula.symbol
    texts = []
    for child, is_right in zip(children, (False, True), strict=True):
        text = hurried_python(child, rng)
        kind = "bitwise" if {child.symbol, formula.symbol} & set("&^|") else "arithmetic"
        if (
            needs_parentheses(child, formula.symbol, is_right=is_right)
            and rng.random() > FORGET_PARENTHESES[kind]
        ):
            text = f"({text})"
        texts.append(text)
    if formula.symbol == "-" and rng.random() < SWAP_OPERANDS:
        texts.reverse()
    return f"{texts[0]} {formula.symbol} {texts[1]}"


def design(rng: random.Random) -> str:
    """A random design: the whole task at once or split, one draft or several."""
    solver = rng.choices(list(SOLVERS), list(SOLVERS.values()))[0]
    count = rng.randint(2, 5)
    if rng.random() < WHOLE_TASK:
        body = solver.format(agent="coder", what="task", count=count)
        body = "coder(task)" if body == "coder" else body
    else:
        body = solver.format(agent="coder", what="part", count=count)
        body = "split(coder)" if body == "coder" else f"split(lambda part: {body})"
    return "\n".join([IMPORT, CODER, f"submit({body})"])
