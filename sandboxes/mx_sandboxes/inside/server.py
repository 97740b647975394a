"""The server: process 1 of a slot. Takes requests, one after the other, and keeps each job that comes of them."""

from __future__ import annotations

import fcntl
import json
import os
import re  # noqa: F401  most jobs import it: they find it loaded
import resource
import signal
import sys
from typing import Any

from mx_sandboxes.inside import cover, kernel, network, preload, usage
from mx_sandboxes.inside.forker import Forker
from mx_sandboxes.inside.keeper import Keeper
from mx_sandboxes.inside.orphans import Orphans
from mx_sandboxes.inside.trees import Trees
from mx_sandboxes.inside.workspace import strays


def serve(
    link: kernel.Link,
    forker: Forker,
    orphans: Orphans | None,
    uids: list[int] | None,
    figures: usage.Figures | None,
) -> int:
    """Serve jobs until something is not as it should be. Raises EOFError when the host is gone."""
    count = 0
    trees = Trees(own_namespaces=forker.isolated)
    watch = network.Watch(forker.pid) if forker.isolated else None
    while True:
        kind, payload = link.read_message()
        if kind == b"T":
            trees.take(payload)
            continue
        if kind != b"R":
            raise ValueError(f"expected a request, got {kind!r}")
        uid = None if uids is None else uids[0] + count % uids[1]
        count += 1
        request, blob = kernel.unpack(payload)
        stdin = len(blob) - sum(size for _, size in request["files"])
        keeper = Keeper(link, forker, request, uid, orphans, figures, stdin)
        del payload
        try:
            keeper.begin(trees.find(request["tree"]), blob, bool(trees.layers))
            del blob
            told, clean = keeper.keep()
        finally:
            keeper.close()
        if not clean:
            link.send(told)
            return 1
        if watch is not None and watch.used():
            watch.close()
            forker.renew_network()
            watch = network.Watch(forker.pid)
        link.send(
            told + kernel.message(b"C")
        )  # at once: each writing wakes the host, and an engine that passes it on


def past_the_engine(link: kernel.Link) -> tuple[kernel.Link, str]:
    """Offer the host pipes of one's own; returns the link to use, and the name of the group that jobs were put into.

    Raises EOFError when the host is gone.
    """
    (incoming, theirs_out), (theirs_in, outgoing) = os.pipe2(os.O_CLOEXEC), os.pipe2(os.O_CLOEXEC)
    offer = [(fd, os.fstat(fd).st_ino) for fd in (theirs_out, theirs_in)]
    link.write(b"P", json.dumps(offer).encode())
    said, group = link.read_message()
    os.close(theirs_out)
    os.close(theirs_in)
    if said != b"P":
        os.close(incoming)
        os.close(outgoing)
        return link, ""
    link = kernel.Link(incoming, outgoing)
    link.write(b"P")
    return link, group.decode()


def fit_uids(first: int, count: int) -> list[int]:
    """Bring a range of user ids into those that this user namespace has."""
    with open("/proc/self/uid_map") as file:
        end = max(int(line.split()[0]) + int(line.split()[2]) for line in file)
    if first + count <= end:
        return [first, count]
    count = min(count, end // 4)
    return [1000 + first % max(1, end - count - 1000), count]


def given_figures(config: dict[str, Any]) -> usage.Figures | None:
    """The figures of the jobs' control group, as files that the host has opened; None where it made none."""
    files: list[int] = config["figures"]
    for fd in files:
        os.set_inheritable(fd, False)
    return usage.Figures(files, mixed=False) if files else None


def main() -> int:
    """Read the configuration from the command line; serve until the host is gone."""
    config: dict[str, Any] = json.loads(sys.argv[1])
    incoming, outgoing = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 10) for fd in (0, 1))
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)
    kernel.call("prctl", kernel.PR_SET_DUMPABLE, 0, 0, 0, 0)
    # the kernel holds what a user has in flight between processes against this: more than any job may have in flight
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # process 1 gets what it has a handler for, from a job too
    uids = config["uids"] and fit_uids(*config["uids"])
    sys.path[:] = [place for place in sys.path if place and not place.startswith("/mx")]
    sys.path[:0] = preload.PACKAGES
    os.environ.clear()
    program = bytes.fromhex(config["seccomp"])
    figures = given_figures(config) if uids is None else usage.of_container()
    if uids is None:
        cover.cover()
    secret = (incoming, outgoing, *(figures.files if figures is not None else ()))
    forker = Forker(program, isolated=uids is None, secret=secret)
    orphans = None if uids is None else Orphans({os.getpid(), *forker.pids})
    link = kernel.Link(incoming, outgoing)
    if config["uids"] is not None and (places := strays()):
        link.write(b"X", f"the engine makes {', '.join(places)} writable, which jobs would share".encode())
        return 1
    link.write(b"H", sys.version.split()[0].encode())
    try:
        if config.get("pipes"):
            link, group = past_the_engine(link)
            if group:
                if figures is not None:
                    figures.close()
                figures = usage.of_container(group)
        return serve(link, forker, orphans, uids, figures)
    except EOFError:
        return 0
    except BaseException:
        import traceback

        link.write(b"X", traceback.format_exc().encode())
        return 4


if __name__ == "__main__":
    os._exit(main())
