"""From episodes to tables: means over tasks with intervals, differences between methods, by task set, executor and difficulty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from statistics import median
from typing import Any

from mx_agents.statistics import Interval, group_by_task, holm, mean_interval, paired_difference, paired_p

HANDED_IN = ("submitted", "finished")
INFRASTRUCTURE = ("sandbox died", "grading failed")
BROKE_SANDBOX = "broke its sandbox"
MOST_REPEATS = 1
"""How often an episode that sandbox or grader failed is played again when a run goes on; then it stays without a verdict."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the tables need of an episode.

    ``invalid``: the design did not parse, crashed or ran into a limit. ``abstained``: it ended by itself and handed in
    nothing, or nothing that could be graded.
    They score what they score, 0 as a rule, and stay in the denominator. ``failed``: the sandbox or the grader failed;
    there is no verdict, and such an episode is counted apart. ``repeats``: how often it was played before and failed so.
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
    tasks: str = ""
    executor: str = ""
    difficulty: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    money: float | None = None
    seconds: float = 0.0
    error: str = ""
    """The last line of what a design crashed with."""
    repeats: int = 0
    folded: bool = False
    """Whether some roles shared an executor, because there were more of them than executors."""
    proof: str = ""
    """What a grade by proof came to: ``proven``, ``refuted`` or ``bounded``; empty where there was none."""
    depth: int = 0
    """Of ``bounded``: the steps within which no difference is known."""

    @property
    def tried(self) -> bool:
        """Whether something was handed in that could be graded, honestly."""
        return not (self.abstained or self.invalid or self.tampered)

    @property
    def undecided(self) -> bool:
        """Whether a proof neither accepted nor refuted it."""
        return self.proof == "bounded"

    @property
    def unit(self) -> str:
        """What is resampled: the task, within its set."""
        return f"{self.tasks}/{self.task}" if self.tasks else self.task


def outcome_of(row: Mapping[str, Any]) -> Outcome:
    """The outcome of a row of ``episodes.jsonl``."""
    episode = row["episode"]
    stop, submission = episode["stop"], episode["submission"]
    grade = episode["grade"] or {"passed": False, "score": 0.0, "tampered": False}
    acted = submission.get("service", {}).get("acted", False)
    handed_in = bool(
        submission["answer"].strip() or submission["files"] or submission.get("removed") or acted
    )
    cost = row.get("cost") or {}
    proof = (grade.get("trace") or {}).get("hardware") or {}
    return Outcome(
        method=row["method"],
        task=episode["task"],
        repetition=row["repetition"],
        success=float(grade["passed"]),
        score=float(grade["score"]),
        calls=len(episode["turns"]),
        invalid=stop not in HANDED_IN and stop not in INFRASTRUCTURE,
        abstained=stop in HANDED_IN and (not handed_in or bool(grade.get("abstained"))),
        tampered=bool(grade["tampered"]),
        failed=stop in INFRASTRUCTURE,
        stop=stop,
        label=episode["label"],
        tasks=row.get("tasks", ""),
        executor=row.get("executor", ""),
        difficulty=int(row.get("difficulty", 0)),
        tokens_in=int(cost.get("in", 0)),
        tokens_out=int(cost.get("out", 0)),
        money=cost.get("money"),
        seconds=float(row.get("seconds", 0.0)),
        error=episode.get("error", ""),
        folded=bool(episode.get("folded")),
        proof=str(proof.get("proof", "")),
        depth=int(proof.get("depth", 0)),
    )


