"""A session on a slot."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Self

from mx_sandboxes.sandbox import Completed, Json, Limits, Reason, SessionEndedError
from mx_sandboxes.slots.frames import FrameDecoder, ProtocolError, encode_frame, message
from mx_sandboxes.slots.jobs import Request, as_tuple, read_ended
from mx_sandboxes.slots.names import check_name
from mx_sandboxes.slots.slot import GRACE_S, OverdueError, Slot, SlotDiedError, starved

CLOSE_S = 3.0
"""Seconds that a server has for killing a session that its host closes."""
Judge = Callable[[Slot, SlotDiedError, Limits], Completed]
"""How a session ended whose slot died under it; asked before the slot is closed."""


class SlotSession:
    """A running program and its slot. One thread at a time.

    The wall time counts only while the host waits for the program, in ``receive`` and ``close``: between the frames a
    policy may think for as long as it likes.
    """

    def __init__(self, slot: Slot, request: Request, release: Callable[[Slot], None], judge: Judge) -> None:
        self._slot = slot
        self._limits = request.limits
        self._release = release
        self._judge = judge
        self._decoder = FrameDecoder(request.limits.frame_bytes)
        self._patience = request.limits.wall_s
        self._ended: Completed | None = None
        self._final: Completed | None = None
        self._released = False
        try:
            slot.begin(request)
        except SlotDiedError as error:
            self._die(error)

    def send(self, frame: Json) -> None:
        """See `mx_sandboxes.Session.send`."""
        data = encode_frame(frame, self._limits.frame_bytes)
        self._stop_if_ended()
        try:
            self._slot.send(message(b"F", data))
        except SlotDiedError as error:
            self._die(error)
            self._stop_if_ended()

    def receive(self) -> Json:
        """See `mx_sandboxes.Session.receive`."""
        while True:
            if self._final is not None:  # the slot may be somebody else's by now
                self._stop_if_ended()
            try:
                found = self._decoder.next()
                if found is not None:
                    return found[0]
                self._stop_if_ended()
                self._take_message()
            except ProtocolError:
                self._kill(Reason.PROTOCOL)
                self._stop_if_ended()
            except TimeoutError:
                self._kill(Reason.WALL_TIME)
                self._stop_if_ended()
            except SlotDiedError as error:
                self._die(error)

    def close(self, collect: Sequence[str] = ()) -> Completed:
        """See `mx_sandboxes.Session.close`. Raises ValueError for a name that is not in the workspace."""
        names = as_tuple(collect)
        for name in names:
            check_name(name.removesuffix("/"))
        if not self._released:
            try:
                if self._final is None:
                    self._final = self._finish(names)
            except SlotDiedError as error:
                self._die(error)
            except BaseException:
                self._slot.trusted = False
                raise
            finally:
                self._released = True
                self._release(self._slot)
        if self._final is None:  # an interrupt came in the middle of the first close
            self._final = Completed(Reason.SANDBOX_DIED, None, cause="closing it was interrupted")
        return self._final

    def _finish(self, names: tuple[str, ...]) -> Completed:
        end = time.monotonic() + GRACE_S
        if self._ended is None:
            self._slot.kill(Reason.CLOSED)
            end = time.monotonic() + CLOSE_S
        self._slot.collect(names)
        while True:
            kind, payload = self._slot.expect(b"FED", max(0.0, end - time.monotonic()))
            if kind == b"E":
                end = time.monotonic() + GRACE_S
            if kind == b"D":
                completed = self._slot.finished(payload)
                return completed if self._ended is None else _with_end(completed, self._ended)

    def _take_message(self) -> None:
        """Wait for the server's next message, on the program's time."""
        start = time.monotonic()
        try:
            kind, payload = self._slot.receive(max(0.0, self._patience))
        finally:
            self._patience -= time.monotonic() - start
        if kind == b"F":
            self._decoder.feed(payload)
        elif kind == b"E":
            self._set_ended(payload)
        else:
            raise self._slot.died(f"it sent {kind!r} in the middle of a session")

    def _set_ended(self, payload: bytes) -> None:
        ended = read_ended(payload)
        if ended.reason is Reason.EXITED and self._decoder.partial:
            ended = _with_reason(ended, Reason.PROTOCOL)
        self._ended = self._slot.judged(ended)

    def _kill(self, reason: Reason) -> None:
        """End the program for a reason of the host's, and wait until it is dead."""
        self._slot.trusted = False
        started = time.monotonic()
        try:
            self._slot.kill(reason)
            while self._ended is None:
                kind, payload = self._slot.in_time(b"FE", started - time.monotonic())
                if kind == b"E":
                    self._ended = _with_reason(read_ended(payload), reason)
        except OverdueError:
            over = self._slot.overdue(time.monotonic() - started)
            self._final = self._ended = _with_reason(over, reason)
        except SlotDiedError as error:
            self._die(error)

    def _die(self, death: SlotDiedError) -> None:
        if self._final is None and self._ended is not None:
            self._final = self._ended
        elif self._final is None:
            hungry = self._slot.starved
            self._final = starved(death) if hungry else self._judge(self._slot, death, self._limits)
            self._ended = self._final
        self._slot.close()

    def _stop_if_ended(self) -> None:
        ended = self._final or self._ended
        if ended is not None:
            raise SessionEndedError(ended)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if not getattr(self, "_released", True):
            warnings.warn("a sandbox session was not closed", ResourceWarning, stacklevel=2, source=self)
            self._slot.close()
            self._release(self._slot)


def _with_reason(completed: Completed, reason: Reason) -> Completed:
    keep = completed.exit_code if reason is Reason.PROTOCOL else None
    hit = (reason,) if reason is Reason.WALL_TIME and reason not in completed.limits_hit else ()
    return replace(completed, reason=reason, exit_code=keep, limits_hit=(*completed.limits_hit, *hit))


def _with_end(final: Completed, ended: Completed) -> Completed:
    """The final verdict has the output and files; why it ended was known before."""
    return replace(final, reason=ended.reason, exit_code=ended.exit_code, limits_hit=ended.limits_hit)
