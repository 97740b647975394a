"""A training that looks unearned is stopped, or its fate asked at the terminal; it goes on from where it was."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from mx_agents.errors import UsageError
from mx_agents.trainer import command
from mx_agents.trainer.asking import asked
from mx_agents.trainer.monitor import SuspicionError
from mx_agents.trainer.workers import WorkerJob, run_jobs

WORDS = "stopped after step 3 of co-evolution: success is 90% in training and 0% elsewhere"


class Keyboard(io.StringIO):
    def isatty(self) -> bool:
        return True


def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=120)


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("g\n", "go on"),
        ("s\n", "stop"),
        (" A \n", "never ask again"),
        ("what\n\ngo\n", "go on"),
        ("", "stop"),
        ("perhaps\n", "stop"),
    ],
)
def test_the_person_at_the_terminal_decides(typed: str, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(typed))
    screen = terminal()
    assert asked(WORDS, screen) == answer
    assert isinstance(screen.file, io.StringIO)
    assert "success is 90% in training" in screen.file.getvalue()


@pytest.mark.parametrize("which", ["no keyboard", "no screen"])
def test_nobody_is_asked_where_there_is_no_terminal(which: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("g\n") if which == "no keyboard" else Keyboard("g\n"))
    screen = terminal() if which == "no keyboard" else Console(file=io.StringIO())
    assert asked(WORDS, screen) == "stop"


def train(run: Path, backend: str, *overrides: str, resume: bool = False) -> int:
    return command.train(
        preset=None if resume else "smoke",
        config=None,
        overrides=overrides,
        seeds=1,
        ablate=False,
        run=run,
        resume=resume,
        sandbox=backend,
    )


@pytest.fixture
def suspicious(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[str]]:
    """Makes the work of a run end so many times with a suspicion, then at once; the list is told what each was configured to do."""

    def times(count: int) -> list[str]:
        seen: list[str] = []

        def work(jobs: list[WorkerJob], *_: Any) -> None:
            seen.append(jobs[-1].arguments[0].on_suspicion)
            if len(seen) <= count:
                raise SuspicionError(WORDS)

        monkeypatch.setattr(command, "run_jobs", work)
        return seen

    return times


@pytest.mark.parametrize("what", ["stop", "ask"])
def test_a_stopped_training_names_its_way_on(
    what: str,
    backend: str,
    suspicious: Callable[[int], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a terminal, ``ask`` is ``stop``; then the run goes on by the command that was named."""
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    seen = suspicious(1)
    run = tmp_path / "a run"
    with pytest.raises(
        UsageError, match=r"90% in training.*mx train --run '.*a run' --resume goes on"
    ) as stop:
        train(run, backend, f"on_suspicion={what}")
    assert "--resume on_suspicion=log to the end" in str(stop.value)
    train(run, backend, "on_suspicion=log", resume=True)
    assert seen == [what, "log"]
    assert yaml.safe_load((run / "config.yaml").read_text())["train"]["on_suspicion"] == "log"


@pytest.mark.parametrize(("typed", "configured"), [("g\ng\n", ["ask"] * 3), ("a\n", ["ask", "log"])])
def test_a_training_goes_on_if_the_person_says_so(
    typed: str,
    configured: list[str],
    backend: str,
    suspicious: Callable[[int], list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "stdin", Keyboard(typed + "g\n"))
    monkeypatch.setattr(command, "console", terminal)
    seen = suspicious(len(configured) - 1)
    train(tmp_path / "run", backend, "on_suspicion=ask")
    assert seen == configured


def _suspects(*_: Any) -> None:
    raise SuspicionError(WORDS)


def test_a_workers_suspicion_stays_one_on_its_way_to_the_parent() -> None:
    with pytest.raises(SuspicionError, match="90% in training"):
        run_jobs([WorkerJob("one", _suspects, ())], lambda name, event: None)
