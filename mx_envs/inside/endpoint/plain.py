"""JSON that anybody may have sent: a plain value of bounded depth, or one error."""

from __future__ import annotations

import json
import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEEPEST = 100


class NotPlain(ValueError):  # noqa: N818  what a client is told
    """It is no JSON, or none that anybody needs; the message says why."""


def read_json(data: bytes | str) -> Any:
    """The value. Raises NotPlain, and nothing else whatever the bytes."""
    try:
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    except UnicodeDecodeError:
        raise NotPlain("it is not UTF-8") from None
    except RecursionError:
        raise NotPlain(f"it is deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise NotPlain(str(error)[:200]) from None
    # lists and objects are counted first: few texts have so many that one could be too deep
    if text.count("[") + text.count("{") > DEEPEST and is_deeper(value, DEEPEST):
        raise NotPlain(f"it is deeper than {DEEPEST} levels")
    return value


def is_deeper(value: Any, most: int) -> bool:
    """Whether lists and objects are nested deeper than that."""
    level = [value]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return bool(level)


def _inside(value: Any) -> list[Any]:
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [inner for inner in found if isinstance(inner, (dict, list))]


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON's")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number is too large")
    return number
