"""Designs that are nearly right: one operator, number or edge changed, or one of the dice that made the design turned."""

from __future__ import annotations

import random
import re

from mx_tasks.hardware.generate.spec import Spec, second_design, table_design

SWAPS = {
    "&": "|",
    "|": "&",
    "^": "&",
    "+": "-",
    "-": "+",
    "==": "!=",
    "<": ">",
    ">": "<",
    "~": "",
    "!": "",
    "posedge": "negedge",
}
_PLACES = re.compile(r"posedge|==|(?<![<=!>])[<>](?![<=>])|[&|^+~!-](?![=])|'d\d+")


def mutants(text: str, rng: random.Random, count: int) -> list[str]:
    """Up to ``count`` texts, each with one operator, number or edge changed; some may do the same as the text."""
    loops = [
        found.span() for found in re.finditer(r"for \([^)]*\)", text)
    ]  # a loop that never ends is no design
    places = [
        found
        for found in _PLACES.finditer(text)
        if found.start() > text.index(");") and not any(a < found.start() < b for a, b in loops)
    ]
    rng.shuffle(places)
    made = []
    for found in places[:count]:
        old = found.group()
        new = f"'d{int(old[2:]) ^ 1}" if old.startswith("'d") else SWAPS[old]
        made.append(text[: found.start()] + new + text[found.end() :])
    return made


def mutants_of(spec: Spec, rng: random.Random, count: int) -> list[str]:
    """Mutants of both golden designs, the last fifth of them with two changes; none twice."""
    share = 2 * count // 5
    found = [*mutants(table_design(spec), rng, share), *mutants(second_design(spec), rng, share)]
    twice = [again for text in rng.sample(found, len(found)) for again in mutants(text, rng, 1)]
    return list(dict.fromkeys([*found, *twice]))[:count]
