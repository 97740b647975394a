"""Runs inside the grading sandbox: go through all inputs of a small circuit, or through all states that a small one reaches.

Long counts, which take provers a step for each cycle, are short here: a circuit becomes a Python function that
computes many runs at once.
"""

import time
from typing import Dict, List, NamedTuple, Optional, Tuple

from .aig import FALSE, TRUE
from .miter import Problem

MOST_STATES = 600_000
MOST_LANES = 1 << 14
INPUT_BITS, EXHAUSTIVE_BITS = 10, 20


class Searched(NamedTuple):
    """``proven``, ``refuted`` or ``""``; for refuted each input's value (by literal) in each step; steps gone through."""

    verdict: str
    frames: List[Dict[int, int]]
    depth: int


def all_inputs(problem: Problem, seconds: float) -> Searched:
    """Every input of a circuit without registers."""
    graph = problem.graph
    cone = set(graph.cone([problem.bad]))
    used = [each for each in graph.inputs if each in cone]
    if len(used) > EXHAUSTIVE_BITS:
        return Searched("", [], 0)
    run = graph.compiled([problem.bad])
    low = min(len(used), 14)
    lanes = 1 << low
    ones = (1 << lanes) - 1
    until = time.process_time() + seconds
    patterns = [_pattern(bit, lanes) for bit in range(low)]
    place = {node: n for n, node in enumerate(graph.inputs)}
    words = [0] * len(graph.inputs)
    for high in range(1 << (len(used) - low)):
        if time.process_time() > until:
            return Searched("", [], 0)
        for n, node in enumerate(used):
            words[place[node]] = patterns[n] if n < low else ones * (high >> (n - low) & 1)
        bad = run(words, [0] * len(graph.latches), ones)[0]
        if bad:
            lane = (bad & -bad).bit_length() - 1
            return Searched("refuted", [{node: words[place[node]] >> lane & 1 for node in used}], 1)
    return Searched("proven", [], 1)


def _pattern(bit: int, lanes: int) -> int:
    """The word whose lane n is bit ``bit`` of n."""
    block = ((1 << (1 << bit)) - 1) << (1 << bit)
    size = 2 << bit
    word = block
    while size < lanes:
        word |= word << size
        size *= 2
    return word


class _Machine:
    """Next states and ``bad`` of many states and all their inputs; a state is a string with a character a latch."""

    def __init__(self, problem: Problem, latches: List[int], values: Dict[int, int]) -> None:
        graph = problem.graph
        self._latches = latches
        wanted = [problem.bad, *(graph.nexts[place] for place in latches)]
        roots = graph.substituted(wanted, values)
        cone = set(graph.cone(roots))
        self.inputs = [each for each in graph.inputs if each in cone]
        self._places = [graph.inputs.index(each) for each in self.inputs]
        self._sizes = len(graph.inputs), len(graph.latches)
        self._run = graph.compiled(roots)

    def go(self, states: List[str]) -> Tuple[int, List[str]]:
        """The first lane in which ``bad`` is 1, or -1; the next state of each lane: lane = state x inputs + input."""
        choices = 1 << len(self.inputs)
        lanes = len(states) * choices
        inputs, latches = [0] * self._sizes[0], [0] * self._sizes[1]
        for bit, place in enumerate(self._places):
            inputs[place] = _pattern(bit, lanes) & ((1 << lanes) - 1)
        for place, column in zip(self._latches, zip(*reversed(states))):
            latches[place] = int(
                "".join(each * choices for each in column) if choices > 1 else "".join(column), 2
            )
        words = self._run(inputs, latches, (1 << lanes) - 1)
        bad = (words[0] & -words[0]).bit_length() - 1
        rows = [f"{word:0{lanes}b}"[::-1] for word in words[1:]]
        return bad, list(map("".join, zip(*rows)))


def all_states(problem: Problem, seconds: float) -> Searched:
    """Every state that can be reached, by breadth; gives up where states or inputs are too many."""
    graph = problem.graph
    latches = graph.needed_latches([problem.bad])
    first = graph.latches[0]
    later = _Machine(problem, latches, {first: TRUE})
    if len(later.inputs) > INPUT_BITS:
        return Searched("", [], 0)
    start = _Machine(problem, latches, {first: FALSE})
    if len(start.inputs) > INPUT_BITS + 6:
        return Searched("", [], 0)
    until = time.process_time() + seconds
    begin = "0" * len(latches)
    came: Dict[str, Optional[Tuple[str, int]]] = {begin: None}
    frontier, machine, depth = [begin], start, 0
    while frontier:
        fresh: List[str] = []
        choices = 1 << len(machine.inputs)
        size = max(1, MOST_LANES // choices)
        for at in range(0, len(frontier), size):
            chunk = frontier[at : at + size]
            bad, nexts = machine.go(chunk)
            if bad >= 0:
                last = (chunk[bad // choices], bad % choices)
                return Searched("refuted", _way(came, last, start, later), depth + 1)
            for lane, state in enumerate(nexts):
                if state not in came:
                    came[state] = (chunk[lane // choices], lane % choices)
                    fresh.append(state)
            if len(came) > MOST_STATES or time.process_time() > until:
                return Searched("", [], depth)
        frontier, machine, depth = fresh, later, depth + 1
    return Searched("proven", [], depth)


def _way(
    came: Dict[str, Optional[Tuple[str, int]]], last: Tuple[str, int], start: _Machine, later: _Machine
) -> List[Dict[int, int]]:
    steps = [last]
    while (before := came[steps[-1][0]]) is not None:
        steps.append(before)
    steps.reverse()
    return [
        {each: choice >> bit & 1 for bit, each in enumerate((start if n == 0 else later).inputs)}
        for n, (_, choice) in enumerate(steps)
    ]
