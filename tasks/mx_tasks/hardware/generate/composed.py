"""Families of level 5: chains of modules that pass words on with valid and ready."""

from __future__ import annotations

import random
from collections.abc import Callable

from mx_tasks.hardware.generate.spec import (
    Names,
    Spec,
    State,
    Values,
    described,
    header,
    mask,
    reset_test,
    sensitivity,
)

Work = Callable[[int, int, int], int]
WORK: dict[str, tuple[str, Work, str]] = {
    "add": ("adds {k} (it wraps)", lambda word, k, m: word + k & m, "{w} + {n}'d{k}"),
    "xor": ("XORs the word with {k}", lambda word, k, _: word ^ k, "{w} ^ {n}'d{k}"),
    "rotate": (
        "rotates the word left by one place",
        lambda word, _, m: (word << 1 | word >> (m.bit_length() - 1)) & m,
        "{{{w}[{h}:0], {w}[{t}]}}",
    ),
    "gray": (
        "turns the word into its Gray code (the word XOR itself shifted right by one)",
        lambda word, _, __: word ^ word >> 1,
        "{w} ^ ({w} >> 1)",
    ),
}
"""What a stage does to a word: in words, in Python, in Verilog."""


def pair(rng: random.Random) -> Spec:
    """Two stages."""
    return _chain(rng, 2, "pair")


def trio(rng: random.Random) -> Spec:
    """Three stages."""
    return _chain(rng, 3, "trio")


def quartet(rng: random.Random) -> Spec:
    """Four stages."""
    return _chain(rng, 4, "quartet")


def _chain(rng: random.Random, size: int, family: str) -> Spec:
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(2, 4)
    vin, word, rin = (
        names.pick("in_valid", "s_valid", "up_valid"),
        names.pick("in_data", "s_data", "up_data"),
        names.pick("in_ready", "s_ready", "up_ready"),
    )
    vout, out, rout = (
        names.pick("out_valid", "m_valid", "dn_valid"),
        names.pick("out_data", "m_data", "dn_data"),
        names.pick("out_ready", "m_ready", "dn_ready"),
    )
    works = [rng.choice(sorted(WORK)) for _ in range(size)]
    constants = [rng.randint(1, mask(width)) for _ in range(size)]
    eager = rng.random() < 0.5  # ready also while a word leaves
    limit = mask(width)

    def readies(state: State, values: Values) -> list[bool]:
        ready = bool(values[rout])
        found = []
        for place in reversed(range(size)):
            ready = not state[2 * place] or (eager and ready)
            found.append(ready)
        return found[::-1]

    def next_state(state: State, values: Values) -> State:
        ready = readies(state, values)
        after = list(state)
        for place in range(size):
            valid_in = values[vin] if place == 0 else state[2 * place - 2]
            word_in = values[word] if place == 0 else state[2 * place - 1]
            leaves = bool(values[rout]) if place == size - 1 else ready[place + 1]
            if valid_in and ready[place]:
                after[2 * place], after[2 * place + 1] = (
                    1,
                    WORK[works[place]][1](word_in, constants[place], limit),
                )
            elif state[2 * place] and leaves:
                after[2 * place] = 0
        return tuple(after)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {rin: int(readies(state, values)[0]), vout: state[-2], out: state[-1]}

    def does(place: int, source: str) -> str:
        return WORK[works[place]][2].format(w=source, n=width, k=constants[place], h=width - 2, t=width - 1)

    regs, wires, updates = _table(size, width, eager, (vin, word, rout), does)
    spec = Spec(
        family, 5, "A chain of stages", top, ((vin, 1), (word, width), (rout, 1)), ((rin, 1), (vout, 1), (out, width)), outputs,
        {rin: "ready0", vout: f"full{size - 1}", out: f"word{size - 1}"}, "", (), "", clock, reset, (0,) * (2 * size), next_state,
        tuple(regs), updates, tuple(wires), biases={vin: 0.7, rout: 0.6},
    )  # fmt: skip
    second = _modules(spec, size, width, eager, does)
    told = [f"stage {n + 1} {WORK[work][0].format(k=constants[n])}" for n, work in enumerate(works)]
    prose = (
        f"A chain of {size} stages, each with room for one word: {'; '.join(told)}. Words of {width} bits enter at stage 1 and leave after stage {size}.",
        "A word moves from one place to the next at a clock edge at which its valid and the receiver's ready are both 1; the work is done on the way in.",
        f"A stage is ready when it is empty{', or when its word leaves at the same edge' if eager else ' (never while it holds a word, even if that leaves at the same edge)'}.",
        f"{vin}, {word}, {rin} are valid, word and ready of stage 1; {vout} says that stage {size} holds a word, {out} shows its word, and {rout} is the receiver's ready.",
        f"An empty stage keeps showing its last word, so {out} does too. Reset empties all stages and sets their words to 0.",
    )
    chain = " -> ".join(
        {
            "rotate": "rotate left by 1",
            "gray": "to Gray code",
            "add": f"add {constants[n]}",
            "xor": f"xor {constants[n]}",
        }[work]
        for n, work in enumerate(works)
    )
    return described(
        spec,
        second,
        prose,
        f"{size} valid/ready stages of one word ({chain}; mod 2^{width}), each works on what it takes in, ready = empty{' or leaving' if eager else ' only'}; {vin}/{word}/{rin} in, {vout}/{out}/{rout} out; words held when empty; reset 0",
    )


