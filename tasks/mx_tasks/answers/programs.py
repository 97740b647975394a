"""Find the program in what a model wrote."""

from __future__ import annotations

import re

_FENCED = re.compile(
    r"^[ \t]*```[ \t]*(?:python|py)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.IGNORECASE | re.MULTILINE
)


def fenced_python(answer: str) -> str | None:
    """The last fenced python block of an answer, None where there is none; a block cut off at the end counts."""
    blocks = _FENCED.findall(answer.replace("\r\n", "\n"))
    return str(blocks[-1]) if blocks else None
