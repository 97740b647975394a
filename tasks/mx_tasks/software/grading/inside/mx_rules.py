"""When an answer is the one that was wanted: the rules of the published harnesses, stated anew. See ``docs/software-verdicts.md``.

``alike`` and ``same_output`` are our own, for benchmarks without a rule. All others are called as their benchmarks are.
"""

import decimal
import math
import re
from typing import Any, Callable, List, Optional, Tuple

NUMBER = re.compile(
    r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.ASCII | re.IGNORECASE
)
WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


def alike(got: Any, want: Any, within: float = 1e-6) -> bool:
    """Whether a value is the wanted one, with tuples taken for lists and floats within a distance."""
    if isinstance(got, (list, tuple)) and isinstance(want, (list, tuple)):
        return len(got) == len(want) and all(alike(one, other, within) for one, other in zip(got, want))
    if float in (type(got), type(want)) and {type(got), type(want)} <= {int, float}:
        return bool(got == want or abs(got - want) <= within)
    return bool(got == want)


def same_output(got: Any, want: str) -> bool:
    """Whether a program printed what was wanted: line by line but for spaces around, or word by word with numbers to 1e-6."""
    return _lines_or_words(got, want, same_word)


def same_word(got: str, want: str) -> bool:
    """Whether two words are the same, or the same number where one of them is written with a point."""
    if got == want:
        return True
    if "." not in got + want:
        return False
    numbers = _numbers(got, want)
    return numbers is not None and abs(numbers[0] - numbers[1]) <= 1e-6 * max(1.0, abs(numbers[1]))


def apps_output(got: Any, want: str) -> bool:
    """APPS: the same text but for spaces around, or the same words, numbers as NumPy's ``allclose`` has them or to three decimals.

    The harness takes the words of a line in any order, and each as often as one likes; that is not taken over: it passes programs
    that are wrong.
    """
    return _lines_or_words(got, want, _apps_word)


def _apps_word(got: str, want: str) -> bool:
    if got == want:
        return True
    numbers = _numbers(got, want)
    if numbers is None:
        return False
    one, other = numbers
    if WHOLE.fullmatch(got) and WHOLE.fullmatch(want):
        return int(got) == int(want)
    if not (math.isfinite(one) and math.isfinite(other)):
        return one == other
    return abs(one - other) <= 1e-8 + 1e-5 * abs(other) or round(one, 3) == round(other, 3)


def contest_output(got: Any, want: str) -> bool:
    """CodeContests: the same words in whatever case, numbers to 1e-5; whole numbers exactly, of whatever size."""
    if not isinstance(got, str):
        return bool(got == want)
    words, others = (_lowered(text) for text in (got, want))
    return len(words) == len(others) and (words == others or all(map(_contest_word, words, others)))


def _lowered(text: str) -> List[str]:
    """Words between ASCII's spaces, with ASCII's capital letters made small."""
    small = re.sub("[A-Z]", lambda found: found.group().lower(), text)
    return [word for word in re.split("[ \n\t\r\v]", small) if word]


def _contest_word(got: str, want: str) -> bool:
    numbers = _numbers(got, want)
    if got == want or numbers is None:  # the first for what is infinite
        return got == want
    if WHOLE.fullmatch(got) and WHOLE.fullmatch(want):
        return int(got) == int(want)
    return abs(numbers[0] - numbers[1]) < 1e-5


def live_output(got: Any, want: str) -> bool:
    """LiveCodeBench: as many lines, each the same but for spaces around, or the same numbers exactly, as decimals."""
    if not isinstance(got, str):
        return bool(got == want)
    lines, others = ([line.strip() for line in text.strip().split("\n")] for text in (got, want))
    return len(lines) == len(others) and all(map(_live_line, lines, others))


def _live_line(got: str, want: str) -> bool:
    if got == want:
        return True
    try:
        return [decimal.Decimal(word) for word in got.split()] == [
            decimal.Decimal(word) for word in want.split()
        ]
    except decimal.InvalidOperation:
        return False


def live_value(got: Any, want: Any) -> bool:
    """LiveCodeBench's functions: ``==``, with a tuple taken for a list."""
    return bool((list(got) if isinstance(got, tuple) else got) == want)


def apps_value(got: Any, want: Any) -> bool:
    """APPS' functions: ``==`` with what is wanted, or with what that is wrapped in; a tuple, or tuples in a list, are lists.

    The harness takes the first of several, too. That is not taken over: the first item of a wanted list is no answer.
    """
    value = list(got) if isinstance(got, tuple) else got
    if value == want:
        return True
    if not isinstance(want, list) or len(want) != 1:
        return False
    if value == want[0]:
        return True
    rows = isinstance(value, list) and bool(value) and isinstance(value[0], tuple)
    try:
        return rows and [list(row) for row in value] == want[0]
    except TypeError:
        return False


def _lines_or_words(got: Any, want: str, same: "Callable[[str, str], bool]") -> bool:
    if not isinstance(got, str):
        return bool(got == want)
    lines, wanted = ([line.strip() for line in text.strip().splitlines()] for text in (got, want))
    if lines == wanted:
        return True
    words, others = got.split(), want.split()
    return len(words) == len(others) and all(map(same, words, others))


def _numbers(got: str, want: str) -> "Optional[Tuple[float, float]]":
    """Both words as numbers; None where one is none."""
    if not (NUMBER.fullmatch(got) and NUMBER.fullmatch(want)):
        return None
    return float(got), float(want)
