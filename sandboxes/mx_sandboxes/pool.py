"""A pool of warm slots, and the sandbox on top of it."""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from types import TracebackType
from typing import Self

from mx_sandboxes.jobs import Request, as_tuple
from mx_sandboxes.sandbox import Completed, Limits, Reason, SandboxError
from mx_sandboxes.session import SlotSession
from mx_sandboxes.slot import Slot, SlotDiedError


class Pool:
    """At most ``size`` slots, born when they are needed, handed out in the order of asking.

    ``kind`` tells what a slot is made for: a slot serves the limits that are of its kind.
    """

    def __init__(
        self, birth: Callable[[Limits], Slot], size: int, kind: Callable[[Limits], Hashable]
    ) -> None:
        self._birth = birth
        self._kind = kind
        self._size = size
        self._lock = threading.Lock()
        self._idle: list[Slot] = []
        self._all: dict[Slot, Hashable] = {}
        self._places = size
        self._queue: deque[threading.Lock] = deque()
        self._closed = False

    def acquire(self, limits: Limits) -> Slot:
        """A slot of one's own for these limits; blocks while all are taken.

        Raises SandboxError when none can be born or the pool is closed.
        """
        self._take_place()
        try:
            return self._take_slot(limits)
        except BaseException:
            self._free_place()
            raise

    def add(self, slot: Slot, limits: Limits) -> None:
        """Take in a slot that was born for these limits."""
        with self._lock:
            self._all[slot] = self._kind(limits)
            self._idle.append(slot)

    def _take_slot(self, limits: Limits) -> Slot:
        kind = self._kind(limits)
        while (slot := self._pop_idle(kind)) is not None:
            if self._all.get(slot) == kind and slot.ready():
                return slot
            self._bury(slot)
        slot = self._birth(limits)
        with self._lock:
            self._all[slot] = kind
            closed = self._closed
        if closed:
            self._bury(slot)
            raise SandboxError("the sandbox is closed")
        return slot

    def release(self, slot: Slot) -> None:
        """Give a slot back; one that is not trusted any more is killed."""
        keep = False
        if slot.trusted:
            with self._lock:
                keep = not self._closed
                if keep:
                    self._idle.append(slot)
        if not keep:
            self._bury(slot)
        self._free_place()

    def close(self) -> None:
        """Kill all slots, those at work too."""
        with self._lock:
            self._closed = True
            slots = list(self._all)
            self._idle.clear()
            waiting = list(self._queue)
            self._queue.clear()
        for slot in slots:
            self._bury(slot)
        for gate in waiting:
            gate.release()

    def _pop_idle(self, kind: Hashable) -> Slot | None:
        """The idle slot that was used last among those of this kind; one of another kind when there is no room for one more."""
        with self._lock:
            for place in reversed(range(len(self._idle))):
                if self._all[self._idle[place]] == kind:
                    return self._idle.pop(place)
            return self._idle.pop(0) if self._idle and len(self._all) >= self._size else None

    def _bury(self, slot: Slot) -> None:
        with self._lock:
            self._all.pop(slot, None)
        slot.close()

    def _take_place(self) -> None:
        gate = threading.Lock()
        with self._lock:
            if self._closed:
                raise SandboxError("the sandbox is closed")
            if self._places > 0:
                self._places -= 1
                return
            gate.acquire()
            self._queue.append(gate)
        try:
            gate.acquire()
        except BaseException:
            self._leave_queue(gate)
            raise
        if self._closed:
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


class PooledSandbox:
    """`mx_sandboxes.Sandbox` on a pool of slots of one backend."""

    def __init__(
        self,
        backend: str,
        birth: Callable[[Limits], Slot],
        *,
        slots: int,
        limits: Limits,
        finish: Callable[[], None],
        kind: Callable[[Limits], Hashable],
        first: Slot | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"a sandbox has at least one slot, not {slots}")
        self._backend = backend
        self._limits = limits
        self._pool = Pool(birth, slots, kind)
        if first is not None:
            self._pool.add(first, limits)
        self._finalizer = weakref.finalize(self, _shut, self._pool, finish)
        atexit.register(self._finalizer)

    @property
    def backend(self) -> str:
        """The backend's name."""
        return self._backend

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
        """See `mx_sandboxes.Sandbox.run`."""
        request = Request(
            as_tuple(argv),
            limits or self._limits,
            stdin=stdin,
            files=files or {},
            collect=as_tuple(collect),
            env=env or {},
        )
        slot = self._pool.acquire(request.limits)
        try:
            return slot.run(request)
        except SlotDiedError:
            return Completed(Reason.SANDBOX_DIED, None)
        except BaseException:
            slot.trusted = False
            raise
        finally:
            self._pool.release(slot)

    def session(
        self,
        argv: Sequence[str],
        *,
        files: Mapping[str, bytes] | None = None,
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> SlotSession:
        """See `mx_sandboxes.Sandbox.session`."""
        request = Request(
            as_tuple(argv), limits or self._limits, session=True, files=files or {}, env=env or {}
        )
        slot = self._pool.acquire(request.limits)
        try:
            return SlotSession(slot, request, self._pool.release)
        except BaseException:
            slot.trusted = False
            self._pool.release(slot)
            raise

    def close(self) -> None:
        """End every job and slot; may be called again."""
        self._finalizer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _shut(pool: Pool, finish: Callable[[], None]) -> None:
    try:
        pool.close()
    finally:
        finish()
