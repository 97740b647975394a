"""What is done to a whole engine, on one of our own: what ``mx sandbox prune`` removes, and which runtime a slot gets."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest

from mx_sandboxes import How, SandboxUnavailableError, open_sandbox
from mx_sandboxes.backends.docker import images, tags
from mx_sandboxes.backends.docker.connection import OWNER_LABEL, connect
from mx_sandboxes.limits import cgroups

AT_WORK = """
import sys, time
from mx_sandboxes import Limits, open_sandbox
sandbox = open_sandbox(sys.argv[1], slots=2)
sandbox.warm()
session = sandbox.session(["sleep", "600"], limits=Limits(wall_s=600))
print("ready", flush=True)
time.sleep(600)
"""
pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(os.geteuid() != 0, reason="a private dockerd needs root"),
    pytest.mark.skipif(shutil.which("dockerd") is None, reason="needs dockerd"),
]


@pytest.fixture(scope="module")
def engine() -> Iterator[Path]:
    """An engine of our own that has a runtime called runsc, which is runc and tells whom it served; its folder."""
    if not images.has_image("python"):
        if "docker" in os.environ.get("MX_REQUIRE", "").split(","):
            pytest.fail("MX_REQUIRE lists docker, and there is no image to copy")
        pytest.skip("there is no image to copy: mx sandbox build python")
    faults = importlib.import_module("faults")
    with tempfile.TemporaryDirectory(prefix="mx-test-", dir="/tmp") as place:
        runtime = Path(place) / "runsc"
        runtime.write_text(f'#!/bin/sh\necho "$@" >> {place}/calls\nexec runc "$@"\n')
        runtime.chmod(0o755)
        with faults.private_engine(options=[f"--add-runtime=runsc={runtime}"]):
            yield Path(place)


def at_work(backend: str) -> subprocess.Popen[bytes]:
    """A host program whose slots are at work."""
    program = subprocess.Popen([sys.executable, "-c", AT_WORK, backend], stdout=subprocess.PIPE)
    assert program.stdout is not None
    assert program.stdout.readline() == b"ready\n"
    return program


def kill(program: subprocess.Popen[bytes]) -> None:
    """SIGKILL."""
    assert program.stdout is not None
    program.kill()
    program.wait()
    program.stdout.close()


def prune() -> str:
    """What the command says."""
    line = [sys.executable, "-m", "mx_agents.cli", "sandbox", "prune"]
    done = subprocess.run(
        line, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "300"}
    )
    return done.stdout


def test_prune_removes_what_killed_programs_and_older_versions_left(
    engine: Path, bubblewrap_or_skip: object
) -> None:
    with contextlib.closing(connect()) as client:
        client.images.get(tags.image_tag("python")).tag("mx-envs/python", "old")
        docker_program, bubblewrap_program, living = (
            at_work("docker"),
            at_work("bubblewrap"),
            at_work("docker"),
        )
        try:
            containers: list[Any] = client.containers.list(all=True, filters={"label": OWNER_LABEL})
            assert len(containers) == 4
            dead = [one for one in containers if f"/{docker_program.pid}/" in one.labels[OWNER_LABEL]]
            for container in dead:
                container.pause()  # cannot notice that its owner is gone
            kill(docker_program)
            kill(bubblewrap_program)
            groups = [f"mx-envs.{cgroups.owner().split('.')[1]}.{bubblewrap_program.pid}."]
            assert cgroups.find() is None or traces(groups)
            said = prune()
            assert "removed 2 containers" in said
            assert "removed mx-envs/python:old" in said
            assert cgroups.find() is None or groups[0] in said
            left = client.containers.list(all=True, filters={"label": OWNER_LABEL})
            assert {one.id for one in left} == {one.id for one in containers} - {one.id for one in dead}
            assert not traces([*groups, *(str(one.id) for one in dead)])
            assert images.has_image("python")
        finally:
            for program in (docker_program, bubblewrap_program, living):
                if program.returncode is None:
                    kill(program)
    open_sandbox("docker", slots=1).close()  # the next start
    with contextlib.closing(connect()) as client:
        end = monotonic() + 30
        while client.containers.list(all=True, filters={"label": OWNER_LABEL}):
            assert monotonic() < end  # the engine may still be about to remove one that ended by itself
            sleep(0.1)
    assert "containers" not in prune()


def traces(words: list[str]) -> list[str]:
    """Mounts, control groups and network interfaces with one of these words in their names."""
    names = Path("/proc/self/mountinfo").read_text().splitlines()
    names += [folder for folder, _, _ in os.walk("/sys/fs/cgroup")]
    names += [str(path) for path in Path("/sys/class/net").iterdir()]
    return [name for name in names if any(word in name for word in words)]


def test_a_slot_gets_the_runtime_that_was_asked_for(engine: Path) -> None:
    calls = engine / "calls"
    assert not calls.exists() or "create" not in calls.read_text()
    with open_sandbox("docker", slots=1, runtime="runsc") as sandbox:
        assert sandbox.capabilities["kernel of its own"].how is How.KERNEL
        assert sandbox.run(["python", "-c", "print(6 * 7)"]).stdout == b"42\n"
    assert "create" in calls.read_text()
    with pytest.raises(SandboxUnavailableError, match=r"no runtime 'kata'.*runsc"):
        open_sandbox("docker", slots=1, runtime="kata")


def test_requests_hold_while_the_environment_changes(engine: Path) -> None:
    """Slots are buried by a thread, while the program may set variables; every request read them all, in search of a proxy."""
    over = threading.Event()

    def change() -> None:
        while not over.is_set():
            for number in range(50):
                os.environ[f"MX_TEST_{number}"] = "1"
            for number in range(50):
                del os.environ[f"MX_TEST_{number}"]

    thread = threading.Thread(target=change)
    thread.start()
    try:
        with contextlib.closing(connect()) as client:
            for _ in range(200):
                client.ping()
    finally:
        over.set()
        thread.join()
