"""The system's folders under a cover of the slot's own: what a job does to a file of them, it does to nobody else's.

A jail sees the host's folders themselves. Over each lies an overlay that has nothing in it, so that what programs open are the
overlay's files: reading goes through to the host's, locks and writing out do not. Where the kernel has no such thing (before Linux
5.11), they are as they were.
"""

from __future__ import annotations

import os

from mx_sandboxes.inside import kernel

EMPTY = "/mx/empty"
READ_ONLY = kernel.MS_RDONLY | kernel.MS_NOSUID | kernel.MS_NODEV
MADE_HERE = frozenset({"tmpfs", "proc", "sysfs", "devtmpfs", "devpts", "mqueue"})
"""Kinds of file systems whose files are not the host's."""


def cover() -> list[str]:
    """Lay a cover over each read-only folder of the host's; returns the folders."""
    if not os.path.isdir(EMPTY):
        return []
    return [place for place in folders() if laid(place)]


def folders() -> list[str]:
    """The read-only folders of the host's that this jail sees. One with others in it is left out: they would be out of sight."""
    with open("/proc/self/mountinfo") as file:
        rows = [line.split() for line in file]
    places = [row[4] for row in rows]
    found = []
    for row in rows:
        place, options, kind = row[4], row[5].split(","), row[row.index("-") + 1]
        alone = not any(other.startswith(place + "/") for other in places)
        if "ro" in options and kind not in MADE_HERE and alone and "\\" not in place and os.path.isdir(place):
            found.append(place)
    return found


def laid(place: str) -> bool:
    """Lay it over one; False where the kernel does not."""
    layers = f"lowerdir={place}:{EMPTY}".encode()
    try:
        kernel.call("mount", b"overlay", place.encode(), b"overlay", READ_ONLY, layers)
    except OSError:
        return False
    return True
