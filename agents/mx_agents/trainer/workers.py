"""Jobs of a run, each in a process of its own: one thread of arithmetic each is faster than one job on all cores."""

from __future__ import annotations

import multiprocessing
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mx_agents.errors import UsageError
from mx_agents.stopping import Listener

ENDED = 130
ENDING_S = 60.0
"""How long a worker may take to close its sandboxes."""

Event = dict[str, Any]
Report = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class WorkerJob:
    """``work(*arguments, report)`` in a process of its own, once the jobs named in ``needs`` are done.

    ``work`` is a function of a module and ``arguments`` can be pickled.
    """

    name: str
    work: Callable[..., None]
    arguments: tuple[Any, ...]
    needs: tuple[str, ...] = ()


@dataclass(slots=True)
class _Running:
    process: Any
    events: Any
    failure: str | UsageError | None = field(default=None)


class WorkerError(RuntimeError):
    """A job failed; the message holds its traceback."""


def run_jobs(
    jobs: Sequence[WorkerJob], heard: Callable[[str, Event], None], at_once: int | None = None
) -> None:
    """Run all jobs, at most ``at_once`` (default: one more than processors, for a job often waits for its sandbox) at a time.

    ``heard`` gets the name of a job and what it reports, and at its end ``{"stage": "over", "done": 1.0}``.

    Raises UsageError or WorkerError when a job fails and KeyboardInterrupt on Ctrl-C; the other jobs are ended first.
    """
    context = multiprocessing.get_context("spawn")
    limit = at_once or len(os.sched_getaffinity(0)) + 1
    waiting, done = list(jobs), set[str]()
    running: dict[str, _Running] = {}
    try:
        while waiting or running:
            for job in [job for job in waiting if done.issuperset(job.needs)][: limit - len(running)]:
                waiting.remove(job)
                events = context.Queue()
                process = context.Process(target=_work, args=(job, events), name=job.name)
                _start(process)
                running[job.name] = _Running(process, events)
            for name, worker in list(running.items()):
                _listen(name, worker, heard)
                if not worker.process.is_alive():
                    _listen(name, worker, heard)
                    _check(name, worker)
                    worker.events.close()
                    done.add(name)
                    heard(name, {"stage": "over", "done": 1.0})
                    del running[name]
    finally:
        for worker in running.values():
            worker.process.terminate()
        for worker in running.values():
            worker.process.join(ENDING_S)
            worker.process.kill()  # one that does not end when it is told to; its sandboxes end with it
            worker.process.join()
            worker.events.close()


def _start(process: Any) -> None:
    """Start a worker that Ctrl-C does not reach: a terminal sends it to all, and the parent ends its workers itself."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _listen(name: str, worker: _Running, heard: Callable[[str, Event], None]) -> None:
    """Pass on what a worker has reported by now, waiting a moment for it."""
    while True:
        try:
            event = worker.events.get(timeout=0.1)
        except queue.Empty:
            return
        if "failure" in event:
            worker.failure = event["failure"]
        else:
            heard(name, event)


def _check(name: str, worker: _Running) -> None:
    worker.process.join()
    if isinstance(worker.failure, UsageError):
        raise worker.failure
    if worker.failure is not None:
        raise WorkerError(f"{name} failed:\n{worker.failure}")
    if worker.process.exitcode != 0:
        raise WorkerError(f"{name} ended with exit code {worker.process.exitcode}")


def _work(job: WorkerJob, events: Any) -> None:
    """The worker's whole life. Until it has something to close, SIGTERM ends it as it ends anybody."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch
    from transformers.utils import logging

    torch.set_num_threads(1)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the run has its own
    try:
        Listener().start()
        job.work(*job.arguments, events.put)
    except KeyboardInterrupt:
        events.cancel_join_thread()
        os._exit(ENDED)
    except UsageError as error:
        events.put({"failure": error})
    except Exception:  # noqa: BLE001  # whatever it was, the parent must hear of it
        events.put({"failure": traceback.format_exc()})


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers; they must not train on for nobody."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
