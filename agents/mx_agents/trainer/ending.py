"""What is said at the end of a run in which little worked, and the exit code of one in which nothing did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.text import Text

from mx_agents.terminal import visible

ALL_INVALID = 1
"""The exit code of a run in which no execution handed anything in, as ``mx bench`` has it."""


def verdict(rows: Sequence[dict[str, Any]]) -> str:
    """Words where not one execution of these rows (of steps and evaluations) handed anything in; otherwise nothing."""
    played = [row for row in rows if row["episodes"]]
    if not played or any(row["invalid"] < 1.0 for row in played):
        return ""
    endings: Counter[str] = Counter()
    for row in played:
        endings.update(row.get("invalid_endings", {}))  # runs of earlier versions do not say
    said = f"all {sum(row['episodes'] for row in played)} episodes were invalid"
    if endings:
        (reason, count), *_ = endings.most_common(1)
        said += f", {count} of them with: {visible(reason)}".replace("\n", " ")
    return said


def say_ending(screen: Console, rows: Sequence[dict[str, Any]], results: dict[str, Any]) -> int:
    """Say what did not work, for the run or for single arms, or else who leads by how much; the exit code.

    ``rows`` are those of the run's steps and evaluations, ``results`` its ``results.json``.
    """
    whole = verdict(rows)
    if whole:
        words = (
            f"Nothing was learnt: {whole}. The base model does not write designs that run: warm-start it, raise "
            "model.designer_tokens, or see the run's report for what it wrote"
        )
        screen.print(Text(words, style="bold red"), soft_wrap=True)
        return ALL_INVALID
    for arm in dict.fromkeys(row["arm"] for row in rows):
        own = verdict([row for row in rows if row["arm"] == arm])
        if own:
            screen.print(Text(f"{arm}: {own}", style="yellow"), soft_wrap=True)
    if not any(row["success"] or row["greedy_success"] for row in results["rows"]):
        screen.print(
            Text("No held-out task was solved: there is nothing to compare", style="yellow"), soft_wrap=True
        )
        return 0
    for difference in results["differences"]:
        low, high = difference["low"], difference["high"]
        screen.print(
            f"{difference['a']} leads {difference['b']} by [bold]{100 * difference['mean']:.1f} points[/bold] of success "
            f"({100 * low:.1f} to {100 * high:.1f})"
            + ("" if low > 0 else ", which may be chance" if high >= 0 else ": it is behind")
        )
    return 0
