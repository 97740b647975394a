"""Hidden vectors: inputs drawn from a seed, outputs from the Python model."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from mx_tasks.hardware.generate.spec import Spec, State, Values, table_design
from mx_tasks.hardware.rtl.circuit import Circuit

EXHAUSTIVE_BITS = 8
RANDOM_VECTORS = 256
SCENARIOS = 24
CYCLES = 24
SHORT = 12
"""Scenarios that begin in reset; of the others every fourth does, so that what takes long is reached."""
CANDIDATES = 4
"""Inputs drawn for a cycle; the one that leads to where it has been least is taken most of the time."""


def circuit(spec: Spec, seed: str) -> Circuit:
    """What answers to a spec are graded against."""
    rng = random.Random(seed)
    if not spec.clock:
        rows = list(_combinational(spec, rng))
        steps, expected = [step for step, _ in rows], [outs for _, outs in rows]
        scenario = 1
    else:
        steps, expected = [], []
        run = _Run(spec, rng)
        for number in range(SCENARIOS):
            for step, outs in _scenario(run, begins=number < SHORT or number % 4 == 0):
                steps.append(step)
                expected.append(outs)
        scenario = 2 * CYCLES
    return Circuit(
        top=spec.top,
        ports=spec.ports,
        clocks=(spec.clock,) if spec.clock else (),
        reset=(spec.reset.name, spec.reset.level) if spec.reset else ("", 1),
        steps=tuple(steps),
        expected=tuple(expected),
        scenario=scenario,
        reference=table_design(spec),
        reference_top=spec.top,
    )


def example_rows(spec: Spec, seed: str, count: int) -> list[tuple[dict[str, int], dict[str, int]]]:
    """Public examples: inputs and outputs of single vectors, or of consecutive cycles (outputs as they are before the edge)."""
    rng = random.Random(seed)
    if not spec.clock:
        return [(inputs, spec.outputs((), inputs)) for inputs in (_draw(spec, rng, {}) for _ in range(count))]
    rows = []
    state: State = spec.start
    inputs: dict[str, int] = {}
    for cycle in range(count):
        inputs = _draw(spec, rng, inputs)
        active = cycle == 0
        reset = {spec.reset.name: spec.reset.level if active else 1 - spec.reset.level} if spec.reset else {}
        rows.append(({**reset, **inputs}, spec.outputs(state, inputs)))
        state = spec.start if active else spec.next_state(state, inputs)
    return rows


def bits(values: Values, ports: tuple[tuple[str, int], ...]) -> str:
    """Values side by side, each as wide as its port."""
    return "".join(f"{values[name]:0{width}b}" for name, width in ports)


def _combinational(spec: Spec, rng: random.Random) -> Iterator[tuple[str, str]]:
    total = sum(width for _, width in spec.inputs)
    if total <= EXHAUSTIVE_BITS:
        numbers = list(range(1 << total))
        rng.shuffle(numbers)
    else:
        numbers = [rng.getrandbits(total) for _ in range(RANDOM_VECTORS)]
    for number in numbers:
        values, left = {}, number
        for name, width in spec.inputs:
            values[name] = left & ((1 << width) - 1)
            left >>= width
        if total > EXHAUSTIVE_BITS:
            values = _draw(spec, rng, values)
        yield bits(values, spec.inputs), bits(spec.outputs((), values), spec.outs)


def _draw(spec: Spec, rng: random.Random, before: Values) -> dict[str, int]:
    """Inputs: mostly free, sometimes held, at an end, or near another input's value."""
    values: dict[str, int] = {}
    for name, width in spec.inputs:
        top = (1 << width) - 1
        if width == 1:
            values[name] = int(rng.random() < spec.biases.get(name, 0.5))
            continue
        mood = rng.random()
        others = [values[other] for other, size in spec.inputs if size == width and other in values]
        if mood < 0.12:
            values[name] = rng.choice((0, 1, top, top - 1, top >> 1, (top >> 1) + 1)) & top
        elif mood < 0.24 and others:
            values[name] = (rng.choice(others) + rng.choice((-1, 0, 0, 1))) & top
        elif mood < 0.32 and name in before:
            values[name] = before[name]
        else:
            values[name] = rng.getrandbits(width)
    return values


class _Run:
    """A design under way: its state, whether that is known, its last inputs, and how often it has been where."""

    def __init__(self, spec: Spec, rng: random.Random) -> None:
        self.spec, self.rng = spec, rng
        self.state: State = spec.start
        self.known = spec.reset is None
        self.inputs: dict[str, int] = {}
        self.visits: Counter[object] = Counter()

    def choose(self) -> None:
        """The next inputs: of some candidates the one that exercises most what was exercised least."""
        drawn = [_draw(self.spec, self.rng, self.inputs) for _ in range(CANDIDATES)]
        if self.rng.random() < 0.7:
            drawn.sort(key=self._familiar)
        self.inputs = drawn[0]
        self.visits.update(self._places(self.inputs))

    def _familiar(self, inputs: Values) -> int:
        return sum(self.visits[place] for place in self._places(inputs))

    def _places(self, inputs: Values) -> tuple[object, object]:
        small = tuple(inputs[name] for name, width in self.spec.inputs if width <= 2)
        return (self.state, small), self.spec.next_state(self.state, inputs)


def _scenario(run: _Run, *, begins: bool) -> Iterator[tuple[str, str]]:
    """Two steps a cycle: the inputs change while the clock is low, then it rises. May begin in reset."""
    spec, rng = run.spec, run.rng
    for cycle in range(CYCLES):
        run.choose()
        seldom = 0.03 if begins else 0.004
        active = spec.reset is not None and ((begins and cycle == 0) or rng.random() < seldom)
        if begins and cycle == 0 and spec.reset is not None:
            run.known = False
        for level in (0, 1):
            if active and spec.reset is not None and spec.reset.asynchronous:
                run.state, run.known = spec.start, True
            if level:
                run.state = spec.start if active else spec.next_state(run.state, run.inputs)
                run.known = run.known or active
            outs = bits(spec.outputs(run.state, run.inputs), spec.outs)
            reset = "" if spec.reset is None else str(spec.reset.level if active else 1 - spec.reset.level)
            yield f"{level}{reset}{bits(run.inputs, spec.inputs)}", outs if run.known else "x" * len(outs)
