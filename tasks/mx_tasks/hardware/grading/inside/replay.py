"""Runs inside the grading sandbox: whether Icarus Verilog shows a difference that a prover found, from the same start.

The reference counts where it is known from an unknown start, or the same from four starts that have nothing in
common. The answer must have a known value that is another one: an ``x`` in a simulation is no difference.
"""

import random
import re
from typing import List, NamedTuple, Optional, Sequence, Tuple

from .formal import Verdict
from .gates import Gates
from .miter import Compared
from .simulate import simulate

DECLARED = re.compile(
    r"^\s*(?:output\s+)?reg\s+(?:\[(\d+):(\d+)\]\s*)?(\\\S+|\w+)\s*(?:=[^;]*)?;", re.MULTILINE
)
FILLS = ("zero", "one")


class Shown(NamedTuple):
    """Outputs of reference and answer along the way, and the step of the first difference."""

    reference: List[str]
    answer: List[str]
    step: int


def replayed(
    asked: Compared, names: Tuple[str, str], verdict: Verdict, clocks: Sequence[str], nonce: str
) -> Optional[Shown]:
    """The way to the difference as the simulator sees it, or None where it sees no difference. Raises LimitError."""
    gold, answer = names
    references = [_written(gold, "flat", "x", asked.reference, ())]
    rng = random.Random("mx/starts")
    for fill, start in (("zero", "0"), ("one", "1"), ("zero", "r"), ("one", "r")):
        bits = [rng.getrandbits(1) if start == "r" else int(start) for _ in range(asked.reference.state_bits)]
        references.append(_written(gold, fill, f"s{len(references)}", asked.reference, bits))
    answers = [_written(answer, fill, fill[0], asked.answer, verdict.starts) for fill in FILLS]
    try:
        rows = simulate([*references, *answers], asked.ports, clocks, verdict.steps, nonce, "confirm")
    except RuntimeError:
        return None  # the simulator does not take a start that is set from outside
    return _difference(rows[: len(references)], rows[len(references) :], verdict.before)


def _difference(references: List[List[str]], answers: List[List[str]], before: int) -> Optional[Shown]:
    wanted = [_agreed([each[n] for each in references]) for n in range(len(references[0]))]
    for answer in answers:
        for place, (want, have) in enumerate(zip(wanted, answer)):
            if place >= before and any(w in "01" and h in "01" and w != h for w, h in zip(want, have)):
                return Shown(wanted, answer, place)
    return None


def _agreed(rows: List[str]) -> str:
    """Each bit where the first row knows it, or all others say the same."""
    return "".join(
        bits[0] if bits[0] in "01" else (bits[1] if bits[1] in "01" and len(set(bits[1:])) == 1 else "x")
        for bits in zip(*rows)
    )


def _written(name: str, fill: str, suffix: str, gates: Gates, starts: Sequence[int]) -> str:
    """Write a copy of a netlist whose registers and loops start so; its name."""
    with open(f"{name}_{fill}.v") as stream:
        text = stream.read()
    copy = f"{name}_from_{suffix}"
    text = re.sub(rf"\b{name}\b", copy, text)
    lines = _set(text, gates, starts)
    at = text.rindex("endmodule")
    with open(f"{copy}.v", "w") as stream:
        stream.write(text[:at] + lines + text[at:])
    return copy


def _set(text: str, gates: Gates, starts: Sequence[int]) -> str:
    """What sets registers, and holds loops until they have settled."""
    variables = {
        name.lstrip("\\"): high is not None and high != "" for high, _, name in DECLARED.findall(text)
    }
    set_, held = [], []
    for bit, value in zip(gates.held_names, starts):
        for name, place, width in bit.names:
            escaped = f"\\{name} " + (f"[{place}]" if width > 1 else "")
            if name in variables:
                set_.append(f"    {escaped} = 1'b{value};\n")
                break
            if bit.loop and _is_declared(text, name):
                held.append(escaped)
                set_.append(f"    force {escaped} = 1'b{value};\n")
                break
    released = "".join(f"    release {each};\n" for each in held)
    return f"  initial begin\n{''.join(set_)}    #0.5;\n{released}  end\n" if set_ else ""


def _is_declared(text: str, name: str) -> bool:
    return re.search(rf"\b(?:wire|output|inout)\b[^;]*[\s\\]{re.escape(name)}\s*;", text) is not None
