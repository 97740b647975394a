"""What the host looks like before and after: processes, mounts, containers, control groups, files, sockets, and our own process.

A busy machine changes by itself, so only what is this program's own, or belongs to nothing that lives, counts as left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mx_sandboxes.backends.bubblewrap.users import users as throwaway_uids
from mx_sandboxes.limits import cgroups
from mx_sandboxes.sandbox import SandboxUnavailableError

PATIENCE_S = 8.0
"""How long the kernel and the engine may take to clean up after the last jail."""
CONTAINER = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Things by kind, each with a name that says what it is."""

    things: dict[str, frozenset[str]]


def snapshot() -> Snapshot:
    """The host as it is now."""
    found: dict[str, Iterable[str]] = {
        "processes": _processes(),
        "containers": _containers(),
        "control groups": _groups(),
        "mounts": _mounts(),
        "files": _files(),
        "sockets": _sockets(),
        "system v objects": _objects(),
        "descriptors of this process": _descriptors(),
    }
    return Snapshot({kind: frozenset(things) for kind, things in found.items()})


def left_behind(before: Snapshot, patience: float = PATIENCE_S) -> list[str]:
    """What is there that was not there before, in words; waits some seconds for what is still being cleaned up."""
    end = time.monotonic() + patience
    while True:
        after = snapshot()
        left = [
            f"{kind}: {thing}"
            for kind, things in after.things.items()
            for thing in sorted(things - before.things[kind])
        ]
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.2)


def _read(path: Path | str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _names(place: str) -> list[str]:
    return [entry.name for entry in Path(place).iterdir()]


def _living_containers() -> set[str] | None:
    """The ids of all containers that the engine knows of, anybody's; None where this user cannot ask it."""
    from mx_sandboxes.backends.docker.connection import connect

    try:
        client = connect()
    except SandboxUnavailableError:
        return None
    try:
        return {
            container.id
            for container in client.containers.list(all=True, ignore_removed=True)
            if container.id
        }
    finally:
        client.close()


def _containers() -> Iterable[str]:
    from mx_sandboxes.backends.docker.connection import OWNER_LABEL, connect, owner

    try:
        client = connect()
    except SandboxUnavailableError:
        return
    try:
        mine: dict[str, str | list[str] | bool] = {"label": f"{OWNER_LABEL}={owner()}"}
        for container in client.containers.list(all=True, filters=mine, ignore_removed=True):
            yield f"{container.short_id}"
    finally:
        client.close()


def _processes() -> Iterable[str]:
    """Our own children, whatever runs as one of our slots' users, and whatever runs in a container that is no more."""
    users, me = throwaway_uids(), str(os.getpid())
    living, asked = None, False
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or entry.name == me:
            continue
        fields = dict(line.split(":\t", 1) for line in _read(entry / "status").splitlines() if ":\t" in line)
        if not fields or fields.get("State", "").startswith("Z"):
            continue
        container = CONTAINER.search(_read(entry / "cgroup"))
        if container is not None and not asked:
            living, asked = _living_containers(), True
        orphan = container is not None and living is not None and container.group() not in living
        if int(fields["Uid"].split()[0]) in users or fields["PPid"] == me or orphan:
            yield f"{entry.name} {fields['Name']} of user {fields['Uid'].split()[0]}"


def _groups() -> Iterable[str]:
    """Control groups of ours, and of containers that are no more."""
    for hierarchy in cgroups.hierarchies():
        yield from (
            str(place / cgroups.owner()) for place in hierarchy.places if (place / cgroups.owner()).exists()
        )
    found: dict[str, str] = {}
    for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*")):
        for place in (*top.glob("docker/*"), *top.glob("system.slice/docker-*"), *top.glob("libpod*/*")):
            if (container := CONTAINER.search(place.name)) is not None:
                found[container.group()] = str(place)
    if found:
        living = _living_containers()
        if living is not None:
            yield from (place for container, place in found.items() if container not in living)


def _mounts() -> Iterable[str]:
    """Mounts of ours on the host: none is ever made."""
    for line in _read("/proc/self/mountinfo").splitlines():
        place = line.split()[4]
        if "mx-" in place or place.startswith(tempfile.gettempdir()):
            yield place


def _files() -> Iterable[str]:
    """Names of ours where everybody writes."""
    for place in {tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue", "/run"}:
        with contextlib.suppress(OSError):
            yield from (f"{place}/{name}" for name in _names(place) if _ours(name))


def _ours(name: str) -> bool:
    return bool(re.match(r"(mx-(abuse|bare|left|meet|pid|mine|probe)|\.?left-behind|sem\.mx-)", name))


def _sockets() -> Iterable[str]:
    for line in _read("/proc/net/unix").splitlines()[1:]:
        name = line.split(maxsplit=7)[7:]
        if name and "mx-" in name[0]:
            yield name[0]


def _objects() -> Iterable[str]:
    """System V objects by the keys that attacks use, or of our slots' users."""
    users = {str(user) for user in throwaway_uids()}
    for kind in ("msg", "sem", "shm"):
        for line in _read(f"/proc/sysvipc/{kind}").splitlines()[1:]:
            fields = line.split()
            if fields[0] in (str(0x4D58), str(0x4D59)) or users & set(fields):
                yield f"{kind} {fields[1]}"


def _descriptors() -> Iterable[str]:
    """What this process has open, by kind and number of such: numbers of single descriptors change."""
    kinds: dict[str, int] = {}
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            kind = re.sub(r"[0-9]+", "N", str(entry.readlink()))
            kinds[kind] = kinds.get(kind, 0) + 1
            yield f"{kind} ({kinds[kind]})"
