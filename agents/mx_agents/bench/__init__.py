"""The benchmark: methods side by side on the same tasks, executor, budget and seeds."""

from mx_agents.bench.config import BenchConfig, Cell
from mx_agents.bench.runner import Bench, open_bench
from mx_agents.bench.summary import MethodSummary, Outcome, Table, outcome_of, read_outcomes, summarise

__all__ = [
    "Bench",
    "BenchConfig",
    "Cell",
    "MethodSummary",
    "Outcome",
    "Table",
    "open_bench",
    "outcome_of",
    "read_outcomes",
    "summarise",
]
