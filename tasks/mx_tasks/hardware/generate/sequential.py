"""Families of level 1: registers, counters, shift registers, feedback registers."""

from __future__ import annotations

import random

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


def counter(rng: random.Random) -> Spec:
    """A counter between two ends, with enable, up or down, wrapping or stopping."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(3, 5)
    low = rng.randrange(0, 3)
    high = rng.randint(low + 3, mask(width) - 1)
    start = rng.randint(low, high)
    up, wraps = rng.random() < 0.5, rng.random() < 0.6
    enable, out, last = (
        names.pick("en", "enable", "tick", "go"),
        names.pick("count", "q", "cnt", "value"),
        names.pick("last", "at_end", "done"),
    )
    end, begin = (high, low) if up else (low, high)
    step = 1 if up else -1
    after = begin if wraps else end
    start = begin if start == end and not wraps else start  # a counter that never moves is none

    def next_state(state: State, values: Values) -> State:
        if not values[enable]:
            return state
        return (after if state[0] == end else state[0] + step,)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[0], last: int(state[0] == end)}

    held = names.pick("state", "n_reg", "now")
    moved = f"({held} == {width}'d{end}) ? {width}'d{after} : {held} {'+' if up else '-'} {width}'d1"
    spec = Spec(
        family="counter",
        level=1,
        title="A counter",
        top=top,
        inputs=((enable, 1),),
        outs=((out, width), (last, 1)),
        outputs=outputs,
        drives={out: held, last: f"{held} == {width}'d{end}"},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(start,),
        next_state=next_state,
        registers=((held, width),),
        updates={held: f"{enable} ? ({moved}) : {held}"},
        biases={enable: 0.8},
    )
    lines = [
        header(spec, [out, last]).rstrip(),
        f"  always @({sensitivity(spec)}) begin",
        f"    if ({reset_test(reset)}) begin {out} <= {start}; {last} <= {int(start == end)}; end",
        f"    else if ({enable}) begin",
        f"      if ({last}) begin {out} <= {after}; {last} <= {int(after == end)}; end",
        f"      else begin {out} <= {out} {'+' if up else '-'} 1; {last} <= ({out} == {end - step}); end",
        "    end",
        "  end",
        "endmodule",
        "",
    ]
    prose = (
        f"{out} counts {'up' if up else 'down'} by one at every clock edge at which {enable} is 1, and keeps its value when it is 0.",
        f"From {end} it goes to {after}, so it {'wraps' if wraps else 'stops there'}.",
        f"{last} is 1 while {out} is {end}.",
        f"Reset sets {out} to {start}.",
    )
    return described(
        spec,
        "\n".join(lines),
        prose,
        f"{out}: {'up' if up else 'down'} counter {begin}..{end}, enable {enable}, {'wrap' if wraps else 'saturate'}, reset {start}; {last} = ({out}=={end})",
    )


def shifter(rng: random.Random) -> Spec:
    """A shift register with a load; direction, start value and what comes in are drawn."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(4, 8)
    load, word, serial = (
        names.pick("load", "ld", "put"),
        names.pick("data", "word", "d_in"),
        names.pick("sin", "bit_in", "si"),
    )
    out, tail = names.pick("q", "sr", "reg_out"), names.pick("sout", "bit_out", "so")
    left, first = rng.random() < 0.5, rng.random() < 0.5
    hold = names.pick("hold", "stall", "freeze")
    start = rng.getrandbits(width)

    def next_state(state: State, values: Values) -> State:
        order = [load, hold] if first else [hold, load]
        for name in order:
            if values[name]:
                return (values[word],) if name == load else state
        value = state[0]
        if left:
            return ((value << 1 | values[serial]) & mask(width),)
        return (value >> 1 | values[serial] << (width - 1),)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[0], tail: state[0] >> (width - 1) & 1 if left else state[0] & 1}

    held = names.pick("bits_reg", "store", "chain")
    moved = f"{{{held}[{width - 2}:0], {serial}}}" if left else f"{{{serial}, {held}[{width - 1}:1]}}"
    chosen = (
        f"{load} ? {word} : {hold} ? {held} : {moved}"
        if first
        else f"{hold} ? {held} : {load} ? {word} : {moved}"
    )
    spec = Spec(
        family="shifter",
        level=1,
        title="A shift register",
        top=top,
        inputs=((load, 1), (hold, 1), (serial, 1), (word, width)),
        outs=((out, width), (tail, 1)),
        outputs=outputs,
        drives={out: held, tail: f"{held}[{width - 1 if left else 0}]"},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(start,),
        next_state=next_state,
        registers=((held, width),),
        updates={held: chosen},
        biases={load: 0.2, hold: 0.25},
    )
    lines = [
        header(spec, [out]).rstrip(),
        "  integer i;",
        f"  assign {tail} = {out}[{width - 1 if left else 0}];",
    ]
    lines += [f"  always @({sensitivity(spec)})", f"    if ({reset_test(reset)}) {out} <= {start};"]
    checks = [f"({load}) {out} <= {word};", f"({hold}) {out} <= {out};"]
    lines += [f"    else if {check}" for check in (checks if first else checks[::-1])]
    lines += ["    else begin", f"      for (i = 0; i < {width}; i = i + 1)"]
    lines.append(
        f"        {out}[i] <= (i == 0) ? {serial} : {out}[(i + {width - 1}) % {width}];"
        if left
        else f"        {out}[i] <= (i == {width - 1}) ? {serial} : {out}[(i + 1) % {width}];"
    )
    second = "\n".join([*lines, "    end", "endmodule", ""])
    prose = (
        f"At each clock edge: with {load} 1, {out} takes {word}; with {hold} 1, it keeps its value; "
        f"when both are 1, {load if first else hold} wins.",
        f"Otherwise {out} moves by one place to the {'left (towards the most' if left else 'right (towards the least'} significant bit), "
        f"and {serial} enters at the other end.",
        f"{tail} is the {'most' if left else 'least'} significant bit of {out}. Reset sets {out} to {start}.",
    )
    return described(
        spec,
        second,
        prose,
        f"{out}: {width}-bit shift {'left' if left else 'right'}, in {serial}, out {tail}; {load} loads {word}; {hold} holds; {(load if first else hold)} first; reset {start}",
    )


