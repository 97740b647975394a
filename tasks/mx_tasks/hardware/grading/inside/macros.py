"""Runs inside the grading sandbox: compiler directives, done here, so that what is checked is what the tools then read.

As for a synthesiser: ``SYNTHESIS`` is defined, and what stands between ``translate_off`` and ``translate_on`` comments is not
there. No file is ever included.
"""

import re
from typing import Dict, List, NamedTuple, Optional, Tuple

LONGEST = 2_000_000
MOST_EXPANSIONS = 100_000
COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|//[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
SWITCH = re.compile(
    r"^(?://|/\*)\s*(?:synopsys|synthesis|pragma|cadence|ambit|exemplar|xilinx|altera|rtl_synthesis|verilator)?\s*"
    r"(?:translate_|synthesis_)?(off|on)\b"
)
PIECE = re.compile(r'"(?:\\.|[^"\\\n])*"|\\[^\s`]+|`[A-Za-z_]\w*')
WORD = re.compile(r'"(?:\\.|[^"\\\n])*"|[A-Za-z_]\w*')
WHOLE_LINE = frozenset(
    [
        *(
            "timescale",
            "default_nettype",
            "resetall",
            "line",
            "pragma",
            "begin_keywords",
            "end_keywords",
            "uselib",
        ),
        *(
            "default_decay_time",
            "default_trireg_strength",
            "delay_mode_path",
            "delay_mode_unit",
            "delay_mode_zero",
        ),
        "delay_mode_distributed",
    ]
)
NOTHING = frozenset(["celldefine", "endcelldefine", "nounconnected_drive", "protect", "endprotect"])


class RefusedError(Exception):
    """The text is no circuit; the message says in a few words why."""


class Macro(NamedTuple):
    """What a name stands for; ``names`` of its arguments with what they are where none is given, None for a macro without."""

    names: Optional[List[Tuple[str, Optional[str]]]]
    body: str


def expanded(text: str) -> str:
    """The text without comments and directives. Raises RefusedError."""
    return _Expansion(without_comments(text)).run()


def without_comments(text: str) -> str:
    """The text with a space (and the line breaks) for each comment, and for what is not for synthesis."""
    kept: List[str] = []
    place, hidden = 0, False
    for found in COMMENT.finditer(text):
        piece = found.group()
        before = text[place : found.start()]
        kept.append("\n" * before.count("\n") if hidden else before)
        place = found.end()
        if piece[0] == '"':
            kept.append("" if hidden else piece)
            continue
        switch = SWITCH.match(piece)
        if switch is not None and ("translate" in piece or "synthesis_o" in piece):
            hidden = switch.group(1) == "off"
        kept.append(" " + "\n" * piece.count("\n"))
    kept.append("" if hidden else text[place:])
    return "".join(kept)


