"""The filter of system calls, a list of what is allowed: run here as the kernel would, for both machines; and programs under it."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from mx_sandboxes import Sandbox
from mx_sandboxes.limits import arguments, bpf, calls, seccomp
from mx_sandboxes.limits.seccomp import MACHINES, Machine

ERRNO = 0x50000
ENOSYS, EPERM, EINVAL, ENOTTY, EOPNOTSUPP = (ERRNO | number for number in (38, 1, 22, 25, 95))
ALLOW, KILL = 0x7FFF0000, 0x80000000
RECORD = Path(__file__).parents[3] / "benchmarks" / "system_calls.txt"
CODE = list(struct.iter_unpack("HBBI", seccomp.program()))


def answer(machine: int, number: int, *words: int) -> int:
    """What the filter says to a call: the program, instruction by instruction."""
    data = struct.pack(
        "IIQ6Q", number & 0xFFFFFFFF, machine, 0, *(word & (1 << 64) - 1 for word in (*words, *[0] * 6)[:6])
    )
    loaded, place = 0, 0
    while True:
        code, yes, no, value = CODE[place]
        place += 1
        if code == bpf.RETURN:
            return int(value)
        if code == bpf.LOAD:
            loaded = struct.unpack_from("I", data, value)[0]
        elif code == bpf.JUMP:
            place += value
        else:
            passed = {bpf.JEQ: loaded == value, bpf.JGE: loaded >= value, bpf.JSET: bool(loaded & value)}[
                code
            ]
            place += yes if passed else no


def call(machine: Machine, name: str, *words: int) -> int:
    """The filter's answer to a call by its name."""
    for table in (calls.ALLOWED, calls.RULED, calls.REFUSED):
        if name in table:
            number = table[name][machine.column]
            assert number is not None
            return answer(machine.audit, number, *words)
    raise KeyError(name)


@pytest.fixture(params=MACHINES, ids=["x86_64", "aarch64"])
def machine(request: pytest.FixtureRequest) -> Machine:
    """Each architecture."""
    found: Machine = request.param
    return found


def test_no_call_is_on_two_lists() -> None:
    tables = (calls.ALLOWED, calls.RULED, calls.REFUSED)
    for column in (0, 1):
        numbers = [pair[column] for table in tables for pair in table.values() if pair[column] is not None]
        assert len(numbers) == len(set(numbers))
    assert set(calls.RULED) == set(arguments.RULES)


def test_what_is_on_no_list_does_not_exist(machine: Machine) -> None:
    """Whatever its number is: gaps, calls that a kernel has, and those that one will have."""
    listed = {
        pair[machine.column]: table
        for table in (calls.ALLOWED, calls.RULED, calls.REFUSED)
        for pair in table.values()
    }
    for number in (*range(1100), 4096, 0x3FFFFFFF):
        table = listed.get(number)
        if table is None:
            assert answer(machine.audit, number) == ENOSYS, number
            assert answer(machine.audit, number, *[(1 << 64) - 1] * 6) == ENOSYS, number
        elif table is not calls.RULED:
            assert answer(machine.audit, number) == (ALLOW if table is calls.ALLOWED else EPERM), number


def test_other_machines_and_other_tables_of_calls_kill() -> None:
    intel = MACHINES[0].audit
    for number in (0, 1, 59, 322, 400):
        assert answer(intel, 0x40000000 | number) == KILL
        assert answer(0x40000003, number) == KILL  # 32 bits
        assert answer(0, number) == KILL
    assert answer(intel, -1) == KILL
    assert answer(MACHINES[1].audit, 0x40000000) == ENOSYS


