"""From episodes to the table: means over tasks with intervals, and differences to the best method."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mx_agents.statistics import Interval, group_by_task, mean_interval, paired_difference

HANDED_IN = ("submitted", "finished")
INFRASTRUCTURE = ("sandbox died", "grading failed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the table needs of an episode.

    ``invalid``: the design did not parse, crashed or ran into a limit. ``abstained``: it ended by itself and handed in nothing.
    They score what they score, 0 as a rule, and stay in the denominator. ``failed``: the sandbox or the grader failed;
    there is no verdict, and such an episode is counted apart.
    """

    method: str
    task: str
    repetition: int
    success: float
    score: float
    calls: int
    invalid: bool
    abstained: bool
    tampered: bool
    failed: bool
    stop: str
    label: str


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """The outcome of a row of ``episodes.jsonl``."""
    episode = row["episode"]
    stop, submission = episode["stop"], episode["submission"]
    grade = episode["grade"] or {"passed": False, "score": 0.0, "tampered": False}
    acted = submission.get("service", {}).get("acted", False)
    handed_in = bool(
        submission["answer"].strip() or submission["files"] or submission.get("removed") or acted
    )
    return Outcome(
        method=row["method"],
        task=episode["task"],
        repetition=row["repetition"],
        success=float(grade["passed"]),
        score=float(grade["score"]),
        calls=len(episode["turns"]),
        invalid=stop not in HANDED_IN and stop not in INFRASTRUCTURE,
        abstained=stop in HANDED_IN and not handed_in,
        tampered=bool(grade["tampered"]),
        failed=stop in INFRASTRUCTURE,
        stop=stop,
        label=episode["label"],
    )


def last_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each episode: the last, because an episode that the sandbox failed is played again when a run goes on."""
    by_cell = {(row["method"], row["episode"]["task"], row["repetition"]): row for row in rows}
    return list(by_cell.values())


def read_outcomes(rows: Iterable[dict[str, Any]]) -> list[Outcome]:
    """The outcomes of all episodes."""
    return [outcome_of(row) for row in last_rows(rows)]


@dataclass(frozen=True, slots=True)
class MethodSummary:
    """A method's row of the table, over the episodes that have a verdict; ``failed`` counts the others.

    ``behind`` is its paired difference in success to the best method, None for the best itself."""

    method: str
    episodes: int
    tasks: int
    success: Interval
    score: Interval
    calls: Interval
    invalid: Interval
    abstained: Interval
    tampered: int
    failed: int
    behind: Interval | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for results.jsonl."""
        return asdict(self)


def summarise(outcomes: list[Outcome], methods: Iterable[str]) -> list[MethodSummary]:
    """A row for each method that has episodes, best success first; equal ones by score, then by fewer calls."""
    graded = [outcome for outcome in outcomes if not outcome.failed]
    failed = Counter(outcome.method for outcome in outcomes if outcome.failed)
    by_method = {name: [outcome for outcome in graded if outcome.method == name] for name in methods}
    played = {name: rows for name, rows in by_method.items() if rows}
    if not played:
        return []

    def rank(name: str) -> tuple[float, float, float]:
        rows = played[name]
        return -_mean(rows, "success"), -_mean(rows, "score"), _mean(rows, "calls")

    order = sorted(played, key=rank)
    best = _by_task(played[order[0]], "success")
    return [_summary(name, played[name], failed[name], None if name == order[0] else best) for name in order]


def _summary(
    name: str, rows: list[Outcome], failed: int, best: dict[str, list[float]] | None
) -> MethodSummary:
    def interval(field: str, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Interval:
        return mean_interval(_by_task(rows, field), bounds=bounds)

    success = _by_task(rows, "success")
    comparable = best is not None and any(task in best for task in success)
    return MethodSummary(
        method=name,
        episodes=len(rows),
        tasks=len(success),
        success=interval("success"),
        score=interval("score"),
        calls=interval("calls", None),
        invalid=interval("invalid"),
        abstained=interval("abstained"),
        tampered=sum(row.tampered for row in rows),
        failed=failed,
        behind=paired_difference(success, best) if best is not None and comparable else None,
    )


def _by_task(rows: list[Outcome], field: str) -> dict[str, list[float]]:
    return group_by_task((row.task, float(getattr(row, field))) for row in rows)


def _mean(rows: list[Outcome], field: str) -> float:
    return mean_interval(_by_task(rows, field)).mean if len(rows) > 1 else float(getattr(rows[0], field))
