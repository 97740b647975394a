"""Runs inside the grading sandbox: and-inverter graphs, built with sharing, written for ABC, compiled for Python.

A literal is twice a node's number, plus one where it is inverted; node 0 is the constant 0. Nodes are made in an
order in which every node stands behind what it reads.
"""

from typing import Callable, Dict, List, Sequence, Tuple

FALSE, TRUE = 0, 1


class Aig:
    """A graph: ``inputs`` and ``latches`` are literals; ``nexts`` what each latch holds next. Every latch starts at 0."""

    def __init__(self) -> None:
        self.ands: Dict[int, Tuple[int, int]] = {}
        self.count = 1
        self.inputs: List[int] = []
        self.latches: List[int] = []
        self.nexts: List[int] = []
        self._known: Dict[Tuple[int, int], int] = {}

    def input(self) -> int:
        """A new input."""
        self.inputs.append(self._new())
        return self.inputs[-1]

    def latch(self) -> int:
        """A new latch, which holds itself until :meth:`set_next`."""
        self.latches.append(self._new())
        self.nexts.append(self.latches[-1])
        return self.latches[-1]

    def set_next(self, latch: int, literal: int) -> None:
        """What a latch holds next."""
        self.nexts[self.latches.index(latch)] = literal

    def _new(self) -> int:
        self.count += 1
        return 2 * (self.count - 1)

    def land(self, a: int, b: int) -> int:
        """Both."""
        if a > b:
            a, b = b, a
        if a == FALSE or a == b ^ 1:
            return FALSE
        if a in (TRUE, b):
            return b
        found = self._known.get((a, b))
        if found is None:
            found = self._known[a, b] = self._new()
            self.ands[found] = (a, b)
        return found

    def lor(self, a: int, b: int) -> int:
        """Either."""
        return self.land(a ^ 1, b ^ 1) ^ 1

    def xor(self, a: int, b: int) -> int:
        """One of them only."""
        if a in (FALSE, TRUE):
            return b ^ a
        if b in (FALSE, TRUE):
            return a ^ b
        return self.land(self.land(a, b) ^ 1, self.land(a ^ 1, b ^ 1) ^ 1)

    def mux(self, choice: int, a: int, b: int) -> int:
        """``b`` where ``choice``, else ``a``."""
        if a == b:
            return a
        return self.land(self.land(choice, b) ^ 1, self.land(choice ^ 1, a) ^ 1) ^ 1

    def any(self, literals: Sequence[int]) -> int:
        """At least one, as a balanced tree."""
        row = list(literals) or [FALSE]
        while len(row) > 1:
            row = [self.lor(*row[n : n + 2]) if n + 1 < len(row) else row[n] for n in range(0, len(row), 2)]
        return row[0]

    def cone(self, roots: Sequence[int]) -> List[int]:
        """The nodes that these literals need, in order."""
        seen = set()
        stack = [literal & ~1 for literal in roots]
        while stack:
            node = stack.pop()
            if node and node not in seen:
                seen.add(node)
                stack += [each & ~1 for each in self.ands.get(node, ())]
        return sorted(seen)

    def substituted(self, roots: Sequence[int], values: Dict[int, int]) -> List[int]:
        """These literals where inputs or latches (literals) are something else."""
        made = {0: 0}
        for node in self.cone(roots):
            if node in self.ands:
                a, b = self.ands[node]
                made[node] = self.land(made[a & ~1] ^ (a & 1), made[b & ~1] ^ (b & 1))
            else:
                made[node] = values.get(node, node)
        return [made[root & ~1] ^ (root & 1) for root in roots]

    def needed_latches(self, roots: Sequence[int]) -> List[int]:
        """The places of the latches on which these literals depend, now or later."""
        places = {latch: place for place, latch in enumerate(self.latches)}
        found: Dict[int, None] = {}
        waiting = list(roots)
        seen = set()
        while waiting:
            new = [node for node in self.cone(waiting) if node not in seen]
            seen.update(new)
            fresh = [places[node] for node in new if node in places and places[node] not in found]
            found.update(dict.fromkeys(fresh))
            waiting = [self.nexts[place] for place in fresh]
        return sorted(found)

    def write(self, path: str, bad: int) -> None:
        """The graph in ABC's form, with what ``bad`` needs of it; all inputs stay, in their order."""
        latches = self.needed_latches([bad])
        nodes = self.cone([bad, *(self.nexts[place] for place in latches)])
        number = {0: 0}
        for node in [*self.inputs, *(self.latches[place] for place in latches)]:
            number[node] = 2 * len(number)
        ands = [node for node in nodes if node in self.ands]
        for node in ands:
            number[node] = 2 * len(number)

        def literal(one: int) -> int:
            return number[one & ~1] | (one & 1)

        out = bytearray(f"aig {len(number) - 1} {len(self.inputs)} {len(latches)} 1 {len(ands)}\n".encode())
        for place in latches:
            out += f"{literal(self.nexts[place])}\n".encode()
        out += f"{literal(bad)}\n".encode()
        for node in ands:
            first, second = sorted(map(literal, self.ands[node]), reverse=True)
            out += _packed(number[node] - first) + _packed(first - second)
        with open(path, "wb") as stream:
            stream.write(out)

    def compiled(self, roots: Sequence[int]) -> Callable[[List[int], List[int], int], List[int]]:
        """A function of the inputs' and latches' words, and of a word of ones, to these literals' words: many runs at once."""
        nodes = self.cone(roots)
        places = {node: f"i[{place}]" for place, node in enumerate(self.inputs)}
        places.update({node: f"l[{place}]" for place, node in enumerate(self.latches)})
        lines = ["def run(i, l, m):"]
        for node in nodes:
            if node in self.ands:
                a, b = self.ands[node]
                lines.append(f" n{node} = {_term(a)} & {_term(b)}")
            else:
                lines.append(f" n{node} = {places[node]}")
        lines.append(" return [" + ", ".join(_word(root) for root in roots) + "]")
        space: Dict[str, Callable[[List[int], List[int], int], List[int]]] = {}
        exec("\n".join(lines), space)  # lines of our own: numbers and operators
        return space["run"]


def _term(literal: int) -> str:
    return f"(n{literal & ~1} ^ m)" if literal & 1 else f"n{literal}"


def _word(literal: int) -> str:
    if literal in (FALSE, TRUE):
        return "m" if literal else "0"
    return _term(literal)


def _packed(value: int) -> bytes:
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
