"""Working designs that waste area or depth, each with a better one: what is planted and what could be had is known."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mx_tasks.hardware.generate.spec import (
    Names,
    Spec,
    State,
    Values,
    header,
    mask,
    reset_test,
    sensitivity,
    width_text,
)
from mx_tasks.task import Split

SOME = 0.7
"""The share of the saved register bits that a target asks for."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What is to shrink (``area`` or ``depth``), and to what: at most ``percent`` of what is given, and less by ``saving`` or more.

    ``other`` is the most, in per cent of what is given, that the other of the two may come to.
    """

    measure: str
    percent: int = 100
    saving: int = 0
    other: int = 130

    def limit(self, given: float) -> float:
        """The most that reaches the target, from what is given."""
        return min(given * self.percent / 100, given - self.saving)

    def words(self) -> str:
        """The target as a part of a sentence, such as ``an area of at most 70 % of that of the given design``."""
        if self.saving:
            return f"an {self.measure} that is smaller by at least {self.saving}"
        return f"{'an' if self.measure == 'area' else 'a'} {self.measure} of at most {self.percent} % of that of the given design"


@dataclass(frozen=True, slots=True)
class Wasteful:
    """A design (its table is the better golden, its second text the wasteful one), the goal, and what was planted, for people."""

    spec: Spec
    goal: Goal
    planted: str


Waste = Callable[[random.Random], Wasteful]


def _spec(family: str, second: str, plain: Mapping[str, Any]) -> Spec:
    rest = {name: value for name, value in plain.items() if name != "prose"}
    prose = str(plain["prose"])
    title = "A design that works"
    return Spec(family=family, level=6, title=title, second=second, prose=(prose,), terse=prose, **rest)


OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
}


def unshared(rng: random.Random) -> Wasteful:
    """Two to four operators of the same kind behind a multiplexer, where one behind two multiplexers does."""
    names = Names(rng)
    top, operator = names.top(), rng.choice(sorted(OPERATIONS))
    width = rng.randint(3, 4) if operator == "*" else rng.randint(5, 8)
    ways = 2 if operator == "*" else rng.randint(3, 4)
    choice = names.pick("sel", "mode", "op", "pick")
    chosen = (ways - 1).bit_length()
    lefts, rights, out = names.several(ways), names.several(ways), names.pick("y", "z", "res", "out")
    compute, limit = OPERATIONS[operator], mask(width)

    def outputs(_: State, values: Values) -> dict[str, int]:
        way = min(values[choice], ways - 1)
        return {out: compute(values[lefts[way]], values[rights[way]]) & limit}

    def muxed(words: list[str]) -> str:
        text = words[-1]
        for way in reversed(range(ways - 1)):
            text = f"({choice} == {chosen}'d{way}) ? {words[way]} : {text}"
        return text

    data = [(name, width) for name in [*lefts, *rights]]
    rng.shuffle(data)
    plain: dict[str, Any] = {
        "top": top,
        "inputs": ((choice, chosen), *data),
        "outs": ((out, width),),
        "outputs": outputs,
        "wires": (("left", width, muxed(lefts)), ("right", width, muxed(rights))),
        "drives": {out: f"left {operator} right"},
        "prose": f"{out} is the result of {operator} on the pair of words that {choice} chooses.",
    }
    spec = _spec("unshared", "", plain)
    lines = [header(spec).rstrip()]
    for way, (left, right) in enumerate(zip(lefts, rights, strict=True)):
        lines.append(f"  wire {width_text(width)}result{way} = {left} {operator} {right};")
    lines += [f"  assign {out} = {muxed([f'result{way}' for way in range(ways)])};", "endmodule", ""]
    return Wasteful(
        _spec("unshared", "\n".join(lines), plain),
        Goal("area", 85, other=160),
        "operators that could be shared",
    )


def copied(rng: random.Random) -> Wasteful:
    """Every output has a counter of its own, and all of them count the same."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(4, 6)
    enable = names.pick("en", "enable", "tick", "go")
    shown, hit, odd = (
        names.pick("count", "q", "cnt"),
        names.pick("hit", "match", "at"),
        names.pick("par", "odd"),
    )
    step, start, wanted = rng.randrange(1, 8, 2), rng.getrandbits(width), rng.getrandbits(width)
    limit = mask(width)

    def next_state(state: State, values: Values) -> State:
        return ((state[0] + step) & limit,) if values[enable] else state

    def outputs(state: State, _: Values) -> dict[str, int]:
        return {shown: state[0], hit: int(state[0] == wanted), odd: state[0].bit_count() & 1}

    plain: dict[str, Any] = {
        "top": top,
        "inputs": ((enable, 1),),
        "outs": ((shown, width), (hit, 1), (odd, 1)),
        "outputs": outputs,
        "drives": {shown: "held", hit: f"held == {width}'d{wanted}", odd: "^held"},
        "clock": clock,
        "reset": reset,
        "start": (start,),
        "next_state": next_state,
        "registers": (("held", width),),
        "updates": {"held": f"{enable} ? held + {width}'d{step} : held"},
        "biases": {enable: 0.8},
        "prose": f"A counter in steps of {step} while {enable} is 1, with the outputs {shown}, {hit} and {odd}.",
    }
    spec = _spec("copied", "", plain)
    lines = [header(spec).rstrip()]
    for name in ("first", "second", "third"):
        lines += [
            f"  reg {width_text(width)}{name};",
            f"  always @({sensitivity(spec)})",
            f"    if ({reset_test(reset)}) {name} <= {width}'d{start};",
            f"    else if ({enable}) {name} <= {name} + {width}'d{step};",
        ]
    lines += [
        f"  assign {shown} = first;",
        f"  assign {hit} = (second == {width}'d{wanted});",
        f"  assign {odd} = ^third;",
        "endmodule",
        "",
    ]
    goal = Goal("area", saving=int(SOME * 4 * 2 * width))
    return Wasteful(_spec("copied", "\n".join(lines), plain), goal, "copies of a counter")


