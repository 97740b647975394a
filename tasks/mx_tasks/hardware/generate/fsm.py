"""Families of level 2: state machines with irregular graphs, and sequence detectors."""

from __future__ import annotations

import random

from mx_tasks.hardware.generate.spec import (
    RESULTS,
    Names,
    Spec,
    State,
    Values,
    described,
    header,
    reset_test,
    sensitivity,
)

LETTERS = "ABCDEFGH"


def moore(rng: random.Random) -> Spec:
    """Outputs that belong to states."""
    return _machine(rng, mealy=False)


def mealy(rng: random.Random) -> Spec:
    """Outputs that depend on the state and the input of the moment."""
    return _machine(rng, mealy=True)


def _graph(rng: random.Random, size: int, letters: int) -> list[list[int]]:
    """Next states by state and input; every state can be reached from state 0."""
    while True:
        graph = [[rng.randrange(size) for _ in range(letters)] for _ in range(size)]
        reached, frontier = {0}, [0]
        while frontier:
            new = set(graph[frontier.pop()]) - reached
            reached |= new
            frontier += new
        if len(reached) == size and all(len(set(row)) > 1 for row in graph):
            return graph


def _outputs_of(rng: random.Random, size: int, letters: int, width: int, mealy: bool) -> list[list[int]]:
    """Outputs by state and input, so that states differ."""
    while True:
        if mealy:
            table = [[rng.getrandbits(width) for _ in range(letters)] for _ in range(size)]
        else:
            table = [[rng.getrandbits(width)] * letters for _ in range(size)]
        if len({tuple(row) for row in table}) >= min(size, 3 if width > 1 or mealy else 2):
            return table


def _machine(rng: random.Random, *, mealy: bool) -> Spec:
    names = Names(rng)
    top, (clock, reset) = names.top(), names.clocking()
    size, bits, width = rng.randint(4, 6), rng.choice((1, 1, 2)), rng.randint(1, 2)
    signal, out = (
        names.pick("in", "x", "sig", "cmd") if bits == 1 else names.pick("cmd", "sym", "code"),
        names.pick(*RESULTS),
    )
    signal = "din" if signal == "in" else signal
    letters = 1 << bits
    graph, table = _graph(rng, size, letters), _outputs_of(rng, size, letters, width, mealy)
    labels = rng.sample(LETTERS, size)

    def next_state(state: State, values: Values) -> State:
        return (graph[state[0]][values[signal]],)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: table[state[0]][values[signal]]}

    held = names.pick("state", "st", "cur")
    updates = _nested(held, 3, signal, bits, graph, 3)
    drives = _nested(held, 3, signal, bits, table, width)
    spec = Spec(
        family="mealy" if mealy else "moore",
        level=2,
        title="A state machine",
        top=top,
        inputs=((signal, bits),),
        outs=((out, width),),
        outputs=outputs,
        drives={out: drives},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(0,),
        next_state=next_state,
        registers=((held, 3),),
        updates={held: updates},
    )
    lines = [
        header(spec, [out]).rstrip(),
        f"  reg [{size - 1}:0] hot;",
        f"  reg [{size - 1}:0] ahead;",
        "  always @(*) begin",
        "    ahead = 0;",
        f"    {out} = 0;",
    ]
    for state in range(size):
        lines.append(f"    if (hot[{state}]) case ({signal})")
        lines += [
            f"      {bits}'d{letter}: begin ahead[{graph[state][letter]}] = 1'b1; {out} = {width}'d{table[state][letter]}; end"
            for letter in range(letters)
        ]
        lines.append("    endcase")
    lines += [
        "  end",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) hot <= {size}'d1;",
        "    else hot <= ahead;",
    ]
    second = "\n".join([*lines, "endmodule", ""])
    return described(
        spec,
        second,
        tuple(_words(labels, graph, table, signal, out, mealy)),
        _arrows(labels, graph, table, signal, out, mealy),
    )


def _nested(held: str, wide: int, signal: str, bits: int, table: list[list[int]], width: int) -> str:
    """A chain of conditions over state and input."""
    text = ""
    for state, row in enumerate(table):
        inner = f"{width}'d{row[-1]}"
        for letter in reversed(range(len(row) - 1)):
            if len(set(row)) > 1:
                inner = f"({signal} == {bits}'d{letter}) ? {width}'d{row[letter]} : {inner}"
        text += f"({held} == {wide}'d{state}) ? ({inner}) : "
    return f"{text}{width}'d0"


