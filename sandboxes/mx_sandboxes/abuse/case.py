"""What an attack is: a hostile program, how to tell that it got through, and what must be invisible afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from mx_sandboxes.sandbox import Capabilities, Completed, Limits, Reason

SIZES: dict[str, Any] = {
    "memory_bytes": 128 << 20,
    "pids": 32,
    "workspace_bytes": 16 << 20,
    "inodes": 4096,
    "file_bytes": 8 << 20,
    "open_files": 64,
    "output_bytes": 64 << 10,
}
"""Every attack has these, so that one slot serves all of them, one after the other."""
QUICK = Limits(wall_s=1.0, cpu_s=1.0, **SIZES)
LONG = Limits(wall_s=8.0, cpu_s=6.0, **SIZES)
DIED = "the job server died or hung"
MARK = "GOT THROUGH:"
SPARE_S = 4.0
"""Seconds beyond its wall time that a job may take on a busy machine before the suite calls it unstoppable."""
PRELUDE = f"""
def through(*what):
    print({MARK!r}, *what, flush=True)
"""


class Place(Protocol):
    """Where programs are run: a sandbox, or, for the controls, somewhere without defences."""

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        files: Mapping[str, bytes] | None = None,
        collect: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Completed:
        """Run one program; see `mx_sandboxes.Sandbox.run`."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What was set up on the host for an attack: values for its program, and what the host saw of the attack afterwards."""

    values: Mapping[str, Any] = field(default_factory=dict)
    evidence: Callable[[], str | None] = lambda: None


Judge = Callable[[Completed], str | None]
"""What got through, in words; None when nothing did."""


def printed(done: Completed) -> str | None:
    """The program itself says what it managed to do."""
    for line in done.stdout.decode("utf-8", "replace").splitlines():
        if line.startswith(MARK):
            return line.removeprefix(MARK).strip()[:300]
    return None


def must_end(*reasons: Reason) -> Judge:
    """The job must be ended for one of these reasons, which is also what the caller is told."""

    def judge(done: Completed) -> str | None:
        if done.reason in reasons:
            return printed(done)
        return printed(done) or f"the job ended with: {done.reason.value}, exit code {done.exit_code}"

    return judge


@dataclass(frozen=True, slots=True)
class Bare:
    """How a control is run: which defences the throw-away place still has, for the sake of the machine.

    ``jail`` keeps the attack in namespaces of its own (all else is off); without it the program is a plain process of this user.
    ``runner`` is its way: a process for each job, ``in process`` of one interpreter, reading ``one pipe after the other``, or
    decoding output as ``text``. ``timeout`` ends a job as a naive runner does, by that signal to its first process.
    ``capabilities`` are those of the jail's own root; ``root`` says that only the machine's own root can show the attack;
    ``unprivileged`` takes root's rights away. ``inherit`` hands on descriptors and environment. ``memory`` is how many bytes the
    runner itself may take, ``fatal`` whether the attack may end or stop it, ``seconds`` how long a job may hang before it counts
    as stopped. ``needs`` names what a kernel or machine may lack, so that there is nothing to attack.
    """

    jail: bool = True
    network: bool = False
    runner: str = ""
    timeout: str = ""
    capabilities: bool = False
    root: bool = False
    unprivileged: bool = False
    inherit: bool = False
    memory: int = 0
    fatal: bool = False
    needs: str = ""
    seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class Case:
    """One attack: a hostile job, then a clean job in the same slot, or its successor, that must see nothing of it."""

    name: str
    aim: str
    program: str = ""
    judge: Judge = printed
    limits: Limits = QUICK
    after: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict)
    collect: tuple[str, ...] = ()
    stage: Callable[[], AbstractContextManager[Staged]] | None = None
    play: Callable[[Any, Staged], str | None] | None = None
    """Plays the hostile part where one job is not enough; takes an open sandbox. The control plays ``program`` and ``after``."""
    in_play: bool = False
    """Whether ``after`` is part of the play already."""
    prepare: str = ""
    """What the control needs to have in place before, such as an address to reach; a program that runs there only."""
    bare: Bare = field(default_factory=Bare)
    control: Callable[[Staged], str | None] | None = None
    """Where the naive place cannot show it: a control of its own, with the same answer as a judge."""
    unenforced: Mapping[str, str | Callable[[Capabilities], str]] = field(default_factory=dict)
    """Why a backend cannot stop this attack, where that is known and told; as a function, empty where it says that it can."""


def source(program: str, staged: Staged) -> str:
    """The whole program of a job."""
    return f"{PRELUDE}\nimport json\nstage = json.loads({json.dumps(dict(staged.values))!r})\n{program}"


def attack(case: Case, place: Place, staged: Staged) -> str | None:
    """Play the hostile part; returns what got through."""
    if case.play is not None and hasattr(place, "session"):
        return case.play(place, staged) or staged.evidence()
    done = place.run(
        ["python", "-c", source(case.program, staged)],
        files=case.files,
        collect=case.collect,
        limits=case.limits,
    )
    if done.reason in (Reason.SANDBOX_DIED, Reason.BROKE_SANDBOX):
        return DIED
    if done.wall_s > case.limits.wall_s + SPARE_S:
        return f"the job took {done.wall_s:.1f} s where {case.limits.wall_s} s were allowed"
    return case.judge(done) or staged.evidence()
