"""A case of the corpus: a reference, answers that mean the same, answers that do not; each in several widths and reset styles.

In the texts ``@W`` is the width, ``@M`` the width less one, ``@H`` half of it; ``@FF`` the sensitivity list of a register with the reset
and ``@R`` the condition that is true in reset; ``@OTHER`` is the list of the other kind of reset (a synchronous one where it
should wait for no clock, and the other way round), ``@PLAIN`` the list without the reset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Style:
    """How a reset is spelt: its port, its active level, and whether it waits for the clock."""

    port: str
    level: int
    waits: bool

    @property
    def name(self) -> str:
        """The style in words."""
        return f"{'sync' if self.waits else 'async'} {'high' if self.level else 'low'}"

    def filled(self, text: str) -> str:
        """The text in this style."""
        edge = f" or {'posedge' if self.level else 'negedge'} {self.port}"
        lists = ("posedge clk", f"posedge clk{edge}")
        own, other = lists if self.waits else lists[::-1]
        active = self.port if self.level else f"!{self.port}"
        words = {"@FF": own, "@OTHER": other, "@PLAIN": "posedge clk", "@RST": self.port, "@R": active}
        for word, meaning in words.items():
            text = text.replace(word, meaning)
        return text


STYLES = (
    Style("rst", 1, True),
    Style("arst_n", 0, False),
    Style("rst_n", 0, True),
    Style("areset", 1, False),
)


@dataclass(frozen=True)
class Case:
    """``ports`` without clock and reset, which ``clocked`` puts first; bodies of the reference, of right and of wrong answers.

    ``before`` in a body, parted by a line ``----``, stands in front of the module. A body that has ``@OTHER`` differs from
    the reference by the kind of its reset.
    """

    name: str
    ports: str
    reference: str
    right: dict[str, str]
    wrong: dict[str, str]
    widths: tuple[int, ...] = (4,)
    clocked: bool = True
    styles: tuple[Style, ...] = field(default=STYLES)


@dataclass(frozen=True)
class Written:
    """A case at one width and in one style of reset: all texts whole, under the names RefModule and TopModule."""

    name: str
    reset: tuple[str, int]
    reference: str
    right: dict[str, str]
    wrong: dict[str, str]


def written(case: Case) -> Iterator[Written]:
    """The case at each width, and in each style where it has a clock."""
    for width in case.widths:
        for style in case.styles if case.clocked else (None,):
            yield _written(case, width, style)


def _written(case: Case, width: int, style: Style | None) -> Written:
    def whole(top: str, body: str) -> str:
        before, parted, inside = body.rpartition("\n----\n")
        ports = f"input clk, input @RST, {case.ports}" if style else case.ports
        text = f"{before}{parted and chr(10)}module {top}({ports});\n{inside}\nendmodule\n"
        for word, value in (("@W", width), ("@M", width - 1), ("@H", width // 2)):
            text = re.sub(rf"{word}(?![A-Z])", str(value), text)
        return style.filled(text) if style else text

    return Written(
        f"{case.name}, {width} bits" + (f", {style.name}" if style else ""),
        (style.port, style.level) if style else ("", 1),
        whole("RefModule", case.reference),
        {way: whole("TopModule", body) for way, body in case.right.items()},
        {way: whole("TopModule", body) for way, body in case.wrong.items()},
    )


def at(case: Case, *widths: int) -> Case:
    """The case at other widths."""
    return replace(case, widths=widths)
