"""Runs inside the grading sandbox: what of a Verilog text may be elaborated.

A text that is graded must describe one tree of modules and nothing else. This file reads it as tokens, drops comments, attributes
and every module that the top does not need, and refuses what has no place in a circuit. Macros are expanded before.
"""

import re
from typing import Dict, List, NamedTuple, Set, Tuple

LONGEST = 400_000
PURE_FUNCTIONS = frozenset(
    [
        "$signed",
        "$unsigned",
        "$clog2",
        "$bits",
        "$size",
        "$high",
        "$low",
        "$left",
        "$right",
        "$countones",
        "$onehot",
        "$onehot0",
    ]
)
DIRECTIVES = frozenset(
    [
        "`define",
        "`undef",
        "`ifdef",
        "`ifndef",
        "`elsif",
        "`else",
        "`endif",
        "`timescale",
        "`default_nettype",
        "`resetall",
    ]
)
NOT_A_CIRCUIT = {
    "force": "force",
    "release": "release",
    "bind": "bind",
    "config": "a config",
    "program": "a program",
    "class": "a class",
    "primitive": "a user-defined primitive",
    "export": "an export",
    "deassign": "deassign",
    "assert": "an assertion",
    "assume": "an assumption",
    "cover": "a cover statement",
    "restrict": "a restriction",
    "property": "a property",
    "sequence": "a sequence",
    "checker": "a checker",
    "fork": "fork",
    "wait": "wait",
    "forever": "forever",
    "alias": "alias",
    "specify": "a specify block",
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


class RefusedError(Exception):
    """The text is no circuit; the message says in a few words why."""


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
        elif kind == "escaped":
            raise RefusedError(f"an escaped identifier: {piece[:40]}")
        found.append(Token(kind, piece))
    return found


def check_raw(text: str) -> bool:
    """Check a text before its macros are expanded; whether it has any. Raises RefusedError."""
    macros = False
    for kind, piece in tokens(text):
        if kind == "directive":
            if piece.startswith("``"):
                raise RefusedError("token pasting in a macro")
            if piece == "`include" or piece in FORBIDDEN_DIRECTIVES:
                raise RefusedError(f"the directive {piece}")
            macros = macros or piece not in ("`timescale", "`default_nettype", "`resetall")
    return macros


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


def circuit(text: str, top: str) -> str:
    """The text of the top module, of all that it needs and of what stands outside of modules, checked. Raises RefusedError."""
    outside, modules = _modules(_without_directives(tokens(text)))
    if top not in modules:
        there = ", ".join(sorted(modules)) or "none"
        raise RefusedError(f"there is no module {top} (modules: {there[:200]})")
    kept = _needed(modules, top)
    _check(outside)
    for name in kept:
        _check(modules[name])
    return sized(
        "".join(token.text for part in [outside, *(modules[name] for name in kept)] for token in part) + "\n"
    )


VECTOR_TYPE = re.compile(
    r"\btypedef\s+(?:enum\s+)?(?:logic|reg|bit)\s*(?:\[\s*(\d+)\s*:\s*(\d+)\s*\]\s*)?(?:\{[^{}]*\}\s*)?(\w+)\s*;"
)


def sized(text: str) -> str:
    """The text with casts to a named vector type (``State'(x)``) as casts to its width (``2'(x)``): Yosys 0.23 knows only these."""
    for first, last, name in VECTOR_TYPE.findall(text):
        width = abs(int(first) - int(last)) + 1 if first else 1
        text = re.sub(rf"(?<![\w$'.]){name}\s*'\s*\(", f"{width}'(", text)
    return text


def _without_directives(found: List[Token]) -> List[Token]:
    """Drop ```timescale`` and the like with the rest of their lines; refuse any other that is left after expansion."""
    kept: List[Token] = []
    skipping = False
    for token in found:
        if skipping and "\n" not in token.text:
            continue
        skipping = False
        if token.kind == "directive":
            if token.text not in ("`timescale", "`default_nettype", "`resetall", "`undef"):
                raise RefusedError(f"the directive {token.text}")
            skipping = True
            continue
        kept.append(token)
    return kept


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
        names = [token.text for token in found[place + 1 : end] if token.kind == "name"]
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
        kept += sorted({t.text for t in modules[name] if t.kind == "name" and t.text in modules} - set(kept))
    return kept


def _check(part: List[Token]) -> None:
    """Refuse what is no circuit."""
    solid = [token for token in part if token.kind != "space"]
    labels = _labels(solid)
    in_defparam = False
    for place, token in enumerate(solid):
        following = solid[place + 1].text if place + 1 < len(solid) else ""
        if token.kind == "system" and token.text not in PURE_FUNCTIONS:
            raise RefusedError(f"the system task or function {token.text}")
        if token.kind == "name":
            if token.text in NOT_A_CIRCUIT:
                raise RefusedError(NOT_A_CIRCUIT[token.text])
            if token.text == "import" and following.startswith('"'):
                raise RefusedError("an import of foreign code")
        in_defparam = token.text == "defparam" or (in_defparam and token.text != ";")
        if token.text == "." and place > 0 and not in_defparam:
            _check_dot(solid, place, labels)


def _labels(solid: List[Token]) -> Set[str]:
    """Names of generate blocks; every name where the text has structures, whose fields are written the same way."""
    if any(token.text in ("struct", "union") for token in solid):
        return {token.text for token in solid if token.kind == "name"}
    return {
        solid[n + 2].text
        for n in range(len(solid) - 2)
        if solid[n].text == "begin" and solid[n + 1].text == ":"
    }


def _check_dot(solid: List[Token], place: int, labels: Set[str]) -> None:
    """Refuse a name that reaches into another module: ``a.b`` where ``a`` is no block and no structure of this one."""
    before = place - 1
    while before > 0 and solid[before].text == "]":  # stage[i - 1].carry
        depth = 0
        while before >= 0:
            depth += {"]": 1, "[": -1}.get(solid[before].text, 0)
            before -= 1
            if depth == 0:
                break
    if before >= 0 and solid[before].kind == "name" and solid[before].text not in labels:
        after = solid[place + 1].text if place + 1 < len(solid) else ""
        raise RefusedError(f"the hierarchical name {solid[before].text}.{after}")
