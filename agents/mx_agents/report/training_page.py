"""The report of a training run: results, both learning curves, what the designer came to prefer, rollout trees.

Reads ``metrics.jsonl`` (a row per arm, seed and step), ``evaluation.jsonl`` (the same on held-out tasks), ``results.json``
(``rows`` of arm, success, low, high; ``differences`` of a, b, mean, low, high) and ``trees.jsonl``;
whatever is missing is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from mx_agents.report.charts import Whisker, colour_of, whisker, whisker_axis
from mx_agents.report.learning_curves import curves_section
from mx_agents.report.page import browser, configuration, episode_data, page, section, table, tiles
from mx_agents.runs.folder import read_lines
from mx_tasks import TaskNotFoundError, TaskSetError, load_task_set

Row = dict[str, Any]
MOST_TREES = 200
TREES_LEAD = "Each task has several designs, each design several executions. A square is an execution, filled by its score."
RESULTS_LEAD = (
    "Success is the share of tasks whose hidden tests all pass; small dots are single seeds. “Likeliest design” is success "
    "with the designer's likeliest design instead of a sampled one, “executor alone” the share of single parts that the "
    "executor gets right."
)


def training_page(folder: Path, config: Row, *, live: bool = False) -> str:
    """The page of the training run in ``folder``."""
    metrics = read_lines(folder / "metrics.jsonl")
    evaluation = read_lines(folder / "evaluation.jsonl")
    results = _read_results(folder / "results.json")
    arms = _arms(results["rows"], evaluation, metrics)
    trees = read_lines(folder / "trees.jsonl")
    body = [
        _headline(results),
        _results(results, arms, evaluation),
        curves_section(metrics, evaluation, arms),
        configuration({name: value for name, value in config.items() if name != "kind"}),
    ]
    if trees:
        some = f"{MOST_TREES} of {len(trees)} recorded trees. " if len(trees) > MOST_TREES else ""
        body.insert(3, browser("trees", some + TREES_LEAD, "Rollout trees"))
    seeds = len({row.get("seed") for row in [*metrics, *evaluation]})
    steps = len({row.get("step") for row in metrics})
    subtitle = (
        f"{folder.name} · {_count(len(arms), 'arm')} · {_count(seeds, 'seed')} · {_count(steps, 'step')}"
    )
    prompt_of = _prompts(config)
    data = {"live": live, "trees": [_tree_data(tree, prompt_of) for tree in _spread(trees, MOST_TREES)]}
    return page("Co-evolution of designer and executor", subtitle, body, data, live=live)


def _read_results(path: Path) -> dict[str, list[Row]]:
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        return {"rows": list(results.get("rows", ())), "differences": list(results.get("differences", ()))}
    except FileNotFoundError:  # the run is still going on
        return {"rows": [], "differences": []}


def _arms(*sources: Iterable[Row]) -> list[str]:
    """All arms in order of first appearance."""
    return list(dict.fromkeys(str(row["arm"]) for rows in sources for row in rows if "arm" in row))


def _headline(results: dict[str, list[Row]]) -> str:
    """The differences as large figures."""
    entries = [
        (_percent(_number(row, "success")), f"success of {row['arm']}", "tasks whose hidden tests all pass")
        for row in results["rows"][:1]
    ]
    for row in results["differences"]:
        mean = _number(row, "mean", "difference")
        if mean is None:
            continue
        low, high = _number(row, "low"), _number(row, "high")
        between = (
            f"95 % interval {low * 100:+.1f} to {high * 100:+.1f}"
            if low is not None and high is not None
            else ""
        )
        entries.append(
            (f"{mean * 100:+.1f} points", f"{row.get('a', 'co-evolution')} over {row.get('b', '?')}", between)
        )
    return section("In short", tiles(entries)) if entries else ""


def _results(results: dict[str, list[Row]], arms: list[str], evaluation: list[Row]) -> str:
    if not results["rows"]:
        return section("Results", lead="The run has not come to its evaluation yet.")
    rows = [_result_row(row, arms.index(str(row["arm"])), evaluation) for row in results["rows"]]
    head = [
        "Arm",
        whisker_axis(),
        "Success",
        "95 % interval",
        "Likeliest design",
        "Executor alone",
        "Score",
        "Calls",
        "Seeds",
    ]
    return section(
        "Results on held-out tasks", table(head, rows, kind="results"), lead=RESULTS_LEAD, wide=True
    )


def _result_row(row: Row, place: int, evaluation: list[Row]) -> list[str]:
    mean, low, high = _number(row, "success"), _number(row, "low"), _number(row, "high")
    name = str(row["arm"])
    by_seed = tuple(float(value) for value in row.get("by_seed", ()))
    dots = whisker(Whisker(name, place, mean, low, high, by_seed)) if mean is not None else ""
    return [
        f'<span class="key" style="background:{colour_of(place)}"></span>{escape(name)}',
        dots,
        f"<b>{_percent(mean)}</b>",
        f"{_percent(low)} to {_percent(high)}" if low is not None else "—",
        _percent(_number(row, "greedy_success")),
        _percent(_number(row, "part_accuracy") or _executor_alone(name, evaluation)),
        _plain_number(_number(row, "score"), 2),
        _plain_number(_number(row, "calls")),
        _plain_number(_number(row, "seeds"), 0),
    ]


def _executor_alone(arm: str, evaluation: list[Row]) -> float | None:
    """The executor's share of right parts on the test tasks, mean over seeds."""
    found = [
        _number(row, "part_accuracy")
        for row in evaluation
        if row.get("arm") == arm and row.get("split") == "test"
    ]
    known = [value for value in found if value is not None]
    return sum(known) / len(known) if known else None


def _prompts(config: Row) -> Callable[[str], str]:
    """The prompt of a task by its id, from the run's task set; empty where that is not known here."""
    about = config.get("task_set")
    name = about.get("name") if isinstance(about, dict) else None
    try:
        task_set = load_task_set(name) if isinstance(name, str) else None
    except TaskSetError:
        task_set = None

    def prompt_of(task_id: str) -> str:
        try:
            return task_set.find(task_id).prompt if task_set is not None else ""
        except TaskNotFoundError:
            return ""

    return prompt_of


def _tree_data(tree: Row, prompt_of: Callable[[str], str]) -> Row:
    task = tree.get("task", {})
    task_id = str(task.get("id", ""))
    return {
        "arm": tree.get("arm", ""),
        "seed": tree.get("seed", 0),
        "step": tree.get("step", 0),
        "task": task_id,
        "prompt": str(task.get("prompt") or prompt_of(task_id)),
        "designs": [
            {
                "design": str(design.get("design", "")),
                "label": str(design.get("label", "")),
                "reward": design.get("reward"),
                "executions": [episode_data(record) for record in design.get("executions", ())],
            }
            for design in tree.get("designs", ())
        ],
    }


def _spread(items: Sequence[Row], most: int) -> list[Row]:
    """At most ``most`` of them, evenly spread, the last one among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(place * (len(items) - 1) / (most - 1))] for place in range(most)]


def _number(row: Row, *names: str) -> float | None:
    return next((float(row[name]) for name in names if isinstance(row.get(name), int | float)), None)


def _percent(value: float | None) -> str:
    return "—" if value is None else f"{value * 100:.1f} %"


def _plain_number(value: float | None, digits: int = 1) -> str:
    return "—" if value is None else f"{value:.{digits}f}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