def wide(rng: random.Random) -> Wasteful:
    """A counter that wraps early, kept in far more bits than it reaches."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(3, 5)
    enable, shown, last = (
        names.pick("en", "enable", "tick", "go"),
        names.pick("count", "q", "cnt"),
        names.pick("last", "wrap", "done"),
    )
    end, spare = rng.randint(1 << (width - 1), mask(width) - 1), rng.randint(6, 11)

    def next_state(state: State, values: Values) -> State:
        return (0 if state[0] == end else state[0] + 1,) if values[enable] else state

    def outputs(state: State, _: Values) -> dict[str, int]:
        return {shown: state[0], last: int(state[0] == end)}

    plain: dict[str, Any] = {
        "top": top,
        "inputs": ((enable, 1),),
        "outs": ((shown, width), (last, 1)),
        "outputs": outputs,
        "drives": {shown: "held", last: f"held == {width}'d{end}"},
        "clock": clock,
        "reset": reset,
        "start": (0,),
        "next_state": next_state,
        "registers": (("held", width),),
        "updates": {"held": f"{enable} ? ((held == {width}'d{end}) ? {width}'d0 : held + {width}'d1) : held"},
        "biases": {enable: 0.8},
        "prose": f"A counter from 0 to {end} while {enable} is 1; {last} says that it is at its end.",
    }
    spec = _spec("wide", "", plain)
    size = width + spare
    lines = [
        header(spec).rstrip(),
        f"  reg [{size - 1}:0] total;",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) total <= 0;",
        f"    else if ({enable}) begin",
        f"      if (total >= {size}'d{end}) total <= 0; else total <= total + 1;",
        "    end",
        f"  assign {shown} = total[{width - 1}:0];",
        f"  assign {last} = (total == {size}'d{end});",
        "endmodule",
        "",
    ]
    goal = Goal("area", saving=int(SOME * 4 * spare))
    return Wasteful(_spec("wide", "\n".join(lines), plain), goal, "a register that is too wide")


LATE: Mapping[str, tuple[str, Callable[[int, int], int]]] = {
    "xor": ("^", lambda a, b: a ^ b),
    "and": ("&", lambda a, b: a & b),
    "or": ("|", lambda a, b: a | b),
}


def late(rng: random.Random) -> Wasteful:
    """Words are delayed and worked on afterwards, where the result could be delayed."""
    names = Names(rng)
    top, (clock, reset), width, delay = names.top(), names.clocking(), rng.randint(4, 7), rng.randint(2, 4)
    operator, compute = LATE[rng.choice(sorted(LATE))]
    words, out = names.several(rng.randint(2, 3)), names.pick("y", "z", "res", "out")

    def worked(values: Values) -> int:
        result = values[words[0]]
        for word in words[1:]:
            result = compute(result, values[word])
        return result

    def next_state(state: State, values: Values) -> State:
        return (worked(values), *state[:-1])

    def outputs(state: State, _: Values) -> dict[str, int]:
        return {out: state[-1]}

    held = [f"held{n}" for n in range(delay)]
    plain: dict[str, Any] = {
        "top": top,
        "inputs": tuple((word, width) for word in words),
        "outs": ((out, width),),
        "outputs": outputs,
        "drives": {out: held[-1]},
        "clock": clock,
        "reset": reset,
        "start": (0,) * delay,
        "next_state": next_state,
        "registers": tuple((name, width) for name in held),
        "updates": {held[0]: f" {operator} ".join(words)} | dict(zip(held[1:], held, strict=False)),
        "prose": f"{out} is {f' {operator} '.join(words)} of {delay} cycles ago; 0 after reset until then.",
    }
    spec = _spec("late", "", plain)
    lines = [header(spec).rstrip()]
    for word in words:
        lines += [f"  reg [{width - 1}:0] {word}_at{n};" for n in range(delay)]
        lines += [f"  always @({sensitivity(spec)})", f"    if ({reset_test(reset)}) begin"]
        lines += [f"      {word}_at{n} <= 0;" for n in range(delay)] + ["    end else begin"]
        lines += [f"      {word}_at{n} <= {word}{f'_at{n - 1}' if n else ''};" for n in range(delay)] + [
            "    end"
        ]
    result = f" {operator} ".join(f"{word}_at{delay - 1}" for word in words)
    lines += [f"  assign {out} = {result};", "endmodule", ""]
    goal = Goal("area", saving=int(SOME * 4 * width * delay * (len(words) - 1)), other=250)
    return Wasteful(_spec("late", "\n".join(lines), plain), goal, "work after a delay instead of before it")


def ring(rng: random.Random) -> Wasteful:
    """A ring with a register for every phase, where the phase's number is all that is needed."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(3, 4)
    size = rng.randint((1 << (width - 1)) + 2, 1 << width)
    enable, phase, mark = (
        names.pick("en", "enable", "tick", "go"),
        names.pick("phase", "slot", "turn"),
        names.pick("mark", "first", "sync"),
    )
    at = rng.randrange(size)

    def next_state(state: State, values: Values) -> State:
        return ((state[0] + 1) % size,) if values[enable] else state

    def outputs(state: State, _: Values) -> dict[str, int]:
        return {phase: state[0], mark: int(state[0] == at)}

    plain: dict[str, Any] = {
        "top": top,
        "inputs": ((enable, 1),),
        "outs": ((phase, width), (mark, 1)),
        "outputs": outputs,
        "drives": {phase: "held", mark: f"held == {width}'d{at}"},
        "clock": clock,
        "reset": reset,
        "start": (0,),
        "next_state": next_state,
        "registers": (("held", width),),
        "updates": {
            "held": f"{enable} ? ((held == {width}'d{size - 1}) ? {width}'d0 : held + {width}'d1) : held"
        },
        "biases": {enable: 0.8},
        "prose": f"{phase} counts from 0 to {size - 1} and again while {enable} is 1; {mark} says that it is {at}.",
    }
    spec = _spec("ring", "", plain)
    lines = [
        header(spec).rstrip(),
        f"  reg [{size - 1}:0] hot;",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) hot <= {size}'d1;",
        f"    else if ({enable}) hot <= {{hot[{size - 2}:0], hot[{size - 1}]}};",
    ]
    for bit in range(width):
        lines.append(
            f"  assign {phase}[{bit}] = " + " | ".join(f"hot[{n}]" for n in range(size) if n >> bit & 1) + ";"
        )
    lines += [f"  assign {mark} = hot[{at}];", "endmodule", ""]
    goal = Goal("area", saving=int(0.5 * 4 * (size - width)), other=300)
    return Wasteful(_spec("ring", "\n".join(lines), plain), goal, "a register for every phase")


