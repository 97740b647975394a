"""The contract of a sandbox: an isolated place to run things, whatever the backend.

Every backend (``docker``, ``bubblewrap``) passes one conformance suite against these words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Protocol, Self

Json = Any
"""A value that JSON can carry: None, bool, int, float, str, list, dict with str keys."""


class SandboxError(Exception):
    """Anything that a sandbox, as opposed to the program inside it, did wrong."""


class SandboxUnavailableError(SandboxError):
    """The backend does not work on this machine; the message names the ways to fix it."""


class SessionEndedError(SandboxError):
    """The program at the other end of a session is gone; ``completed`` tells how it ended.

    Raised by :meth:`Session.send` and :meth:`Session.receive`.
    """

    def __init__(self, completed: Completed) -> None:
        super().__init__(f"the session has ended: {completed.reason.value}")
        self.completed = completed


class How(Enum):
    """Who enforces it."""

    KERNEL = "kernel"
    """The kernel, at the moment when it is reached."""
    NAMESPACE = "namespace"
    """The kernel: a job cannot even name what is outside."""
    KEEPER = "keeper"
    """The job's keeper, a trusted process beside it: at the moment, or within the time that ``detail`` says."""
    HOST = "host"
    """This process."""
    NOTHING = "not enforced"


@dataclass(frozen=True, slots=True)
class Capability:
    """One limit or isolation. ``fix`` is a command, or the argument to give, where nothing or only the keeper enforces it."""

    name: str
    how: How
    detail: str
    fix: str = ""

    @property
    def enforced(self) -> bool:
        """Whether anything enforces it."""
        return self.how is not How.NOTHING


@dataclass(frozen=True, slots=True)
class Capabilities:
    """All that a backend enforces here; by name: ``capabilities["memory"].how``."""

    backend: str
    image: str
    items: tuple[Capability, ...]

    def __getitem__(self, name: str) -> Capability:
        """Raises KeyError, with the names that there are."""
        for item in self.items:
            if item.name == name:
                return item
        raise KeyError(f"{name!r}; there are: {', '.join(item.name for item in self.items)}")

    def __iter__(self) -> Iterator[Capability]:
        return iter(self.items)

    @property
    def gaps(self) -> tuple[Capability, ...]:
        """What is not enforced."""
        return tuple(item for item in self.items if not item.enforced)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use, in all its processes together.

    Reaching ``wall_s``, ``cpu_s``, ``memory_bytes`` or ``output_bytes`` (of stdout and stderr together) ends a job, with
    everything that it started. The others refuse: the system call fails with an errno, and what the program makes of that is its
    own affair.
    ``workspace_bytes`` and ``inodes`` (files and folders) are those of each writable folder; ``file_bytes`` is that of one file,
    ``open_files`` that of one process; ``pids`` counts processes and threads.
    """

    wall_s: float = 10.0
    cpu_s: float = 10.0
    memory_bytes: int = 256 << 20
    pids: int = 64
    workspace_bytes: int = 64 << 20
    inodes: int = 16384
    file_bytes: int = 16 << 20
    open_files: int = 128
    output_bytes: int = 256 << 10
    frame_bytes: int = 1 << 20


class Reason(Enum):
    """How a job ended.

    PROCESSES to OPEN_FILES are limits that refuse instead of killing. They are a job's end where the refusal was: a program in the
    sandbox's Python died of that very error (``OSError`` with ENOSPC, EFBIG, EMFILE; no more processes or threads), or the kernel's
    SIGXFSZ killed it. A program that handles the error, or is not Python, ends in its own way; see ``Completed.limits_hit``.

    BROKE_SANDBOX: the slot died under the job, and a harmless job in a fresh slot of the same kind did not suffer that. It is the
    job's own doing, an outcome like the others. SANDBOX_DIED: the harmless job suffered it too, or somebody outside killed the slot
    (seen by the kernel or the engine, not told by the slot), twice under the same job; it says nothing about the job.
    """

    EXITED = "exited"
    SIGNALLED = "signalled"
    WALL_TIME = "wall time"
    CPU_TIME = "cpu time"
    MEMORY = "memory"
    OUTPUT = "output"
    PROCESSES = "processes"
    DISK = "disk"
    INODES = "inodes"
    FILE_SIZE = "file size"
    OPEN_FILES = "open files"
    PROTOCOL = "protocol"
    CLOSED = "closed"
    BROKE_SANDBOX = "broke its sandbox"
    SANDBOX_DIED = "sandbox died"


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a job.

    ``exit_code`` is the program's own (negative: the signal that ended it), None when a limit or the host ended it.
    ``files`` holds those of the names asked for with ``collect`` that are regular files within the limits. ``attempts`` is 2 when
    somebody killed the slot under the job from outside and it was run again on a new one; never more. ``cause`` says in words what
    became of the slot, for BROKE_SANDBOX and SANDBOX_DIED. ``limits_hit`` holds the limits that the job is known to have
    reached, whether or not they ended it: those that did, a writable folder that was full and the most processes and threads
    that there may be, when the job's keeper looked (up to every 20 ms, and at the end). ``cpu_s`` and ``peak_memory_bytes`` are
    always given; the peak is the larger of the sampled total and of what the kernel says of the largest single process.
    """

    reason: Reason
    exit_code: int | None
    stdout: bytes = b""
    stderr: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_memory_bytes: int = 0
    attempts: int = 1
    limits_hit: tuple[Reason, ...] = ()
    cause: str = ""

    @property
    def ok(self) -> bool:
        """Whether the program ended by itself with exit code 0."""
        return self.reason is Reason.EXITED and self.exit_code == 0


