"""The desk between a program and its episode: calls come in on many threads, whoever answers takes them out in batches."""

from __future__ import annotations

import hashlib
import re
import threading
import time

from .asking import Asking, Said
from .sampling import Terms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Optional

    Message = dict[str, str]

AGENT_NAME = 64
REMEMBERED = 4096
"""Calls whose answers are kept for retries."""


class Closed(Exception):  # noqa: N818  # the state of a desk, not a fault
    """The episode is over."""


class Call:
    """One request of the program: ``asking.n`` questions to one seat. ``answers`` holds None where the budget had no room."""

    def __init__(
        self, number: int, slot: int, agent: str, asking: Asking, mark: str, terms: Optional[Terms] = None
    ) -> None:
        self.number, self.slot, self.agent, self.asking, self.mark = number, slot, agent, asking, mark
        self.label = str(number)
        """The number as ids of answers have it."""
        self.desk: Any = None
        """Whose call it is."""
        self.forwards = terms is not None and terms.forwards
        self.created = 0  # a clock would make equal episodes differ
        self.answers: list[Optional[Said]] = []
        self.over = threading.Event()
        self.waiting = 1
        """Connections that wait for the answer."""
        self.served = False
        """Whether an answer was written out whole."""
        self.retries: set[str] = set()
        self.gone: list[Callable[[], bool]] = []
        """Of each connection that has waited: whether its client has hung up."""

    @property
    def lost(self) -> bool:
        """Whether nobody is there any more to take the answer, and nobody has taken it."""
        return not self.served and (
            not self.waiting or (bool(self.gone) and all(gone() for gone in self.gone))
        )

    @property
    def questions(self) -> list[dict[str, Any]]:
        """The questions as the wire has them, with what was asked for: the host settles what comes of it."""
        asking, forwarded = self.asking, self.forwards and self.asking.native is not None
        about: dict[str, Any] = {
            "slot": self.slot,
            "agent": self.agent,
            "graded": True,
            "tools": bool(asking.tools),
            "call": self.number,
            "model": asking.model,
            "messages": asking.prompt if forwarded else asking.messages,
        }
        if forwarded:
            about["request"] = asking.native
        return [{**about, "sampling": asking.sampling} for _ in range(asking.n)]


