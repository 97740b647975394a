"""What a job must not see, reach or leave behind."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

import pytest

import mx_sandboxes
from mx_sandboxes import Limits, Reason, Sandbox, SandboxError, Tree, open_sandbox
from mx_sandboxes.limits import calls

ECHO = """
import os, socket
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
while data := sock.recv(65536): sock.sendall(data)
"""


def out(sandbox: Sandbox, code: str) -> str:
    done = sandbox.run(["python", "-c", code])
    assert done.ok, done
    return done.stdout.decode().strip()


def test_there_is_no_network_but_the_loopback(sandbox: Sandbox) -> None:
    assert out(sandbox, "import socket; print([name for _, name in socket.if_nameindex()])") == "['lo']"
    code = (
        "import socket\nfor host in ('1.1.1.1', '169.254.169.254', '172.17.0.1'):\n"
        "  try: socket.create_connection((host, 80), 0.5); print('connected')\n  except OSError: pass"
    )
    assert out(sandbox, code) == ""
    loopback = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); "
        "c = socket.create_connection(s.getsockname()); print('here')"
    )
    assert out(sandbox, loopback) == "here"


def test_only_socket_families_that_know_namespaces(sandbox: Sandbox) -> None:
    code = (
        "import socket\nfor family in (17, 38, 40):\n"  # packet, crypto, the virtual machine's line to its host
        "  try: socket.socket(family, socket.SOCK_DGRAM if family != 38 else socket.SOCK_SEQPACKET); print(family)\n"
        "  except OSError as error: assert error.errno in (97, 1), error"
    )
    assert out(sandbox, code) == ""


def test_the_host_s_files_are_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o644)
    package = Path(mx_sandboxes.__file__).parent
    places = [
        secret,
        Path.home() / ".profile",
        Path.home() / ".ssh",
        package,
        Path(os.__file__).parent.parent / "site-packages",
    ]
    hidden = [
        *map(str, places),
        "/var/run/docker.sock",
        "/run/docker.sock",
        "/etc/shadow",
        "/root",
        "/var/lib/docker",
    ]
    code = f"""
import os
import secrets
for place in {hidden!r}:
    try:
        if os.listdir(place) if os.path.isdir(place) else open(place).read(1): print(place)
    except OSError: pass
"""
    assert out(sandbox, code) == ""
    assert out(
        sandbox,
        "import importlib.util as u; print([u.find_spec(n) for n in ('mx_sandboxes', 'mx_tasks', 'mx_envs')])",
    ) == ("[None, None, None]")


def test_everything_but_the_workspace_is_read_only(sandbox: Sandbox) -> None:
    code = """
import os
import secrets
for top, folders, _ in os.walk('/'):
    if top in ('/proc', '/sys', '/work', '/tmp', '/dev/shm', '/dev/mqueue'):
        folders.clear()
        continue
    try:
        open(os.path.join(top, 'mx-probe'), 'w').close()
        print(top)
    except OSError: pass
"""
    assert out(sandbox, code) == ""


def test_nothing_survives_a_job(sandbox: Sandbox) -> None:
    """One slot, so that the next job is in the same jail."""
    with open_sandbox(sandbox.backend, slots=1) as single:
        before = single.run(["sh", "-c", LOOK]).stdout
        dirty = """
import ctypes, os, socket, subprocess
for place in ('/work', '/tmp', '/dev/shm', '/dev/mqueue'):
    try:
        os.chdir(place)
    except OSError: continue
    for make in (lambda: open('file', 'w').write('x'), lambda: os.makedirs('a/b/c'), lambda: open('a/b/c/f', 'w').close()):
        try: make()
        except OSError: pass
    try: os.chmod('a/b', 0); os.chmod('a', 0)
    except OSError: pass
os.chdir('/work')
for _ in range(300):
    os.mkdir('d' * 200); os.chdir('d' * 200)
