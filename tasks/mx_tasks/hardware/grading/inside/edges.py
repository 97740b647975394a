"""Runs inside the grading sandbox: sensitivity lists of published references that simulators take and Yosys does not.

``always @(posedge clk or negedge a) if (!b)``: an edge of ``a``, which nothing asks for, is left out. ``always
@(posedge clk or rst) if (rst)``: the edge at which ``rst`` becomes active is meant. Yosys refuses both. What the
change means for outputs is found by comparing the netlist with the source's own simulation when a reference is
adopted.
"""

import re

ALWAYS = re.compile(
    r"\balways\s*@\s*\(([^()]*)\)(\s*begin\b(?:\s*:\s*\w+)?)?(\s*if\s*\(([^;]*?)\)(?=\s*(?:begin\b|\w+\s*(?:<=|=))))?"
)
EVENT = re.compile(r"^(?:(posedge|negedge)\s+)?(\w+)$")


def mended(text: str) -> str:
    """The text with such lists mended; the same where there are none."""
    return ALWAYS.sub(_mended, text)


def _mended(found: "re.Match[str]") -> str:
    events = [EVENT.match(each.strip()) for each in re.split(r"\bor\b|,", found.group(1))]
    if None in events or not any(event and event.group(1) for event in events) or len(events) < 2:
        return found.group()
    asked, body = (
        found.group(4) or "",
        re.split(r"\balways\b|\bendmodule\b", found.string[found.end(1) :], maxsplit=1)[0],
    )
    if len({event.group(2) for event in events if event}) < len(events):
        return found.group()  # both edges of one clock
    kept = []
    for place, event in enumerate(events):
        assert event is not None
        edge, name = event.groups()
        named = re.search(rf"(?<![\w.]){name}(?!\w)", body) is not None
        if edge is None and re.search(rf"(?<![\w.]){name}(?!\w)", asked):
            low = re.search(rf"[!~]\s*{name}\b|\b{name}\s*==\s*(?:1'b)?0", asked)
            edge = "negedge" if low else "posedge"
        if edge is not None and (named or place == 0):
            kept.append(f"{edge} {name}")
    if len(kept) == len(events) and all(event and event.group(1) for event in events):
        return found.group()
    return found.group().replace(found.group(1), " or ".join(kept), 1) if kept else found.group()
