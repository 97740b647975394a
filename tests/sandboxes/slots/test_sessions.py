"""A session: frames both ways, and every way in which it can go wrong."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mx_sandboxes import Limits, Reason, Sandbox, SessionEndedError

CHANNEL = b"""
import json, os, socket, struct
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
stream = sock.makefile("rwb")
def put(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    stream.write(struct.pack(">I", len(data)) + data)
    stream.flush()
def get():
    head = stream.read(4)
    return json.loads(stream.read(struct.unpack(">I", head)[0])) if len(head) == 4 else None
"""
FILES = {"channel.py": CHANNEL}
ECHO = "from channel import *\nwhile True: put(get())"


def start(sandbox: Sandbox, code: str, **limits: Any) -> Any:
    text = code if "channel" in code else f"from channel import *\n{code}"
    return sandbox.session(["python", "-c", text], files=FILES, limits=Limits(**limits))


def ended(sandbox: Sandbox, code: str, **limits: Any) -> Any:
    """How a session ends whose program never sends a good frame."""
    with start(sandbox, code, **limits) as session:
        with pytest.raises(SessionEndedError) as caught:
            session.receive()
        with pytest.raises(SessionEndedError):
            session.send(1)
        final = session.close()
        assert final.reason is caught.value.completed.reason
        assert final.exit_code == caught.value.completed.exit_code
        assert session.close() == final
        return final


@pytest.mark.parametrize(
    "frame",
    [
        None,
        True,
        0,
        -1.5,
        "",
        "ä\x00\U0001f600",
        [],
        {},
        {"a": [1, {"b": "c"}]},
        "x" * 100_000,
        list(range(20_000)),
    ],
)
def test_an_echo_gives_back_what_was_sent(sandbox: Sandbox, frame: Any) -> None:
    with start(sandbox, ECHO) as session:
        session.send(frame)
        assert session.receive() == frame


def test_many_frames_in_a_row_keep_their_order(sandbox: Sandbox) -> None:
    with start(sandbox, ECHO) as session:
        for number in range(300):
            session.send(number)
        assert [session.receive() for _ in range(300)] == list(range(300))


def test_a_program_may_send_far_ahead(sandbox: Sandbox) -> None:
    with start(sandbox, "for n in range(200): put('x' * 20000 + str(n))") as session:
        time.sleep(0.3)
        assert [session.receive()[20000:] for _ in range(200)] == [str(n) for n in range(200)]
        with pytest.raises(SessionEndedError) as caught:
            session.receive()
        assert caught.value.completed.reason is Reason.EXITED


def test_the_largest_frame_fits_and_a_larger_one_does_not(sandbox: Sandbox) -> None:
    with start(sandbox, ECHO, frame_bytes=1000) as session:
        session.send("x" * 998)
        assert session.receive() == "x" * 998
        with pytest.raises(ValueError, match="limit of 1000"):
            session.send("x" * 999)
        session.send(1)
        assert session.receive() == 1


@pytest.mark.parametrize("frame", [float("nan"), {1, 2}, b"bytes", object()])
def test_what_json_cannot_carry_is_the_caller_s_mistake(sandbox: Sandbox, frame: Any) -> None:
    with start(sandbox, ECHO) as session, pytest.raises(ValueError, match="JSON"):
        session.send(frame)


@pytest.mark.parametrize(
    "code",
    [
        "put(b'x' * 2000)",  # over the limit
        "stream.write(b'\\xff' * 100); stream.flush(); get()",
        "put(b'not json')",
        "put(b'\\xff\\xfe')",
        "put(b'NaN')",
        "put(b'')",
        "put(b'[' * 999)",
        "put(b'1' * 999 + b'e999999999x')",
        "put(b'\"\\\\ud800\"')",
        "stream.write(b'\\0\\0\\0\\x09abc'); stream.flush()",  # ends in the middle of a frame
        "stream.write(b'\\0\\0'); stream.flush()",
        "sock.shutdown(socket.SHUT_RDWR); import time; time.sleep(60)",
        "stream.close(); sock.close(); import time; time.sleep(60)",
    ],
)
def test_rubbish_ends_the_session_and_nothing_else(sandbox: Sandbox, code: str) -> None:
    assert ended(sandbox, code, frame_bytes=1000).reason is Reason.PROTOCOL
    assert sandbox.run(["python", "-c", "pass"]).ok


def test_deep_nesting_is_no_frame(sandbox: Sandbox) -> None:
    assert ended(sandbox, "put(b'[' * 200000 + b']' * 200000)").reason is Reason.PROTOCOL


@pytest.mark.parametrize(
    ("code", "reason", "exit_code"),
    [
        ("print('bye'); raise SystemExit(3)", Reason.EXITED, 3),
        ("os.kill(os.getpid(), 9)", Reason.SIGNALLED, -9),
        ("while True: pass", Reason.CPU_TIME, None),
        ("get()", Reason.WALL_TIME, None),
        ("while True: print('x' * 1000)", Reason.OUTPUT, None),
        ("x = [bytearray(b'x' * (1 << 20)) for _ in range(500)]; get()", Reason.MEMORY, None),
    ],
)
def test_a_session_s_end_has_its_reason(
    sandbox: Sandbox, code: str, reason: Reason, exit_code: int | None
) -> None:
    wall = 0.5 if reason is Reason.WALL_TIME else 10.0
    final = ended(sandbox, code, wall_s=wall, cpu_s=0.5, output_bytes=50_000, memory_bytes=150 << 20)
    assert (final.reason, final.exit_code) == (reason, exit_code)
    if "bye" in code:
        assert final.stdout == b"bye\n"


def test_the_host_s_own_time_is_not_counted(sandbox: Sandbox) -> None:
    with start(sandbox, ECHO, wall_s=0.7) as session:
        for _ in range(3):
            time.sleep(0.5)
            session.send(1)
            assert session.receive() == 1


def test_cpu_time_is_counted_even_while_the_host_is_busy(sandbox: Sandbox) -> None:
    with start(sandbox, "put(1)\nwhile True: pass", cpu_s=0.3) as session:
        assert session.receive() == 1
        time.sleep(1.5)
        with pytest.raises(SessionEndedError) as caught:
            session.receive()
        assert caught.value.completed.reason is Reason.CPU_TIME
        assert caught.value.completed.cpu_s < 1.5


def test_closing_ends_the_program_and_hands_out_files_and_output(sandbox: Sandbox) -> None:
    with start(
        sandbox, "print('log', flush=True); open('out', 'w').write('x'); put(1); get(); put(2)"
    ) as session:
        assert session.receive() == 1
        final = session.close(["out", "missing"])
    assert (final.reason, final.exit_code) == (Reason.CLOSED, None)
    assert (final.stdout, dict(final.files)) == (b"log\n", {"out": b"x"})
    with pytest.raises(SessionEndedError):
        session.receive()
    with pytest.raises(SessionEndedError):
        session.send(1)


def test_a_program_that_ended_by_itself_hands_out_files_too(sandbox: Sandbox) -> None:
    with start(sandbox, "open('out', 'w').write('x')") as session:
        with pytest.raises(SessionEndedError):
            session.receive()
        assert session.close(["out"]).files == {"out": b"x"}


def test_a_bad_name_at_the_end_leaves_the_session_open(sandbox: Sandbox) -> None:
    with start(sandbox, ECHO) as session:
        with pytest.raises(ValueError, match="name"):
            session.close(["../x"])
        session.send(1)
        assert session.receive() == 1


def test_frames_of_the_server_cannot_be_forged(sandbox: Sandbox) -> None:
    """Bytes that look like a server's message are, on the channel, only a bad frame; stdout is only output."""
    forged = "struct.pack('>I', 2) + b'D' + b'{}'"
    assert (
        ended(sandbox, f"stream.write({forged} * 100); stream.flush(); get()", frame_bytes=100).reason
        is Reason.PROTOCOL
    )
    done = sandbox.run(["python", "-c", f"import struct, sys; sys.stdout.buffer.write({forged})"])
    assert (done.ok, done.stdout) == (True, b"\x00\x00\x00\x02D{}")


def test_a_program_that_never_reads_does_not_block_the_host(sandbox: Sandbox) -> None:
    with start(sandbox, "put(1); import time; time.sleep(60)", wall_s=0.5) as session:
        assert session.receive() == 1
        for _ in range(20):
            session.send("x" * 500_000)
        with pytest.raises(SessionEndedError) as caught:
            session.receive()
        assert caught.value.completed.reason is Reason.WALL_TIME


def test_a_session_that_is_dropped_says_so_and_frees_its_slot(sandbox: Sandbox) -> None:
    with pytest.warns(ResourceWarning, match="not closed"):
        start(sandbox, ECHO)
    assert sandbox.run(["python", "-c", "pass"]).ok
