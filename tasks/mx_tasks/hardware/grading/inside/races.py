"""Runs inside the grading sandbox: variables whose value at a clock's edge the language leaves open.

A netlist knows no order of processes. A variable that one clocked process assigns with ``=`` and another one reads at the
same edge has the old value or the new one, as a simulator pleases: a circuit that was proven may be another one there.
"""

from typing import Dict, FrozenSet, List, NamedTuple, Set, Tuple

from .source import Token, tokens

STARTS = frozenset([";", "begin", "end", "else", ")", ":", "(", "do"])
"""What a statement stands behind."""
CASES = {"case": "endcase", "casez": "endcase", "casex": "endcase", "begin": "end"}
Events = FrozenSet[Tuple[str, str]]


class Process(NamedTuple):
    """A process: the edges that it waits for, what it assigns (with ``=``, at all), and all names in it."""

    events: Events
    blocking: Set[str]
    assigned: Set[str]
    names: Set[str]


def racing(text: str) -> str:
    """A variable of the text with a race; empty where none is seen."""
    found = [token for token in tokens(text) if token.kind != "space"]
    begin = 0
    for place, token in enumerate(found):
        if token.text in ("module", "macromodule"):
            begin = place
        elif token.text == "endmodule":
            name = _in_module(_processes(found[begin:place]))
            if name:
                return name
    return ""


def _in_module(processes: List[Process]) -> str:
    clocked = [each for each in processes if each.events]
    rest = [each for each in processes if not each.events]
    for one in clocked:
        spread = _spread(one.blocking, rest)
        for other in clocked:
            if other is not one and one.events & other.events:
                read = (other.names - other.assigned) & set(spread)
                if read:
                    return spread[min(read)]
    return ""


def _spread(names: Set[str], processes: List[Process]) -> Dict[str, str]:
    """What follows these names without a clock, with the name that it follows."""
    spread = {name: name for name in names}
    grown = True
    while grown:
        grown = False
        for each in processes:
            from_ = sorted(each.names & set(spread))
            fresh = each.assigned - set(spread)
            if from_ and fresh:
                spread.update(dict.fromkeys(fresh, spread[from_[0]]))
                grown = True
    return spread


def _processes(module: List[Token]) -> List[Process]:
    found: List[Process] = []
    place = 0
    while place < len(module):
        word = module[place].text
        place += 1
        if word in ("always", "always_ff", "always_comb", "always_latch"):
            events, start = _events(module, place)
            place = _behind(module, start)
            found.append(_process(events, module[start:place]))
        elif word in ("assign", "wire"):
            end = _behind(module, place)
            found.append(_process(frozenset(), [Token("other", ";"), *_bare(module[place:end])]))
            place = end
    return found


def _bare(declared: List[Token]) -> List[Token]:
    """A declaration without its range and signedness: ``wire [3:0] a = b`` is like ``assign a = b``."""
    place = 0
    while place < len(declared) and declared[place].text in ("[", "signed", "logic", "unsigned"):
        place = _closed(declared, place) if declared[place].text == "[" else place + 1
    return declared[place:]


def _events(module: List[Token], place: int) -> Tuple[Events, int]:
    """The edges of a list like ``@(posedge a or negedge b)``, and the place behind it."""
    if place >= len(module) or module[place].text != "@":
        return frozenset(), place
    if place + 1 < len(module) and module[place + 1].text != "(":
        return frozenset(), place + 2
    end = _closed(module, place + 1)
    words = [token.text for token in module[place:end]]
    edges = [(word, words[at + 1]) for at, word in enumerate(words[:-1]) if word in ("posedge", "negedge")]
    return frozenset(edges), end


def _closed(found: List[Token], place: int) -> int:
    """The place behind the bracket that closes the one here."""
    depth = 0
    for at in range(place, len(found)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(found[at].text, 0)
        if depth == 0:
            return at + 1
    return len(found)


def _behind(found: List[Token], place: int) -> int:
    """The place behind the statement here."""
    if place >= len(found):
        return len(found)
    word = found[place].text
    if word in ("unique", "unique0", "priority"):
        return _behind(found, place + 1)
    if word in CASES:
        return _ended(found, place)
    if word in ("if", "for", "foreach", "while", "repeat"):
        end = _behind(found, _closed(found, place + 1))
        if word == "if" and end < len(found) and found[end].text == "else":
            end = _behind(found, end + 1)
        return end
    while place < len(found) and found[place].text != ";":
        place = _closed(found, place) if found[place].text in ("(", "[", "{") else place + 1
    return place + 1


def _ended(found: List[Token], place: int) -> int:
    """The place behind the ``end`` or ``endcase`` that belongs to the word here."""
    waiting: List[str] = []
    for at in range(place, len(found)):
        word = found[at].text
        if word in CASES:
            waiting.append(CASES[word])
        elif waiting and word == waiting[-1]:
            waiting.pop()
            if not waiting:
                return at + 1
    return len(found)


def _process(events: Events, body: List[Token]) -> Process:
    blocking: Set[str] = set()
    assigned: Set[str] = set()
    for place, token in enumerate(body):
        if token.text != "=" or (place + 1 < len(body) and body[place + 1].text == "="):
            continue
        end, kind = _target_end(body, place)
        if kind:
            names = _target(body, end)
            assigned |= names
            if kind == "=":
                blocking |= names
    names = {token.text for token in body if token.kind in ("name", "escaped")}
    return Process(events, blocking, assigned, names)


def _target_end(body: List[Token], place: int) -> Tuple[int, str]:
    """Where what stands before this ``=`` ends; ``=`` or ``<=`` if it assigns, else nothing."""
    before = [body[at].text if at >= 0 else "" for at in (place - 1, place - 2, place - 3)]
    if before[0] in ("<", ">") and before[1] == before[0]:  # <<= and >>=, or <<<=
        return place - (3 if before[2] == before[0] else 2), "="
    if before[0] == "<":
        return place - 1, "<="
    if before[0] in ("=", "!", ">", "~"):
        return place, ""
    return (place - 1 if before[0] in tuple("+-*/%&|^") else place), "="


def _target(body: List[Token], end: int) -> Set[str]:
    """The names that are assigned to, where a statement begins with them; none in a comparison or a declaration."""
    place = end - 1
    names: Set[str] = set()
    while place >= 0:
        if body[place].text in ("]", "}"):
            begin = _opened(body, place)
            if body[place].text == "}":
                names = _in_braces(body[begin + 1 : place])
                place = begin - 1
                break
            place = begin - 1
        elif body[place].kind in ("name", "escaped"):
            names = {body[place].text}
            place -= 1
            if place < 0 or body[place].text != ".":
                break
            place -= 1
        else:
            return set()
    return names if place < 0 or body[place].text in STARTS else set()


def _in_braces(inner: List[Token]) -> Set[str]:
    """The names in a concatenation that are not in an index."""
    names, place = set(), 0
    while place < len(inner):
        if inner[place].text == "[":
            place = _closed(inner, place)
            continue
        if inner[place].kind in ("name", "escaped"):
            names.add(inner[place].text)
        place += 1
    return names


def _opened(body: List[Token], place: int) -> int:
    """The place of the bracket that is closed here."""
    depth = 0
    for at in range(place, -1, -1):
        depth += {")": 1, "]": 1, "}": 1, "(": -1, "[": -1, "{": -1}.get(body[at].text, 0)
        if depth == 0:
            return at
    return 0
