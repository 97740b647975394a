"""Find the Verilog in what a model wrote, and in what a task's files hold."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mx_tasks.task import Submission

DESIGN_FILE = "design.v"
ANSWER_FORM = (
    "Answer with the whole design in one ```verilog block (any helper modules too), "
    "or write it to `design.v` in the workspace."
)

FENCED = re.compile(
    r"^[ \t]*```[ \t]*(?:verilog|systemverilog|sv|v)?[ \t]*\n(.*?)(?:^[ \t]*```|\Z)",
    re.DOTALL | re.IGNORECASE | re.MULTILINE,
)
MODULE = re.compile(r"\bmodule\s+(\w+)")


def verilog_in(answer: str, top: str) -> str:
    """The Verilog of an answer: its blocks that define modules, from the last one with the top module; else all of the text.

    A block that a limit cut off at its end counts. Blocks after the last with the top module, and before it those whose modules
    are not defined again, belong to the design.
    """
    blocks = [block for block in FENCED.findall(answer.replace("\r\n", "\n")) if MODULE.search(block)]
    with_top = [place for place, block in enumerate(blocks) if top in MODULE.findall(block)]
    if not with_top:
        return "\n".join(blocks) if blocks else answer
    chosen = [blocks[with_top[-1]]]
    defined = set(MODULE.findall(chosen[0]))
    for place, block in reversed(list(enumerate(blocks))):
        names = set(MODULE.findall(block))
        if place != with_top[-1] and not names & defined:
            chosen.append(block)
            defined |= names
    return "\n".join(chosen)


def submitted(submission: Submission, top: str, given: Mapping[str, bytes], name: str = DESIGN_FILE) -> str:
    """The design that a submission hands in: a changed file of that name unless the answer itself holds modules."""
    written = submission.files.get(name)
    if written is not None and written != given.get(name) and not MODULE.search(submission.answer):
        return written.decode("utf-8", "replace")
    return verilog_in(submission.answer, top)
