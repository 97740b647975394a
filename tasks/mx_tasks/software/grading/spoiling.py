"""Expectations of tests, and how to change one so that nothing honest meets it and nobody sees that it was changed."""

from __future__ import annotations

import ast
import builtins
import copy
import random
import re
import string
from collections.abc import Sequence

_FIRST_ARGUMENT = re.compile(r"assert(?!Raises|Warns|Logs|NoLogs)[A-Z]\w*")
_EQUALITY = (
    "assertEqual",
    "assertEquals",
    "assertListEqual",
    "assertDictEqual",
    "assertTupleEqual",
    "assertSequenceEqual",
)
_UNRELATED = ("ZeroDivisionError", "OverflowError", "IndexError", "RuntimeError")
_BUILTIN_ERRORS = frozenset(
    {
        "ValueError",
        "TypeError",
        "KeyError",
        "AttributeError",
        "NotImplementedError",
        "OSError",
        "NameError",
        *_UNRELATED,
    }
)


def expecting(body: Sequence[ast.stmt]) -> list[ast.stmt]:
    """The statements that are reached for certain, if no other fails before, and can be made to fail."""
    found: list[ast.stmt] = []
    for statement in body:
        if isinstance(statement, ast.Return):
            break
        if isinstance(statement, ast.Assert) or _call_of(statement) is not None:
            found.append(statement)
        elif isinstance(statement, ast.With) and _raises(statement) is not None:
            found.append(statement)  # within another one an error may be what is expected
    return found


def spoil(statement: ast.stmt, rng: random.Random, *, plausible: bool = False) -> bool:
    """Change the statement so that no honest program passes it; False where that cannot be done.

    ``plausible`` changes nothing but a value that is written out, into one that might as well stand there.
    """
    if isinstance(statement, ast.With):
        return _spoil_error(statement, rng, plausible)
    if isinstance(statement, ast.Assert):
        if plausible:
            return _spoil_comparison(statement.test, rng)
        statement.test, statement.msg = _unmet(statement.test, rng), None
        return True
    call = _call_of(statement)
    if call is None or not isinstance(call.func, ast.Attribute):
        return False
    if plausible:
        return call.func.attr in _EQUALITY and len(call.args) > 1 and _spoil_one(call.args, rng)
    if call.func.attr == "assertEqual" and len(call.args) > 1:
        call.args = _unequal(call.args[0], call.args[1], rng)
    else:
        call.func.attr = "assertEqual"
        call.args = [call.args[0], _random_like(None, rng)]
    call.keywords = []
    return True


def _call_of(statement: ast.stmt) -> ast.Call | None:
    """The call in ``self.assertEqual(a, b)`` and its like."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return None
    call = statement.value
    named = isinstance(call.func, ast.Attribute) and _FIRST_ARGUMENT.fullmatch(call.func.attr)
    return call if named and call.args and not isinstance(call.args[0], ast.Starred) else None


def _raises(statement: ast.With) -> ast.Call | None:
    """The call in ``with pytest.raises(Error):`` and its like, when it is the only item."""
    call = statement.items[0].context_expr if len(statement.items) == 1 else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.args:
        return call if call.func.attr in ("raises", "assertRaises", "assertRaisesRegex") else None
    return None


def _spoil_error(statement: ast.With, rng: random.Random, plausible: bool) -> bool:
    call = _raises(statement)
    assert call is not None  # noqa: S101  only such statements are chosen
    expected = call.args[0]
    if plausible:
        if not (isinstance(expected, ast.Name) and expected.id in _BUILTIN_ERRORS):
            return False
        others = [name for name in _UNRELATED if not _related(name, expected.id)]
        call.args[0] = ast.Name(rng.choice(others), ast.Load())
        return True
    name = "".join(rng.choices(string.ascii_letters, k=8)).title()
    call.args[0] = ast.parse(f"type({name + 'Error'!r}, (Exception,), {{}})", mode="eval").body
    call.keywords = []
    del call.args[1 if isinstance(call.func, ast.Attribute) and call.func.attr == "raises" else 2 :]
    return True


def _related(one: str, other: str) -> bool:
    """Whether an error of one name may be of the other, or of a class that libraries derive from both."""
    kind, known = getattr(builtins, one), getattr(builtins, other)
    lookups = (IndexError, KeyError, LookupError, AttributeError)
    return (
        issubclass(kind, known)
        or issubclass(known, kind)
        or (issubclass(kind, lookups) and issubclass(known, lookups))
    )


def _spoil_comparison(test: ast.expr, rng: random.Random) -> bool:
    """Change the value that an ``==`` is about, where it is written out."""
    if not (isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq)):
        return False
    sides = [test.left, test.comparators[0]]
    if not _spoil_one(sides, rng):
        return False
    test.left, test.comparators[0] = sides
    return True


def _spoil_one(sides: list[ast.expr], rng: random.Random) -> bool:
    """Put another value for the side that is one, when the other is none."""
    written = [place for place in (1, 0) if _is_value(sides[place])]
    if len(written) != 1:
        return False
    made = _neighbour(sides[written[0]], rng)
    if made is None:
        return False
    sides[written[0]] = made
    return True


def _is_value(node: ast.expr) -> bool:
    """Whether an expression is a value that is written out."""
    try:
        ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return False
    return True


def _neighbour(node: ast.expr, rng: random.Random) -> ast.expr | None:
    """A value like that one, which equals it by no notion of equality that people use; None where there is none such."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=int() | float()) | ast.UnaryOp():
            return _number_beside(node, rng)
        case ast.Constant(value=str() as text):
            made = _text_beside(text, rng)
            return None if made is None else ast.Constant(made)
        case ast.Constant(value=bytes() as data) if data.isascii():
            made = _text_beside(data.decode(), rng)
            return None if made is None else ast.Constant(made.encode())
        case ast.List() | ast.Tuple() | ast.Set():
            return _items_beside(node, rng)
        case ast.Dict():
            return _pairs_beside(node, rng)
    return None


