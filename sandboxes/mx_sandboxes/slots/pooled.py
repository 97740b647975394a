"""The sandbox on top of a pool of slots, the same for every backend."""

from __future__ import annotations

import atexit
import weakref
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Self

from mx_sandboxes.sandbox import Capabilities, Completed, Job, Limits, Reason, SandboxError
from mx_sandboxes.slots.deaths import judged
from mx_sandboxes.slots.jobs import Request, as_tuple
from mx_sandboxes.slots.pool import Pool
from mx_sandboxes.slots.session import SlotSession
from mx_sandboxes.slots.slot import Slot, SlotDiedError

ATTEMPTS = 2
"""A job has no way to act on anything outside its slot, so one whose slot was killed from outside may run again."""
CLOSED = "the sandbox was closed while it ran"


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
        capabilities: Capabilities,
        first: Slot | None = None,
    ) -> None:
        if slots < 1:
            raise ValueError(f"a sandbox has at least one slot, not {slots}")
        self._backend = backend
        self._capabilities = capabilities
        self._birth = birth
        self._slots = slots
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

    @property
    def capabilities(self) -> Capabilities:
        """What this sandbox enforces, and how."""
        return self._capabilities

    def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        files: Mapping[str, bytes] | None = None,
        collect: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
        fresh: bool = False,
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
        return self._run(request, fresh=fresh)

    def run_batch(self, jobs: Iterable[Job]) -> Iterator[Completed]:
        """See `mx_sandboxes.Sandbox.run_batch`."""
        waiting: deque[Future[Completed]] = deque()
        with ThreadPoolExecutor(self._slots, thread_name_prefix="mx-sandbox-batch") as threads:
            try:
                for job in jobs:
                    waiting.append(threads.submit(self._run_job, job))
                    if len(waiting) >= 2 * self._slots:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def run_as_completed(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Completed]]:
        """See `mx_sandboxes.Sandbox.run_as_completed`."""
        ended: SimpleQueue[tuple[int, Future[Completed]]] = SimpleQueue()
        flying: dict[int, Future[Completed]] = {}

        def over(number: int, future: Future[Completed]) -> None:
            ended.put((number, future))

        def taken() -> tuple[int, Completed]:
            number, future = ended.get()
            del flying[number]
            return number, future.result()

        with ThreadPoolExecutor(self._slots, thread_name_prefix="mx-sandbox-batch") as threads:
            try:
                for number, job in enumerate(jobs):
                    flying[number] = future = threads.submit(self._run_job, job)
                    future.add_done_callback(partial(over, number))
                    while len(flying) >= 2 * self._slots or not ended.empty():
                        yield taken()
                while flying:
                    yield taken()
            finally:
                for future in list(flying.values()):
                    future.cancel()

    def _run_job(self, job: Job) -> Completed:
        request = Request(
            as_tuple(job.argv),
            job.limits or self._limits,
            stdin=job.stdin,
            files=job.files,
            collect=as_tuple(job.collect),
            env=job.env,
        )
        try:
            return self._run(request, fresh=job.fresh)
        except SandboxError as error:  # one job's verdict; the others go on
            return Completed(Reason.SANDBOX_DIED, None, stderr=str(error).encode(), cause=str(error))

    def _run(self, request: Request, *, fresh: bool) -> Completed:
        """Run a request; once more on a new slot when somebody killed the first one under it."""
        causes = []
        for attempt in range(1, ATTEMPTS + 1):
            slot = self._pool.acquire(request.limits, fresh=fresh or attempt > 1)
            try:
                return replace(slot.run(request), attempts=attempt)
            except SlotDiedError as error:
                if self._pool.closed:
                    return Completed(
                        Reason.SANDBOX_DIED, None, wall_s=error.wall_s, attempts=attempt, cause=CLOSED
                    )
                death, culprit = error, slot.killed_from_outside()
            except BaseException:
                slot.trusted = False
                raise
            finally:
                self._pool.release(slot)
            if not culprit:
                return judged(death, self._birth, request.limits, attempt)
            causes.append(f"{culprit} ({death})")
        cause = "; then ".join(causes)
        return Completed(Reason.SANDBOX_DIED, None, wall_s=death.wall_s, attempts=attempt, cause=cause)

    def _judge_session(self, slot: Slot, death: SlotDiedError, limits: Limits) -> Completed:
        """The end of a session whose slot died under it; it cannot be run again from here."""
        if self._pool.closed:
            return Completed(Reason.SANDBOX_DIED, None, wall_s=death.wall_s, cause=CLOSED)
        if culprit := slot.killed_from_outside():
            return Completed(Reason.SANDBOX_DIED, None, wall_s=death.wall_s, cause=f"{culprit} ({death})")
        return judged(death, self._birth, limits)

    def warm(self, slots: int | None = None, limits: Limits | None = None) -> None:
        """Have that many slots (default: all) ready for jobs of these limits. Raises SandboxError when one cannot be born."""
        self._pool.warm(limits or self._limits, self._slots if slots is None else slots)

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
            session = SlotSession(slot, request, self._pool.release, self._judge_session)
            self._pool.lend(slot)
            return session
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
