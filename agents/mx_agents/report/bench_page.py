"""The report of a benchmark: leaderboards with intervals, method by task, every episode to search, filter and read.

All episodes are in the page: what the list needs of each as a short row, and its texts compressed in chunks that the page's
script unpacks when an episode is opened, so that ten thousand stay small and fast.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from mx_agents.bench import (
    BenchConfig,
    MethodSummary,
    Outcome,
    Table,
    last_rows,
    notes,
    read_outcomes,
    summarise,
    tables_by_set,
    tokens_by_agent,
    why_invalid,
)
from mx_agents.report.charts import Whisker, colour_of, heat_map, whisker, whisker_axis
from mx_agents.report.hardware_section import hardware_section
from mx_agents.report.page import browser, configuration, episode_data, page, section, table
from mx_agents.report.trading_section import trading_section
from mx_agents.runs.folder import read_lines
from mx_agents.statistics import Interval
from mx_envs.inside.endpoint.asking import prompt_tokens, tokens

CHUNK = 40
"""Episodes whose texts are compressed together."""
CHUNK_BYTES = 8 << 20
TEXT_BUDGET = 200 << 20
"""Bytes of texts, before compression, that go into a page; later episodes keep their rows and lose their texts."""
LEAST_P = 0.001
MOST_COLUMNS = 600
"""Tasks of a matrix; beyond, every nth in order of difficulty."""


def bench_page(folder: Path, config: dict[str, Any], *, live: bool = False) -> str:
    """The page of the benchmark run in ``folder``, as far as it has come; ``live`` pages ask their server for news."""
    asked = BenchConfig.from_dict(config, str(folder / "config.yaml"))
    lines = read_lines(folder / "episodes.jsonl")
    rows, outcomes = last_rows(lines), read_outcomes(lines)
    groups = tables_by_set(outcomes, asked.methods)
    overall = summarise(outcomes, asked.methods)
    body = [
        _leaderboard(f"Leaderboard{_of(group, groups)}", group.rows, asked, group, outcomes)
        for group in groups
    ]
    if len(groups) > 1:
        title = "Leaderboard of all task sets and executors"
        body.insert(0, _leaderboard(title, overall, asked, None, outcomes))
    if not groups:
        body = [section("Leaderboard", lead="No episode is over yet.")]
    body += [_matrix(f"Method by task{_of(group, groups)}", outcomes, group) for group in groups]
    body.append(trading_section(rows)[0])
    body.append(hardware_section(rows))
    if rows:
        lead = "Each opens into its design, its turns and its grade. Keys: / searches, Enter then looks into all texts; j, k move."
        body.append(browser("episodes", lead, "Episodes"))
    body.append(
        configuration({name: value for name, value in config.items() if name not in {"kind", "format"}})
    )
    budget = f"{asked.budget} calls" if asked.budget else "each task's own budget"
    subtitle = f"{folder.name} · {asked.tasks}, {asked.split} · executor {asked.executor} · {budget}"
    data = {
        "live": live,
        "tasks": {
            f"{row.get('tasks', '')}/{row['id']}": row["prompt"] for row in read_lines(folder / "tasks.jsonl")
        },
        "fields": list(FIELDS),
        "episodes": [_entry(row, outcome) for row, outcome in zip(rows, outcomes, strict=True)],
        "chunk": CHUNK,
        "chunks": list(_chunks(rows)),
    }
    return page("Methods side by side", subtitle, body, data, live=live)


FIELDS = (
    "method", "tasks", "executor", "task", "repetition", "difficulty", "label", "stop", "outcome", "score", "calls", "in", "out",
    "money", "answer",
)  # fmt: skip
"""What a row of the list has, in order."""


def _entry(row: dict[str, Any], outcome: Outcome) -> list[Any]:
    words = "failed to be graded" if outcome.failed else "tampered" if outcome.tampered else ""
    words = words or ("passed" if outcome.success else "abstained" if outcome.abstained else "failed")
    return [
        outcome.method, outcome.tasks, outcome.executor, outcome.task, outcome.repetition, outcome.difficulty, outcome.label,
        outcome.stop, words, round(outcome.score, 4), outcome.calls, outcome.tokens_in, outcome.tokens_out, outcome.money,
        (row["episode"]["error"] or row["episode"]["submission"]["answer"])[:80],
    ]  # fmt: skip


def _chunks(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The texts of the episodes: zlib's format in base64, ``CHUNK`` episodes each; empty beyond the budget."""
    left = TEXT_BUDGET
    for start in range(0, len(rows), CHUNK):
        texts = [_episode(row) for row in rows[start : start + CHUNK]] if left > 0 else []
        plain = json.dumps(texts, separators=(",", ":")).encode()
        left -= len(plain)
        yield base64.b64encode(zlib.compress(plain, 6)).decode() if texts else ""


def _episode(row: dict[str, Any]) -> dict[str, Any]:
    record = row["episode"]
    shown = episode_data(record)
    for turn, short in zip(record["turns"], shown["turns"], strict=True):
        short["tokens"] = [prompt_tokens(turn["messages"]), tokens(turn["answer"])]
    facts = {name: row.get(name) for name in ("seconds", "image", "image_digest", "backend", "task_hash")}
    return shown | {
        "design": record["design"][:40_000],
        "seed": record["seed"],
        "agents": tokens_by_agent(record["turns"]),
        "facts": facts,
    }


def _of(group: Table, groups: list[Table]) -> str:
    return f": {group.tasks} · executor {group.executor}" if len(groups) > 1 else ""


