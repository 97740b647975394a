"""Run the attacks against a backend and say which got through."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import Enum
from typing import Any

from mx_sandboxes.abuse import (
    escapes,
    files,
    floods,
    leaks,
    processes,
    resources,
    tricks,
    verdicts,
)
from mx_sandboxes.abuse.bare import BarePlace
from mx_sandboxes.abuse.case import DIED, QUICK, Case, Place, Staged, attack, printed, source
from mx_sandboxes.abuse.census import LIMITS, census, difference
from mx_sandboxes.opening import open_sandbox
from mx_sandboxes.sandbox import Sandbox, SandboxError
from mx_sandboxes.slots.pooled import PooledSandbox

FAMILIES: dict[str, tuple[Case, ...]] = {
    "processes": processes.CASES,
    "resources": resources.CASES,
    "leaks": leaks.CASES,
    "escapes": escapes.CASES,
    "files": files.CASES,
    "verdicts": verdicts.CASES,
    "tricks": tricks.CASES,
    "floods": floods.CASES,
}


class Outcome(Enum):
    """How an attack went."""

    STOPPED = "stopped"
    GOT_THROUGH = "got through"
    NOT_ENFORCEABLE = "not enforceable here"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one attack went on one backend; ``why`` says what got through, or why this machine cannot stop it."""

    family: str
    case: Case
    outcome: Outcome
    why: str
    seconds: float


def select(
    families: Iterable[str] | None = None, names: Iterable[str] | None = None
) -> list[tuple[str, Case]]:
    """The attacks of these families, with their families. Raises ValueError for a name that there is not."""
    wanted = list(FAMILIES if families is None else families)
    for name in wanted:
        if name not in FAMILIES:
            raise ValueError(f"no family of attacks is called {name!r}; there are: {', '.join(FAMILIES)}")
    chosen = [(family, case) for family in wanted for case in FAMILIES[family]]
    if names is None:
        return chosen
    keep = set(names)
    if unknown := keep - {case.name for _, case in chosen}:
        raise ValueError(f"no attack is called {sorted(unknown)[0]!r}")
    return [(family, case) for family, case in chosen if case.name in keep]


class Suite:
    """The attacks against one sandbox: one after the other they use the same slot, so each attack and its clean job meet in it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.before = census(sandbox)

    def verdict(self, family: str, case: Case) -> Verdict:
        """Play one attack, then the clean job."""
        start = time.monotonic()
        with on_stage(case) as staged:
            why = play(case, self.sandbox, staged, self.before)
        outcome = Outcome.STOPPED if why is None else Outcome.GOT_THROUGH
        excuse = case.unenforced.get(self.sandbox.backend, "")
        if why is not None and (
            known := excuse if isinstance(excuse, str) else excuse(self.sandbox.capabilities)
        ):
            outcome, why = Outcome.NOT_ENFORCEABLE, known
        return Verdict(family, case, outcome, why or "", time.monotonic() - start)


def play(case: Case, place: Place, staged: Staged, before: dict[str, Any]) -> str | None:
    """The attack, then the clean job; returns what got through, in words."""
    try:
        found = attack(case, place, staged)
        if found is None and case.after and not (case.in_play and isinstance(place, PooledSandbox)):
            found = printed(place.run(["python", "-c", source(case.after, staged)], limits=LIMITS))
        return found or difference(before, census(place))
    except (SandboxError, RuntimeError) as error:
        return f"the sandbox failed: {error}"


def on_stage(case: Case) -> AbstractContextManager[Staged]:
    """What the attack needs on the host, for as long as it lasts."""
    return case.stage() if case.stage is not None else nullcontext(Staged())


def control(case: Case) -> str | None:
    """The same attack where the defences are off: what got through; None would mean that the attack does not work at all.

    Raises SandboxUnavailableError where it needs bubblewrap and there is none.
    """
    with on_stage(case) as staged:
        if case.control is not None:
            return case.control(staged)
        with BarePlace(case.bare) as place:
            if case.prepare:
                place.run(["python", "-c", source(case.prepare, staged)])
            found = play(case, place, staged, census(place) if case.bare.jail else {})
            return None if found == DIED and not case.bare.fatal else found


def run_suite(
    backend: str,
    image: str = "python",
    *,
    families: Iterable[str] | None = None,
    names: Iterable[str] | None = None,
) -> Iterator[Verdict]:
    """Play the attacks against a backend, one after the other, and yield each verdict as it is known.

    Raises SandboxUnavailableError when the backend does not work here, ValueError for an unknown family, name, image or backend.
    """
    chosen = select(families, names)
    with open_sandbox(backend, image=image, slots=2, limits=QUICK) as sandbox:
        suite = Suite(sandbox)
        for family, case in chosen:
            yield suite.verdict(family, case)
