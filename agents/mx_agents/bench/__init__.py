"""The benchmark: methods side by side on the same tasks, executor, budget and seeds.

What is named here is what reports, the command line and users use of it; its files are its own affair.
"""

from mx_agents.bench.compare import Comparison, settings_of
from mx_agents.bench.compare import compare as compare_runs
from mx_agents.bench.config import BenchConfig, Cell
from mx_agents.bench.cost import tokens_by_agent
from mx_agents.bench.runner import Bench, open_bench
from mx_agents.bench.summary import (
    MethodSummary,
    Outcome,
    Table,
    last_rows,
    notes,
    outcome_of,
    read_outcomes,
    summarise,
    why_invalid,
)
from mx_agents.bench.summary import tables as tables_by_set

__all__ = [
    "Bench",
    "BenchConfig",
    "Cell",
    "Comparison",
    "MethodSummary",
    "Outcome",
    "Table",
    "compare_runs",
    "last_rows",
    "notes",
    "open_bench",
    "outcome_of",
    "read_outcomes",
    "settings_of",
    "summarise",
    "tables_by_set",
    "tokens_by_agent",
    "why_invalid",
]