subprocess.Popen(['sleep', '60'], start_new_session=True)
socket.socket(socket.AF_UNIX).bind('\\0left-behind')
import builtins, sys
builtins.left = 1; sys.modules['left'] = builtins; sys.path.append('/left')
"""
        assert single.run(["python", "-c", dirty]).ok
        assert single.run(["sh", "-c", LOOK]).stdout == before
        code = "import sys, builtins; print(hasattr(builtins, 'left'), 'left' in sys.modules, '/left' in sys.path)"
        assert single.run(["python", "-c", code]).stdout == b"False False False\n"


LOOK = """
ls -A /work /tmp /dev/shm /dev/mqueue 2>&1; cat /proc/net/unix 2>&1 | wc -l
for p in /proc/[0-9]*; do tr '\\0' ' ' < $p/cmdline 2>/dev/null | grep -c sleep; done | sort | uniq -c | head -1 | grep -c 1$
id -u | wc -l
"""


def test_two_jobs_at_once_do_not_meet(sandbox: Sandbox) -> None:
    with (
        sandbox.session(["python", "-c", "import time\n" + ECHO]) as first,
        sandbox.session(["python", "-c", ECHO]) as second,
    ):
        first.send(1)
        second.send(2)
        assert (first.receive(), second.receive()) == (1, 2)
        code = """
import os, signal
print(sum(name.isdigit() for name in os.listdir('/proc')))
for pid in range(1, 300):
    if pid != os.getpid():
        try: os.kill(pid, signal.SIGKILL)
        except OSError: pass
try: os.kill(-1, signal.SIGKILL)
except OSError: pass
"""
        done = sandbox.run(["python", "-c", code])
        assert int(done.stdout) <= 4, done  # the job, and in a container the server and what begins jobs
        first.send(3)
        second.send(4)
        assert (first.receive(), second.receive()) == (3, 4)


def test_a_job_cannot_touch_its_keeper(sandbox: Sandbox) -> None:
    code = """
import os, signal
for pid in {1, os.getppid() or 1}:
    for name in ('mem', 'environ', 'maps', 'root', 'cwd', 'fd'):
        path = f'/proc/{pid}/{name}'
        try:
            os.listdir(path) if name in ('root', 'cwd', 'fd') else open(path, 'rb').read(1)
            print(path)
        except OSError: pass
    try: os.kill(pid, signal.SIGKILL)
    except PermissionError: pass
    try: os.kill(pid, signal.SIGSTOP)
    except PermissionError: pass
print('alive')
"""
    assert out(sandbox, code) == "alive"


def test_a_job_has_no_privileges(sandbox: Sandbox) -> None:
    status = dict(
        line.split(":", 1) for line in out(sandbox, "print(open('/proc/self/status').read())").splitlines()
    )
    fields = {key: value.split() for key, value in status.items()}
    assert fields["CapEff"] == fields["CapPrm"] == fields["CapInh"] == fields["CapAmb"] == ["0" * 16]
    assert fields["NoNewPrivs"] == ["1"]
    assert fields["Seccomp"] == ["2"]
    assert "0" not in fields["Uid"] + fields["Gid"]


def test_only_the_standard_descriptors_are_open(sandbox: Sandbox) -> None:
    code = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1])"
    assert out(sandbox, code) == "[0, 1, 2]"
    with sandbox.session(["python", "-c", f"{code}; print(os.environ['MX_CHANNEL'])"]) as session:
        with pytest.raises(mx_sandboxes.SessionEndedError):
            session.receive()
        assert session.close().stdout == b"[0, 1, 2, 3]\n3\n"


def test_the_filter_refuses_system_calls(sandbox: Sandbox) -> None:
    code = f"""
import ctypes, errno, os, platform
libc = ctypes.CDLL(None, use_errno=True)
column = {{'x86_64': 0, 'aarch64': 1}}[platform.machine()]
for name, numbers in {calls.REFUSED!r}.items():
    if numbers[column] is None: continue
    result = libc.syscall(numbers[column], 0, 0, 0, 0, 0, 0)
    if result != -1 or ctypes.get_errno() != errno.EPERM: print(name, result, ctypes.get_errno())
print(libc.syscall(435, 0, 0), ctypes.get_errno() == errno.ENOSYS)
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
    result = libc.syscall((56, 220)[column], flag | 17, 0, 0, 0, 0)
    if result == 0: os._exit(0)
    if result != -1 or ctypes.get_errno() != errno.EPERM: print(hex(flag), result)
"""
    assert out(sandbox, code) == "-1 True"


def test_threads_and_subprocesses_work_under_the_filter(sandbox: Sandbox) -> None:
    code = """
