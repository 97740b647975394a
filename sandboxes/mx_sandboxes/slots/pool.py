"""A pool of warm slots: who gets which, and what is made ready in the background."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Hashable

from mx_sandboxes.sandbox import Limits, SandboxError
from mx_sandboxes.slots.slot import Slot

logger = logging.getLogger(__name__)


class _Spare:
    """A slot that is being born ahead of its need."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.slot: Slot | None = None
        self.error: BaseException | None = None
        self.over = threading.Event()


class Pool:
    """At most ``size`` slots, handed out in the order of asking.

    ``kind`` tells what a slot is made for: a slot serves the limits that are of its kind. A slot that is not trusted any more is
    killed and replaced in the background, so that the job after a time-out does not wait for either.
    """

    def __init__(
        self, birth: Callable[[Limits], Slot], size: int, kind: Callable[[Limits], Hashable]
    ) -> None:
        self._birth = birth
        self._kind = kind
        self._size = size
        self._lock = threading.Lock()
        self._idle: list[Slot] = []
        self._all: dict[Slot, Limits] = {}
        self._spares: list[_Spare] = []
        self._workers: set[threading.Thread] = set()
        self._places = size
        self._sessions: dict[Slot, int] = {}
        self._queue: deque[threading.Lock] = deque()
        self.closed = False

    def acquire(self, limits: Limits, *, fresh: bool = False) -> Slot:
        """A slot of one's own for these limits, one that has never served when ``fresh``; blocks while all are taken.

        Raises SandboxError when none can be born, the pool is closed, or this thread's own sessions hold all slots.
        """
        self._take_place()
        try:
            return self._take_slot(limits, fresh=fresh)
        except BaseException:
            self._free_place()
            raise

    def add(self, slot: Slot, limits: Limits) -> None:
        """Take in a slot that was born for these limits."""
        with self._lock:
            self._all[slot] = limits
            self._idle.append(slot)

    def lend(self, slot: Slot) -> None:
        """Remember that a session of this thread has the slot until it is released."""
        with self._lock:
            self._sessions[slot] = threading.get_ident()

    def release(self, slot: Slot) -> None:
        """Give a slot back; one that is not trusted any more is replaced."""
        with self._lock:
            self._sessions.pop(slot, None)
            keep = slot.trusted and not self.closed
            limits = self._all[slot] if keep else self._all.pop(slot, None)
            if keep:
                self._idle.append(slot)
        if not keep:
            self._retire(slot, limits)
        self._free_place()

    def warm(self, limits: Limits, count: int) -> None:
        """See that ``count`` slots for these limits are ready or at work. Raises what kept one from being born."""
        kind = self._kind(limits)
        with self._lock:
            have = sum(self._kind(each) == kind for each in self._all.values())
            spares = [_Spare(limits) for _ in range(min(count, self._size) - have)]
            self._spares += spares
        for spare in spares:
            self._work(self._bear, spare)
        for spare in spares:
            spare.over.wait()
            if spare.error is not None:
                raise spare.error

    def close(self) -> None:
        """Kill all slots, those at work too."""
        with self._lock:
            self.closed = True
            slots = list(self._all)
            self._all.clear()
            self._idle.clear()
            waiting = list(self._queue)
            self._queue.clear()
            workers = list(self._workers)
        for slot in slots:
            slot.close()
        for gate in waiting:
            gate.release()
        for worker in workers:
            worker.join()

    # --- slots

    def _take_slot(self, limits: Limits, *, fresh: bool) -> Slot:
        kind = self._kind(limits)
        while (slot := self._pop_idle(kind, fresh=fresh)) is not None:
            if slot.ready():
                return slot
            with self._lock:
                self._all.pop(slot, None)
            self._retire(slot, None)
        spare = self._claim_spare(kind)
        if spare is not None:
            spare.over.wait()
            if spare.slot is not None:
                return spare.slot
        return self._born(limits)

    def _born(self, limits: Limits) -> Slot:
        """A new slot, in the place of an idle one when there is no room for more."""
        with self._lock:
            full = self._idle and len(self._all) + len(self._spares) >= self._size
            old = self._idle.pop(0) if full else None
            if old is not None:
                self._all.pop(old, None)
        if old is not None:
            self._retire(old, None)
        slot = self._birth(limits)
        with self._lock:
            closed = self.closed
            if not closed:
                self._all[slot] = limits
        if closed:
            slot.close()
            raise SandboxError("the sandbox is closed")
        return slot

    def _pop_idle(self, kind: Hashable, *, fresh: bool) -> Slot | None:
        """The idle slot that was used last, or one that never was, among those of this kind."""
        with self._lock:
            for place in reversed(range(len(self._idle))):
                slot = self._idle[place]
                if self._kind(self._all[slot]) == kind and not (fresh and slot.used):
                    return self._idle.pop(place)
        return None

    def _claim_spare(self, kind: Hashable) -> _Spare | None:
        with self._lock:
            for spare in self._spares:
                if self._kind(spare.limits) == kind:
                    self._spares.remove(spare)
                    return spare
        return None

    # --- in the background

    def _retire(self, slot: Slot, limits: Limits | None) -> None:
        """Kill a slot; with limits, see to its replacement."""
        spare = None
        with self._lock:
            closed = self.closed
            if limits is not None and not closed:
                spare = _Spare(limits)
                self._spares.append(spare)
        if closed:  # no thread may be started when the interpreter ends
            slot.close()
        else:
            self._work(self._bury, slot, spare)

    def _bury(self, slot: Slot, spare: _Spare | None) -> None:
        try:
            slot.close()
        finally:  # whatever an engine answers, somebody may wait for the next one
            if spare is not None:
                self._bear(spare)

    def _bear(self, spare: _Spare) -> None:
        try:
            if self.closed:
                raise SandboxError("the sandbox is closed")
            slot = self._birth(spare.limits)
        except BaseException as error:  # noqa: BLE001  told to whoever waits; the next who needs a slot bears one
            logger.info("a spare slot was not born: %s", error)
            spare.error, slot = error, None
        with self._lock:
            unclaimed = spare in self._spares
            if unclaimed:
                self._spares.remove(spare)
            late = slot is not None and (self.closed or (unclaimed and len(self._all) >= self._size))
            if slot is not None and not late:
                self._all[slot] = spare.limits
                spare.slot = slot
                if unclaimed:
                    self._idle.append(slot)
        try:
            if slot is not None and late:
                slot.close()
        finally:
            spare.over.set()

    def _work(self, task: Callable[..., None], *arguments: object) -> None:
        def work() -> None:
            try:
                task(*arguments)
            finally:
                with self._lock:
                    self._workers.discard(worker)

        worker = threading.Thread(target=work, name="mx-sandbox-pool")
        with self._lock:
            self._workers.add(worker)
        worker.start()

    # --- the queue

    def _take_place(self) -> None:
        gate = threading.Lock()
        with self._lock:
            if self.closed:
                raise SandboxError("the sandbox is closed")
            if self._places > 0:
                self._places -= 1
                return
            mine = list(self._sessions.values()).count(threading.get_ident())
            if mine >= self._size:
                raise SandboxError(
                    f"this thread would wait for itself: its open sessions hold all {self._size} slots of the sandbox; "
                    f"close one first, or open the sandbox with slots={self._size + 1} or more"
                )
            gate.acquire()
            self._queue.append(gate)
        try:
            gate.acquire()
        except BaseException:
            self._leave_queue(gate)
            raise
        if self.closed:
            raise SandboxError("the sandbox is closed")

    def _leave_queue(self, gate: threading.Lock) -> None:
        with self._lock:
            if gate in self._queue:
                self._queue.remove(gate)
                return
        self._free_place()

    def _free_place(self) -> None:
        with self._lock:
            if self._queue:
                self._queue.popleft().release()
            else:
                self._places += 1