def _tree(words: list[str], join: str) -> str:
    while len(words) > 1:
        words = [
            join.format(*words[n : n + 2]) if n + 1 < len(words) else words[n]
            for n in range(0, len(words), 2)
        ]
    return words[0]


def chain(rng: random.Random) -> Wasteful:
    """Words are added one after the other, where a tree would do."""
    names = Names(rng)
    top, width, count = names.top(), rng.randint(4, 6), rng.randint(7, 10)
    words, out = names.several(count), names.pick("sum", "y", "total", "res")

    def outputs(_: State, values: Values) -> dict[str, int]:
        return {out: sum(values[word] for word in words) & mask(width)}

    plain: dict[str, Any] = {
        "top": top,
        "inputs": tuple((word, width) for word in words),
        "outs": ((out, width),),
        "outputs": outputs,
        "drives": {out: _tree(list(words), "({} + {})")},
        "prose": f"{out} is the sum of all words (it wraps).",
    }
    spec = _spec("chain", "", plain)
    lines = [header(spec).rstrip(), f"  wire {width_text(width)}part1 = {words[0]} + {words[1]};"]
    for n, word in enumerate(words[2:], 2):
        lines.append(f"  wire {width_text(width)}part{n} = part{n - 1} + {word};")
    lines += [f"  assign {out} = part{count - 1};", "endmodule", ""]
    return Wasteful(_spec("chain", "\n".join(lines), plain), Goal("depth", 75), "a chain where a tree fits")


