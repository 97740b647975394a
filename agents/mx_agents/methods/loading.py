"""Methods by name, as the command line spells them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mx_agents.errors import UsageError, unknown
from mx_agents.methods.fixed import FIXED_METHODS
from mx_agents.methods.method import Method
from mx_agents.methods.optimiser import Optimiser
from mx_agents.methods.search import ArchiveSearch, Searching
from mx_agents.policies.loading import build, load_attribute, load_policy
from mx_agents.policy import Policy
from mx_agents.programs import Program, ProgramMethod
from mx_tasks import Task

DESIGNER_KINDS = ("scripted", "random", "human")
DESIGNER_PREFIXES = ("replay:", "openai:", "hf:")
MORE = (
    f"; or program:COMMAND, search:POLICY, optimiser:COMMAND; a designer ({', '.join(DESIGNER_KINDS)}, hf:PATH, openai:MODEL@URL), "
    "or your own: FILE.py:NAME"
)


@dataclass(frozen=True, slots=True)
class FunctionMethod:
    """A user's function of the task and the random numbers."""

    function: Callable[[Task, random.Random], str]

    def design(self, task: Task, rng: random.Random) -> str:
        """What the function returns. Raises UsageError when that is no text."""
        design = self.function(task, rng)
        if not isinstance(design, str):
            raise UsageError(
                f"a method's design is a script, a text; {self.function!r} returned a {type(design).__name__}"
            )
        return design


def load_method(spec: str, *, seed: int = 0) -> Method | Policy | Searching | Optimiser:
    """The method that a spec names. Raises UsageError.

    A fixed one by its name; ``search``, or ``search:POLICY`` with a designer that proposes; ``program:COMMAND`` or ``external``, a
    program at the endpoint; ``optimiser:COMMAND`` or ``optimiser``, a search from outside; ``FILE.py:NAME`` or ``MODULE:NAME``; or
    a policy as the designer.

    In a file, NAME is an object with ``design(task, rng)`` or ``act(observations)``, a class or a function that makes one when it
    is called with nothing (or ``seed``), or itself the function of task and rng.
    """
    if spec in FIXED_METHODS:
        return FIXED_METHODS[spec]
    if spec == "external":
        return ProgramMethod()
    if spec in DESIGNER_KINDS or spec.startswith(DESIGNER_PREFIXES):
        return load_policy(spec, role="designer", seed=seed)
    if spec == "optimiser":
        return Optimiser()
    kind, colon, rest = spec.partition(":")
    if kind == "search":
        return ArchiveSearch(load_policy(rest, role="designer", seed=seed) if colon else None)
    if kind in ("program", "optimiser") and colon:
        program = Program.from_text(rest)
        return ProgramMethod(program) if kind == "program" else Optimiser(program)
    if not colon and not spec.endswith(".py"):
        raise unknown("method", spec, (*FIXED_METHODS, "search", "external", "optimiser"), MORE)
    return as_method(build(load_attribute(spec, "method"), seed=seed, role="designer"), spec)


def as_method(made: Any, spec: str) -> Method | Policy | Searching:
    """What a user's file holds, as a method. Raises UsageError."""
    if any(callable(getattr(made, name, None)) for name in ("design", "act", "search")):
        method: Method | Policy | Searching = made
        return method
    if isinstance(made, str):
        return FunctionMethod(lambda task, rng: made)  # noqa: ARG005  # a constant design
    if callable(made):
        return FunctionMethod(made)
    raise UsageError(
        f"{spec!r} made a {type(made).__name__}, which is no method: it needs design(task, rng) -> script"
    )