@pytest.mark.parametrize(
    ("name", "place", "fine", "other", "said"),
    [
        ("fcntl", 1, [0, 1, 4, 6, 7, 14, 37, 1030, 1031], [1024, 1026, 1028, 1036, 17, 99, 1 << 31], EINVAL),
        ("ioctl", 1, [0x5401, 0x5413, 0x541B, 0x5421, 0x5451, 0x8933], [0x5412, 0x541C, 0x5423, 0x40049409, 0x8914], ENOTTY),
        ("prctl", 0, [1, 4, 15, 16, 36, 38, 39], [22, 26, 33, 35, 47, 53, 57, 59, 62, 0x53564D41, 0x59616D61], EINVAL),
        ("madvise", 2, [0, 3, 4, 8, 14, 15], [9, 12, 20, 21, 25, 100, 101], EINVAL),
        ("preadv2", 5, [0, 2, 4], [1, 8, 32, 64, 128, 1 << 20], EOPNOTSUPP),
        ("pwritev2", 5, [0, 2, 4, 16], [1, 8, 32, 64, 128], EOPNOTSUPP),
        ("fadvise64", 3, [0, 1, 2, 3, 5], [4], ERRNO),
        ("clone", 0, [17, 0x3D0F00, 0x4111, 0x1200011, 0x1000], [0x8011, 0x2011, 0x800011, 0x10000011, 0x20011, 0x80000011], EPERM),
        ("prlimit64", 0, [0], [1, 4711], EPERM),
        ("socketpair", 0, [1], [2, 16, 38, 40], ERRNO | 97),
        ("socket", 0, [1, 2, 10, 16], [17, 38, 40, 44, 31], ERRNO | 97),
        ("sendmsg", 2, [0, 0x40, 0x4000], [1, 0x4001], EOPNOTSUPP),
        ("recvfrom", 3, [0, 2, 0x100], [1, 3], EOPNOTSUPP),
    ],
)  # fmt: skip
def test_arguments_are_on_lists_too(
    machine: Machine, name: str, place: int, fine: list[int], other: list[int], said: int
) -> None:
    def asked(value: int, high: int = 0) -> int:
        words = [0] * 6
        words[place] = value | high << 32
        return call(machine, name, *words)

    assert {value: asked(value) for value in fine} == dict.fromkeys(fine, ALLOW)
    assert {value: asked(value) for value in other} == dict.fromkeys(other, said)
    # a program cannot hide an argument in bits that the kernel does not read
    assert {value: asked(value, 7) for value in other} == dict.fromkeys(other, said)


def test_no_program_of_a_job_s_gets_into_the_kernel_by_a_socket(machine: Machine) -> None:
    for option in (26, 50, 51, 52):
        assert call(machine, "setsockopt", 3, 1, option) == EPERM
        assert call(machine, "setsockopt", 3, 6, option) == ALLOW  # of TCP, another number space
    assert call(machine, "setsockopt", 3, 1, 2) == ALLOW


def test_a_core_s_size_stays(machine: Machine) -> None:
    assert call(machine, "prlimit64", 0, 4, 0) == ALLOW
    assert call(machine, "prlimit64", 0, 4, 4096) == ERRNO
    assert call(machine, "prlimit64", 0, 4, 1 << 40) == ERRNO
    assert call(machine, "prlimit64", 0, 7, 4096) == ALLOW


def test_the_kernel_may_remember_what_needs_no_arguments(machine: Machine) -> None:
    """The answer to an allowed call does not depend on arguments: since Linux 5.11 the program is not run for it at all."""
    rng = random.Random(1)
    for name, pair in calls.ALLOWED.items():
        if pair[machine.column] is not None:
            assert call(machine, name, *(rng.getrandbits(64) for _ in range(6))) == ALLOW


def test_what_was_recorded_is_allowed_or_refused_with_a_reason() -> None:
    lines = RECORD.read_text().splitlines()
    assert len(lines) > 150
    for line in lines:
        name = line.split(" | ")[0].split("(")[0]
        listed = name in calls.ALLOWED or name in calls.RULED
        assert listed or name in calls.REFUSED or " | refused: " in line, line


def out(sandbox: Sandbox, code: str) -> str:
    """What a program of Python says."""
    done = sandbox.run(["python", "-c", code])
    assert done.ok, done.stderr.decode()
    return done.stdout.decode().strip()


