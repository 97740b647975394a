"""What a backend says of itself before a run, held against what it then does."""

from __future__ import annotations

from pathlib import Path

import pytest

from mx_sandboxes import How, Reason, Sandbox, capabilities
from mx_sandboxes.limits.capabilities import of_docker

NAMES = {
    "cpu time",
    "wall time",
    "memory",
    "processes",
    "disk",
    "inodes",
    "file size",
    "open files",
    "output",
    "network",
}
NAMES |= {
    "fresh namespaces",
    "read-only system",
    "system calls",
    "privileges",
    "frames",
    "processors",
    "kernel of its own",
}


def test_they_are_known_before_a_run_and_the_same_as_the_sandbox_s_own(
    backend: str, sandbox: Sandbox
) -> None:
    found = capabilities(backend)
    assert found == sandbox.capabilities
    assert (found.backend, found.image) == (backend, "python")
    assert {item.name for item in found} >= NAMES
    assert len({item.name for item in found}) == len(found.items)
    for item in found:
        assert item.detail
        assert item.enforced or item.fix, f"{item.name} is not enforced, and nothing is said that changes it"
    assert all(not item.enforced for item in found.gaps)
    with pytest.raises(KeyError, match="memory"):
        found["memry"]


def test_every_limit_of_a_job_is_enforced(sandbox: Sandbox) -> None:
    limits = {reason.value for reason in Reason} & {item.name for item in sandbox.capabilities}
    assert limits >= {
        "cpu time",
        "wall time",
        "memory",
        "processes",
        "disk",
        "inodes",
        "file size",
        "open files",
        "output",
    }
    assert all(sandbox.capabilities[name].enforced for name in limits)


NAMESPACES = """
import json, os, socket
found = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("mnt", "pid", "ipc", "uts", "net", "user")}
sock = socket.socket(fileno=int(os.environ["MX_CHANNEL"]))
data = json.dumps(found).encode()
sock.sendall(len(data).to_bytes(4, "big") + data)
sock.recv(1)
"""


def test_no_namespace_is_this_machine_s_or_another_episode_s(sandbox: Sandbox) -> None:
    with (
        sandbox.session(["python", "-c", NAMESPACES]) as first,
        sandbox.session(["python", "-c", NAMESPACES]) as second,
    ):
        one, other = first.receive(), second.receive()
    isolated = {"mnt", "pid", "ipc", "uts", "net"} | ({"user"} if sandbox.backend == "bubblewrap" else set())
    for name in isolated:
        assert len({one[name], other[name], str(Path(f"/proc/self/ns/{name}").readlink())}) == 3, name


def test_an_engine_without_a_memory_cgroup_says_so() -> None:
    poor = of_docker("python", {"MemoryLimit": False, "SecurityOptions": ["name=rootless"]}, cpus=1)
    assert poor["memory"].how is How.KEEPER
    assert "cgroup_enable=memory" in poor["memory"].fix
    assert poor["no daemon of root's"].enforced
    assert not poor["processors"].enforced
    rich = of_docker("python", {"MemoryLimit": True, "CpuCfsQuota": True}, runtime="runsc", cpus=1)
    assert all(rich[name].how is How.KERNEL for name in ("memory", "processors", "kernel of its own"))


def test_asking_for_what_there_is_not_is_one_clear_error() -> None:
    with pytest.raises(ValueError, match="did you mean 'docker'"):
        capabilities("dokcer")
    with pytest.raises(ValueError, match="did you mean 'python'"):
        capabilities("auto", "pyton")
