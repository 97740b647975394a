"""No two living slots are the same user to the kernel, however many were born and died meanwhile."""

from __future__ import annotations

import os

import pytest

from mx_sandboxes import Limits, open_sandbox
from mx_sandboxes.backends.bubblewrap.users import IDS, Users, users

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


@pytest.mark.parametrize("births", [IDS - 1, IDS, IDS + 1, 5 * IDS])
def test_one_that_lives_long_shares_its_user_with_nobody(births: int) -> None:
    own = Users(users())
    first = own.take()
    assert first in users()
    seen = set()
    for _ in range(births):
        other = own.take()
        assert other != first
        seen.add(other)
        own.give_back(other)
    assert len(seen) > 1  # what a dead slot leaves behind, its successor does not meet at once


def test_where_there_are_too_many_each_user_has_as_few_as_can_be() -> None:
    own = Users(users())
    taken = [own.take() for _ in range(3 * IDS)]
    assert {taken.count(user) for user in users()} == {3}


def test_who_is_not_root_has_no_users_to_give() -> None:
    assert Users(range(0)).take() is None


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
