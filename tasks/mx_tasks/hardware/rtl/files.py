"""Designs of several files: what a submission makes of the files that were given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mx_tasks.answers.patches import files_in_answer
from mx_tasks.hardware.rtl.answers import FENCED, MODULE
from mx_tasks.task import Submission

FILES_FORM = (
    "Answer with the files that you change, each whole in a ```verilog block with its name in the line before it; or with the"
    " changed modules alone; or with a unified diff in a ```diff block; or change the files in the workspace."
)


def design_files(submission: Submission, given: Mapping[str, bytes], names: Sequence[str]) -> dict[str, str]:
    """The design's files after a submission: changed files of the workspace first, then what the answer holds.

    A block without a file's name replaces the modules that it defines, wherever they are. Names that the task does not have are
    ignored.
    """
    tree = {name: submission.files.get(name, given[name]) for name in names}
    found = files_in_answer(submission.answer, tree, ())
    changed = {name: data for name, data in found.items() if name in tree and data is not None}
    texts = {name: changed.get(name, data).decode("utf-8", "replace") for name, data in tree.items()}
    if changed:
        return texts
    for block in FENCED.findall(submission.answer.replace("\r\n", "\n")):
        texts = _with_modules(texts, block)
    return texts


def _with_modules(texts: Mapping[str, str], block: str) -> dict[str, str]:
    """The files with the modules of a block in the place of those of the same name."""
    modules = MODULE.findall(block)
    changed = dict(texts)
    home = next((name for name, text in texts.items() if set(MODULE.findall(text)) & set(modules)), None)
    if home is None:
        return changed
    for name in texts:
        for module in set(MODULE.findall(texts[name])) & set(modules):
            pattern = rf"\bmodule\s+{module}\b.*?\bendmodule\b"
            changed[name] = re.sub(pattern, "", changed[name], flags=re.DOTALL)
    changed[home] += block
    return changed
