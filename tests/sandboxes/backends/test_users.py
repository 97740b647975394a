"""No two living slots are the same user to the kernel, however many were born and died meanwhile."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from mx_sandboxes import Limits, open_sandbox
from mx_sandboxes.backends.bubblewrap.users import IDS, give_back, take_user, users

pytestmark = [
    pytest.mark.bubblewrap,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root's slots have users of their own"),
]
HOLD = """
import fcntl, os, socket
kept = [os.pipe() for _ in range(20)]
for _ in range(8):
    if os.fork() == 0: break
kept += [os.pipe() for _ in range(20)]
for pipe in kept:
    try: fcntl.fcntl(pipe[0], 1031, 1 << 20)
    except OSError: pass
channel = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
try: channel.sendall((1).to_bytes(4, "big") + b"1")
except OSError: pass
channel.recv(1)
"""
LOOK = "import fcntl, os\nprint(min(fcntl.fcntl(os.pipe()[0], 1032) for _ in range(3)))"


@pytest.fixture
def taken() -> Iterator[list[int]]:
    """Users that the test took, given back at its end."""
    mine: list[int] = []
    yield mine
    for user in mine:
        give_back(user)


@pytest.mark.parametrize("births", [IDS - 1, IDS, IDS + 1, 5 * IDS])
def test_one_that_lives_long_shares_its_user_with_nobody(taken: list[int], births: int) -> None:
    first = take_user()
    assert first in users()
    taken.append(first)
    seen = set()
    for _ in range(births):
        other = take_user()
        assert other != first
        seen.add(other)
        give_back(other)
    assert len(seen) > 1  # what a dead slot leaves behind, its successor does not meet at once


def test_where_there_are_too_many_each_user_has_as_few_as_can_be(taken: list[int]) -> None:
    before = [take_user() for _ in range(3 * IDS)]
    taken += [user for user in before if user is not None]
    counts = sorted(taken.count(user) for user in users())
    assert counts[-1] - counts[0] <= 1 + IDS  # other tests' slots have some, too
    assert set(taken) <= set(users())


def test_pipes_of_a_slot_are_none_of_its_later_neighbours(bubblewrap_or_skip: object) -> None:
    limits = Limits(wall_s=30, open_files=200, pids=40)
    with (
        open_sandbox("bubblewrap", slots=2, limits=limits) as sandbox,
        sandbox.session(["python", "-c", HOLD]) as session,
    ):
        assert session.receive() == 1
        for _ in range(IDS + 2):  # each makes the second slot a new one
            sandbox.run(["sleep", "9"], limits=Limits(wall_s=0.02))
            assert int(sandbox.run(["python", "-c", LOOK]).stdout) >= 65536
