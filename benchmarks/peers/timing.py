"""How many jobs a second. Standard library only: peers' own environments use it too.

A peer's program calls `serve`: it reads lines such as ``{"work": "python", "in_flight": 8, "seconds": 1.5}`` and answers each
with ``{"rate": ...}`` or ``{"error": ...}``; its first line says whether it works here.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def rate(job: Callable[[int], object], in_flight: int, seconds: float) -> float:
    """Jobs per second with so many in flight; ``job`` gets the number of its place, 0 to ``in_flight`` - 1."""

    def work(place: int) -> int:
        done = 0
        while done == 0 or time.perf_counter() < end:
            job(place)
            done += 1
        return done

    with ThreadPoolExecutor(in_flight) as threads:
        start = time.perf_counter()
        end = start + seconds
        done = sum(threads.map(work, range(in_flight)))
        return done / (time.perf_counter() - start)


async def rate_async(job: Callable[[int], Awaitable[object]], in_flight: int, seconds: float) -> float:
    """The same for a peer whose calls are awaited."""

    async def work(place: int) -> int:
        done = 0
        while done == 0 or time.perf_counter() < end:
            await job(place)
            done += 1
        return done

    start = time.perf_counter()
    end = start + seconds
    done = sum(await asyncio.gather(*(work(place) for place in range(in_flight))))
    return done / (time.perf_counter() - start)


def serve(measure: Callable[[str, int, float], float]) -> None:
    """Answer until the other end closes. Peers print what they like: answers go to the descriptor that was stdout."""
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)
        tell(answers, {"ready": True})
        for line in sys.stdin:
            asked = json.loads(line)
            try:
                tell(answers, {"rate": measure(asked["work"], asked["in_flight"], asked["seconds"])})
            except Exception as error:  # noqa: BLE001  a peer's failure is a cell of the table
                tell(answers, {"error": f"{type(error).__name__}: {error}"[:300]})


def tell(answers: Any, what: dict[str, Any]) -> None:
    """One line."""
    answers.write(json.dumps(what) + "\n")
    answers.flush()
