"""Families of level 4: queues, arbiters, serial lines, checksums."""

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


def queue(rng: random.Random) -> Spec:
    """A first-in first-out queue of four words."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(1, 3)
    push, pop, word = (
        names.pick("push", "wr", "put"),
        names.pick("pop", "rd", "get"),
        names.pick("din", "wdata", "item"),
    )
    out, empty, full = (
        names.pick("dout", "head", "rdata"),
        names.pick("empty", "none"),
        names.pick("full", "no_room"),
    )
    through = rng.random() < 0.5  # a push into a full queue is taken when a pop makes room at the same edge
    gap = rng.getrandbits(width)

    def next_state(state: State, values: Values) -> State:
        count, items = state[0], list(state[1:])
        pops = values[pop] and count > 0
        pushes = values[push] and (count < 4 or (through and pops))
        if pops:
            items = [*items[1:], 0]
            count -= 1
        if pushes:
            items[count] = values[word]
            count += 1
        return (count, *items)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[1] if state[0] else gap, empty: int(state[0] == 0), full: int(state[0] == 4)}

    count, cells = names.pick("count", "used"), [f"w{n}" for n in range(4)]
    pops, pushes, left = names.pick("pops"), names.pick("pushes"), names.pick("left")
    room = f"({count} != 3'd4" + (f" | {pops})" if through else ")")
    wires = (
        (pops, 1, f"{pop} & ({count} != 3'd0)"),
        (pushes, 1, f"{push} & {room}"),
        (left, 3, f"{count} - {{2'd0, {pops}}}"),
    )
    updates = {count: f"{left} + {{2'd0, {pushes}}}"}
    for n, cell in enumerate(cells):
        moved = f"({pops} ? {cells[n + 1] if n < 3 else f'{width}{chr(39)}d0'} : {cell})"
        updates[cell] = f"({pushes} & ({left} == 3'd{n})) ? {word} : {moved}"
    spec = Spec(
        "queue", 4, "A queue", top, ((push, 1), (pop, 1), (word, width)), ((out, width), (empty, 1), (full, 1)), outputs,
        {out: f"({count} == 3'd0) ? {width}'d{gap} : w0", empty: f"{count} == 3'd0", full: f"{count} == 3'd4"}, "", (), "",
        clock, reset, (0, 0, 0, 0, 0), next_state, ((count, 3), *((cell, width) for cell in cells)), updates, wires,
        biases={push: 0.6, pop: 0.45},
    )  # fmt: skip
    lines = [
        header(spec).rstrip(),
        f"  reg [{width - 1}:0] slot [0:3];",
        "  reg [2:0] wp, rp;",
        f"  assign {empty} = (wp == rp);",
        f"  assign {full} = (wp == {{~rp[2], rp[1:0]}});",
        f"  assign {out} = {empty} ? {width}'d{gap} : slot[rp[1:0]];",
        f"  wire takes = {pop} && !{empty};",
        f"  wire puts = {push} && (!{full}{' || takes' if through else ''});",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) begin wp <= 0; rp <= 0; end",
        "    else begin",
        f"      if (puts) begin slot[wp[1:0]] <= {word}; wp <= wp + 1; end",
        "      if (takes) rp <= rp + 1;",
        "    end",
        "endmodule",
        "",
    ]
    prose = (
        f"A queue of up to 4 words of {width} bit{'s' if width > 1 else ''} each. {empty} and {full} say how it stands; {out} shows its oldest word at once, or {gap} while it is empty.",
        f"At each clock edge, {pop} takes the oldest word away if there is one, and {push} appends {word} if there is room; a request that cannot be met is ignored.",
        "Room is counted "
        + (
            "after the pop of the same edge: a full queue takes a word while one leaves."
            if through
            else "before the pop of the same edge: a full queue takes no word even while one leaves."
        ),
        "A word pushed into an empty queue cannot be popped at the same edge. Reset empties the queue.",
    )
    return described(
        spec,
        "\n".join(lines),
        prose,
        f"FIFO depth 4 x {width}: {push}/{word}, {pop}, {out} = head (fall-through, {gap} if empty), {empty}, {full}; over/underflow ignored; push into full {'ok if a pop happens' if through else 'ignored even with a pop'}; reset empty",
    )


def arbiter(rng: random.Random) -> Spec:
    """Grants to one of three askers, in turn or by rank, with or without a lock."""
    names = Names(rng)
    top, (clock, reset) = names.top(), names.clocking()
    req, grant = names.pick("req", "ask", "want"), names.pick("gnt", "grant", "turn")
    lock = names.pick("lock", "keep_it", "stay")
    step = rng.choice((1, 2))
    first = rng.randrange(3)

    def choose(last: int, asked: int) -> int:
        for offset in range(1, 4):
            place = (last + offset * step) % 3
            if asked >> place & 1:
                return place
        return 3

    def next_state(state: State, values: Values) -> State:
        last, given = state
        if values[lock] and given < 3 and values[req] >> given & 1:
            return state
        chosen = choose(last, values[req])
        return (chosen if chosen < 3 else last, chosen)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {grant: 1 << state[1] if state[1] < 3 else 0}

    start = ((first - step) % 3, 3)
    last, given = names.pick("last", "recent"), names.pick("given", "owner")
    chosen, stays = names.pick("chosen", "pick"), names.pick("stays", "kept")
    text = "2'd3"
    for place in range(3):
        order = [(place + offset * step) % 3 for offset in range(1, 4)]
        inner = "2'd3"
        for candidate in reversed(order):
            inner = f"{req}[{candidate}] ? 2'd{candidate} : {inner}"
        text = f"({last} == 2'd{place}) ? ({inner}) : {text}"
    kept = " | ".join(f"({given} == 2'd{place}) & {req}[{place}]" for place in range(3))
    spec = Spec(
        "arbiter", 4, "An arbiter", top, ((req, 3), (lock, 1)), ((grant, 3),), outputs,
        {grant: f"({given} == 2'd3) ? 3'd0 : (3'd1 << {given})"}, "", (), "", clock, reset, start, next_state,
        ((last, 2), (given, 2)),
        {last: f"({stays} | {chosen} == 2'd3) ? {last} : {chosen}", given: f"{stays} ? {given} : {chosen}"},
        ((chosen, 2, text), (stays, 1, f"{lock} & ({kept})")), biases={lock: 0.25},
    )  # fmt: skip
    other = {0: 0, 1: 1, 2: 2}
    lines = [
        header(spec, [grant]).rstrip(),
        "  reg [2:0] behind; // one-hot: who had the last turn",
        "  reg [2:0] ahead;",
        "  always @(*) begin",
        "    ahead = 0;",
        "    case (behind)",
    ]
    for place in other:
        order = [(place + offset * step) % 3 for offset in range(1, 4)]
        lines.append(
            f"      3'd{1 << place}: " + " else ".join(f"if ({req}[{n}]) ahead = 3'd{1 << n};" for n in order)
        )
    lines += [
        "      default: ;",
        "    endcase",
        "  end",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) begin {grant} <= 0; behind <= 3'd{1 << start[0]}; end",
    ]
    lines += [
        f"    else if (!({lock} && ({grant} & {req}) != 0)) begin",
        f"      {grant} <= ahead;",
        "      if (ahead != 0) behind <= ahead;",
        "    end",
        "endmodule",
        "",
    ]
    order_text = (
        "the next higher number, from 2 on to 0" if step == 1 else "the next lower number, from 0 on to 2"
    )
    prose = (
        f"Three askers, numbered by the bits of {req}. {grant} has at most one bit set; it is decided anew at each clock edge from {req} at that edge and holds until the next.",
        f"The turn goes to an asker with its bit of {req} set; the search begins at {order_text}, counted from the one who had the last turn, who comes last.",
        f"If nobody asks, {grant} becomes 0, and who had the last turn is remembered.",
        f"When {lock} is 1 and the one who has the grant still asks, the grant stays with them.",
        f"After reset {grant} is 0, and the search begins at number {first}.",
    )
    return described(
        spec,
        "\n".join(lines),
        prose,
        f"{grant} = registered round robin over {req}, {'ascending' if step == 1 else 'descending'}, first {first} after reset, last winner remembered while idle; {lock} keeps a grant whose asker still asks; reset 0",
    )


def checksum(rng: random.Random) -> Spec:
    """A cyclic redundancy check over a stream of bits."""
    names = Names(rng)
    top, (clock, reset), width = names.top(), names.clocking(), rng.randint(4, 7)
    bit, valid, init, out = (
        names.pick("bit_in", "din", "s"),
        names.pick("valid", "en", "shift_en"),
        names.pick("first", "begin_frame", "sof"),
        names.pick("crc", "check", "rem"),
    )
    poly, start = rng.getrandbits(width) | 1, rng.choice((0, mask(width), rng.getrandbits(width)))
    invert = rng.random() < 0.5

    def next_state(state: State, values: Values) -> State:
        if not values[valid]:
            return state
        value = start if values[init] else state[0]
        feedback = (value >> (width - 1) & 1) ^ values[bit]
        return ((value << 1 & mask(width)) ^ (poly if feedback else 0),)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[0] ^ (mask(width) if invert else 0)}

    held, base = names.pick("rem_q", "state_q"), names.pick("base", "from_value")
    spec = Spec(
        "checksum", 4, "A cyclic redundancy check", top, ((init, 1), (valid, 1), (bit, 1)), ((out, width),), outputs,
        {out: f"~{held}" if invert else held}, "", (), "", clock, reset, (start,), next_state, ((held, width),),
        {held: f"{valid} ? ({{{base}[{width - 2}:0], 1'b0}} ^ (({base}[{width - 1}] ^ {bit}) ? {width}'d{poly} : {width}'d0)) : {held}"},
        ((base, width, f"{init} ? {width}'d{start} : {held}"),), biases={init: 0.12, valid: 0.8},
    )  # fmt: skip
    lines = [
        header(spec).rstrip(),
        f"  reg [{width - 1}:0] r;",
        f"  wire [{width - 1}:0] from = {init} ? {start} : r;",
        f"  wire fb = from[{width - 1}] != {bit};",
    ]
    lines += [
        f"  assign {out} = r ^ {mask(width) if invert else 0};",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) r <= {start};",
        f"    else if ({valid}) begin",
    ]
    for place in range(width):
        below = f"from[{place - 1}]" if place else "1'b0"
        lines.append(f"      r[{place}] <= {below}{' ^ fb' if poly >> place & 1 else ''};")
    second = "\n".join([*lines, "    end", "endmodule", ""])
    prose = (
        f"{out} is a {width}-bit remainder of the bits read so far; a bit {bit} is read at each clock edge at which {valid} is 1, other edges change nothing.",
        f"Reading a bit: let f be the XOR of the remainder's most significant bit and the bit. The remainder moves left by one place, a 0 enters, and if f is 1 it is XORed with {poly:0{width}b} (binary).",
        f"When {init} is 1 at an edge that reads a bit, the remainder is set to {start} first, then the bit is read.",
        f"{out} shows the remainder{' with all bits inverted' if invert else ''}. Reset sets the remainder to {start}.",
    )
    return described(
        spec,
        second,
        prose,
        f"{out} = CRC-{width} of the bits so far, poly 0x{poly:x}, init {start}, MSB first, no reflection, xorout {'all ones' if invert else 0}; {bit} when {valid}; {init} with {valid} restarts with that bit; reset init",
    )


def sender(rng: random.Random) -> Spec:
    """A serial transmitter: start bit, data, perhaps parity, stop."""
    names = Names(rng)
    top, (clock, reset), size = names.top(), names.clocking(), rng.randint(3, 4)
    go, word, line, busy = (
        names.pick("send", "go", "load"),
        names.pick("data", "byte_in", "word"),
        names.pick("tx", "line", "sdo"),
        names.pick("busy", "sending"),
    )
    lsb_first, parity, odd, beat = (
        rng.random() < 0.5,
        rng.random() < 0.6,
        rng.random() < 0.5,
        rng.randint(1, 2),
    )
    total = 1 + size + int(parity) + 1

    def frame(value: int) -> list[int]:
        bits = [value >> n & 1 for n in range(size)]
        bits = bits if lsb_first else bits[::-1]
        return [0, *bits, *([sum(bits) % 2 ^ int(odd)] if parity else []), 1]

    def next_state(state: State, values: Values) -> State:
        place, wait, kept = state
        if place == 0:
            return (1, 0, values[word]) if values[go] else state
        if wait < beat - 1:
            return place, wait + 1, kept
        return (0, 0, kept) if place == total else (place + 1, 0, kept)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {line: frame(state[2])[state[0] - 1] if state[0] else 1, busy: int(state[0] != 0)}

    place, wait, kept = (
        names.pick("place", "at_bit"),
        names.pick("wait_q", "beats"),
        names.pick("kept", "buffer_q"),
    )
    end = f"({wait} == 2'd{beat - 1})"
    text = "1'b1"
    parity_bit = f"{'~' if odd else ''}^{kept}"
    for number in reversed(range(1, total)):
        if number == 1:
            bit = "1'b0"
        elif number <= 1 + size:
            bit = f"{kept}[{number - 2 if lsb_first else size + 1 - number}]"
        else:
            bit = f"({parity_bit})"
        text = f"({place} == 4'd{number}) ? {bit} : {text}"
    spec = Spec(
        "sender", 4, "A serial transmitter", top, ((go, 1), (word, size)), ((line, 1), (busy, 1)), outputs,
        {line: text, busy: f"{place} != 4'd0"}, "", (), "", clock, reset, (0, 0, 0), next_state, ((place, 4), (wait, 2), (kept, size)),
        {
            place: f"({place} == 4'd0) ? ({go} ? 4'd1 : 4'd0) : {end} ? (({place} == 4'd{total}) ? 4'd0 : {place} + 4'd1) : {place}",
            wait: f"(({place} == 4'd0) | {end}) ? 2'd0 : {wait} + 2'd1",
            kept: f"(({place} == 4'd0) & {go}) ? {word} : {kept}",
        },
        biases={go: 0.6},
    )  # fmt: skip
    data = ", ".join(f"{word}[{n}]" for n in (reversed(range(size)) if lsb_first else range(size)))
    check = f"{'~' if odd else ''}^{word}, " if parity else ""
    lines = [
        header(spec).rstrip(),
        f"  reg [{total - 1}:0] frame; // leaves at bit 0, ones follow",
        f"  reg [{total * beat - 1}:0] left; // a one for every cycle that is still to come",
        "  reg [1:0] beats;",
        f"  assign {busy} = left[0];",
        f"  assign {line} = left[0] ? frame[0] : 1'b1;",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) begin left <= 0; beats <= 0; frame <= 0; end",
        f"    else if (!left[0]) begin if ({go}) begin left <= ~0; beats <= 0; frame <= {{1'b1, {check}{data}, 1'b0}}; end end",
        f"    else begin left <= left >> 1; if (beats == {beat - 1}) begin beats <= 0; frame <= {{1'b1, frame[{total - 1}:1]}}; end else beats <= beats + 1; end",
        "endmodule",
        "",
    ]
    kind = "odd" if odd else "even"
    prose = (
        f"At rest {line} is 1 and {busy} is 0. At a clock edge at rest at which {go} is 1, {word} is taken and a frame begins right after the edge; {busy} is 1 during the frame and {go} means nothing then.",
        f"A frame is a start bit 0, the {size} bits of {word} {'least' if lsb_first else 'most'} significant first, "
        + (f"a parity bit that makes the number of ones among them and itself {kind}, " if parity else "")
        + f"and a stop bit 1; each lasts {beat} clock {'cycle' if beat == 1 else 'cycles'}.",
        "After the stop bit comes at least one cycle of rest. Reset leads to rest.",
    )
    return described(
        spec,
        "\n".join(lines),
        prose,
        f"{go} at rest takes {word} (else ignored), then {line}: start 0, {size} data {'LSB' if lsb_first else 'MSB'} first, {f'{kind} parity' if parity else 'no parity'}, stop 1, {beat} clk/bit, idle 1; {busy} during frame; >=1 idle cycle; reset idle",
    )


FAMILIES = [queue, arbiter, checksum, sender]
