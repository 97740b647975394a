"""Families of level 0: combinational logic with up to 16 input bits."""

from __future__ import annotations

import random
from dataclasses import replace

from mx_tasks.hardware.generate.spec import RESULTS, Names, Spec, Values, described, header, mask, width_text


def expression(rng: random.Random) -> Spec:
    """A Boolean expression of three or four one-bit inputs; the second design is its truth table."""
    names = Names(rng)
    top, inputs, out = names.top(), names.several(rng.randint(3, 4)), names.pick(*RESULTS)
    while True:
        text = _expression(rng, inputs, rng.randint(3, 5))
        rows = [_evaluate(text, inputs, number) for number in range(1 << len(inputs))]
        if 0.2 < sum(rows) / len(rows) < 0.8 and all(name in text for name in inputs):
            break
    spec = _spec("expression", top, inputs, out, rows, text)
    words = text.replace("~", "NOT ").replace("&", "AND").replace("|", "OR").replace("^", "XOR")
    return replace(
        spec, title="A Boolean function", prose=(f"The output {out} is {words}.",), terse=f"{out} = {text}"
    )


def truth_table(rng: random.Random) -> Spec:
    """A function of three or four inputs without any pattern, given by the rows in which it is 1."""
    names = Names(rng)
    top, inputs, out = names.top(), names.several(rng.randint(3, 4)), names.pick(*RESULTS)
    size = 1 << len(inputs)
    ones = sorted(rng.sample(range(size), rng.randint(size // 3, 2 * size // 3)))
    rows = [int(number in ones) for number in range(size)]
    joined = "{" + ", ".join(inputs) + "}"
    bits = len(inputs)
    text = " | ".join(f"({joined} == {bits}'d{number})" for number in ones)
    spec = _spec("truth_table", top, inputs, out, rows, text)
    listing = ", ".join(f"{number:0{bits}b}" for number in ones)
    prose = (
        f"Read the inputs {', '.join(inputs)} as one binary number, {inputs[0]} being its most significant bit.",
        f"The output {out} is 1 for the numbers {listing} and 0 for all others.",
    )
    return replace(
        spec,
        title="A truth table",
        prose=prose,
        terse=f"{out} = 1 iff {{{','.join(inputs)}}} in {{{', '.join(map(str, ones))}}}",
    )


def _spec(family: str, top: str, inputs: list[str], out: str, rows: list[int], text: str) -> Spec:
    def outputs(_: object, values: Values) -> dict[str, int]:
        number = 0
        for name in inputs:
            number = number << 1 | values[name]
        return {out: rows[number]}

    bare = Spec(
        family, 0, "", top, tuple((name, 1) for name in inputs), ((out, 1),), outputs, {out: text}, "", (), ""
    )
    bits = len(inputs)
    lines = [header(bare, [out]).rstrip(), "  always @(*)", f"    case ({{{', '.join(inputs)}}})"]
    lines += [f"      {bits}'b{number:0{bits}b}: {out} = 1'b{value};" for number, value in enumerate(rows)]
    second = "\n".join([*lines, f"      default: {out} = 1'b0;", "    endcase", "endmodule", ""])
    return replace(bare, second=second)


def _expression(rng: random.Random, names: list[str], operators: int) -> str:
    if operators == 0:
        return ("~" if rng.random() < 0.3 else "") + rng.choice(names)
    left = rng.randrange(operators)
    parts = [_expression(rng, names, count) for count in (left, operators - 1 - left)]
    wrapped = [f"({part})" if " " in part else part for part in parts]
    return f"{wrapped[0]} {rng.choice('&|^')} {wrapped[1]}"


def _evaluate(text: str, names: list[str], number: int) -> int:
    values = {name: number >> (len(names) - 1 - place) & 1 for place, name in enumerate(names)}
    return int(eval(text, {}, values)) & 1  # noqa: S307  # our own text


def selector(rng: random.Random) -> Spec:
    """One of several words, chosen by a code in an irregular order; other codes give a constant."""
    names = Names(rng)
    top, width, count = names.top(), rng.randint(2, 4), rng.randint(2, 3)
    words, out = names.several(count), names.pick(*RESULTS)
    sel = names.pick("sel", "code", "mode", "which")
    default = rng.getrandbits(width)
    codes = rng.sample(range(4), count)
    inputs = ((sel, 2), *((word, width) for word in words))

    def outputs(_: object, values: Values) -> dict[str, int]:
        return {
            out: dict(zip(codes, (values[word] for word in words), strict=True)).get(values[sel], default)
        }

    text = f"{width}'d{default}"
    for code, word in zip(codes, words, strict=True):
        text = f"({sel} == 2'd{code}) ? {word} : {text}"
    bare = Spec("selector", 0, "A selector", top, inputs, ((out, width),), outputs, {out: text}, "", (), "")
    lines = [
        header(bare, [out]).rstrip(),
        "  always @(*) begin",
        f"    {out} = {width}'d{default};",
        f"    case ({sel})",
    ]
    lines += [f"      2'd{code}: {out} = {word};" for code, word in zip(codes, words, strict=True)]
    second = "\n".join([*lines, "      default: ;", "    endcase", "  end", "endmodule", ""])
    prose = (
        *(f"When {sel} is {code}, {out} is {word}." for code, word in zip(codes, words, strict=True)),
        f"For every other value of {sel}, {out} is {default}.",
    )
    terse = f"{out} = {', '.join(f'{sel}=={code}: {word}' for code, word in zip(codes, words, strict=True))}, else {default}"
    return described(bare, second, prose, terse)


def adder(rng: random.Random) -> Spec:
    """A sum or difference of unsigned words that wraps or saturates."""
    names = Names(rng)
    top, width = names.top(), rng.randint(3, 7)
    a, b = names.several(2)
    out, flag = names.pick(*RESULTS), names.pick("over", "flag", "ovf", "beyond")
    minus, saturate = rng.random() < 0.5, rng.random() < 0.6
    limit = mask(width)

    def outputs(_: object, values: Values) -> dict[str, int]:
        exact = values[a] - values[b] if minus else values[a] + values[b]
        beyond = not 0 <= exact <= limit
        kept = (0 if minus else limit) if beyond and saturate else exact & limit
        return {out: kept, flag: int(beyond)}

    sign = "-" if minus else "+"
    wide = f"{{1'b0, {a}}} {sign} {{1'b0, {b}}}"
    total = names.pick("total", "t", "wide")
    end = f"{width}'d{0 if minus else limit}"
    kept = f"{total}[{width}] ? {end} : {total}[{width - 1}:0]" if saturate else f"{total}[{width - 1}:0]"
    drives = {out: kept, flag: f"{total}[{width}]"}
    inputs = ((a, width), (b, width))
    bare = Spec(
        "adder",
        0,
        "Unsigned arithmetic",
        top,
        inputs,
        ((out, width), (flag, 1)),
        outputs,
        drives,
        "",
        (),
        "",
        wires=((total, width + 1, wide),),
    )
    test = f"{a} < {b}" if minus else f"{a} > {width}'d{limit} - {b}"
    lines = [
        header(bare, [out, flag]).rstrip(),
        "  always @(*) begin",
        f"    {flag} = {test};",
        f"    {out} = {a} {sign} {b};",
    ]
    if saturate:
        lines.append(f"    if ({flag}) {out} = {end};")
    second = "\n".join([*lines, "  end", "endmodule", ""])
    what = f"{a} minus {b}" if minus else f"the sum of {a} and {b}"
    side = "below 0" if minus else f"above {limit}"
    prose = (
        f"{a} and {b} are unsigned. {out} is {what}.",
        f"Where the exact result is {side}, {flag} is 1 and {out} "
        + (
            f"is {0 if minus else limit} (it saturates)."
            if saturate
            else f"keeps the lowest {width} bits (it wraps)."
        ),
        f"Otherwise {flag} is 0.",
    )
    return described(
        bare,
        second,
        prose,
        f"{out} = {a} {sign} {b}, {'saturating' if saturate else 'wrapping'}, unsigned; {flag} = beyond range",
    )


def priority(rng: random.Random) -> Spec:
    """The place of the first set bit in an irregular order of priority."""
    names = Names(rng)
    top, size = names.top(), rng.randint(3, 4)
    req, out, valid = (
        names.pick("req", "lines", "irq", "want"),
        names.pick(*RESULTS),
        names.pick("valid", "any", "hit"),
    )
    order = rng.sample(range(size), size)
    idle = rng.randrange(4)

    def outputs(_: object, values: Values) -> dict[str, int]:
        found = [place for place in order if values[req] >> place & 1]
        return {out: found[0] if found else idle, valid: int(bool(found))}

    text = f"2'd{idle}"
    for place in reversed(order):
        text = f"{req}[{place}] ? 2'd{place} : {text}"
    bare = Spec(
        "priority",
        0,
        "A priority encoder",
        top,
        ((req, size),),
        ((out, 2), (valid, 1)),
        outputs,
        {out: text, valid: f"|{req}"},
        "",
        (),
        "",
    )
    lines = [
        header(bare, [out, valid]).rstrip(),
        "  always @(*) begin",
        f"    {valid} = ({req} != 0);",
        f"    {out} = 2'd{idle};",
    ]
    lines += [f"    if ({req}[{place}]) {out} = 2'd{place};" for place in reversed(order)]
    second = "\n".join([*lines, "  end", "endmodule", ""])
    listing = ", then ".join(f"bit {place}" for place in order)
    prose = (
        f"{out} is the number of the set bit of {req} that comes first in this order: {listing}.",
        f"{valid} is 1 when any bit of {req} is set. With none set, {out} is {idle} and {valid} is 0.",
    )
    return described(
        bare, second, prose, f"{out} = first set bit of {req} in order {order}, {idle} if none; {valid} = any"
    )


def compare(rng: random.Random) -> Spec:
    """The larger or smaller of two words, signed or not, and which it was."""
    names = Names(rng)
    top, width = names.top(), rng.randint(3, 7)
    a, b = names.several(2)
    out, flag = names.pick(*RESULTS), names.pick("took_b", "swapped", "second")
    larger, signed, ties_b = (rng.random() < 0.5 for _ in range(3))

    def number(value: int) -> int:
        return value - (1 << width) if signed and value >> (width - 1) else value

    def outputs(_: object, values: Values) -> dict[str, int]:
        left, right = number(values[a]), number(values[b])
        take = (right > left if larger else right < left) or (ties_b and left == right)
        return {out: values[b] if take else values[a], flag: int(take)}

    sa, sb = (f"$signed({a})", f"$signed({b})") if signed else (a, b)
    sign = (">=" if ties_b else ">") if larger else ("<=" if ties_b else "<")
    take = f"{sb} {sign} {sa}"
    inputs = ((a, width), (b, width))
    bare = Spec(
        "compare",
        0,
        "A comparison",
        top,
        inputs,
        ((out, width), (flag, 1)),
        outputs,
        {out: f"({take}) ? {b} : {a}", flag: take},
        "",
        (),
        "",
    )
    flip = f"{width}'d{1 << (width - 1)}" if signed else f"{width}'d0"
    lines = [
        header(bare, [out, flag]).rstrip(),
        f"  wire {width_text(width)}biased_a = {a} ^ {flip};",
        f"  wire {width_text(width)}biased_b = {b} ^ {flip};",
        f"  wire [{width}:0] gap = {{1'b0, biased_{'a' if larger else 'b'}}} - {{1'b0, biased_{'b' if larger else 'a'}}};",
        "  always @(*) begin",
        f"    {flag} = gap[{width}]" + (" | (gap == 0);" if ties_b else ";"),
        f"    if ({flag}) {out} = {b}; else {out} = {a};",
        "  end",
        "endmodule",
        "",
    ]
    kind = "two's complement signed" if signed else "unsigned"
    prose = (
        f"{a} and {b} are {kind} numbers. {out} is the {'larger' if larger else 'smaller'} of them.",
        f"{flag} is 1 when {out} is taken from {b}; when both are equal, it is taken from {b if ties_b else a}.",
    )
    return described(
        bare,
        "\n".join(lines),
        prose,
        f"{out} = {'max' if larger else 'min'}({a},{b}) {kind}; {flag} = from {b}; tie: {b if ties_b else a}",
    )


def lookup(rng: random.Random) -> Spec:
    """A table of constants, addressed by three or four bits."""
    names = Names(rng)
    top, bits, width = names.top(), rng.randint(3, 4), rng.randint(3, 7)
    at, out = names.pick("addr", "digit", "index", "at"), names.pick(*RESULTS)
    values = [rng.getrandbits(width) for _ in range(1 << bits)]

    def outputs(_: object, given: Values) -> dict[str, int]:
        return {out: values[given[at]]}

    text = f"{width}'d{values[-1]}"
    for place in reversed(range(len(values) - 1)):
        text = f"({at} == {bits}'d{place}) ? {width}'d{values[place]} : {text}"
    bare = Spec(
        "lookup",
        0,
        "A table of constants",
        top,
        ((at, bits),),
        ((out, width),),
        outputs,
        {out: text},
        "",
        (),
        "",
    )
    packed = ", ".join(f"{width}'d{value}" for value in reversed(values))
    lines = [
        header(bare).rstrip(),
        f"  wire [{width * len(values) - 1}:0] rows = {{{packed}}};",
        f"  assign {out} = rows[{at} * {width} +: {width}];",
        "endmodule",
        "",
    ]
    listing = ", ".join(f"{place} gives {value}" for place, value in enumerate(values))
    return described(
        bare,
        "\n".join(lines),
        (f"{out} depends on {at} alone: {listing}.",),
        f"{out} = table[{at}], table = {values}",
    )


def bits_of(rng: random.Random) -> Spec:
    """Bits of a word moved: rotated, reversed, swapped or turned into Gray code, by a mode."""
    names = Names(rng)
    top, width = names.top(), rng.randint(4, 8)
    word, out, mode = (
        names.pick("word", "data", "d_in"),
        names.pick(*RESULTS),
        names.pick("mode", "op", "how"),
    )
    amount = rng.randint(1, width - 1)
    kinds = rng.sample(["rotate", "reverse", "gray", "invert"], 2)
    limit = mask(width)

    def apply(kind: str, value: int) -> int:
        if kind == "rotate":
            return (value << amount | value >> (width - amount)) & limit
        if kind == "reverse":
            return int(f"{value:0{width}b}"[::-1], 2)
        return value ^ value >> 1 if kind == "gray" else value ^ limit

    def outputs(_: object, values: Values) -> dict[str, int]:
        return {out: apply(kinds[values[mode]], values[word])}

    texts = {
        "rotate": f"{{{word}[{width - amount - 1}:0], {word}[{width - 1}:{width - amount}]}}",
        "reverse": "{" + ", ".join(f"{word}[{place}]" for place in range(width)) + "}",
        "gray": f"({word} ^ ({word} >> 1))",
        "invert": f"~{word}",
    }
    words = {
        "rotate": f"{word} rotated left by {amount}",
        "reverse": f"{word} with its bits in reverse order",
        "gray": f"the Gray code of {word} ({word} XOR {word} shifted right by one)",
        "invert": f"{word} with every bit inverted",
    }
    drives = {out: f"{mode} ? {texts[kinds[1]]} : {texts[kinds[0]]}"}
    bare = Spec(
        "bits",
        0,
        "Moving bits",
        top,
        ((mode, 1), (word, width)),
        ((out, width),),
        outputs,
        drives,
        "",
        (),
        "",
    )
    sources = {
        "rotate": f"(i + {width - amount}) % {width}",
        "reverse": f"{width - 1} - i",
    }
    lines = [
        header(bare, [out]).rstrip(),
        "  integer i;",
        "  always @(*)",
        f"    for (i = 0; i < {width}; i = i + 1)",
    ]
    picks = []
    for kind in kinds:
        if kind in sources:
            picks.append(f"{word}[{sources[kind]}]")
        elif kind == "gray":
            picks.append(f"((i == {width - 1}) ? {word}[i] : {word}[i] ^ {word}[(i + 1) % {width}])")
        else:
            picks.append(f"!{word}[i]")
    lines.append(f"      if ({mode}) {out}[i] = {picks[1]}; else {out}[i] = {picks[0]};")
    second = "\n".join([*lines, "endmodule", ""])
    prose = tuple(f"When {mode} is {n}, {out} is {words[kind]}." for n, kind in enumerate(kinds))
    return described(bare, second, prose, f"{out} = {mode} ? ({words[kinds[1]]}) : ({words[kinds[0]]})")