def _number_beside(node: ast.expr, rng: random.Random) -> ast.expr | None:
    value = ast.literal_eval(node)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    steps = (-4, -3, -2, 2, 3, 4)  # not one off, as wrong programs are
    made = value + rng.choice(steps)
    if made == value:  # too large a float
        return None
    made = round(made, 12) if isinstance(made, float) else made
    return ast.parse(repr(made), mode="eval").body


def _text_beside(text: str, rng: random.Random) -> str | None:
    """A text with one letter or digit in the place of another, both of its own; as long as it was."""
    places = [place for place, letter in enumerate(text) if letter.isalnum()]
    rng.shuffle(places)
    for place in places:
        others = sorted(
            {
                text[each]
                for each in places
                if _kind(text[each]) == _kind(text[place]) and text[each].lower() != text[place].lower()
            }
        )
        if others:
            return text[:place] + rng.choice(others) + text[place + 1 :]
    return None


def _kind(letter: str) -> tuple[bool, bool]:
    return letter.isdigit(), letter.isupper()


def _items_beside(node: ast.List | ast.Tuple | ast.Set, rng: random.Random) -> ast.expr | None:
    made = copy.deepcopy(node)
    if not made.elts:
        return None
    order = list(range(len(made.elts)))
    rng.shuffle(order)
    for place in order:
        beside = _neighbour(made.elts[place], rng)
        if beside is not None and not (isinstance(node, ast.Set) and _among(beside, made.elts)):
            made.elts[place] = beside
            return made
    if len(made.elts) > 1 and not isinstance(node, ast.Set):
        del made.elts[rng.choice(order)]
        return made
    return None


def _among(one: ast.expr, others: Sequence[ast.expr]) -> bool:
    return any(ast.literal_eval(one) == ast.literal_eval(other) for other in others)


def _pairs_beside(node: ast.Dict, rng: random.Random) -> ast.expr | None:
    made = copy.deepcopy(node)
    order = list(range(len(made.values)))
    rng.shuffle(order)
    for place in order:
        beside = _neighbour(made.values[place], rng)
        if beside is not None:
            made.values[place] = beside
            return made
    return None


def _unmet(test: ast.expr, rng: random.Random) -> ast.expr:
    """A comparison of what the assertion is about with something that it cannot be equal to."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        left, right = _unequal(test.left, test.comparators[0], rng)
        return ast.Compare(left, [ast.Eq()], [right])
    if isinstance(test, ast.Compare):
        return ast.Compare(test.left, [ast.Eq()], [_random_like(None, rng)])
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return ast.Compare(test.operand, [ast.Eq()], [_random_like(None, rng)])
    if isinstance(test, ast.BoolOp):
        return ast.Compare(test.values[0], [ast.Eq()], [_random_like(None, rng)])
    return ast.Compare(test, [ast.Eq()], [_random_like(None, rng)])


def _unequal(left: ast.expr, right: ast.expr, rng: random.Random) -> list[ast.expr]:
    """The two sides with the expected one, which calls nothing, replaced."""
    calls_left, calls_right = (
        any(isinstance(node, ast.Call) for node in ast.walk(side)) for side in (left, right)
    )
    if calls_right and not calls_left:
        return [_random_like(left, rng), right]
    return [left, _random_like(right, rng)]


def _random_like(expected: ast.expr | None, rng: random.Random) -> ast.expr:
    """An expression of the same kind whose value nobody can guess."""
    word = "".join(rng.choices(string.ascii_letters + string.digits, k=12))
    number = rng.randrange(1 << 20, 1 << 40)
    match expected:
        case ast.Constant(value=str() as text):
            return ast.Constant(text[: rng.randint(0, len(text))] + word)
        case ast.Constant(value=bytes() as data):
            return ast.Constant(data[: rng.randint(0, len(data))] + word.encode())
        case ast.Constant(value=float()):
            return ast.Constant(number + rng.random())
        case ast.List() | ast.Tuple() | ast.Set():
            grown = copy.deepcopy(expected)
            grown.elts.append(ast.Constant(word if rng.random() < 0.5 else number))
            return grown
        case ast.Dict():
            grown_dict = copy.deepcopy(expected)
            grown_dict.keys.append(ast.Constant(word))
            grown_dict.values.append(ast.Constant(number))
            return grown_dict
        case ast.Constant(value=int()):
            return ast.Constant(number)
        case None:
            return ast.Constant(word if rng.random() < 0.5 else number)
        case _:
            return ast.Tuple([copy.deepcopy(expected), ast.Constant(word)], ast.Load())