def _words(
    labels: list[str], graph: list[list[int]], table: list[list[int]], signal: str, out: str, mealy: bool
) -> list[str]:
    lines = [f"The states are {', '.join(labels)}. Reset leads to {labels[0]}."]
    for state, label in enumerate(labels):
        moves = [f"with {signal} {letter} to {labels[target]}" for letter, target in enumerate(graph[state])]
        if mealy:
            gives = ", ".join(
                f"{value} while {signal} is {letter}" for letter, value in enumerate(table[state])
            )
        else:
            gives = str(table[state][0])
        lines.append(f"In {label}, {out} is {gives}; the next clock edge leads {', '.join(moves)}.")
    if mealy:
        lines.append(f"{out} follows {signal} at once, without waiting for a clock edge.")
    return lines


def _arrows(
    labels: list[str], graph: list[list[int]], table: list[list[int]], signal: str, out: str, mealy: bool
) -> str:
    rows = []
    for state, label in enumerate(labels):
        arrows = " ".join(
            f"{letter}->{labels[target]}" + (f"/{table[state][letter]}" if mealy else "")
            for letter, target in enumerate(graph[state])
        )
        rows.append(f"{label}{'' if mealy else f'/{table[state][0]}'}: {arrows}")
    kind = (
        f"Mealy on {signal}, edge label input->next/{out}"
        if mealy
        else f"Moore on {signal}, label state/{out}"
    )
    return f"{kind}; " + "; ".join(rows) + f"; reset {labels[0]}"


def detector(rng: random.Random) -> Spec:
    """A pattern in a stream of bits, overlapping or not, seen at once or a cycle later."""
    names = Names(rng)
    top, (clock, reset) = names.top(), names.clocking()
    size = rng.randint(3, 5)
    signal, out = names.pick("bit_in", "din", "serial", "s"), names.pick("found", "match", "hit")
    valid = names.pick("valid", "en", "strobe")
    pattern = [rng.randrange(2) for _ in range(size)]
    if len(set(pattern)) == 1:
        pattern[rng.randrange(size)] ^= 1
    overlap = rng.random() < 0.5
    word = "".join(map(str, pattern))

    def next_state(state: State, values: Values) -> State:
        seen, count, _ = state
        if not values[valid]:
            return seen, count, 0
        seen = (seen << 1 | values[signal]) & ((1 << size) - 1)
        count = min(count + 1, size)
        hit = count == size and seen == int(word, 2)
        return (seen, 0 if hit and not overlap else count, int(hit))

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {out: state[2]}

    shift, count, hit = (
        names.pick("window", "recent"),
        names.pick("filled", "fresh"),
        names.pick("hit_reg", "flag_reg"),
    )
    joined = f"{{{shift}[{size - 2}:0], {signal}}}"
    is_hit = f"(({count} >= 3'd{size - 1}) & ({joined} == {size}'d{int(word, 2)}))"
    more = f"(({count} == 3'd{size}) ? 3'd{size} : {count} + 3'd1)"
    spec = Spec(
        family="detector",
        level=2,
        title="A sequence detector",
        top=top,
        inputs=((valid, 1), (signal, 1)),
        outs=((out, 1),),
        outputs=outputs,
        drives={out: hit},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(0, 0, 0),
        next_state=next_state,
        registers=((shift, size), (count, 3), (hit, 1)),
        updates={
            shift: f"{valid} ? {joined} : {shift}",
            count: f"{valid} ? ({more if overlap else f'({is_hit} ? 3{chr(39)}d0 : {more})'}) : {count}",
            hit: f"{valid} & {is_hit}",
        },
        biases={valid: 0.85},
    )
    lines = [header(spec, [out]).rstrip(), "  reg [2:0] matched;", f"  always @({sensitivity(spec)})"]
    lines += [
        f"    if ({reset_test(reset)}) begin matched <= 0; {out} <= 0; end",
        f"    else if (!{valid}) {out} <= 0;",
        "    else begin",
        f"      {out} <= 0;",
        "      case (matched)",
    ]
    for done in range(size):
        for bit in (0, 1):
            text = word[:done] + str(bit)
            hits = text == word
            target = 0 if hits and not overlap else _longest(text, word, whole=False)
            branch = f"      3'd{done}: " if bit == 0 else "              "
            what = f"if ({'!' if bit == 0 else ''}{signal}) begin matched <= {target};{f' {out} <= 1;' if hits else ''} end"
            lines.append(f"{branch}{'begin ' if bit == 0 else ''}{what}{' end' if bit == 1 else ''}")
    second = "\n".join([*lines, "      default: matched <= 0;", "      endcase", "    end", "endmodule", ""])
    prose = (
        f"{signal} is read at each clock edge at which {valid} is 1; other edges are ignored (no bit is read).",
        f"{out} becomes 1 right after the edge that reads the last bit of the sequence {word} (leftmost bit first), and is 0 after every "
        "other edge, ignored ones included.",
        "Sequences may overlap: the end of one may be the beginning of the next."
        if overlap
        else "Sequences do not overlap: after one is found, its bits are not used again.",
        "After reset nothing has been read.",
    )
    return described(
        spec,
        second,
        prose,
        f"{out} = registered pulse on {word} (MSB first) on {signal} when {valid}; {'overlapping' if overlap else 'non-overlapping'}; reset: nothing read",
    )