class Desk:
    """One episode's desk.

    The program's side calls :meth:`enter`, :meth:`use` and :meth:`submit`; the episode's side loops over :meth:`take` and
    :meth:`give`. ``use_tool`` runs a tool in the workspace and returns its text; ``new_seat`` numbers the seats where others
    take some too; ``terms`` say which parameters the executors honour.
    """

    def __init__(
        self,
        task: Mapping[str, Any],
        tools: list[dict[str, Any]],
        use_tool: Callable[[str, dict[str, Any]], str],
        new_seat: Optional[Callable[[], int]] = None,
        terms: Optional[Terms] = None,
    ) -> None:
        self.terms = terms or Terms()
        self.task, self.tools, self._use_tool = task, tools, use_tool
        self._new_seat = new_seat or (lambda: len(self._seats))
        self.submission: Optional[str] = None
        self.of_one_task = True
        """Whether it is one episode's, so that an answer needs no task beside it."""
        self.tag = ""
        """What ids of answers begin with, where several desks share a key."""
        self.closed = ""
        """Why nothing more is answered; empty while the episode goes on."""
        self.ended: Optional[tuple[int, str]] = None
        """The exit code of a program that is known to be over, and the end of what it printed to stderr."""
        self.service_call: Optional[dict[str, Any]] = None
        """A call of the task's service that waits for its reply."""
        self._service_reply: Optional[dict[str, Any]] = None
        self.last_answer: Optional[str] = None
        """The latest completion that a program got."""
        self.active_at = 0.0
        """When the program was last heard of, on :attr:`clock`."""
        self.conversations: dict[str, list[Message]] = {}
        self._condition = threading.Condition()
        self._waiting: list[Call] = []
        self._taken: list[Call] = []
        self._calls: dict[str, list[Call]] = {}
        self._seats: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._number = 0
        self._tool_turn = threading.Lock()

    # ------------------------------------------------------------------------------------------------ the program's side

    def enter(
        self,
        asking: Asking,
        body: bytes,
        headers: Mapping[str, str],
        agent: str,
        gone: Optional[Callable[[], bool]] = None,
    ) -> Call:
        """Put a request on the desk, or find the one that it repeats. Raises Closed, and BadRequest for what nobody honours.

        ``gone`` says whether the request's client has hung up.
        """
        key = headers.get("idempotency-key") or headers.get("x-idempotency-key") or ""
        retry = headers.get("x-stainless-retry-count") or "0"
        mark = "key " + key if key else hashlib.sha256(body).hexdigest()
        with self._condition:
            earlier = self._earlier(mark, bool(key), retry)
            if earlier is not None:
                earlier.waiting += 1
                earlier.gone += [gone] if gone is not None else []
                return earlier
            if self.closed:
                raise Closed(self.closed)
            terms = self.terms.of(asking.model)
            terms.settled(asking.sampling)  # what is refused takes no seat
            slot, name = self._seat(asking, agent)
            self._number += 1
            call = Call(self._number, slot, name, asking, mark, terms)
            call.label, call.desk = f"{self.tag}{self._number}", self
            call.gone += [gone] if gone is not None else []
            self._remember(call)
            self._waiting.append(call)
            self.active_at = self.clock()
            self._condition.notify_all()
            return call

    def named(self, task: str) -> Desk:  # noqa: ARG002  # an episode has one task
        """The desk of the task that a request names; this one."""
        return self

    def finish(self) -> None:
        """The program says that it is over: its last completion is what it hands in, where it has handed in nothing."""
        self.hand_in_last()
        with self._condition:
            self._condition.notify_all()

    def leave(self, call: Call, served: bool) -> None:
        """A connection has its answer, or is gone."""
        with self._condition:
            call.waiting -= 1
            call.served = call.served or served

    def use(self, name: str, arguments: dict[str, Any]) -> str:
        """Use a workspace tool; its result, or what is wrong, as text. One at a time. Raises Closed."""
        if self.closed:
            raise Closed(self.closed)
        if name not in [tool["name"] for tool in self.tools]:
            return f"error: no tool {name!r}; there are {', '.join(tool['name'] for tool in self.tools)}"
        with self._tool_turn:
            result = self._use_tool(name, arguments)
        self.active_at = self.clock()
        return result

    def submit(self, answer: str) -> None:
        """Hand in; the first time counts. Raises Closed."""
        with self._condition:
            if self.closed:
                raise Closed(self.closed)
            if self.submission is None:
                self.submission = answer
            self._condition.notify_all()

    def serve(self, service: str, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call the task's service on the host: ``{"result": ...}`` or ``{"error": ...}``. One at a time. Raises Closed."""
        with self._tool_turn, self._condition:
            self._service_reply = None
            self.service_call = {"op": "call", "service": service, "method": method, "arguments": arguments}
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._service_reply is not None or self.closed)
            self.service_call = None
            if self._service_reply is None:
                raise Closed(self.closed)
            return self._service_reply

    def exited(self, code: int, printed: str, errors: str) -> None:
        """The program is over. What it printed is its answer where it used no other way to hand one in."""
        with self._condition:
            if self.submission is None and code == 0 and printed.strip():
                self.submission = printed.strip()
            self.ended = (code, errors)
            self._condition.notify_all()

    # ------------------------------------------------------------------------------------------------ the episode's side

    clock = staticmethod(time.monotonic)

    def take(self, seconds: float | None = None) -> list[Call]:
        """Every call that waits, once there is one; [] when a submission came, the desk closed, or the time is up."""
        with self._condition:
            self._condition.wait_for(lambda: self._waiting or self.happened, seconds)
            taken, self._waiting = self._waiting, []
            self._taken += taken
            return taken

    @property
    def happened(self) -> bool:
        """Whether there is something else than a call: a submission, an end, a call of the task's service."""
        over = self.submission is not None or bool(self.closed) or self.ended is not None
        return over or self.service_call is not None

    def hand_in_last(self) -> None:
        """Take the latest completion for the submission of a program that makes none."""
        with self._condition:
            if self.submission is None and not self._waiting and not self.closed:
                self.submission = self.last_answer

    def give(self, call: Call, answers: list[Optional[Said]]) -> None:
        """Answer a call."""
        call.answers = answers
        with self._condition:
            said = [answer for answer in answers if answer is not None]
            self.last_answer = said[-1].text if said else self.last_answer
            self.active_at = self.clock()
            self._taken = [other for other in self._taken if other is not call]
        call.over.set()

    def reply(self, reply: dict[str, Any]) -> None:
        """Answer the call of a service."""
        with self._condition:
            self.service_call, self._service_reply = None, reply
            self.active_at = self.clock()
            self._condition.notify_all()

    def close(self, why: str) -> None:
        """End the episode: calls without an answer and all later ones are refused."""
        with self._condition:
            if not self.closed:
                self.closed = why
            left, self._waiting, self._taken = self._waiting + self._taken, [], []
            self._condition.notify_all()
        for call in left:
            call.over.set()

    # ------------------------------------------------------------------------------------------------

    def _earlier(self, mark: str, exact: bool, retry: str) -> Optional[Call]:
        """The call that a request repeats.

        With an idempotency key, the call of that key. Else a request is a repetition when its client says so, or when an equal
        one's client has hung up without its answer; two equal questions side by side are two questions.
        """
        calls = self._calls.get(mark, [])
        if exact:
            return calls[0] if calls else None
        lost = [call for call in calls if call.lost]
        if lost:
            return lost[0]
        if retry == "0":
            return None
        for call in calls:
            if retry not in call.retries:
                call.retries.add(retry)
                return call
        return None

    def _remember(self, call: Call) -> None:
        self._calls.setdefault(call.mark, []).append(call)
        if len(self._calls) > REMEMBERED:
            oldest = next(iter(self._calls))
            if all(known.over.is_set() for known in self._calls[oldest]):
                del self._calls[oldest]

    def _seat(self, asking: Asking, agent: str) -> tuple[int, str]:
        """The seat of who asks: the name that it was given, else its system prompt (numbers may change), else its model."""
        system = asking.system.strip()
        identity = (
            f"name {agent}"
            if agent
            else f"system {re.sub('[0-9]+', '0', system)}"
            if system
            else f"model {asking.model}"
        )
        if identity not in self._seats:
            self._seats[identity] = self._new_seat()
            shown = agent or (system.splitlines()[0] if system else asking.model)
            self._names[self._seats[identity]] = shown[:AGENT_NAME]
        slot = self._seats[identity]
        return slot, self._names[slot]
