"""What task sets keep between calls, in forms that can be pickled and copied with them: users put environments into processes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from functools import lru_cache
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The last ``most`` results of a function, as ``functools.lru_cache`` keeps them; a copy or a pickle of it begins empty."""

    def __init__(self, make: Callable[..., T], most: int) -> None:
        self._make, self._most = make, most
        self._ask = lru_cache(maxsize=most)(make)

    def __call__(self, *place: Hashable) -> T:
        """The result for these arguments."""
        return self._ask(*place)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._make, self._most)


class Guard:
    """A lock, for ``with``; a copy or a pickle of it is a new one, and open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ()
