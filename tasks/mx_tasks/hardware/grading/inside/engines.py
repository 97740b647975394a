"""Runs inside the grading sandbox: whether an output of a circuit is ever 1. Where one engine gives up, the next is asked."""

import os
import re
from typing import Dict, List, NamedTuple

from .aig import FALSE
from .miter import Problem
from .reach import all_inputs, all_states
from .tools import LimitError, left, run
from .toolset import abc

QUICK_S, LONG_S, SEARCH_S, DEEP_S = 4.0, 8.0, 6.0, 3.0


class Decided(NamedTuple):
    """``proven``, ``refuted`` or ``bounded``; by what; each input's value (by literal) in each step; steps known to be right."""

    verdict: str
    method: str
    frames: List[Dict[int, int]]
    depth: int


def decide(problem: Problem, *, hurry: bool = False) -> Decided:
    """Whether ``bad`` is ever 1. ``hurry``: only the first engine. Raises LimitError."""
    if problem.bad == FALSE:
        return Decided("proven", "structure", [], 0)
    if not problem.graph.needed_latches([problem.bad]):
        return _without_registers(problem, hurry)
    return _with_registers(problem, hurry)


def _without_registers(problem: Problem, hurry: bool) -> Decided:
    searched = all_inputs(problem, 0.5)
    if searched.verdict:
        return Decided(searched.verdict, "all inputs", searched.frames, 1)
    found = _abc(problem, "SAT", "dc2; ifraig; iprove; ", 1.0 if hurry else QUICK_S)
    if found.verdict != "bounded" or hurry:
        return found
    searched = all_inputs(problem, SEARCH_S)
    if searched.verdict:
        return Decided(searched.verdict, "all inputs", searched.frames, 1)
    return _abc(problem, "SAT sweeping", "&get; &fraig -y; &put; dch; dc2; ifraig; iprove; ", LONG_S)


def _with_registers(problem: Problem, hurry: bool) -> Decided:
    swept = "dc2; scorr; dc2; "
    found = _abc(problem, "scorr and pdr", f"{swept}pdr -T {int(QUICK_S)}; ", QUICK_S + 2.0, reduced=swept)
    if found.verdict != "bounded" or hurry:
        return found
    searched = all_states(problem, SEARCH_S)
    if searched.verdict:
        return Decided(searched.verdict, "all reachable states", searched.frames, searched.depth)
    attempts = (
        (
            "scorr by two steps and pdr",
            f"scorr -F 2; dc2; scorr -C 5000; pdr -T {int(LONG_S)} -f; ",
            LONG_S + 2.0,
        ),
    )
    for method, commands, seconds in attempts:
        if left() < seconds:
            break
        found = _abc(problem, method, commands, seconds)
        if found.verdict != "bounded":
            return found
    deep = _abc(problem, "bounded search", f"bmc3 -T {int(DEEP_S)}; ", DEEP_S + 1.0)
    depth = max(deep.depth, searched.depth)
    return (
        deep._replace(depth=depth)
        if deep.verdict != "proven"
        else deep._replace(verdict="bounded", depth=depth)
    )


def _abc(problem: Problem, method: str, commands: str, seconds: float, *, reduced: str = "") -> Decided:
    """One run of ABC on the problem."""
    for stale in ("reduced.aig", "miter.cex"):
        if os.path.exists(stale):
            os.remove(stale)
    problem.graph.write("miter.aig", problem.bad)
    script = "read_aiger miter.aig; strash; " + commands.replace(
        reduced, f"{reduced}write_aiger reduced.aig; ", 1 if reduced else 0
    )
    try:
        ran = run("prove", [*abc(), "-q", script + "print_status; write_cex -n miter.cex"], seconds)
    except LimitError:
        return Decided("bounded", method, [], 0)
    if reduced and _is_zero("reduced.aig"):  # pdr has no answer to what scorr has solved already
        return Decided("proven", f"ABC {method}", [], 0)
    status = re.findall(r"Status = +(-?\d)", ran.output)[-1:]
    frames = re.findall(r"Frames = +(\d+)", ran.output)[-1:]
    if status == ["1"]:
        return Decided("proven", f"ABC {method}", [], 0)
    if status == ["0"]:
        ways = _frames(problem)
        if _leads_to_bad(problem, ways):
            return Decided("refuted", f"ABC {method}", ways, len(ways))
    return Decided("bounded", f"ABC {method}", [], int(frames[0]) if frames and status == ["-1"] else 0)


def _is_zero(path: str) -> bool:
    """Whether an AIG is nothing but the constant 0."""
    try:
        with open(path, "rb") as stream:
            head, output = stream.readline().split(), stream.readline().strip()
    except OSError:
        return False
    return head[:1] == [b"aig"] and head[3:] == [b"0", b"1", b"0"] and output == b"0"


def _frames(problem: Problem) -> List[Dict[int, int]]:
    """The inputs of ABC's counterexample."""
    try:
        with open("miter.cex") as stream:
            rows = re.findall(r"^pi(\d+)(?:@(\d+))?=([01])", stream.read(), re.MULTILINE)
    except OSError:
        return []
    frames: List[Dict[int, int]] = [
        {} for _ in range(1 + max((int(at or 0) for _, at, _ in rows), default=0))
    ]
    for place, at, value in rows:
        frames[int(at or 0)][problem.graph.inputs[int(place)]] = int(value)
    return frames


def _leads_to_bad(problem: Problem, frames: List[Dict[int, int]]) -> bool:
    """Whether these inputs do make ``bad`` 1."""
    graph = problem.graph
    go = graph.compiled([problem.bad, *graph.nexts])
    held = [0] * len(graph.latches)
    for frame in frames:
        bad, *held = go([frame.get(node, 0) for node in graph.inputs], held, 1)
        if bad:
            return True
    return False
