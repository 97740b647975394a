"""A job's network namespace: its own from the first packet on, and shared with nobody who could tell."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mx_sandboxes import Sandbox, open_sandbox

# A namespace's cookie (SO_NETNS_COOKIE, Linux 5.14): the number in /proc/self/ns/net is given anew once its last user is gone.
QUIET = """
import socket
print("[%d]" % int.from_bytes(socket.socket().getsockopt(socket.SOL_SOCKET, 71, 8), "little"))
"""
TALK = f"""{QUIET}
server = socket.create_server(("127.0.0.1", 0))
socket.create_connection(server.getsockname()).send(b"x")
"""
LEFT = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))"
ONLY_BUBBLEWRAP = pytest.mark.parametrize(
    "backend", [pytest.param("bubblewrap", marks=pytest.mark.bubblewrap)], indirect=True
)


@pytest.fixture
def jail(backend: str) -> Iterator[Sandbox]:
    """A jail of one's own."""
    with open_sandbox(backend, slots=1) as opened:
        yield opened


def place(jail: Sandbox, program: str) -> bytes:
    done = jail.run(["python", "-c", program])
    assert done.ok, done.stderr
    return done.stdout


@ONLY_BUBBLEWRAP
def test_a_job_that_used_the_network_takes_it_with_it(jail: Sandbox) -> None:
    first = place(jail, TALK)
    second = place(jail, TALK)
    third = place(jail, QUIET)
    assert len({first, second, third}) == 3
    assert place(jail, QUIET) == third, "nothing was sent there, so nothing can be left there"


@ONLY_BUBBLEWRAP
def test_one_packet_without_an_answer_is_enough(jail: Sandbox) -> None:
    before = place(jail, QUIET)
    place(jail, LEFT)
    assert place(jail, QUIET) != before


def place_of_suite(jail: Sandbox, program: str) -> bytes:
    """The same from within a test suite, whose jobs another process begins."""
    body = "".join(f"    {line}\n" for line in program.strip().splitlines())
    done = jail.run(
        ["python", "-m", "pytest", "-q", "-s"], files={"test_it.py": f"def test_it():\n{body}".encode()}
    )
    assert done.ok, done.stdout
    return done.stdout[: done.stdout.index(b"]")] + b"]\n"


@ONLY_BUBBLEWRAP
def test_test_suites_and_other_jobs_share_a_network_only_while_it_is_fresh(backend: str) -> None:
    with open_sandbox(backend, slots=1, packages=["pytest"]) as jail:
        first = place(jail, QUIET)
        assert place_of_suite(jail, QUIET) == first
        assert place_of_suite(jail, TALK) == first
        second = place(jail, QUIET)
        assert second != first
        assert place_of_suite(jail, QUIET) == second
        place(jail, LEFT)
        third = place_of_suite(jail, QUIET)
        assert third not in (first, second)
        assert place(jail, QUIET) == third