def cell_of(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """Which episode of the comparison a row is."""
    return (
        row["method"],
        row["episode"]["task"],
        row["repetition"],
        row.get("tasks", ""),
        row.get("executor", ""),
    )


def last_rows(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each episode: the last, because an episode that the sandbox failed is played again when a run goes on."""
    return list({cell_of(row): row for row in rows}.values())


def repeats(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[Any, ...]]:
    """How often each episode was played again."""
    return Counter(cell_of(row) for row in rows) - Counter({cell_of(row): 1 for row in rows})


def why_invalid(outcomes: Iterable[Outcome]) -> list[str]:
    """A line for each method with invalid designs: how many, and what most of them ended with."""
    reasons: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        if outcome.invalid:
            reasons.setdefault(outcome.method, Counter())[outcome.error or outcome.stop] += 1
    return [
        f"{method}: {counts.total()} invalid, {counts.most_common(1)[0][1]} of them with: {counts.most_common(1)[0][0]}"
        for method, counts in reasons.items()
    ]


def read_outcomes(rows: Iterable[dict[str, Any]]) -> list[Outcome]:
    """The outcomes of all episodes."""
    rows = list(rows)
    again = repeats(rows)
    return [replace(outcome_of(row), repeats=again[cell_of(row)]) for row in last_rows(rows)]


@dataclass(frozen=True, slots=True)
class MethodSummary:
    """A method's row of a table, over the episodes that have a verdict; ``failed`` counts the others.

    ``broke`` counts those that made their sandbox die, failures like any other; ``repeats`` those that were played again because
    sandbox or grader had failed them. ``worst`` is the success with the failed ones counted as failures, ``suspect`` whether there
    are more of those, or more repeats, than the method's peers have.

    ``behind`` is its paired difference in success to the best method, ``p`` the chance of one as large without a true difference,
    corrected for all pairs of methods (Holm); None for the best itself. Tokens, ``money`` (None without prices) and ``seconds``
    are means per episode; seconds are the environment's, without the policies.

    ``bounded`` is the share that a proof neither accepted nor refuted, no success; None where nothing was graded by proof.
    ``depth`` is the least number of steps within which one of those is known to be right.
    """

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
    p: float | None = None
    tokens_in: float = 0.0
    tokens_out: float = 0.0
    money: float | None = None
    seconds: float = 0.0
    best: bool = False
    """Whether it is the one that the others are held against; none is where nothing succeeded at all."""
    broke: int = 0
    repeats: int = 0
    worst: float = 0.0
    suspect: bool = False
    bounded: float | None = None
    depth: int | None = None

    @property
    def told_bounded(self) -> str:
        """The bounded share in per cent, and within how many steps all of it is right; empty without proofs."""
        if self.bounded is None:
            return ""
        return f"{self.bounded * 100:.1f}" + ("" if self.depth is None else f" (to {self.depth:,} steps)")

    def as_dict(self) -> dict[str, Any]:
        """Plain values for files."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Table:
    """The methods on one task set with one executor; ``by_difficulty`` has each method's mean success at each difficulty.

    ``notes`` say what is missing, and what it could change.
    """

    tasks: str
    executor: str
    rows: list[MethodSummary]
    by_difficulty: dict[int, dict[str, float]]
    notes: list[str] = field(default_factory=list)


def summarise(outcomes: list[Outcome], methods: Iterable[str]) -> list[MethodSummary]:
    """A row for each method that has episodes, best success first; equal ones by score, then by fewer calls.

    Where a score can be below 0, giving up would beat trying: in the ranking, and only there, an episode without a try counts as
    the lowest score on its task set.
    """
    by_method: dict[str, list[Outcome]] = {}
    for name in methods:
        if rows := [outcome for outcome in outcomes if outcome.method == name]:
            by_method[name] = rows
    order = ranking(outcomes, by_method)
    if not order:
        return []
    best = _by_task([row for row in by_method[order[0]] if not row.failed], "success")
    corrected = {frozenset((pair["a"], pair["b"])): pair["p_holm"] for pair in pairs(outcomes, by_method)}
    return [
        _summary(
            name, by_method, None if name == order[0] else best, corrected.get(frozenset((order[0], name)))
        )
        for name in order
    ]


def ranking(outcomes: Iterable[Outcome], methods: Iterable[str]) -> list[str]:
    """The methods that have episodes with a verdict, the best first."""
    graded = [outcome for outcome in outcomes if not outcome.failed]
    lowest: dict[str, float] = {}
    for outcome in graded:
        lowest[outcome.tasks] = min(outcome.score, lowest.get(outcome.tasks, 0.0))
    found = {name: [row for row in graded if row.method == name] for name in methods}

    def rank(name: str) -> tuple[float, float, float, float]:
        rows = [row if row.tried else replace(row, score=lowest[row.tasks]) for row in found[name]]
        return -_mean(rows, "success"), -_mean(rows, "score"), -_mean(rows, "tried"), _mean(rows, "calls")

    return sorted((name for name, rows in found.items() if rows), key=rank)


def as_failures(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """The outcomes with those that sandbox or grader failed counted as the methods' own failures."""
    return [replace(one, failed=False, invalid=True) if one.failed else one for one in outcomes]


def notes(outcomes: Sequence[Outcome], methods: Iterable[str]) -> list[str]:
    """A line for each method that broke sandboxes, lacks verdicts or had too many roles.

    And one where the missing verdicts could change the order.
    """
    names = [name for name in methods if any(outcome.method == name for outcome in outcomes)]
    by_method = {name: [row for row in outcomes if row.method == name] for name in names}
    lines = []
    for name, rows in by_method.items():
        failed, again = sum(row.failed for row in rows), sum(row.repeats for row in rows)
        if broke := sum(row.stop == BROKE_SANDBOX for row in rows):
            lines.append(f"{name}: {_episodes(broke)} broke the sandbox and count as failures")
        if folded := sum(row.folded for row in rows):
            lines.append(
                f"{name}: {_episodes(folded)} had more roles than there are executors; some roles shared one"
            )
        if failed or again:
            more = ", MORE THAN ITS PEERS" if _suspect(name, by_method) else ""
            lines.append(
                f"{name}: {_episodes(failed)} without a verdict (sandbox or grader failed), {again} played again{more}"
            )
    strict = as_failures(outcomes)
    before, after = ranking(outcomes, names), ranking(strict, names)
    if before != after:
        success = {name: _mean([row for row in strict if row.method == name], "success") for name in after}
        told = ", ".join(f"{name} {success[name] * 100:.1f} %" for name in after)
        lines.append(f"with every missing verdict counted as a failure the order is another: {told}")
    return lines


def _episodes(count: int) -> str:
    return f"{count} episode{'' if count == 1 else 's'}"


def _suspect(name: str, by_method: Mapping[str, Sequence[Outcome]]) -> bool:
    """Whether a larger share of a method's episodes met a failure of sandbox or grader than is usual among the others."""
    share = {
        each: sum(row.failed + row.repeats for row in rows) / len(rows) for each, rows in by_method.items()
    }
    others = [value for each, value in share.items() if each != name]
    return bool(others) and share[name] > median(others)


def tables(outcomes: list[Outcome], methods: Iterable[str]) -> list[Table]:
    """A table for each task set and executor, in order of appearance."""
    names = list(methods)
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((outcome.tasks, outcome.executor), []).append(outcome)
    return [
        Table(tasks, executor, summarise(rows, names), by_difficulty(rows, names), notes(rows, names))
        for (tasks, executor), rows in groups.items()
    ]


def by_difficulty(outcomes: list[Outcome], methods: Iterable[str]) -> dict[int, dict[str, float]]:
    """Mean success of each method at each difficulty, the easiest first."""
    names = list(methods)
    outcomes = [outcome for outcome in outcomes if not outcome.failed]
    found: dict[int, dict[str, float]] = {}
    for difficulty in sorted({outcome.difficulty for outcome in outcomes}):
        at = {name: [o for o in outcomes if (o.difficulty, o.method) == (difficulty, name)] for name in names}
        found[difficulty] = {name: _mean(rows, "success") for name, rows in at.items() if rows}
    return found


def pairs(outcomes: list[Outcome], methods: Iterable[str]) -> list[dict[str, Any]]:
    """Every two methods side by side: the difference in success a - b over the tasks that both met, with its interval.

    ``p`` is of the two alone, ``p_holm`` corrected for all pairs.
    """
    graded = [outcome for outcome in outcomes if not outcome.failed]
    by_method = {name: [outcome for outcome in graded if outcome.method == name] for name in methods}
    success = {name: _by_task(rows, "success") for name, rows in by_method.items() if rows}
    found = []
    for a, b in combinations(success, 2):
        if not set(success[a]).isdisjoint(success[b]):
            difference = paired_difference(success[a], success[b])
            found.append({"a": a, "b": b, **asdict(difference), "p": paired_p(success[a], success[b])})
    corrected = holm([pair["p"] for pair in found])
    return [{**pair, "p_holm": p} for pair, p in zip(found, corrected, strict=True)]


def _summary(
    name: str,
    by_method: Mapping[str, list[Outcome]],
    best: dict[str, list[float]] | None,
    p: float | None,
) -> MethodSummary:
    played = by_method[name]
    rows = [row for row in played if not row.failed]

    def interval(field: str, bounds: tuple[float, float] | None = (0.0, 1.0)) -> Interval:
        return mean_interval(_by_task(rows, field), bounds=bounds)

    success = _by_task(rows, "success")
    bounded = (0.0, 1.0) if all(row.score >= 0 for row in rows) else None
    comparable = best is not None and any(task in best for task in success)
    prices = [row.money for row in rows if row.money is not None]
    return MethodSummary(
        method=name,
        episodes=len(rows),
        tasks=len(success),
        success=interval("success"),
        score=interval("score", bounded),
        calls=interval("calls", None),
        invalid=interval("invalid"),
        abstained=interval("abstained"),
        tampered=sum(row.tampered for row in rows),
        failed=len(played) - len(rows),
        broke=sum(row.stop == BROKE_SANDBOX for row in rows),
        repeats=sum(row.repeats for row in played),
        worst=_mean(as_failures(played), "success"),
        suspect=_suspect(name, by_method),
        bounded=_mean(rows, "undecided") if any(row.proof for row in rows) else None,
        depth=min((row.depth for row in rows if row.undecided), default=None),
        behind=paired_difference(success, best) if best is not None and comparable else None,
        p=p if comparable else None,
        tokens_in=sum(row.tokens_in for row in rows) / len(rows),
        tokens_out=sum(row.tokens_out for row in rows) / len(rows),
        money=sum(prices) / len(prices) if prices else None,
        seconds=sum(row.seconds for row in rows) / len(rows),
        best=best is None and any(row.success for row in rows),
    )


def _by_task(rows: list[Outcome], field: str) -> dict[str, list[float]]:
    return group_by_task((row.unit, float(getattr(row, field))) for row in rows)


def _mean(rows: list[Outcome], field: str) -> float:
    grouped = _by_task(rows, field).values()
    return sum(sum(values) / len(values) for values in grouped) / len(grouped)