def _leaderboard(
    title: str,
    summaries: list[MethodSummary],
    config: BenchConfig,
    group: Table | None,
    outcomes: list[Outcome],
) -> str:
    priced = any(row.money is not None for row in summaries)
    head = ["Method", whisker_axis(), "Success", "To the best", "p", "Score", "Calls", "Tokens in / out"]
    proofs = any(row.bounded is not None for row in summaries)
    head += [
        *(["Bounded"] if proofs else []),
        *(["Money"] if priced else []),
        "Seconds",
        "Invalid",
        "Abstained",
        "Tampered",
        "Episodes",
    ]
    places = {name: place for place, name in enumerate(config.methods)}
    rows = [_line(row, places[row.method], priced=priced, proofs=proofs) for row in summaries]
    lead = (
        "Same tasks, executor, budget and seeds for every method. Intervals are 95 % intervals over tasks "
        "(exact binomial where all tasks agree); “to the best” is the difference in success, paired by task, p from a paired "
        "permutation test, corrected for all pairs of methods (Holm). Invalid designs and abstentions count as failures."
    )
    failed = sum(row.failed for row in summaries)
    if failed:
        lead += f" {failed} episodes that sandbox or grader failed are left out."
    if proofs:
        lead += " Bounded answers are neither proven nor refuted, which is no success; no difference is known within so many steps."
    invalid = _invalid(outcomes, group)
    by_difficulty = _difficulties(group) if group else ""
    return section(title, table(head, rows, kind="results"), invalid, by_difficulty, lead=lead, wide=True)


def _invalid(outcomes: list[Outcome], group: Table | None) -> str:
    """What the invalid designs of each method ended with, and whose verdicts are missing."""
    here = [o for o in outcomes if group is None or (o.tasks, o.executor) == (group.tasks, group.executor)]
    said = [*why_invalid(here), *notes(here, dict.fromkeys(one.method for one in here))]
    lines = "<br>".join(escape(line) for line in said)
    return f'<p class="lead">{lines}</p>' if lines else ""


def _line(row: MethodSummary, place: int, *, priced: bool, proofs: bool) -> list[str]:
    success = row.success
    undecided = [row.told_bounded] if proofs else []
    money = [] if not priced else ["" if row.money is None else f"{row.money:.5f}"]
    return [
        f'<span class="key" style="background:{colour_of(place)}"></span>'
        f'<span class="name" title="{escape(row.method, quote=True)}">{escape(row.method)}</span>',
        whisker(Whisker(row.method, place, success.mean, success.low, success.high)),
        f"<b>{_percent(success.mean)}</b> <small>{_between(success)}</small>",
        "best" if row.best else "" if row.behind is None else _points(row.behind),
        "" if row.p is None else "&lt; 0.001" if row.p < LEAST_P else f"{row.p:.3f}",
        f"{row.score.mean:.3f} <small>{_between(row.score, '{:.2f}', 1)}</small>",
        f"{row.calls.mean:.1f}",
        f"{row.tokens_in:,.0f} / {row.tokens_out:,.0f}",
        *undecided,
        *money,
        f"{row.seconds:.2f}",
        _percent(row.invalid.mean),
        _percent(row.abstained.mean),
        str(row.tampered),
        str(row.episodes),
    ]


def _difficulties(group: Table) -> str:
    """Success by difficulty, where the tasks differ in it."""
    if len(group.by_difficulty) <= 1:
        return ""
    names = [row.method for row in group.rows]
    rows = [
        [str(difficulty), *(_percent(means[name]) if name in means else "" for name in names)]
        for difficulty, means in group.by_difficulty.items()
    ]
    return "<h3>Success by difficulty</h3>" + table(["Difficulty", *(escape(name) for name in names)], rows)


def _matrix(title: str, outcomes: list[Outcome], group: Table) -> str:
    played = [row.method for row in group.rows]
    if not played:
        return ""
    scores: dict[tuple[str, str], list[float]] = {}
    for outcome in outcomes:
        if (outcome.tasks, outcome.executor) == (group.tasks, group.executor) and not outcome.failed:
            scores.setdefault((outcome.method, outcome.task), []).append(outcome.score)
    by_task: dict[str, list[float]] = {}
    for (_, task), values in scores.items():
        by_task.setdefault(task, []).extend(values)
    order = sorted(by_task, key=lambda task: _mean(by_task[task]))
    every = -(-len(order) // MOST_COLUMNS) if order else 1
    shown = order[::every]
    means: list[list[float | None]] = [
        [_clamped(_mean(scores[name, task])) if (name, task) in scores else None for task in shown]
        for name in played
    ]
    chart = heat_map(played, shown, means, "Mean score of each method on each task")
    more = f" One in {every} of {len(order):,} tasks is shown." if every > 1 else ""
    return section(
        title,
        f'<div class="scroll">{chart}</div>',
        lead="Mean score, pale 0 to full 1. A column that one method fills and another leaves pale is a task on which they differ. "
        f"A cell leads to its episodes.{more}",
        wide=True,
    )


def _clamped(value: float) -> float:
    return min(1.0, max(0.0, value))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _between(interval: Interval, form: str = "{:.0f}", factor: float = 100) -> str:
    if interval.low is None or interval.high is None:
        return ""
    return f"{form.format(interval.low * factor)} to {form.format(interval.high * factor)}"


def _points(interval: Interval) -> str:
    return f"{interval.mean * 100:+.1f} <small>{_between(interval, '{:+.0f}')}</small>"