def _table(
    size: int, width: int, eager: bool, signals: tuple[str, str, str], does: Callable[[int, str], str]
) -> tuple[list[tuple[str, int]], list[tuple[str, int, str]], dict[str, str]]:
    """Registers, wires and next values of the chain."""
    vin, word, rout = signals
    regs: list[tuple[str, int]] = []
    wires: list[tuple[str, int, str]] = []
    updates: dict[str, str] = {}
    for place in reversed(range(size)):
        leaves = rout if place == size - 1 else f"ready{place + 1}"
        wires.append((f"ready{place}", 1, f"!full{place}" + (f" | {leaves}" if eager else "")))
    for place in range(size):
        regs += [(f"full{place}", 1), (f"word{place}", width)]
        valid_in, source = (vin, word) if place == 0 else (f"full{place - 1}", f"word{place - 1}")
        leaves = rout if place == size - 1 else f"ready{place + 1}"
        takes = f"({valid_in} & ready{place})"
        updates[f"full{place}"] = f"{takes} | (full{place} & !{leaves})"
        updates[f"word{place}"] = f"{takes} ? {does(place, source)} : word{place}"
    return regs, wires, updates


def _modules(spec: Spec, size: int, width: int, eager: bool, does: Callable[[int, str], str]) -> str:
    """The chain as a module for every stage."""
    (vin, _), (word, _), (rout, _) = spec.inputs
    (rin, _), (vout, _), (out, _) = spec.outs
    top, reset = spec.top, spec.reset
    assert reset is not None  # noqa: S101  # every chain has one
    lines = [
        header(spec).rstrip(),
        f"  wire [{size}:0] v, r;",
        f"  wire [{width - 1}:0] d [0:{size}];",
        f"  assign v[0] = {vin};",
        f"  assign d[0] = {word};",
        f"  assign {rin} = r[0];",
    ]
    lines += [
        f"  assign r[{size}] = {rout};",
        f"  assign {vout} = v[{size}];",
        f"  assign {out} = d[{size}];",
    ]
    helpers = ""
    for place in range(size):
        inner = f"{top}_stage{place}"
        lines.append(
            f"  {inner} s{place} ({spec.clock}, {reset.name}, v[{place}], d[{place}], r[{place}], v[{place + 1}], d[{place + 1}], r[{place + 1}]);"
        )
        helpers += (
            f"module {inner} (input {spec.clock}, input {reset.name}, input vi, input [{width - 1}:0] di, output ri, output reg vo, output reg [{width - 1}:0] dn, input ro);\n"
            f"  assign ri = {'~(vo & ~ro)' if eager else '~vo'};\n"
            f"  always @({sensitivity(spec)})\n"
            f"    if ({reset_test(reset)}) begin vo <= 0; dn <= 0; end\n"
            f"    else begin\n      if (vo & ro) vo <= 0;\n      if (vi & ri) begin vo <= 1; dn <= {does(place, 'di')}; end\n    end\nendmodule\n"
        )
    return "\n".join([*lines, "endmodule", helpers])


FAMILIES = [pair, trio, quartet]
