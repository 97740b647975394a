"""Integer formulas as trees: generation, prefix notation, Python text, and the skeleton by which splits are made."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass

from mx_tasks.task import Split

OPERATORS = {"*": 5, "+": 4, "-": 4, "&": 3, "^": 2, "|": 1}
"""Binary operators of the formulas with Python's precedence, higher binds tighter."""

COMMUTATIVE = frozenset("*+&^|")
NAMES = ("a", "b", "c", "d")

SPLIT_BUCKETS: dict[Split, frozenset[int]] = {
    "train": frozenset(range(3, 10)),
    "validation": frozenset({2}),
    "test": frozenset({0, 1}),
}
"""Which of the ten skeleton buckets belong to each split: a formula's operator tree is in one split only."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A variable (no children) or a binary operator over two formulas."""

    symbol: str
    left: Formula | None = None
    right: Formula | None = None

    def children(self) -> tuple[Formula, Formula] | None:
        """Both operands, or None for a variable."""
        if self.left is None or self.right is None:
            return None
        return self.left, self.right


def random_formula(rng: random.Random, operators: int) -> Formula:
    """A formula with that many operators; its shape is drawn by splitting the operators left and right uniformly."""
    if operators == 0:
        return Formula(rng.choice(NAMES))
    left = rng.randrange(operators)
    return Formula(
        rng.choice(tuple(OPERATORS)), random_formula(rng, left), random_formula(rng, operators - 1 - left)
    )


def prefix(formula: Formula) -> str:
    """Polish notation: ``* + a b c`` for ``(a + b) * c``."""
    children = formula.children()
    if children is None:
        return formula.symbol
    return f"{formula.symbol} {prefix(children[0])} {prefix(children[1])}"


def parse_prefix(text: str) -> Formula:
    """The formula of a text in Polish notation. Raises ValueError when it is none."""
    symbols = iter(text.split())

    def parse() -> Formula:
        symbol = next(symbols, None)
        if symbol in NAMES:
            return Formula(symbol)
        if symbol in OPERATORS:
            return Formula(symbol, parse(), parse())
        raise ValueError(f"not a formula in prefix notation: {text!r}")

    formula = parse()
    if next(symbols, None) is not None:
        raise ValueError(f"symbols left over after the formula: {text!r}")
    return formula


def needs_parentheses(child: Formula, parent: str, *, is_right: bool) -> bool:
    """Whether an operand must stand in parentheses for Python to read it as this operand."""
    if child.children() is None:
        return False
    inner, outer = OPERATORS[child.symbol], OPERATORS[parent]
    if inner == outer:
        return is_right and not (child.symbol == parent and parent in COMMUTATIVE)
    return inner < outer


def python(formula: Formula) -> str:
    """The formula as a Python expression with no more parentheses than needed."""
    children = formula.children()
    if children is None:
        return formula.symbol
    texts = []
    for child, is_right in zip(children, (False, True), strict=True):
        text = python(child)
        texts.append(f"({text})" if needs_parentheses(child, formula.symbol, is_right=is_right) else text)
    return f"{texts[0]} {formula.symbol} {texts[1]}"


def evaluate(formula: Formula, values: tuple[int, ...]) -> int:
    """The formula's value for values of ``a, b, c, d``."""
    children = formula.children()
    if children is None:
        return values[NAMES.index(formula.symbol)]
    left, right = (evaluate(child, values) for child in children)
    match formula.symbol:
        case "*":
            return left * right
        case "+":
            return left + right
        case "-":
            return left - right
        case "&":
            return left & right
        case "^":
            return left ^ right
        case _:
            return left | right


def skeleton(formula: Formula) -> str:
    """The operator tree without its variables, operands of commutative operators in a fixed order.

    Formulas that differ only in variables or in the order of commutative operands share it, so that a split by skeleton keeps
    them on one side.
    """
    children = formula.children()
    if children is None:
        return "x"
    operands = [skeleton(child) for child in children]
    if formula.symbol in COMMUTATIVE:
        operands.sort()
    return f"({formula.symbol}{operands[0]}{operands[1]})"


def skeleton_bucket(formula: Formula) -> int:
    """A number from 0 to 9 that depends on the skeleton alone."""
    return int.from_bytes(hashlib.sha256(skeleton(formula).encode()).digest()[:8], "big") % 10
