"""How an episode ended, and what is said of it: the same words for the same ending on every machine."""

from __future__ import annotations

import re

from mx_envs.episode.design import workflow_label
from mx_envs.episode.record import StopReason
from mx_sandboxes import Completed, Reason

LOG_CHARACTERS = 2_000
LIMIT_REACHED = {
    Reason.WALL_TIME: StopReason.TIME,
    Reason.CPU_TIME: StopReason.CPU,
    Reason.MEMORY: StopReason.MEMORY,
    Reason.OUTPUT: StopReason.OUTPUT,
    Reason.PROTOCOL: StopReason.PROTOCOL,
    Reason.BROKE_SANDBOX: StopReason.BROKE_SANDBOX,
    Reason.SANDBOX_DIED: StopReason.SANDBOX_DIED,
    Reason.CLOSED: StopReason.TRUNCATED,
}
"""What the end of the script's process by a limit is to its episode."""
_SYNTAX = re.compile(r"^(SyntaxError|IndentationError|TabError)\b|null bytes", re.MULTILINE)
_LINE = re.compile(r'design\.py", line (\d+)')
_ADDRESS = re.compile(r"0x[0-9a-f]{6,}")


def ending_of(completed: Completed) -> StopReason:
    """How an episode ended whose script's process is gone without having submitted."""
    if completed.reason in LIMIT_REACHED:
        return LIMIT_REACHED[completed.reason]
    return StopReason.FINISHED if completed.ok else StopReason.CRASHED


def crash(completed: Completed | None, design: str, *, asked: bool, refused: bool) -> tuple[StopReason, str]:
    """Which kind of crash it was, and the last line of its traceback.

    ``asked``: the script asked something once; ``refused``: a question was refused because its calls were used up.
    """
    stderr = completed.stderr.decode(errors="replace") if completed is not None else ""
    lines = [line for line in stderr.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else ""
    numbers = _LINE.findall(stderr)
    where = f"line {numbers[-1]}: " if numbers else ""
    if not last:
        code = completed.exit_code if completed is not None else None
        return StopReason.CRASHED, f"exit code {code}"
    if refused and "BudgetExceeded" in last:
        return StopReason.BUDGET, where + last
    if not asked and _SYNTAX.search(last) and workflow_label(design) == "invalid":
        return StopReason.INVALID, where + last
    return StopReason.CRASHED, where + last


def log_of(text: str, stop: StopReason) -> str:
    """The end of what the script printed; its beginning where a limit cut it at a place that differs from run to run."""
    cut = stop in {StopReason.TIME, StopReason.CPU, StopReason.MEMORY, StopReason.OUTPUT}
    return repeatable(text[:LOG_CHARACTERS] if cut else text[-LOG_CHARACTERS:])


def repeatable(text: str) -> str:
    """The text without the addresses of objects."""
    return _ADDRESS.sub("0x...", text)
