"""The little of pytest that tests of single functions use: ``raises``, ``approx``, ``skip`` and ``mark.parametrize``."""

import math
from typing import Any, Callable, Dict, Iterator, List, Tuple

use_correct = True
run_slow = False


class Skipped(BaseException):
    """A test that does not want to be run."""


def skip(reason: str = "", **_: Any) -> None:
    """End a test without a verdict."""
    raise Skipped(reason)


def fail(reason: str = "", **_: Any) -> None:
    """End a test that failed."""
    raise AssertionError(reason)


class raises:  # noqa: N801  pytest's own name
    """``with raises(Error):`` as in pytest; ``match`` is searched in the message."""

    def __init__(self, expected: Any, match: Any = None) -> None:
        self.expected, self.match, self.value = expected, match, None

    def __enter__(self) -> "raises":
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        import re

        if kind is None:
            raise AssertionError("did not raise %r" % (self.expected,))
        if not issubclass(kind, self.expected):
            return False
        self.value = error
        if self.match is not None and not re.search(self.match, str(error)):
            raise AssertionError("%r is not in %r" % (self.match, str(error)))
        return True


class approx:  # noqa: N801  pytest's own name
    """A number, or a list or dict of numbers, with a tolerance as in pytest."""

    def __init__(self, expected: Any, rel: Any = None, abs: Any = None, nan_ok: bool = False) -> None:  # noqa: A002
        self.expected, self.rel, self.abs, self.nan_ok = expected, rel, abs, nan_ok

    def __eq__(self, actual: object) -> bool:
        return self._near(actual, self.expected)

    def _near(self, actual: Any, expected: Any) -> bool:
        if isinstance(expected, dict):
            return (
                isinstance(actual, dict)
                and actual.keys() == expected.keys()
                and all(self._near(actual[key], expected[key]) for key in expected)
            )
        if isinstance(expected, (list, tuple)):
            return (
                isinstance(actual, (list, tuple))
                and len(actual) == len(expected)
                and all(map(self._near, actual, expected))
            )
        if actual == expected:
            return True
        if not isinstance(expected, (int, float)) or isinstance(actual, (str, bytes, type(None))):
            return False
        if math.isnan(expected):
            return bool(self.nan_ok and math.isnan(actual))
        if math.isinf(expected):
            return False
        least = 1e-12 if self.abs is None else self.abs
        share = 0.0 if self.rel is None and self.abs is not None else 1e-6 if self.rel is None else self.rel
        return bool(abs(actual - expected) <= max(least, share * abs(expected)))

    __hash__ = None  # type: ignore[assignment]


class _Mark:
    def parametrize(self, names: Any, values: Any, **_: Any) -> Callable[[Any], Any]:
        """Run the test once for each of the values."""
        words = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)

        def mark(function: Any) -> Any:
            function.mx_cases = [*getattr(function, "mx_cases", []), (words, list(values))]
            return function

        return mark

    def __getattr__(self, name: str) -> Any:
        raise AttributeError("pytest.mark.%s is not known to the judge of single functions" % name)


mark = _Mark()


def cases(function: Any) -> "Iterator[Tuple[str, Dict[str, Any]]]":
    """The ending of the id, and the arguments, of each case of a test."""
    marks: "List[Tuple[List[str], List[Any]]]" = getattr(function, "mx_cases", [])
    if not marks:
        yield "", {}
        return
    rows: "List[Dict[str, Any]]" = [{}]
    for names, values in marks:
        rows = [
            {**row, **(dict(zip(names, value)) if len(names) > 1 else {names[0]: value})}
            for row in rows
            for value in values
        ]
    for number, row in enumerate(rows):
        yield "[%d]" % number, row