class _Expansion:
    """One pass over a text. What a macro stands for is put in front of the rest and read again."""

    def __init__(self, text: str) -> None:
        self._rest = text
        self._kept: List[str] = []
        self._macros: Dict[str, Macro] = {"SYNTHESIS": Macro(None, "1")}
        self._branches: List[Tuple[bool, bool]] = []  # whether this branch is read, whether one has been
        self._size = self._count = 0

    def run(self) -> str:
        while True:
            found = PIECE.search(self._rest)
            if found is None:
                break
            self._keep(self._rest[: found.start()])
            piece, self._rest = found.group(), self._rest[found.end() :]
            if piece[0] == "`":
                self._directive(piece[1:])
            else:
                self._keep(piece)
        if self._branches:
            raise RefusedError("an `ifdef without `endif")
        self._keep(self._rest)
        return "".join(self._kept)

    @property
    def _reading(self) -> bool:
        return all(read for read, _ in self._branches)

    def _keep(self, text: str) -> None:
        self._size += len(text)
        if self._size > LONGEST:
            raise RefusedError("macros make too long a text")
        self._kept.append(text if self._reading else "\n" * text.count("\n"))

    def _line(self) -> str:
        """The rest of the line, with those that continue it."""
        found = re.match(r"(?:\\\r?\n|[^\n])*", self._rest)
        line = found.group() if found else ""
        self._rest = self._rest[len(line) :]
        self._kept.append("\n" * line.count("\n"))
        return re.sub(r"\\\r?\n", "\n", line)

    def _directive(self, name: str) -> None:
        if name in ("ifdef", "ifndef", "elsif", "else", "endif"):
            self._condition(name)
        elif name == "define":
            self._define(self._line())
        elif not self._reading:
            return
        elif name == "include":
            raise RefusedError("the directive `include")
        elif name == "undef":
            self._macros.pop(self._name(), None)
        elif name in WHOLE_LINE:
            self._line()
        elif name in ("__FILE__", "__LINE__"):
            self._keep('"design.v"' if name == "__FILE__" else "1")
        elif name not in NOTHING:
            self._use(name)

    def _name(self) -> str:
        found = re.match(r"\s*([A-Za-z_]\w*)", self._rest)
        if found is None:
            raise RefusedError("a directive without a name")
        self._rest = self._rest[found.end() :]
        return found.group(1)

    def _condition(self, name: str) -> None:
        if name in ("ifdef", "ifndef"):
            read = (self._name() in self._macros) == (name == "ifdef")
            self._branches.append((read, read))
            return
        if not self._branches:
            raise RefusedError(f"an `{name} without `ifdef")
        _, been = self._branches.pop()
        if name == "endif":
            return
        read = not been and (name == "else" or self._name() in self._macros)
        if name == "elsif" and been:
            self._name()
        self._branches.append((read, been or read))

    def _define(self, line: str) -> None:
        found = re.match(r"\s*([A-Za-z_]\w*)", line)
        if found is None:
            raise RefusedError("a `define without a name")
        rest, names = line[found.end() :], None
        if rest.startswith("("):
            given, rest = _arguments(rest)
            names = []
            for each in given:
                name, equals, default = each.partition("=")
                names.append((name.strip(), default.strip() if equals else None))
        if self._reading:
            self._macros[found.group(1)] = Macro(names, rest.strip())

    def _use(self, name: str) -> None:
        macro = self._macros.get(name)
        if macro is None:
            raise RefusedError(f"the macro `{name} is not defined")
        self._count += 1
        if self._count > MOST_EXPANSIONS:
            raise RefusedError("macros without end")
        body = macro.body
        if macro.names is not None:
            rest = self._rest.lstrip()
            if not rest.startswith("("):
                raise RefusedError(f"the macro `{name} without its arguments")
            given, self._rest = _arguments(rest)
            body = _filled(name, macro, given)
        self._rest = body.replace('`\\`"', '\\"').replace('`"', '"').replace("``", "") + self._rest
        if len(self._rest) > LONGEST:
            raise RefusedError("macros make too long a text")


def _arguments(text: str) -> Tuple[List[str], str]:
    """What stands between the parentheses at the beginning, parted at commas, and the rest."""
    parts, depth, begin = [], 0, 1
    for found in re.finditer(r'"(?:\\.|[^"\\\n])*"|[()\[\]{},]', text):
        piece = found.group()
        depth += 1 if piece in "([{" else -1 if piece in ")]}" else 0
        if depth == 0 or (depth == 1 and piece == ","):
            parts.append(text[begin : found.start()].strip())
            begin = found.end()
        if depth == 0:
            return parts, text[found.end() :]
    raise RefusedError("arguments of a macro without end")


def _filled(name: str, macro: Macro, given: List[str]) -> str:
    assert macro.names is not None
    values: Dict[str, str] = {}
    for place, (each, default) in enumerate(macro.names):
        value = given[place] if place < len(given) and given[place] else default
        values[each] = value if value is not None else ""
    if len(given) > max(1, len(macro.names)):
        raise RefusedError(f"too many arguments of the macro `{name}")
    return WORD.sub(lambda found: values.get(found.group(), found.group()), macro.body)
