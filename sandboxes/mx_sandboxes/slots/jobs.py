"""What the host says to a slot about a job, and what it hears: requests out of arguments, `Completed` out of answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mx_sandboxes.limits.room import ROOM_BYTES
from mx_sandboxes.sandbox import Completed, Limits, Reason
from mx_sandboxes.slots.frames import MESSAGE_LIMIT, ProtocolError, message, split_header, with_header
from mx_sandboxes.slots.names import check_name
from mx_sandboxes.slots.trees import Tree, check_folders

FIXED_ENV: Mapping[str, str] = {
    "PATH": "/mx/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/work",
    "TMPDIR": "/tmp",  # noqa: S108  a private tmpfs inside the sandbox
    "LANG": "C.UTF-8",
    "TZ": "UTC",
    "USER": "mx",
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "PYTHONNOUSERSITE": "1",
}
"""Every job's environment; nothing of the host's gets in."""


SECONDS = ("wall_s", "cpu_s")
MOST_SECONDS = 10_000_000
MOST = 1 << 50
"""The largest limits: beyond, the kernel's own numbers end. Nobody has a petabyte, or four months for a job."""


@dataclass(frozen=True, slots=True)
class Request:
    """One job or session, checked and ready to be sent."""

    argv: tuple[str, ...]
    limits: Limits
    session: bool = False
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    collect: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if isinstance(self.argv, str) or not self.argv:
            raise ValueError(f"argv is a non-empty sequence of strings, not {self.argv!r}")
        for text in (*self.argv, *self.env, *self.env.values()):
            if not isinstance(text, str) or "\0" in text:
                raise ValueError(f"arguments and environment are strings without NUL, not {text!r}")
        for name in (*self._split()[1], *(name.removesuffix("/") for name in self.collect)):
            check_name(name)
        if not isinstance(self.files, Tree):  # a tree has been checked
            check_folders(self.files)
        check_limits(self.limits)
        size = self.size - len(self.stdin)
        if size > self.limits.workspace_bytes:
            raise ValueError(
                f"files of {size} bytes do not fit in a workspace of {self.limits.workspace_bytes} bytes"
            )
        if self.size > MESSAGE_LIMIT // 2:
            raise ValueError(f"{self.size} bytes of files and stdin are more than one request carries")

    @property
    def size(self) -> int:
        """Bytes of its files and its stdin."""
        tree, files = self._split()
        return sum(map(len, files.values())) + (tree.size if tree is not None else 0) + len(self.stdin)

    @property
    def tree(self) -> Tree | None:
        """What the slot is to have before the request is sent."""
        return self._split()[0]

    def _split(self) -> tuple[Tree | None, Mapping[str, bytes]]:
        """The tree that a slot keeps, and the files that go with the request."""
        if isinstance(self.files, Tree) and self.files.size <= ROOM_BYTES:
            return self.files, self.files.more
        return None, self.files

    def encode(self) -> bytes:
        """The request as a message to the server."""
        tree, files = self._split()
        env = {**FIXED_ENV, **self.env}
        if self.session:
            env["MX_CHANNEL"] = "3"
        header = {
            "argv": self.argv,
            "env": env,
            "limits": dataclasses.asdict(self.limits),
            "session": self.session,
            "tree": tree.digest if tree is not None else None,
            "files": [(name, len(data)) for name, data in files.items()],
            "collect": self.collect,
        }
        return message(b"R", *with_header(header, (*files.values(), self.stdin)))


def check_limits(limits: Limits) -> None:
    """Raise ValueError for a limit that is no positive number of its kind, or more than any machine has."""
    for item in dataclasses.fields(limits):
        value = getattr(limits, item.name)
        seconds = item.name in SECONDS
        if isinstance(value, bool) or not isinstance(value, (int, float) if seconds else int):
            kind = "a number of seconds" if seconds else "a whole number, such as 150_000_000"
            raise ValueError(f"Limits.{item.name} is {kind}, not {value!r}")
        if not value > 0:
            raise ValueError(f"Limits.{item.name} must be positive, not {value!r}")
        most = MOST_SECONDS if seconds else MOST
        if value > most:
            raise ValueError(f"Limits.{item.name} is {most:,} at most, not {value!r}")


def read_ended(payload: bytes) -> Completed:
    """The end of a program as its slot reports it, with output and files where they came with it. Raises ProtocolError."""
    header, blob = split_header(payload)
    try:
        pieces = []
        sizes = [*header.get("output", ()), *(size for _, size in header.get("files", ()))]
        for size in sizes:
            pieces.append(bytes(blob[:size]))
            blob = blob[size:]
        return Completed(
            reason=Reason(header["reason"]),
            exit_code=header["exit_code"],
            stdout=pieces[0] if pieces else b"",
            stderr=pieces[1] if pieces else b"",
            files={name: data for (name, _), data in zip(header.get("files", ()), pieces[2:], strict=True)},
            wall_s=header["wall_s"],
            cpu_s=header["cpu_s"],
            peak_memory_bytes=header["peak_memory_bytes"],
            limits_hit=tuple(Reason(name) for name in header["limits_hit"]),
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ProtocolError(f"the slot's server sent an unreadable verdict: {error}") from error


def as_tuple(names: Sequence[str]) -> tuple[str, ...]:
    """A tuple of them; ValueError for a bare string, which is a sequence of letters."""
    if isinstance(names, str):
        raise ValueError(f"expected a sequence of strings, got the string {names!r}")
    return tuple(names)