@dataclass(frozen=True, slots=True)
class Job:
    """One job of a batch: the arguments of :meth:`Sandbox.run`."""

    argv: Sequence[str]
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    collect: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    limits: Limits | None = None
    fresh: bool = False


class Session(Protocol):
    """A program in a sandbox that talks frames with the host over a channel of its own.

    Inside, the environment variable ``MX_CHANNEL`` holds the number of a file descriptor (a stream socket); a frame is
    four bytes of big-endian length followed by that many bytes of UTF-8 JSON. The program's stdout and stderr are captured
    apart from it. ``Limits.wall_s`` counts only the time that the host waits in ``receive``: a policy may think for minutes.
    """

    def send(self, frame: Json) -> None:
        """Send one frame to the program. Raises SessionEndedError, or ValueError when it is over the limit."""

    def receive(self) -> Json:
        """Return the program's next frame, blocking until it comes.

        Raises SessionEndedError when the program ended, reached a limit (its wall time bounds the wait), or sent what is not a
        frame (reason PROTOCOL).
        """

    def close(self, collect: Sequence[str] = ()) -> Completed:
        """End the program with everything it started and return how it ended; may be called again."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Sandbox(Protocol):
    """A pool of isolated slots; thread-safe; a context manager.

    ``argv[0] == "python"`` means the sandbox's Python interpreter (``python FILE ...``, ``python -c CODE ...``,
    ``python -m MODULE ...``), which a backend may fork from a preloaded one instead of starting anew. Relative names are in
    the workspace, an empty writable folder that is the working directory and is gone afterwards.
    """

    @property
    def backend(self) -> str:
        """The backend's name: ``docker`` or ``bubblewrap``."""

    @property
    def capabilities(self) -> Capabilities:
        """What this sandbox enforces on this machine, and how; what it does not, and the command that fixes that."""

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
        """Run one program in a fresh workspace that holds ``files``; block until it is over.

        ``files`` that many jobs start from are best a :class:`~mx_sandboxes.Tree`: a slot takes it in once.

        ``fresh`` runs it in a slot that has never served another job. A job whose slot somebody kills from outside is run once
        more, on a new slot, and its ``attempts`` say so; one that ends its slot itself is BROKE_SANDBOX.

        Raises ValueError for a file name that is absolute or leaves the workspace, SandboxError when the sandbox itself fails.
        """

    def run_batch(self, jobs: Iterable[Job]) -> Iterator[Completed]:
        """Run many jobs, as many at a time as there are slots, and yield their ends in the jobs' order.

        Jobs are taken from the iterable as they are needed. Each has its own end: one for which the sandbox itself failed is
        SANDBOX_DIED with the reason in ``stderr``. Raises ValueError for a job that :meth:`run` would refuse.
        """

    def run_as_completed(self, jobs: Iterable[Job]) -> Iterator[tuple[int, Completed]]:
        """Like :meth:`run_batch`, but yield each end as it comes, with its job's place in the order: ``(0, Completed(...))``.

        One slow job holds up nobody. At most twice as many jobs as there are slots are taken and not yet yielded, so that one
        who is slow to ask for the ends slows down the taking of jobs.
        """

    def session(
        self,
        argv: Sequence[str],
        *,
        files: Mapping[str, bytes] | None = None,
        env: Mapping[str, str] | None = None,
        limits: Limits | None = None,
    ) -> Session:
        """Start a program in a fresh workspace and talk frames with it. Blocks while every slot is taken."""

    def warm(self, slots: int | None = None, limits: Limits | None = None) -> None:
        """Have that many slots (default: all) ready for jobs of these limits. Raises SandboxError when one cannot be born."""

    def close(self) -> None:
        """End every job and slot."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
