"""Runs inside the grading sandbox: what of a Verilog text the tools get to read.

A text that is graded describes one tree of modules. This file reads it as tokens after its macros are expanded
(``macros.py``): it drops attributes, modules that the top does not need and what only tells a simulator something (``$display``
and the like), as a synthesiser does, and refuses what would reach a file, a program or another design. All else is the front
ends' to understand; what they make of it has to be a circuit (``netlist.py``).
"""

import re
from typing import Dict, List, NamedTuple, Set, Tuple

from .macros import RefusedError, expanded

LONGEST = 400_000
TELLING = frozenset(
    [
        *(
            f"${name}{base}"
            for name in ("display", "write", "strobe", "monitor")
            for base in ("", "b", "h", "o")
        ),
        *("$monitoron", "$monitoroff", "$timeformat", "$printtimescale", "$finish", "$stop", "$exit"),
        *("$dumpvars", "$dumpfile", "$dumpon", "$dumpoff", "$dumpall", "$dumplimit", "$dumpflush"),
        *("$assertoff", "$asserton", "$assertkill", "$assertcontrol"),
    ]
)
"""Statements that tell a simulator something and are nothing in a circuit."""
REACHING = re.compile(
    r"\$(?:f(?:open|close|display|write|strobe|monitor|scanf|gets|getc|read|eof|seek|tell|flush|error)\w?|rewind|ungetc|sscanf|"
    r"readmem[bh]|writemem[bh]|sreadmem[bh]|system|value\$plusargs|test\$plusargs|sdf_annotate|"
    r"q_\w+|async\$\w+|sync\$\w+|any(?:const|seq)|all(?:const|seq)|initstate|global_clock|fell_gclk|rose_gclk)"
)
"""System tasks and functions that read or write files, run programs, or are a prover's words and no circuit's."""
OUTSIDE = {
    "bind": "bind",
    "config": "a config",
    "library": "a library",
    "program": "a program",
    "primitive": "a primitive",
}
TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<comment>//[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<string>"(?:\\.|[^"\\\n])*")
  | (?P<attribute>\(\*(?!\s*\)).*?\*\))
  | (?P<escaped>\\\S*)
  | (?P<directive>`+[A-Za-z_]?\w*)
  | (?P<system>\$[A-Za-z_$]?[\w$]*)
  | (?P<number>(?:\d[\d_]*\s*)?'\s*[sS]?[bBoOdDhH]\s*[0-9a-fA-FxXzZ?_]+|'[01xXzZ](?!\w)|\d[\d_]*(?:\.\d[\d_]*)?(?:[eE][-+]?\d+)?)
  | (?P<name>[A-Za-z_][\w$]*)
  | (?P<other>.)
    """,
    re.DOTALL | re.VERBOSE,
)
FORBIDDEN_DIRECTIVES = frozenset(
    [
        "`line",
        "`pragma",
        "`protect",
        "`endprotect",
        "`celldefine",
        "`endcelldefine",
        "`begin_keywords",
        "`end_keywords",
        "`uselib",
        "`unconnected_drive",
        "`nounconnected_drive",
        "`default_decay_time",
        "`default_trireg_strength",
        "`delay_mode_path",
        "`__FILE__",
        "`__LINE__",
    ]
)
"""What a testbench needs as little as a circuit."""


class Token(NamedTuple):
    """A piece of the text: its kind (a group of TOKEN) and itself."""

    kind: str
    text: str


def tokens(text: str) -> List[Token]:
    """The text's tokens, comments and attributes left out (their line breaks stay). Raises RefusedError."""
    if len(text) > LONGEST:
        raise RefusedError(f"the text is longer than {LONGEST} characters")
    found = []
    for match in TOKEN.finditer(text):
        kind, piece = str(match.lastgroup), match.group()
        if kind in ("comment", "attribute"):
            kind, piece = "space", " " + "\n" * piece.count("\n")
        elif not piece.isascii():
            raise RefusedError(f"a character that is not ASCII: {ascii(piece)[:20]}")
        elif "\0" in piece:
            raise RefusedError("a null character")
        found.append(Token(kind, piece))
    return found