import concurrent.futures as c, multiprocessing, subprocess
print(subprocess.run(['echo', 'a'], capture_output=True, text=True).stdout.strip())
print(list(c.ThreadPoolExecutor(4).map(abs, [-1, -2])))
with multiprocessing.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-3, -4]))
"""
    assert out(sandbox, code) == "a\n[1, 2]\n[3, 4]"


@pytest.mark.skipif(os.geteuid() != 0, reason="root only")
def test_root_gives_up_its_user_id(sandbox: Sandbox) -> None:
    """The kernel's idea of who runs the job is nobody whom this machine knows."""
    known = {int(line.split(":")[2]) for line in Path("/etc/passwd").read_text().splitlines()}
    with sandbox.session(["python", "-c", "marker = 'mx-root-probe'\n" + ECHO]) as session:
        session.send(1)
        assert session.receive() == 1
        jobs = [
            entry.name
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and _is_job(int(entry.name))
        ]
        assert jobs
        for pid in jobs:
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except FileNotFoundError:  # somebody else's, and over
                continue
            uids = next(line for line in lines if line.startswith("Uid:")).split()[1:]
            assert not {int(uid) for uid in uids} & known


def _is_job(pid: int) -> bool:
    """Whether a process of this machine is a forked job: it has the server's command line and a job's readiness to die."""
    try:
        server = "mx_sandboxes.inside.server" in Path(f"/proc/{pid}/cmdline").read_text()
        return server and Path(f"/proc/{pid}/oom_score_adj").read_text().strip() == "1000"
    except OSError:
        return False


def test_kernel_settings_cannot_be_written(sandbox: Sandbox) -> None:
    code = """
import os
import secrets
for place in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/kernel/hostname', '/proc/1/oom_score_adj',
              '/sys/kernel/uevent_helper', '/sys/fs/cgroup/memory/memory.limit_in_bytes', '/dev/mem', '/dev/kmsg'):
    try: open(place, 'r+b'); print(place)
    except OSError: pass
"""
    assert out(sandbox, code) == ""


def test_a_job_that_writes_megabytes_of_everything_leaves_the_next_one_its_room(sandbox: Sandbox) -> None:
    with open_sandbox(sandbox.backend, slots=1) as single:
        fill = "for d in ('/work', '/tmp', '/dev/shm'):\n try: open(d + '/x', 'wb').write(bytes(15 << 20))\n except OSError: pass"
        limits = Limits(workspace_bytes=12 << 20)
        for _ in range(2):
            done = single.run(
                ["python", "-c", fill + "\nimport os; print(os.statvfs('/work').f_bfree)"], limits=limits
            )
            assert (done.reason, done.stdout) == (Reason.EXITED, b"0\n")


SEARCH = r"""
import re
needle = re.compile(rb"mx[-]s[e]cret[-][0-9a-f]{32}")
found = set()
for line in open("/proc/self/maps"):
    if "rw" in line:
        start, end = (int(part, 16) for part in line.split()[0].split("-"))
        with open("/proc/self/mem", "rb") as memory:
            memory.seek(start)
            found.update(needle.findall(memory.read(end - start)))
print(len(found))
"""


def test_nothing_of_an_earlier_job_is_in_the_next_one_s_memory(sandbox: Sandbox) -> None:
    """Attack: jobs are forks of one process; search one's memory for what that had read for others: hidden tests, say."""
    own = f"mx-secret-{secrets.token_hex(16)}"
    assert int(out(sandbox, f"own = {own!r}\n{SEARCH}")) == 1, "the search finds what is there"
    for _ in range(8):
        for length in (1, 50, 2000):
            word = f"mx-secret-{secrets.token_hex(16)}"
            files = {f"{word}.txt": word.encode() * length}
            done = sandbox.run(
                ["cat", "-", "--", *files], stdin=word.encode() * length, files=files, env={"A": word}
            )
            assert done.ok
            tree = Tree({"hidden/test.py": word.encode() * length})
            assert sandbox.run(["python", "-c", f"print({word!r})"], files=tree).ok
        assert out(sandbox, SEARCH) == "0"


@pytest.mark.docker
def test_an_engine_that_adds_a_writable_place_is_not_used(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Podman does: what a job writes there would be the next one's."""
    if backend != "docker":
        pytest.skip("an engine's own doing")
    import mx_sandboxes.backends.docker.engine as module

    settings = module._settings

    def generous(*words: Any, **named: Any) -> dict[str, Any]:
        found = settings(*words, **named)
        return {**found, "tmpfs": {**found["tmpfs"], "/var/tmp": "rw,size=1m"}}

    monkeypatch.setattr(module, "_settings", generous)
    with open_sandbox("docker", slots=1) as sandbox, pytest.raises(SandboxError, match="/var/tmp writable"):
        sandbox.run(["true"])