def lfsr(rng: random.Random) -> Spec:
    """A feedback shift register, Fibonacci or Galois, with drawn taps."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(4, 7)
    out, enable = names.pick("q", "lfsr", "rnd"), names.pick("en", "step_en", "run")
    taps = sorted({width - 1, *rng.sample(range(width - 1), rng.randint(1, 2))})
    galois = rng.random() < 0.5
    start = rng.randint(1, mask(width))
    pattern = sum(1 << tap for tap in taps)

    def next_state(state: State, values: Values) -> State:
        value = state[0]
        if not values[enable]:
            return state
        if galois:
            return ((value >> 1) ^ (pattern if value & 1 else 0),)
        return ((value << 1 | bin(value & pattern).count("1") & 1) & mask(width),)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[0]}

    held = names.pick("state", "sr_reg", "poly")
    if galois:
        moved = f"({held} >> 1) ^ ({held}[0] ? {width}'d{pattern} : {width}'d0)"
    else:
        moved = f"{{{held}[{width - 2}:0], ^({held} & {width}'d{pattern})}}"
    spec = Spec(
        family="lfsr",
        level=1,
        title="A linear feedback shift register",
        top=top,
        inputs=((enable, 1),),
        outs=((out, width),),
        outputs=outputs,
        drives={out: held},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(start,),
        next_state=next_state,
        registers=((held, width),),
        updates={held: f"{enable} ? ({moved}) : {held}"},
        biases={enable: 0.8},
    )
    lines = [
        header(spec, [out]).rstrip(),
        f"  reg {'' if width == 1 else f'[{width - 1}:0] '}ahead;",
        "  always @(*) begin",
    ]
    if galois:
        bits = [f"{out}[{p + 1}]" if p + 1 < width else "1'b0" for p in range(width)]
        lines += [
            f"    ahead[{p}] = {bit}{f' ^ {out}[0]' if p in taps else ''};" for p, bit in enumerate(bits)
        ]
    else:
        lines.append(f"    ahead[0] = {' ^ '.join(f'{out}[{tap}]' for tap in taps)};")
        lines += [f"    ahead[{p}] = {out}[{p - 1}];" for p in range(1, width)]
    lines += ["  end", f"  always @({sensitivity(spec)})", f"    if ({reset_test(reset)}) {out} <= {start};"]
    second = "\n".join([*lines, f"    else if ({enable}) {out} <= ahead;", "endmodule", ""])
    listing = ", ".join(map(str, taps))
    how = (
        f"{out} moves right by one place, a 0 enters on the left, and if the bit that leaves (bit 0) was 1, bits {listing} of the "
        "moved word are inverted."
        if galois
        else f"{out} moves left by one place, and the XOR of its bits {listing} enters as bit 0."
    )
    prose = (
        f"At each clock edge at which {enable} is 1, {how}",
        f"With {enable} 0 it keeps its value. Reset sets {out} to {start}.",
    )
    return described(
        spec,
        second,
        prose,
        f"{out}: {width}-bit {'Galois right LFSR: if the bit that leaves was 1, invert after the shift' if galois else 'Fibonacci left LFSR: enters at bit 0 the XOR of'} bits {taps}, enable {enable}, reset {start}",
    )


def edges(rng: random.Random) -> Spec:
    """Edges of a word's bits: rising, falling or both, as a pulse or caught until cleared."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(2, 4)
    word, out = names.pick("pins", "sig", "lines"), names.pick("seen", "edge_out", "pulse")
    kind, caught = rng.choice(["rising", "falling", "any"]), rng.random() < 0.5
    clear = names.pick("ack", "wipe", "take") if caught else ""
    clear_wins = rng.random() < 0.5
    start = rng.getrandbits(width)

    def next_state(state: State, values: Values) -> State:
        before, held = state
        now = values[word]
        found = {"rising": now & ~before, "falling": before & ~now, "any": now ^ before}[kind] & mask(width)
        if not caught:
            return now, found
        if values[clear]:
            return now, 0 if clear_wins else found
        return now, held | found

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[1]}

    before, held = names.pick("earlier", "prev", "old"), names.pick("held", "caught_reg", "flags")
    found = {
        "rising": f"({word} & ~{before})",
        "falling": f"({before} & ~{word})",
        "any": f"({word} ^ {before})",
    }[kind]
    cleared = f"{width}'d0" if clear_wins else found
    kept = f"{clear} ? {cleared} : ({held} | {found})" if caught else found
    inputs = ((word, width), (clear, 1)) if caught else ((word, width),)
    spec = Spec(
        family="edges",
        level=1,
        title="Edge detection",
        top=top,
        inputs=inputs,
        outs=((out, width),),
        outputs=outputs,
        drives={out: held},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(start, 0),
        next_state=next_state,
        registers=((before, width), (held, width)),
        updates={before: word, held: kept},
        biases={clear: 0.25} if caught else {},
    )
    lines = [
        header(spec, [out]).rstrip(),
        f"  reg [{width - 1}:0] last;",
        "  integer i;",
        f"  always @({sensitivity(spec)})",
    ]
    lines += [
        f"    if ({reset_test(reset)}) begin last <= {start}; {out} <= 0; end",
        "    else begin",
        f"      last <= {word};",
    ]
    lines.append(f"      for (i = 0; i < {width}; i = i + 1) begin")
    hit = {
        "rising": f"{word}[i] && !last[i]",
        "falling": f"!{word}[i] && last[i]",
        "any": f"{word}[i] != last[i]",
    }[kind]
    if caught and clear_wins:
        lines += [f"        if ({clear}) {out}[i] <= 1'b0;", f"        else if ({hit}) {out}[i] <= 1'b1;"]
    elif caught:
        lines += [f"        if ({hit}) {out}[i] <= 1'b1;", f"        else if ({clear}) {out}[i] <= 1'b0;"]
    else:
        lines.append(f"        {out}[i] <= {hit};")
    second = "\n".join([*lines, "      end", "    end", "endmodule", ""])
    what = {"rising": "goes from 0 to 1", "falling": "goes from 1 to 0", "any": "changes"}[kind]
    prose = [
        f"{word} is sampled at each clock edge. A bit of {out} is set at the edge at which that bit of {word} {what} "
        f"compared with the sample before (so {out} changes right after that edge).",
    ]
    if caught:
        prose.append(f"A bit that is set stays 1 until an edge at which {clear} is 1, which clears all bits.")
        prose.append(
            f"If a bit is detected at an edge at which {clear} is 1, it is {'cleared' if clear_wins else 'set'}."
        )
    else:
        prose.append("It is 1 for one cycle only, unless the next edge detects it again.")
    prose.append(f"Reset sets {out} to 0 and the remembered sample to {start}.")
    return described(
        spec,
        second,
        tuple(prose),
        f"{out}[i] = {kind} edge of {word}[i], registered{f', sticky (set stays) until {clear} ({(clear if clear_wins else chr(101) + chr(100) + chr(103) + chr(101))} wins)' if caught else ', one cycle each'}; reset: {out} 0, previous sample {start}",
    )


