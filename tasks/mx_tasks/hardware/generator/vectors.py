"""Hidden vectors: inputs drawn from a seed, outputs from the Python model."""

from __future__ import annotations

import random
from collections.abc import Iterator

from mx_tasks.hardware.circuit import Circuit
from mx_tasks.hardware.generator.spec import Spec, State, Values, table_design

EXHAUSTIVE_BITS = 8
RANDOM_VECTORS = 256
SCENARIOS = 24
CYCLES = 24


def circuit(spec: Spec, seed: str) -> Circuit:
    """What answers to a spec are graded against."""
    rng = random.Random(seed)
    if not spec.clock:
        rows = list(_combinational(spec, rng))
        steps, expected = [step for step, _ in rows], [outs for _, outs in rows]
        scenario = 1
    else:
        steps, expected = [], []
        for _ in range(SCENARIOS):
            for step, outs in _scenario(spec, rng, CYCLES):
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


def _scenario(spec: Spec, rng: random.Random, cycles: int) -> Iterator[tuple[str, str]]:
    """Two steps a cycle: the inputs change while the clock is low, then it rises. Begins in reset."""
    state: State = spec.start
    known = spec.reset is None
    inputs: dict[str, int] = {}
    for cycle in range(cycles):
        inputs = _draw(spec, rng, inputs)
        active = spec.reset is not None and (cycle == 0 or rng.random() < 0.03)
        for level in (0, 1):
            if active and spec.reset is not None and spec.reset.asynchronous:
                state, known = spec.start, True
            if level:
                state = spec.start if active else spec.next_state(state, inputs)
                known = known or active
            outs = bits(spec.outputs(state, inputs), spec.outs)
            reset = "" if spec.reset is None else str(spec.reset.level if active else 1 - spec.reset.level)
            yield f"{level}{reset}{bits(inputs, spec.inputs)}", outs if known else "x" * len(outs)
