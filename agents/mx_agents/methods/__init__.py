"""Ways of producing designs: what ``mx bench`` compares.

A method is anything with ``design(task, rng) -> str``, or a function of the two. A policy is a method too: it is shown the
designer's observation and its answer is the design.
"""

from mx_agents.methods.fixed import FIXED_METHODS, FixedMethod
from mx_agents.methods.loading import as_method, load_method
from mx_agents.methods.method import Method, MethodPolicy
from mx_agents.methods.optimiser import Optimiser
from mx_agents.methods.search import ArchiveSearch, Searching, Trial

__all__ = [
    "FIXED_METHODS",
    "ArchiveSearch",
    "FixedMethod",
    "Method",
    "MethodPolicy",
    "Optimiser",
    "Searching",
    "Trial",
    "as_method",
    "load_method",
]
