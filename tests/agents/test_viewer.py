"""The viewer answers its own user, not a page of somebody else's, and says in one line what it cannot show."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
import yaml

from mx_agents.report.live import Viewer


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[Viewer]:
    (tmp_path / "config.yaml").write_text(
        yaml.safe_dump({"kind": "train", "preset": "micro", "seeds": 1, "steps": 1})
    )
    with Viewer(tmp_path) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(viewer: Viewer, path: str, host: str) -> tuple[int, bytes]:
    connection = HTTPConnection(viewer.server_name, viewer.server_port, timeout=20)
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(
    "host", ["127.0.0.1:80", "localhost", "localhost:1", "[::1]:2", "192.168.0.7", "a.localhost"]
)
def test_it_answers_to_names_that_nobody_else_can_point_here(viewer: Viewer, host: str) -> None:
    assert get(viewer, "/version", host)[0] == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:80", "", "[", "127.0.0.1.evil.example"]
)
def test_it_answers_to_no_other(viewer: Viewer, host: str) -> None:
    for path in ("/", "/version"):
        status, body = get(viewer, path, host)
        assert status == 403
        assert b"localhost" in body


def test_what_cannot_be_shown_is_said_in_a_line(viewer: Viewer, capfd: pytest.CaptureFixture[str]) -> None:
    (viewer.folder / "config.yaml").write_text("[1, 2")
    status, body = get(viewer, "/", "localhost")
    assert status == 500
    assert b"config.yaml" in body
    assert capfd.readouterr().err == ""
