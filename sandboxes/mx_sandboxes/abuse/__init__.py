"""Attacks on a sandbox, as data: hostile jobs, each followed by a clean job that must see nothing of it."""

from mx_sandboxes.abuse.case import Case
from mx_sandboxes.abuse.suite import FAMILIES, Outcome, Suite, Verdict, control, run_suite, select

__all__ = ["FAMILIES", "Case", "Outcome", "Suite", "Verdict", "control", "run_suite", "select"]
