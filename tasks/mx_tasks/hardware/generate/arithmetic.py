"""Families of level 3: accumulators, arithmetic units and pipelines with a stated latency."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

from mx_tasks.hardware.generate.spec import (
    RESULTS,
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


def accumulator(rng: random.Random) -> Spec:
    """Adds or subtracts what comes, wrapping or saturating, until it is cleared."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(3, 5)
    word, out = names.pick("d", "x", "amount"), names.pick("acc", "sum", "total_out")
    minus, clear = names.pick("sub", "minus", "neg"), names.pick("clr", "restart", "zero")
    wide = width + 1
    limit, start, saturate = mask(wide), rng.randrange(8), rng.random() < 0.6
    clear_keeps_word = rng.random() < 0.5

    def next_state(state: State, values: Values) -> State:
        if values[clear]:
            return (values[word] if clear_keeps_word else 0,)
        exact = state[0] + (-values[word] if values[minus] else values[word])
        return (min(max(exact, 0), limit) if saturate else exact & limit,)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[0]}

    held = names.pick("held", "store", "a_reg")
    up, down = f"({{1'b0, {held}}} + {word})", f"({{1'b0, {held}}} - {word})"
    first, second_ = names.pick("more", "up_value"), names.pick("less", "down_value")
    wires = ((first, wide + 1, up), (second_, wide + 1, down))
    low = (
        f"({second_}[{wide}] ? {wide}'d0 : {second_}[{wide - 1}:0])"
        if saturate
        else f"{second_}[{wide - 1}:0]"
    )
    high = (
        f"({first}[{wide}] ? {wide}'d{limit} : {first}[{wide - 1}:0])"
        if saturate
        else f"{first}[{wide - 1}:0]"
    )
    cleared = word if clear_keeps_word else f"{wide}'d0"
    spec = Spec(
        "accumulator", 3, "An accumulator", top, ((clear, 1), (minus, 1), (word, width)), ((out, wide),), outputs,
        {out: held}, "", (), "", clock, reset, (start,), next_state, ((held, wide),),
        {held: f"{clear} ? {cleared} : {minus} ? {low} : {high}"}, wires, biases={clear: 0.1},
    )  # fmt: skip
    lines = [
        header(spec, [out]).rstrip(),
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) {out} <= {start};",
    ]
    lines += [f"    else if ({clear}) {out} <= {cleared};"]
    if saturate:
        lines += [f"    else if ({minus}) {out} <= ({out} < {word}) ? 0 : {out} - {word};"]
        lines += [f"    else {out} <= ({out} > {limit} - {word}) ? {limit} : {out} + {word};"]
    else:
        lines += [f"    else {out} <= {minus} ? {out} - {word} : {out} + {word};"]
    second = "\n".join([*lines, "endmodule", ""])
    prose = (
        f"At each clock edge {out} grows by {word}, or shrinks by it when {minus} is 1; all numbers are unsigned.",
        f"A result below 0 or above {limit} "
        + (
            f"becomes 0 or {limit} (it saturates)."
            if saturate
            else f"keeps its lowest {wide} bits (it wraps)."
        ),
        f"When {clear} is 1, {out} becomes {word if clear_keeps_word else 0} instead, whatever {minus} is. Reset sets {out} to {start}.",
    )
    return described(
        spec,
        second,
        prose,
        f"{out} ({wide} bits) += {word}, or -= {word} when {minus}, {'saturating' if saturate else 'wrapping'}; {clear} sets {word if clear_keeps_word else 0}; reset {start}",
    )


OPERATIONS: dict[str, tuple[str, Callable[[int, int, int], int]]] = {
    "+": ("the sum", lambda a, b, m: a + b & m),
    "-": ("the difference (first minus second)", lambda a, b, m: a - b & m),
    "&": ("the bitwise AND", lambda a, b, _: a & b),
    "|": ("the bitwise OR", lambda a, b, _: a | b),
    "^": ("the bitwise XOR", lambda a, b, _: a ^ b),
}