WAYS: dict[str, tuple[str, str]] = {
    "copies": ("import os; r, w = os.pipe(); print(os.write(w, b'abc'), os.read(r, 9))", "3 b'abc'"),
    "locks": (
        "import fcntl; f = open('x', 'w'); fcntl.flock(f, 2); fcntl.lockf(f, 2); print(fcntl.fcntl(f, fcntl.F_GETFD))",
        "1",
    ),
    "synchronized": ("import os; f = open('x', 'w'); f.write('a'); f.flush(); os.fsync(f.fileno()); os.sync(); print(1)", "1"),
    "mapped": (
        "import mmap; f = open('x', 'w+b'); f.write(bytes(9000)); f.flush(); m = mmap.mmap(f.fileno(), 0); m[5000] = 7; "
        "m.flush(); m.madvise(mmap.MADV_WILLNEED); print(open('x', 'rb').read()[5000])",
        "7",
    ),
    "shutil": ("import shutil; open('x', 'w').write('a'); shutil.copytree('/work', '/tmp/y'); print(open('/tmp/y/x').read())", "a"),
    "descriptors sent": (
        "import socket; a, b = socket.socketpair(); f = open('x', 'w+'); socket.send_fds(a, [b'1'], [f.fileno()]); "
        "print(len(socket.recv_fds(b, 9, 2)[1]))",
        "1",
    ),
    "asyncio": (
        "import asyncio\nasync def main():\n    p = await asyncio.create_subprocess_exec('echo', '5', stdout=-1)\n"
        "    return (await p.communicate())[0]\nprint(asyncio.run(main()))",
        "b'5\\n'",
    ),
    "shared memory": (
        "from multiprocessing import shared_memory as s; m = s.SharedMemory(create=True, size=99); m.buf[3] = 4; "
        "n = s.SharedMemory(m.name); print(n.buf[3]); m.unlink()",
        "4",
    ),
    "a fifo": ("import os; os.mkfifo('f'); print(os.path.exists('f'))", "True"),
    "a large thread pool": (
        "import threading; t = [threading.Thread(target=lambda: None) for _ in range(12)]; [x.start() for x in t]; "
        "[x.join() for x in t]; print(12)",
        "12",
    ),
    "a timer": (
        "import signal, time; signal.signal(14, lambda *_: print('rang')); signal.setitimer(0, 0.01); time.sleep(0.1)",
        "rang",
    ),
    "an error in its own words": (
        "import os\ntry: os.fsync(99)\nexcept OSError as e: print(e.errno)",
        "9",
    ),
    "a bad descriptor": ("import fcntl\ntry: fcntl.ioctl(99, 0x5401)\nexcept OSError as e: print(e.errno)", "9"),
}  # fmt: skip


@pytest.mark.parametrize("name", WAYS)
def test_what_programs_do_works(sandbox: Sandbox, name: str) -> None:
    code, said = WAYS[name]
    assert out(sandbox, code) == said


SAYS: dict[str, str] = {
    "splice": "os.splice(r, w2, 1)",
    "a filter on a socket": "socket.socket().setsockopt(1, 26, bytes(16))",
    "typing for others": "fcntl.ioctl(0, 0x5412, b'x')",
    "a lease": "fcntl.fcntl(f, 1024, 1)",
}


@pytest.mark.parametrize("name", SAYS)
def test_what_is_not_on_a_list_is_an_error_like_any_other(sandbox: Sandbox, name: str) -> None:
    code = (
        "import fcntl, os, socket\nr, w = os.pipe(); r2, w2 = os.pipe(); os.write(w, b'a'); f = open('x', 'w+')\n"
        f"try:\n    {SAYS[name]}\n    print('did it')\nexcept OSError as error: print('refused')\n"
        "except AttributeError: print('refused')"
    )
    assert out(sandbox, code) == "refused"
