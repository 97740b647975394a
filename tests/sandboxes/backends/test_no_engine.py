"""Where no Docker engine answers: one clear error, nothing left open, and ``auto`` goes on with bubblewrap."""

from __future__ import annotations

import contextlib
import gc
import itertools
import os
import socketserver
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import mx_sandboxes
from mx_sandboxes import SandboxUnavailableError, open_sandbox
from mx_sandboxes.backends.bubblewrap import jail as bubblewrap
from mx_sandboxes.backends.docker.images import has_image


@pytest.mark.parametrize("dead", ["nothing", "a file"])
def test_an_engine_that_is_not_there_is_one_clear_error(
    dead: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "docker.sock"
    if dead == "a file":
        place.touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{place}")
    with pytest.raises(SandboxUnavailableError, match="no Docker engine answers"):
        open_sandbox("docker")
    gc.collect()  # a socket left open would warn here, and warnings are errors


@pytest.mark.bubblewrap
def test_auto_goes_on_with_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    try:
        opened = open_sandbox("auto")
    except SandboxUnavailableError as error:
        if "bubblewrap" in os.environ.get("MX_REQUIRE", ""):
            raise
        pytest.skip(str(error))
    with opened as sandbox:
        assert sandbox.backend == "bubblewrap"
        assert sandbox.run(["python", "-c", "print(1)"]).stdout == b"1\n"


@pytest.mark.parametrize(
    "answers",
    [
        [b""],
        [b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"],
        [b"no HTTP at all\r\n\r\n"],
        [b"", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"],
    ],
    ids=["hangs up", "500", "no HTTP", "each time another"],
)
def test_an_engine_that_is_there_but_cannot_be_talked_to_is_said_where_auto_goes_past_it(
    answers: list[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socketserver.UnixStreamServer(str(tmp_path / "docker.sock"), answering(answers)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/docker.sock")
        assert not has_image("python")
        assert not has_image("hdl")
        server.shutdown()
    (said,) = [record.getMessage() for record in caplog.records]
    assert said.startswith("Docker is not used: no Docker engine answers")
    assert "\n" not in said


def answering(answers: list[bytes]) -> type[socketserver.BaseRequestHandler]:
    turns = itertools.cycle(answers)

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(
                1
            )  # the rest stays unread: whether the client sees an end or a reset is left to chance
            with contextlib.suppress(BrokenPipeError):
                self.request.sendall(next(turns))

    return Handler


def test_where_no_engine_is_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    assert not has_image("python")
    assert not caplog.records


@pytest.fixture
def everybodys() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="mx-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.parametrize(
    ("setting", "value", "command"),
    [
        ("user/max_user_namespaces", "0", "sudo sysctl -w user.max_user_namespaces=15000"),
        ("kernel/unprivileged_userns_clone", "0", "sudo sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "96365", "allow unprivileged user namespaces"),
    ],
)
def test_a_machine_that_forbids_user_namespaces_is_told_the_command(
    setting: str, value: str, command: str, everybodys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The refusal is played by a bwrap that ends as the real one does there: the setting is the whole machine's."""
    file = tmp_path / "sys" / setting
    file.parent.mkdir(parents=True)
    file.write_text(f"{value}\n")
    refusing = everybodys / "bwrap"
    refusing.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2\nexit 1\n")
    refusing.chmod(0o755)
    monkeypatch.setenv("PATH", f"{everybodys}:{os.environ['PATH']}")
    monkeypatch.setattr(bubblewrap, "SYSCTLS", tmp_path / "sys")
    with pytest.raises(SandboxUnavailableError, match=command) as caught:
        open_sandbox("bubblewrap")
    assert "No permissions to create new namespace" in str(caught.value)


@pytest.mark.bubblewrap
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become others")
@pytest.mark.parametrize("who", ["an ordinary user", "root of a namespace without other users"])
def test_users_without_rights_get_a_sandbox_or_the_reason(who: str) -> None:
    code = (
        "from mx_sandboxes import open_sandbox\nwith open_sandbox('bubblewrap', slots=1) as sandbox:\n"
        " print(sandbox.run(['python', '-c', 'import os; print(os.getuid())']).stdout)"
    )
    alone = ["unshare", "--user", "--map-root-user"] if who.startswith("root") else []
    place = str(Path(mx_sandboxes.__file__).parents[1])
    environment = {"PYTHONPATH": place, "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
    line = [*alone, "/usr/bin/python3", "-c", code]
    done = subprocess.run(
        line,
        user=65534,
        group=65534,
        extra_groups=[],
        env=environment,
        cwd="/",
        capture_output=True,
        check=False,
    )
    if b"No module named" in done.stderr:
        pytest.skip("others may not read this checkout")
    if alone:
        assert b"run it as an ordinary user" in done.stderr, done.stderr
    else:
        assert done.stdout == b"b'1000\\n'\n", done.stderr
