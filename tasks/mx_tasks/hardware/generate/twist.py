"""A bug that is certainly one: the design that the same dice would have made with one of them turned."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from mx_tasks.hardware.generate.spec import Spec, second_design, table_design
from mx_tasks.hardware.generate.vectors import bits, circuit
from mx_tasks.hardware.rtl.circuit import share_right

TRIES = 200


class _Turned(random.Random):
    """Draws as another seed does, but for one draw."""

    place = -1
    drawn = 0

    def random(self) -> float:
        """A float; at the turned place another one."""
        value = super().random()
        self.drawn += 1
        return (value + 0.5) % 1.0 if self.drawn == self.place else value

    def getrandbits(self, k: int, /) -> int:
        """Bits; at the turned place, the lowest inverted."""
        value = super().getrandbits(k)
        self.drawn += 1
        return value ^ 1 if self.drawn == self.place and k else value


def others(
    family: Callable[[random.Random], Spec], seed: str, rng: random.Random
) -> tuple[Spec, Iterator[Spec]]:
    """A design, and in random order those that differ from it in a single choice and have its ports."""
    spec = family(_Turned(seed))
    counting = _Turned(seed)
    family(counting)
    places = list(range(1, counting.drawn + 1))
    rng.shuffle(places)

    def turned() -> Iterator[Spec]:
        for place in places[:TRIES]:
            dice = _Turned(seed)
            dice.place = place
            other = family(dice)
            if other.ports == spec.ports and other.top == spec.top:
                yield other

    return spec, turned()


def twisted(
    family: Callable[[random.Random], Spec], seed: str, rng: random.Random
) -> tuple[Spec, str, float] | None:
    """A design, the Verilog text of one that differs in a single choice, and the share of hidden scenarios that this one gets right.

    None where no choice makes a difference that shows without changing the ports.
    """
    spec, turned = others(family, seed, rng)
    hidden = circuit(spec, f"{seed}/vectors")
    for other in turned:
        share = share_right(hidden, replay(other, hidden.steps))
        if share < 0.9:
            text = second_design(other) if rng.random() < 0.6 else table_design(other)
            return spec, text, share
    return None


def replay(spec: Spec, steps: tuple[str, ...]) -> tuple[str, ...]:
    """The model's outputs on recorded steps; ``x`` before its first reset."""
    state, known, before = spec.start, spec.reset is None, ""
    rows = []
    for step in steps:
        values, place = {}, 0
        for name, direction, width in spec.ports:
            if direction == "input":
                values[name] = int(step[place : place + width], 2)
                place += width
        active = spec.reset is not None and values[spec.reset.name] == spec.reset.level
        rises = bool(spec.clock) and before == "0" and values[spec.clock] == 1
        if active and spec.reset is not None and (spec.reset.asynchronous or rises):
            state, known = spec.start, True
        elif rises:
            state = spec.next_state(state, values)
        before = str(values.get(spec.clock, ""))
        outs = bits(spec.outputs(state, values), spec.outs)
        rows.append(outs if known else "x" * len(outs))
    return tuple(rows)
