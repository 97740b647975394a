"""One key for a whole dataset: a request belongs to the episode whose task text it contains, whoever sends it, in any order."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mx_envs.inside.endpoint.asking import Asking
from mx_envs.inside.endpoint.desk import Call, Closed, Desk
from mx_envs.inside.endpoint.sampling import BadRequest

WAIT_S = 60.0
"""How long a request is held for an episode that has not been opened yet."""
MOST_SHOWN = 5
SHOWN = 120
"""Characters of a request without a task that the summary shows."""


@dataclass(slots=True)
class Tasks:
    """The task texts that requests are told apart by; equal ones of several tasks cannot be."""

    prompts: Iterable[str]
    _texts: dict[str, list[str]] = field(init=False)
    """The task texts by what they are up to white space, the longest first."""

    def __post_init__(self) -> None:
        found: dict[str, list[str]] = {}
        for text in self.prompts:
            found.setdefault(_plain(text), []).append(text)
        self._texts = {short: found[short] for short in sorted(found, key=len, reverse=True) if short}

    def of(self, texts: Iterable[str]) -> list[str]:
        """The tasks whose text is in these messages, up to white space. More than one is ambiguous.

        A task text that stands only within a longer one is not counted; where white space is all that two differ in, it tells.
        """
        said = list(texts)
        rest, found = [_plain(text) for text in said], []
        for short, tasks in self._texts.items():
            if any(short in text for text in rest):
                rest = [text.replace(short, "\0") for text in rest]
                exact = [task for task in tasks if any(task.strip() in text for text in said)]
                found += exact or tasks
        return found


def _plain(text: str) -> str:
    return " ".join(text.split())


class DatasetDesk(Desk):
    """The desk of all episodes of a run: each call goes to the one whose task it is about, or is refused and counted."""

    def __init__(self, tasks: Iterable[Mapping[str, Any]]) -> None:
        listed = [{"id": task["id"], "prompt": task["prompt"]} for task in tasks]
        super().__init__({"id": "dataset", "prompt": "", "tasks": listed}, [], lambda _, __: "")
        self._tasks = Tasks([task["prompt"] for task in listed])
        self._ids = {task["id"]: task["prompt"] for task in listed}
        self.of_one_task = False
        self._opened: dict[str, Desk] = {}
        self._any = threading.Condition()
        self.counts: Counter[str] = Counter()
        """Calls: ``matched``, ``unmatched``, ``ambiguous``, ``late`` for an episode that was over; requests that are ``named``."""
        self.shown: list[str] = []
        """Some calls without a task of their own."""

    def open(self, desk: Desk) -> None:
        """An episode has begun."""
        with self._any:
            self._opened[desk.task["prompt"]] = desk
            self._any.notify_all()

    def enter(
        self,
        asking: Asking,
        body: bytes,
        headers: Mapping[str, str],
        agent: str,
        gone: Callable[[], bool] | None = None,
    ) -> Call:
        """Put a request on the desk of its episode. Raises BadRequest where it has none or several, Closed where that is over."""
        found = self._tasks.of([message["content"] for message in asking.prompt])
        if len(found) != 1:
            self._note("ambiguous" if found else "unmatched", asking.prompt[-1]["content"])
            raise BadRequest(
                f"this request has the texts of {len(found)} tasks in it; name one by the header X-MX-Task: ID"
                if found
                else "this request has no task's text in it, so that nobody knows whose it is; repeat the task in it, or name it "
                "by the header X-MX-Task: ID",
                "messages",
                "ambiguous_task" if found else "no_task",
            )
        try:
            call = self._desk_of(found[0]).enter(asking, body, headers, agent, gone)
        except Closed:
            self._note("late")
            raise
        self._note("matched")
        return call

    def leave(self, call: Call, served: bool) -> None:
        """A connection has its answer, or is gone."""
        call.desk.leave(call, served)

    def named(self, task: str) -> Desk:
        """The desk of a task by its id. Raises BadRequest for one that is not in the run."""
        if not task:
            return self
        if task not in self._ids:
            raise BadRequest(f"there is no task {task[:100]!r} in this run", "X-MX-Task", "no_task")
        self._note("named")
        return self._desk_of(self._ids[task])

    def finish(self) -> None:
        """The dataset's runner is over: every episode that goes on hands in its last completion, or nothing."""
        with self._any:
            desks = list(self._opened.values())
        for desk in desks:
            desk.finish()
            if desk.submission is None:
                desk.close("its dataset's runner is over")

    def summary(self) -> str:
        """One line of how calls were told apart."""
        told = ", ".join(
            f"{self.counts[name]} {name}" for name in ("matched", "named", "unmatched", "ambiguous", "late")
        )
        return f"calls: {told}" + "".join(f"\n  {line}" for line in self.shown)

    def _desk_of(self, prompt: str) -> Desk:
        end = time.monotonic() + WAIT_S
        with self._any:
            while prompt not in self._opened:
                if self.closed or not self._any.wait(max(0.0, end - time.monotonic())):
                    raise Closed(self.closed or "it was never opened")
            return self._opened[prompt]

    def _note(self, what: str, text: str = "") -> None:
        with self._any:
            self.counts[what] += 1
            if what in ("unmatched", "ambiguous") and len(self.shown) < MOST_SHOWN:
                self.shown.append(f"{what}: {text[:SHOWN]!r}")
