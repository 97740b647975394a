"""Pipes past the engine: only those that the job server made, and the attached stream wherever there are none."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mx_sandboxes import Limits, Reason, Sandbox, open_sandbox
from mx_sandboxes.backends.docker import engine as docker
from mx_sandboxes.slots.frames import ProtocolError
from mx_sandboxes.slots.pipes import Pipes

ECHO = """
import os, socket
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
while data := sock.recv(65536): sock.sendall(data)
"""


@pytest.fixture
def ends() -> Iterator[tuple[int, int, int, int]]:
    """Two pipes as a job server makes them: its own ends and the host's."""
    (incoming, to_server), (from_server, outgoing) = os.pipe(), os.pipe()
    yield incoming, to_server, from_server, outgoing
    for fd in (incoming, to_server, from_server, outgoing):
        os.close(fd)


def offer(*fds: int) -> bytes:
    return json.dumps([(fd, os.fstat(fd).st_ino) for fd in fds]).encode()


def test_what_is_written_arrives(ends: tuple[int, int, int, int]) -> None:
    incoming, to_server, from_server, outgoing = ends
    pipes = Pipes(os.getpid(), offer(to_server, from_server))
    assert pipes.read() is None
    assert pipes.write(memoryview(b"there")) == 5
    os.write(outgoing, b"and back")
    assert (os.read(incoming, 100), pipes.read()) == (b"there", b"and back")
    pipes.close()
    pipes.close()
    with pytest.raises(OSError, match="closed"):
        pipes.read()
    with pytest.raises(OSError, match="closed"):
        pipes.write(memoryview(b"late"))


def test_another_pipe_or_a_file_is_not_taken(ends: tuple[int, int, int, int]) -> None:
    """Where the container is on another machine, its process number is somebody else's here."""
    _, to_server, from_server, _ = ends
    (first, inode), second = json.loads(offer(to_server, from_server))
    for wrong in ([[first, inode + 1], second], [[10**6, inode], second]):
        with pytest.raises(OSError, match=r"elsewhere|No such file"):
            Pipes(os.getpid(), json.dumps(wrong).encode())
    with tempfile.TemporaryFile() as file, pytest.raises(OSError, match="elsewhere"):
        Pipes(os.getpid(), offer(file.fileno(), from_server))
    for junk in (b"", b"{}", b"[1, 2]", b"[[1], [2]]", b"null"):
        with pytest.raises(ProtocolError):
            Pipes(os.getpid(), junk)


def play(sandbox: Sandbox) -> None:
    limits = Limits(wall_s=20, output_bytes=1 << 20)
    done = sandbox.run(["sh", "-c", "cat; head -c 900000 /dev/zero"], stdin=bytes(100_000), limits=limits)
    assert done.ok
    assert len(done.stdout) == 1_000_000
    with sandbox.session(["python", "-c", ECHO]) as session:
        session.send({"text": "x" * 300_000})
        assert session.receive() == {"text": "x" * 300_000}
    assert sandbox.run(["sleep", "9"], limits=Limits(wall_s=0.1)).reason is Reason.WALL_TIME
    assert sandbox.run(["python", "-c", "print(1)"]).stdout == b"1\n"


@pytest.mark.docker
@pytest.mark.parametrize("why", ["not allowed", "not near"])
def test_the_engine_carries_all_where_there_are_none(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, payload: bytes) -> Pipes:
        raise PermissionError("not allowed")

    if why == "not allowed":
        monkeypatch.setattr(docker, "Pipes", refuse)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with open_sandbox("docker", slots=1) as sandbox:
        play(sandbox)


@pytest.mark.docker
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may look into a container's descriptors")
def test_they_carry_all_where_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    def take(pid: int, payload: bytes) -> Pipes:
        taken.append(pid)
        return Pipes(pid, payload)

    monkeypatch.setattr(docker, "Pipes", take)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with open_sandbox("docker", slots=1) as sandbox:
        play(sandbox)
    assert taken
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 2, "pipes stay open"
