"""What a long command tells meanwhile: moving lines on a terminal, and without one a line now and then on stderr."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from mx_agents.terminal import console as terminal
from mx_agents.terminal import visible

FIRST_S = 2.0
"""Without a terminal, a command that takes longer than this says so ..."""
EVERY_S = 15.0
"""... and then about this often; of a long run, after another twentieth of its time."""
SHARE = 20
LONGEST = 100
"""Characters of a row's remark."""


@dataclass(slots=True)
class Row:
    """One of the things that are going on; ``total`` is None where nobody knows how much there is to do."""

    title: str
    total: float | None
    done: float = 0
    about: str = ""
    unit: str = ""
    began: float | None = None
    first: float = 0
    """How much was done when it began: nothing is known of how long that took."""
    over: bool = False
    """Whether it is finished."""
    _bar: tuple[Progress, TaskID] | None = None

    def advance(self, count: float = 1, about: str | None = None) -> None:
        """So much more is done."""
        self.set(self.done + count, about)

    def set(self, done: float | None = None, about: str | None = None) -> None:
        """This much is done; ``about`` is a remark, a text of anybody."""
        if self.began is None:
            self.began = monotonic()
            self.first = self.done if done is None else done
        if done is not None:
            self.done = done
        if about is not None:
            self.about = visible(about).replace("\n", " ")[:LONGEST]
        if self._bar is not None:
            progress, task = self._bar
            progress.start_task(task)
            progress.update(task, completed=self.done, about=Text(self.about), count=self.count)

    @property
    def count(self) -> str:
        """How much is done, in words."""
        if self.total is None:
            return ""
        return (
            f"{self.done / self.total:.0%}"
            if not self.unit
            else f"{self.done:g} of {self.total:g} {self.unit}"
        )

    def finish(self) -> None:
        """It is over."""
        self.set(self.total)
        self.over = True

    def line(self) -> str:
        """It in one line."""
        parts = [self.count, self.about]
        done = self.done - self.first
        if self.began is not None and self.total and done > 0 and self.done < self.total:
            left = (monotonic() - self.began) / done * (self.total - self.done)
            parts.insert(1, f"about {spell(left)} left")
        said = ", ".join(part for part in parts if part)
        return f"{self.title}: {said}" if said else self.title


class Going:
    """The rows of a command that takes its time."""

    def __init__(self, screen: Console) -> None:
        self.screen = screen
        self._rows: list[Row] = []
        self._progress: Progress | None = None
        self._over = threading.Event()
        self._began = monotonic()

    def row(
        self, title: str, total: float | None = None, *, done: float = 0, unit: str = "", waits: bool = False
    ) -> Row:
        """Something that goes on; one that ``waits`` begins with its first news. ``unit`` says of what ``total`` is a number."""
        row = Row(visible(title), total, done, unit=unit, began=None if waits else monotonic(), first=done)
        if self._progress is not None:
            task = self._progress.add_task(
                "",
                total=total,
                completed=int(done),
                start=not waits,
                title=Text(row.title),
                about=Text(""),
                count=row.count,
            )
            row._bar = (self._progress, task)
        self._rows.append(row)
        return row

    def _open(self) -> None:
        console = self.screen if self.screen.is_terminal else terminal(stderr=True)
        if console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.fields[title]}"),
                BarColumn(bar_width=20),
                TextColumn("{task.fields[count]}"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[about]}"),
            )
            self._progress = Progress(*columns, console=console, transient=True, refresh_per_second=4)
            self._progress.start()
        else:
            threading.Thread(target=self._tell, args=(console,), daemon=True, name="progress").start()

    def _close(self) -> None:
        self._over.set()
        if self._progress is not None:
            self._progress.stop()

    def _lines(self) -> list[str]:
        """The rows that are moving; where none is yet, the one that comes next."""
        rows = [row for row in self._rows if not row.over]
        moving = [row.line() for row in rows if row.began is not None]
        return moving or [f"{row.title}: starting" for row in rows[:1]]

    def _tell(self, console: Console) -> None:
        wait = FIRST_S
        while not self._over.wait(wait):
            seconds = monotonic() - self._began
            for line in self._lines():
                console.print(Text(f"{spell(seconds)}  {line}"), soft_wrap=True)
            wait = max(EVERY_S, seconds / SHARE)


@contextmanager
def going(screen: Console) -> Iterator[Going]:
    """Tell how far it is within: on ``screen`` where that is a terminal, else on stderr."""
    told = Going(screen)
    told._open()
    try:
        yield told
    finally:
        told._close()


@contextmanager
def waiting(screen: Console, title: str) -> Iterator[Row]:
    """Tell that one thing is going on, of which nobody knows how much there is."""
    with going(screen) as told:
        yield told.row(title)


def spell(seconds: float) -> str:
    """A time, as ``42 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