def alu(rng: random.Random) -> Spec:
    """Operations chosen by a drawn code; the result comes a cycle later, with a flag."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(3, 5)
    a, b = names.several(2)
    op, out, zero = (
        names.pick("op", "code", "fn"),
        names.pick(*RESULTS),
        names.pick("zero", "is_zero", "z_flag"),
    )
    chosen = rng.sample(sorted(OPERATIONS), 3)
    codes = rng.sample(range(4), 3)
    other = rng.choice(("hold", "zero"))
    table = dict(zip(codes, chosen, strict=True))
    start = rng.getrandbits(width)

    def next_state(state: State, values: Values) -> State:
        sign = table.get(values[op])
        if sign is None:
            return state if other == "hold" else (0,)
        return (OPERATIONS[sign][1](values[a], values[b], mask(width)),)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[0], zero: int(state[0] == 0)}

    held = names.pick("result_reg", "r_q")
    text = held if other == "hold" else f"{width}'d0"
    for code, sign in table.items():
        text = f"({op} == 2'd{code}) ? {a} {sign} {b} : {text}"
    spec = Spec(
        "alu", 3, "An arithmetic unit", top, ((op, 2), (a, width), (b, width)), ((out, width), (zero, 1)), outputs,
        {out: held, zero: f"{held} == {width}'d0"}, "", (), "", clock, reset, (start,), next_state, ((held, width),), {held: text},
    )  # fmt: skip
    lines = [
        header(spec, [out]).rstrip(),
        f"  assign {zero} = ~|{out};",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) {out} <= {start};",
        f"    else case ({op})",
    ]
    for code, sign in table.items():
        lines.append(
            f"      2'd{code}: {out} <= " + (f"{a} + ~{b} + 1'b1;" if sign == "-" else f"{a} {sign} {b};")
        )
    second = "\n".join(
        [*lines, f"      default: {out} <= {out if other == 'hold' else 0};", "    endcase", "endmodule", ""]
    )
    prose = (
        *(
            f"At a clock edge at which {op} is {code}, {out} becomes {OPERATIONS[sign][0]} of {a} and {b}, cut to {width} bits."
            for code, sign in table.items()
        ),
        f"With the remaining code {out} {'keeps its value' if other == 'hold' else 'becomes 0'}. {zero} is 1 while {out} is 0.",
        f"Reset sets {out} to {start}.",
    )
    rows = ", ".join(f"{code}: {a}{sign}{b}" for code, sign in table.items())
    spec = described(
        spec,
        second,
        prose,
        f"{out} registered by {op}: {rows}, else {other}; {zero} = ({out}==0); reset {start}",
    )
    return replace(
        spec, latency=f"The latency is one cycle: the inputs at an edge show in {out} right after it."
    )


def extremes(rng: random.Random) -> Spec:
    """The largest and smallest of what came since a restart, signed or not."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(3, 5)
    word, take, again = (
        names.pick("d", "sample", "x"),
        names.pick("valid", "take", "en"),
        names.pick("restart", "again", "renew"),
    )
    high, low = names.pick("high", "largest", "peak"), names.pick("low", "smallest", "floor_out")
    signed = rng.random() < 0.5
    bottom, ceiling = (1 << (width - 1), mask(width - 1)) if signed else (0, mask(width))

    def number(value: int) -> int:
        return value - (1 << width) if signed and value >> (width - 1) else value

    def next_state(state: State, values: Values) -> State:
        seen = (bottom, ceiling) if values[again] else state
        if values[take]:
            return max(seen[0], values[word], key=number), min(seen[1], values[word], key=number)
        return seen

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {high: state[0], low: state[1]}

    top_reg, low_reg, base_high, base_low = (
        names.pick("hi_q"),
        names.pick("lo_q"),
        names.pick("from_hi"),
        names.pick("from_lo"),
    )
    cast = (lambda text: f"$signed({text})") if signed else (lambda text: text)
    spec = Spec(
        "extremes", 3, "Extremes", top, ((again, 1), (take, 1), (word, width)), ((high, width), (low, width)), outputs,
        {high: top_reg, low: low_reg}, "", (), "", clock, reset, (bottom, ceiling), next_state, ((top_reg, width), (low_reg, width)),
        {
            top_reg: f"({take} && {cast(word)} > {cast(base_high)}) ? {word} : {base_high}",
            low_reg: f"({take} && {cast(word)} < {cast(base_low)}) ? {word} : {base_low}",
        },
        ((base_high, width, f"{again} ? {width}'d{bottom} : {top_reg}"), (base_low, width, f"{again} ? {width}'d{ceiling} : {low_reg}")),
        biases={again: 0.12, take: 0.8},
    )  # fmt: skip
    kind = "signed " if signed else ""
    lines = [
        header(spec).rstrip(),
        f"  reg {kind}[{width - 1}:0] most, least;",
        f"  wire {kind}[{width - 1}:0] now = {word};",
        f"  assign {high} = most;",
        f"  assign {low} = least;",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) begin most <= {width}'d{bottom}; least <= {width}'d{ceiling}; end",
        f"    else if ({again}) begin most <= {take} ? now : {width}'d{bottom}; least <= {take} ? now : {width}'d{ceiling}; end",
        f"    else if ({take}) begin if (now > most) most <= now; if (now < least) least <= now; end",
        "endmodule",
        "",
    ]
    sort = "two's complement signed" if signed else "unsigned"
    prose = (
        f"{word} is {sort}. At each clock edge at which {take} is 1, it is taken in: {high} is the largest and {low} the smallest of all taken in.",
        f"Before anything is taken in, {high} is {bottom} and {low} is {ceiling} (as bit patterns read unsigned).",
        f"An edge at which {again} is 1 first forgets everything, then takes {word} in if {take} is 1. Reset forgets everything.",
    )
    return described(
        spec,
        "\n".join(lines),
        prose,
        f"{high}/{low} = max/min of {sort} {word} taken when {take}; {again} forgets first; empty: {bottom}/{ceiling}; reset empties",
    )


