"""A run's report served over HTTP, made anew whenever the run has news."""

from __future__ import annotations

import threading
from pathlib import Path

from mx_agents.errors import UsageError
from mx_agents.report import report_page
from mx_agents.runs.folder import existing_run_folder
from mx_envs.inside.endpoint.bounded import Bounded, BoundedServer

WATCHED = (
    "episodes.jsonl",
    "metrics.jsonl",
    "evaluation.jsonl",
    "trees.jsonl",
    "results.json",
    "config.yaml",
)


class Viewer(BoundedServer):
    """Serves the report of a run folder at ``/``, and at ``/version`` a text that changes with the run.

    It answers to numbers, ``localhost`` and this machine's own name only: a page of somebody else's that points its own name here
    cannot read the run.
    """

    most_connections = 64

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.folder = existing_run_folder(folder)
        self._made: tuple[str, bytes] = ("", b"")
        self._lock = threading.Lock()
        super().__init__((host, port), _Connection)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"

    def version(self) -> str:
        """Sizes and times of the run's files."""
        found = [(name, self.folder / name) for name in WATCHED]
        stats = [(name, path.stat()) for name, path in found if path.is_file()]
        return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)

    def report(self) -> bytes:
        """The page as of now. Raises UsageError when the folder is no run any more."""
        with self._lock:
            version = self.version()
            if self._made[0] != version:
                self._made = (version, report_page(self.folder, live=True).encode(errors="replace"))
            return self._made[1]


class _Connection(Bounded):
    server: Viewer

    def do_GET(self) -> None:  # noqa: N802  http.server names it
        path = self.path.split("?", 1)[0]
        self.close_connection = True  # bodies, which nobody sends here, are not read
        if not self.is_local(self.headers.get("Host", "")):
            self._reply(
                403, "text/plain", b"this report is at http://localhost or the address of its machine"
            )
        elif path == "/":
            self._report()
        elif path == "/version":
            self._reply(200, "text/plain", self.server.version().encode())
        else:
            self._reply(404, "text/plain", b"there is nothing here; the report is at /")

    def _report(self) -> None:
        try:
            page = self.server.report()
        except (UsageError, OSError) as error:
            self._reply(500, "text/plain; charset=utf-8", str(error).encode(errors="replace"))
        else:
            self._reply(200, "text/html; charset=utf-8", page)

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
