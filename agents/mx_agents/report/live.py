"""A run's report served over HTTP, made anew whenever the run has news; of a folder of runs, an index that leads to each."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from mx_agents.errors import UsageError
from mx_agents.report import report_page
from mx_agents.report.folder import FILES, RunEntry, is_run, runs_in, stamp
from mx_agents.report.index_page import index_page, pair_page
from mx_agents.runs.folder import existing_run_folder
from mx_envs.inside.endpoint.bounded import Bounded, BoundedServer


class Viewer(BoundedServer):
    """Serves the report of a run folder at ``/``, and at ``/version`` a text that changes with the run.

    Of a folder of runs the index is at ``/``, each run at ``/run/NAME/``, two at ``/side?first=NAME&second=NAME``.
    It answers to numbers, ``localhost`` and this machine's own name only: a page of somebody else's that points its own name here
    cannot read the run. Raises UsageError when the folder is neither.
    """

    most_connections = 64

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.folder = folder
        self.many = folder.is_dir() and not is_run(folder)
        if self.many:
            runs_in(folder)
        else:
            existing_run_folder(folder)
        self._made: dict[Path, tuple[str, bytes]] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), _Connection)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}/"

    def version(self, run: Path | None = None) -> str:
        """Sizes and times of the files of a run, or of the whole folder."""
        if run is None and self.many:
            return stamp(self.folder)
        found = [(name, (run or self.folder) / name) for name in FILES]
        stats = [(name, path.stat()) for name, path in found if path.is_file()]
        return " ".join(f"{name}:{stat.st_size}:{stat.st_mtime_ns}" for name, stat in stats)

    def report(self, run: Path | None = None) -> bytes:
        """The page of a run, or of the whole folder, as of now. Raises UsageError when the folder is no run any more."""
        place = run or self.folder
        with self._lock:
            version = self.version(run)
            if self._made.get(place, ("",))[0] != version:
                page = self._index() if place == self.folder and self.many else report_page(place, live=True)
                self._made[place] = (version, page.encode(errors="replace"))
            return self._made[place][1]

    def page(self, url: str) -> tuple[int, str, bytes]:
        """Status, kind and body of what is asked for."""
        asked = urlsplit(url)
        if asked.path in ("/", "/version"):
            return _found(self.version().encode() if asked.path == "/version" else self.report(), asked.path)
        try:
            if self.many and asked.path == "/side":
                words = parse_qs(asked.query)
                first, second = (self._run(words.get(key, [""])[0]) for key in ("first", "second"))
                return _found(pair_page(first, second).encode(errors="replace"), "/")
            if self.many and asked.path.startswith("/run/"):
                whole = unquote(asked.path).removeprefix("/run/").strip("/")
                version = asked.path.endswith("/version") and whole.removesuffix("/version")
                run = self._run(version or whole).folder
                return _found(
                    self.version(run).encode() if version else self.report(run),
                    "/version" if version else "/",
                )
        except UsageError as error:
            return 404, "text/plain; charset=utf-8", str(error).encode(errors="replace")
        return 404, "text/plain", b"there is nothing here; the report is at /"

    def _run(self, name: str) -> RunEntry:
        """A run of the folder by its name, and nothing else. Raises UsageError."""
        for entry in runs_in(self.folder):
            if entry.name == name and entry.kind != "unreadable":
                return entry
        raise UsageError(f"there is no run {name!r}; the index is at /")

    def _index(self) -> str:
        return index_page(
            self.folder,
            runs_in(self.folder),
            run_link=lambda entry: f"/run/{quote(entry.name)}/",
            pair_link=lambda first, second: (
                f"/side?{urlencode({'first': first.name, 'second': second.name})}"
            ),
            live=True,
        )


def _found(body: bytes, path: str) -> tuple[int, str, bytes]:
    return 200, "text/plain" if path == "/version" else "text/html; charset=utf-8", body


class _Connection(Bounded):
    server: Viewer

    def do_GET(self) -> None:  # noqa: N802  http.server names it
        self.close_connection = True  # bodies, which nobody sends here, are not read
        if not self.is_local(self.headers.get("Host", "")):
            self._reply(
                403, "text/plain", b"this report is at http://localhost or the address of its machine"
            )
            return
        try:
            self._reply(*self.server.page(self.path))
        except (UsageError, OSError) as error:
            self._reply(500, "text/plain; charset=utf-8", str(error).encode(errors="replace"))

    def _reply(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