def pipeline(rng: random.Random) -> Spec:
    """A product and a sum in two or three stages, with a valid bit that travels along."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(2, 3)
    a, b, c = names.several(3)
    valid, out, ready = (
        names.pick("valid", "go", "vin"),
        names.pick(*RESULTS),
        names.pick("vout", "out_valid", "done"),
    )
    minus, extra = rng.random() < 0.5, rng.random() < 0.5
    wide = 2 * width + 1

    def next_state(state: State, values: Values) -> State:
        product, carried, first, total, second, *_ = state
        sum_ = (product - carried if minus else product + carried) & mask(wide)
        return values[a] * values[b], values[c], values[valid], sum_, first, total, second

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[5] if extra else state[3], ready: state[6] if extra else state[4]}

    regs = ["prod", "c_q", "v1", "sum_q", "v2", "late_q", "v3"]
    widths = [2 * width, width, 1, wide, 1, wide, 1]
    sign = "-" if minus else "+"
    product = f"{{{width}'d0, {a}}} * {{{width}'d0, {b}}}"
    updates = {
        "prod": product,
        "c_q": c,
        "v1": valid,
        "sum_q": f"{{1'b0, prod}} {sign} {{{wide - width}'d0, c_q}}",
        "v2": "v1",
        "late_q": "sum_q",
        "v3": "v2",
    }
    keep = 7 if extra else 5
    spec = Spec(
        "pipeline", 3, "A pipeline", top, ((valid, 1), (a, width), (b, width), (c, width)), ((out, wide), (ready, 1)), outputs,
        {out: regs[keep - 2], ready: regs[keep - 1]}, "", (), "", clock, reset, (0,) * keep,
        (lambda state, values: next_state((*state, 0, 0)[:7], values)[:keep]),
        tuple(zip(regs[:keep], widths[:keep], strict=True)), {name: updates[name] for name in regs[:keep]},
    )  # fmt: skip
    stages = 3 if extra else 2
    lines = [
        header(spec).rstrip(),
        f"  reg [{width - 1}:0] px [0:{stages - 1}];",
        f"  reg [{width - 1}:0] py [0:{stages - 1}];",
        f"  reg [{width - 1}:0] pz [0:{stages - 1}];",
    ]
    lines += [
        f"  reg [{stages - 1}:0] pv;",
        "  integer i;",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) begin",
    ]
    lines += [
        "      pv <= 0;",
        f"      for (i = 0; i < {stages}; i = i + 1) begin px[i] <= 0; py[i] <= 0; pz[i] <= 0; end",
        "    end else begin",
    ]
    lines += [
        f"      pv <= {{pv[{stages - 2}:0], {valid}}};",
        f"      px[0] <= {a}; py[0] <= {b}; pz[0] <= {c};",
    ]
    lines += [
        f"      for (i = 1; i < {stages}; i = i + 1) begin px[i] <= px[i-1]; py[i] <= py[i-1]; pz[i] <= pz[i-1]; end",
        "    end",
    ]
    last = stages - 1
    lines += [
        f"  wire [{wide - 1}:0] xw = px[{last}], yw = py[{last}], zw = pz[{last}];",
        f"  assign {out} = xw * yw {sign} zw;",
        f"  assign {ready} = pv[{last}];",
    ]
    second = "\n".join([*lines, "endmodule", ""])
    prose = (
        f"{out} is {a} times {b} {'minus' if minus else 'plus'} {c}, all unsigned, cut to {wide} bits (it wraps), and {ready} is the {valid} that came with them.",
        f"Every cycle takes new inputs, valid or not. Reset empties the pipeline: until results arrive, {out} and {ready} are 0.",
    )
    spec = described(
        spec,
        second,
        prose,
        f"{out} = {a}*{b}{sign}{c} mod 2^{wide}, {ready} = {valid}, both delayed {stages} cycles; reset: all stages 0",
    )
    return replace(
        spec,
        latency=f"The latency is {stages} cycles: inputs at an edge show in {out} and {ready} right after the {'third' if extra else 'second'} edge, counting that one.",
    )


FAMILIES = [accumulator, alu, extremes, pipeline]
