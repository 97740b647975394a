"""The tables as files: Markdown, CSV and LaTeX for papers, JSON for programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from mx_agents.bench.summary import MethodSummary, Table
from mx_agents.statistics import Interval

HEAD = (
    "method", "success", "low", "high", "to the best", "p holm", "score", "calls", "tokens in", "tokens out", "money", "seconds",
    "invalid", "abstained", "tampered", "failed", "episodes", "broke sandbox", "repeats", "success at worst", "suspect",
    "bounded", "bounded depth",
)  # fmt: skip


def as_markdown(tables: Sequence[Table]) -> str:
    """Every table with a heading, success with its interval."""
    blocks = []
    for table in tables:
        head = [
            "Method",
            "Success %",
            "To the best",
            "p (Holm)",
            "Score",
            "Calls",
            "Tokens in/out",
            "Inv. %",
            "Abst. %",
            "Tamp.",
            "n",
        ]
        proofs = any(row.bounded is not None for row in table.rows)
        head += ["Bounded %"] if proofs else []
        lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
        for row in table.rows:
            lines.append("| " + " | ".join([*_shown(row), *([row.told_bounded] if proofs else [])]) + " |")
        blocks.append(
            f"## {table.tasks} · executor {table.executor}\n\n" + "\n".join(lines) + _difficulties(table)
        )
        if table.notes:
            blocks.append("\n".join(f"- {line}" for line in table.notes))
    return "\n\n".join(blocks) + "\n"


def as_csv(tables: Sequence[Table]) -> str:
    """One line for each task set, executor and method."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["tasks", "executor", *HEAD])
    for table in tables:
        for row in table.rows:
            writer.writerow([table.tasks, table.executor, *_values(row)])
    return text.getvalue()


def as_latex(tables: Sequence[Table]) -> str:
    """A tabular for each table."""
    blocks = []
    for table in tables:
        lines = [f"% {table.tasks}, executor {table.executor}", r"\begin{tabular}{lrrrrrr}", r"\hline"]
        lines += [r"Method & Success (\%) & To the best & $p$ (Holm) & Score & Calls & Tokens \\", r"\hline"]
        for row in table.rows:
            name = _escaped(row.method) if not row.best else rf"\textbf{{{_escaped(row.method)}}}"
            behind = "" if row.behind is None else f"{row.behind.mean * 100:+.1f}"
            p = "" if row.p is None else f"{row.p:.3f}"
            cells = [
                name,
                _interval(row.success),
                behind,
                p,
                f"{row.score.mean:.3f}",
                f"{row.calls.mean:.1f}",
            ]
            lines.append(" & ".join([*cells, f"{row.tokens_in + row.tokens_out:.0f}"]) + r" \\")
        blocks.append("\n".join([*lines, r"\hline", r"\end{tabular}"]))
    return "\n\n".join(blocks) + "\n"


def as_json(tables: Sequence[Table], pairs: Sequence[dict[str, Any]]) -> str:
    """Tables and pairs of methods."""
    plain = [
        {
            "tasks": table.tasks,
            "executor": table.executor,
            "rows": [row.as_dict() for row in table.rows],
            "by_difficulty": table.by_difficulty,
            "notes": table.notes,
        }
        for table in tables
    ]
    return json.dumps({"tables": plain, "pairs": list(pairs)}, indent=1) + "\n"


def _shown(row: MethodSummary) -> list[str]:
    behind = "best" if row.best else "" if row.behind is None else f"{row.behind.mean * 100:+.1f}"
    name = row.method.replace("|", "\\|")
    return [
        name,
        _interval(row.success),
        behind,
        "" if row.p is None else f"{row.p:.3f}",
        f"{row.score.mean:.3f}",
        f"{row.calls.mean:.1f}",
        f"{row.tokens_in:.0f}/{row.tokens_out:.0f}",
        f"{row.invalid.mean * 100:.0f}",
        f"{row.abstained.mean * 100:.0f}",
        str(row.tampered),
        str(row.episodes),
    ]


def _difficulties(table: Table) -> str:
    if len(table.by_difficulty) < 2:
        return ""
    names = [row.method for row in table.rows]
    lines = ["", "", "| Difficulty | " + " | ".join(names) + " |", "|---" + "|---:" * len(names) + "|"]
    for difficulty, means in table.by_difficulty.items():
        cells = [f"{means[name] * 100:.1f}" if name in means else "" for name in names]
        lines.append(f"| {difficulty} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _values(row: MethodSummary) -> list[object]:
    behind = None if row.behind is None else row.behind.mean
    return [
        row.method, row.success.mean, row.success.low, row.success.high, behind, row.p, row.score.mean, row.calls.mean,
        row.tokens_in, row.tokens_out, row.money, round(row.seconds, 4), row.invalid.mean, row.abstained.mean, row.tampered,
        row.failed, row.episodes, row.broke, row.repeats, row.worst, row.suspect,
        row.bounded, row.depth,
    ]  # fmt: skip


def _interval(interval: Interval) -> str:
    mean = f"{interval.mean * 100:.1f}"
    if interval.low is None or interval.high is None:
        return mean
    return f"{mean} [{interval.low * 100:.0f}, {interval.high * 100:.0f}]"


def _escaped(text: str) -> str:
    for sign in "\\{}":
        text = text.replace(sign, "/")
    return "".join(f"\\{sign}" if sign in "#$%&_" else "-" if sign in "~^" else sign for sign in text)
