"""The host is the same before and after the attacks; and what would be left on it is seen."""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mx_sandboxes.abuse import host
from mx_sandboxes.limits import cgroups


def test_the_host_is_as_it_was_before(backend: str) -> None:
    """In a process of its own, as a user would run it: hostile jobs of two families, then a look around."""
    families = ["--family", "leaks", "--family", "files"]
    line = [
        sys.executable,
        "-m",
        "mx_agents.cli",
        "sandbox",
        "test",
        "--backend",
        backend,
        "--json",
        *families,
    ]
    done = subprocess.run(line, capture_output=True, timeout=250, check=False)
    (result,) = json.loads(done.stdout)
    assert result["left_on_the_host"] == []
    assert [attack for attack in result["attacks"] if attack["verdict"] == "got through"] == []
    assert len(result["attacks"]) > 30
    assert done.returncode == 0


@contextmanager
def a_file() -> Iterator[None]:
    path = Path(tempfile.gettempdir()) / f"mx-abuse-{secrets.token_hex(8)}"
    path.touch()
    yield
    path.unlink()


@contextmanager
def a_descriptor() -> Iterator[None]:
    fd = os.memfd_create(secrets.token_hex(4))
    yield
    os.close(fd)


@contextmanager
def a_process() -> Iterator[None]:
    with subprocess.Popen(["sleep", "20"]) as child:
        yield
        child.kill()


@contextmanager
def a_socket() -> Iterator[None]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0mx-{secrets.token_hex(8)}")
        yield


@contextmanager
def a_shared_memory() -> Iterator[None]:
    libc = ctypes.CDLL(None)
    number = libc.shmget(0x4D58, 4096, 0o1600)
    yield
    libc.shmctl(number, 0, None)


@pytest.mark.parametrize(
    ("leave", "kind"),
    [
        (a_file, "files"),
        (a_descriptor, "descriptors of this process"),
        (a_process, "processes"),
        (a_socket, "sockets"),
        (a_shared_memory, "system v objects"),
    ],
)
def test_what_is_left_is_seen(leave: object, kind: str) -> None:
    before = host.snapshot()
    assert callable(leave)
    with leave():
        left = host.left_behind(before, patience=0.0)
    assert [thing for thing in left if thing.startswith(kind)]


def test_a_control_group_that_is_left_is_seen() -> None:
    if cgroups.find() is None:
        pytest.skip("this process cannot make control groups here")
    program = """
from mx_sandboxes.limits import cgroups
from mx_sandboxes.abuse import host
before = host.snapshot()
group = cgroups.Group(cgroups.find())
left = host.left_behind(before, patience=0.0)
group.remove()
print(*left, sep="\\n")
"""  # in a process of its own: this one may have slots at work, and so groups that may be there
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [line for line in done.stdout.splitlines() if line.startswith("control groups")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
def test_a_process_of_a_slot_s_user_is_seen() -> None:
    from mx_sandboxes.backends.bubblewrap.users import users as throwaway_uids

    before = host.snapshot()
    line = ["sh", "-c", "sleep 20 >/dev/null & echo $!"]
    done = subprocess.run(
        line, user=throwaway_uids()[3], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True
    )
    try:
        left = host.left_behind(before, patience=0.0)
    finally:
        os.kill(int(done.stdout), 9)
    assert any(thing.startswith(f"processes: {int(done.stdout)} sleep") for thing in left)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a group where engines do")
def test_containers_of_others_are_not_taken_for_left_where_the_engine_cannot_be_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A user without rights to the engine sees containers begin and end, and cannot know whose they are."""
    if cgroups.find() is None:
        pytest.skip("this process cannot make control groups here")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    top = next(one.mount for one in cgroups.hierarchies() if "memory" in one.controllers)
    group = top / "docker" / secrets.token_hex(32)
    before = host.snapshot()
    made = not group.parent.exists()
    group.mkdir(parents=True)
    try:
        assert not [thing for thing in host.left_behind(before, patience=0.0) if group.name in thing]
        monkeypatch.setattr(host, "_living_containers", set)  # an engine that answers, and does not know it
        assert [thing for thing in host.left_behind(before, patience=0.0) if group.name in thing]
    finally:
        group.rmdir()
        if made:
            group.parent.rmdir()