def largest(rng: random.Random) -> Wasteful:
    """The largest or smallest of many words, found one after the other."""
    names = Names(rng)
    top, width, count = names.top(), rng.randint(2, 4), rng.randint(6, 8)
    words, out = names.several(count), names.pick("best", "peak", "y", "res")
    sign, best = rng.choice(((">", max), ("<", min)))

    def outputs(_: State, values: Values) -> dict[str, int]:
        return {out: best(values[word] for word in words)}

    wires: list[tuple[str, int, str]] = []
    level = list(words)
    while len(level) > 1:
        after = []
        for n in range(0, len(level) - 1, 2):
            name = f"won{len(wires)}"
            wires.append((name, width, f"({level[n]} {sign} {level[n + 1]}) ? {level[n]} : {level[n + 1]}"))
            after.append(name)
        level = after + level[len(level) - len(level) % 2 :]
    plain: dict[str, Any] = {
        "top": top,
        "inputs": tuple((word, width) for word in words),
        "outs": ((out, width),),
        "outputs": outputs,
        "wires": tuple(wires),
        "drives": {out: level[0]},
        "prose": f"{out} is the {'largest' if sign == '>' else 'smallest'} of all words.",
    }
    spec = _spec("largest", "", plain)
    lines = [header(spec).rstrip(), f"  wire {width_text(width)}best0 = {words[0]};"]
    for n, word in enumerate(words[1:], 1):
        held = f"best{n - 1}"
        lines.append(f"  wire {width_text(width)}best{n} = ({word} {sign} {held}) ? {word} : {held};")
    lines += [f"  assign {out} = best{count - 1};", "endmodule", ""]
    return Wasteful(_spec("largest", "\n".join(lines), plain), Goal("depth", 75), "a chain where a tree fits")


WASTE: Mapping[Split, tuple[Waste, ...]] = {
    "train": (unshared, copied, wide, largest),
    "validation": (late,),
    "test": (ring, chain),
}
"""Families by split: held out whole."""

SAVING: Mapping[Split, tuple[Waste, ...]] = {"train": (copied, wide), "validation": (late,), "test": (ring,)}
"""Those whose target is a number of register bits, whatever stands around them."""
