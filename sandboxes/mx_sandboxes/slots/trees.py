"""Trees of files that many jobs start from: checked and hashed once, sent to a slot once, and from then on only named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from mx_sandboxes.limits.room import ROOM_BYTES
from mx_sandboxes.slots.frames import message, with_header
from mx_sandboxes.slots.names import check_name


class Tree(Mapping[str, bytes]):
    """Files by their names, wherever ``files=`` takes a mapping: ``tree = Tree({"a.py": b"..."})``.

    A slot keeps the trees that it was sent last. Where the backend can, a job sees a kept tree as a read-only layer under its
    workspace; elsewhere it is copied inside the slot. Either way the job may write anywhere, and its writes die with it.
    ``tree | {"more.py": b"..."}`` is the same tree with more files on top, which are sent with each job. ``digest`` tells trees
    with the same content apart from all others.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """Raises ValueError for a name that is not a plain relative one, or is a file and a folder at once."""
        kept = {name: bytes(files[name]) for name in sorted(files)}
        for name in kept:
            check_name(name)
        check_folders(kept)
        self.base: Mapping[str, bytes] = MappingProxyType(kept)
        self.more: Mapping[str, bytes] = MappingProxyType({})
        self.size = sum(map(len, kept.values()))
        self.digest = _digest(kept)

    def __or__(self, more: Mapping[str, bytes]) -> Tree:
        """The same tree with more files on top."""
        check_folders({**self, **more})
        both = object.__new__(Tree)
        both.base, both.size, both.digest = self.base, self.size, self.digest
        both.more = MappingProxyType({**self.more, **more})
        return both

    def __getitem__(self, name: str) -> bytes:
        return self.more[name] if name in self.more else self.base[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.base
        yield from (name for name in self.more if name not in self.base)

    def __len__(self) -> int:
        return len(self.base.keys() | self.more.keys())

    def __repr__(self) -> str:
        return f"<Tree {self.digest[:12]} of {len(self)} files>"

    def encode(self, drop: list[str]) -> bytes:
        """The message that brings the base to a slot, which forgets those in ``drop`` before."""
        header = {
            "digest": self.digest,
            "files": [(name, len(data)) for name, data in self.base.items()],
            "drop": drop,
        }
        return message(b"T", *with_header(header, self.base.values()))


def check_folders(files: Mapping[str, bytes]) -> None:
    """Raise ValueError for a name that is a file and the folder of another."""
    for name in files:
        folder, _, _ = name.rpartition("/")
        while folder:
            if folder in files:
                raise ValueError(f"{folder!r} is a file and the folder of {name!r}")
            folder, _, _ = folder.rpartition("/")


def _digest(files: Mapping[str, bytes]) -> str:
    hashed = hashlib.sha256()
    for name, data in files.items():
        hashed.update(b"%d %d\n" % (len(name.encode()), len(data)))
        hashed.update(name.encode())
        hashed.update(data)
    return hashed.hexdigest()


class Kept:
    """Which trees a slot has, as the host knows it."""

    def __init__(self) -> None:
        self._sizes: dict[str, int] = {}

    def bring(self, tree: Tree) -> bytes:
        """What to send so that the slot has the tree; nothing when it has. Makes room by the order of last use."""
        if tree.digest in self._sizes:
            self._sizes[tree.digest] = self._sizes.pop(tree.digest)
            return b""
        drop = []
        while sum(self._sizes.values()) + tree.size > ROOM_BYTES:
            oldest = next(iter(self._sizes))
            del self._sizes[oldest]
            drop.append(oldest)
        self._sizes[tree.digest] = tree.size
        return tree.encode(drop)