def _longest(text: str, word: str, *, whole: bool) -> int:
    """Length of the longest beginning of the word that the text ends with, shorter than the word."""
    for size in range(min(len(text), len(word) if whole else len(word) - 1), 0, -1):
        if text.endswith(word[:size]):
            return size
    return 0


def timer(rng: random.Random) -> Spec:
    """A machine that waits a number of cycles in some of its states."""
    names = Names(rng)
    top, (clock, reset) = names.top(), names.clocking()
    go, stop = names.pick("go", "start", "request"), names.pick("stop", "abort", "cancel")
    busy, done = names.pick("busy", "active", "working"), names.pick("done", "ready_out", "finish")
    first, second_wait = rng.randint(2, 5), rng.randint(2, 5)
    abort_to_rest = rng.random() < 0.5
    outs = ((busy, 2), (done, 1))

    def next_state(state: State, values: Values) -> State:
        phase, count = state
        if phase == 0:
            return (1, 0) if values[go] else (0, 0)
        if phase == 1:
            if values[stop]:
                return (0, 0) if abort_to_rest else (2, 0)
            return (2, 0) if count == first - 1 else (1, count + 1)
        if phase == 2:
            return (3, 0) if count == second_wait - 1 else (2, count + 1)
        return (1, 0) if values[go] else (0, 0)

    def outputs(state: State, values: Values) -> dict[str, int]:
        return {busy: state[0] if state[0] in (1, 2) else 0, done: int(state[0] == 3)}

    phase, count = names.pick("phase", "st"), names.pick("left", "cnt")
    p = [f"({phase} == 2'd{n})" for n in range(4)]
    end1, end2 = f"({count} == 3'd{first - 1})", f"({count} == 3'd{second_wait - 1})"
    begin = f"({go} ? 2'd1 : 2'd0)"
    in1 = f"({stop} ? 2'd{0 if abort_to_rest else 2} : {end1} ? 2'd2 : 2'd1)"
    spec = Spec(
        family="timer",
        level=2,
        title="A timed machine",
        top=top,
        inputs=((go, 1), (stop, 1)),
        outs=outs,
        outputs=outputs,
        drives={busy: f"({p[1]} | {p[2]}) ? {phase} : 2'd0", done: p[3]},
        second="",
        prose=(),
        terse="",
        clock=clock,
        reset=reset,
        start=(0, 0),
        next_state=next_state,
        registers=((phase, 2), (count, 3)),
        updates={
            phase: f"{p[1]} ? {in1} : {p[2]} ? ({end2} ? 2'd3 : 2'd2) : {begin}",
            count: f"({p[1]} & !{stop} & !{end1} | {p[2]} & !{end2}) ? {count} + 3'd1 : 3'd0",
        },
        biases={go: 0.6, stop: 0.15},
    )
    total = first + second_wait
    lines = [
        header(spec).rstrip(),
        "  reg [3:0] place; // 0 rest, then one number for every cycle, last done",
        f"  assign {busy} = (place == 0 || place == {total + 1}) ? 0 : (place <= {first}) ? 1 : 2;",
        f"  assign {done} = (place == {total + 1});",
        f"  always @({sensitivity(spec)})",
        f"    if ({reset_test(reset)}) place <= 0;",
        f"    else if (place == 0 || place == {total + 1}) place <= {go} ? 1 : 0;",
        f"    else if (place <= {first} && {stop}) place <= {0 if abort_to_rest else first + 1};",
        "    else place <= place + 1;",
        "endmodule",
        "",
    ]
    prose = (
        f"At rest {busy} is 0 and {done} is 0. At an edge at which {go} is 1, a run begins: phase 1 ({busy} is 1) for {first} cycles, "
        f"then phase 2 ({busy} is 2) for {second_wait} cycles, then one cycle in which {done} is 1 and {busy} is 0.",
        f"At the edge that ends the cycle with {done} 1, a new run begins if {go} is 1, else rest follows. {go} means nothing during a run.",
        f"At an edge during phase 1 at which {stop} is 1, "
        + (
            "the run is given up: rest follows."
            if abort_to_rest
            else "phase 2 begins at once, in full length."
        )
        + f" {stop} means nothing at other times.",
        "Reset leads to rest.",
    )
    return described(
        spec,
        "\n".join(lines),
        prose,
        f"{go}: rest -> ph1 x{first} ({busy}=1) -> ph2 x{second_wait} ({busy}=2) -> {done}=1 x1 -> ({go}? ph1 : rest); {stop} in ph1 -> {'rest' if abort_to_rest else 'ph2'}; reset rest",
    )