def byte_enables(rng: random.Random) -> Spec:
    """A register of two halves that are written, inverted or kept one by one."""
    names = Names(rng)
    top, (clock, reset), half = names.top(), names.clocking(), rng.randint(2, 4)
    word, out, enables = (
        names.pick("d", "data", "wdata"),
        names.pick("q", "store", "held"),
        names.pick("be", "we", "lanes"),
    )
    flip = names.pick("flip", "inv", "toggle")
    start, crossed = rng.getrandbits(2 * half), rng.random() < 0.5
    flip_first = rng.random() < 0.5
    lanes = [1, 0] if crossed else [0, 1]

    def next_state(state: State, values: Values) -> State:
        result = 0
        for place in (0, 1):
            old = state[0] >> place * half & mask(half)
            new = values[word] >> place * half & mask(half)
            writes = values[enables] >> lanes[place] & 1
            flips = values[flip]
            if flips and (flip_first or not writes):
                new = old ^ mask(half)
            elif not writes:
                new = old
            result |= new << place * half
        return (result,)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[0]}

    held = names.pick("word_reg", "keep", "bank")

    def part(place: int) -> str:
        span = f"[{place * half + half - 1}:{place * half}]"
        write, invert = f"{enables}[{lanes[place]}] ? {word}{span} : ", f"{flip} ? ~{held}{span} : "
        return f"({invert + write if flip_first else write + invert}{held}{span})"

    spec = Spec(
        family="byte_enables",
        level=1,
        title="A register with lanes",
        top=top,
        inputs=((enables, 2), (flip, 1), (word, 2 * half)),
        outs=((out, 2 * half),),
        outputs=outputs,
        drives={out: held},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(start,),
        next_state=next_state,
        registers=((held, 2 * half),),
        updates={held: f"{{{part(1)}, {part(0)}}}"},
        biases={flip: 0.3},
    )
    lines = [
        header(spec, [out]).rstrip(),
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) {out} <= {start};",
        "    else begin",
    ]
    for place in (0, 1):
        span = f"[{place * half} +: {half}]"
        write, invert = f"{out}{span} <= {word}{span};", f"{out}{span} <= ~{out}{span};"
        first, second_ = (flip, invert), (f"{enables}[{lanes[place]}]", write)
        if not flip_first:
            first, second_ = second_, first
        lines += [f"      if ({first[0]}) {first[1]}", f"      else if ({second_[0]}) {second_[1]}"]
    second = "\n".join([*lines, "    end", "endmodule", ""])
    prose = (
        f"{out} has a lower and an upper half of {half} bits each. At each clock edge a half is written from the same half of {word} when its "
        f"bit of {enables} is 1: bit {lanes[0]} for the lower half, bit {lanes[1]} for the upper half.",
        f"With {flip} 1, "
        + (
            "both halves are inverted instead, and nothing is written."
            if flip_first
            else "each half that is not written at that edge is inverted."
        ),
        f"A half that is neither written nor inverted keeps its value. Reset sets {out} to {start}.",
    )
    return described(
        spec,
        second,
        prose,
        f"{out}: 2x{half} bits; {enables}[{lanes[0]}]/[{lanes[1]}] write low/high half of {word}; {flip} inverts {'both halves instead' if flip_first else 'the halves not written'}; reset {start}",
    )