def circuit(text: str, top: str) -> str:
    """The text of the top module, of all that it needs and of what stands outside of modules. Raises RefusedError."""
    if len(text) > LONGEST:
        raise RefusedError(f"the text is longer than {LONGEST} characters")
    outside, modules = _modules(tokens(expanded(text)))
    if top not in modules:
        there = ", ".join(sorted(modules)) or "none"
        raise RefusedError(f"there is no module {top} (modules: {there[:200]})")
    kept = _needed(modules, top)
    parts = [_checked(part) for part in [outside, *(modules[name] for name in kept)]]
    return "".join(token.text for part in parts for token in part) + "\n"


def _modules(found: List[Token]) -> Tuple[List[Token], Dict[str, List[Token]]]:
    """What stands outside of modules, and each module's tokens by its name."""
    outside: List[Token] = []
    modules: Dict[str, List[Token]] = {}
    place = 0
    while place < len(found):
        if found[place].text not in ("module", "macromodule") or found[place].kind != "name":
            outside.append(found[place])
            place += 1
            continue
        end = place
        while end < len(found) and found[end].text != "endmodule":
            end += 1
        if end == len(found):
            raise RefusedError("a module without endmodule")
        names = [
            token.text.lstrip("\\") for token in found[place + 1 : end] if token.kind in ("name", "escaped")
        ]
        names = [name for name in names if name not in ("automatic", "static")]
        if not names:
            raise RefusedError("a module without a name")
        if names[0] in modules:
            raise RefusedError(f"two modules called {names[0]}")
        modules[names[0]] = [*found[place : end + 1], Token("space", "\n")]
        place = end + 1
        rest = [t for t in found[place : place + 4] if t.kind != "space"]
        if [t.text for t in rest[:2]] == [":", names[0]]:  # endmodule : name
            place = next(n for n in range(place, len(found)) if found[n].text == names[0]) + 1
    return outside, modules


def _needed(modules: Dict[str, List[Token]], top: str) -> List[str]:
    """The names of the modules that the top one reaches, the top one first."""
    kept = [top]
    for name in kept:
        words: Set[str] = {t.text.lstrip("\\") for t in modules[name] if t.kind in ("name", "escaped")}
        kept += sorted((words & set(modules)) - set(kept))
    return kept


def _checked(part: List[Token]) -> List[Token]:
    """The part without what only tells a simulator something. Raises RefusedError."""
    kept: List[Token] = []
    place = 0
    while place < len(part):
        token = part[place]
        if token.kind == "system" and token.text in TELLING:
            place = _behind_statement(part, place + 1)
            kept.append(Token("other", " begin end "))
            continue
        if token.kind == "system" and REACHING.fullmatch(token.text):
            raise RefusedError(f"the system task or function {token.text}")
        if token.kind == "name" and token.text in OUTSIDE:
            raise RefusedError(OUTSIDE[token.text])
        if token.kind == "escaped" and re.fullmatch(r"\\\$\w+", token.text):
            raise RefusedError(f"a cell of the tools' own: {token.text[:40]}")
        if token.kind == "name" and token.text in ("import", "export"):
            following = next((t for t in part[place + 1 :] if t.kind != "space"), token)
            if following.kind == "string":
                raise RefusedError(f"an {token.text} of foreign code")
        kept.append(token)
        place += 1
    return kept


def _behind_statement(part: List[Token], place: int) -> int:
    """The place behind a system task's arguments, if it has any, and its semicolon."""
    place = _behind_arguments(part, _solid(part, place))
    end = _solid(part, place)
    return end + 1 if end < len(part) and part[end].text == ";" else place


def _solid(part: List[Token], place: int) -> int:
    while place < len(part) and part[place].kind == "space":
        place += 1
    return place


def _behind_arguments(part: List[Token], place: int) -> int:
    if place == len(part) or part[place].text != "(":
        return place
    depth = 0
    while place < len(part):
        depth += {"(": 1, ")": -1}.get(part[place].text, 0)
        place += 1
        if depth == 0:
            return place
    raise RefusedError("an argument list without end")
