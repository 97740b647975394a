"""Designs of level 6: two or three drawn modules, each in a file of its own, and a file that wires them up."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from mx_tasks.hardware.generate.families import KINDS, Family
from mx_tasks.hardware.generate.spec import (
    Names,
    Reset,
    Spec,
    State,
    Values,
    second_design,
    table_design,
    width_text,
)
from mx_tasks.hardware.generate.twist import others, replay
from mx_tasks.hardware.generate.vectors import circuit
from mx_tasks.hardware.generate.waste import SAVING, Goal
from mx_tasks.hardware.rtl.circuit import Circuit, Port, share_right, trivial_share
from mx_tasks.task import Split

LEVELS = ("sequential", "fsm", "arithmetic")
MOST_TRIVIAL = 0.85
MOST_BROKEN = 0.9
LARGEST_STATE = 14
"""Register bits of a module at most, so that the whole can be proven."""


@dataclass(frozen=True, slots=True)
class Assembly:
    """A design of several files: as it is given and as it should be, what is said about each file, and the hidden vectors.

    ``at`` is the file in which the bug or the waste is; ``goal`` is there for waste alone; ``broken_share`` is how often what is
    given is right.
    """

    spec: Spec
    modules: Mapping[str, Spec]
    given: Mapping[str, str]
    gold: Mapping[str, str]
    at: str
    circuit: Circuit
    goal: Goal | None = None
    broken_share: float = 0.0


def assembled(rng: random.Random, split: Split, seed: str) -> Assembly | None:
    """One such design, of families of that split; None where the dice fell badly."""
    wasteful = rng.random() < 0.4
    size, place = rng.randint(2, 3), rng.randrange(3)
    place = 0 if wasteful else place % size  # what feeds a wasteful module could make its waste a constant
    families: list[Family] = [family for level in LEVELS for family in KINDS[level][split]]
    seeds = [f"{seed}/module/{n}" for n in range(size)]
    chosen = [rng.choice(families) for _ in range(size)]
    modules = [family(random.Random(each)) for family, each in zip(chosen, seeds, strict=True)]
    goal = None
    if wasteful:
        found = rng.choice(SAVING[split])(random.Random(seeds[place]))
        modules[place], goal = found.spec, replace(found.goal, other=400)
    if not _fit(modules):
        return None
    named = [_renamed(spec, "abc"[n]) for n, spec in enumerate(modules)]
    wiring = _wired(named, rng)
    hidden = circuit(wiring.spec, f"{seed}/vectors")
    if trivial_share(hidden) > MOST_TRIVIAL:
        return None
    seconds = [rng.random() < 0.5 for _ in named]
    gold = {f"{spec.top}.v": _text(spec, second) for spec, second in zip(named, seconds, strict=True)}
    at = f"{named[place].top}.v"
    top_file = {f"{wiring.spec.top}.v": wiring.text}
    if wasteful:
        gold[at] = table_design(named[place])
        given = {**gold, at: second_design(named[place])}
        share = 1.0
    else:
        bug = _bug(chosen[place], seeds[place], named, place, wiring, hidden, rng)
        if bug is None:
            return None
        other, share = bug
        given = {**gold, at: _text(other, seconds[place])}
    about = {f"{spec.top}.v": spec for spec in named}
    gold |= top_file
    hidden = replace(hidden, reference="\n".join(gold[name] for name in sorted(gold)))
    return Assembly(wiring.spec, about, top_file | given, gold, at, hidden, goal, share)


@dataclass(frozen=True, slots=True)
class _Wiring:
    """The outermost module: its text, its model's description, and a maker of its model from other modules' models."""

    spec: Spec
    text: str
    model: Callable[[Sequence[Spec]], Spec]


def _fit(modules: Sequence[Spec]) -> bool:
    resets = [spec.reset for spec in modules]
    return (
        all(reset is not None for reset in resets)
        and len({reset.asynchronous for reset in resets if reset is not None}) == 1
        and all(sum(width for _, width in spec.registers) <= LARGEST_STATE for spec in modules)
    )


def _text(spec: Spec, second: bool) -> str:
    return second_design(spec) if second else table_design(spec)


def _renamed(spec: Spec, letter: str) -> Spec:
    """The design with all its modules under names of their own."""
    second = second_design(spec)
    names = {*re.findall(r"\bmodule\s+(\w+)", second), spec.top}
    for name in sorted(names, key=len, reverse=True):
        second = re.sub(rf"\b{name}\b", f"{name}_{letter}", second)
    return replace(spec, top=f"{spec.top}_{letter}", second=second, helpers="")


def _wired(modules: Sequence[Spec], rng: random.Random) -> _Wiring:
    """Modules in a row: an input of a later one comes from outside or from the outputs of the one before."""
    names = Names(rng)
    top, (clock, plain) = (
        f"{names.pick('top', 'system', 'chip', 'board')}_{rng.randrange(100)}",
        names.clocking(),
    )
    first = modules[0].reset
    reset = Reset(plain.name, plain.level, first is not None and first.asynchronous)
    sources: list[dict[str, tuple[str, int] | None]] = []
    inputs: list[tuple[str, int]] = []
    for n, spec in enumerate(modules):
        feeding = [out for out, _ in modules[n - 1].outs] if n else []
        wired = {name: rng.random() < 0.5 for name, _ in spec.inputs} if n else {}
        if n and not any(wired.values()):
            wired[rng.choice(spec.inputs)[0]] = True
        row: dict[str, tuple[str, int] | None] = {}
        for name, width in spec.inputs:
            row[name] = (rng.choice(feeding), width) if wired.get(name) else None
            if row[name] is None:
                inputs.append((f"{'abc'[n]}_{name}", width))
        sources.append(row)
    outs = tuple((f"{'abc'[n]}_{name}", width) for n, spec in enumerate(modules) for name, width in spec.outs)
    biases = {
        f"{'abc'[n]}_{name}": bias for n, spec in enumerate(modules) for name, bias in spec.biases.items()
    }
    bare = Spec(
        "assembly", 6, "A design of several modules", top, tuple(inputs), outs, lambda _, __: {},
        dict.fromkeys((name for name, _ in outs), "0"), "", (), "", clock, reset, biases=biases,
    )  # fmt: skip

    def model(parts: Sequence[Spec]) -> Spec:
        return _model(bare, parts, sources)

    return _Wiring(model(modules), _top_text(bare, modules, sources), model)


def _model(
    bare: Spec, parts: Sequence[Spec], sources: Sequence[Mapping[str, tuple[str, int] | None]]
) -> Spec:
    sizes = [len(part.start) for part in parts]

    def seen(state: State, values: Values) -> list[tuple[State, dict[str, int], dict[str, int]]]:
        """For each module: its state, inputs, outputs."""
        found: list[tuple[State, dict[str, int], dict[str, int]]] = []
        begin = 0
        for n, (part, size) in enumerate(zip(parts, sizes, strict=True)):
            given = {}
            for name, width in part.inputs:
                source = sources[n][name]
                given[name] = (
                    values[f"{'abc'[n]}_{name}"]
                    if source is None
                    else found[-1][2][source[0]] & ((1 << width) - 1)
                )
            mine = state[begin : begin + size]
            found.append((mine, given, part.outputs(mine, given)))
            begin += size
        return found

    def next_state(state: State, values: Values) -> State:
        return tuple(
            value
            for part, (mine, given, _) in zip(parts, seen(state, values), strict=True)
            for value in part.next_state(mine, given)
        )

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {
            f"{'abc'[n]}_{name}": value
            for n, (_, _, outs) in enumerate(seen(state, values))
            for name, value in outs.items()
        }

    start = tuple(value for part in parts for value in part.start)
    return replace(bare, outputs=outputs, next_state=next_state, start=start)


def _top_text(
    bare: Spec, modules: Sequence[Spec], sources: Sequence[Mapping[str, tuple[str, int] | None]]
) -> str:
    ports: list[Port] = list(bare.ports)
    head = ",\n".join(f"  {direction} {width_text(width)}{name}" for name, direction, width in ports)
    lines = [f"module {bare.top} (\n{head}\n);"]
    for n, spec in enumerate(modules):
        pins = []
        for name, direction, _ in spec.ports:
            if name == spec.clock:
                pins.append(f".{name}({bare.clock})")
            elif spec.reset is not None and bare.reset is not None and name == spec.reset.name:
                same = spec.reset.level == bare.reset.level
                pins.append(f".{name}({'' if same else '~'}{bare.reset.name})")
            elif direction == "output" or sources[n][name] is None:
                pins.append(f".{name}({'abc'[n]}_{name})")
            else:
                pins.append(f".{name}({_slice(modules[n - 1], 'abc'[n - 1], sources[n][name])})")
        lines.append(f"  {spec.top} part_{'abc'[n]} (" + ", ".join(pins) + ");")
    return "\n".join([*lines, "endmodule", ""])


def _slice(before: Spec, letter: str, source: tuple[str, int] | None) -> str:
    """The low bits of an output, with zeros before them where it is too narrow."""
    name, width = source or ("", 0)
    has = dict(before.outs)[name]
    signal = f"{letter}_{name}"
    if has == width:
        return signal
    if has > width:
        return f"{signal}[{width - 1}:0]" if width > 1 else f"{signal}[0]"
    return f"{{{width - has}'b0, {signal}}}"


def _bug(
    family: Family,
    seed: str,
    modules: Sequence[Spec],
    place: int,
    wiring: _Wiring,
    hidden: Circuit,
    rng: random.Random,
) -> tuple[Spec, float] | None:
    """The module at that place with one choice turned, and the share of scenarios that the whole then still gets right."""
    _, turned = others(family, seed, rng)
    for other in turned:
        if other.reset != modules[place].reset:
            continue
        named = _renamed(other, "abc"[place])
        parts = [*modules[:place], named, *modules[place + 1 :]]
        share = share_right(hidden, replay(wiring.model(parts), hidden.steps))
        if share < MOST_BROKEN:
            return named, share
    return None
